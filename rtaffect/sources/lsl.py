"""EEG and sound from Lab Streaming Layer: one thread per stream, loss noticed and mended by our own hand."""

from __future__ import annotations

import logging
import math
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pylsl
from numpy.typing import NDArray

from rtaffect.common.errors import StreamError
from rtaffect.sources.channel_plan import check_format, check_rate, plan_audio, plan_eeg
from rtaffect.sources.clock_offsets import SenderClock
from rtaffect.sources.lsl_streams import (
    FORGET_S,
    FoundStream,
    Network,
    describe_streams,
    find_stream,
    find_streams,
    read_header,
    twins_message,
)
from rtaffect.stream.buffer import SampleBuffer
from rtaffect.stream.source import StreamHeader, StreamInfo, Tap
from rtaffect.stream.status import SourceStatus, StreamState

__all__ = ["FoundStream", "LslSource", "describe_streams", "find_stream", "find_streams"]

_log = logging.getLogger(__name__)

#: One pull lasts this long, s: liblsl collects meanwhile, without Python.
PULL_S = 0.02
#: Connected but without samples for this long is a stall, s.
STALL_S = 2.0
#: The clock offset is read this often, s; liblsl measures it in its own thread every 2 s.
OFFSET_S = 5.0
#: Who is on the network is looked at this often, s.
LOOK_S = 1.0
#: The first measurement of the clock offset takes .6 s; a network without it is not usable, s.
FIRST_OFFSET_S = 3.0


class LslSource:
    """One LSL stream as a source.

    liblsl's own recovery is off, because it hides losses: a lost stream is looked for again by its source_id and type
    (without a source_id: by name, type and host), and connected anew with a new measurement of its clock.

    Parameters
    ----------
    stream
        What :func:`find_streams` found.
    kind
        EEG arrives in the buffer in volts, sound as mono at full scale +-1.
    name
        What the source is called, where it is not the stream's own name.
    channels
        Names that replace the stream's own.
    unit
        Unit of the EEG that replaces the stream's own.
    rate
        Rate that replaces the declared one, Hz.
    seconds
        How much the buffer keeps, s.

    Raises
    ------
    StreamError
        If the stream does not answer, or is not described well enough to be used.

    Attributes
    ----------
    header : StreamHeader
        What the stream says of itself.
    tap : Tap or None
        Gets all that comes, as it comes; to be set before :meth:`start`.
    """

    def __init__(
        self,
        stream: FoundStream,
        kind: Literal["eeg", "audio"] = "eeg",
        *,
        name: str | None = None,
        channels: Sequence[str] | None = None,
        unit: str | None = None,
        rate: float | None = None,
        seconds: float = 30.0,
    ) -> None:
        dtype = check_format(stream.header)
        used_rate = check_rate(stream.header.name, kind, stream.header.rate, rate)
        header = self.header = read_header(stream)
        if kind == "audio":
            self._plan = plan_audio(header.name, header.channels, dtype)
        else:
            self._plan = plan_eeg(header, channels=channels, unit=unit)
        self.info = StreamInfo(
            name or header.name, kind, used_rate, self._plan.names, "lsl", header.source_id, header.host
        )
        self.buffer = SampleBuffer(used_rate, len(self._plan.names), seconds=seconds)
        self.tap: Tap | None = None
        #: Clock offsets read so far: (time on the sender's clock, offset to add to its stamps), s.
        self.offsets: deque[tuple[float, float]] = deque(maxlen=8192)
        #: Times that the stream was connected again after a loss.
        self.reconnections = 0
        self._stream = stream
        self._clock = SenderClock()
        self._chunk = np.empty((math.ceil(max(used_rate, 100.0)), header.channels), dtype)
        self._network: Network | None = None
        self._inlet: Any = None
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        # Each is written by the thread and read as a whole by status(), so no lock is needed.
        self._lost_at = math.nan
        self._last_at = math.nan
        self._connected_at = math.nan
        self._trouble = ""
        self._offset_at = self._look_at = 0.0

    def start(self) -> None:
        """Connect and begin to deliver.

        Raises
        ------
        StreamError
            If the stream is gone, or its clock cannot be measured.
        """
        if self._thread is not None:
            return
        if not self._connect(self._stream):
            raise StreamError(
                f"stream {self.info.name!r} on {self.info.host} was found but cannot be opened (or its clock not "
                f"measured within {FIRST_OFFSET_S:g} s); restart the device's LSL output and check the firewall"
            )
        self._network = Network()
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name=f"lsl {self.info.name}", daemon=True)
        self._thread.start()

    def advance(self, until: float) -> None:
        """Do nothing: a live source delivers by itself."""

    def stop(self) -> None:
        """Stop delivering and disconnect; may be called twice."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._thread = self._inlet = self._network = None

    def status(self, now: float) -> SourceStatus:
        """Return health as of ``now`` (s on the LSL clock)."""
        state, message = self._state(now)
        return self.buffer.status(self.info.name, self.info.kind, state, now, message)

    def _state(self, now: float) -> tuple[StreamState, str]:
        where = f"{self.info.name!r} on {self.info.host}"
        if self._thread is None:
            return ("ended", "") if self._stop.is_set() else ("waiting", "")
        if not math.isnan(lost_at := self._lost_at):
            return "lost", self._trouble or (
                f"stream {where} is gone for {now - lost_at:.0f} s; restart the device's LSL output: it is connected "
                "again by itself"
            )
        last_at = self._last_at
        silent = now - (self._connected_at if math.isnan(last_at) else last_at)
        if silent > STALL_S:
            return "stalled", (
                f"stream {where} is connected but has sent nothing for {silent:.0f} s; check that the device is on, "
                "charged and in reach"
            )
        if self._trouble:
            return "duplicate", self._trouble
        return ("waiting", "") if math.isnan(last_at) else ("ok", "")

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._pull()
                if pylsl.local_clock() >= self._look_at:
                    self._look_around()
            except (pylsl.util.LostError, pylsl.util.InternalError):
                self._reconnect()

    def _pull(self) -> None:
        _, stamps = self._inlet.pull_chunk(timeout=PULL_S, max_samples=len(self._chunk), dest_obj=self._chunk)
        now = pylsl.local_clock()
        if stamps:
            self._last_at = now
            self._deliver(np.asarray(stamps), self._chunk[: len(stamps)])
        if now >= self._offset_at:
            offset = self._inlet.time_correction(FIRST_OFFSET_S)
            if self._clock.was_reset(offset):
                self._begin_anew()
            self._note_offset(offset)

    def _deliver(self, stamps: NDArray[np.float64], values: NDArray[Any]) -> None:
        if self.tap is not None:
            self.tap.samples(stamps, values)
        if not (finite := np.isfinite(stamps)).all():
            stamps, values = stamps[finite], values[finite]
        self.buffer.push(self._plan.apply(values), self._clock.correct(stamps))

    def _note_offset(self, offset: float) -> None:
        now = pylsl.local_clock()
        self._offset_at = now + OFFSET_S
        time = self._clock.note(now, offset)
        self.offsets.append((time, offset))
        if self.tap is not None:
            self.tap.offset(time, offset)

    def _begin_anew(self) -> None:
        """Let the next sample begin a new segment, on a clock that is measured anew."""
        self._clock.restart()
        self.buffer.begin_segment()
        if self.tap is not None:
            self.tap.segment()

    def _connect(self, stream: FoundStream) -> bool:
        """Open ``stream`` and measure its clock; nothing is accepted before that is done."""
        inlet = pylsl.StreamInlet(stream.handle, max_buflen=60, recover=False)
        try:
            # Opening fails at once where the outlet is gone; measuring would wait for its timeout.
            inlet.open_stream(FIRST_OFFSET_S)
            offset = inlet.time_correction(FIRST_OFFSET_S)
        except (pylsl.util.LostError, pylsl.util.TimeoutError) as error:
            _log.warning("cannot connect to stream %r on %s: %s", stream.header.name, stream.header.host, error)
            return False
        if self.offsets:
            # Even a loss that is shorter than the jitter of timestamps is a gap.
            self._begin_anew()
        self._note_offset(offset)
        self._inlet, self._stream = inlet, stream
        self._connected_at, self._last_at = pylsl.local_clock(), math.nan
        self._look_at = self._connected_at + LOOK_S
        return True

    def _same(self) -> list[FoundStream]:
        network = self._network
        return [s for s in network.streams() if s.header.identity == self.header.identity] if network else []

    def _look_around(self) -> None:
        """Notice twins, and a stall in truth a loss that the connection has not told (a cable pulled out)."""
        now = pylsl.local_clock()
        self._look_at = now + LOOK_S
        same = self._same()
        # An outlet that was closed is listed until it is forgotten, and would pass for a twin.
        if now - self._connected_at > FORGET_S + LOOK_S:
            self._trouble = twins_message([s.header for s in same]) if len(same) > 1 else ""
        present = any(s.header.uid == self._stream.header.uid for s in same)
        silent_since = self._connected_at if math.isnan(self._last_at) else self._last_at
        if not present and now - silent_since > max(STALL_S, FORGET_S):
            raise pylsl.util.LostError(f"stream {self.info.name!r} does not answer")

    def _unfit(self, back: list[StreamHeader]) -> str:
        """Say why none of the streams that came back can be taken; '' if the first one can."""
        if len(back) > 1:
            return twins_message(back)
        before = self.header
        for now in back:
            if (now.channels, now.format, now.rate) != (before.channels, before.format, before.rate):
                return (
                    f"stream {now.name!r} came back with {now.channels} channels of {now.format} at {now.rate:g} Hz, "
                    f"expected {before.channels} of {before.format} at {before.rate:g} Hz; set the device as before"
                )
        return ""

    def _reconnect(self) -> None:
        """Look for the stream until it is back or the source is stopped."""
        lost_at = self._lost_at = pylsl.local_clock()
        _log.warning("stream %r on %s is lost", self.info.name, self.info.host)
        self._inlet, self._trouble = None, ""
        old = self._stream.header.uid
        while not self._stop.wait(0.05):
            # A closed outlet is listed until it is forgotten: before that, only a new one counts.
            forgotten = pylsl.local_clock() - lost_at > FORGET_S + 0.5
            back = [s for s in self._same() if forgotten or s.header.uid != old]
            self._trouble = self._unfit([s.header for s in back])
            if back and not self._trouble and self._connect(back[0]):
                break
        else:
            return
        self.reconnections += 1
        self._lost_at = math.nan
        _log.warning("stream %r is back after %.1f s", self.info.name, pylsl.local_clock() - lost_at)
