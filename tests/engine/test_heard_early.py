"""What is whole before its step is due is done by then, and the step finds the very same."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from rtaffect.engine.engine import Engine
from rtaffect.engine.feedback import Feedback
from rtaffect.engine.pace import QUICK_S
from rtaffect.engine.session import EARLY_S, Session
from rtaffect.engine.timing import Timings
from rtaffect.observed.channel_quality import ChannelJudge
from rtaffect.observed.spaces import ChannelSpace
from rtaffect.predicted.prediction import Predictor
from rtaffect.predicted.sound_input import SoundInput
from rtaffect.sources.programme import ProgrammeSource
from rtaffect.stream.doubt import Doubt
from rtaffect.stream.source import StreamInfo
from tests.engine.test_early import NAMES, ORIGIN, SETTINGS, Flowing
from tests.engine.test_lateness import SlowFeaturizer
from tests.support.hand_clock import HandClock
from tests.support.helpers import brain_noise, some_weights

STEPS, COST_S = 23, 0.02
Sound = Flowing | ProgrammeSource
Recorded = Mapping[int, Sequence[Doubt]]


class Noting(Engine):
    """Lets all of them know whether a step is made."""

    stepping = False

    def step(self, now: float, **told: Any) -> Feedback:
        Noting.stepping = True
        try:
            return super().step(now, **told)
        finally:
            Noting.stepping = False


class Heard:
    """A live session of two people whose samples come as time passes, and a sound, on a clock that passes by hand."""

    def __init__(
        self,
        sound: Sound,
        sink: Callable[[HandClock, int], None] = lambda clock, step: None,
        *,
        cost_s: float = COST_S,
        rate: float = 250.0,
        clock: HandClock | None = None,
        recorded: Recorded | None = None,
        eeg: type[Flowing] = Flowing,
    ) -> None:
        rng = np.random.default_rng(3)
        info = [StreamInfo(name, "eeg", rate, NAMES, "lsl" if recorded is None else "xdf") for name in ("A", "B")]
        people = [eeg(each, 15e-6 * brain_noise(rng, round((STEPS + 12) * rate), 2, rate)) for each in info]
        self.clock = clock or HandClock(ORIGIN)
        flowing = [source for source in (*people, sound) if isinstance(source, Flowing)]

        def flow(now: float) -> None:
            for source in flowing:
                source.flow(now)

        self.clock.on_tick = flow
        #: When the featurizer was called, s of session time, and whether in a step.
        self.called: list[tuple[float, bool]] = []
        self.engine = Noting(
            people, ChannelSpace(NAMES), SETTINGS, ORIGIN, sound=sound,
            sound_input=SoundInput(sound, SlowFeaturizer(self.clock, lambda: self._call(cost_s)), ORIGIN),
            predictor=Predictor(some_weights(np.random.default_rng(1)), np.arange(2)),
            fitted_people=np.full(2, 12.0), recorded=recorded,
        )  # fmt: skip
        self.found: list[Feedback] = []
        timings = Timings()
        sinks = [self.found.append, lambda feedback: sink(self.clock, feedback.step)]
        Session(self.engine, self.clock, sinks, threading.Event(), STEPS, timings=timings).run()
        self.lags = np.array([timing.made - timing.due for timing in timings.take()])

    def _call(self, cost_s: float) -> float:
        self.called.append((self.clock.time - ORIGIN, Noting.stepping))
        return cost_s


def nothing(engine: Engine, present: Callable[[], float]) -> None:
    """Do all in the step."""


def noise(rate: float = 16_000.0) -> np.ndarray:
    return (0.1 * np.random.default_rng(5).standard_normal(round((STEPS + 8) * rate))).astype(np.float32)


def played(onset: float = ORIGIN) -> ProgrammeSource:
    programme = ProgrammeSource()
    programme.place(noise(), onset)
    return programme


def captured(samples: np.ndarray, rate: float = 16_000.0) -> Flowing:
    return Flowing(StreamInfo("sound", "audio", rate, ("mono",), "lsl"), samples[:, None])


def assert_alike(one: Sequence[Feedback], other: Sequence[Feedback], without: Sequence[str] = ()) -> None:
    assert len(one) == len(other) == STEPS
    for early, whole in zip(one, other, strict=True):
        for field in fields(Feedback):
            if field.name not in ("stage_s", "sources", *without):
                np.testing.assert_array_equal(getattr(early, field.name), getattr(whole, field.name), field.name)


def test_a_sound_that_is_played_here_is_heard_before_its_step_is_due(monkeypatch):
    early = Heard(played(), cost_s=0.2)
    due = early.engine.lookahead_s + np.arange(1, STEPS + 1)
    # The first call tells how quick the featurizer is.
    assert early.called[0] == (pytest.approx(due[0]), True)
    np.testing.assert_allclose([at for at, _ in early.called[1:]], due[1:] - EARLY_S[0], atol=1e-6)
    assert not any(in_step for _, in_step in early.called[1:])
    assert early.lags[0] == pytest.approx(0.2)
    assert early.lags[1:].max() < 1e-6
    monkeypatch.setattr(Engine, "prepare", nothing)
    whole = Heard(played(), cost_s=0.2)
    assert whole.lags.min() == pytest.approx(0.2)
    assert np.isfinite(whole.found[-1].predicted).all()
    assert_alike(early.found, whole.found)


def test_a_featurizer_for_which_a_step_would_be_behind_is_called_in_it():
    slow = Heard(played(), cost_s=1.2 * QUICK_S)
    assert all(in_step for _, in_step in slow.called)
    assert len(slow.called) == STEPS
    # As it would be without: its time is not that of others.
    np.testing.assert_allclose(slow.lags, 1.2 * QUICK_S, atol=1e-6)


def pause_and_move(programme: ProgrammeSource) -> Callable[[HandClock, int], None]:
    """Let the sound be paused after step 5 and go on elsewhere, be cut short, and be replaced."""

    def conduct(clock: HandClock, step: int) -> None:
        if step == 5:
            programme.cut(ORIGIN + 5)
        if step == 7:
            programme.place(noise()[5 * 16_000 :], ORIGIN + 8.37)
        if step == 11:
            programme.place(noise()[: 5 * 16_000 // 2], ORIGIN + 12)

    return conduct


def sleep(clock: HandClock, step: int) -> None:
    if step == 8:
        clock.pass_by(5.3)


class Late(Flowing):
    """Sound that comes .75 s late for a while: its second is not there at its step, and comes by the next one."""

    def flow(self, now: float) -> None:
        at = now - ORIGIN
        super().flow(now - 0.75 if 5.0 < at < 9.0 else now)


def torn() -> Flowing:
    samples = noise()
    samples[round(6.3 * 16_000) : round(6.4 * 16_000)] = np.nan
    return captured(samples)


def late() -> Flowing:
    return Late(StreamInfo("sound", "audio", 16_000.0, ("mono",), "lsl"), noise()[:, None])


CASES: dict[str, tuple[Callable[[], Sound], Any]] = {
    "paused, moved and replaced": (played, pause_and_move),
    "steps left out after a sleep": (played, lambda sound: sleep),
    "torn": (torn, None),
    "late": (late, None),
}


@pytest.mark.parametrize("case", CASES)
def test_the_same_is_found_whatever_becomes_of_the_sound(case, monkeypatch):
    make, sink = CASES[case]

    def session() -> Heard:
        sound = make()
        return Heard(sound, *([sink(sound)] if sink is not None else []))

    early = session()
    monkeypatch.setattr(Engine, "prepare", nothing)
    whole = session()
    assert all(in_step for _, in_step in whole.called)
    assert sum(not in_step for _, in_step in early.called) >= 4
    assert len(early.called) == len(whole.called) <= STEPS
    assert_alike(early.found, whole.found)


class Sleeper(HandClock):
    """The computer sleeps just before step 9 is due, after its second was heard."""

    def wait_until(self, deadline: float, stop: threading.Event) -> None:
        if self.time < deadline and deadline == pytest.approx(ORIGIN + 9 + 13 / 250):
            deadline += 3.0
        super().wait_until(deadline, stop)


def test_what_was_heard_early_is_dropped_where_its_step_leaves_it_out(monkeypatch):
    live = Heard(played(), clock=Sleeper(ORIGIN))
    assert sum(8 < at < 9 and not in_step for at, in_step in live.called) == 1, "second 9 was heard"
    left_out = [f.step for f in live.found if np.isnan(f.predicted).all()]
    # Until the window is past that, nothing is predicted.
    assert left_out == [1, 2, 3, *range(9, 21)]
    assert np.isfinite(live.found[7].predicted).all()
    assert np.isfinite(live.found[-1].predicted).all()
    replay = Heard(played(), recorded={f.step: f.doubts for f in live.found if f.doubts})
    assert all(in_step for _, in_step in replay.called)
    assert len(replay.called) == len(live.called) - 1
    assert_alike(live.found, replay.found)


def test_eeg_that_looks_ahead_for_less_than_the_sound_is_judged_before_the_step(monkeypatch):
    judged: list[bool] = []
    sessions: list[Heard] = []

    class Judge(ChannelJudge):
        def __call__(self, recent: np.ndarray, mains: np.ndarray) -> np.ndarray:
            judged.append(Noting.stepping)
            return super().__call__(recent, mains)

    def session() -> list[bool]:
        judged.clear()
        sessions.append(Heard(captured(noise(48_000.0), 48_000.0), rate=1000.0))
        return list(judged)

    monkeypatch.setattr("rtaffect.observed.participant.ChannelJudge", Judge)
    assert session() == 2 * STEPS * [False]
    monkeypatch.setattr(Engine, "prepare", nothing)
    assert session() == 2 * STEPS * [True]
    assert_alike(*(each.found for each in sessions))


class Delayed(Flowing):
    """What comes so much later than it is taken, s."""

    delay_s = 0.0

    def flow(self, now: float) -> None:
        super().flow(now - self.delay_s)


def test_what_comes_before_others_is_worked_on_while_the_step_waits(monkeypatch):
    """EEG is some .1 s late at each step; the sound is there before it, and after the step was due."""
    whole_at = 0.03

    def session() -> Heard:
        sound = Delayed(StreamInfo("sound", "audio", 16_000.0, ("mono",), "lsl"), noise()[:, None])
        sound.delay_s = whole_at
        return Heard(sound, rate=1000.0, eeg=Delayed, cost_s=0.05)

    monkeypatch.setattr(Delayed, "delay_s", 0.12)
    early = session()
    # 13 ms after the second the step is due, .12 s later the EEG is there.
    assert [in_step for _, in_step in early.called] == [True] + (STEPS - 1) * [False]
    for number, (at, _) in enumerate(early.called[1:], 2):
        assert number + whole_at < at < number + whole_at + 0.01
    assert early.lags[1:].max() < 0.13
    monkeypatch.setattr(Engine, "prepare", nothing)
    whole = session()
    assert all(in_step for _, in_step in whole.called)
    assert whole.lags.min() > 0.16
    assert_alike(early.found, whole.found)
