"""What the display says of chance beside the correlation, against numpy."""

from __future__ import annotations

import numpy as np
import pytest

from rtaffect.present.chance import chance_distance, running, running_correlations
from tests.support.slow_courses import WINDOW, holes, slow_course


def test_running_correlations_are_numpys_in_each_window() -> None:
    rng = np.random.default_rng(1)
    x, y = holes(rng.normal(size=(2, 90)), rng), holes(rng.normal(size=90), rng)
    found = running_correlations(np.tanh(0.1 * x + 2), np.tanh(0.1 * y - 1), 30)
    assert np.isnan(found[:, :29]).all()
    for end in range(29, 90):
        part = slice(end - 29, end + 1)
        both = np.isfinite(x[:, part]) & np.isfinite(y[part])
        for line, there in enumerate(both):
            expected = np.corrcoef(x[line, part][there], y[part][there])[0, 1] if there.sum() >= 24 else np.nan
            np.testing.assert_allclose(found[line, end], expected, atol=1e-9)


@pytest.mark.parametrize(("steps", "slow"), [(120, 0.0), (300, 1.0)])
def test_one_in_twenty_differences_of_unrelated_time_courses_lies_outside(steps: int, slow: float) -> None:
    rng = np.random.default_rng(2)
    outside = 0
    for _ in range(300):
        x, y = slow_course(steps, rng, slow), slow_course(steps, rng, slow)
        apart = chance_distance(x, y, WINDOW)
        assert apart is not None
        outside += not apart[0] <= float(np.abs(x - y).mean()) <= apart[1]
    assert 0.02 <= outside / 300 <= 0.1


def test_time_courses_that_belong_together_lie_outside() -> None:
    rng = np.random.default_rng(3)
    x = slow_course(300, rng)
    y = np.tanh(np.arctanh(x) + 0.5 * np.arctanh(slow_course(300, rng)))
    apart, found = (f(x, holes(y, rng), WINDOW) for f in (chance_distance, running))
    assert apart is not None
    assert found.chance is not None
    assert np.abs(x - y).mean() < apart[0]
    assert np.nanmedian(found.r) > found.chance[1]
    assert found.steps == 120


def test_courses_that_merely_trend_are_no_nearer_than_chance() -> None:
    rng = np.random.default_rng(5)
    wanes, near, high = np.exp(-np.arange(300) / 100) - 0.5, 0, 0
    for _ in range(60):
        x, y = (np.tanh(np.arctanh(slow_course(300, rng)) + wanes) for _ in range(2))
        apart, found = chance_distance(x, y, WINDOW), running(x, y, WINDOW)
        assert apart is not None
        assert found.chance is not None
        near += np.abs(x - y).mean() < apart[0]
        high += np.nanmedian(found.r) > found.chance[1]
    assert near <= 6
    assert high <= 6


def test_too_few_steps_tell_nothing() -> None:
    rng = np.random.default_rng(4)
    x, y = slow_course(200, rng), slow_course(200, rng)
    few = np.where(np.arange(200) < 119, y, np.nan)
    assert chance_distance(x, few, WINDOW) is None
    assert running(x, few, WINDOW).chance is None
    assert running(x[:50], y[:50], WINDOW).chance is None
    assert np.isnan(running(np.empty(0), np.empty(0), WINDOW).r).all()
