"""Scores, nulls, comparisons, ceilings and intervals against slow oracles, planted truths and their nominal rates."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import binom, false_discovery_control, norm, ttest_1samp

from calibration.intervals import half_means, noise_ceiling, residual_quantiles
from calibration.nulls import p_values, phase_null, shift_null
from calibration.statistics import EXACT_UNITS, LEAST_GAPS, compare, score
from calibration.statistics import pair as pair_of_all
from rtaffect.common.errors import RecordingError, SettingsError
from rtaffect.common.settings import NO_DRIFT
from rtaffect.observed.synchrony import running_correlation

#: Drifts have tests of their own (test_trends.py); the oracles here have none.
pair = partial(pair_of_all, drift=NO_DRIFT)


WINDOW = 10


def time_courses(rng: np.random.Generator, steps: int, rows: int, common: float = 0.5) -> np.ndarray:
    """Noise in windows of 10 s, unit variance; rows correlate by ``common``."""
    own, shared = rng.standard_normal((steps + WINDOW, rows)), rng.standard_normal((steps + WINDOW, 1))
    mixed = np.sqrt(1 - common) * own + np.sqrt(common) * shared
    return lfilter(np.ones(WINDOW) / np.sqrt(WINDOW), 1, mixed, axis=0)[WINDOW:]


def study(seed: int, lengths: tuple[int, ...], rows: int = 3, signal: float = 0.0) -> tuple[list, list]:
    """Predictions and observations, missing at the start, that share ``signal``."""
    rng = np.random.default_rng(seed)
    predicted, observed = [], []
    for steps in lengths:
        x, y = time_courses(rng, steps, rows), time_courses(rng, steps, rows) + rng.standard_normal(rows)
        y += signal * x
        x[:3], y[:9] = np.nan, np.nan
        predicted.append(x)
        observed.append(y)
    return predicted, observed


def with_gaps(predicted: list, observed: list) -> tuple[list, list]:
    """Holes of all kinds: in all rows, in one, on one side, at the end."""
    observed[0][30:36], observed[0][50:52, 1] = np.nan, np.nan
    predicted[-1][25:27, 0], observed[-1][-3:] = np.nan, np.nan
    return predicted, observed


def r_of(x: list, y: list) -> np.ndarray:
    """Pearson's r within stimuli by loops: each row of each stimulus centred on the steps that both have."""
    found = []
    for row in range(x[0].shape[1]):
        left, right = [], []
        for a, b in zip(x, y, strict=True):
            use = np.isfinite(a[:, row]) & np.isfinite(b[:, row])
            left.extend(a[use, row] - a[use, row].mean())
            right.extend(b[use, row] - b[use, row].mean())
        found.append(np.corrcoef(left, right)[0, 1])
    return np.array(found)


def joint_range(x: np.ndarray, y: np.ndarray) -> slice:
    there = np.flatnonzero(np.isfinite(x + y).any(axis=1))
    return slice(there[0], there[-1] + 1)


def within(count: int, trials: int, rate: float = 0.05) -> bool:
    """Whether ``count`` of so many trials is what a test of that rate gives in 999 of 1,000 tries."""
    low, high = binom.interval(0.999, trials, rate)
    return low <= count <= high


# Scores


def test_scores_are_those_of_loops():
    predicted, observed = with_gaps(*study(0, (70, 80, 90), signal=0.5))
    found = score(pair(predicted, observed, WINDOW))
    np.testing.assert_allclose(found.r, r_of(predicted, observed), atol=1e-12)
    x, y = np.concatenate(predicted), np.concatenate(observed)
    for row in range(3):
        use = np.isfinite(x[:, row] + y[:, row])
        assert found.pooled[row] == pytest.approx(np.corrcoef(x[use, row], y[use, row])[0, 1])
        assert found.steps[row] == use.sum()
        error = chance = 0.0
        for i, (p, o) in enumerate(zip(predicted, observed, strict=True)):
            both = np.isfinite(p[:, row] + o[:, row])
            mean = np.nanmean(np.concatenate([t[:, row] for j, t in enumerate(observed) if j != i]))
            error += ((o - p)[both, row] ** 2).sum()
            chance += ((o[both, row] - mean) ** 2).sum()
            assert found.each[i, row] == pytest.approx(np.corrcoef(p[both, row], o[both, row])[0, 1])
        assert found.r2[row] == pytest.approx(1 - error / chance)
    assert found.stimuli.tolist() == [3, 3, 3]


def test_means_of_stimuli_enter_the_pooled_r_alone():
    predicted, observed = study(1, (200, 200, 200))
    for i, shift in enumerate((-20, 0, 20)):
        predicted[i] += shift
        observed[i] += shift
    found = score(pair(predicted, observed, WINDOW))
    assert found.pooled.min() > 0.95
    assert np.abs(found.r).max() < 0.3


def test_predicting_the_mean_of_the_others_is_r2_0_and_no_correlation():
    _, observed = study(2, (90, 90, 90))
    means = [np.nanmean(np.concatenate(observed[:i] + observed[i + 1 :]), axis=0) for i in range(3)]
    found = score(pair([np.tile(m, (90, 1)) for m in means], observed, WINDOW))
    np.testing.assert_allclose(found.r2, 0, atol=1e-12)
    assert found.r.tolist() == [0, 0, 0]
    assert (found.pooled < 0).all(), "the mean of the others is low where a stimulus is high"


def test_a_given_baseline_is_taken():
    predicted, observed = study(3, (100,))
    assert np.isnan(score(pair(predicted, observed, WINDOW)).r2).all(), "one stimulus has no others"
    found = score(pair(predicted, observed, WINDOW, baseline=[np.full(3, 0.3)]))
    error, chance = (
        np.nansum((observed[0] - predicted[0])[9:] ** 2, axis=0),
        np.nansum((observed[0] - 0.3) ** 2, axis=0),
    )
    np.testing.assert_allclose(found.r2, 1 - error / chance)


def test_averages_are_means_of_the_rows_that_count():
    predicted, observed = study(4, (90, 100), rows=4)
    observed[0][40:45, 1] = np.nan
    observed[1][:, 2] = np.nan
    members = np.array([[True, True, True, False]])
    found = score(pair(predicted, observed, WINDOW, averages=members))
    x = [p[:, m].mean(axis=1, keepdims=True) for p, m in zip(predicted, ([0, 1, 2], [0, 1]), strict=True)]
    y = [o[:, m].mean(axis=1, keepdims=True) for o, m in zip(observed, ([0, 1, 2], [0, 1]), strict=True)]
    assert found.r[4:] == pytest.approx(r_of(x, y))
    assert found.steps.tolist() == [172, 167, 81, 172, 167]
    assert found.stimuli.tolist() == [2, 2, 1, 2, 2]


def test_what_is_too_short_is_left_out_of_score_and_null_alike():
    predicted, observed = study(5, (100, 9 + LEAST_GAPS * WINDOW - 1, 120, 9 + LEAST_GAPS * WINDOW))
    observed[2][9 + 20 :, 1] = np.nan
    pairs = pair(predicted, observed, WINDOW)
    assert pairs.stimuli == (0, 2, 3)
    found = score(pairs)
    assert np.isnan(found.each[1]).all()
    assert np.isnan(found.each[2]).tolist() == [False, True, False]
    assert found.stimuli.tolist() == [3, 2, 3]
    kept = [predicted[i] for i in (0, 2, 3)], [observed[i].copy() for i in (0, 2, 3)]
    kept[1][1][:, 1] = np.nan
    same = pair(*kept, WINDOW)
    np.testing.assert_allclose(found.r, score(same).r, atol=1e-12)
    for null in (shift_null, phase_null):
        np.testing.assert_allclose(null(pairs, 20), null(same, 20), atol=1e-12)


def test_a_row_without_data_is_nan_and_leaves_the_others_alone():
    predicted, observed = study(6, (100, 100))
    for o in observed:
        o[:, 1] = np.nan
    pairs = pair(predicted, observed, WINDOW)
    found = score(pairs)
    assert np.isnan([found.r[1], found.pooled[1], found.r2[1]]).all()
    for null in (shift_null(pairs, 50), phase_null(pairs, 50)):
        assert np.isnan(null).all(axis=0).tolist() == [False, True, False]
        p = p_values(found.r, null)
        assert np.isnan([p.single[1], p.family[1], p.discovery[1]]).all()
        two = p_values(found.r[[0, 2]], null[:, [0, 2]])
        np.testing.assert_array_equal(p.family[[0, 2]], two.family)
        np.testing.assert_array_equal(p.discovery[[0, 2]], two.discovery)


def test_what_cannot_be_judged_is_refused():
    predicted, observed = study(7, (30, 35))
    with pytest.raises(SettingsError, match=r"3 x 10 steps.*longer stimuli"):
        pair(predicted, observed, WINDOW)
    with pytest.raises(ValueError, match="shapes"):
        pair(predicted, [o[:-1] for o in observed], WINDOW)
    with pytest.raises(ValueError, match="gap = 0"):
        pair(predicted, observed, 0)


# Nulls


@pytest.mark.parametrize("holes", [False, True])
def test_all_turns_are_those_of_numpy_roll(holes):
    """Two stimuli, every combination of their turns but the true one."""
    predicted, observed = with_gaps(*study(8, (60, 61))) if holes else study(8, (60, 61))
    pairs = pair(predicted, observed, 3)
    inside = [joint_range(p, o) for p, o in zip(predicted, observed, strict=True)]
    x, y = ([s[i] for s, i in zip(side, inside, strict=True)] for side in (predicted, observed))
    turns = list(itertools.product(range(len(x[0])), range(len(x[1]))))[1:]
    null = shift_null(pairs, 10_000, cross_fitted=False)
    assert len(null) == len(turns)
    for k in range(0, len(turns), 97):
        rolled = [np.roll(part, turn, axis=0) for part, turn in zip(y, turns[k], strict=True)]
        np.testing.assert_allclose(null[k], r_of(x, rolled), atol=1e-10)
    z = np.arctanh(null) * np.sqrt(2)
    np.testing.assert_allclose(np.arctanh(shift_null(pairs, 10_000)), z, atol=1e-10)


def test_least_keeps_turns_away_from_the_true_one():
    predicted, observed = study(9, (59,))
    pairs = pair(predicted, observed, WINDOW)
    null = shift_null(pairs, 100, least=12, cross_fitted=False)
    expected = [r_of([predicted[0][9:]], [np.roll(observed[0][9:], s, axis=0)]) for s in range(12, 39)]
    np.testing.assert_allclose(null, expected, atol=1e-10)
    assert len(shift_null(pairs, 100, least=25)) == 1
    with pytest.raises(ValueError, match=r"50 steps has no turn by 26"):
        shift_null(pairs, 100, least=26)


def test_a_random_draw_turns_all_rows_alike():
    predicted, observed = study(10, (200,))
    null = shift_null(pair(predicted, observed, WINDOW), 60, cross_fitted=False)
    x, y = predicted[0][9:], observed[0][9:]
    every = np.array([r_of([x], [np.roll(y, s, axis=0)]) for s in range(len(x))])
    assert np.abs(null[:, None] - every).max(axis=2).min(axis=1).max() < 1e-10


@pytest.mark.parametrize("holes", [False, True])
def test_phases_are_random_and_alike_in_all_rows(holes):
    """The surrogates of the definition, made in time and cut where the observed course was missing."""
    predicted, observed = with_gaps(*study(11, (70, 81))) if holes else study(11, (70, 81))
    draws, rng = 5, np.random.default_rng(4)
    inside = [joint_range(p, o) for p, o in zip(predicted, observed, strict=True)]
    x, y = ([s[i] for s, i in zip(side, inside, strict=True)] for side in (predicted, observed))
    drawn: list[list[np.ndarray]] = [[] for _ in range(draws)]
    for part in y:
        steps = len(part)
        phases = rng.uniform(0, 2 * np.pi, (draws, steps // 2 + 1))
        whole = part.copy()
        for row in whole.T:
            gone = np.isnan(row)
            row[gone] = np.interp(np.flatnonzero(gone), np.flatnonzero(~gone), row[~gone])
        for k, phase in enumerate(phases):
            phase[0] = 0
            if steps % 2 == 0:
                phase[-1] = np.pi * (phase[-1] > np.pi)
            surrogate = np.fft.irfft(np.fft.rfft(whole, axis=0) * np.exp(1j * phase)[:, None], steps, axis=0)
            np.testing.assert_allclose(np.cov(surrogate.T), np.cov(whole.T), atol=1e-12)
            drawn[k].append(np.where(np.isnan(part), np.nan, surrogate))
    null = phase_null(pair(predicted, observed, WINDOW), draws, seed=4, cross_fitted=False)
    np.testing.assert_allclose(null, [r_of(x, surrogates) for surrogates in drawn], atol=1e-10)


@pytest.mark.parametrize("null", [shift_null, phase_null])
def test_nulls_repeat_with_their_seed(null):
    pairs = pair(*study(12, (100, 120)), WINDOW)
    np.testing.assert_array_equal(null(pairs, 30, 5), null(pairs, 30, 5))
    assert (null(pairs, 30, 5) != null(pairs, 30, 6)).any()


@pytest.mark.parametrize(("lengths", "holes"), [((129,) * 4, False), ((240,), False), ((129,) * 4, True)])
def test_without_a_relation_one_in_twenty_is_found(lengths, holes):
    """Predictions from elsewhere against noise in windows; single rows, and the best of five."""
    studies = 300
    single, family = dict.fromkeys((shift_null, phase_null), 0), dict.fromkeys((shift_null, phase_null), 0)
    for seed in range(studies):
        sides = study(1000 + seed, lengths, rows=5)
        pairs = pair(*(with_gaps(*sides) if holes else sides), WINDOW)
        for null in single:
            p = p_values(score(pairs).r, null(pairs, 99, seed, cross_fitted=False))
            single[null] += p.single[0] <= 0.05
            family[null] += np.min(p.family) <= 0.05
    assert all(within(count, studies) for count in single.values()), single
    assert all(within(count, studies) for count in family.values()), family


def test_turns_that_stay_away_from_the_true_one_find_too_much():
    """Why ``least`` is 0: what is left of a sum that is zero leans to the other side."""
    found = 0
    for seed in range(300):
        pairs = pair(*study(2000 + seed, (69,) * 8, rows=1), WINDOW)
        found += p_values(score(pairs).r, shift_null(pairs, 99, least=10, cross_fitted=False)).single[0] <= 0.05
    assert found > binom.ppf(0.999, 300, 0.05)


def cross_fit(features: list, targets: list) -> list:
    """Predict each stimulus by how features and targets go together in the others."""
    sums = [f[9:].T @ (t[9:] - t[9:].mean(axis=0)) for f, t in zip(features, targets, strict=True)]
    return [f @ (sum(sums) - s) for f, s in zip(features, sums, strict=True)]


def turned(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return y (steps, R) turned round by any number of steps between its first value and its last."""
    there = np.flatnonzero(np.isfinite(y).any(axis=1))
    inside = slice(there[0], there[-1] + 1)
    out = y.copy()
    out[inside] = np.roll(y[inside], rng.integers(inside.stop - inside.start), axis=0)
    return out


def refit_null(
    predict: Callable[[list], Sequence[np.ndarray]], observed: Sequence[np.ndarray], draws: int, *, seed: int = 0
) -> np.ndarray:
    """Return r (draws, R) with all targets turned round and everything fitted to them anew: what the bound stands for.

    ``predict`` gives held-out predictions (steps, R) of each stimulus from targets like ``observed``.
    """
    rng = np.random.default_rng(seed)
    drawn = [[turned(y, rng) for y in observed] for _ in range(draws)]
    return np.stack([score(pair(predict(targets), targets, WINDOW)).r for targets in drawn])


def test_cross_fitted_predictions_need_their_bound_or_a_new_fit():
    """Nulls that keep the predictions have half of the variance, and find too much."""
    studies, variances = 200, []
    found = {"kept": [], "bound": [], "anew": []}
    for seed in range(studies):
        rng = np.random.default_rng(seed)
        features = [time_courses(rng, 129, 30, common=0.0) for _ in range(3)]
        targets = study(3000 + seed, (129,) * 3, rows=4)[1]
        pairs = pair(cross_fit(features, targets), targets, WINDOW)
        r, kept = score(pairs).r, shift_null(pairs, 199, seed, cross_fitted=False)
        variances.append((r**2, (kept**2).mean(axis=0)))
        anew = refit_null(lambda t, f=features: cross_fit(f, t), targets, 19, seed=seed)
        for name, null in {"kept": kept, "bound": shift_null(pairs, 199, seed), "anew": anew}.items():
            p = p_values(r, null)
            found[name].append((p.single[0] <= 0.05, p.family.min() <= 0.05))
    true, chance = np.mean(variances, axis=(0, 2))
    assert 1.7 < true / chance < 2.2
    kept, bound, anew = (np.sum(found[name], axis=0) for name in found)
    assert kept.min() > binom.ppf(0.999, studies, 0.05)
    assert bound.max() <= studies * 0.05
    assert within(anew[0], studies)
    assert within(anew[1], studies)


@pytest.mark.parametrize("null", [shift_null, phase_null])
def test_a_planted_relation_is_found(null):
    predicted, observed = study(14, (150,) * 6, rows=4)
    for p, o in zip(predicted, observed, strict=True):
        o[:, 1] += 0.6 * p[:, 1]
    pairs = pair(predicted, observed, WINDOW)
    p = p_values(score(pairs).r, null(pairs, 499))
    assert p.family[1] <= 0.01
    assert p.discovery[1] <= 0.01
    assert p.single[[0, 2, 3]].min() > 0.05


def test_p_values_are_counted():
    rng = np.random.default_rng(0)
    null, true = rng.standard_normal((99, 6)), np.array([3.5, 2.0, 1.0, 0.0, -1.0, -9.0])
    p = p_values(true, null)
    for row in range(6):
        assert p.single[row] == (1 + sum(draw[row] >= true[row] for draw in null)) / 100
        assert p.family[row] == (1 + sum(max(draw) >= true[row] for draw in null)) / 100
    rising = np.sort(p.single)
    by_hand = [min(rising[j] * 6 / (j + 1) for j in range(i, 6)) for i in range(6)]
    np.testing.assert_allclose(np.sort(p.discovery), by_hand)
    np.testing.assert_allclose(p.discovery, false_discovery_control(p.single))
    assert p_values(np.zeros(1), np.zeros((9, 1))).single[0] == 1, "what is constant is no better than chance"


# Comparisons


def enumerated(difference: np.ndarray, t_share: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Sign flips by loops: p of each pair (units, C), and of the largest, for so much of the true Student's t."""
    statistics = []
    for signs in itertools.product([1, -1], repeat=len(difference)):
        flipped = difference * np.array(signs)[:, None]
        statistics.append(np.abs(flipped.sum(axis=0)) / np.sqrt((flipped**2).sum(axis=0)))
    t, n = t_share * ttest_1samp(difference, 0).statistic, len(difference)
    chance, true = np.array(statistics), np.abs(t) * np.sqrt(n / (n - 1 + t**2)) - 1e-12
    return (chance >= true).mean(axis=0), (chance.max(axis=1)[:, None] >= true).mean(axis=0)


@pytest.mark.parametrize("cross_fitted", [False, True])
def test_sign_flips_are_those_enumerated(cross_fitted):
    r = np.tanh(0.3 * np.random.default_rng(0).standard_normal((3, 9)) + np.array([[0.3], [0.1], [0.0]]))
    found = compare(r, cross_fitted=cross_fitted)
    assert found.sets == ((0, 1), (0, 2), (1, 2))
    assert (found.exact, found.units) == (True, 9)
    z = np.arctanh(r)
    difference = np.stack([z[0] - z[1], z[0] - z[2], z[1] - z[2]], axis=1)
    single, family = enumerated(difference, 1 / np.sqrt(2) if cross_fitted else 1.0)
    np.testing.assert_allclose(found.single, single)
    np.testing.assert_allclose(found.family, family)
    np.testing.assert_allclose(found.difference, difference.mean(axis=0))


def test_the_statistic_orders_as_students():
    rng = np.random.default_rng(1)
    base = rng.standard_normal(8)
    flips = [np.array(s) * base for s in itertools.product([1, -1], repeat=8)]
    ours = np.array([abs(f.sum()) for f in flips]) / np.sqrt((base**2).sum())
    students = np.array([abs(ttest_1samp(f, 0).statistic) for f in flips])
    np.testing.assert_allclose(students, ours * np.sqrt(7 / (8 - ours**2)), rtol=1e-9)


def test_many_units_take_random_flips():
    r = np.tanh(0.2 * np.random.default_rng(2).standard_normal((2, EXACT_UNITS + 1)) + np.array([[0.12], [0.0]]))
    found, again = (compare(r, seed=3, cross_fitted=False) for _ in range(2))
    assert not found.exact
    assert found.single == again.single
    exact = enumerated((np.arctanh(r[0]) - np.arctanh(r[1]))[:, None])[0]
    assert 0.01 < exact[0] < 0.5
    assert found.single == pytest.approx(exact, abs=4 * np.sqrt(exact[0] / 9999))


def test_units_that_lack_a_set_are_left_out():
    r = np.random.default_rng(4).uniform(-0.5, 0.5, (3, 8))
    gone = r.copy()
    gone[1, 2] = np.nan
    found, without = compare(gone), compare(np.delete(r, 2, axis=1))
    assert found.units == 7
    np.testing.assert_array_equal(found.family, without.family)
    np.testing.assert_array_equal(compare(r, [(2, 0)]).difference, -compare(r).difference[1:2])
    assert compare(np.stack([r[0], r[0]])).single.tolist() == [1]
    with pytest.raises(RecordingError, match="only 1 has them all"):
        compare(r[:, :1])


def test_equal_sets_differ_in_one_of_twenty_studies():
    studies, single, family = 400, 0, 0
    for seed in range(studies):
        shared, own = (np.random.default_rng(seed).standard_normal(shape) for shape in (10, (3, 10)))
        found = compare(np.tanh(0.2 * (shared + own)), cross_fitted=False)
        single += found.single[0] <= 0.05
        family += found.family.min() <= 0.05
    assert within(single, studies)
    assert within(family, studies)


# Ceilings


@pytest.mark.parametrize("people", [8, 9])
def test_the_ceiling_is_that_of_planted_reliability(people):
    """Courses of a common truth and own errors of twice its variance: Spearman-Brown is exact."""
    rng = np.random.default_rng(people)
    truth = rng.standard_normal((3, 4000, 2))
    group = [t + np.sqrt(2) * rng.standard_normal((people, 4000, 2)) for t in truth]
    found = noise_ceiling(people, half_means(group), splits=60)
    one, half = 1 / 3, people // 2
    np.testing.assert_allclose(found.halves, half * one / (1 + (half - 1) * one), atol=0.02)
    np.testing.assert_allclose(found.reliability, people * one / (1 + (people - 1) * one), atol=0.015)
    means = [g.mean(axis=0) for g in group]
    reached = [np.corrcoef(truth[:, :, row].ravel(), np.concatenate(means)[:, row])[0, 1] for row in range(2)]
    np.testing.assert_allclose(found.r, reached, atol=0.01)


def test_halves_are_means_over_those_present():
    rng = np.random.default_rng(0)
    group = [time_courses(rng, 80, 2) + 0.5 * rng.standard_normal((5, 80, 2)) + 3 * k for k in range(2)]
    group[0][1, :30], group[1][3], group[1][:, 10:15, 0] = np.nan, np.nan, np.nan
    half = half_means(group)
    who = np.array([1, 4])
    for course, everyone in zip(half(who), group, strict=True):
        expected = np.where(np.isnan(everyone[who]).all(axis=0), 0, everyone[who])
        np.testing.assert_allclose(np.nan_to_num(course), np.nanmean(expected, axis=0))
        assert (np.isnan(course) == np.isnan(everyone[who]).all(axis=0)).all()
    z, draw = [], np.random.default_rng(7)
    for _ in range(6):
        order = draw.permutation(5)
        z.append(np.arctanh(r_of(half(order[:2]), half(order[2:4]))))
    halves = np.tanh(np.mean(z, axis=0))
    found = noise_ceiling(5, half, splits=6, seed=7)
    np.testing.assert_allclose(found.halves, halves)
    np.testing.assert_allclose(found.reliability, 2.5 * halves / (1 + 1.5 * halves))
    np.testing.assert_allclose(found.r, np.sqrt(found.reliability))


def test_without_anything_in_common_the_ceiling_is_near_the_floor():
    rng = np.random.default_rng(1)
    found = noise_ceiling(6, half_means([rng.standard_normal((6, 3000, 8))]), splits=40)
    assert np.abs(found.reliability).max() < 0.15
    assert (found.r[found.reliability < 0] == 0).all()
    assert (found.reliability < 0).any()
    alone = noise_ceiling(2, lambda who: [np.full((50, 1), np.nan)], splits=2)
    assert np.isnan([alone.halves, alone.reliability, alone.r]).all()
    with pytest.raises(RecordingError, match="group of 1"):
        noise_ceiling(1, half_means([np.zeros((1, 9, 1))]))


def test_the_truth_lies_between_shared_and_disjoint_halves():
    """Synchrony of signals in windows of 10 s; the truth from other groups, who hear the same sound."""
    people, rate, steps, rows = 8, 20, 200, 6
    rng = np.random.default_rng(0)
    loudness = np.repeat(np.abs(0.2 * (1 + time_courses(rng, steps, rows, common=0.0))), rate, axis=0)
    shared = loudness * rng.standard_normal((steps * rate, rows))
    groups = [shared + rng.standard_normal((people, steps * rate, rows)) for _ in range(6)]

    def synchrony(group: np.ndarray) -> np.ndarray:
        total = group.sum(axis=0)
        others = [(total - x) / (len(group) - 1) for x in group]
        return np.stack(
            [np.arctanh(running_correlation(x, o, 10 * rate, rate)) for x, o in zip(group, others, strict=True)]
        )

    own = [synchrony(g) for g in groups]
    means = [c.mean(axis=0)[9:] for c in own]
    truth = np.mean([r_of([a], [b]) for a, b in itertools.combinations(means, 2)])
    high = noise_ceiling(people, half_means([own[0]]), splits=20).reliability.mean()
    low = noise_ceiling(people, lambda who: [synchrony(groups[0][who]).mean(axis=0)], splits=20).reliability.mean()
    assert low < truth < high


# Intervals


def test_independent_residuals_have_the_rank_of_split_conformal():
    values = np.random.default_rng(0).permutation(np.arange(1.0, 100.0))[:, None]
    low, high = residual_quantiles(values, 0.9, 1)
    assert (low[0], high[0]) == (5, 95)
    low, high = residual_quantiles(values, 0.5, 1)
    assert (low[0], high[0]) == (25, 75)


@pytest.mark.parametrize("level", [0.9, 0.5])
def test_independent_residuals_are_covered_exactly(level):
    rng = np.random.default_rng(1)
    low, high = residual_quantiles(rng.standard_exponential((39, 20_000)), level, 1)
    assert (np.exp(-np.maximum(low, 0)) - np.exp(-high)).mean() == pytest.approx(level, abs=0.003)


@pytest.mark.parametrize(("steps", "most"), [(60, 0.98), (150, 0.98), (240, 0.98), (1000, 0.93), (3600, 0.92)])
def test_residuals_in_windows_are_covered(steps, most):
    """Neither tail is short; what plain quantiles lack is more than made up for in short studies."""
    covered, plain = [], []
    for seed in range(60):
        errors = time_courses(np.random.default_rng(seed), steps, 20, common=0.0)
        for into, (low, high) in (
            (covered, residual_quantiles(errors, 0.9, WINDOW)),
            (plain, np.quantile(errors, [0.05, 0.95], axis=0)),
        ):
            into.append(norm.cdf(high) - norm.cdf(low))
    assert 0.89 < np.mean(covered) < most
    assert np.mean(plain) < np.mean(covered)
    if steps <= 240:
        assert np.mean(plain) < 0.88


def test_people_add_residuals_but_no_windows():
    rng = np.random.default_rng(2)
    people = rng.standard_normal((5, 400, 2))
    people[1, :50], people[:, 200:210, 0] = np.nan, np.nan
    low, high = residual_quantiles(people, 0.9, WINDOW)
    for row, windows in enumerate((39.0, 40.0)):
        values = np.sort(people[:, :, row][np.isfinite(people[:, :, row])])
        rank = int(np.ceil(0.95 * (1 + 1 / windows) * len(values)))
        assert (low[row], high[row]) == (values[-rank], values[rank - 1])


def test_too_few_windows_for_an_interval_give_none():
    errors = np.random.default_rng(3).standard_normal((60, 2))
    errors[15:, 1] = np.nan
    low, high = residual_quantiles(errors, 0.9, WINDOW)
    assert np.isnan([low[1], high[1]]).all()
    assert low[0] <= errors[:, 0].min()
    assert high[0] >= errors[:, 0].max()
    with pytest.raises(ValueError, match="level = 1"):
        residual_quantiles(errors, 1.0, WINDOW)
