"""Ridge against scikit-learn, folds by their definition, and fits to planted and to absent relations."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter
from sklearn.linear_model import Ridge

from calibration.ridge import ALPHAS, BLOCKS, Sums, folds, ridge_of
from calibration.validation import fit
from rtaffect.common.errors import SettingsError
from rtaffect.common.settings import PredictionSettings, Settings
from rtaffect.predicted.prediction import Predictor

SETTINGS = Settings(prediction=PredictionSettings(n_components=3, lags_s=(0, 2)))
WINDOW = SETTINGS.synchrony.window_s
GAP = 12


def sums_of(x: np.ndarray, y: np.ndarray) -> Sums:
    apart = x - x.mean(axis=0)
    return Sums(len(x), x.mean(axis=0), y.mean(axis=0), apart.T @ apart, apart.T @ (y - y.mean(axis=0)))


@pytest.mark.parametrize("shape", [(60, 5), (20, 40)])
def test_ridge_is_scikit_learns(shape):
    """sklearn's penalty is alpha ||w||^2; here it is per training step."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(shape) + 3, rng.standard_normal((shape[0], 3)) - 5
    alphas = np.array([[1e-3, 0.1, 10.0], [1.0, 1.0, 1e3]])
    coefficients, intercept = ridge_of(sums_of(x, y), alphas)
    for a in range(2):
        for row in range(3):
            oracle = Ridge(alpha=alphas[a, row] * len(x), solver="cholesky").fit(x, y[:, row])
            np.testing.assert_allclose(coefficients[a][:, row], oracle.coef_, atol=1e-8)
            assert intercept[a, row] == pytest.approx(oracle.intercept_, abs=1e-7)


def test_one_alpha_for_all_rows():
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((50, 4)), rng.standard_normal((50, 3))
    sums = sums_of(x, y)
    shared, own = ridge_of(sums, ALPHAS[:, None]), ridge_of(sums, np.repeat(ALPHAS[:, None], 3, axis=1))
    np.testing.assert_allclose(shared[0], own[0], atol=1e-12)
    assert shared[0].shape == (len(ALPHAS), 4, 3)


@given(st.lists(st.integers(1, 80), min_size=2, max_size=6), st.integers(0, 30))
@settings(max_examples=50, deadline=None)
def test_folds_leave_each_sound_out_once(lengths, gap):
    starts = np.cumsum([0, *lengths])
    found = list(folds(lengths, gap))
    assert len(found) == len(lengths)
    for (train, test), (a, b) in zip(found, pairwise(starts), strict=True):
        assert test.tolist() == list(range(a, b))
        assert sorted([*train, *test]) == list(range(starts[-1]))


@given(st.integers(1, 30), st.integers(0, 200))
@settings(max_examples=50, deadline=None)
def test_folds_of_one_sound_keep_their_distance(gap, more):
    steps = BLOCKS * 2 * gap + more
    found = list(folds([steps], gap))
    tested = np.concatenate([test for _, test in found])
    assert tested.tolist() == list(range(steps)), "each step is tested once"
    for train, test in found:
        distance = np.abs(train[:, None] - test[None]).min(axis=1)
        assert distance.min() > gap, "a window and its lags do not reach from one to the other"
        everything = np.arange(steps)
        far = np.abs(everything[:, None] - test[None]).min(axis=1) > gap
        assert train.tolist() == everything[far].tolist(), "and nothing else is given up"


def test_one_sound_that_is_too_short_is_refused():
    with pytest.raises(SettingsError, match=r"100 s with values in a row cannot be cut into 5 folds.*a further one"):
        list(folds([100], 20))


def wander(rng: np.random.Generator, steps: int, columns: int, keep: float = 0.8) -> np.ndarray:
    """Noise with the memory of a sound's features, unit variance."""
    return lfilter([np.sqrt(1 - keep**2)], [1, -keep], rng.standard_normal((steps + 50, columns)), axis=0)[50:]


def sounds(seed: int, lengths: tuple[int, ...], noise: float, signal: float = 1.0) -> tuple[list, list]:
    """Features of 3 sources among 8 columns, and 4 targets that follow two of them, one 2 s late; noise of 10 s."""
    rng = np.random.default_rng(seed)
    mixing = np.linalg.qr(np.random.default_rng(99).standard_normal((8, 8)))[0][:3] * np.array([[4], [2], [1]])
    features, targets = [], []
    for steps in lengths:
        source = wander(rng, steps + 2, 3)
        features.append(source[2:] @ mixing)
        planted = 0.1 * signal * (source[2:, :1] - 0.5 * source[:-2, 1:2]) * np.array([1, -1, 2, 0.5])
        error = lfilter(np.ones(10) / np.sqrt(10), 1, rng.standard_normal((steps + 10, 4)), axis=0)[10:]
        target = 0.15 + planted + noise * error
        target[:9] = np.nan
        targets.append(target)
    return features, targets


@pytest.mark.parametrize("lengths", [(90, 80, 100), (320,)])
def test_planted_weights_are_recovered(lengths):
    features, targets = sounds(0, lengths, noise=1e-4)
    found = fit(features, targets, SETTINGS)
    r, r_mean = found.correlations(SETTINGS)
    assert r.min() > 0.98
    assert r_mean > 0.98
    assert found.folds == (3 if len(lengths) > 1 else BLOCKS)
    assert found.alpha.tolist() == [ALPHAS[0]] * 4
    new, planted = sounds(7, (60,), noise=0.0)
    predictor = Predictor(found.weights, np.arange(4))
    predicted = np.array([np.arctanh(predictor(f).value) for f in new[0]])
    np.testing.assert_allclose(predicted[9:], planted[0][9:], atol=0.02)
    late = np.array([np.corrcoef(predicted[9:, k], planted[0][9:, k])[0, 1] for k in range(4)])
    assert late.min() > 0.99


def test_more_noise_is_more_penalty_and_less_r():
    quiet_fit = fit(*sounds(1, (120, 120, 120), noise=0.01), SETTINGS)
    noisy_fit = fit(*sounds(1, (120, 120, 120), noise=0.3), SETTINGS)
    assert noisy_fit.alpha.mean() > quiet_fit.alpha.mean()
    assert noisy_fit.correlations(SETTINGS)[1] < quiet_fit.correlations(SETTINGS)[1] - 0.1


@pytest.mark.parametrize("lengths", [(100, 100, 100, 100), (400,)])
def test_noise_predicts_nothing(lengths):
    """Ten studies without any relation: the held-out r is not above chance (it lies below: the train mean tells)."""
    studies = (fit(*sounds(seed, lengths, 0.1, signal=0.0), SETTINGS) for seed in range(10))
    r = np.array([found.correlations(SETTINGS)[0] for found in studies])
    standard_error = r.mean(axis=1).std(ddof=1) / np.sqrt(len(r))
    assert r.mean() < 0.02 + 2 * standard_error
    assert r.mean() > -0.5
    assert (r > 0.4).mean() < 0.05


def test_what_is_held_out_is_not_seen():
    """Changing a sound's targets changes the held-out predictions of the others, not its own."""
    features, targets = sounds(2, (90, 80, 100), noise=0.1)
    one = fit(features, targets, SETTINGS)
    targets[1] = targets[1] + np.random.default_rng(0).standard_normal(targets[1].shape)
    other = fit(features, targets, SETTINGS)
    np.testing.assert_array_equal(one.held_out[90:170], other.held_out[90:170])
    assert np.nanmax(np.abs(one.held_out[:90] - other.held_out[:90])) > 1e-3
    features[1] = features[1] * 3
    third = fit(features, targets, SETTINGS)
    assert np.nanmax(np.abs(third.held_out[90:170] - other.held_out[90:170])) > 1e-3


def test_the_basis_of_a_fold_does_not_see_the_features_left_out():
    """Only the last step's features change: what was held out before it in the same sound stays as it was."""
    features, targets = sounds(2, (90, 80, 100), noise=0.1)
    one = fit(features, targets, SETTINGS)
    features[1][-1] += 50.0
    other = fit(features, targets, SETTINGS)
    np.testing.assert_array_equal(one.held_out[90:169], other.held_out[90:169])
    assert np.abs(one.held_out[169] - other.held_out[169]).min() > 0.01
    assert np.nanmax(np.abs(one.held_out[:90] - other.held_out[:90])) > 1e-6


def test_held_out_values_stand_where_lags_allow():
    features, targets = sounds(3, (90, 80, 100), noise=0.1)
    held = np.isfinite(fit(features, targets, SETTINGS).held_out).all(axis=1)
    starts = (0, 90, 170)
    assert np.flatnonzero(~held).tolist() == [s + k for s in starts for k in (0, 1)]


@pytest.mark.parametrize("level", [0.9, 0.5])
def test_the_interval_covers_what_it_says(level):
    """New sounds of the same kind; errors of neighbouring steps are alike, so the tolerance is wide."""
    chosen = SETTINGS.model_copy(
        update={"prediction": PredictionSettings(n_components=3, lags_s=(0, 2), interval_level=level)}
    )
    inside, overall = [], []
    for seed in range(6):
        found = fit(*sounds(seed, (150, 150, 150), noise=0.15), chosen)
        features, targets = sounds(100 + seed, (300,), noise=0.15)
        predictor = Predictor(found.weights, np.arange(4))
        for feature, target in zip(features[0], targets[0], strict=True):
            p = predictor(feature)
            if np.isfinite(target).all() and np.isfinite(p.value).all():
                inside.append((np.tanh(target) >= p.low) & (np.tanh(target) <= p.high))
                overall.append(p.overall_low <= np.tanh(target.mean()) <= p.overall_high)
    assert np.mean(inside) == pytest.approx(level, abs=0.06)
    assert np.mean(overall) == pytest.approx(level, abs=0.08)


def test_the_interval_for_one_person_is_wider_than_for_the_group():
    features, targets = sounds(4, (120, 120, 120), noise=0.05)
    rng = np.random.default_rng(0)
    people = [t + 0.2 * rng.standard_normal((6, *t.shape)) for t in targets]
    group, one = fit(features, targets, SETTINGS), fit(features, targets, SETTINGS, people=people)
    np.testing.assert_array_equal(one.held_out, group.held_out)
    width = one.weights.residual_high - one.weights.residual_low
    assert (width[:-1] > 2 * (group.weights.residual_high - group.weights.residual_low)[:-1]).all()
    # 90 % of normal errors of .2 and of what the group's own mean misses, and more because there are only 35 windows.
    normal = 2 * 1.645 * np.hypot(0.2, 0.05)
    assert 0.95 * normal < width[:-1].mean() < 1.4 * normal


def test_too_many_components_are_refused():
    features, targets = sounds(5, (90, 80, 100), noise=0.1)
    many = SETTINGS.model_copy(update={"prediction": PredictionSettings(n_components=9)})
    with pytest.raises(SettingsError, match=r"n_components = 9 .* 8 features"):
        fit(features, targets, many)
