"""Bad channels are found within seconds, good ones are left alone, and chunking changes nothing."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtaffect.common.settings import QualitySettings, Settings, SignalSettings
from rtaffect.observed.channel_quality import COMPARED_S, ChannelJudge, MainsMeter
from rtaffect.observed.participant import Participant
from tests.support.helpers import headset

RATE = 250.0
CHANNELS = tuple(f"C{i}" for i in range(16))
ORIGIN = 1000.0


def scalp(seconds: float, channels: int = 16, seed: int = 0) -> np.ndarray:
    """EEG-like volts (n, channels): 1/f sources that neighbours share, and a little noise of each channel's own."""
    rng = np.random.default_rng(seed)
    n = round(seconds * RATE)
    spectrum = rng.standard_normal((n // 2 + 1, 6)) + 1j * rng.standard_normal((n // 2 + 1, 6))
    sources = np.fft.irfft(spectrum / np.maximum(np.arange(n // 2 + 1), 1)[:, None] ** 0.5, n, axis=0)
    angle = np.linspace(0, 2 * np.pi, channels, endpoint=False)[:, None] - np.linspace(0, 2 * np.pi, 6, endpoint=False)
    mixed = sources @ np.exp(2 * np.cos(angle)).T
    mixed *= 12e-6 / mixed.std(axis=0)
    return mixed + 2e-6 * rng.standard_normal((n, channels))


def judged(samples: np.ndarray, seconds: int, mains_hz: float = 50.0) -> np.ndarray:
    """Good or not (seconds, channels), as a session judges."""
    source = headset(samples, channels=CHANNELS[: samples.shape[1]], rate=RATE)
    names = CHANNELS[: samples.shape[1]]
    listener = Participant(source, names, Settings(signal=SignalSettings(mains_hz=mains_hz)), ORIGIN)
    good = []
    for step in range(1, seconds + 1):
        source.advance(ORIGIN + step + listener.lookahead_s)
        listener.advance(step)
        good.append(listener.quality(step, 1) > 0.5)
    return np.array(good)


def test_good_channels_are_left_alone():
    assert judged(scalp(41), 40)[2:].all()


def test_a_channel_that_shares_nothing_with_the_others_is_found():
    samples = scalp(31)
    samples[:, 3] = 12e-6 * np.random.default_rng(9).standard_normal(len(samples))
    good = judged(samples, 30)
    assert not good[9:, 3].any()
    assert np.delete(good, 3, axis=1)[2:].all()


def test_independent_channels_are_not_all_called_bad():
    noise = 12e-6 * np.random.default_rng(2).standard_normal((round(21 * RATE), 16))
    assert judged(noise, 20)[2:].all()


def test_a_channel_far_from_the_others_power_is_found_and_comes_back():
    samples = scalp(41)
    samples[round(10 * RATE) : round(20 * RATE), 5] *= 0.03
    good = judged(samples, 40)
    assert good[2:10, 5].all()
    assert not good[14:20, 5].any()
    assert good[27:, 5].all()
    assert np.delete(good, 5, axis=1)[2:].all()


@pytest.mark.parametrize("mains_hz", [50.0, 60.0])
def test_a_channel_that_hums_is_found_though_the_notch_cleans_it(mains_hz):
    samples = scalp(21)
    samples[:, 7] += 400e-6 * np.sin(2 * np.pi * mains_hz * np.arange(len(samples)) / RATE)
    samples[:, 8] += 30e-6 * np.sin(2 * np.pi * mains_hz * np.arange(len(samples)) / RATE)
    good = judged(samples, 20, mains_hz)
    assert not good[5:, 7].any()
    assert np.delete(good, 7, axis=1)[2:].all()


def test_a_few_channels_are_not_compared_with_each_other():
    samples = scalp(21, channels=4)
    samples[:, 2] = 4e-6 * np.random.default_rng(9).standard_normal(len(samples))
    assert judged(samples, 20)[2:].all()


def test_one_bad_second_does_not_make_a_bad_channel():
    judge = ChannelJudge(SignalSettings(), QualitySettings(), 16)
    samples = scalp(20)[:2000]
    states = []
    for second in range(20):
        recent = samples[max(0, second - COMPARED_S + 1) * 100 : (second + 1) * 100]
        mains = np.full(16, 1e-3 if second in (8, 10, 12, 13) else 0.0)
        states.append(judge(recent, mains).all())
    assert all(states)


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(0, 1500), max_size=6), offset=st.sampled_from([0.0, 0.3, -0.15]))
def test_mains_are_measured_whatever_the_chunks_and_the_offset(cuts, offset):
    rate, n = 256.0, 1536
    times = np.arange(n) / rate + np.random.default_rng(1).uniform(-5e-5, 5e-5, n) + 0.0013
    wave = np.stack([80e-6 * np.sqrt(2) * np.sin(2 * np.pi * 50 * times + 1), np.zeros(n)], axis=1) + offset
    wave[300:330] = np.nan
    meter = MainsMeter(50.0, rate, 2)
    edges = sorted({0, *cuts, n})
    for a, b in pairwise(edges):
        meter.add(wave[a:b], times[a:b])
    for second in range(5):
        np.testing.assert_allclose(meter.take(second), [80e-6, 0.0], atol=3e-6 + 3e-5 * abs(offset))


def test_mains_that_cannot_be_known_are_not():
    meter = MainsMeter(50.0, 250.0, 1)
    meter.add(np.ones((100, 1)), np.arange(100) / 250.0)
    assert np.isnan(meter.take(0)).all()
    assert np.isnan(meter.take(7)).all()
    for mains_hz, rate in ((0.0, 250.0), (50.0, 80.0)):
        meter = MainsMeter(mains_hz, rate, 1)
        meter.add(np.ones((1000, 1)), np.arange(1000) / rate)
        assert np.isnan(meter.take(1)).all()
