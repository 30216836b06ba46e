"""A session waits for samples that are late, and hurries those that it waits for."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from rtaffect.common.clock import InstantClock
from rtaffect.common.errors import StreamError
from rtaffect.common.settings import Settings
from rtaffect.engine.engine import Engine
from rtaffect.engine.session import PATIENCE_S, Session
from rtaffect.observed.spaces import ChannelSpace
from rtaffect.sources.recorded import ArraySource
from rtaffect.stream.source import StreamInfo


class SlowSource(ArraySource):
    """A live source whose samples are there only after it was asked for them so many times in a step."""

    def __init__(self, asked: int) -> None:
        eeg = 1e-5 * np.random.default_rng(1).standard_normal((1000, 1))
        super().__init__(StreamInfo("A", "eeg", 250.0, ("Cz",), "lsl"), eeg, 0.0)
        self.asked, self._least, self._due = 0, asked, 0.0

    def advance(self, until: float) -> None:
        if until > self._due:
            self._due, self.asked = until, 0
        self.asked += 1
        if self.asked >= self._least:
            # What comes does not end with the sample that is waited for.
            super().advance(until + 0.1)


def run(source: SlowSource) -> float:
    """Run one step and return how long after it was due it came, s."""
    engine, clock = Engine([source], ChannelSpace(("Cz",)), Settings(), 0.0), InstantClock(0.0)
    Session(engine, clock, [], threading.Event(), steps=1).run()
    return clock.now() - engine.end_of(1) - engine.lookahead_s


def test_a_late_source_is_asked_until_its_samples_are_there() -> None:
    source = SlowSource(asked=6)
    late = run(source)
    assert source.asked == 6
    assert 0 < late < PATIENCE_S / 2


def test_a_source_whose_samples_are_there_is_not_waited_for() -> None:
    source = SlowSource(asked=1)
    assert abs(run(source)) < 1e-9
    assert source.asked == 1


class MeetingSource(ArraySource):
    """A source whose opening ends only when that of another one has begun."""

    def __init__(self, name: str, barrier: threading.Barrier) -> None:
        super().__init__(StreamInfo(name, "eeg", 250.0, ("Cz",), "lsl"), np.zeros((1000, 1)), 0.0)
        self._barrier = barrier

    def start(self) -> None:
        self._barrier.wait(10.0)
        super().start()


def test_sources_are_opened_together() -> None:
    """One after the other, 32 headsets took 19 s, in which the first steps were missed."""
    barrier = threading.Barrier(3)
    engine = Engine([MeetingSource(name, barrier) for name in "ABC"], ChannelSpace(("Cz",)), Settings(), 0.0)
    assert Session(engine, InstantClock(0.0), [], threading.Event(), steps=1).run() == 1


class AbsentSource(ArraySource):
    """A source that cannot be opened."""

    def __init__(self, name: str) -> None:
        super().__init__(StreamInfo(name, "eeg", 250.0, ("Cz",), "lsl"), np.zeros((1000, 1)), 0.0)
        self.stopped = False

    def start(self) -> None:
        raise StreamError(f"{self.info.name} is not there")

    def stop(self) -> None:
        self.stopped = True


def test_the_first_source_that_cannot_be_opened_is_named_and_all_are_stopped() -> None:
    sources = [AbsentSource(name) for name in "AB"]
    engine = Engine(sources, ChannelSpace(("Cz",)), Settings(), 0.0)
    with pytest.raises(StreamError, match="A is not there"):
        Session(engine, InstantClock(0.0), [], threading.Event(), steps=1).run()
    assert all(source.stopped for source in sources)
