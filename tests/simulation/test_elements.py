"""Elements are planted as they are said to be: their sum, their energies, and which patch follows which."""

from __future__ import annotations

import functools
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

import rtaffect.cli.simulate
import rtaffect.simulation.study
from rtaffect.common.errors import SettingsError
from rtaffect.common.regions import REGIONS
from rtaffect.predicted.elements import level_db
from rtaffect.simulation.cohort import CohortSettings
from rtaffect.simulation.elements import (
    ElementSettings,
    at_electrodes,
    levels_of,
    narration,
    phrases_of,
    plant,
    speech_over_music,
    weights_of,
)
from rtaffect.simulation.head import PATCHES, leadfield, sphere_head
from rtaffect.simulation.sounds import speech_from_wheel
from rtaffect.simulation.study import StudySettings, SyntheticStudy
from tests.support.helpers import quiet

STEPS = 400
COHORT = CohortSettings(unexplained=0.0, smoothing_s=0.01)


@functools.cache
def speech() -> np.ndarray:
    return speech_from_wheel()


def features(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((STEPS, 6)) @ rng.standard_normal((6, 20)) + 3


def planted(settings: ElementSettings, shares: dict[str, float]):
    """Sounds of noise of such shares, with features of their own."""
    rng = np.random.default_rng(5)
    parts, each = {}, {}
    for number, (name, share) in enumerate(shares.items()):
        voice, background = rng.standard_normal((2, 16_000))
        voice *= np.sqrt(share / np.square(voice).sum())
        background *= np.sqrt((1 - share) / np.square(background).sum())
        parts[name] = SimpleNamespace(mix=voice + background, voice=voice, background=background)
        each[name] = features(2 * number), features(2 * number + 1)
    return each, plant(parts, each, list(shares), tuple(PATCHES), settings, COHORT)


def test_a_sound_is_the_sum_of_its_elements_and_their_levels_are_those_asked_for():
    for level in (-9.0, 0.0, 6.0):
        sound = speech_over_music(3, 30, level, speech())
        np.testing.assert_array_equal(sound.mix, sound.voice + sound.background)
        assert level_db(sound.voice) - level_db(sound.background) == pytest.approx(level, abs=0.01)
        assert np.abs(sound.mix).max() <= 0.9 + 1e-4
        np.testing.assert_array_equal(sound.mix * 32768, np.round(sound.mix * 32768))
    np.testing.assert_array_equal(sound.mix, speech_over_music(3, 30, 6.0, speech()).mix)


def test_a_narrator_reads_all_phrases_in_another_order_each_time():
    phrases = phrases_of(speech())
    assert len(phrases) > 10
    assert min(map(len, phrases)) > 0.7 * 16_000
    assert sum(map(len, phrases)) == len(speech())
    one, other = (narration(np.random.default_rng(seed), 60 * 16_000, speech()) for seed in (0, 1))
    assert np.abs(np.corrcoef(one, other)[0, 1]) < 0.05
    silent = np.abs(one.reshape(-1, 1600)).max(axis=1) < 1e-3
    assert 0.05 < silent.mean() < 0.6


def test_levels_lie_evenly_about_their_mean_and_are_exchanged_when_reversed():
    settings = ElementSettings(level_db=3, spread_db=6)
    levels = levels_of(settings, 5, 7)
    np.testing.assert_allclose(np.sort(levels), [-3, 0, 3, 6, 9])
    reverse = settings.model_copy(update={"reverse": True})
    np.testing.assert_array_equal(levels_of(reverse, 5, 7), -levels)
    np.testing.assert_array_equal(levels_of(settings, 1, 7), [3.0])


def test_patches_belong_to_the_element_that_is_named_and_those_of_both_to_both():
    weights = dict(zip(PATCHES, weights_of(tuple(PATCHES), ElementSettings()).T, strict=True))
    np.testing.assert_array_equal(weights["temporal-left"], [1, 0])
    np.testing.assert_array_equal(weights["occipital-right"], [0, 1])
    np.testing.assert_array_equal(weights["frontal-medial"], [0, 0])
    settings = ElementSettings(voice=("temporal",), background=("limbic",), background_strength=0.5)
    regions = dict(zip(REGIONS, weights_of(REGIONS, settings).T, strict=True))
    np.testing.assert_array_equal(regions["bankssts-lh"], [1, 0])
    np.testing.assert_array_equal(regions["insula-rh"], [0, 0.5])
    np.testing.assert_allclose(regions["entorhinal-lh"], [np.sqrt(0.5), 0.5 * np.sqrt(0.5)])
    np.testing.assert_array_equal(regions["cuneus-lh"], [0, 0])
    electrodes = at_electrodes(weights_of(tuple(PATCHES), ElementSettings()), leadfield())
    assert electrodes.shape == (2, 24)
    channels = sphere_head().channels
    assert electrodes[0, channels.index("T7")] > 2 * electrodes[1, channels.index("T7")]
    assert electrodes[1, channels.index("O1")] > 2 * electrodes[0, channels.index("O1")]


def test_a_patch_follows_its_element_and_one_of_both_the_one_with_the_energy():
    settings = ElementSettings(voice=("temporal", "frontal"), background=("occipital", "frontal"))
    shares = {"loud voice": 0.9, "quiet voice": 0.1}
    each, made = planted(settings, shares)
    names = list(PATCHES)

    def follows(name: str, patch: str, element: int) -> float:
        """R2 of a patch's course from an element's features."""
        course = made.drive.course(made.features[name], 0, COHORT)[:, names.index(patch)]
        logit = np.log(course / (1 - course))
        x = np.column_stack([each[name][element], np.ones(STEPS)])
        left = logit - x @ np.linalg.lstsq(x, logit, rcond=None)[0]
        return 1 - left.var() / logit.var() if logit.var() > 1e-12 else 0.0

    for name, share in shares.items():
        assert made.share[name] == pytest.approx(share, abs=1e-6)
        assert follows(name, "temporal-left", 0) > 0.99
        assert follows(name, "temporal-left", 1) < 0.3
        assert follows(name, "occipital-left", 1) > 0.99
        assert follows(name, "occipital-left", 0) < 0.3
        assert follows(name, "parietal-left", 0) == follows(name, "parietal-left", 1) == 0
    assert follows("loud voice", "frontal-medial", 0) > 0.7 > 0.4 > follows("loud voice", "frontal-medial", 1)
    assert follows("quiet voice", "frontal-medial", 1) > 0.7 > 0.4 > follows("quiet voice", "frontal-medial", 0)


def levels(samples: np.ndarray, _: object) -> np.ndarray:
    """Four features of each second."""
    seconds = samples[: len(samples) // 16_000 * 16_000].reshape(-1, 16_000).astype(np.float64)
    rms = np.sqrt((seconds**2).mean(axis=1))
    return np.stack([rms, np.sqrt(rms), rms > 0.01, np.abs(seconds).max(axis=1)], axis=1)


def test_a_study_of_elements_has_their_sum_as_sounds_and_their_truth_on_disk(tmp_path, monkeypatch: pytest.MonkeyPatch):
    def each(sounds, featurizer, progress):
        return {name: levels(sound, featurizer) for name, sound in sounds.items()}

    monkeypatch.setattr(rtaffect.simulation.study, "cached_features_of_each", each)
    size = StudySettings(listeners=3, sounds=2, sound_s=30, spare_s=30, elements=ElementSettings())
    study = SyntheticStudy(size, None, quiet)
    assert study.planted is not None
    assert [sound.fit for sound in study.sounds()] == [True, True, False]
    for sound in study.sounds():
        part = study.planted.parts[sound.name]
        np.testing.assert_array_equal(sound.samples, part.voice + part.background)
        assert study.features[sound.name].shape == (30, 8)
    study.write(tmp_path, quiet)
    assert (tmp_path / "elements" / "soundtrack-01-voice.wav").exists()
    energy = np.genfromtxt(tmp_path / "truth_energy.tsv", skip_header=1, usecols=1)
    np.testing.assert_allclose(energy, list(study.planted.share.values()), atol=1e-5)
    lines = (tmp_path / "truth_elements.tsv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "name\tkind\tvoice\tbackground"
    assert "temporal-left\tpatch\t1.00000\t0.00000" in lines
    assert len(lines) == 1 + 24 + 10


def test_the_command_writes_elements_and_reverses_their_energies(tmp_path, monkeypatch: pytest.MonkeyPatch):
    def each(sounds, featurizer, progress):
        return {name: levels(sound, featurizer) for name, sound in sounds.items()}

    monkeypatch.setattr(rtaffect.simulation.study, "cached_features_of_each", each)
    monkeypatch.setattr(rtaffect.cli.simulate, "featurizer_for", lambda *_: None)
    size = ["--listeners", "3", "--sounds", "2", "--sound-seconds", "30", "--quick"]
    share = []
    for folder, more in (("as", []), ("reversed", ["--reverse-energies"])):
        asked = ["--out", str(tmp_path / folder), "--elements", *more, *size]
        done = CliRunner().invoke(rtaffect.cli.simulate.command, asked, catch_exceptions=False)
        assert done.exit_code == 0
        share.append(np.genfromtxt(tmp_path / folder / "truth_energy.tsv", skip_header=1, usecols=1))
    np.testing.assert_allclose(share[0] + share[1], 1, atol=1e-3)
    assert share[0].mean() > 0.55
    with pytest.raises(SettingsError, match="--reverse-energies is for sounds of voice and background; add --elements"):
        CliRunner().invoke(
            rtaffect.cli.simulate.command, ["--out", str(tmp_path / "no"), "--reverse-energies"], catch_exceptions=False
        )
