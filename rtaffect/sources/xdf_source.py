"""One recorded stream as a source: what had been recorded by a time is delivered then."""

from __future__ import annotations

import math

import numpy as np

from rtaffect.sources.channel_plan import ChannelPlan, body_of_plan
from rtaffect.sources.clock_offsets import Corrected
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
    """

    def __init__(
        self,
        info: StreamInfo,
        recorded: RecordedStream,
        corrected: Corrected,
        plan: ChannelPlan,
        seconds: float = 30.0,
    ) -> None:
        self.info = info
        # No more than there is: a rate that is wrong by far would take more memory than the file has bytes.
        kept = min(seconds, (len(corrected.stamps) + 1) / info.rate)
        self.buffer = SampleBuffer(info.rate, len(info.channels), seconds=kept)
        self.body = body_of_plan(info, plan, self.buffer, seconds=kept)
        self._recorded, self._corrected, self._plan = recorded, corrected, plan
        # Delivery is in recorded order: a sample stamped earlier than the one before it comes right after it.
        self._due = np.maximum.accumulate(corrected.stamps)
        self._begins = sorted({segment.sample for segment in recorded.segments or ()}, reverse=True)
        self._at = 0
        self._stopped = False

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
        stop = int(np.searchsorted(self._due, until, side="right"))
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
                self.buffer.push(self._plan.apply(self._recorded.values[part]), self._corrected.stamps[part])
                if beside is not None:
                    beside.push(self._recorded.values[part], self._corrected.stamps[part])
            self._at = part.stop

    def skip_to(self, start: float) -> None:
        """Leave out what was recorded before ``start`` (s on the LSL clock) and is not yet delivered."""
        self._at = max(self._at, int(np.searchsorted(self._due, start)))

    def status(self, now: float) -> SourceStatus:
        """Return health as of ``now`` (s on the LSL clock)."""
        state, message = self._state(now)
        return self.buffer.status(self.info.name, self.info.kind, state, now, message)

    def _state(self, now: float) -> tuple[StreamState, str]:
        if not self._at:
            return "waiting", f"its first sample comes in {self.first - now:.1f} s" if now < self.first else ""
        if self._at == len(self._due):
            return ("ended", "the recording holds no more of it") if now > self.last else ("ok", "")
        silent = now - float(self._due[self._at - 1])
        if silent > STALL_S:
            return "stalled", f"the recording holds no samples for {silent:.1f} s here"
        return "ok", ""

    def stop(self) -> None:
        """Deliver nothing more; may be called twice."""
        self._stopped = True
