"""Weights of voice and background for sessions: fitted where each is heard, and to nothing where it is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import calibration.element_weights as subject
from calibration.element_weights import keep_separator, with_elements
from calibration.sweep import Question
from calibration.validation import fit
from rtaffect.common.settings import PredictionSettings, Settings
from rtaffect.engine.bundle import SEPARATOR_FILE, load_bundle, save_bundle
from rtaffect.predicted.element_levels import SILENT_DB
from rtaffect.predicted.prediction import components_of, lagged_design
from rtaffect.predicted.separator import Elements
from rtaffect.stream.audio import StudySound
from tests.engine.test_bundle import some_bundle
from tests.support.helpers import BandFeaturizer, quiet

SETTINGS = Settings(prediction=PredictionSettings(n_components=3, lags_s=(0, 1, 3)))
RATE, SECONDS = 16_000, 90
SEPARATOR = SimpleNamespace(manifest=SimpleNamespace(name="dtln", voice_db=SILENT_DB), sha256="c" * 64, streams=True)


class Store:
    """Features of a sound without a file: the level of its quarters of a second, and their changes."""

    def layers(self, sound: np.ndarray, featurizer: object) -> dict[str, np.ndarray]:
        quarters = sound[: len(sound) // RATE * RATE].reshape(-1, 4, RATE // 4)
        level = np.sqrt((quarters.astype(np.float64) ** 2).mean(axis=2))
        return {"layer-0": np.concatenate([level, np.diff(level, axis=1, prepend=level[:, :1])[:, :2]], axis=1)}


@pytest.fixture(autouse=True)
def _store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "FeatureStore", Store)


def course(rng: np.random.Generator) -> np.ndarray:
    """Loudness (n,) that changes from second to second."""
    return np.repeat(rng.uniform(0.05, 0.3, SECONDS), RATE)


def study(voice_from: int = 0) -> tuple[list[StudySound], dict[str, Elements], Question]:
    """Three sounds; row 0 follows the voice's level, row 1 the background's; without voice both follow chance."""
    rng, sounds, parts, targets = np.random.default_rng(5), [], {}, []
    for name in "abc":
        levels = course(rng), course(rng)
        voice, background = ((each * rng.standard_normal(len(each))).astype(np.float32) for each in levels)
        voice[: voice_from * RATE] = 0
        mix = voice + background
        sounds.append(StudySound(name, mix, fit=True))
        parts[name] = Elements(mix, voice, background)
        per_second = np.stack([each[::RATE] for each in levels], axis=1)
        smooth = np.stack([np.convolve(c, np.ones(3) / 3)[:SECONDS] for c in per_second.T], axis=1)
        target = 2 * smooth + 0.02 * rng.standard_normal((SECONDS, 2))
        target[: SETTINGS.synchrony.window_s - 1] = np.nan
        targets.append(target)
    return sounds, parts, Question(targets, [t[None] for t in targets], np.ones(2, np.bool_))


def made(voice_from: int = 0, separator: Any = SEPARATOR):
    sounds, parts, question = study(voice_from)
    bundle = some_bundle()
    bundle = replace(bundle, manifest=bundle.manifest.model_copy(update={"settings": SETTINGS}))
    found, notes = with_elements(
        bundle, sounds, lambda sound: parts[sound.name], "layer-0", BandFeaturizer(), separator, question, quiet
    )
    return found, notes, parts, question


def predictions(sound: np.ndarray, weights) -> np.ndarray:
    components = components_of(Store().layers(sound, None)["layer-0"], weights)
    return lagged_design(components, weights.lags_s) @ weights.coefficients + weights.intercept


def r(a: np.ndarray, b: np.ndarray) -> float:
    both = np.isfinite(a) & np.isfinite(b)
    return float(np.corrcoef(a[both], b[both])[0, 1])


def test_each_element_predicts_the_row_that_it_drives(tmp_path: Path):
    bundle, notes, parts, question = made()
    assert notes == ()
    assert bundle.manifest.elements.names == ("voice", "background")
    for row, name in enumerate(("voice", "background")):
        found = predictions(getattr(parts["a"], name), bundle.elements[name])
        own, other = (r(found[:, each], question.targets[0][:, each]) for each in (row, 1 - row))
        assert own > 0.65
        assert own > other + 0.3
    save_bundle(bundle, tmp_path)
    assert load_bundle(tmp_path).manifest.elements == bundle.manifest.elements


def test_steps_at_which_the_voice_is_not_heard_are_left_out_of_its_fit():
    bundle, _, parts, question = made(voice_from=40)
    # Ages up to 3 s: from step 41 on something of the voice is in what a prediction rests on.
    masked = [np.where(np.arange(1, SECONDS + 1)[:, None] <= 40, np.nan, t) for t in
              question.untrended(SETTINGS).targets]  # fmt: skip
    features = [Store().layers(parts[name].voice, None)["layer-0"] for name in "abc"]
    settings = SETTINGS.model_copy(
        update={"prediction": SETTINGS.prediction.model_copy(update={"lags_s": (0, 1, 3), "longest_lags_s": ()})}
    )
    expected = fit(features, masked, settings, counted=question.counted).weights
    np.testing.assert_allclose(bundle.elements["voice"].coefficients, expected.coefficients, atol=1e-12)
    everything = fit(features, question.untrended(SETTINGS).targets, settings, counted=question.counted).weights
    assert np.abs(everything.coefficients - expected.coefficients).max() > 1e-3


def test_an_element_that_is_hardly_heard_gets_no_weights_and_that_is_said():
    bundle, notes, _, _ = made(voice_from=80)
    assert bundle.manifest.elements.names == ("background",)
    assert set(bundle.elements) == {"background"}
    assert notes == (
        "sessions will not predict from the voice alone: it is heard for 30 s or more in 0 of 3 stimuli, expected 2; "
        "give stimuli that have it",
    )


def test_where_a_separator_cannot_be_believed_there_is_no_voice_to_be_fitted_to():
    """Both parts are as loud, so that a voice has half of the power: -3 dB of the sound."""
    for voice_db, names in ((-4.0, ("voice", "background")), (-2.0, ("background",))):
        manifest = SimpleNamespace(name="dtln", voice_db=voice_db)
        bundle, notes, _, _ = made(separator=SimpleNamespace(manifest=manifest, sha256="c" * 64, streams=True))
        assert bundle.manifest.elements.names == names
        assert bundle.manifest.elements.voice_db == voice_db
        assert bool(notes) == (names == ("background",))


def test_a_separator_that_was_given_as_a_file_lies_beside_the_bundle(tmp_path: Path):
    given = tmp_path / "mine.onnx"
    given.write_bytes(b"a separator")
    keep_separator(str(given), tmp_path / "bundle")
    assert (tmp_path / "bundle" / SEPARATOR_FILE).read_bytes() == b"a separator"
    keep_separator("dtln", tmp_path / "other")
    assert not (tmp_path / "other").exists()
