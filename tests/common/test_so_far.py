"""Whether there is synchrony at all: how often chance says so, at once and at any time, and who truly is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtr

from rtaffect.common.settings import SynchronySettings
from rtaffect.common.so_far import SoFar, SynchronySoFar, displaced_windows, in_words, so_far_of

SETTINGS = SynchronySettings()
WINDOW_S, SPREAD, CENTRE = SETTINGS.window_s, 0.08, 0.04


def session(rng: np.random.Generator, steps: int, excess: float = 0.0) -> list[SoFar]:
    """What is told at each step of a session, whose windows overlap and whose band is of ten that share no data."""
    seconds = rng.standard_normal(steps + WINDOW_S - 1)
    z = CENTRE + excess + SPREAD * np.convolve(seconds, np.ones(WINDOW_S), "valid") / math.sqrt(WINDOW_S)
    # The centre is the mean of ten displaced windows that share no data, and moves on as those do.
    others = rng.standard_normal(steps + WINDOW_S - 1)
    centre = CENTRE + SPREAD * np.convolve(others, np.ones(WINDOW_S), "valid") / math.sqrt(10 * WINDOW_S)
    low, high = np.tanh(centre - 1.959964 * SPREAD), np.tanh(centre + 1.959964 * SPREAD)
    return so_far_of(np.tanh(z), low, high, SETTINGS, np.zeros(steps, np.bool_))


def test_chance_seldom_says_that_there_is_synchrony_however_often_one_looks():
    rng = np.random.default_rng(1)
    sessions = [session(rng, 400) for _ in range(120)]
    ever = np.mean([any(found.beyond for found in each) for each in sessions])
    assert ever <= 0.08, "nominal 5 % at most; 120 sessions tell it to .02"
    # Who looks at p again and again finds it below .05 far more often, and at the end as often as it says.
    assert np.mean([any(found.p < 0.05 for found in each if found.told) for each in sessions]) > 0.15
    assert np.mean([each[-1].p < 0.05 for each in sessions]) == pytest.approx(0.05, abs=0.06)


def test_synchrony_is_found_and_its_size_is_told():
    rng = np.random.default_rng(2)
    sessions = [session(rng, 400, 0.06) for _ in range(25)]
    assert np.mean([each[-1].beyond for each in sessions]) > 0.8
    assert np.mean([each[-1].mean for each in sessions]) == pytest.approx(0.06, abs=0.01)


def test_p_is_by_the_variance_of_a_sum_over_steps_that_share_data():
    rng = np.random.default_rng(3)
    there = rng.random(60) < 0.8
    sums = SynchronySoFar(SETTINGS)
    for present in there:
        values = (0.1, -0.2, 0.2) if present else (math.nan,) * 3
        found = sums.add(*values, reference=False)
    lags = np.abs(np.subtract.outer(np.arange(60), np.arange(60)))
    shared = np.maximum(0.0, 1 - lags / WINDOW_S)[np.ix_(there, there)].sum()
    shared *= 1 + 1 / displaced_windows(SETTINGS, reference=False)
    u = math.atanh(0.1) / (math.atanh(0.2) / 1.959964)
    assert found.steps == there.sum()
    assert found.p == pytest.approx(2 * ndtr(-u * there.sum() / math.sqrt(shared)), rel=1e-5)


def test_too_little_tells_nothing():
    sums = SynchronySoFar(SETTINGS)
    for _ in range(3 * WINDOW_S - 1):
        found = sums.add(0.3, -0.1, 0.1, reference=True)
    assert not found.told
    assert not found.beyond
    assert "too few values yet" in in_words(found, reference=True)
    assert sums.add(0.3, -0.1, 0.1, reference=True).beyond
    assert sums.add(math.nan, -0.1, 0.1, reference=True).steps == 30


def test_a_reference_has_a_null_on_both_sides():
    assert displaced_windows(SETTINGS, reference=True) == 2 * displaced_windows(SETTINGS, reference=False) == 20


def test_it_is_told_in_words():
    told = [SoFar(300, mean, -0.03, 0.03, 0.01) for mean in (0.05, 0.01, -0.05)]
    words = [in_words(each, reference=False) for each in told]
    assert words[0].startswith("synchrony among the people who are here: +0.050 beyond the null over 300 s")
    assert words[1].startswith("no synchrony among the people who are here that could be told from chance so far")
    assert words[2].startswith("less synchrony")
