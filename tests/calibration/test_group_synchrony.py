"""Whether a group is synchronised: against a slow oracle, at the nominal rate on noise, found where planted."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import norm

from calibration.ceiling import NoiseCeiling, ceiling_of_halves
from calibration.group_synchrony import PairSums
from rtaffect.common.correlation import fisher_z
from rtaffect.common.settings import NO_DRIFT
from rtaffect.observed.synchrony import RowLayout, standardise
from tests.support.helpers import people_with

RATE = 100


def sums_of(groups: list[np.ndarray], layout: RowLayout | None = None, draws: int = 99, seed: int = 0) -> PairSums:
    found = PairSums(layout or RowLayout.plain(groups[0].shape[2]), RATE, draws, seed)
    for group in groups:
        found.add(standardise(group, found._layout.k))
    return found


def noise(seed: int, isc: float = 0.0, people: int = 6, seconds: int = 30, rows: int = 3, sounds: int = 2) -> list:
    rng = np.random.default_rng(seed)
    return [people_with(rng, people, seconds * RATE, rows, isc) for _ in range(sounds)]


def oracle(groups: list[np.ndarray]) -> np.ndarray:
    """Mean z over pairs and sounds by numpy, a sound's pairs by the instants of both."""
    total, weights = 0.0, 0.0
    for group in groups:
        for p, q in combinations(range(len(group)), 2):
            both = np.isfinite(group[p] + group[q]).all(axis=1)
            if not both.any():
                continue
            r = [np.corrcoef(group[p][both, row], group[q][both, row])[0, 1] for row in range(group.shape[2])]
            total = total + both.sum() * np.arctanh(r)
            weights += both.sum()
    return total / weights


def test_it_is_the_mean_correlation_of_pairs():
    groups = noise(0, 0.2)
    found = sums_of(groups).found()
    z = oracle(groups)
    np.testing.assert_allclose(np.arctanh(found.r[:-1]), z, atol=2e-5)
    assert np.arctanh(found.r[-1]) == pytest.approx(z.mean(), abs=2e-5)
    np.testing.assert_allclose(np.arctanh(found.each[1, :-1]), oracle(groups[1:]), atol=2e-5)
    assert (found.listeners, found.seconds, found.draws) == (6, 60.0, 99)


def test_gaps_and_absent_listeners_have_no_part():
    groups = noise(1, 0.2)
    groups[0][2, 500:1100] = np.nan
    groups[0][4, 900:1500] = np.nan
    groups[1][3] = np.nan
    found = sums_of(groups).found()
    # Means are those of what each one has, not of what two have together.
    np.testing.assert_allclose(np.arctanh(found.r[:-1]), oracle(groups), atol=2e-3)
    assert found.listeners == 6
    assert found.synchronised


def test_components_of_a_row_are_correlated_as_one():
    groups = noise(2, 0.2, rows=6)
    found = sums_of(groups, RowLayout(2, np.zeros((0, 3), np.bool_), np.ones(3, np.bool_))).found()
    joined = [
        g.reshape(6, -1, 3, 2).transpose(0, 1, 3, 2).reshape(6, -1, 3)
        for g in (standardise(each, 2) for each in groups)
    ]
    np.testing.assert_allclose(np.arctanh(found.r[:-1]), oracle(joined), atol=2e-3)


def test_averages_are_means_of_their_rows():
    groups = noise(3, 0.1)
    layout = RowLayout(1, np.array([[True, True, False]]), np.array([False, False, False, True]))
    found = sums_of(groups, layout).found()
    z = np.arctanh(found.r)
    assert z[3] == pytest.approx(z[:2].mean())
    assert z[4] == pytest.approx(z[3])
    assert found.smallest_p == min(found.p_family[3:])


def test_the_interval_is_the_jackknife_of_listeners():
    groups = noise(4, 0.1)
    found = sums_of(groups).found()
    left = np.stack([oracle([np.delete(g, i, axis=0) for g in groups]) for i in range(6)])
    error = np.sqrt(5 / 6 * ((left - left.mean(axis=0)) ** 2).sum(axis=0))
    np.testing.assert_allclose(fisher_z(found.high[:-1]) - fisher_z(found.r[:-1]), 2.5706 * error, rtol=0.01)
    np.testing.assert_allclose(fisher_z(found.r[:-1]) - fisher_z(found.low[:-1]), 2.5706 * error, rtol=0.01)


@pytest.mark.parametrize("isc", [0.05, 0.1])
def test_what_is_planted_is_found(isc):
    found = sums_of(noise(5, isc, people=8)).found()
    assert found.synchronised
    assert (found.p_family == 0.01).all()
    assert (found.low < isc).all()
    assert (found.high > isc - 0.02).all()


def test_both_kinds_of_chance_are_as_wide_as_unrelated_people_are():
    """Over many groups of unrelated people, ISC spreads as turned and as randomised ones do."""
    values, spreads = [], []
    for seed in range(30):
        sums = sums_of(noise(100 + seed, people=5, rows=4, sounds=1), draws=60)
        values.append(sums.found().r[:-1])
        spreads.append([(moved / sums._sums[0][1].sum(axis=(0, 1))).std(axis=0) for moved in sums._moved])
    true = np.std(values)
    turned, randomised = np.mean(spreads, axis=(0, 2))
    # 120 values: a standard error of 6.5 % of the spread.
    assert turned == pytest.approx(true, rel=0.2)
    assert randomised == pytest.approx(true, rel=0.2)
    assert turned == pytest.approx(randomised, rel=0.05)


def test_gaps_widen_chance():
    """As much as there is less of both in place; turned ones more, as gaps that were one do not meet then."""
    groups = noise(6, people=5, rows=4, sounds=1)
    whole = sums_of(groups, draws=200)
    groups[0][1:, :1000] = np.nan
    groups[0][:, 2000:2300] = np.nan
    cut = sums_of(groups, draws=200)
    spread = [[m.std() / s._sums[0][1].sum(axis=(0, 1)).mean() for m in s._moved] for s in (cut, whole)]
    turned, randomised = np.divide(*spread)
    assert randomised == pytest.approx(np.sqrt(30 / 17), rel=0.15)
    assert np.sqrt(30 / 17) < turned < np.sqrt(30 / 9)


def test_unrelated_people_are_not_synchronised():
    """Fractal noise: the nominal rate, 5 % of 40 groups; more than 7 would be one chance in a thousand."""
    found = [sums_of(noise(200 + seed, people=5, seconds=20), draws=79).found() for seed in range(40)]
    assert sum(each.synchronised for each in found) <= 7
    p = np.array([each.p[-1] for each in found])
    assert 0.35 < p.mean() < 0.7
    assert norm.cdf(np.mean([each.r[-1] for each in found]) / np.std([each.r[-1] for each in found]) * 40**0.5) < 0.9999


def test_rows_without_one_listener_each_are_pairwise_means():
    groups = noise(7, 0.1, people=4, sounds=1)
    whole = sums_of(groups).found()
    sums = PairSums(RowLayout.plain(3), RATE, 99)
    sums.add_left_out([standardise(groups[0])] * 4)
    np.testing.assert_allclose(sums.found().r, whole.r, atol=1e-6)
    turned = [standardise(np.where(np.arange(4)[:, None, None] == p, 1, -1) * groups[0]) for p in range(4)]
    sums = PairSums(RowLayout.plain(3), RATE, 99)
    sums.add_left_out(turned)
    np.testing.assert_allclose(sums.found().r, -whole.r, atol=1e-6)


def test_slow_trends_are_no_synchrony():
    """Courses that only wane alike, as envelopes do, say nothing: line and slow cosines are taken out."""
    groups = noise(8, people=6, seconds=120, sounds=1)
    at = np.linspace(-1, 1, 12_000)[:, None]
    found = sums_of([groups[0] + 3 * at + 2 * np.cos(np.pi * (at + 1) / 2)]).found()
    assert np.abs(found.r).max() < 0.05
    assert not found.synchronised


def halves(seed: int, common: float, sounds: int = 6, steps: int = 111, rows: int = 3) -> list[np.ndarray]:
    """Courses of halves (4, 2, steps, rows) with windows of ten steps."""
    rng = np.random.default_rng(seed)

    def smooth(*shape: int) -> np.ndarray:
        sums = np.cumsum(rng.standard_normal((*shape[:-2], shape[-2] + 10, shape[-1])), axis=-2)
        return (sums[..., 10:, :] - sums[..., :-10, :]) / np.sqrt(10)

    found = []
    for _ in range(sounds):
        shared = smooth(1, 1, steps, rows)
        found.append(0.1 * (np.sqrt(common) * shared + np.sqrt(1 - common) * smooth(4, 2, steps, rows)))
    return found


def told(seed: int, common: float, **more: int) -> NoiseCeiling:
    return ceiling_of_halves(halves(seed, common, **more), 10, np.ones(3, np.bool_), 10, 99)


def test_the_ceiling_is_bracketed_by_listeners_and_pairs():
    found = told(0, 0.4)
    assert found.told.all()
    r = np.mean([told(seed, 0.4).low ** 2 for seed in range(8)], axis=0)
    np.testing.assert_allclose(r[:-1], 2 * 0.4 / 1.4, atol=0.1)
    assert (found.least < found.low).all()
    assert (found.low < found.high).all()
    assert (found.high < found.most).all()
    z = found.low**2 / (2 - found.low**2)
    np.testing.assert_allclose(found.high**2, 4.5 * z / (1 + 3.5 * z))


def test_halves_without_anything_in_common_have_no_ceiling():
    found = [told(seed, 0.0) for seed in range(100, 130)]
    assert sum(each.told[-1] for each in found) <= 6
    assert sum(each.told[:-1].any() for each in found) <= 6
    none = next(each for each in found if not each.told.any())
    assert np.isnan(np.stack(none.ends)).all()
    assert np.isfinite(none.p).all()


def test_halves_that_only_wane_alike_have_no_ceiling():
    """Predictions are judged without drifts; what halves have in common by waning cannot be reached."""
    rise = np.linspace(3, -3, 111)[:, None]
    waning = [half + rise for half in halves(3, 0.0)]
    found = ceiling_of_halves(waning, 10, np.ones(3, np.bool_), 10, 99)
    assert np.isnan(found.ends[1]).all()
    assert ceiling_of_halves(waning, 10, np.ones(3, np.bool_), 10, 99, NO_DRIFT).low[-1] > 0.9


def test_one_sound_is_cut_for_the_ceilings_interval_and_short_ones_are_not_judged():
    found = told(1, 0.5, sounds=1, steps=400)
    assert np.isfinite(found.least).all()
    short = told(2, 0.5, sounds=2, steps=25)
    assert np.isnan(short.p).all()
    assert not short.told.any()
    assert np.isnan(ceiling_of_halves([np.empty((0, 2, 50, 3))], 3, np.ones(3, np.bool_), 10).low).all()


def test_slow_trends_with_holes_are_no_synchrony_either():
    """Where the beginning is missing, drifts are those of the rest (what is absent is no zero), and the rest stays."""
    group = noise(8, people=6, seconds=120, sounds=1)[0]
    at = np.linspace(-1, 1, 12_000)[:, None]
    waning = group + 3 * at + 2 * np.cos(np.pi * (at + 1) / 2)
    group[:, :5000] = waning[:, :5000] = np.nan
    np.testing.assert_allclose(sums_of([waning]).found().r, sums_of([group]).found().r, atol=1e-3)
