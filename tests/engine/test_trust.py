"""Trust is decided in one place: what is in doubt is withheld, with its reason, as long as the window holds it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from rtaffect.engine.engine import Engine
from rtaffect.engine.feedback import Feedback
from rtaffect.engine.trust import judge
from rtaffect.observed.spaces import ChannelSpace, RegionSpace
from rtaffect.stream.doubt import REASONS, Doubt
from rtaffect.stream.status import SourceStatus
from tests.engine.test_engine import ORIGIN, SETTINGS, group_eeg, headsets, hearing_engine, loud_noise
from tests.support.head_models import small_operator
from tests.support.helpers import RATE, headset

WINDOW = SETTINGS.synchrony.window_s
PEOPLE = ("P0", "P1", "P2")


def used(*missing: tuple[int, int]) -> np.ndarray:
    seconds = np.ones((3, WINDOW), bool)
    seconds[:, -1] = False
    for person, second in missing:
        seconds[person, second] = False
    return seconds


def told(reason: str, since: float, until: float, about: str = "person", part: str = "P1") -> Doubt:
    return Doubt(reason, since, until, reason, about, part)


def test_the_newest_second_in_doubt_is_missing_and_its_person_withheld():
    trust = judge([told("clock-unknown", 99.5, math.inf)], PEOPLE, used(), 100.0, 0.0)
    assert trust.missing.tolist() == trust.withheld.tolist() == [False, True, False]
    assert not trust.foreign.any()
    assert trust.prediction
    assert trust.reference
    assert trust.reasons == ["P1: clock-unknown"]


def test_a_second_found_out_after_it_was_used_withholds_until_the_window_is_past_it():
    doubt = told("clock-jump", 95.2, 96.4)
    trust = judge([doubt], PEOPLE, used(), 100.0, 0.0)
    assert not trust.missing.any()
    assert trust.withheld.tolist() == [False, True, False]
    assert np.flatnonzero(trust.foreign[1]).tolist() == [5, 6]
    assert judge([doubt], PEOPLE, used(), 106.0, 0.0).withheld[1]
    assert not judge([doubt], PEOPLE, used(), 107.0, 0.0).withheld.any()


def test_what_is_often_in_doubt_is_not_relied_on_in_between():
    doubts = [told("stamps", 90.2 + 2 * k, 90.4 + 2 * k) for k in range(3)]
    missing = used((1, 0), (1, 2), (1, 4))
    assert judge(doubts, PEOPLE, missing, 100.0, 0.0).withheld.tolist() == [False, True, False]
    assert not judge(doubts[:2], PEOPLE, missing, 100.0, 0.0).withheld.any()


def test_a_second_that_was_not_used_is_merely_missing():
    trust = judge([told("clock-unknown", 95.2, 96.4)], PEOPLE, used((1, 5), (1, 6)), 100.0, 0.0)
    assert not trust.withheld.any()
    assert not trust.foreign.any()


@pytest.mark.parametrize(("about", "prediction", "reference", "late"), [
    ("sound", False, True, False), ("place", False, False, False), ("stimulus", True, False, False),
    ("step", True, True, True),
])  # fmt: skip
def test_what_is_withheld_depends_on_what_the_doubt_is_about(about, prediction, reference, late):
    trust = judge([told("player-late", 91.0, 92.0, about, "")], PEOPLE, used(), 100.0, 4.0)
    assert (trust.prediction, trust.reference, trust.late) == (prediction, reference, late)
    assert not trust.withheld.any()


def test_a_prediction_rests_on_as_much_sound_as_its_lags_reach():
    doubt = told("player-late", 80.0, 81.0, "sound", "")
    assert judge([doubt], PEOPLE, used(), 100.0, 15.0).prediction
    assert not judge([doubt], PEOPLE, used(), 100.0, 20.0).prediction


def steps(engine: Engine, count: int, before=lambda step: None, late: float = 0.0) -> list[Feedback]:
    found = []
    for step in range(1, count + 1):
        until = engine.end_of(step) + engine.lookahead_s
        for source in engine.sources:
            source.advance(until)
        before(step)
        found.append(engine.step(until + late))
    return found


def group(people: int, **options) -> Engine:
    sources = headsets(group_eeg(people, 40, 0.5))
    return Engine(sources, ChannelSpace(sources[0].info.channels), SETTINGS, ORIGIN, **options)


def test_in_a_group_the_others_go_on_without_what_was_in_doubt():
    whole = steps(group(4), 38)
    engine = group(4)

    def jump(step: int) -> None:
        if step == 26:
            engine.sources[1].buffer.doubts.note("clock-jump", ORIGIN + 24.2, ORIGIN + 25.0, "its clock was set")

    found = steps(engine, 38, jump)
    assert found[-1].trusted.all()
    for f, full in zip(found, whole, strict=True):
        in_doubt = 26 <= f.step < 35
        assert np.isnan(f.observed_each[1]).all() == (in_doubt or f.step < WINDOW)
        if f.step >= WINDOW:
            assert np.isfinite(f.observed_each[[0, 2, 3]]).all()
            assert f.trusted.all() == full.trusted.all()
            assert np.allclose(f.observed_each[0], full.observed_each[0], atol=1e-12) != in_doubt
        assert ("P1: its clock was set" in f.reason) == in_doubt


def test_two_people_of_whom_one_is_in_doubt_have_no_value():
    engine = group(2)

    def stall(step: int) -> None:
        if step == 15:
            engine.sources[1].buffer.doubts.begin("stamps", ORIGIN + 14.5, "stamps stand still")
        if step == 20:
            engine.sources[1].buffer.doubts.end("stamps", ORIGIN + 19.5)

    found = steps(engine, 30, stall)
    for f in found[9:]:
        # Six seconds are in doubt: until no more than two of them are in the window.
        withheld = 15 <= f.step < 28
        assert ("fewer than two headsets" in f.reason) == withheld
        assert np.isnan(f.observed).all() == withheld


@pytest.mark.parametrize("state", ["stalled", "lost", "duplicate", "wrong-rate"])
def test_a_source_that_is_unsure_of_itself_is_withheld_in_that_very_step(state, monkeypatch):
    engine = group(3)
    honest = engine.sources[2].status

    def status(now: float) -> SourceStatus:
        return replace(honest(now), state=state if ORIGIN + 15 < now < ORIGIN + 16 else "ok", message="look at it")

    monkeypatch.setattr(engine.sources[2], "status", status)
    found = steps(engine, 20)
    for f in found[9:]:
        assert np.isnan(f.observed_each[2]).all() == (f.step == 15)
        assert np.isfinite(f.observed_each[:2]).all()
        assert ("P2: look at it" in f.reason) == (f.step == 15)
        assert [d.reason for d in f.doubts] == ([state] if f.step == 15 else [])


def test_a_late_step_keeps_its_values_but_is_not_trusted():
    late = steps(group(2), 12, late=1.5)[-1]
    assert np.isfinite(late.observed).all()
    assert not late.trusted.any()
    assert "1.5 s too late" in late.reason
    assert not any(d.reason == "late" for f in steps(group(2, late_s=2.0), 12, late=1.5) for d in f.doubts)


def test_where_the_sound_is_heard_at_another_time_nothing_that_rests_on_it_is_shown():
    eeg, sound = group_eeg(1, 40, 0.5), loud_noise(40)
    engine = hearing_engine(eeg, sound, np.random.default_rng(3).standard_normal((40 * RATE, 2)))

    def torn(step: int) -> None:
        if step == 21:
            engine.place.note("player-torn", ORIGIN + 20.2, ORIGIN + 20.4, "50 ms were not played")

    for f in steps(engine, 35, torn)[14:]:
        withheld = 21 <= f.step < 31
        assert np.isnan(f.observed).all() == np.isnan(f.predicted).all() == withheld
        assert ("50 ms were not played" in f.reason) == withheld


def test_a_replay_withholds_what_the_session_withheld():
    recorded = {36: (told("lost", ORIGIN + 36, math.inf),), 37: (Doubt("late", ORIGIN + 37, math.inf, "late", "step"),)}
    found = steps(group(3, recorded=recorded), 38, late=5.0)
    assert [f.step for f in found if f.doubts] == [36, 37]
    assert np.isnan(found[35].observed_each[1]).all()
    assert [f.trusted.all() for f in found[34:]] == [True, True, False, True]


def test_every_reason_says_what_it_means():
    assert all(reason.meaning and reason.ends for reason in REASONS.values())


def test_a_headset_that_has_not_come_yet_does_not_withhold_the_others():
    space = RegionSpace(small_operator())
    eeg = group_eeg(3, 20, 0.1, rows=len(space.channels))
    onsets = (ORIGIN - 3, ORIGIN - 3, ORIGIN + 1000)
    people = [
        headset(each, name=f"P{i}", onset=onset, channels=space.channels)
        for i, (each, onset) in enumerate(zip(eeg, onsets, strict=True))
    ]
    last = steps(Engine(people, space, SETTINGS, ORIGIN), 14)[-1]
    assert "of the channels are good" not in last.reason
    assert np.isfinite(last.observed_each[:2]).any()
    assert np.isnan(last.observed_each[2]).all()
    assert last.quality[2].max() == 0
