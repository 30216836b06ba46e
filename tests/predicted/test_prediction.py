"""Predictions: the live one, step by step, is the batch design times the weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtaffect.predicted.prediction import Predictor, components_of, lagged_design, predict
from tests.support.helpers import some_weights


@given(
    steps=st.integers(1, 15),
    lags=st.lists(st.integers(0, 20), min_size=1, max_size=5, unique=True).map(lambda x: tuple(sorted(x))),
)
@settings(max_examples=60, deadline=None)
def test_lagged_design_by_loop(steps, lags):
    components = np.arange(steps * 2.0).reshape(steps, 2) + 1
    found = lagged_design(components, lags)
    assert found.shape == (steps, 2 * len(lags))
    for t in range(steps):
        for place, lag in enumerate(lags):
            part = found[t, 2 * place : 2 * place + 2]
            if t < lag:
                assert np.isnan(part).all()
            else:
                assert (part == components[t - lag]).all()


def test_components_are_projected_centred_and_scaled():
    weights = some_weights(np.random.default_rng(0))
    feature = np.random.default_rng(1).standard_normal(6)
    for i in range(3):
        projected = sum((feature[f] - weights.pca_mean[f]) * weights.pca_components[i, f] for f in range(6))
        expected = (projected - weights.scaler_mean[i]) / weights.scaler_scale[i]
        assert components_of(feature, weights)[i] == pytest.approx(expected, rel=1e-12)


def test_step_by_step_is_the_batch():
    rng = np.random.default_rng(2)
    weights = some_weights(rng, rows=4)
    features = rng.standard_normal((12, 6))
    rows = np.array([2, 0, 3])
    design = lagged_design(components_of(features, weights), weights.lags_s)
    z = (design @ weights.coefficients + weights.intercept)[:, rows]
    predictor = Predictor(weights, rows)
    for t, feature in enumerate(features):
        found = predictor(feature)
        if t < 3:
            assert np.isnan(found.value).all()
            assert math.isnan(found.overall)
            continue
        np.testing.assert_allclose(found.value, np.tanh(z[t]), atol=1e-12)
        np.testing.assert_allclose(found.low, np.tanh(z[t] + weights.residual_low[rows]), atol=1e-12)
        np.testing.assert_allclose(found.high, np.tanh(z[t] + weights.residual_high[rows]), atol=1e-12)
        assert found.overall == pytest.approx(np.tanh(z[t].mean()), abs=1e-9)
        assert found.overall_low == pytest.approx(np.tanh(z[t].mean() + weights.residual_low[-1]), abs=1e-9)
        assert found.overall_high == pytest.approx(np.tanh(z[t].mean() + weights.residual_high[-1]), abs=1e-9)


def test_sound_that_is_missing_is_missed_for_as_long_as_a_lag_needs_it():
    rng = np.random.default_rng(3)
    weights = some_weights(rng, lags_s=(0, 1, 3))
    features = rng.standard_normal((14, 6))
    features[6, 2] = np.nan
    predictor = Predictor(weights, np.arange(2))
    there = [bool(np.isfinite(predictor(f).value).all()) for f in features]
    assert there == [False] * 3 + [True] * 3 + [False, False, True, False] + [True] * 4


def test_two_predictors_share_nothing():
    rng = np.random.default_rng(4)
    weights, features = some_weights(rng), rng.standard_normal((8, 6))
    alone = [Predictor(weights, np.arange(2)) for _ in range(2)]
    for f in features:
        alone[0](f)
    assert np.isnan(alone[1](features[0]).value).all()


def test_prediction_stays_a_correlation():
    weights = some_weights(np.random.default_rng(5))
    found = predict(np.full(9, 1e4), weights, np.arange(2), np.ones(2, bool))
    for value in (found.value, found.low, found.high, found.overall, found.overall_low, found.overall_high):
        assert (np.abs(value) <= 1).all()
        assert np.isfinite(value).all()
