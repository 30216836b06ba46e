"""Predictions of voice and background in whole steps: those of calibration's arithmetic, and the same each time."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from rtaffect.common.clock import InstantClock
from rtaffect.common.settings import PredictionSettings, Settings
from rtaffect.engine.element_stage import DOUBTFUL, NOT_RELIED, WAITS, ElementStage
from rtaffect.engine.engine import Engine
from rtaffect.engine.feedback import Feedback
from rtaffect.engine.session import Session
from rtaffect.observed.spaces import ChannelSpace
from rtaffect.predicted.element_input import NO_PLACE, ElementInput, KnownParts, StreamedParts
from rtaffect.predicted.elements import separator_for
from rtaffect.predicted.featurizer import features_of
from rtaffect.predicted.prediction import Predictor, Weights, components_of, lagged_design
from rtaffect.predicted.separator import Elements, Separator
from rtaffect.predicted.sound_input import SoundInput
from rtaffect.timelock.alignment import Alignment
from rtaffect.timelock.stimulus import KnownOnset
from tests.support.helpers import BandFeaturizer, brain_noise, headset, some_weights, sound_source

ORIGIN, RATE, STEPS = 1000.0, 16_000, 14
SETTINGS = Settings(prediction=PredictionSettings(n_components=3, lags_s=(0, 1, 3)))
WEIGHTS = {name: some_weights(np.random.default_rng(seed)) for seed, name in enumerate(("voice", "background"), 5)}


def parts(silent_from: int = STEPS) -> Elements:
    rng = np.random.default_rng(3)
    voice, background = ((0.1 * rng.standard_normal(STEPS * RATE)).astype(np.float32) for _ in range(2))
    voice[silent_from * RATE :] = 0
    return Elements(voice + background, voice, background)


def engine_of(
    known: Elements, *, separator: Separator | None = None, lock: object | None = None, people: int = 1
) -> Engine:
    rng, ahead = np.random.default_rng(0), separator.manifest.lookahead if separator else 0
    eeg = [15e-6 * brain_noise(rng, (STEPS + 4) * 250, 2, 250.0) for _ in range(people)]
    worn = [headset(e, name=f"P{i}", onset=ORIGIN - 3) for i, e in enumerate(eeg)]
    heard = sound_source(known.mix, onset=ORIGIN)
    sound = SoundInput(heard, BandFeaturizer(context_s=4), ORIGIN, ahead)
    taken = KnownParts({"": known}) if separator is None else StreamedParts(separator, sound)
    made = {name: Predictor(weights, np.arange(2)) for name, weights in WEIGHTS.items()}
    found = ElementInput(taken, BandFeaturizer(context_s=4), {name: each.memory_s for name, each in made.items()})
    return Engine(
        worn, ChannelSpace(worn[0].info.channels), SETTINGS, ORIGIN, sound=heard, sound_input=sound,
        predictor=Predictor(some_weights(np.random.default_rng(1)), np.arange(2)), lock=lock or KnownOnset(0.0),
        elements=ElementStage(found, made, 2, known=separator is None),
    )  # fmt: skip


def run(engine: Engine, steps: int = STEPS) -> list[Feedback]:
    found: list[Feedback] = []
    Session(engine, InstantClock(ORIGIN - 1), [found.append], threading.Event(), steps=steps).run()
    return found


def expected(sound: np.ndarray, weights: Weights) -> np.ndarray:
    """Correlations (steps, R) as calibration predicts them from a whole sound."""
    features = features_of(sound, BandFeaturizer(context_s=4)).astype(np.float64)
    design = lagged_design(components_of(features, weights), weights.lags_s)
    return np.tanh(design @ weights.coefficients + weights.intercept)


def test_each_element_predicts_what_calibration_would_from_it():
    known = parts()
    found = run(engine_of(known))
    for number, name in enumerate(("voice", "background")):
        got = np.array([f.elements[number].predicted for f in found])
        np.testing.assert_allclose(got, expected(getattr(known, name), WEIGHTS[name]), atol=1e-12)
        assert [f.elements[number].element for f in found] == [name] * STEPS
        assert [f.elements[number].reason for f in found] == [WAITS] * 3 + [""] * (STEPS - 3)
    last = found[-1].elements[0]
    assert (last.low < last.predicted).all()
    assert last.mean == pytest.approx(float(np.tanh(np.arctanh(last.predicted).mean())))
    # The sound itself is predicted as without them.
    plain = engine_of(known)
    plain.elements = None
    np.testing.assert_array_equal([f.predicted for f in run(plain)], [f.predicted for f in found])


def test_a_voice_that_is_not_heard_predicts_nothing_and_says_so():
    found = run(engine_of(parts(silent_from=6)))
    # Four seconds are what a prediction rests on: the last that has any voice is 9.
    assert [f.elements[0].reason for f in found[5:]] == [""] * 4 + ["no voice heard"] * 5
    assert np.isnan(found[-1].elements[0].predicted).all()
    assert found[-1].elements[0].level_db == -120.0
    assert np.isfinite(found[-1].elements[1].predicted).all()
    assert np.isfinite(found[-1].predicted).all()


class Lost(KnownOnset):
    """A lock that is lost from the eighth second on."""

    def step(self, heard: object) -> Alignment:
        self.count = getattr(self, "count", 0) + 1
        found = super().step(())
        return found if self.count < 8 else replace(found, state="lost", offset_s=float("nan"))


def test_without_a_place_in_the_stimulus_nothing_is_predicted_from_its_elements():
    found = run(engine_of(parts(), lock=Lost(0.0)))
    assert [f.elements[0].reason for f in found[6:9]] == ["", NO_PLACE, NO_PLACE]
    assert np.isnan(found[8].elements[0].predicted).all()
    assert np.isfinite(found[8].predicted).all()


@pytest.mark.parametrize(("about", "known", "words"), [("stimulus", True, DOUBTFUL), ("sound", False, NOT_RELIED)])
def test_what_is_in_doubt_is_withheld(about: str, known: bool, words: str):
    separator = None if known else separator_for("dtln", progress=lambda text: None)
    engine = engine_of(parts(), separator=separator)
    ledger = engine._lock.doubts if about == "stimulus" else engine.sources[-1].buffer.doubts
    ledger.note("sound-break", ORIGIN + 9.2, ORIGIN + 9.4, "as planned")
    found = run(engine)
    assert found[8].elements[1].reason == ""
    assert found[9].elements[1].reason == words
    assert np.isnan(found[9].elements[1].predicted).all()


def test_a_stream_that_is_taken_apart_gives_the_same_again_bit_for_bit():
    separator = separator_for("dtln", progress=lambda text: None)
    known = parts()
    first, again = (run(engine_of(known, separator=separator)) for _ in range(2))
    assert first == again
    whole = separator.elements_of(known.mix, known.mix[:, None], RATE)
    # The last second lacks what follows it.
    got = np.array([f.elements[1].predicted for f in first])
    np.testing.assert_allclose(got[: STEPS - 1], expected(whole.background, WEIGHTS["background"])[:-1], atol=1e-5)


def test_steps_that_differ_in_an_element_are_not_the_same():
    found = run(engine_of(parts()), 5)[-1]
    other = replace(found, elements=(replace(found.elements[0], level_db=-1.0), found.elements[1]))
    assert found == replace(found)
    assert found != other


def test_among_people_predictions_of_elements_are_for_their_number():
    found = run(engine_of(parts(), people=2))[-1]
    assert found.elements[0].reason == "nothing is predicted for the number of people who are here"
    assert np.isnan(found.predicted).all()
