"""A live rating that is sent when it changes: its course, in which each value holds until the next.

What comes later than ``WAY_S`` counts from when it came. After a loss nothing is known until the next value. The course
is what is recorded and used, so that a replay is the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pylsl import local_clock

from rtaffect.common.arrays import FloatArray
from rtaffect.sources.foreign_clock import Foreign, place_events
from rtaffect.sources.held import RATE_HZ, Held, even_header
from rtaffect.sources.host_stamps import HostStamps
from rtaffect.sources.identity import Identity
from rtaffect.sources.live import Adopt
from rtaffect.sources.lsl import LslConnection
from rtaffect.sources.lsl_streams import FoundStream, Network, read_header, refuse_unreadable
from rtaffect.sources.rating_plan import plan_rating
from rtaffect.sources.remap import Remap, as_before
from rtaffect.stream.source import StreamHeader, StreamInfo, Tap
from rtaffect.stream.status import StreamState

#: A value may be under way so long, s, before it counts from when it came.
WAY_S: Final = 0.1


@dataclass(slots=True)
class AsSent:
    """What a recording has of a rating as it came, beside the course that is made of it."""

    header: StreamHeader
    tap: Tap | None = None

    @classmethod
    def of(cls, header: StreamHeader) -> AsSent:
        """Return it for a stream that says ``header`` of itself; by nothing is it to be taken for the course."""
        name, kind = f"{header.name} (as sent)", f"{header.type}-as-sent"
        identity = f"{header.source_id}-as-sent" if header.source_id else ""
        return cls(replace(header, name=name, type=kind, source_id=identity, xml=""))


class HeldRating(LslConnection):
    """The course of one LSL stream of ratings without a regular rate.

    Parameters
    ----------
    stream
        What :func:`rtaffect.sources.lsl_streams.find_streams` found.
    adopt, foreign, name
        As for :class:`rtaffect.sources.lsl.LslSource`.

    Raises
    ------
    StreamError
        If the stream does not answer, or is no rating.

    Attributes
    ----------
    as_sent : AsSent
        Its values as they come, to be recorded as a stream of its own.
    """

    def __init__(self, stream: FoundStream, *, adopt: Adopt = "never", foreign: Foreign = "arrival", name: str) -> None:
        refuse_unreadable(stream)
        header = read_header(stream)
        plan = plan_rating(header)
        info = StreamInfo(name, "rating", RATE_HZ, plan.names, "lsl", header.source_id, header.host)
        super().__init__(info, even_header(header), plan, foreign)
        self._first, self._declared, self._foreign = Identity(stream, adopt), header, foreign
        self._described = header
        self.as_sent = AsSent.of(header)
        self._held = Held(len(plan.names))
        # The course: when it begins, s on the LSL clock, how many samples it has, and when the clock was told.
        self._begun, self._told, self._stamped = math.nan, 0, HostStamps(self.buffer)
        # When the connection was last there, s on the LSL clock.
        self._asked_at = math.nan

    def _open(self) -> None:
        identity = self._identity or self._first
        self._connect(identity.ours, identity)
        self._network = self._network or Network()

    def _fit(self, header: StreamHeader) -> Remap | None:
        return as_before(self._declared, header)

    def _poll(self) -> None:
        super()._poll()
        self._asked_at = local_clock()
        self._go_on(self._asked_at)

    def _deliver(self, stamps: FloatArray, values: NDArray[Any]) -> None:
        self._last_at, clock = local_clock(), self._inlet.clock
        placed, note = place_events(stamps, clock.offset, "ratings", here=self._delivery.here, foreign=self._foreign)
        self._delivery.note = note
        if self.as_sent.tap is not None:
            self.as_sent.tap.samples(placed, values.copy())
        if note and self._foreign == "refuse":
            return
        there = np.isfinite(placed)
        self._held.take(clock.correct(placed[there]), self._plan.apply(values[there]))

    def _go_on(self, now: float) -> None:
        """Let the course reach ``now`` (s on the LSL clock), but for what may be under way."""
        if math.isnan(self._begun):
            self._begun = now
        due = math.floor((now - WAY_S - self._begun) * RATE_HZ) + 1 - self._told
        if due <= 0:
            return
        stamps = self._begun + np.arange(self._told, self._told + due) / RATE_HZ
        self._told += due
        block = self._held.course(stamps)
        self._stamped.give(self.tap, now, stamps, block, block)

    def _reopen(self, trouble: str) -> None:
        self._held.let_go()
        super()._reopen(trouble)
        # What it was meanwhile nobody knows: there are no samples of that time.
        if math.isfinite(self._begun):
            self._told = max(self._told, math.ceil((local_clock() - self._begun) * RATE_HZ))

    def _begin_segment(self) -> None:
        if self.as_sent.tap is not None:
            self.as_sent.tap.segment()

    def _note_offset(self, time: float, offset: float) -> None:
        self.offsets.append((time, offset))
        if self.as_sent.tap is not None:
            self.as_sent.tap.offset(time, offset)

    @property
    def _known_until(self) -> float:
        return self._opened_at if math.isnan(self._asked_at) else self._asked_at

    def _silent_state(self, silent: float) -> tuple[StreamState, str]:
        """Return that all is well: who says nothing means what they said before."""
        return "ok", self._delivery.note
