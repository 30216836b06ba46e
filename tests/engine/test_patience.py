"""Samples that come late are waited for as long as needed; what still comes too late is the same in a replay."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from rtaffect.engine import session as session_module
from rtaffect.engine.engine import Engine
from rtaffect.engine.feedback import Feedback
from rtaffect.engine.patience import MOST_S, PATIENCE_S, Patience
from rtaffect.engine.session import Session
from rtaffect.engine.taken import RecordedDoubts
from rtaffect.observed.spaces import ChannelSpace
from rtaffect.sources.recorded import ArraySource
from tests.engine.test_engine import ORIGIN, SETTINGS, group_eeg, headsets
from tests.support.hand_clock import HandClock


@pytest.fixture(autouse=True)
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is late is looked for every 20 ms of the injected time, a tenth as often as live: as good, and faster."""
    monkeypatch.setattr(session_module, "_POLL_S", 0.02)


class Ran:
    """Two headsets, the second of which is so many seconds late at each time; or a replay of it."""

    def __init__(
        self,
        steps: int,
        late_s: Callable[[float], float] = lambda now: 0.0,
        patience: Patience | None = None,
        recorded: RecordedDoubts | None = None,
    ) -> None:
        self.clock, self.said, self.found = HandClock(ORIGIN), list[str](), list[Feedback]()
        people = headsets(group_eeg(2, steps + 8, 0.5))
        self.patience = patience or Patience(tell=self.said.append)
        if recorded is None:
            self._live(people, late_s)
        self.engine = self._engine(people, recorded)
        session = Session(
            self.engine, self.clock, [self.found.append], threading.Event(), steps, patience=self.patience
        )
        self.made = [self.clock.time - feedback.lsl_time for feedback in session]

    def _engine(self, people: Sequence[ArraySource], recorded: RecordedDoubts | None) -> Engine:
        return Engine(people, ChannelSpace(people[0].info.channels), SETTINGS, ORIGIN, recorded=recorded)

    def _live(self, people: Sequence[ArraySource], late_s: Callable[[float], float]) -> None:
        deliver = [person.advance for person in people]
        for person in people:
            person.info = replace(person.info, origin="lsl")
            person.buffer.tells_late = True
            person.advance = lambda until: None  # type: ignore[method-assign]

        def tick(now: float) -> None:
            deliver[0](now - 0.005)
            deliver[1](now - 0.005 - late_s(now - ORIGIN))

        self.clock.on_tick = tick

    @property
    def recorded(self) -> RecordedDoubts:
        return {f.step: f.doubts for f in self.found if f.doubts}


#: How late samples always are, s.
LATE_S = (0.6, 0.8, 1.0, 2.0)


def trusted(found: Sequence[Feedback]) -> list[int]:
    return [f.step for f in found if f.trusted.any()]


@pytest.mark.parametrize("late_s", [pytest.param(s, marks=() if s in {0.6, 2.0} else pytest.mark.slow) for s in LATE_S])
def test_samples_that_are_always_late_are_waited_for(late_s: float) -> None:
    ran = Ran(70, lambda now: late_s if now > 40.0 else 0.0)
    whole = Ran(70)
    assert trusted(ran.found)[-5:] == [66, 67, 68, 69, 70]
    assert set(trusted(ran.found)) <= set(trusted(whole.found))
    for f, g in zip(ran.found, whole.found, strict=True):
        if f.trusted.any() and not f.doubts:
            np.testing.assert_allclose(f.observed, g.observed, atol=0.02)
    assert ran.made[-1] == pytest.approx(late_s + 0.06, abs=0.1), "values come that much later, and not more"
    assert max(ran.made) < MOST_S + 0.2
    assert any(f"up to {late_s:.1f} s late" in words for words in ran.said)
    withheld = [f.step for f in ran.found if f.step > 40 and not f.trusted.any()]
    assert len(withheld) < 16


def test_what_comes_in_time_is_not_waited_for_and_nothing_is_told() -> None:
    ran = Ran(30)
    assert max(ran.made) < 0.1
    assert ran.said == []
    assert ran.patience.now == PATIENCE_S


def test_a_hole_changes_nothing() -> None:
    ran = Ran(40, lambda now: max(0.0, now - 30.0) if 30.0 < now < 31.5 else 0.0)
    assert ran.patience.now <= 2.0
    never = Ran(40, lambda now: 100.0 if now > 30.0 else 0.0)
    assert never.said == []
    assert never.patience.now == PATIENCE_S


def test_patience_ends_when_samples_come_in_time_again() -> None:
    ran = Ran(110, lambda now: 1.0 if 20.0 < now < 35.0 else 0.0)
    assert ran.patience.now == PATIENCE_S
    assert "in time again" in ran.said[-1]


def test_a_patience_that_was_asked_for_holds() -> None:
    ran = Ran(45, lambda now: 1.0 if now > 25.0 else 0.0, Patience(1.5))
    assert ran.patience.now == 1.5
    assert 45 in trusted(ran.found)
    short = Ran(45, lambda now: 1.0 if now > 25.0 else 0.0, Patience(0.3))
    assert 45 not in trusted(short.found)


def test_a_replay_is_without_what_came_after_its_step() -> None:
    """Late for a while, in bursts, and by more than is waited for: each step is made again of what it was made of."""
    live = Ran(60, lambda now: 0.8 if 25 < now < 32 else float(np.clip(now % 4.7 - 3.5, 0, None)) if now > 40 else 0.0)
    lacking = [step for step, doubts in live.recorded.items() if any(d.about == "arrival" for d in doubts)]
    assert lacking, "some steps were made without samples that came afterwards"
    again, careless = Ran(60, recorded=live.recorded), Ran(60, recorded={
        step: tuple(d for d in doubts if d.about != "arrival") for step, doubts in live.recorded.items()
    })  # fmt: skip
    for f, g in zip(live.found, again.found, strict=True):
        np.testing.assert_array_equal(f.observed_each, g.observed_each)
        np.testing.assert_array_equal(f.quality, g.quality)
        np.testing.assert_array_equal(f.trusted, g.trusted)
        assert (f.reason, f.doubts) == (g.reason, g.doubts)
    assert any((f.quality != g.quality).any() for f, g in zip(live.found, careless.found, strict=True))
