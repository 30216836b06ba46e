"""Sound on the session's grid: features live are features offline, at the true time, and never of invented sound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pytest
import soxr

from rtaffect.predicted.featurizer import features_of
from rtaffect.predicted.sound_input import SoundInput
from tests.support.helpers import BandFeaturizer, sound_source

ORIGIN = 1000.0
RATE = 16_000


def noise(seconds: float, rate: int = RATE, seed: int = 0) -> np.ndarray:
    """Noise whose loudness changes each quarter of a second, so that features tell where they are from."""
    rng = np.random.default_rng(seed)
    n = round(seconds * rate)
    loud = np.repeat(rng.uniform(0.01, 0.3, n // (rate // 4) + 1), rate // 4)[:n]
    return (loud * rng.standard_normal(n)).clip(-1, 1).astype(np.float32)


class Heard(NamedTuple):
    """What came of each step."""

    features: np.ndarray
    seconds: list[np.ndarray | None]
    warming_up: list[bool]


def hear(source, steps: int, come: Mapping[int, float] | None = None) -> Heard:
    """Hear ``source`` step by step; ``come`` says for steps at which sound is late up to where it has come, s."""
    sound = SoundInput(source, BandFeaturizer(context_s=4), ORIGIN)
    features, seconds, warming_up = [], [], []
    for step in range(1, steps + 1):
        source.advance(ORIGIN + (come or {}).get(step, step + sound.lookahead_s))
        sound.advance(step)
        features.append(sound.feature(step))
        seconds.append(sound.second(step))
        warming_up.append(sound.warming_up)
    return Heard(np.array(features), seconds, warming_up)


def offline(sound: np.ndarray) -> np.ndarray:
    return features_of(sound, BandFeaturizer(context_s=4))


def test_features_live_are_features_offline_up_to_the_sounds_last_second():
    sound = noise(11)
    live = hear(sound_source(sound), 11)
    assert live.features.shape == (11, 6)
    np.testing.assert_allclose(live.features, offline(sound), atol=2e-4)
    assert live.warming_up == [True] * 3 + [False] * 8


def test_a_sound_that_starts_later_gives_the_same_features_later():
    sound = noise(9)
    live = hear(sound_source(sound, onset=ORIGIN + 3), 12)
    assert np.isnan(live.features[:3]).all()
    np.testing.assert_allclose(live.features[3:], offline(sound), atol=2e-4)
    assert live.warming_up == [True] * 6 + [False] * 6


@pytest.mark.parametrize("come", [{2: 1.0, 6: 5.0}, {2: 1.25, 6: 5.9}, {5: 4.0, 6: 5.1, 7: 6.5}])
def test_a_second_that_comes_late_is_heard_before_the_next_one(come):
    """Its own step has no feature; those after it are as if it had come in time, also where each is late in a row."""
    sound = noise(10)
    live = hear(sound_source(sound), 10, come)
    in_time = np.array([step not in come for step in range(1, 11)])
    assert np.isnan(live.features[~in_time]).all()
    np.testing.assert_allclose(live.features[in_time], offline(sound)[in_time], atol=2e-4)
    assert live.warming_up == [True] * 3 + [False] * 7


def test_a_second_that_comes_later_than_the_next_step_starts_the_context_anew():
    """Of three seconds that come together, the third last is too late, the second last is heard before the last."""
    sound = noise(10)
    live = hear(sound_source(sound), 10, {5: 4.0, 6: 4.0})
    assert np.isfinite(live.features).all(axis=1).tolist() == [True] * 4 + [False] * 2 + [True] * 4
    np.testing.assert_allclose(live.features[:4], offline(sound)[:4], atol=2e-4)
    np.testing.assert_allclose(live.features[6:], offline(sound[5 * RATE :])[1:], atol=2e-4)
    assert live.warming_up == [True] * 3 + [False] * 2 + [True] * 3 + [False] * 2


def test_after_a_long_stall_no_more_is_caught_up_with_than_the_second_before():
    sound = noise(14)
    live = hear(sound_source(sound), 14, dict.fromkeys(range(3, 10), 2.0))
    assert np.isfinite(live.features).all(axis=1).tolist() == [True] * 2 + [False] * 7 + [True] * 5
    np.testing.assert_allclose(live.features[9:], offline(sound[8 * RATE :])[1:], atol=2e-4)


def test_a_feature_can_be_asked_for_again_only_as_absent():
    """The stream has gone on: nothing but the newest step has a feature, and it is given once."""
    source = sound_source(noise(3))
    sound = SoundInput(source, BandFeaturizer(), ORIGIN)
    source.advance(ORIGIN + 3)
    sound.advance(1)
    assert np.isfinite(sound.feature(1)).all()
    assert np.isnan(sound.feature(1)).all()


@pytest.mark.parametrize("rate", [8000, 44_100, 48_000, 96_000])
def test_other_rates_come_out_at_their_true_time(rate):
    """A slow sweep at any rate is the same sweep on the 16 kHz grid."""
    times = np.arange(6 * rate) / rate
    wave = 0.5 * np.sin(2 * np.pi * (300 * times + 100 * times**2))
    source = sound_source(wave.astype(np.float32), rate=float(rate))
    seconds = hear(source, 5).seconds
    grid = np.arange(1 * RATE, 5 * RATE) / RATE
    expected = 0.5 * np.sin(2 * np.pi * (300 * grid + 100 * grid**2))
    found = np.concatenate(seconds[1:])
    assert len(found) == 4 * RATE
    assert np.abs(found - expected)[100:].max() < 2e-3


def test_resampled_sound_is_soxrs():
    wave = noise(5, 48_000)
    source = sound_source(wave, rate=48_000.0)
    seconds = hear(source, 4).seconds
    whole = soxr.resample(wave, 48_000, 16_000)[: 4 * RATE]
    np.testing.assert_allclose(np.concatenate(seconds), whole, atol=1e-3)


def test_a_gap_is_not_filled_and_the_context_grows_anew():
    sound = noise(12)
    sound[round(4.3 * RATE) : round(4.6 * RATE)] = np.nan
    live = hear(sound_source(sound), 11)
    assert np.isfinite(live.features).all(axis=1).tolist() == [True] * 4 + [False] + [True] * 6
    whole = offline(noise(12))
    np.testing.assert_allclose(live.features[:4], whole[:4], atol=2e-4)
    # From second 5 on there is one second of context, then two, ... : what starting there would give.
    fresh = offline(noise(12)[5 * RATE :])
    np.testing.assert_allclose(live.features[5:8], fresh[:3], atol=2e-4)
    np.testing.assert_allclose(live.features[8:11], whole[8:11], atol=2e-4)
    assert live.warming_up == [True] * 3 + [False] * 2 + [True] * 3 + [False] * 3
    assert [second is None for second in live.seconds] == [False] * 4 + [True] + [False] * 6


def test_a_break_in_time_is_a_gap():
    sound = noise(8)
    source = sound_source(sound)
    sound_input = SoundInput(source, BandFeaturizer(), ORIGIN)
    stamps = ORIGIN + np.arange(len(sound)) / RATE
    stamps[round(4.25 * RATE) :] += 1.5
    seconds, features = [], []
    for step in range(1, 9):
        until = ORIGIN + step + sound_input.lookahead_s
        part = (stamps <= until) & (stamps > until - 1 - (step == 1))
        for at in np.array_split(np.flatnonzero(part), 10):
            source.buffer.push(sound[at][:, None], stamps[at])
        sound_input.advance(step)
        seconds.append(sound_input.second(step))
        features.append(sound_input.feature(step))
    assert np.isfinite(features).all(axis=1).tolist() == [True] * 4 + [False, False, True, True]
    after = sound[round(4.5 * RATE) : round(6.5 * RATE)]
    np.testing.assert_allclose(np.concatenate(seconds[6:]), after, atol=1e-3)
    np.testing.assert_allclose(features[6:], offline(after), atol=2e-4)


def test_no_sound_is_no_feature():
    live = hear(sound_source(noise(3), onset=ORIGIN + 100), 3)
    assert np.isnan(live.features).all()
    assert live.features.shape == (3, 6)
    assert live.seconds == [None] * 3
    assert live.warming_up == [True] * 3


def test_a_drifting_sound_card_is_read_at_its_true_time():
    """A card that runs 200 ppm slow delivers a second's sound in 1.0002 s; clicks stay where they are."""
    seconds, ppm = 25, 200
    true_rate = RATE * (1 - ppm * 1e-6)
    stamps = np.arange(round(seconds * true_rate)) / true_rate
    wave = (0.5 * np.sin(2 * np.pi * 440 * stamps)).astype(np.float32)
    source = sound_source(wave)
    sound, heard = SoundInput(source, BandFeaturizer(), ORIGIN), []
    for step in range(1, 24):
        until = step + sound.lookahead_s
        part = np.flatnonzero((stamps <= until) & (stamps > until - 1 - (step == 1)))
        for at in np.array_split(part, 25):
            source.buffer.push(wave[at][:, None], ORIGIN + stamps[at])
        sound.advance(step)
        heard.append(sound.second(step))
    grid = np.arange(19 * RATE, 23 * RATE) / RATE
    assert np.abs(np.concatenate(heard[19:]) - 0.5 * np.sin(2 * np.pi * 440 * grid)).max() < 0.02


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_when_jittered_sound_comes_does_not_move_it(rate):
    """A device whose stamps wander by milliseconds: in small pieces, in large ones, and late."""
    rng, count = np.random.default_rng(1), 8 * rate
    samples = noise(8, rate)
    blocks = np.repeat(rng.normal(0, 0.003, count // 441 + 1), 441)[:count]
    stamps = ORIGIN - 0.4 + np.arange(count) / rate * (1 + 80e-6) + blocks

    def seconds(pieces: list[float], late: float) -> list[np.ndarray | None]:
        source = sound_source(samples, rate=float(rate))
        sound = SoundInput(source, BandFeaturizer(), ORIGIN)
        at, found = 0, []
        for step in range(1, 8):
            for piece in pieces:
                stop = round(np.searchsorted(stamps, ORIGIN + step - 1 + piece + sound.lookahead_s - late))
                stop = max(at, min(stop, count))
                source.buffer.push(samples[at:stop, None], stamps[at:stop])
                at = stop
            sound.advance(step)
            found.append(sound.second(step - 1) if step > 1 else None)
        return found

    prompt = seconds([1.0], 0.0)
    assert all(second is not None for second in prompt[1:])
    for pieces, late in (([0.1, 0.35, 0.8, 1.0], 0.0), ([0.5, 1.0], 0.3), ([1.0], 0.05)):
        for a, b in zip(prompt, seconds(pieces, late), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("rate", [8000, 11_025, 22_050, 32_000, 44_100, 48_000, 96_000])
def test_a_second_is_there_as_soon_as_its_look_ahead_says_and_no_sooner_is_promised(rate):
    source = sound_source(noise(4, rate), rate=rate)
    sound = SoundInput(source, BandFeaturizer(), ORIGIN)
    assert sound.lookahead_s < 0.13
    for step in (1, 2, 3):
        until = ORIGIN + step + sound.lookahead_s
        for early in (0.4, 0.1, 0.013):
            source.advance(until - early)
            sound.prepare(step)
        source.advance(until)
        sound.advance(step)
        assert sound.second(step) is not None
