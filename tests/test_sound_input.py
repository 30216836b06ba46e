"""Sound on the session's grid: features live are features offline, at the true time, and never of invented sound."""

from __future__ import annotations

import numpy as np
import pytest
import soxr

from rtaffect.featurizer import features_of
from rtaffect.sound_input import SoundInput
from tests.helpers import BandFeaturizer, sound_source

ORIGIN = 1000.0
RATE = 16_000


def noise(seconds: float, rate: int = RATE, seed: int = 0) -> np.ndarray:
    """Noise whose loudness changes each quarter of a second, so that features tell where they are from."""
    rng = np.random.default_rng(seed)
    n = round(seconds * rate)
    loud = np.repeat(rng.uniform(0.01, 0.3, n // (rate // 4) + 1), rate // 4)[:n]
    return (loud * rng.standard_normal(n)).clip(-1, 1).astype(np.float32)


def hear(source, steps: int, featurizer=None, origin: float = ORIGIN) -> tuple[SoundInput, np.ndarray]:
    featurizer = featurizer or BandFeaturizer()
    sound = SoundInput(source, featurizer, origin)
    features = []
    for step in range(1, steps + 1):
        source.advance(origin + step + sound.lookahead_s)
        sound.advance(step)
        features.append(sound.feature(step))
    return sound, np.array(features)


def test_features_live_are_features_offline_up_to_the_sounds_last_second():
    sound = noise(11)
    _, live = hear(sound_source(sound), 11)
    offline = features_of(sound, BandFeaturizer())
    assert live.shape == offline.shape
    np.testing.assert_allclose(live, offline, atol=2e-4)


def test_a_sound_that_starts_later_gives_the_same_features_later():
    sound = noise(9)
    _, live = hear(sound_source(sound, onset=ORIGIN + 3), 12)
    assert np.isnan(live[:3]).all()
    np.testing.assert_allclose(live[3:], features_of(sound, BandFeaturizer()), atol=2e-4)


@pytest.mark.parametrize("rate", [8000, 44_100, 48_000, 96_000])
def test_other_rates_come_out_at_their_true_time(rate):
    """A slow sweep at any rate is the same sweep on the 16 kHz grid."""
    times = np.arange(6 * rate) / rate
    wave = 0.5 * np.sin(2 * np.pi * (300 * times + 100 * times**2))
    source = sound_source(wave.astype(np.float32), rate=float(rate))
    sound, _ = hear(source, 5, BandFeaturizer(context_s=4.0))
    grid = np.arange(1 * RATE, 5 * RATE) / RATE
    expected = 0.5 * np.sin(2 * np.pi * (300 * grid + 100 * grid**2))
    found = sound.context(5)
    assert len(found) == 4 * RATE
    assert np.abs(found - expected)[100:].max() < 2e-3


def test_resampled_sound_is_soxrs():
    wave = noise(5, 48_000)
    source = sound_source(wave, rate=48_000.0)
    sound, _ = hear(source, 4)
    whole = soxr.resample(wave, 48_000, 16_000)[: 4 * RATE]
    np.testing.assert_allclose(sound.context(4), whole, atol=1e-3)


def test_a_gap_is_not_filled_and_the_context_grows_anew():
    sound = noise(12)
    sound[round(4.3 * RATE) : round(4.6 * RATE)] = np.nan
    heard, live = hear(sound_source(sound), 11)
    there = np.isfinite(live).all(axis=1)
    assert there.tolist() == [True] * 4 + [False] + [True] * 6
    offline = features_of(noise(12), BandFeaturizer())
    np.testing.assert_allclose(live[:4], offline[:4], atol=2e-4)
    # From second 5 on there is one second of context, then two, ... : what starting there would give.
    fresh = features_of(noise(12)[5 * RATE :], BandFeaturizer())
    np.testing.assert_allclose(live[5:8], fresh[:3], atol=2e-4)
    np.testing.assert_allclose(live[8:11], offline[8:11], atol=2e-4)
    assert len(heard.context(11)) == 4 * RATE


def test_a_break_in_time_is_a_gap():
    sound = noise(8)
    source = sound_source(sound)
    sound_input = SoundInput(source, BandFeaturizer(), ORIGIN)
    stamps = ORIGIN + np.arange(len(sound)) / RATE
    stamps[round(4.25 * RATE) :] += 1.5
    there = []
    for step in range(1, 9):
        until = ORIGIN + step + sound_input.lookahead_s
        part = (stamps <= until) & (stamps > until - 1 - (step == 1))
        for at in np.array_split(np.flatnonzero(part), 10):
            source.buffer.push(sound[at][:, None], stamps[at])
        sound_input.advance(step)
        there.append(bool(np.isfinite(sound_input.feature(step)).all()))
    assert there == [True] * 4 + [False, False, True, True]
    np.testing.assert_allclose(sound_input.context(8), sound[round(4.5 * RATE) : round(6.5 * RATE)], atol=1e-3)


def test_no_sound_is_no_feature():
    sound, live = hear(sound_source(noise(3), onset=ORIGIN + 100), 3)
    assert np.isnan(live).all()
    assert live.shape == (3, 6)
    assert sound.context(3) is None


def test_a_drifting_sound_card_is_read_at_its_true_time():
    """A card that runs 200 ppm slow delivers a second's sound in 1.0002 s; clicks stay where they are."""
    seconds, ppm = 25, 200
    true_rate = RATE * (1 - ppm * 1e-6)
    stamps = np.arange(round(seconds * true_rate)) / true_rate
    wave = (0.5 * np.sin(2 * np.pi * 440 * stamps)).astype(np.float32)
    source = sound_source(wave)
    sound = SoundInput(source, BandFeaturizer(), ORIGIN)
    for step in range(1, 24):
        until = step + sound.lookahead_s
        part = np.flatnonzero((stamps <= until) & (stamps > until - 1 - (step == 1)))
        for at in np.array_split(part, 25):
            source.buffer.push(wave[at][:, None], ORIGIN + stamps[at])
        sound.advance(step)
    grid = np.arange(19 * RATE, 23 * RATE) / RATE
    assert np.abs(sound.context(23) - 0.5 * np.sin(2 * np.pi * 440 * grid)).max() < 0.02
