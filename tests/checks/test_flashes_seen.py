"""Flashes are seen where they were planted, misses are counted, and what is not there is not seen."""

from __future__ import annotations

from collections.abc import Container

import numpy as np
import pytest

from rtaffect.checks.flashes_seen import Flash, flashes_seen
from rtaffect.checks.flashing import Flashing


def flashes(count: int = 40) -> list[Flash]:
    """Flashes as they would be painted by a screen without delay."""
    plan = Flashing(count, 1000.0)
    at = np.arange(1000.0, plan.end + 1, 0.001)
    for each in at:
        plan.painted(plan.white(each), float(each))
    return plan.flashes()


FLASHES = flashes()


def light(
    delay_s: float = 0.03,
    *,
    rate: float = 1000.0,
    noise: float = 0.02,
    misses: Container[int] = (),
    jitter_s: float = 0.0,
    pulsed: float | None = None,
    of: list[Flash] = FLASHES,
) -> tuple[np.ndarray, np.ndarray]:
    """What a photodiode sends; ``pulsed``: for that part of each period of 60 Hz there is light at all."""
    rng = np.random.default_rng(2)
    times = np.arange(998.0, of[-1].black + 2, 1 / rate)
    values = np.zeros(len(times))
    for number, flash in enumerate(of):
        later = delay_s + rng.uniform(-jitter_s, jitter_s)
        if number not in misses:
            values[(times >= flash.white + later) & (times < flash.black + later)] = 1.0
    if pulsed is not None:
        values *= (times * 60) % 1 < pulsed
    return times, values + rng.normal(0.0, noise, len(times))


@pytest.mark.parametrize("delay_s", [-0.01, 0.0, 0.0333, 0.12, 0.4])
@pytest.mark.parametrize("rate", [250.0, 1000.0, 5000.0])
def test_a_planted_delay_is_found_at_any_rate(delay_s: float, rate: float) -> None:
    seen = flashes_seen(*light(delay_s, rate=rate), FLASHES)
    assert seen.percentile(50) == pytest.approx(delay_s, abs=0.6 / rate + 2e-4)
    assert seen.missed == 0


def test_planted_misses_are_counted_and_are_those() -> None:
    misses = (3, 10, 11, 30)
    seen = flashes_seen(*light(misses=misses), FLASHES)
    assert tuple(np.flatnonzero(np.isnan(seen.latencies_s))) == misses
    assert seen.percentile(50) == pytest.approx(0.03, abs=6e-4)


@pytest.mark.parametrize("noise", [0.2, 0.5])
def test_noise_moves_the_median_little(noise: float) -> None:
    seen = flashes_seen(*light(noise=noise), FLASHES)
    assert seen.percentile(50) == pytest.approx(0.03, abs=1e-3)


@pytest.mark.parametrize("noise", [1.5, 4.0])
def test_noise_that_hides_the_edges_leaves_no_value(noise: float) -> None:
    seen = flashes_seen(*light(noise=noise), FLASHES)
    assert seen.why
    assert np.isnan(seen.percentile(50))


def test_the_spread_is_that_of_the_screen() -> None:
    seen = flashes_seen(*light(jitter_s=0.008), FLASHES)
    assert 0.012 < seen.percentile(95) - seen.percentile(5) < 0.016


def test_light_that_falls_drifts_and_is_in_microvolts_is_seen() -> None:
    times, values = light(0.05)
    seen = flashes_seen(times, -37.0 * values + 20 * np.sin(times / 7) + 4000, FLASHES)
    assert seen.percentile(50) == pytest.approx(0.05, abs=6e-4)
    assert seen.missed == 0


@pytest.mark.parametrize("pulsed", [0.15, 0.5])
def test_a_screen_that_pulses_is_seen_to_half_a_period(pulsed: float) -> None:
    seen = flashes_seen(*light(pulsed=pulsed), FLASHES)
    assert seen.percentile(50) == pytest.approx(0.03, abs=0.5 / 60)


def test_what_is_not_there_is_not_seen() -> None:
    rng = np.random.default_rng(5)
    times, values = light(misses=range(40), noise=1.0)
    assert "pattern of the flashes is not in its light" in flashes_seen(times, values, FLASHES).why
    assert "never change" in flashes_seen(times, np.full(len(times), 3.0), FLASHES).why
    others = [Flash(at, at + 0.2) for at in 1001.5 + np.cumsum(rng.uniform(0.5, 0.9, 40))]
    assert np.isnan(flashes_seen(*light(of=others), FLASHES).percentile(50))
    flicker = (times * 1.43) % 1 < 0.3
    assert np.isnan(flashes_seen(times, flicker + rng.normal(0, 0.02, len(times)), FLASHES).percentile(50))


def test_most_flashes_missed_is_not_seen() -> None:
    seen = flashes_seen(*light(misses=[n for n in range(40) if n % 4]), FLASHES)
    assert "flashes" in seen.why
    assert np.isnan(seen.percentile(50))


def test_a_stream_that_ends_early_or_has_a_hole_gives_no_wrong_value() -> None:
    times, values = light()
    half = times < 1012
    assert "does not cover" in flashes_seen(times[half], values[half], FLASHES).why
    there = (times < 1008) | (times > 1010)
    seen = flashes_seen(times[there], values[there], FLASHES)
    assert seen.percentile(50) == pytest.approx(0.03, abs=6e-4)
    assert 1 <= seen.missed <= 6


def test_few_flashes_tell_nothing() -> None:
    assert "5 flashes were painted" in flashes_seen(*light(), FLASHES[:5]).why
