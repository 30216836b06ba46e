"""A session whose rows are ratings: what is predicted and what the participant says are of one instant of the sound."""

from __future__ import annotations

import math
import threading
from dataclasses import replace

import numpy as np
import pytest

from rtaffect.common.clock import InstantClock
from rtaffect.common.errors import SettingsError
from rtaffect.common.rating_scale import RatingScale
from rtaffect.common.settings import PredictionSettings, Settings
from rtaffect.engine.engine import Engine
from rtaffect.engine.feedback import Feedback
from rtaffect.engine.rated import Rated
from rtaffect.engine.session import Session
from rtaffect.observed.spaces import RatingSpace
from rtaffect.predicted.featurizer import features_of
from rtaffect.predicted.prediction import Predictor, components_of, lagged_design
from rtaffect.predicted.sound_input import SoundInput
from rtaffect.sources.recorded import ArraySource
from rtaffect.stream.doubt import Doubt
from rtaffect.stream.source import StreamInfo
from tests.support.helpers import BandFeaturizer, headset, some_weights, sound_source

ORIGIN, SECONDS, RATE = 1000.0, 24, 20.0
ROWS = ("arousal", "valence")
#: Ratings from 1 to 9, as late as people are.
SCALE = RatingScale(low=1.0, high=9.0, lag_s=3.0)
SETTINGS = Settings(prediction=PredictionSettings(n_components=3, lags_s=(0, 1, 3)))


def weights():
    """Weights whose predictions lie about 5, far from where a correlation can be."""
    found = some_weights(np.random.default_rng(1))
    found.intercept[:] = 5.0
    return found


def sound() -> np.ndarray:
    level = 0.02 + 0.2 * np.abs(np.sin(np.arange(SECONDS * 16_000) / 16_000 / 3))
    return (level * np.random.default_rng(9).standard_normal(SECONDS * 16_000)).astype(np.float32)


def said(seconds: float = SECONDS + 4.0, names: tuple[str, ...] = ROWS, start: float = -3.0, **holes) -> ArraySource:
    """A slider that rises by .1 a second for arousal, and stays at 7 for valence; NaN or left out in ``holes``."""
    times = start + np.arange(round((seconds - start) * RATE)) / RATE
    columns = {"arousal": 2.0 + 0.1 * times, "valence": np.full(len(times), 7.0)}
    values = np.stack([columns.get(name.lower(), np.full(len(times), 7.0)) for name in names], axis=1)
    if "until" in holes:
        values[times < holes["until"]] = np.nan
    if "beyond" in holes:
        values[times > holes["beyond"], 0] = 12.0
    return ArraySource(StreamInfo("knob", "rating", RATE, names, "simulated"), values, ORIGIN + start)


def engine(source: ArraySource | None, lag_s: float = 3.0, scale: RatingScale = SCALE, people=(), **options) -> Engine:
    heard = sound_source(sound(), onset=ORIGIN)
    return Engine(
        people,
        RatingSpace(ROWS, {person.info.name: person.info.channels for person in people}),
        SETTINGS,
        ORIGIN,
        sound=heard,
        sound_input=SoundInput(heard, BandFeaturizer(), ORIGIN),
        predictor=Predictor(weights(), np.arange(2), plain=True),
        rated=Rated(ROWS, scale, source, ORIGIN, lag_s),
        **options,
    )


def run(made: Engine, steps: int = SECONDS - 2) -> list[Feedback]:
    found: list[Feedback] = []
    Session(made, InstantClock(ORIGIN - 1), [found.append], threading.Event(), steps=steps).run()
    return found


def expected() -> np.ndarray:
    """Predictions (steps, 2) by their definition: no Fisher z."""
    w, features = weights(), features_of(sound(), BandFeaturizer())
    return lagged_design(components_of(features, w), w.lags_s) @ w.coefficients + w.intercept


def test_ratings_are_predicted_in_their_own_unit_and_without_a_mean():
    found = run(engine(None))
    assert found[0].people == ()
    assert found[0].row_kinds == ("rating", "rating")
    predicted = np.array([f.predicted for f in found])
    np.testing.assert_allclose(predicted[3:], expected()[3 : len(found)], atol=1e-9)
    assert predicted[3:].min() > 1.5, "no correlation can be so large"
    w = weights()
    np.testing.assert_allclose(found[-1].predicted_low, predicted[-1] + w.residual_low[:2])
    for f in found:
        assert math.isnan(f.predicted_mean)
        assert math.isnan(f.observed_mean)
        assert (f.rating, f.observed_against) == (SCALE, "nothing")
        assert "nobody rates" in f.reason
        assert np.isnan(f.null_low).all()
    assert found[-1].trusted.all(), "it has what it can have"


@pytest.mark.parametrize(("lag_s", "of_bundle", "waits", "back_s"), [
    (3.0, 3.0, 0, 0.0), (3.0, 0.0, 3, 0.0), (2.5, 0.0, 3, 0.5), (1.0, 3.0, 0, 2.0), (0.0, 3.0, 0, 3.0),
])  # fmt: skip
def test_what_is_compared_is_of_one_instant_of_the_sound(lag_s, of_bundle, waits, back_s):
    scale = RatingScale(low=1.0, high=9.0, lag_s=of_bundle)
    found = run(engine(said(), lag_s, scale))
    predicted = expected()
    for f in found[3 + waits :]:
        np.testing.assert_allclose(f.predicted, predicted[f.step - 1 - waits], atol=1e-9)
        # The mean of a second of a straight line, whose first sample lies at or after its begin.
        middle = f.time - back_s - 0.5
        assert f.observed[0] == pytest.approx(2.0 + 0.1 * middle, abs=0.004)
        assert f.observed[1] == pytest.approx(7.0)
        # Rated at that time, so about this instant of the sound; and so is what was predicted.
        assert f.time - back_s - lag_s == pytest.approx(f.time - waits - of_bundle)
        assert f.observed_against == "rating"
        assert f.trusted.all()
    assert all(np.isnan(f.predicted).all() for f in found[:waits])


def test_who_has_not_rated_yet_has_no_value_and_it_says_so():
    found = run(engine(said(until=10.0)))
    assert all(np.isnan(f.observed).all() and "has not rated yet" in f.reason for f in found[:9])
    assert not found[5].trusted.any()
    assert np.isfinite(found[12].observed).all()


def test_a_program_that_sends_no_number_is_not_taken_for_who_has_not_rated_yet():
    source = said(until=1e9)
    source.info = replace(source.info, origin="lsl")
    assert "or what the program of their rating sends is no number (NaN)" in run(engine(source), 6)[-1].reason


def test_a_rating_that_stops_has_no_value():
    found = run(engine(said(seconds=12.0)), steps=18)
    assert np.isfinite(found[11].observed).all()
    assert np.isnan(found[13].observed).all()
    assert not found[13].trusted.any()


def test_a_rating_on_another_scale_is_told_not_used():
    found = run(engine(said(beyond=8.0)))
    assert np.isnan(found[-1].observed[0])
    assert found[-1].observed[1] == pytest.approx(7.0)
    assert "the rating arousal is 12" in found[-1].reason
    assert "from 1 to 9" in found[-1].reason


def test_channels_are_taken_by_name_and_a_rating_may_be_of_one_alone():
    swapped = run(engine(said(names=("Valence", "Arousal"))))
    assert swapped[-1].observed[1] == pytest.approx(7.0)
    alone = run(engine(said(names=("valence",))))
    assert np.isnan(alone[-1].observed[0])
    assert alone[-1].trusted.all(), "arousal is not rated in this session"
    mistyped = engine(said(names=("valence", "arosal")))
    assert mistyped.rated is not None
    assert mistyped.rated.unmatched.startswith(
        "the rating 'knob' has no channel arousal (its arosal is none of the bundle's ratings): nothing is observed"
    )
    assert engine(said()).rated.unmatched == ""
    with pytest.raises(SettingsError, match="has the channels x, y, and the bundle's ratings are arousal, valence"):
        engine(said(names=("x", "y")))


def test_headsets_are_looked_after_beside_a_rating():
    rng = np.random.default_rng(0)
    person = headset(15e-6 * rng.standard_normal((round((SECONDS + 3) * 250), 3)), onset=ORIGIN - 3)
    found = run(engine(said(), people=[person]))
    assert found[-1].people == ("A",)
    assert found[-1].channels == ("C1", "C2", "C3")
    assert found[-1].quality.shape == (1, 3)
    np.testing.assert_array_equal(found[-1].observed_each[0], found[-1].observed)


def test_a_doubt_about_the_rating_withholds_it():
    source = said()
    source.buffer.doubts.note("stamps", ORIGIN + 9.2, ORIGIN + 9.8, "stamps are odd")
    found = run(engine(source))
    absent = [f.step for f in found if np.isnan(f.observed).all()]
    assert absent == [10]
    assert "stamps are odd" in found[9].reason


def test_what_came_too_late_for_its_step_is_too_late_in_a_replay_too():
    live, late = engine(said()), said(start=-3.0)
    before = run(live)
    # At step 9 only what came by 8.4 s was there: so it was recorded.
    told = {9: [Doubt("late-samples", ORIGIN + 8.4, math.inf, "later", "arrival", "knob")]}
    replayed = run(engine(late, recorded=told))
    assert np.isnan(replayed[8].observed).all()
    for a, b in zip(before, replayed, strict=True):
        if a.step != 9:
            np.testing.assert_array_equal(a.observed, b.observed)
