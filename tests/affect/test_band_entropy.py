"""Differential entropy of bands, second by second: what it is, and that nothing is made up about a gap."""

from __future__ import annotations

import math

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.signal import butter, sosfilt, sosfilt_zi

from rtaffect.affect.band_entropy import BandEntropy, features_of
from rtaffect.affect.settings import AffectBand, AffectSettings
from rtaffect.common.settings import SignalSettings

SETTINGS = AffectSettings()
RATE = SETTINGS.signal.rate_hz
NAMES = [band.name for band in SETTINGS.bands]


def noise(seconds: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    return 1e-5 * np.random.default_rng(seed).standard_normal((seconds * RATE, channels))


def test_a_sine_shows_its_power_in_its_band_and_hardly_in_others():
    amplitude = 2e-5
    eeg = amplitude * np.sin(2 * math.pi * 10 * np.arange(10 * RATE) / RATE)[:, None]
    features, mask = features_of(eeg, SETTINGS)
    expected = 0.5 * math.log(2 * math.pi * math.e * amplitude**2 / 2)
    assert mask[2:].all()
    np.testing.assert_allclose(features[3:, 0, NAMES.index("alpha")], expected, atol=0.1)
    for other in ("theta", "beta", "gamma"):
        assert (features[3:, 0, NAMES.index(other)] < expected - 1.5).all(), other


def test_it_is_the_variance_of_each_band_by_scipy():
    eeg = noise(8)
    features, _ = features_of(eeg, SETTINGS)
    for place, (low, high) in enumerate([(4, 8), (8, 13), (13, 30), (30, 45)]):
        sos = butter(4, (low, high), "bandpass", fs=RATE, output="sos")
        start = sosfilt_zi(sos)[:, :, None] * eeg[0]
        banded, _ = sosfilt(sos, eeg, axis=0, zi=start)
        variance = banded.reshape(8, RATE, 3).var(axis=1)
        np.testing.assert_allclose(features[2:, :, place], 0.5 * np.log(2 * np.pi * np.e * variance)[2:], rtol=1e-9)


def test_a_gap_is_masked_with_what_the_filters_remember_of_it_and_never_zero():
    whole, torn = noise(12), noise(12)
    torn[5 * RATE + 7, 1] = np.nan
    features, mask = features_of(torn, SETTINGS)
    settle = math.ceil(BandEntropy(SETTINGS, 3).settle_s)
    assert not mask[5 : 5 + settle, 1].any()
    assert mask[5 + settle :, 1].all()
    assert mask[2:, [0, 2]].all()
    assert np.isnan(features[~mask]).all()
    assert np.isfinite(features[mask]).all()
    untorn, _ = features_of(whole, SETTINGS)
    np.testing.assert_allclose(features[5 + settle + 1 :, 1], untorn[5 + settle + 1 :, 1], atol=0.05)
    np.testing.assert_array_equal(features[2:, 0], untorn[2:, 0])


def test_what_may_not_be_used_is_as_good_as_missing():
    eeg, good = noise(8), np.ones((8 * RATE, 3), np.bool_)
    good[4 * RATE : 5 * RATE, 2] = False
    torn = np.where(good, eeg, np.nan)
    for a, b in zip(features_of(eeg, SETTINGS, good), features_of(torn, SETTINGS), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_flat_channel_has_no_entropy():
    eeg = noise(6)
    eeg[:, 1] = 0.0
    features, mask = features_of(eeg, SETTINGS)
    assert not mask[:, 1].any()
    assert np.isnan(features[:, 1]).all()


def test_against_the_mean_of_the_good_channels():
    signal = SETTINGS.signal.model_copy(update={"average_reference": True})
    eeg = noise(6)
    referenced, _ = features_of(eeg, SETTINGS.model_copy(update={"signal": signal}))
    by_hand, _ = features_of(eeg - eeg.mean(axis=1, keepdims=True), SETTINGS)
    np.testing.assert_allclose(referenced[2:], by_hand[2:])


def test_a_second_of_another_shape_is_a_mistake():
    with pytest.raises(ValueError, match="expected"):
        BandEntropy(SETTINGS, 3)(noise(1, 2))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"signal": SignalSettings(lowpass_hz=40.0, rate_hz=128)}, "band gamma, 30 to 45 Hz, must lie between"),
        ({"bands": ()}, "0 bands"),
        (
            {"bands": (AffectBand(name="a", low_hz=4, high_hz=8), AffectBand(name="a", low_hz=8, high_hz=12))},
            "one name",
        ),
        (
            {"bands": (AffectBand(name="b", low_hz=8, high_hz=12), AffectBand(name="a", low_hz=4, high_hz=8))},
            "must rise",
        ),
        ({"sound_s": 2.5}, "whole seconds"),
    ],
)
def test_impossible_settings_are_refused(changed, words):
    with pytest.raises(ValidationError, match=words):
        AffectSettings(**changed)
