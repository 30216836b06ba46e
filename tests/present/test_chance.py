"""What agreement would be by chance, against numpy, and against courses that have nothing in common."""

from __future__ import annotations

import numpy as np
import pytest

from rtaffect.present.chance import (
    chance_correlation,
    chance_distance,
    correlations,
    running,
    running_correlations,
    shifted,
)

WINDOW = 10


def course(steps: int, rng: np.random.Generator, slow: float = 0.0) -> np.ndarray:
    """Return noise in overlapping windows of ten steps, and slower noise with it."""
    fast = np.convolve(rng.normal(size=steps + WINDOW - 1), np.ones(WINDOW) / WINDOW, "valid")
    return fast + slow * np.convolve(rng.normal(size=steps + 59), np.ones(60) / 60, "valid")


def holes(values: np.ndarray, rng: np.random.Generator, share: float = 0.1) -> np.ndarray:
    return np.where(rng.random(values.shape) < share, np.nan, values)


def test_correlations_are_numpys_over_the_steps_with_both() -> None:
    rng = np.random.default_rng(0)
    x, y = holes(rng.normal(size=(5, 80)), rng), holes(rng.normal(size=80), rng)
    expected = []
    for line in x:
        both = np.isfinite(line) & np.isfinite(y)
        expected.append(np.corrcoef(line[both], y[both])[0, 1])
    np.testing.assert_allclose(correlations(x, y), expected)
    assert np.isnan(correlations(np.ones((1, 80)), y)).all()


def test_shifts_are_circles_by_a_window_or_more() -> None:
    found = shifted(np.arange(50.0), WINDOW)
    assert found.time_courses.shape == (31, 50)
    assert found.independent == pytest.approx(3.1)
    np.testing.assert_array_equal(found.time_courses[0], np.roll(np.arange(50.0), WINDOW))
    np.testing.assert_array_equal(found.time_courses[-1], np.roll(np.arange(50.0), -WINDOW))
    assert len(shifted(np.arange(1000.0), WINDOW).time_courses) <= 72


def test_running_correlations_are_numpys_in_each_window() -> None:
    rng = np.random.default_rng(1)
    x, y = holes(rng.normal(size=(2, 90)), rng), holes(rng.normal(size=90), rng)
    found = running_correlations(x + 40, y - 7, 30)
    assert np.isnan(found[:, :29]).all()
    for end in range(29, 90):
        part = slice(end - 29, end + 1)
        both = np.isfinite(x[:, part]) & np.isfinite(y[part])
        for line, there in enumerate(both):
            expected = np.corrcoef(x[line, part][there], y[part][there])[0, 1] if there.sum() >= 24 else np.nan
            np.testing.assert_allclose(found[line, end], expected, atol=1e-9)


@pytest.mark.parametrize(("steps", "slow"), [(120, 0.0), (300, 1.0)])
def test_one_in_twenty_unrelated_time_courses_lies_outside(steps: int, slow: float) -> None:
    rng = np.random.default_rng(2)
    outside = np.zeros(3)
    for _ in range(300):
        x, y = course(steps, rng, slow), course(steps, rng, slow)
        r, distance = float(np.corrcoef(x, y)[0, 1]), float(np.abs(x - y).mean())
        by_chance, apart = chance_correlation(x, y, WINDOW), chance_distance(x, y, WINDOW)
        assert by_chance is not None
        assert apart is not None
        of_steps = 1.96 / np.sqrt(steps - 3)
        outside += (
            not by_chance[0] <= r <= by_chance[1],
            not apart[0] <= distance <= apart[1],
            abs(np.arctanh(r)) > of_steps,
        )
    share = outside / 300
    assert 0.02 <= share[0] <= 0.1
    assert 0.02 <= share[1] <= 0.1
    assert share[2] > 0.3, "steps taken for independent would call noise an agreement"


def test_time_courses_that_belong_together_lie_outside() -> None:
    rng = np.random.default_rng(3)
    x = course(300, rng)
    y = x + 0.5 * course(300, rng)
    by_chance, apart, found = (f(x, holes(y, rng), WINDOW) for f in (chance_correlation, chance_distance, running))
    assert by_chance is not None
    assert apart is not None
    assert found.chance is not None
    assert np.corrcoef(x, y)[0, 1] > by_chance[1]
    assert np.abs(x - y).mean() < apart[0]
    assert np.nanmedian(found.r) > found.chance[1]
    assert found.steps == 120


def test_too_few_steps_tell_nothing() -> None:
    rng = np.random.default_rng(4)
    x, y = course(200, rng), course(200, rng)
    few = np.where(np.arange(200) < 119, y, np.nan)
    assert chance_correlation(x[:119], y[:119], WINDOW) is None
    assert chance_correlation(x, few, WINDOW) is None
    assert chance_distance(x, few, WINDOW) is None
    assert running(x, few, WINDOW).chance is None
    assert running(x[:50], y[:50], WINDOW).chance is None
    assert np.isnan(running(np.empty(0), np.empty(0), WINDOW).r).all()
    assert chance_correlation(np.ones(200), y, WINDOW) is None
