"""Clicks are heard where they were planted, in noise, too, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from rtaffect.checks.clicks_heard import SAMPLE_RATE, clicks_heard
from rtaffect.run.certify_clicks import click_times, sound_of

CLICKS = click_times(6, 26)
SECONDS = 28


def captured(delay_s: float, noise: float = 1e-4, jitter_s: float = 0.0, level: float = 1.0) -> np.ndarray:
    """What is captured of clicks that come ``delay_s`` later, in white noise of that standard deviation."""
    rng = np.random.default_rng(abs(round(1e4 * delay_s)))
    times = CLICKS + delay_s + rng.normal(0.0, jitter_s, len(CLICKS))
    sound = level * sound_of(times, SECONDS, SAMPLE_RATE)[:, 0].astype(np.float64)
    return sound + rng.normal(0.0, noise, len(sound))


@pytest.mark.parametrize("delay_s", [-0.03, 0.0, 0.0123, 0.25, 0.61])
@pytest.mark.parametrize("noise", [1e-4, 0.1, 0.5])
def test_a_planted_delay_is_found_in_noise_that_hides_single_clicks(delay_s: float, noise: float) -> None:
    heard = clicks_heard(captured(delay_s, noise), CLICKS)
    assert heard.latency_s == pytest.approx(delay_s, abs=5e-5)
    assert heard.why == ""
    assert (heard.found >= 10) == np.isfinite(heard.high_s) == (noise < 0.3)


def test_jitter_is_shown_as_spread() -> None:
    heard = clicks_heard(captured(0.1, jitter_s=0.001), CLICKS)
    assert heard.latency_s == pytest.approx(0.1, abs=0.001)
    assert 0.002 < heard.high_s - heard.low_s < 0.005


def test_mains_hum_and_rumble_below_the_clicks_do_not_matter() -> None:
    at = np.arange(SECONDS * SAMPLE_RATE) / SAMPLE_RATE
    hum = 0.5 * np.sin(2 * np.pi * 50 * at)
    assert clicks_heard(captured(0.04) + hum, CLICKS).latency_s == pytest.approx(0.04, abs=5e-5)


def test_a_click_that_is_turned_over_is_heard_in_its_place() -> None:
    assert clicks_heard(captured(0.04, level=-0.5), CLICKS).latency_s == pytest.approx(0.04, abs=5e-5)


@pytest.mark.parametrize("seed", range(5))
def test_noise_alone_is_not_heard(seed: int) -> None:
    sound = np.random.default_rng(seed).normal(0.0, 0.1, SECONDS * SAMPLE_RATE)
    heard = clicks_heard(sound, CLICKS)
    assert np.isnan(heard.latency_s)
    assert "were found in a sound of -20 dB" in heard.why


def test_silence_says_so() -> None:
    heard = clicks_heard(np.zeros(SECONDS * SAMPLE_RATE), CLICKS)
    assert np.isnan(heard.latency_s)
    assert "silent" in heard.why


def test_clicks_of_another_program_are_not_ours() -> None:
    others = np.random.default_rng(3).uniform(6, 26, 40)
    sound = sound_of(np.sort(others), SECONDS, SAMPLE_RATE)[:, 0].astype(np.float64)
    sound += np.random.default_rng(4).normal(0.0, 1e-3, len(sound))
    assert np.isnan(clicks_heard(sound, CLICKS).latency_s)


def test_what_is_beyond_the_search_is_not_heard_near() -> None:
    assert np.isnan(clicks_heard(captured(1.3), CLICKS).latency_s)


def test_clicks_at_two_places_half_and_half_have_no_place() -> None:
    times = CLICKS + np.where(np.arange(len(CLICKS)) % 2, 0.05, 0.2)
    sound = sound_of(times, SECONDS, SAMPLE_RATE)[:, 0].astype(np.float64) + 1e-4
    heard = clicks_heard(sound, CLICKS)
    assert np.isnan(heard.latency_s)
    assert "clicks were found" in heard.why


def test_a_hole_in_what_was_captured_leaves_out_its_clicks() -> None:
    sound = captured(0.02)
    sound[10 * SAMPLE_RATE : 15 * SAMPLE_RATE] = np.nan
    heard = clicks_heard(sound, CLICKS)
    assert heard.latency_s == pytest.approx(0.02, abs=5e-5)
    assert heard.found < 16
    sound[8 * SAMPLE_RATE : 23 * SAMPLE_RATE] = np.nan
    assert "gaps" in clicks_heard(sound, CLICKS).why
