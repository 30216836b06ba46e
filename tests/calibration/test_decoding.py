"""RidgeSynchrony for a scientist: coefficients in units, negative lags, no components, no NaN, groups by routing."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn
from sklearn.linear_model import Ridge
from sklearn.model_selection import LeaveOneGroupOut, cross_val_score

from calibration.model import RidgeSynchrony
from rtaffect.predicted.prediction import lagged_design
from tests.support.attention import RATE, attention

LAGS = tuple(range(-RATE // 4, 1, 2))
ALPHAS = np.logspace(-6, 3, 10)


def series(steps: int = 300, features: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    x = rng.standard_normal((steps, features)) * [1e-5, 1.0, 30.0, 4.0] + [0, 5, -2, 0]
    y = np.stack([np.roll(x[:, 0], -2) * 1e5 + x[:, 1], 0.2 * x[:, 2] + 3], axis=1)
    return x, y + 0.1 * rng.standard_normal(y.shape), np.repeat([0, 1, 2], steps // 3)


@pytest.mark.parametrize("components", [None, 2, 4])
@pytest.mark.parametrize("whiten", [True, False])
@pytest.mark.parametrize("standardise", [True, False])
def test_coefficients_are_those_of_features_in_their_own_units(components, whiten, standardise):
    x, y, groups = series()
    model = RidgeSynchrony(components, lag_sets=((-2, 0, 1),), whiten=whiten, standardise=standardise)
    model.fit(x, y, groups)
    assert model.coef_.shape == (3, 4, 2)
    by_hand = np.full(y.shape, np.nan)
    for start in (0, 100, 200):
        for t in range(start + 1, start + 98):
            rows = x[[t + 2, t, t - 1]]
            by_hand[t] = np.einsum("lf,lfr->r", rows, model.coef_) + model.intercept_
    np.testing.assert_allclose(model.predict(x, groups), by_hand, rtol=1e-8, atol=1e-8)
    one = RidgeSynchrony(components, lag_sets=((-2, 0, 1),), whiten=whiten, standardise=standardise)
    one.fit(x, y[:, 0], groups)
    assert one.coef_.shape == (3, 4)
    assert isinstance(one.intercept_, float)


def test_without_components_it_is_scikit_learns_ridge():
    x, y, groups = series()
    model = RidgeSynchrony(None, lag_sets=((-2, 0),), alphas=np.array([0.1])).fit(x, y, groups)
    standard = (x - x.mean(axis=0)) / x.std(axis=0)
    design = np.concatenate([lagged_design(part, (-2, 0)) for part in np.split(standard, 3)])
    use = np.isfinite(design).all(axis=1)
    oracle = Ridge(alpha=0.1 * use.sum()).fit(design[use], y[use])
    np.testing.assert_allclose(model.predict(x, groups)[use], oracle.predict(design[use]), rtol=1e-10)
    assert np.abs(model.coef_[0, 0, 0] * 1e-5 - 1) < 0.15, "what was planted, in its own unit"


def test_one_scale_for_all_leaves_weak_features_to_the_penalty():
    x, y, _ = series()
    alike = RidgeSynchrony(None, alphas=np.array([0.1])).fit(x, y[:, 1])
    raw = RidgeSynchrony(None, alphas=np.array([0.1]), whiten=False).fit(x, y[:, 1])
    scale = np.sqrt(x.var(axis=0).mean())
    oracle = Ridge(alpha=0.1 * len(x)).fit(x / scale, y[:, 1])
    np.testing.assert_allclose(raw.coef_[0], oracle.coef_ / scale, rtol=1e-9, atol=1e-12)
    assert abs(raw.coef_[0, 2] - 0.2) < abs(alike.coef_[0, 2] - 0.2), "the strong one is hardly shrunk"


def test_predictions_without_nan_where_asked():
    x, y, groups = series()
    model = RidgeSynchrony(None, lag_sets=((-2, 0, 1),), edges="mean").fit(x, y, groups)
    found = model.predict(x, groups)
    assert np.isfinite(found).all()
    beyond = np.einsum("lf,lfr->r", np.stack([x[2], x[0], x.mean(axis=0)]), model.coef_) + model.intercept_
    np.testing.assert_allclose(found[0], beyond, rtol=1e-8)
    lost = RidgeSynchrony(None, lag_sets=((-2, 0, 1),)).fit(x, y, groups).predict(x, groups)
    assert np.isnan(lost[[0, 98, 99, 100, 199]]).all()
    assert np.isfinite(lost[1:98]).all()
    with pytest.raises(ValueError, match="edges = 'zero'; expected one of 'nan', 'mean'"):
        RidgeSynchrony(edges="zero").fit(x, y)
    with pytest.raises(ValueError, match=r"lags \(0, -2\); expected one or more whole numbers that rise"):
        RidgeSynchrony(lag_sets=((0, -2),)).fit(x, y)


def by_ridge(x: np.ndarray, y: np.ndarray, groups: np.ndarray, alphas: np.ndarray) -> np.ndarray:
    """Return r of each penalty's inner folds by scikit-learn, each sound left out and held about its own means."""
    products = np.zeros((3, len(alphas)))
    for left_out in np.unique(groups):
        train = groups != left_out
        for place, alpha in enumerate(alphas):
            found = Ridge(alpha=alpha * train.sum()).fit(x[train], y[train]).predict(x[~train])
            a, b = found - found.mean(), y[~train] - y[~train].mean()
            products[:, place] += a @ b, a @ a, b @ b
    return products[0] / np.sqrt(products[1] * products[2])


def test_the_penalty_is_the_one_that_correlates_best_where_that_is_asked():
    rng, alphas = np.random.default_rng(5), np.logspace(-5, 3, 17)
    groups = np.repeat([0, 1, 2, 3], 60)
    x = rng.standard_normal((240, 30)) @ rng.standard_normal((30, 30))
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    y = 0.25 * x[:, :2] + rng.standard_normal((240, 2)) + np.repeat(rng.standard_normal((4, 2)), 60, axis=0)
    model = RidgeSynchrony(None, alphas=alphas, scoring="r").fit(x, y, groups)
    for row in range(2):
        oracle = by_ridge(x, y[:, row], groups, alphas)
        assert model.alpha_[row] == alphas[oracle.argmax()]
        assert model.inner_r_[row] == pytest.approx(oracle.max(), abs=1e-9)
    by_error = RidgeSynchrony(None, alphas=alphas).fit(x, y, groups)
    assert (by_error.alpha_ != model.alpha_).all(), "it is another choice"
    assert np.isnan(by_error.inner_r_).all()
    assert by_error.inner_error_ < model.inner_error_
    with pytest.raises(ValueError, match="scoring = 'r2'; expected one of 'error', 'r'"):
        RidgeSynchrony(scoring="r2").fit(x, y)


def test_weak_attention_is_decoded_better_by_r():
    """The least squared error of so weak a signal is that of hardly any prediction."""
    trials = attention(strength=0.1, seed=100)
    by_error, by_r = (decoded(trials, None, scoring) for scoring in ("error", "r"))
    assert by_r[0] > by_error[0] + 0.03
    assert by_r[0] > by_r[1]


def test_groups_come_by_metadata_routing():
    x, y, groups = series()
    model = RidgeSynchrony(None, lag_sets=((-2, 0),))
    with sklearn.config_context(enable_metadata_routing=True):
        asked = model.set_fit_request(groups=True).set_score_request(groups=True)
        scores = cross_val_score(asked, x, y, cv=LeaveOneGroupOut(), params={"groups": groups})
    by_hand = []
    for left_out in range(3):
        train = groups != left_out
        fitted = RidgeSynchrony(None, lag_sets=((-2, 0),)).fit(x[train], y[train], groups[train])
        by_hand.append(fitted.score(x[~train], y[~train]))
    np.testing.assert_allclose(scores, by_hand)


def test_attention_is_decoded_from_eeg():
    """The talker who is attended to, clearly above the other; a dozen whitened components lose both."""
    trials = attention(strength=0.25)
    found = {n: decoded(trials, n) for n in (None, 12)}
    assert found[None][0] > 0.2
    assert found[None][0] > 2 * found[None][1]
    assert found[12][0] < 0.5 * found[None][0]


def decoded(trials, n_components: int | None, scoring: str = "error") -> tuple[float, float]:
    """Mean over trials of r of the envelope that was decoded from the others' EEG with both talkers'."""
    r = []
    for left_out in range(3):
        test = trials.trial == left_out
        model = RidgeSynchrony(n_components, lag_sets=(LAGS,), alphas=ALPHAS, edges="mean", scoring=scoring)
        model.fit(trials.eeg[~test], trials.attended[~test], trials.trial[~test])
        envelope = model.predict(trials.eeg[test])
        r.append([np.corrcoef(envelope, talker[test])[0, 1] for talker in (trials.attended, trials.other)])
    attended, other = np.mean(r, axis=0)
    return float(attended), float(other)
