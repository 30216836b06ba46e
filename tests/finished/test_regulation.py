"""How sure a session's regulation is, against independent tests and where the truth is planted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import ttest_ind

from calibration.finished import regulation
from calibration.finished.regulation import (
    LEAST_WINDOWS,
    Blocks,
    Timetable,
    fit_blocks,
    mean_contrast,
    slope_contrast,
    value_correlation,
)

WINDOW, SMOOTHING = 10, 5
GAP = 3


def noise(rng: np.random.Generator, steps: int, drift: float = 0.0) -> np.ndarray:
    """Values as a rule makes them: moving averages of noise whose seconds lead on by ``drift``; variance about 1."""
    white = lfilter([1.0], [1.0, -drift], rng.standard_normal(steps + 200))
    kernel = np.convolve(np.ones(WINDOW), np.ones(SMOOTHING))
    return np.convolve(white, kernel, "valid")[-steps:] / np.sqrt((kernel**2).sum()) * np.sqrt(1 - drift**2)


def timetable(blocks: int, seconds: int) -> tuple[np.ndarray, np.ndarray]:
    """Times of the values of blocks of ``seconds``, whose first window gives none, and their blocks."""
    inside = [b * (seconds + GAP) + np.arange(WINDOW, seconds) for b in range(blocks)]
    return np.concatenate(inside).astype(float), np.repeat(np.arange(blocks), [len(each) for each in inside])


def fitted(values: np.ndarray, blocks: int, seconds: int) -> Blocks:
    times, block = timetable(blocks, seconds)
    return fit_blocks(values[times.astype(int)], times, block, window=WINDOW, smoothing=SMOOTHING)


def against_first(fit: Blocks) -> np.ndarray:
    return mean_contrast(range(1, len(fit.counts)), fit.counts) - mean_contrast([0], fit.counts)


@pytest.mark.parametrize("drift", [0.0, 0.5, 0.95])
def test_the_correlation_of_values_is_that_of_moving_averages(drift):
    """Against the covariance of the two averages written as matrices over autoregressive noise."""
    n = 400
    seconds = np.arange(n + WINDOW + SMOOTHING)
    noise_covariance = drift ** np.abs(seconds[:, None] - seconds) if drift else np.eye(len(seconds))
    one = np.array([[0 <= j - i < WINDOW for j in seconds] for i in range(n + SMOOTHING)], float)
    two = np.array([[0 <= j - i < SMOOTHING for j in range(n + SMOOTHING)] for i in range(n)], float)
    covariance = two @ one @ noise_covariance @ one.T @ two.T
    found = value_correlation(60, WINDOW, SMOOTHING, drift)
    np.testing.assert_allclose(found, covariance[n // 2, n // 2 : n // 2 + 60] / covariance[n // 2, n // 2], atol=1e-12)


def test_without_smoothing_it_is_the_share_of_data_in_common():
    np.testing.assert_allclose(
        value_correlation(12, 10, 1, 0.0), [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0, 0]
    )


def test_with_values_that_share_nothing_it_is_students_test(monkeypatch):
    monkeypatch.setattr(regulation, "DRIFTS", (0.0,))
    monkeypatch.setattr(regulation, "POWERS", ())
    rng = np.random.default_rng(3)
    first, second = rng.standard_normal(40), 0.4 + rng.standard_normal(55)
    values, block = np.concatenate([first, second]), np.repeat([0, 1], [40, 55])
    fit = fit_blocks(values, np.arange(95.0), block, window=1, smoothing=1, trend=False)
    found, expected = fit.estimate(np.array([-1.0, 1.0])), ttest_ind(second, first)
    interval = expected.confidence_interval(0.95)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-6)
    assert (found.low, found.high) == (pytest.approx(interval.low, abs=1e-6), pytest.approx(interval.high, abs=1e-6))
    np.testing.assert_allclose(fit.windows, [40, 55])


@pytest.mark.parametrize(("drift", "least", "most"), [(0.0, 0.01, 0.08), (0.9, 0.01, 0.10)])
def test_without_an_effect_few_sessions_seem_to_have_one(drift, least, most):
    """Of 150 sessions without any effect, about 5 % may reach p < .05; a test that counts seconds goes far wrong."""
    rng = np.random.default_rng(17)
    times, block = timetable(3, 120)
    p, naive = [], []
    for _ in range(150):
        values = noise(rng, 3 * (120 + GAP), drift)
        fit = fitted(values, 3, 120)
        p.append(fit.estimate(against_first(fit)).p)
        z = values[times.astype(int)]
        naive.append(ttest_ind(z[block > 0], z[block == 0]).pvalue)
    assert least <= np.mean(np.array(p) < 0.05) <= most
    assert np.mean(np.array(naive) < 0.05) > 0.4


def test_a_planted_effect_is_found_and_enclosed():
    rng = np.random.default_rng(5)
    times, block = timetable(4, 180)
    planted = np.array([0.0, 1.2, 1.2, 0.0])
    found = []
    for _ in range(40):
        values = noise(rng, 4 * (180 + GAP))
        values[times.astype(int)] += planted[block]
        fit = fitted(values, 4, 180)
        found.append(fit.estimate(np.array([-0.5, 0.5, 0.5, -0.5])))
    assert np.mean([each.p < 0.05 for each in found]) > 0.8
    assert np.mean([each.low <= 1.2 <= each.high for each in found]) >= 0.9
    assert np.mean([each.value for each in found]) == pytest.approx(1.2, abs=0.1)


def test_drifting_noise_makes_it_less_sure():
    rng = np.random.default_rng(8)

    def width(drift: float) -> float:
        fits = [fitted(noise(rng, 2 * (300 + GAP), drift), 2, 300) for _ in range(10)]
        found = [fit.estimate(against_first(fit)) for fit in fits]
        return float(np.median([each.high - each.low for each in found]))

    assert width(0.95) > 1.5 * width(0.0)


def test_the_interval_leaves_out_none_where_p_is_small():
    rng = np.random.default_rng(1)
    for _ in range(20):
        fit = fitted(noise(rng, 2 * (90 + GAP)), 2, 90)
        found = fit.estimate(against_first(fit))
        assert (found.p < 0.05) == (not found.low <= 0 <= found.high)
        assert found.value == pytest.approx((found.low + found.high) / 2)


def test_units_do_not_matter():
    rng = np.random.default_rng(2)
    values = noise(rng, 2 * (90 + GAP))
    one, other = (fitted(each, 2, 90).estimate(np.array([-1.0, 1.0])) for each in (values, 7.0 - 0.01 * values))
    assert other.p == pytest.approx(one.p, rel=1e-6)
    assert other.value == pytest.approx(-0.01 * one.value)


def test_short_blocks_get_no_interval():
    rng = np.random.default_rng(4)
    times = np.concatenate([np.arange(10.0, 80.0), np.arange(100.0, 112.0)])
    block = np.repeat([0, 1], [70, 12])
    fit = fit_blocks(rng.standard_normal(82), times, block, window=WINDOW, smoothing=SMOOTHING)
    found = fit.estimate(np.array([-1.0, 1.0]))
    assert found.windows < LEAST_WINDOWS < fit.windows[0]
    assert (found.low, found.high, found.p) == (None, None, None)
    assert fit.estimate(np.array([1.0, 0.0])).p is not None


def test_one_value_and_values_that_do_not_vary_are_no_error():
    one = fit_blocks(np.array([0.2]), np.array([4.0]), np.array([0]), window=WINDOW, smoothing=SMOOTHING)
    assert one.estimate(np.array([1.0])).p is None
    times, block = timetable(2, 90)
    flat = fit_blocks(np.full(len(times), 0.2), times, block, window=WINDOW, smoothing=SMOOTHING)
    assert flat.estimate(np.array([-1.0, 1.0])).value == pytest.approx(0, abs=1e-12)


def test_values_far_apart_share_no_data():
    fit = fit_blocks(
        np.arange(12.0), np.arange(0.0, 240.0, 20.0), np.repeat([0, 1], 6), window=WINDOW, smoothing=SMOOTHING
    )
    np.testing.assert_allclose(fit.windows, [6, 6])


def test_long_sessions_are_thinned_but_not_their_means():
    rng = np.random.default_rng(6)
    values = noise(rng, 2 * (600 + GAP))
    times, block = timetable(2, 600)
    fit = fitted(values, 2, 600)
    z = values[times.astype(int)]
    np.testing.assert_allclose(fit.means, [z[block == 0].mean(), z[block == 1].mean()])
    assert fit.windows[0] == pytest.approx(590 / 10, rel=0.25), "about one per window"


def test_contrasts_are_means_and_the_slope_of_a_line():
    counts = np.array([50, 20, 30, 40])
    means = np.array([0.1, 0.2, 0.5, 0.4])
    assert mean_contrast([1, 3], counts) @ means == pytest.approx((20 * 0.2 + 40 * 0.4) / 60)
    line = np.polyfit(np.arange(3), means[[0, 2, 3]], 1)
    assert slope_contrast([0, 2, 3], 4) @ means == pytest.approx(line[0])


def pink(rng: np.random.Generator, steps: int) -> np.ndarray:
    """Values of noise with a spectrum of 1/f, about as large as those of :func:`noise`."""
    frequency = np.fft.rfftfreq(8 * (steps + 200))
    size = np.concatenate([[0.0], frequency[1:] ** -0.5])
    white = np.fft.irfft(size * (rng.standard_normal(len(size)) + 1j * rng.standard_normal(len(size))))[: steps + 200]
    values = np.convolve(white, np.convolve(np.ones(WINDOW), np.ones(SMOOTHING)), "valid")[-steps:]
    return values / values.std()


def rate(timetable: Timetable, contrast: np.ndarray, sessions: list[np.ndarray]) -> float:
    return float(np.mean([timetable.fit(values).estimate(contrast).p < 0.05 for values in sessions]))


def test_slow_noise_without_a_longest_time_seldom_seems_an_effect(monkeypatch):
    rng = np.random.default_rng(21)
    times, block = timetable(4, 150)
    contrast = np.array([-0.5, 0.5, 0.5, -0.5])
    sessions = [pink(rng, 4 * (150 + GAP))[times.astype(int)] for _ in range(150)]
    table = Timetable(times, block, window=WINDOW, smoothing=SMOOTHING)
    assert rate(table, contrast, sessions) <= 0.09
    monkeypatch.setattr(regulation, "POWERS", ())
    assert rate(Timetable(times, block, window=WINDOW, smoothing=SMOOTHING), contrast, sessions) > 0.1


def test_waning_over_the_session_is_no_regulation():
    rng = np.random.default_rng(22)
    times, block = timetable(3, 240)
    contrast = np.array([-1.0, 0.5, 0.5])
    sessions = [noise(rng, 3 * (240 + GAP))[times.astype(int)] - 2 * times / 600 for _ in range(100)]
    left, taken = (
        rate(Timetable(times, block, window=WINDOW, smoothing=SMOOTHING, trend=trend), contrast, sessions)
        for trend in (False, True)
    )
    assert left > 0.6
    assert taken <= 0.1


def test_a_mean_stays_that_of_the_values_and_a_difference_is_of_one_time():
    times, block = timetable(3, 100)
    values = 0.5 - 0.001 * times + 0.2 * (block == 1)
    fit = fit_blocks(values, times, block, window=WINDOW, smoothing=SMOOTHING)
    np.testing.assert_allclose(fit.means, [values[block == b].mean() for b in range(3)])
    assert fit.estimate(np.array([0.0, 1.0, 0.0])).value == pytest.approx(fit.means[1])
    assert fit.estimate(np.array([-1.0, 1.0, 0.0])).value == pytest.approx(0.2)
    assert fit.estimate(np.array([-1.0, 0.0, 1.0])).value == pytest.approx(0.0, abs=1e-9)
    assert fit.trend == pytest.approx(-0.001)
