"""What agreement would be by chance, against numpy, and against time courses that have nothing in common."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from rtaffect.common.chance import LEVEL, correlate, correlation_by_chance, drift_caution, shifted
from rtaffect.common.settings import NO_DRIFT
from tests.support.slow_courses import WINDOW, holes, slow_course


def test_correlations_are_numpys_of_fisher_z_over_the_steps_with_both() -> None:
    rng = np.random.default_rng(0)
    x, y = holes(np.tanh(rng.normal(size=(5, 80))), rng), holes(np.tanh(rng.normal(size=80)), rng)
    expected = []
    for line in x:
        both = np.isfinite(line) & np.isfinite(y)
        expected.append(np.corrcoef(np.arctanh(line[both]), np.arctanh(y[both]))[0, 1])
    np.testing.assert_allclose(correlate(x, y), expected)
    assert np.isnan(correlate(np.full((1, 80), 0.1), y)).all()
    assert np.isnan(correlate(np.empty((2, 0)), np.empty(0))).all()


def test_blocks_are_held_about_their_own_means() -> None:
    rng = np.random.default_rng(1)
    x, y = (holes(np.tanh(0.3 * rng.normal(size=90)), rng) for _ in range(2))
    both = np.isfinite(x + y)
    z = np.arctanh([x, y])
    for part in (slice(0, 40), slice(40, 90)):
        z[:, part] -= z[:, part][:, both[part]].mean(axis=1, keepdims=True)
    high = np.tanh(np.arctanh([x, y]) + np.where(np.arange(90) < 40, 1.0, 0.0))
    assert correlate(high[:1], high[1], np.array([0, 40]))[0] == pytest.approx(np.corrcoef(z[:, both])[0, 1])
    assert correlate(high[:1], high[1])[0] > 0.5, "what blocks differ in is no agreement within them"


def test_shifts_are_circles_by_a_window_or_more() -> None:
    found = shifted(np.arange(50.0), WINDOW)
    assert found.time_courses.shape == (31, 50)
    assert found.independent == pytest.approx(3.1)
    np.testing.assert_array_equal(found.time_courses[0], np.roll(np.arange(50.0), WINDOW))
    np.testing.assert_array_equal(found.time_courses[-1], np.roll(np.arange(50.0), -WINDOW))
    assert len(shifted(np.arange(1000.0), WINDOW).time_courses) <= 72


def test_interval_and_p_are_students() -> None:
    rng = np.random.default_rng(2)
    x, y = slow_course(150, rng), slow_course(150, rng)
    found = correlation_by_chance(x, y, WINDOW, drift=NO_DRIFT)
    assert found is not None
    z = np.arctanh([np.corrcoef(np.arctanh(np.roll(x, s)), np.arctanh(y))[0, 1] for s in range(10, 141, 2)])
    n = 13.1
    of_shifts = stats.t(n - 1, z.mean(), z.std(ddof=1) * np.sqrt(1 + 1 / n))
    np.testing.assert_allclose(found.interval, np.tanh(of_shifts.interval(0.95)))
    own = np.arctanh(np.corrcoef(np.arctanh(x), np.arctanh(y))[0, 1])
    assert found.p == pytest.approx(2 * min(of_shifts.cdf(own), of_shifts.sf(own)))
    assert len(found.shifts_t) == len(z)


@pytest.mark.parametrize("blocks", [None, np.array([0, 60, 150])])
@pytest.mark.parametrize(("steps", "slow"), [(180, 0.0), (300, 1.0)])
def test_one_in_twenty_unrelated_time_courses_lies_outside(steps: int, slow: float, blocks: np.ndarray | None) -> None:
    rng = np.random.default_rng(3)
    outside = of_steps = 0
    for _ in range(300):
        x, y = slow_course(steps, rng, slow), slow_course(steps, rng, slow)
        found = correlation_by_chance(x, y, WINDOW, blocks)
        assert found is not None
        beyond = not found.interval[0] <= found.r <= found.interval[1]
        assert beyond == (found.p <= LEVEL), "the range and p are one verdict"
        outside += beyond
        of_steps += abs(np.arctanh(found.r)) > 1.96 / np.sqrt(steps - 3)
    assert 0.02 <= outside / 300 <= 0.1
    assert of_steps / 300 > 0.3, "steps taken for independent would call noise an agreement"


def test_time_courses_that_belong_together_lie_outside() -> None:
    rng = np.random.default_rng(4)
    x = slow_course(300, rng)
    y = holes(np.tanh(np.arctanh(x) + 0.5 * np.arctanh(slow_course(300, rng))), rng)
    for sign in (1.0, -1.0):
        found = correlation_by_chance(x, sign * y, WINDOW)
        assert found is not None
        assert sign * found.r > max(sign * np.array(found.interval))
        assert sign * found.t > 0
        assert found.p < 0.01


def test_too_few_steps_tell_nothing() -> None:
    rng = np.random.default_rng(5)
    x, y = slow_course(200, rng), slow_course(200, rng)
    few = np.where(np.arange(200) < 119, y, np.nan)
    assert correlation_by_chance(x[:119], y[:119], WINDOW) is None
    assert correlation_by_chance(x, few, WINDOW) is None
    assert correlation_by_chance(np.full(200, 0.1), y, WINDOW) is None


@pytest.mark.parametrize("blocks", [None, np.array([0, 150])])
def test_courses_that_merely_trend_do_not_agree(blocks: np.ndarray | None) -> None:
    rng = np.random.default_rng(6)
    wanes = np.exp(-np.arange(300) / 100) if blocks is None else np.tile(np.exp(-np.arange(150) / 50), 2)
    left, taken, told = 0, 0, 0
    for _ in range(100):
        x, y = (np.tanh(np.arctanh(slow_course(300, rng)) + 1.5 * wanes) for _ in range(2))
        found, plain = (correlation_by_chance(x, y, WINDOW, blocks, *drift) for drift in ((), (NO_DRIFT,)))
        assert found is not None
        assert plain is not None
        left, taken = left + plain.beyond, taken + found.beyond
        told += "no agreement" in drift_caution(found, plain)
    assert left > 50
    assert taken <= 12
    assert told > 40


def test_agreement_beside_a_trend_is_still_found() -> None:
    rng = np.random.default_rng(7)
    seen = 0
    for _ in range(30):
        own = np.arctanh(slow_course(300, rng))
        other = 0.8 * own + np.arctanh(slow_course(300, rng))
        found = correlation_by_chance(np.tanh(own + 0.004 * np.arange(300)), np.tanh(other), WINDOW)
        seen += found is not None and found.beyond
    assert seen >= 27
