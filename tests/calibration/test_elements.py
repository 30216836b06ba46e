"""Voice and background alone: which of them a row follows is found, and whether the bias follows the energy."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import calibration.elements
from calibration.elements import ElementsFound, follows, leave_out
from calibration.sweep import Question, sweep
from rtaffect.common.settings import NO_DRIFT, PredictionSettings, Settings
from rtaffect.predicted.separator import Elements
from rtaffect.stream.audio import SAMPLE_RATE, StudySound
from tests.support.helpers import quiet

SETTINGS = Settings(prediction=PredictionSettings(n_components=2, lags_s=(0, 2)), drift=NO_DRIFT)
SECONDS, SHARES = 90, (0.15, 0.3, 0.45, 0.55, 0.7, 0.85)


class Store:
    """Features of a sound: the levels of its seconds, in two ways; nothing is kept."""

    def layers(self, sound: np.ndarray, _: Any) -> dict[str, np.ndarray]:
        rms = np.sqrt((sound.reshape(-1, SAMPLE_RATE).astype(np.float64) ** 2).mean(axis=1))
        return {"layer-0": np.stack([rms, np.sqrt(rms)], axis=1)}


def course(rng: np.random.Generator) -> np.ndarray:
    """A slow course of a sound's level, 0 to 1."""
    slow = np.convolve(rng.standard_normal(SECONDS + 7), np.ones(8) / 8, "valid")
    return (slow - slow.min()) / np.ptp(slow)


def study(seed: int, *, reverse: bool = False) -> tuple[list[StudySound], dict[str, Elements], Question]:
    """Six sounds; row 0 follows the voice, row 1 the background, row 2 both by their share of the energy."""
    rng = np.random.default_rng(seed)
    sounds, parts, targets = [], {}, []
    for number, share in enumerate(SHARES):
        voice, background = course(rng), course(rng)
        noise = rng.standard_normal((2, SECONDS * SAMPLE_RATE)).astype(np.float32)
        loud = [
            (np.repeat(level, SAMPLE_RATE) * part / np.sqrt((level**2).mean())).astype(np.float32)
            for level, part in zip((voice, background), noise, strict=True)
        ]
        each = np.float32(0.1 * np.sqrt(share)) * loud[0], np.float32(0.1 * np.sqrt(1 - share)) * loud[1]
        name = f"sound-{number}"
        parts[name] = Elements(each[0] + each[1], *each)
        sounds.append(StudySound(name, parts[name].mix, fit=True))
        weight = 1 - share if reverse else share
        both = weight * voice + (1 - weight) * background
        target = 0.3 * np.stack([voice, background, both], axis=1) + 0.02 * rng.standard_normal((SECONDS, 3))
        target[:9] = np.nan
        targets.append(target)
    people = [np.stack([t, t]) for t in targets]
    return sounds, parts, Question(targets, people, np.array([False, False, True]))


def found(monkeypatch: pytest.MonkeyPatch, seed: int = 0, *, reverse: bool = False) -> ElementsFound:
    monkeypatch.setattr(calibration.elements, "FeatureStore", Store)
    sounds, parts, question = study(seed, reverse=reverse)
    features = [Store().layers(sound.samples, None)["layer-0"] for sound in sounds]
    mix = sweep({"layer-0": features}, question, SETTINGS, quiet, draws=19).sets[0]
    return leave_out(
        mix, sounds, lambda sound: parts[sound.name], SimpleNamespace(), ("made up", "0" * 64), question,
        SETTINGS, quiet, draws=19,
    )  # type: ignore[arg-type] # fmt: skip


def test_each_element_predicts_the_row_that_follows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    told = found(monkeypatch)
    voice, background = told.results["voice"], told.results["background"]
    assert voice.name == "layer-0/voice"
    assert voice.score.r[0] > 0.8 > 0.3 > voice.score.r[1]
    assert background.score.r[1] > 0.8 > 0.3 > background.score.r[0]
    assert told.comparison is not None
    assert told.comparison.units == len(SHARES)
    np.testing.assert_allclose(told.share, SHARES, atol=0.02)
    assert not told.notes


@pytest.mark.parametrize("reverse", [False, True])
def test_the_bias_follows_the_energy_where_it_was_planted_and_not_where_it_is_reversed(
    monkeypatch: pytest.MonkeyPatch, reverse: bool
) -> None:
    told = found(monkeypatch, 1, reverse=reverse)
    assert told.rank_r < -0.8 if reverse else told.rank_r > 0.8
    assert told.rank_p > 0.9 if reverse else told.rank_p <= 0.05


def test_an_element_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration.elements, "FeatureStore", Store)
    sounds, parts, question = study(2)
    silent = parts["sound-0"]
    parts["sound-0"] = Elements(silent.mix, np.zeros_like(silent.mix), silent.mix)
    features = [Store().layers(sound.samples, None)["layer-0"] for sound in sounds]
    mix = sweep({"layer-0": features}, question, SETTINGS, quiet, draws=3).sets[0]
    told = leave_out(
        mix, sounds, lambda sound: parts[sound.name], SimpleNamespace(), ("made up", "0" * 64), question,
        SETTINGS, quiet, draws=3,
    )  # type: ignore[arg-type] # fmt: skip
    assert told.notes == ("sound-0: no voice is heard in it",)
    assert told.share[0] == 0


def test_a_voice_that_its_separator_cannot_be_believed_in_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration.elements, "FeatureStore", Store)
    sounds, parts, question = study(2)
    features = [Store().layers(sound.samples, None)["layer-0"] for sound in sounds]
    mix = sweep({"layer-0": features}, question, SETTINGS, quiet, draws=3).sets[0]
    told = leave_out(
        mix, sounds, lambda sound: parts[sound.name], SimpleNamespace(), ("made up", "0" * 64), question,
        SETTINGS, quiet, draws=3, voice_db=-3.0,
    )  # type: ignore[arg-type] # fmt: skip
    # Half of the energy is -3 dB of the sound; the background is there by the usual rule.
    fewer = [f"sound-{number}: no voice is heard in it" for number, share in enumerate(SHARES) if share < 0.5]
    assert list(told.notes) == fewer
    np.testing.assert_array_equal(np.isfinite(told.each[1]), np.array(SHARES) >= 0.5)
    assert np.isfinite(told.each[2]).all()


def test_a_silent_sound_has_no_element_and_no_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where a separator leaves something of nothing."""
    monkeypatch.setattr(calibration.elements, "FeatureStore", Store)
    sounds, parts, question = study(3)
    hum = np.full_like(parts["sound-2"].mix, 1e-5)
    parts["sound-2"] = Elements(0 * hum, hum, -hum)
    features = [Store().layers(sound.samples, None)["layer-0"] for sound in sounds]
    mix = sweep({"layer-0": features}, question, SETTINGS, quiet, draws=3).sets[0]
    told = leave_out(
        mix, sounds, lambda sound: parts[sound.name], SimpleNamespace(), ("made up", "0" * 64), question,
        SETTINGS, quiet, draws=3,
    )  # type: ignore[arg-type] # fmt: skip
    assert told.notes == ("sound-2: no voice is heard in it", "sound-2: no background is heard in it")
    assert np.isnan(told.share[2])
    assert np.isnan(told.bias[2])
    assert np.isfinite(told.bias[[0, 1, 3, 4, 5]]).all()


def test_ranks_without_relation_are_at_chance_and_few_are_not_asked() -> None:
    rng = np.random.default_rng(0)
    p = [follows(rng.random(8), rng.random(8), draws=99, seed=k)[1] for k in range(200)]
    assert 0.01 < np.mean(np.array(p) <= 0.05) < 0.1
    assert np.isnan(follows(np.arange(4.0), np.arange(4.0))).all()
    assert follows(np.ones(6), np.arange(6.0)) == (0.0, 1.0)
    r, p_one = follows(np.arange(7.0), np.array([0, 1, 2, 3, 4, 5, np.nan]))
    assert (r, p_one < 0.01) == (pytest.approx(1.0), True)
