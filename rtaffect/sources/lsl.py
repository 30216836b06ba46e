"""EEG and sound from Lab Streaming Layer: one thread per stream, loss noticed and mended by our own hand."""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Sequence
from typing import Any, Literal, Unpack

import numpy as np
from numpy.typing import NDArray
from pylsl import local_clock

from rtaffect.common.errors import StreamError
from rtaffect.sources.channel_plan import Given, check_format, check_rate, plan_audio, plan_eeg
from rtaffect.sources.live import STALL_S, DeviceLostError, LiveSource
from rtaffect.sources.lsl_inlet import GONE, LslInlet
from rtaffect.sources.lsl_streams import FORGET_S, FoundStream, Network, read_header, refuse_unreadable, twins_message
from rtaffect.stream.source import StreamHeader, StreamInfo
from rtaffect.stream.status import StreamState

_log = logging.getLogger(__name__)

#: Who is on the network is looked at this often, s.
LOOK_S = 1.0
#: Samples are taken this often, s, while liblsl collects, and at once where a step waits for them (:meth:`advance`):
#: each time costs the same however many there are, and with many headsets it is most of what they cost.
COLLECT_S = 0.05


class LslSource(LiveSource):
    """One LSL stream as a source.

    liblsl's own recovery is off, because it hides losses: a lost stream is looked for again by its source_id and type
    (without a source_id: by name, type and host), and connected anew with a new measurement of its clock.

    Parameters
    ----------
    stream
        What :func:`rtaffect.sources.lsl_streams.find_streams` found.
    kind
        EEG arrives in the buffer in volts, sound as mono at full scale +-1.
    given
        What replaces the stream's own description.

    Raises
    ------
    StreamError
        If the stream does not answer, or is not described well enough to be used.

    Attributes
    ----------
    offsets : deque of tuple of float
        Clock offsets read so far: (time on the sender's clock, offset to add to its stamps), s.
    """

    retry_s = 0.05

    def __init__(self, stream: FoundStream, kind: Literal["eeg", "audio"] = "eeg", **given: Unpack[Given]) -> None:
        refuse_unreadable(stream)
        dtype = check_format(stream.header)
        rate = check_rate(stream.header.name, kind, stream.header.rate, given.get("rate"))
        header = read_header(stream)
        if kind == "audio":
            plan = plan_audio(header.name, header.channels, dtype)
        else:
            plan = plan_eeg(header, given.get("channels"), given.get("unit"))
        name = given.get("name") or header.name
        info = StreamInfo(name, kind, rate, plan.names, "lsl", header.source_id, header.host)
        super().__init__(info, header, plan)
        self.offsets: deque[tuple[float, float]] = deque(maxlen=8192)
        self._stream = stream
        self._inlet = LslInlet(info.name, "the device's LSL output", self._begin_segment, self._note_offset)
        self._chunk = np.empty((math.ceil(max(rate, 100.0)), header.channels), dtype)
        self._network: Network | None = None
        self._look_at = 0.0
        # Why what is on the network by this name cannot be taken, or be told apart from this one.
        self._misfit = ""

    def _open(self) -> None:
        self._inlet.open(self._stream)
        self._network = self._network or Network()
        self._look_at = local_clock() + LOOK_S

    def _close(self) -> None:
        self._inlet.close()
        self._network = None

    def advance(self, until: float) -> None:
        """Take what has come now, if what is there does not reach ``until`` (s); returns at once."""
        if not self.buffer.newest >= until:
            self._worker.wake()

    def _poll(self) -> None:
        self._worker.pause(COLLECT_S)
        try:
            stamps = self._inlet.pull_chunk(self._chunk)
            if len(stamps):
                self._deliver(stamps, self._chunk[: len(stamps)])
            self._inlet.measure()
        except GONE as error:
            raise DeviceLostError(str(error)) from None
        if local_clock() >= self._look_at:
            self._look_around()

    def _deliver(self, stamps: NDArray[np.float64], values: NDArray[Any]) -> None:
        self._last_at = local_clock()
        if self.tap is not None:
            self.tap.samples(stamps, values)
        if not (finite := np.isfinite(stamps)).all():
            stamps, values = stamps[finite], values[finite]
        self.buffer.push(self._plan.apply(values), self._inlet.clock.correct(stamps))

    def _note_offset(self, time: float, offset: float) -> None:
        self.offsets.append((time, offset))
        if self.tap is not None:
            self.tap.offset(time, offset)

    def _state(self, now: float) -> tuple[StreamState, str]:
        state, message = super()._state(now)
        misfit = self._misfit
        return ("duplicate", misfit) if misfit and state in {"ok", "waiting"} else (state, message)

    def _lost_message(self, seconds: float) -> str:
        return self._misfit or (
            f"stream {self.info.name!r} on {self.info.host} is gone for {seconds:.0f} s; restart the device's LSL "
            "output: it is connected again by itself"
        )

    def _silent_state(self, silent: float) -> tuple[StreamState, str]:
        return "stalled", (
            f"stream {self.info.name!r} on {self.info.host} is connected but has sent nothing for {silent:.0f} s; "
            "check that the device is on, charged and in reach"
        )

    def _same(self) -> list[FoundStream]:
        network = self._network
        return [s for s in network.streams() if s.header.identity == self.header.identity] if network else []

    def _look_around(self) -> None:
        """Notice twins, and a stall in truth a loss that the connection has not told (a cable pulled out)."""
        now = local_clock()
        self._look_at = now + LOOK_S
        same = [stream.header for stream in self._same()]
        # An outlet that was closed is listed until it is forgotten, and would pass for a twin.
        if now - self._opened_at > FORGET_S + LOOK_S:
            self._misfit = twins_message(same) if len(same) > 1 else ""
        present = any(header.uid == self._stream.header.uid for header in same)
        if not present and self._silence(now) > max(STALL_S, FORGET_S):
            raise DeviceLostError("it does not answer")

    def _reopen(self, trouble: str) -> None:
        self._misfit = ""
        self._inlet.close()
        super()._reopen(trouble)

    def _open_again(self) -> bool:
        """Take the stream again if one of its identity is on the network, and is as it was."""
        # A closed outlet is listed until it is forgotten: before that, only a new one counts.
        forgotten, old = local_clock() - self._lost_at > FORGET_S + 0.5, self._stream
        back = [stream for stream in self._same() if forgotten or stream.header.uid != old.header.uid]
        self._misfit = self._unfit([stream.header for stream in back])
        if not back or self._misfit:
            return False
        self._stream = back[0]
        try:
            self._open()
        except StreamError as error:
            _log.warning("%s", error)
            self._stream = old
            return False
        return True

    def _unfit(self, back: Sequence[StreamHeader]) -> str:
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
