"""The model in scikit-learn's form: its checks, covariates that are gone when predicting, and lags that are chosen."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.utils.estimator_checks import estimator_checks_generator

from calibration.model import RidgeSynchrony, basis_of, lengths_of
from calibration.validation import fit
from rtaffect.common.settings import PredictionSettings, Settings


@pytest.mark.parametrize(
    ("estimator", "check"), list(estimator_checks_generator(RidgeSynchrony())), ids=lambda x: getattr(x, "func", x)
)
@pytest.mark.filterwarnings("ignore")
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


def wander(rng: np.random.Generator, steps: int, columns: int, keep: float = 0.8) -> np.ndarray:
    return lfilter([np.sqrt(1 - keep**2)], [1, -keep], rng.standard_normal((steps + 50, columns)), axis=0)[50:]


def test_the_basis_is_scikit_learns_pca():
    x = np.random.default_rng(0).standard_normal((80, 6)) * [5, 4, 3, 2, 1, 0.5] + 7
    mean, axes, middle, scale = basis_of(x, 4)
    pca = PCA(4).fit(x)
    signs = np.sign((axes * pca.components_).sum(axis=1))
    np.testing.assert_allclose(axes * signs[:, None], pca.components_, atol=1e-9)
    np.testing.assert_allclose(mean, pca.mean_)
    np.testing.assert_allclose(middle, 0, atol=1e-12)
    np.testing.assert_allclose(scale, pca.transform(x).std(axis=0))


class TestCovariates:
    def data(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Synchrony follows a feature and a covariate like it: without the covariate, the feature takes its credit."""
        rng = np.random.default_rng(3)
        own, seen = wander(rng, 900, 1), wander(rng, 900, 1)
        feature = 0.6 * seen + 0.8 * own
        y = 0.1 * feature + 0.3 * seen + 0.02 * rng.standard_normal((900, 2))
        return feature, seen, y

    def test_they_take_what_is_theirs_and_are_gone_when_predicting(self):
        feature, seen, y = self.data()
        groups = np.repeat([0, 1, 2], 300)
        with_it = RidgeSynchrony(1, n_covariates=1).fit(np.hstack([feature, seen]), y, groups)
        without = RidgeSynchrony(1).fit(feature, y, groups)
        slope = [
            m.weights_.coefficients[0] / m.weights_.scaler_scale * m.weights_.pca_components[0]
            for m in (with_it, without)
        ]
        np.testing.assert_allclose(np.abs(slope[0]), 0.1, atol=0.02)
        assert (np.abs(slope[1]) > 0.2).all()
        one = with_it.predict(np.hstack([feature, seen]))
        np.testing.assert_array_equal(one, with_it.predict(np.hstack([feature, 1e3 + 0 * seen])))
        assert one.std() < without.predict(feature).std()

    def test_a_constant_one_changes_nothing(self):
        feature, seen, y = self.data()
        one = RidgeSynchrony(1, n_covariates=1).fit(np.hstack([feature, 0 * seen + 5]), y)
        np.testing.assert_allclose(
            one.predict(np.hstack([feature, seen])), RidgeSynchrony(1).fit(feature, y).predict(feature), atol=1e-9
        )

    def test_validation_takes_them(self):
        feature, seen, y = self.data()
        parts = [np.s_[a : a + 300] for a in (0, 300, 600)]
        settings = Settings(prediction=PredictionSettings(n_components=1, lags_s=(0,)))
        features, targets = [feature[p] for p in parts], [y[p] for p in parts]
        plain = fit(features, targets, settings)
        controlled = fit(features, targets, settings, covariates=[seen[p] for p in parts])
        assert controlled.weights.coefficients.shape == plain.weights.coefficients.shape
        assert np.abs(controlled.weights.coefficients).max() < np.abs(plain.weights.coefficients).max()


class TestLags:
    @pytest.mark.parametrize("delay", [0, 3])
    def test_the_set_that_is_needed_is_chosen(self, delay):
        rng = np.random.default_rng(1)
        source = wander(rng, 640, 1, keep=0.2)
        y = 0.2 * np.roll(source, delay, axis=0) + 0.1 * rng.standard_normal((640, 3))
        found = RidgeSynchrony(1, lag_sets=((0,), (0, 1, 2, 3))).fit(source, y, np.repeat([0, 1, 2, 3], 160))
        assert found.lags_ == ((0,) if delay == 0 else (0, 1, 2, 3))

    def test_predictions_lack_a_past_at_each_sounds_start(self):
        rng = np.random.default_rng(2)
        x, groups = rng.standard_normal((100, 4)), np.repeat([7, 3], 50)
        model = RidgeSynchrony(2, lag_sets=((0, 2),)).fit(x, rng.standard_normal(100), groups)
        assert np.flatnonzero(np.isnan(model.predict(x, groups))).tolist() == [0, 1, 50, 51]
        assert np.isfinite(model.score(x, np.ones(100), groups=groups))

    def test_validation_says_which_lags_it_took(self):
        rng = np.random.default_rng(4)
        features = [wander(rng, 150, 3, keep=0.2) for _ in range(3)]
        targets = [0.1 * f[:, :2] + 0.05 * rng.standard_normal((150, 2)) for f in features]
        prediction = PredictionSettings(n_components=2, lags_s=(0, 1, 2, 3, 4), longest_lags_s=(0, 4))
        found = fit(features, targets, Settings(prediction=prediction))
        assert found.weights.lags_s == (0,)
        assert found.weights.coefficients.shape == (2, 2)


def test_groups_that_are_torn_apart_are_refused():
    assert lengths_of([1, 1, 0, 2, 2, 2], 6) == [2, 1, 3]
    with pytest.raises(ValueError, match="do not follow each other"):
        lengths_of([1, 1, 0, 1], 4)
    with pytest.raises(ValueError, match="expected"):
        lengths_of([1, 1], 4)


def test_missing_targets_are_left_out():
    rng = np.random.default_rng(5)
    x, y = rng.standard_normal((120, 3)), rng.standard_normal((120, 2))
    y[:20] = np.nan
    groups = np.repeat([0, 1, 2], 40)
    found = clone(RidgeSynchrony(3)).fit(x, y, groups)
    assert np.isfinite(found.predict(x)).all()
    with pytest.raises(ValueError, match="no step has"):
        RidgeSynchrony(3).fit(x, np.full((120, 2), np.nan), groups)
