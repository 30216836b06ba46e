"""One recorded stream as a source: what had been recorded by a time is delivered then."""

from __future__ import annotations

import math

import numpy as np

from rtaffect.common.arrays import FloatArray
from rtaffect.sources.body_plan import body_of_plan
from rtaffect.sources.channel_plan import ChannelPlan
from rtaffect.sources.clock_offsets import Corrected
from rtaffect.sources.recorded_coming import Coming
from rtaffect.sources.xdf_file import RecordedStream
from rtaffect.stream.buffer import SampleBuffer
from rtaffect.stream.source import StreamInfo
from rtaffect.stream.status import SourceStatus, StreamState

#: Without samples for this long before its end, a stream counts as stalled, s.
STALL_S = 2.0


class XdfSource:
    """One recorded stream as a source: :meth:`advance` delivers what had been recorded by then.

    Made by :class:`rtaffect.sources.xdf.XdfRecording`.

    Parameters
    ----------
    info
        Name, rate and channels.
    recorded
        The stream as the file has it.
    corrected
        Its stamps on the recording computer's clock; fewer than recorded if the rest cannot be played.
    plan
        How recorded values become volts (EEG) or mono full scale (audio).
    seconds
        What the buffer keeps: at least what one advance brings.

    Attributes
    ----------
    header : StreamHeader
        What it says of itself.
    own_clock, unusable : str
        What shows that its stamps are on a clock of their own, and why they tell nothing; '' where that is not so.
    """

    def __init__(
        self,
        info: StreamInfo,
        recorded: RecordedStream,
        corrected: Corrected,
        plan: ChannelPlan,
        seconds: float = 30.0,
    ) -> None:
        self.info, self.header = info, recorded.header
        # No more than there is: a rate that is wrong by far would take more memory than the file has bytes.
        kept = min(seconds, (len(corrected.stamps) + 1) / info.rate)
        self.buffer = SampleBuffer(info.rate, len(info.channels), seconds=kept)
        self.own_clock = self.unusable = ""
        self.body = body_of_plan(info, plan, self.buffer, seconds=kept)
        self._plan = plan
        self._values, self._stamps = recorded.values, corrected.stamps
        # Delivery is in recorded order: a sample stamped earlier than the one before it comes right after it.
        self._due = np.maximum.accumulate(corrected.stamps)
        self._begins = sorted({segment.sample for segment in recorded.segments or ()}, reverse=True)
        self._at = 0
        self._stopped = False
        # Made when the first samples are delivered: until then their times may be replaced.
        self._coming: Coming | None = None

    def __len__(self) -> int:
        """Return how many samples there are to deliver, delivered or not."""
        return len(self._stamps)

    def keep(self, first: float, last: float) -> int:
        """Leave out what is not from ``first`` to ``last`` (s on the LSL clock); return how many samples stay."""
        begin = int(np.searchsorted(self._due, first))
        stop = int(np.searchsorted(self._due, last, side="right"))
        self._values, self._stamps = self._values[begin:stop], self._stamps[begin:stop]
        self._due = self._due[begin:stop]
        self._begins = [max(sample - begin, 0) for sample in self._begins if sample < stop]
        return len(self._stamps)

    def deliver_at(self, due: FloatArray) -> None:
        """Deliver its samples at the times ``due`` (n,), s on the LSL clock, whatever their stamps are."""
        self._due = np.maximum.accumulate(due)

    def place(self, times: FloatArray) -> None:
        """Give its samples ``times`` (n,), s on the LSL clock, in place of their stamps."""
        self._stamps, self._due, self.own_clock, self.unusable = times, np.maximum.accumulate(times), "", ""

    @property
    def stamps(self) -> FloatArray:
        """Stamps of its samples (n,), s on the LSL clock."""
        return self._stamps

    @property
    def due(self) -> FloatArray:
        """Times at which its samples are delivered (n,), s on the LSL clock."""
        return self._due

    @property
    def next_due(self) -> float:
        """Time at which the next sample is delivered, s on the LSL clock; NaN after the last."""
        return float(self._due[self._at]) if self._at < len(self._due) else math.nan

    @property
    def first(self) -> float:
        """Time of the first sample, s on the LSL clock; NaN without any."""
        return float(self._due[0]) if len(self._due) else math.nan

    @property
    def last(self) -> float:
        """Time at which the last sample is delivered, s on the LSL clock; NaN without any."""
        return float(self._due[-1]) if len(self._due) else math.nan

    def start(self) -> None:
        """Begin anew after :meth:`stop`: what was delivered stays delivered."""
        self._stopped = False

    def advance(self, until: float) -> None:
        """Deliver all recorded samples with times <= ``until`` (s on the LSL clock)."""
        if self._stopped:
            return
        if self._coming is None:
            self._coming = Coming(self.info.rate, self._stamps, self._due, self._begins[::-1], self._at)
        stop = self._coming.until(until)
        beside = self.body if self.body is not None and self.body.buffer is not self.buffer else None
        # A second at a time, so that a long advance measures the rate as short ones do.
        turn = max(1, round(self.info.rate))
        while self._at < stop:
            while self._begins and self._begins[-1] <= self._at:
                self._begins.pop()
                self.buffer.begin_segment()
                if beside is not None:
                    beside.buffer.begin_segment()
            part = slice(self._at, min(self._at + turn, stop, *self._begins[-1:]))
            # Values that a damaged file garbled may be signalling NaNs or too large for float32.
            with np.errstate(invalid="ignore", over="ignore"):
                self.buffer.push(self._plan.apply(self._values[part]), self._stamps[part])
                if beside is not None:
                    beside.push(self._values[part], self._stamps[part])
            self._at = part.stop

    def skip_to(self, start: float) -> None:
        """Leave out what was recorded before ``start`` (s on the LSL clock) and is not yet delivered."""
        self._at, self._coming = max(self._at, int(np.searchsorted(self._due, start))), None

    def status(self, now: float) -> SourceStatus:
        """Return health as of ``now`` (s on the LSL clock)."""
        state, message = self._state(now)
        return self.buffer.status(self.info.name, self.info.kind, state, now, message)

    def _state(self, now: float) -> tuple[StreamState, str]:
        if not self._at:
            return "waiting", f"its first sample comes in {self.first - now:.1f} s" if now < self.first else ""
        if self._at == len(self._due):
            return ("ended", "the recording holds no more of it") if now > self.last else ("ok", "")
        # A replay whose steps come late has samples that are not delivered yet: no hole of the recording's.
        silent = min(now, self.next_due) - float(self._due[self._at - 1])
        if silent > STALL_S:
            return "stalled", f"the recording holds no samples for {silent:.1f} s here"
        return "ok", ""

    def stop(self) -> None:
        """Deliver nothing more; may be called twice."""
        self._stopped = True
