"""How often success comes by chance: what is told, against simulated noise, and the threshold that goes on learning."""

from __future__ import annotations

import numpy as np
import pytest

from rtaffect.protocol.success_by_chance import about_success, effective_values, success_range, values_needed
from tests.support.protocol_files import protocol_of

WINDOW_S, SMOOTHING_S = 10, 5
KERNEL = np.convolve(np.ones(WINDOW_S), np.ones(SMOOTHING_S))


def noise(rng: np.random.Generator, steps: int) -> np.ndarray:
    return np.convolve(rng.standard_normal(steps + len(KERNEL) - 1), KERNEL, "valid")


@pytest.mark.parametrize("values", [30, 170, 590])
def test_the_range_is_that_of_simulated_sessions(values):
    """Medians of baselines of noise, and the share of a long course of the same noise above them."""
    rng = np.random.default_rng(values)
    later = np.sort(noise(rng, 200_000))
    medians = [np.median(noise(rng, values)) for _ in range(1500)]
    share = 1 - np.searchsorted(later, medians) / len(later)
    assert success_range(values, WINDOW_S, SMOOTHING_S) == pytest.approx(np.quantile(share, [0.025, 0.975]), abs=0.045)
    assert share.mean() == pytest.approx(0.5, abs=0.02)


def test_the_needed_length_is_enough_and_one_less_is_not():
    needed = values_needed(0.1, WINDOW_S, SMOOTHING_S)
    low, high = success_range(needed, WINDOW_S, SMOOTHING_S)
    assert low >= 0.4
    assert high <= 0.6
    assert success_range(needed - 1, WINDOW_S, SMOOTHING_S)[0] < 0.4
    assert effective_values(needed, WINDOW_S, SMOOTHING_S) == pytest.approx(95, abs=6)


BLOCKS = (
    {"kind": "baseline", "name": "Baseline", "duration_s": 180},
    {"kind": "feedback", "name": "Run", "duration_s": 600},
)


def test_a_short_baseline_is_told_with_what_would_do():
    (line,) = about_success(protocol_of(BLOCKS), WINDOW_S)
    needed = values_needed(0.1, WINDOW_S, SMOOTHING_S)
    assert "rests on 170 values, about 19 independent ones" in line
    assert "from 29% to 71% of the steps" in line
    assert f"let the baseline last {(needed + 10) // 60}:{(needed + 10) % 60:02d}" in line
    assert f"feedback.learn_s = {needed - 170}" in line
    assert "\n" not in line


@pytest.mark.parametrize(
    "rule",
    [
        {"scale": "adaptive"},
        {"scale": "null"},
        {"scale": "baseline", "threshold": 0.1},
        {"scale": "baseline", "learn_s": 900},
    ],
)
def test_where_it_is_near_one_half_or_not_by_the_baseline_nothing_is_told(rule):
    blocks = (BLOCKS[0], {**BLOCKS[1], "duration_s": 900}) if "learn_s" in rule else BLOCKS
    assert not list(about_success(protocol_of(blocks, rule=rule), WINDOW_S))
    long = ({**BLOCKS[0], "duration_s": 900}, BLOCKS[1])
    assert not list(about_success(protocol_of(long), WINDOW_S))


def test_what_takes_no_account_of_the_null_band_is_told_with_the_way_out():
    (line,) = about_success(protocol_of(BLOCKS), WINDOW_S)
    assert line.endswith("or write format = 2, whose scale knows the null band")
    assert not list(about_success(protocol_of(BLOCKS, format=2), WINDOW_S))
    (line,) = about_success(protocol_of(BLOCKS, rule={"scale": "fixed", "low": 0.0, "high": 0.1}), WINDOW_S)
    assert line.startswith("scale = fixed takes no account of the null band")
    assert not list(about_success(protocol_of(BLOCKS[:1], rule={"scale": "fixed", "low": 0.0, "high": 0.1}), WINDOW_S))
