"""Synchrony against numpy, scipy and BrainIAK's definition; its null band against signals without synchrony."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from rtaffect.common.correlation import fisher_mean
from rtaffect.common.settings import SynchronySettings
from rtaffect.observed.synchrony import others_mean, running_correlation, standardise
from tests.support.helpers import RATE, brain_noise, people_with
from tests.support.whole_windows import displaced, lagged_correlation, observe, window_correlation

SETTINGS = SynchronySettings()
WINDOW = SETTINGS.window_s * RATE


def masked_corrcoef(x: np.ndarray, y: np.ndarray, least: int = 3) -> float:
    """The oracle: numpy's correlation over the instants at which both are there."""
    both = np.isfinite(x) & np.isfinite(y)
    if both.sum() < least or np.ptp(x[both]) == 0 or np.ptp(y[both]) == 0:
        return math.nan
    return np.corrcoef(x[both], y[both])[0, 1]


def holey(rng: np.random.Generator, shape: tuple[int, ...], missing: float = 0.2) -> np.ndarray:
    values = 1e-5 * rng.standard_normal(shape).cumsum(axis=0) + 3e-4
    values[rng.uniform(size=shape) < missing] = np.nan
    return values


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_window_correlation_is_numpys(missing):
    rng = np.random.default_rng(0)
    x, y = holey(rng, (500, 4), missing), holey(rng, (500, 4), missing)
    expected = [masked_corrcoef(a, b) for a, b in zip(x.T, y.T, strict=True)]
    np.testing.assert_allclose(window_correlation(x, y), expected, atol=1e-10)


@given(st.integers(0, 10_000), st.floats(1e-7, 1e3), st.floats(-1e3, 1e3))
@settings(max_examples=30, deadline=None)
def test_correlation_ignores_gain_and_offset(seed, gain, offset):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((2, 60, 1))
    expected = np.corrcoef(x[:, 0], y[:, 0])[0, 1]
    assert window_correlation(x * gain + offset * gain, y)[0] == pytest.approx(expected, abs=1e-7)
    assert window_correlation(-x * gain, y)[0] == pytest.approx(-expected, abs=1e-9)


def test_correlation_has_no_value_where_there_is_nothing_to_correlate():
    rng = np.random.default_rng(1)
    x = np.tile(rng.standard_normal((100, 1)), (1, 4))
    y = rng.standard_normal((100, 4))
    x[:, 1] = 5e-6
    x[:, 2] = np.nan
    x[:60, 3] = np.nan
    found = window_correlation(x, y, least=41)
    assert np.isfinite(found).tolist() == [True, False, False, False]
    assert np.isfinite(window_correlation(x, y, least=40)).tolist() == [True, False, False, True]


def test_lagged_correlation_is_brute_force():
    rng = np.random.default_rng(2)
    x, y = holey(rng, (80, 3)), holey(rng, (300, 3))
    starts = np.array([220, 0, 7, 150])
    found = lagged_correlation(x, y, starts, least=50)
    expected = [[masked_corrcoef(x[:, r], y[s : s + 80, r], 50) for r in range(3)] for s in starts]
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_running_correlation_is_brute_force():
    rng = np.random.default_rng(3)
    x, y = holey(rng, (420, 3)), holey(rng, (420, 3))
    found = running_correlation(x, y, window=100, stride=20, least=55)
    assert found.shape == (21, 3)
    assert np.isnan(found[:4]).all(), "windows that reach before the start"
    for turn in range(4, 21):
        stop = (turn + 1) * 20
        expected = [masked_corrcoef(x[stop - 100 : stop, r], y[stop - 100 : stop, r], 55) for r in range(3)]
        np.testing.assert_allclose(found[turn], expected, atol=1e-9)
    assert 0 < np.isnan(found[4:]).mean() < 0.3, "the least is neither ignored nor too strict"


def test_fisher_mean_is_the_textbooks():
    r = np.array([[0.1, 0.9, np.nan], [-0.3, 0.95, np.nan], [0.5, np.nan, np.nan]])
    expected = [np.tanh(np.arctanh([0.1, -0.3, 0.5]).mean()), np.tanh(np.arctanh([0.9, 0.95]).mean()), np.nan]
    np.testing.assert_allclose(fisher_mean(r, axis=0), expected, rtol=1e-12)
    assert float(fisher_mean(r)) == pytest.approx(np.tanh(np.nanmean(np.arctanh(r))), rel=1e-12)
    assert np.isfinite(fisher_mean(np.array([1.0, 0.0])))


def leave_one_out_isc(data: np.ndarray) -> np.ndarray:
    """BrainIAK's definition (time, voxel, subject): each against numpy's mean of the others, (subject, voxel)."""
    return np.array(
        [
            [
                np.corrcoef(data[:, v, s], np.delete(data[:, v, :], s, axis=1).mean(axis=1))[0, 1]
                for v in range(data.shape[1])
            ]
            for s in range(data.shape[2])
        ]
    )


@pytest.mark.parametrize("people", [2, 3, 7])
def test_leave_one_out_is_brainiaks(people):
    group = people_with(np.random.default_rng(4), people, WINDOW, 3, 0.3)
    gained = group * np.arange(1, people + 1)[:, None, None] * 1e-5
    found = observe(standardise(gained), others_mean(standardise(gained)), 0, RATE, SETTINGS)
    scaled = (group - group.mean(axis=1, keepdims=True)) / group.std(axis=1, keepdims=True)
    expected = leave_one_out_isc(scaled.transpose(1, 2, 0))
    np.testing.assert_allclose(found.each, expected, atol=1e-10)
    np.testing.assert_allclose(found.mean, np.tanh(np.arctanh(expected).mean(axis=0)), atol=1e-10)


def test_others_mean_uses_those_present():
    rng = np.random.default_rng(5)
    group = rng.standard_normal((4, 50, 2))
    group[2] = np.nan
    group[0, 10:20, 1] = np.nan
    group[[1, 3], 30] = np.nan
    found = others_mean(group)
    for person in range(4):
        others = np.delete(group, person, axis=0)
        for t, row in np.ndindex(50, 2):
            there = others[:, t, row][np.isfinite(others[:, t, row])]
            assert found[person, t, row] == pytest.approx(there.mean() if len(there) else math.nan, nan_ok=True)


def test_standardised_people_have_unit_variance_where_present():
    group = 1e-5 * np.random.default_rng(6).standard_normal((3, 200, 2)) * np.array([1, 10, 100])[:, None, None] + 1e-3
    group[1, :90, 0] = np.nan
    group[2, :, 1] = np.nan
    found = standardise(group)
    assert np.isnan(found[2, :, 1]).all()
    assert np.array_equal(np.isnan(found), np.isnan(group))
    there = found[[0, 0, 1, 1, 2], :, [0, 1, 0, 1, 0]]
    np.testing.assert_allclose(np.nanmean(there, axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(np.nanstd(there, axis=1), 1, atol=1e-12)


@given(st.integers(0, 12_000), st.integers(0, 12_000), st.sampled_from([1, 2, 7]), st.sampled_from([10, 13]))
@settings(max_examples=100, deadline=None)
def test_displaced_windows_keep_their_distance_and_stay_inside(last, start, stride, separation):
    start = min(start, last)
    chosen = SynchronySettings(null_stride_s=stride, null_separation_s=separation)
    shifts = displaced(last, start, RATE, chosen)
    assert (np.abs(shifts - start) >= separation * RATE).all()
    assert ((shifts >= 0) & (shifts <= last)).all()
    assert (np.diff(shifts) >= round(stride * RATE)).all()
    room = max(0, last - start - separation * RATE) + max(0, start - separation * RATE)
    assert len(shifts) >= math.floor(room / round(stride * RATE)), "both sides are used to the end"


def test_the_null_uses_windows_on_either_side():
    """A reference that is present on one side only gives half of the null windows, and none without either."""
    rng = np.random.default_rng(7)
    window, reference = brain_noise(rng, WINDOW, 1), brain_noise(rng, 70 * RATE, 1)
    start = 30 * RATE
    one = reference.copy()
    one[:start] = np.nan
    few, many = SynchronySettings(null_least=21), SynchronySettings(null_least=22)
    assert np.isfinite(observe(window[None], reference[None], start, RATE, many).low).all()
    half = observe(window[None], one[None], start, RATE, few)
    assert np.isfinite(half.low).all(), "21 windows start between 40 and 60 s"
    assert half.low < half.high
    without = observe(window[None], one[None], start, RATE, many)
    assert np.isfinite(without.mean).all()
    assert np.isnan(without.low).all()
    assert np.isnan(without.overall_high)


def test_nothing_in_nothing_out():
    nothing = np.full((3, WINDOW, 2), np.nan)
    found = observe(nothing, np.full((3, 6 * WINDOW, 2), np.nan), 2 * WINDOW, RATE, SETTINGS)
    for value in found:
        assert np.isnan(value).all()
    assert np.isnan(others_mean(nothing)).all()
    assert np.isnan(standardise(nothing)).all()


def test_a_row_without_a_value_takes_no_part_in_the_average_over_rows():
    rng = np.random.default_rng(9)
    people, reference = brain_noise(rng, WINDOW, 3)[None], brain_noise(rng, 60 * RATE, 3)[None]
    # In place the reference is absent, so that the row has displaced values only.
    reference[0, 2500:3000, 1] = np.nan
    found = observe(people, reference, 2500, RATE, SETTINGS)
    kept = observe(people[:, :, [0, 2]], reference[:, :, [0, 2]], 2500, RATE, SETTINGS)
    assert np.isfinite(found.mean).tolist() == [True, False, True]
    assert found.overall == pytest.approx(kept.overall, abs=1e-12)
    assert found.overall_low == pytest.approx(kept.overall_low, abs=1e-12)
    assert found.overall_high == pytest.approx(kept.overall_high, abs=1e-12)


def outside(found) -> np.ndarray:
    assert np.isfinite(found.mean).all()
    assert np.isfinite(found.low).all()
    return (found.mean < found.low) | (found.mean > found.high)


def assert_near_five_percent(count: int, n: int, slack: float = 0.01) -> None:
    """Fail where ``count`` of ``n`` independent draws would be a one-in-10,000 event at 5 % +- ``slack``.

    The slack is for the band's own estimate: it comes from a few dozen to 200 correlated displaced windows.
    """
    low, high = binom.ppf(5e-5, n, 0.05 - slack), binom.ppf(1 - 5e-5, n, 0.05 + slack)
    assert low <= count <= high, f"{count} of {n} outside the 95 % band, expected {low:.0f} to {high:.0f}"


def test_unrelated_signals_leave_the_null_band_of_a_reference_in_five_percent():
    """1200 independent pairs of window and reference of 90 s."""
    rng = np.random.default_rng(10)
    count = 0
    for _ in range(40):
        reference = brain_noise(rng, 90 * RATE, 30)
        window = brain_noise(rng, WINDOW, 30)
        count += outside(observe(window[None], reference[None], int(rng.integers(0, 80 * RATE)), RATE, SETTINGS)).sum()
    assert_near_five_percent(count, 1200)


@pytest.mark.parametrize("people", [2, 4])
def test_unrelated_people_leave_the_null_band_of_their_group_in_five_percent(people):
    """600 independent rows of groups who have listened for a minute."""
    rng = np.random.default_rng(11)
    count, start = 0, 50 * RATE
    for _ in range(15):
        group = standardise(np.stack([brain_noise(rng, 60 * RATE, 40) for _ in range(people)]))
        count += outside(observe(group[:, start:], others_mean(group), start, RATE, SETTINGS, mutual=True)).sum()
    assert_near_five_percent(count, 600)


@pytest.mark.parametrize(("pairwise", "mean", "share"), [(0.02, 0.06, 0.26), (0.1, 0.25, 0.93)])
def test_planted_synchrony_is_seen_as_often_as_it_can_be(pairwise, mean, share):
    """One listener against the mean of 14 others; 400 windows, and the shares that simulation gave beforehand."""
    rng = np.random.default_rng(12)
    found, above = [], 0
    for _ in range(20):
        group = people_with(rng, 15, 60 * RATE, 20, pairwise)
        start = int(rng.integers(0, 50 * RATE))
        seen = observe(group[:1, start : start + WINDOW], others_mean(group)[:1], start, RATE, SETTINGS)
        above += (seen.mean > seen.high).sum()
        found.append(seen.mean)
    closed_form = pairwise / np.sqrt(pairwise + (1 - pairwise) / 14)
    assert np.mean(found) == pytest.approx(closed_form, abs=0.015)
    assert np.mean(found) == pytest.approx(mean, abs=0.03)
    assert np.std(found) == pytest.approx(0.06, abs=0.012)
    assert above / 400 == pytest.approx(share, abs=0.1)
