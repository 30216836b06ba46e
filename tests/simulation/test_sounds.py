"""Composed soundtracks: reproducible, within bounds, and varied in a way that the features follow."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from rtaffect.predicted.featurizer import default_featurizer, features_of
from rtaffect.simulation.sounds import PEAK, compose, speech_from_wheel
from rtaffect.stream.audio import sound_sha256


@functools.cache
def speech() -> np.ndarray:
    return speech_from_wheel()


@functools.cache
def principal_time_courses(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Courses of the principal components of a soundtrack's features, (steps, k), and their shares of the variance."""
    features = features_of(compose(seed, 120.0, speech=speech()), default_featurizer(lambda _: None, threads=2))
    left, singular, _ = np.linalg.svd(features - features.mean(axis=0), full_matrices=False)
    return left * singular, singular**2 / np.sum(singular**2)


def autocorrelation(course: np.ndarray, lag: int) -> float:
    return float(np.corrcoef(course[:-lag], course[lag:])[0, 1])


def test_a_seed_gives_one_soundtrack():
    assert sound_sha256(compose(7, 20.0)) == sound_sha256(compose(7, 20.0))
    assert sound_sha256(compose(7, 20.0)) != sound_sha256(compose(8, 20.0))
    assert sound_sha256(compose(7, 20.0, speech=speech())) != sound_sha256(compose(7, 20.0))


def test_a_pinned_soundtrack_is_the_same_on_every_platform():
    assert sound_sha256(compose(1, 12.0)) == "684b204528c2feaae22055fc0e672e4d7737b1f8a5f99c77602265344e5097c4"


@pytest.mark.parametrize(("seconds", "rate"), [(0.01, 16_000), (3.3, 16_000), (30.0, 22_050)])
def test_length_level_and_type(seconds, rate):
    sound = compose(3, seconds, rate)
    assert sound.shape == (round(seconds * rate),)
    assert sound.dtype == np.float32
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() <= PEAK


def test_loudness_varies_strongly_and_no_sample_is_lost_to_an_offset():
    sound = compose(2, 120.0, speech=speech()).astype(np.float64)
    level = 20 * np.log10(np.sqrt(np.mean(sound.reshape(-1, 16_000) ** 2, axis=1)) + 1e-6)
    assert np.ptp(level) > 20
    assert level.std() > 5
    assert abs(sound.mean()) < 1e-3


def test_speech_is_heard_in_some_sections_only():
    voice = np.ones(16_000, np.float32)  # a constant stands out: nothing else has an offset
    offset = compose(4, 120.0, speech=voice).reshape(-1, 16_000).mean(axis=1)
    heard = offset > 0.02
    assert 0.1 < heard.mean() < 0.6


def test_features_follow_the_sections():
    time_courses, share = principal_time_courses(0)
    assert share[0] > 0.3
    assert share[:12].sum() > 0.8
    for k in range(3):
        assert autocorrelation(time_courses[:, k], 1) > 0.4
        assert autocorrelation(time_courses[:, k], 15) < 0.4


def test_impossible_requests_raise():
    with pytest.raises(ValueError, match="seconds"):
        compose(0, 0.0)
    with pytest.raises(ValueError, match="rate"):
        compose(0, 1.0, rate=8_000)
    with pytest.raises(ValueError, match="speech"):
        compose(0, 60.0, speech=np.zeros(0, np.float32))


def test_the_speech_of_the_wheel():
    assert 44 < len(speech()) / 16_000 < 45
    assert np.abs(speech()).max() > 0.1
