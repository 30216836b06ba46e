"""Whole sessions in instant time: what was planted is found, absent data is said to be absent, runs repeat exactly."""

from __future__ import annotations

import math
import threading

import numpy as np
import pytest

from rtaffect.common.clock import InstantClock
from rtaffect.common.errors import MontageError
from rtaffect.common.settings import PredictionSettings, Settings, SynchronySettings
from rtaffect.engine.engine import Engine
from rtaffect.engine.feedback import Feedback
from rtaffect.engine.session import Session
from rtaffect.observed.participant import Participant
from rtaffect.observed.spaces import ChannelSpace
from rtaffect.observed.synchrony import others_mean, standardise
from rtaffect.predicted.featurizer import features_of
from rtaffect.predicted.prediction import Predictor, components_of, lagged_design
from rtaffect.predicted.sound_input import SoundInput
from rtaffect.timelock.stimulus import KnownOnset
from tests.support.helpers import (
    RATE,
    BandFeaturizer,
    brain_noise,
    causally_scaled,
    headset,
    some_weights,
    sound_source,
)
from tests.support.whole_windows import observe, window_correlation

ORIGIN = 1000.0
SETTINGS = Settings(prediction=PredictionSettings(n_components=3, lags_s=(0, 1, 3)))
EEG_RATE = 250.0
LEAD = 3


def group_eeg(people: int, seconds: float, pairwise: float, rows: int = 2, seed: int = 0) -> np.ndarray:
    """EEG (people, n, rows), V, with planted synchrony, from LEAD s before the origin."""
    rng = np.random.default_rng(seed)
    n = round((LEAD + seconds) * EEG_RATE)
    shared, own = brain_noise(rng, n, rows, EEG_RATE), [brain_noise(rng, n, rows, EEG_RATE) for _ in range(people)]
    return 15e-6 * np.stack([np.sqrt(pairwise) * shared + np.sqrt(1 - pairwise) * o for o in own])


def headsets(eeg: np.ndarray) -> list:
    return [headset(e, name=f"P{i}", onset=ORIGIN - LEAD) for i, e in enumerate(eeg)]


def on_grid(eeg: np.ndarray, seconds: int, settings: Settings = SETTINGS) -> np.ndarray:
    """Each person's whole signal (people, time, rows), as one listener gives it."""
    out = []
    for source in headsets(eeg):
        listener = Participant(source, source.info.channels, settings, ORIGIN)
        pieces = []
        for step in range(1, seconds + 1):
            source.advance(ORIGIN + step + listener.lookahead_s)
            listener.advance(step)
            pieces.append(listener.window(step, 1))
        out.append(np.concatenate(pieces))
    return np.stack(out)


def run(engine: Engine, **options) -> list[Feedback]:
    found: list[Feedback] = []
    Session(engine, InstantClock(ORIGIN - 1), [found.append], threading.Event(), **options).run()
    return found


def group_engine(eeg: np.ndarray, settings: Settings = SETTINGS) -> Engine:
    people = headsets(eeg)
    return Engine(people, ChannelSpace(people[0].info.channels), settings, ORIGIN)


def hearing_engine(
    eeg: np.ndarray, sound: np.ndarray, reference: np.ndarray | None, onset: float = 0.0, context_s: int = 4
) -> Engine:
    people, heard = headsets(eeg), sound_source(sound, onset=ORIGIN + onset)
    return Engine(
        people,
        ChannelSpace(people[0].info.channels),
        SETTINGS,
        ORIGIN,
        sound=heard,
        sound_input=SoundInput(heard, BandFeaturizer(context_s=context_s), ORIGIN),
        predictor=Predictor(some_weights(np.random.default_rng(1)), np.arange(2)),
        lock=KnownOnset(onset),
        references={} if reference is None else {"": reference.astype(np.float32)},
    )


def loud_noise(seconds: float) -> np.ndarray:
    return (0.1 * np.random.default_rng(9).standard_normal(round(seconds * 16_000))).astype(np.float32)


def test_steps_are_numbered_and_timed_from_the_origin():
    found = run(group_engine(group_eeg(2, 15, 0.5)), steps=12)
    assert [f.step for f in found] == list(range(1, 13))
    assert [f.time for f in found] == [float(k) for k in range(1, 13)]
    assert [f.lsl_time for f in found] == [ORIGIN + k for k in range(1, 13)]
    assert found[0].people == ("P0", "P1")
    assert found[0].rows == ("C1", "C2")
    assert set(found[0].stage_s) == {"eeg", "features", "alignment", "prediction", "synchrony", "measures"}


def test_before_the_window_is_full_there_is_no_value_and_it_says_when():
    found = run(group_engine(group_eeg(2, 15, 0.5)), steps=11)
    for f in found[:9]:
        assert np.isnan(f.observed).all()
        assert math.isnan(f.observed_mean)
        assert f.observed_against == "nothing"
        assert f"fills in {10 - f.step} s" in f.reason
        assert not f.trusted.any()
    assert np.isfinite(found[9].observed).all()
    assert found[9].observed_against == "group"
    assert np.isnan(found[9].null_low).all()
    assert "null band waits" in found[9].reason


@pytest.mark.parametrize("people", [2, 3, 4])
def test_group_mode_is_leave_one_out_in_the_window(people):
    """The oracle: windows of whole signals, scaled over the history, and numpy's correlation."""
    eeg = group_eeg(people, 40, 0.5) * np.linspace(0.5, 2.0, people)[:, None, None]
    signals = on_grid(eeg, 38)
    found = run(group_engine(eeg), steps=38)
    for step in (10, 25, 38):
        scaled = signals[:, : step * RATE] / np.nanstd(signals[:, : step * RATE], axis=1, keepdims=True)
        window = scaled[:, (step - 10) * RATE :]
        for person in range(people):
            others = np.delete(window, person, axis=0).mean(axis=0)
            expected = [np.corrcoef(window[person, :, r], others[:, r])[0, 1] for r in range(2)]
            np.testing.assert_allclose(found[step - 1].observed_each[person], expected, atol=0.01)
        np.testing.assert_allclose(
            found[step - 1].observed, np.tanh(np.arctanh(found[step - 1].observed_each).mean(axis=0)), atol=1e-12
        )
    last = found[-1]
    scaled = causally_scaled(signals)
    oracle = observe(scaled[:, 28 * RATE :], others_mean(scaled), 28 * RATE, RATE, SETTINGS.synchrony, mutual=True)
    np.testing.assert_allclose(last.null_high, oracle.high, atol=1e-9)
    assert last.null_mean_low == pytest.approx(oracle.overall_low, abs=1e-9)
    assert (last.null_low < 0).all()
    assert (last.null_high > 0).all()
    assert (last.observed > last.null_high).all(), "a pairwise correlation of .5 stands out"
    assert last.reason == "no sound to predict from"


def test_a_person_without_data_does_not_spoil_the_others():
    eeg = group_eeg(4, 40, 0.3)
    eeg[2] = np.nan
    with_absent = run(group_engine(eeg), steps=36)[-1]
    without = run(group_engine(eeg[[0, 1, 3]]), steps=36)[-1]
    np.testing.assert_allclose(with_absent.observed_each[[0, 1, 3]], without.observed_each, atol=1e-12)
    np.testing.assert_allclose(with_absent.observed, without.observed, atol=1e-12)
    np.testing.assert_allclose(with_absent.null_high, without.null_high, atol=1e-12)
    assert np.isnan(with_absent.observed_each[2]).all()
    np.testing.assert_array_equal(with_absent.quality[2], 0.0)
    np.testing.assert_array_equal(with_absent.quality[0], 1.0)


def test_one_headset_alone_has_nothing_to_be_compared_with():
    found = run(group_engine(group_eeg(1, 14, 0.5)), steps=12)
    assert "nothing to compare with" in found[-1].reason
    assert np.isnan(found[-1].observed).all()
    assert found[-1].observed_against == "nothing"


def test_without_any_data_each_step_says_so():
    nothing = np.full((2, round(33 * EEG_RATE), 2), np.nan)
    found = run(hearing_engine(nothing, np.full(30 * 16_000, np.nan, np.float32), np.zeros((6000, 2))), steps=20)
    assert len(found) == 20
    for f in found:
        for value in (f.predicted, f.observed, f.observed_each, f.null_low, f.predicted_mean, f.observed_mean):
            assert np.isnan(value).all()
        assert "prediction waits" in f.reason
        assert not f.trusted.any()
        np.testing.assert_array_equal(f.quality, 0.0)
    assert "too little good EEG" in found[-1].reason


@pytest.mark.parametrize("onset", [0.0, 4.0])
def test_a_reference_finds_the_planted_signal(onset):
    """The oracle: correlation of the person's signal with the reference's rows under the window."""
    eeg = group_eeg(8, 60, 0.3)
    signals = on_grid(eeg, 58)
    reference = np.nan_to_num(standardise(signals[1:]).mean(axis=0))[round(onset * RATE) :]
    found = run(hearing_engine(eeg[:1], loud_noise(60), reference, onset), steps=58)
    first = round(10 + onset)
    for f in found[9 : first - 1]:
        assert f.observed_against == "nothing"
        assert "not inside the sound" in f.reason
    seen = []
    for step in range(first, 59):
        f = found[step - 1]
        assert f.observed_against == "reference"
        at = slice((step - 10) * RATE, step * RATE)
        beneath = slice(at.start - round(onset * RATE), at.stop - round(onset * RATE))
        expected = window_correlation(signals[0, at], reference[beneath])
        np.testing.assert_allclose(f.observed, expected, atol=1e-6)
        assert (f.null_low < f.null_high).all()
        seen.append(f.observed)
    closed_form = 0.3 / np.sqrt(0.3 + 0.7 / 7)
    assert np.mean(seen) == pytest.approx(closed_form, abs=0.06)
    assert (np.array(seen) > [f.null_high for f in found[first - 1 :]]).mean() > 0.9
    assert found[-1].reason == ""
    assert found[-1].trusted.all()


def test_after_the_reference_ends_there_is_no_value():
    eeg = group_eeg(1, 40, 0.5)
    reference = brain_noise(np.random.default_rng(0), 25 * RATE, 2)
    found = run(hearing_engine(eeg, loud_noise(38), reference), steps=30)
    assert np.isfinite(found[24].observed).all()
    for f in found[25:]:
        assert np.isnan(f.observed).all()
        assert "not inside the sound" in f.reason
        assert np.isfinite(f.predicted).all(), "prediction goes on"


def test_prediction_is_the_batch_of_the_features():
    sound = loud_noise(30) * np.repeat(np.random.default_rng(2).uniform(0.1, 1, 60), 8000).astype(np.float32)
    found = run(hearing_engine(group_eeg(1, 40, 0.5), sound, None), steps=20)
    weights = some_weights(np.random.default_rng(1))
    components = components_of(features_of(sound, BandFeaturizer()).astype(np.float64), weights)
    expected = np.tanh(lagged_design(components, weights.lags_s) @ weights.coefficients + weights.intercept)
    np.testing.assert_allclose([f.predicted for f in found], expected[:20], atol=1e-4)
    assert np.std(expected[3:], axis=0).min() > 1e-3, "the prediction must move for this to mean anything"


def test_until_the_featurizer_has_heard_its_context_the_step_says_so():
    """At the start and after a gap in the sound, but for the steps that have no prediction because a lag is missing."""
    sound = loud_noise(30)
    sound[round(12.3 * 16_000) : round(12.6 * 16_000)] = np.nan
    found = run(hearing_engine(group_eeg(1, 40, 0.5), sound, None, context_s=6), steps=24)
    warming = "the featurizer has not heard a whole context yet"
    waiting = "prediction waits for enough sound without a gap"
    assert [f.step for f in found if warming in f.reason] == [4, 5, 15, 17, 18]
    assert [f.step for f in found if waiting in f.reason] == [1, 2, 3, 13, 14, 16]
    assert all(np.isnan(f.predicted).all() == (waiting in f.reason) for f in found)


def test_two_runs_are_equal_bit_for_bit():
    def once() -> list[Feedback]:
        eeg = group_eeg(2, 45, 0.3)
        eeg[0, 5000:5100, 0] = np.nan
        return run(hearing_engine(eeg, loud_noise(45), brain_noise(np.random.default_rng(0), 4000, 2)), steps=40)

    one, other = once(), once()
    assert len(one) == 40
    assert one == other
    eeg = group_eeg(2, 45, 0.3, seed=1)
    another = run(hearing_engine(eeg, loud_noise(45), brain_noise(np.random.default_rng(0), 4000, 2)), steps=40)
    assert one != another


def test_how_samples_arrive_does_not_matter():
    """Advanced exactly when due; in odd small pieces; and far ahead of the engine."""

    def make() -> Engine:
        return hearing_engine(group_eeg(2, 45, 0.3), loud_noise(45), brain_noise(np.random.default_rng(0), 4000, 2))

    expected = run(make(), steps=35)

    small, found = make(), []
    rng, at = np.random.default_rng(3), ORIGIN - LEAD
    for step in range(1, 36):
        due = small.end_of(step) + small.lookahead_s
        while at < due:
            at = min(due, at + rng.uniform(0.001, 0.4))
            for source in small.sources:
                source.advance(at)
        found.append(small.step(due))
    same_values(found, expected)

    ahead, found = make(), []
    for step in range(1, 36):
        due = ahead.end_of(step) + ahead.lookahead_s
        for source in ahead.sources:
            source.advance(due + 7.3)
        found.append(ahead.step(due))
    same_values(found, expected)


def same_values(found: list[Feedback], expected: list[Feedback]) -> None:
    """All but the health of sources, which tells how much has come by then."""
    names = ("observed", "observed_each", "null_low", "null_high", "predicted", "predicted_low", "quality", "trusted")
    for a, b in zip(found, expected, strict=True):
        for name in names:
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=f"{name} at step {a.step}")
        assert (a.step, a.reason, a.observed_against) == (b.step, b.reason, b.observed_against)


def test_headsets_of_other_rates_meet_on_the_grid():
    """Two people who hear the same, one at 250 and one at 256 Hz that started 1.7 ms later."""
    rng = np.random.default_rng(4)
    frequency, phase = rng.uniform(1.5, 25, 80), rng.uniform(0, 2 * np.pi, 80)

    def source(name: str, rate: float, start: float):
        stamps = start + np.arange(round(40 * rate)) / rate
        wave = np.sin(2 * np.pi * frequency * stamps[:, None] + phase).sum(axis=1)
        return headset(2e-6 * wave[:, None], name=name, rate=rate, onset=start)

    people = [source("a", 250.0, ORIGIN - LEAD), source("b", 256.0, ORIGIN - LEAD + 0.0017)]
    found = run(Engine(people, ChannelSpace(("C1",)), SETTINGS, ORIGIN), steps=30)
    assert found[-1].observed[0] > 0.99


def test_rows_must_be_channels_of_every_headset():
    people = headsets(group_eeg(2, 5, 0.5))
    with pytest.raises(MontageError, match="'P0' has no channel Oz"):
        Engine(people, ChannelSpace(("C1", "Oz")), SETTINGS, ORIGIN)


def test_a_session_ends_with_its_sources():
    found = run(group_engine(group_eeg(2, 15, 0.5)))
    assert 14 <= len(found) <= 15
    assert np.isfinite(found[-1].observed).all()


def test_a_session_ends_after_its_steps_and_reports_their_number():
    engine = group_engine(group_eeg(2, 15, 0.5))
    found: list[Feedback] = []
    assert Session(engine, InstantClock(ORIGIN), [found.append], threading.Event(), steps=4).run() == 4
    assert len(found) == 4


def test_a_session_can_be_read_step_by_step():
    found = []
    session = Session(group_engine(group_eeg(2, 15, 0.5)), InstantClock(ORIGIN), [found.append], threading.Event())
    for number, feedback in enumerate(session, start=1):
        assert found[number - 1] is feedback
        assert len(found) == number
        if number == 3:
            break
    assert len(found) == 3


def test_stop_ends_a_session_after_the_present_step():
    stop, found = threading.Event(), []

    def sink(feedback: Feedback) -> None:
        found.append(feedback)
        if feedback.step == 5:
            stop.set()

    assert Session(group_engine(group_eeg(2, 15, 0.5)), InstantClock(ORIGIN), [sink], stop).run() == 5
    assert len(found) == 5


class Watched:
    """A source that notes how it is started and stopped."""

    def __init__(self, source, log: list[str], *, broken: bool = False) -> None:
        self._source, self._log, self._broken = source, log, broken
        self.info, self.buffer, self.advance, self.status = source.info, source.buffer, source.advance, source.status

    def start(self) -> None:
        self._log.append(f"start {self.info.name}")
        if self._broken:
            raise RuntimeError("no such device")

    def stop(self) -> None:
        self._log.append(f"stop {self.info.name}")


def test_every_sink_gets_every_feedback_in_order():
    one, two = [], []
    engine = group_engine(group_eeg(2, 15, 0.5))
    Session(engine, InstantClock(ORIGIN), [one.append, lambda f: two.append((len(one), f))], threading.Event(), 6).run()
    assert [f.step for f in one] == [1, 2, 3, 4, 5, 6]
    assert [n for n, _ in two] == [1, 2, 3, 4, 5, 6], "the sinks take turns"
    assert all(a is b for a, (_, b) in zip(one, two, strict=True))


def test_sources_are_stopped_even_when_a_sink_raises():
    log: list[str] = []
    people = [Watched(p, log) for p in headsets(group_eeg(2, 15, 0.5))]

    def sink(feedback: Feedback) -> None:
        log.append(f"step {feedback.step}")
        if feedback.step == 2:
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        Session(
            Engine(people, ChannelSpace(("C1",)), SETTINGS, ORIGIN), InstantClock(ORIGIN), [sink], threading.Event()
        ).run()
    assert log == ["start P0", "start P1", "step 1", "step 2", "stop P1", "stop P0"]


def test_sources_are_stopped_when_a_later_one_does_not_start():
    log: list[str] = []
    one, two = headsets(group_eeg(2, 15, 0.5))
    people = [Watched(one, log), Watched(two, log, broken=True)]
    with pytest.raises(RuntimeError, match="no such device"):
        Session(
            Engine(people, ChannelSpace(("C1",)), SETTINGS, ORIGIN), InstantClock(ORIGIN), [], threading.Event()
        ).run()
    assert "stop P0" in log
    assert "stop P1" in log


def test_the_null_of_a_group_reaches_as_far_back_as_it_says():
    """What came before the history, of the windows and of the scale that people had in them, does not matter."""
    settings = SETTINGS.model_copy(update={"synchrony": SynchronySettings(null_history_s=35)})
    eeg = group_eeg(2, 85, 0.3)
    changed = eeg.copy()
    changed[:, : round((LEAD + 8) * EEG_RATE)] *= -0.5
    one, other = run(group_engine(eeg, settings), steps=82), run(group_engine(changed, settings), steps=82)
    np.testing.assert_allclose(one[81].null_high, other[81].null_high, atol=1e-6)
    assert np.abs(one[34].null_high - other[34].null_high).max() > 1e-4


def test_unrelated_people_are_mostly_inside_their_null_band():
    """Two people without synchrony, 8 rows, 5 windows that do not overlap: 40 draws at 5 %; 8 or more is 1 in 1000."""
    found = run(group_engine(group_eeg(2, 100, 0.0, rows=8, seed=3)), steps=95)
    steps = [found[k - 1] for k in (50, 60, 70, 80, 90)]
    assert sum(((f.observed < f.null_low) | (f.observed > f.null_high)).sum() for f in steps) < 8


@pytest.mark.parametrize(
    ("factor", "said"), [(1e6, "1e+01 V"), (1e-6, "1e-11 V"), (1e3, "0.01 V"), (1.0, ""), (0.0, "")]
)
def test_a_unit_that_cannot_be_right_is_told(factor, said):
    eeg = group_eeg(2, 20, 0.5)
    eeg[1] *= factor
    last = run(group_engine(eeg), steps=15)[-1]
    assert (f"P1: the EEG's amplitude is {said}" in last.reason) == bool(said)
    assert ("--unit" in last.reason) == bool(said)
    assert "P0: " not in last.reason
