"""A live session in injected time, whose samples come and are stamped as a test wants; recorded, and replayed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from rtaffect.common.clock import InstantClock
from rtaffect.engine.engine import Engine
from rtaffect.engine.feedback import Feedback
from rtaffect.engine.session import Session
from rtaffect.record.recorder import Recorder
from rtaffect.sources.host_stamps import HostStamps
from rtaffect.sources.recorded import ArraySource
from rtaffect.stream.body import Body
from rtaffect.stream.source import StreamHeader
from tests.engine.test_engine import ORIGIN
from tests.support.hand_clock import HandClock

#: Of when samples were taken (n,), s: how they are stamped, and when they are there, s.
Arrival = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


class LateSource(ArraySource):
    """Samples that come when ``arrival`` says, stamped by this computer, as a board's are."""

    def __init__(self, source: ArraySource, arrival: Arrival) -> None:
        super().__init__(replace(source.info, origin="brainflow"), source._samples, source._onset)
        self.buffer.tells_late = self.info.kind == "eeg"
        taken = self._onset + np.arange(len(self._samples)) / self.info.rate
        self._stamps, self._arrives = arrival(taken)
        self._stamped, self._buffered = HostStamps(self.buffer), 0
        #: Its peripheral signals, where it has any.
        self.body: Body | None = None

    @property
    def header(self) -> StreamHeader:
        """What a recording says of it."""
        if self.body is None:
            return super().header
        i = self.info
        types = tuple(channel.kind.upper() for channel in self.body.channels)
        return StreamHeader(i.name, "Physio", i.rate, "double64", i.channels, types=types, source_id=i.source_id)

    def advance(self, until: float) -> None:
        """Do nothing: it delivers by itself."""

    def tick(self, now: float) -> None:
        """Deliver what has come by ``now``, s."""
        stop = int(np.searchsorted(self._arrives, now, side="right"))
        if stop > self._at:
            part = slice(self._at, stop)
            values = self._samples[part]
            self._stamped.give(self.tap, now, self._stamps[part], values, values)
        self._at = stop


def run_live(
    sources: Sequence[LateSource], engine: Engine, steps: int, path: Path, busy_s: Callable[[float], float]
) -> list[Feedback]:
    """Run a session, each step of which takes ``busy_s`` of the time in it, s; record it in ``path``."""
    clock, found = HandClock(ORIGIN - 2.0), list[Feedback]()
    with Recorder(path) as recorder:
        for source in sources:
            recorder.record(source)

        def tick(now: float) -> None:
            for source in sources:
                source.tick(now)

        def take(feedback: Feedback) -> None:
            found.append(feedback)
            clock.pass_by(busy_s(clock.time - ORIGIN))

        clock.on_tick = tick
        Session(engine, clock, [take], threading.Event(), steps, outlast=True).run()
    return found


def doubts_at(found: Sequence[Feedback]) -> dict[int, tuple]:
    """Return what a session's table of doubts says of each step."""
    return {feedback.step: feedback.doubts for feedback in found if feedback.doubts}


def run_again(engine: Engine, steps: int) -> list[Feedback]:
    """Run a replay."""
    found = list[Feedback]()
    Session(engine, InstantClock(ORIGIN - 1), [found.append], threading.Event(), steps, outlast=True).run()
    return found


def assert_alike(live: Sequence[Feedback], again: Sequence[Feedback]) -> None:
    """Check that all values of a replay are those of the session, to the last bit."""
    assert len(live) == len(again)
    for f, g in zip(live, again, strict=True):
        for name in ("predicted", "observed", "observed_each", "null_low", "null_high", "quality", "trusted"):
            np.testing.assert_array_equal(getattr(f, name), getattr(g, name), err_msg=f"{name} at step {f.step}")
        assert (f.reason, f.doubts) == (g.reason, g.doubts)
        assert repr(f.measures) == repr(g.measures), f"measures at step {f.step}"
