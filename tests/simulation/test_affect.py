"""Simulated affect: EEG and music follow it as they are said to, and nothing follows it where nothing is planted."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from scipy.signal import welch

from rtaffect.simulation.affect import BANDS, AffectivePerson, AffectiveSettings
from rtaffect.simulation.affect_music import affective_music
from rtaffect.simulation.affect_study import SCALE, AffectStudySettings, SyntheticAffectStudy, stimuli_of

ALIKE = AffectiveSettings(differing=0.0, wander=0.1, mains_v=0.0)
NOTHING = AffectiveSettings(differing=0.0, wander=0.1, mains_v=0.0, strength=0.0)


@functools.cache
def powers(person: int, valence: float, arousal: float, settings: AffectiveSettings = ALIKE) -> dict[str, np.ndarray]:
    """Log power of each band (electrodes,), nats."""
    eeg = AffectivePerson(settings, person).eeg(np.full(60, valence), np.full(60, arousal))
    frequency, power = welch(eeg, 250.0, nperseg=500, axis=0)
    inside = {name: (frequency >= low) & (frequency < high) for name, (low, high) in BANDS.items()}
    return {name: np.log(power[chosen].mean(axis=0)) for name, chosen in inside.items()}


def change(band: str, low: dict[str, np.ndarray], high: dict[str, np.ndarray]) -> dict[str, float]:
    return dict(zip(AffectivePerson(ALIKE, 0).channels, high[band] - low[band], strict=True))


def test_pleasure_is_less_alpha_left_than_right_in_front():
    alpha = change("alpha", powers(0, -1.0, 0.0), powers(0, 1.0, 0.0))
    assert alpha["F8"] - alpha["F7"] > 0.15
    gamma = change("gamma", powers(0, -1.0, 0.0), powers(0, 1.0, 0.0))
    assert gamma["T7"] + gamma["T8"] > 0.6


def test_excitement_is_less_alpha_behind_and_more_beta_in_front():
    alpha = change("alpha", powers(0, 0.0, -1.0), powers(0, 0.0, 1.0))
    assert alpha["Oz"] < -0.6
    assert abs(alpha["F8"] - alpha["F7"]) < 0.15
    assert change("beta", powers(0, 0.0, -1.0), powers(0, 0.0, 1.0))["Fz"] > 0.3


def test_without_strength_nothing_changes_and_people_differ_at_rest():
    here, there, other = powers(0, -1.0, -1.0, NOTHING), powers(0, 1.0, 1.0, NOTHING), powers(1, 0.0, 0.0, NOTHING)
    assert max(np.abs(there[band] - here[band]).max() for band in BANDS) < 0.3
    assert np.abs(other["alpha"] - here["alpha"]).max() > 0.4


def test_people_differ_in_how_they_show_it_and_one_seed_gives_one_person():
    differing = AffectiveSettings(differing=0.5)
    effects = np.stack([AffectivePerson(differing, number)._effect for number in range(12)])
    assert effects[:, effects.any(axis=0)].std(axis=0).mean() > 0.1
    again = [AffectivePerson(differing, 3).eeg(np.zeros(5), np.zeros(5)) for _ in range(2)]
    np.testing.assert_array_equal(*again)


@functools.cache
def music(valence: float, arousal: float) -> list[np.ndarray]:
    return [affective_music(seed, np.full(4, valence), np.full(4, arousal)) for seed in range(3)]


def level_db(sounds: list[np.ndarray]) -> float:
    return float(np.mean([10 * np.log10(np.mean(sound**2)) for sound in sounds]))


def test_excited_music_is_louder_and_brighter():
    def centroid(sounds: list[np.ndarray]) -> float:
        spectra = [welch(sound, 16_000, nperseg=1024) for sound in sounds]
        return float(np.mean([frequency @ power / power.sum() for frequency, power in spectra]))

    assert level_db(music(0.0, 0.9)) - level_db(music(0.0, -0.9)) > 10
    assert centroid(music(0.0, 0.9)) > 1.3 * centroid(music(0.0, -0.9))


def test_unpleasant_music_is_rough_and_its_level_tells_nothing():
    def roughness(sounds: list[np.ndarray]) -> float:
        """Modulation at 33 to 45 Hz against that at 60 to 78 Hz."""
        found = []
        for sound in sounds:
            frequency, power = welch(np.abs(sound).reshape(-1, 40).mean(axis=1), 400.0, nperseg=512)
            rough, beyond = ((frequency > low) & (frequency < low + 18) for low in (30, 60))
            found.append(power[rough].max() / power[beyond].mean())
        return float(np.median(found))

    assert roughness(music(-0.9, 0.0)) > 2 * roughness(music(0.9, 0.0))
    assert abs(level_db(music(-0.9, 0.0)) - level_db(music(0.9, 0.0))) < 4


def test_music_is_within_full_scale_and_the_same_for_a_seed():
    for sounds in (music(0.9, 0.0), music(-0.9, 0.0), music(0.0, 0.9)):
        assert all(sound.dtype == np.float32 and 1e-3 < np.abs(sound).max() < 1 for sound in sounds)
    np.testing.assert_array_equal(music(0.0, 0.9)[0], affective_music(0, np.zeros(4), np.full(4, 0.9)))


class TestStudy:
    def test_quadrants_are_balanced_and_ratings_follow_what_is_heard(self):
        study = SyntheticAffectStudy(AffectStudySettings(people=10, stimuli=40, seconds=8))
        places = np.array([s.heard.mean(axis=0) for s in study.stimuli])
        quadrants = places > 0
        assert len(np.unique(quadrants, axis=0)) == 4
        assert (quadrants.mean(axis=0) == 0.5).all()
        ratings = np.array([[study.ratings(p, s) for s in study.stimuli] for p in range(10)])
        assert SCALE[0] <= ratings.min() < 2
        assert 8 < ratings.max() <= SCALE[2]
        for dimension in range(2):
            assert np.corrcoef(ratings[..., dimension].mean(axis=0), places[:, dimension])[0, 1] > 0.95
            assert 0.5 < np.corrcoef(ratings[0, :, dimension], places[:, dimension])[0, 1] < 0.98

    def test_a_person_rates_their_own_feeling_too(self):
        """Taste, by which what is felt differs from what is heard, is in the rating."""
        study = SyntheticAffectStudy(AffectStudySettings(people=10, stimuli=40, seconds=8))
        r = []
        for person in range(10):
            taste = [study.felt(person, s).mean(axis=0) - s.heard.mean(axis=0) for s in study.stimuli]
            about = [study.ratings(person, s) - 3.4 * s.heard.mean(axis=0) for s in study.stimuli]
            both = np.array(taste), np.array(about)
            r += [np.corrcoef(both[0][:, d], both[1][:, d])[0, 1] for d in range(2)]
        assert np.mean(r) > 0.3

    def test_without_relation_ratings_follow_nothing(self):
        r = []
        for seed in range(20):
            settings = AffectStudySettings(stimuli=24, seconds=8, relation=0.0, eeg=AffectiveSettings(seed=seed))
            both = [(s.heard.mean(axis=0), s.rated.mean(axis=0)) for s in stimuli_of(settings)]
            heard, rated = (np.array(each) for each in zip(*both, strict=True))
            r += [np.corrcoef(heard[:, d], rated[:, d])[0, 1] for d in range(2)]
        assert abs(np.mean(r)) < 3 / np.sqrt(24 * len(r))
        assert np.std(r) == pytest.approx(1 / np.sqrt(23), rel=0.4)
