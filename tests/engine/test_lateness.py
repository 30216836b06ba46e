"""Steps that come late: told, never trusted, with a bound, and the same in a replay."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rtaffect.engine.engine import Engine
from rtaffect.engine.feedback import Feedback
from rtaffect.engine.pace import FIRST_REST_S
from rtaffect.engine.session import Session
from rtaffect.engine.timing import StepTiming, Timings
from rtaffect.observed.spaces import ChannelSpace
from rtaffect.predicted.prediction import Predictor
from rtaffect.predicted.sound_input import SoundInput
from rtaffect.protocol.arms import Real
from rtaffect.protocol.conductor import Conductor
from rtaffect.protocol.protocol_step import Shown
from rtaffect.protocol.reading import read_protocol
from rtaffect.stream.doubt import Doubt
from tests.engine.test_engine import ORIGIN, SETTINGS, group_eeg, headsets, loud_noise
from tests.support.hand_clock import HandClock
from tests.support.helpers import BandFeaturizer, BandStream, some_weights, sound_source

LATE = "late"


class SlowFeaturizer(BandFeaturizer):
    """Takes ``cost_s`` of the clock's time for each second, and counts them."""

    def __init__(self, clock: HandClock, cost_s: Callable[[], float]) -> None:
        super().__init__()
        self.clock, self.cost_s, self.calls = clock, cost_s, 0

    def stream(self) -> BandStream:
        parent = self

        class Slow(BandStream):
            def step(self, second: np.ndarray) -> np.ndarray:
                parent.calls += 1
                parent.clock.pass_by(parent.cost_s())
                return super().step(second)

        return Slow(self.size, self.context_s)


class Late:
    """A session of two headsets and a sound on a clock that passes by hand."""

    def __init__(
        self,
        steps: int,
        cost_s: Callable[[float], float] = lambda now: 0.0,
        hiccups: dict[int, float] | None = None,
        recorded: dict[int, tuple[Doubt, ...]] | None = None,
    ) -> None:
        self.clock = HandClock(ORIGIN)
        self.featurizer = SlowFeaturizer(self.clock, lambda: cost_s(self.clock.time - ORIGIN))
        people, heard = headsets(group_eeg(2, steps + 5, 0.5)), sound_source(loud_noise(steps + 5), onset=ORIGIN)
        self.engine = Engine(
            people,
            ChannelSpace(people[0].info.channels),
            SETTINGS,
            ORIGIN,
            sound=heard,
            sound_input=SoundInput(heard, self.featurizer, ORIGIN),
            predictor=Predictor(some_weights(np.random.default_rng(1)), np.arange(2)),
            fitted_people=np.full(2, 12.0),
            recorded=recorded,
        )
        self.found: list[Feedback] = []
        self.timings = Timings()

        def hiccup(feedback: Feedback) -> None:
            self.clock.pass_by((hiccups or {}).get(feedback.step, 0.0))

        sinks = [self.found.append, hiccup]
        Session(self.engine, self.clock, sinks, threading.Event(), steps, timings=self.timings).run()
        self.times = self.timings.take()

    def with_reason(self, reason: str) -> list[int]:
        return [f.step for f in self.found if any(d.reason == reason for d in f.doubts)]


def test_a_featurizer_slower_than_a_step_has_a_bounded_lag_and_keeps_the_observed():
    session = Late(100, lambda now: 1.2)
    lag = np.array([t.made - t.due for t in session.times])
    assert len(lag) == 100
    assert lag.max() < 3.0, "without a bound it is 20 s"
    late = session.with_reason(LATE)
    assert 0 < len(late) < 20
    assert set(late) == {t.step for t in session.times if t.made - t.due > 1.0}
    assert not any(f.trusted.any() for f in session.found if f.step in late)
    behind = session.with_reason("behind")
    assert len(behind) > 70
    for f in session.found[30:]:
        assert np.isfinite(f.observed).all()
        assert f.step not in behind or np.isnan(f.predicted).all()
    said = next(f for f in session.found if f.step == behind[-1])
    assert "sound: computing is behind: the featurizer" in said.reason
    assert all(d.about == "sound" for f in session.found for d in f.doubts if d.reason == "behind")


def test_a_featurizer_that_was_slow_for_a_while_predicts_again():
    session = Late(80, lambda now: 1.2 if 20 < now < 25 else 0.3)
    assert session.featurizer.calls < 80 - FIRST_REST_S + 1
    assert np.isfinite(session.found[-1].predicted).all()
    assert session.found[-1].trusted.all()
    assert session.found[-1].doubts == ()


def test_a_replay_leaves_out_the_same_seconds():
    live = Late(60, lambda now: 1.2, hiccups={40: 6.0})
    again = Late(60, recorded={f.step: f.doubts for f in live.found if f.doubts})
    assert live.featurizer.calls == again.featurizer.calls < 40
    for f, g in zip(live.found, again.found, strict=True):
        np.testing.assert_array_equal(f.predicted, g.predicted)
        np.testing.assert_array_equal(f.observed, g.observed)
        np.testing.assert_array_equal(f.trusted, g.trusted)
        assert (f.reason, f.doubts) == (g.reason, g.doubts)


def test_after_a_hiccup_late_steps_are_told_and_never_shown(tmp_path):
    session = Late(60, lambda now: 0.2, hiccups={40: 5.0})
    late = session.with_reason(LATE)
    assert late == [41, 42, 43, 44], "those that were made more than a second after they could be"
    for f in session.found[20:]:
        assert np.isfinite(f.observed).all(), "they keep their values"
        assert f.trusted.any() <= (f.step not in late)
    assert all(f.trusted.all() for f in session.found[35:40] + session.found[58:])
    shown = conducted(session.found, tmp_path)
    assert [s for s in late if shown[s].level is not None] == []
    assert all("too late" in shown[s].reason for s in late)
    assert shown[40].level is not None


PROTOCOL = """
format = 1
name = "Now"
[feedback]
scale = "fixed"
low = -1.0
high = 1.0
[[block]]
kind = "feedback"
name = "Now"
duration_s = 60
start = "auto"
"""


def conducted(found: list[Feedback], folder: Path) -> dict[int, Shown]:
    (folder / "now.toml").write_text(PROTOCOL, encoding="utf-8")
    conductor = Conductor(read_protocol(folder / "now.toml"), Real(), SETTINGS.synchrony.window_s)
    return {f.step: conductor.step(f).shown for f in found}


def test_a_minute_of_sleep_is_no_backlog_of_a_minute():
    session = Late(120, lambda now: 0.5, hiccups={30: 60.0})
    assert [f.step for f in session.found] == list(range(1, 121)), "every step is in the tables"
    assert session.with_reason(LATE) == list(range(31, 31 + 59))
    made = {t.step: t.made - ORIGIN for t in session.times}
    assert made[90] - made[31] < 2.0, "late steps take no time for what nobody sees"
    assert max(t.made - t.due for t in session.times[92:]) < 1.0
    assert all(np.isfinite(f.observed).all() for f in session.found[30:]), "what came late is used"


def test_what_was_sent_while_nothing_ran_is_waited_for_once():
    """Samples of a live source that arrive after the process wakes, as a network's thread delivers them."""
    clock = HandClock(ORIGIN)
    people = headsets(group_eeg(2, 60, 0.5))
    engine = Engine(people, ChannelSpace(people[0].info.channels), SETTINGS, ORIGIN)
    found: list[Feedback] = []
    asleep, delivered = [False], [ORIGIN]

    def deliver(now: float) -> None:
        if not asleep[0]:
            delivered[0] = now
            for person in people:
                arrive[id(person)](now)

    arrive = {id(person): person.advance for person in people}
    for person in people:
        person.info = replace(person.info, origin="lsl")
        person.advance = lambda until: None
    clock.on_tick = deliver

    def sleep(feedback: Feedback) -> None:
        if feedback.step == 20:
            asleep[0] = True
            clock.pass_by(20.0)
            # The thread that delivers wakes a little later than the one that makes steps.
            clock.on_tick = lambda now: deliver(now) if now > woke + 0.1 else None
            woke = clock.time
            asleep[0] = False

    Session(engine, clock, [found.append, sleep], threading.Event(), 50).run()
    assert all(np.isfinite(f.observed).all() for f in found[12:])
    assert not any(s.gaps or s.overruns for s in found[-1].sources)


@pytest.mark.parametrize(("limit", "told"), [(1.0, True), (2.0, False)])
def test_the_limit_is_a_setting(limit, told):
    people = headsets(group_eeg(2, 20, 0.5))
    engine = Engine(people, ChannelSpace(people[0].info.channels), SETTINGS, ORIGIN, late_s=limit)
    feedback = engine.step(engine.end_of(1) + engine.lookahead_s, present=lambda: engine.end_of(1) + 1.5)
    assert [d.reason for d in feedback.doubts if d.about != "arrival"] == (["late"] if told else [])


def test_times_of_a_step_are_counted_from_its_windows_end():
    session = Late(12, lambda now: 0.25)
    t = session.times[-1]
    assert (t.step, t.end) == (12, ORIGIN + 12)
    assert t.begun - t.due == pytest.approx(0.0)
    assert t.made - t.begun == pytest.approx(0.25)
    assert -0.2 < t.eeg_age_s < 0.1
    timings = Timings()
    timings.add(StepTiming(7, 107.0, 107.1, 107.1, 107.2))
    timings.add(StepTiming(8, 108.0, 108.1, 108.1, 108.2))
    assert timings.note("lsl", 7, 107.25) == pytest.approx(0.25)
    assert math.isnan(timings.note("lsl", 7, 109.0)), "only the first time counts"
    assert math.isnan(timings.note("lsl", 99, 109.0))
    assert [t.step for t in timings.take(before=8)] == [7]
    assert [t.step for t in timings.take()] == [8]
