"""What features tell beyond covariates: as an oracle has it, nothing where there is nothing, found where it is."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression, Ridge

from bench.evidence_covariates import CASES, SETTINGS, study, zeroed
from calibration.statistics import pair, score
from calibration.sweep import Question, sweep
from calibration.unique import unique
from rtaffect.common.errors import SettingsError
from rtaffect.common.settings import NO_DRIFT
from rtaffect.predicted.prediction import lagged_design
from tests.support.helpers import quiet

PICTURE, BOTH = CASES[0], CASES[3]


def demeaned(values: np.ndarray, sound: np.ndarray) -> np.ndarray:
    return np.concatenate([values[sound == s] - values[sound == s].mean(axis=0) for s in np.unique(sound)])


def test_it_is_what_scikit_learn_makes_of_it(monkeypatch):
    """One penalty, so that nothing is chosen: residuals and ridge by other code, fold by fold."""
    monkeypatch.setattr("calibration.unique.ALPHAS", np.array([0.1]))
    features, covariates, targets = study(3, BOTH, sounds=4, steps=80)
    found = unique("x", features, targets, covariates, SETTINGS, draws=1)
    x, y = np.concatenate(features), np.concatenate(targets)
    seen = np.concatenate([lagged_design(c, tuple(range(10))) for c in covariates])
    sound = np.repeat(np.arange(4), 80)
    there = np.isfinite(seen).all(axis=1) & np.isfinite(y).all(axis=1)
    seen = seen / seen[there].std(axis=0)
    added, base = np.full((2, *y.shape), np.nan)
    whole, left = np.full((2, len(y)), np.nan)
    for test in range(4):
        train, held = there & (sound != test), there & (sound == test)
        pca = PCA(12).fit(x[sound != test])
        heard = pca.transform(x) / pca.transform(x[sound != test]).std(axis=0)
        heard = np.concatenate([lagged_design(part, (0, 3, 6, 9)) for part in np.split(heard, 4)])
        c, h, t = (demeaned(v[train], sound[train]) for v in (seen, heard, y))
        off = LinearRegression(fit_intercept=False).fit(c, h)
        rest = h - off.predict(c)
        by_seen = Ridge(0.1 * len(t), fit_intercept=False).fit(c, t)
        by_rest = Ridge(0.1 * len(t), fit_intercept=False).fit(rest, t - by_seen.predict(c))
        new_c, new_h = seen[held] - seen[train].mean(axis=0), heard[held] - heard[train].mean(axis=0)
        base[held] = by_seen.predict(new_c) + y[train].mean(axis=0)
        z = by_rest.predict(new_h - off.predict(new_c))
        added[held] = z / by_rest.predict(rest).std(axis=0)
        whole[held] = z.mean(axis=1) / by_rest.predict(rest).mean(axis=1).std()
    left = (y - base).mean(axis=1)
    parts = [np.split(np.column_stack(v), 4) for v in ((added, whole), (y - base, left))]
    np.testing.assert_allclose(found.r.value, score(pair(*parts, 10)).r, atol=1e-8)
    alone = [np.split(np.column_stack([v, v.mean(axis=1)]), 4) for v in (base, y)]
    np.testing.assert_allclose(found.alone, score(pair(*alone, 10)).r, atol=1e-8)
    np.testing.assert_allclose(found.gain.value, found.joint - found.alone)


def test_what_follows_the_picture_alone_is_not_credited_to_the_sound():
    """The paper's control credits it in every study; of 16 here p <= .05 in five or more comes once in 1000 times."""
    zeroed_r, r, p = [], [], []
    for seed in range(16):
        features, covariates, targets = study(seed, PICTURE, steps=100)
        found = unique("x", features, targets, covariates, SETTINGS, draws=19, seed=seed)
        r.append(found.r.value[-1])
        p.append((found.r.p_mean, found.gain.p_mean))
        if seed < 3:
            zeroed_r.append(zeroed(features, covariates, targets, 19, seed))
    assert abs(np.mean(r)) < 0.13, "three standard errors"
    assert ((np.array(p) <= 0.05).sum(axis=0) < 5).all()
    assert np.min(zeroed_r, axis=0)[0] > 0.4
    assert np.max(zeroed_r, axis=0)[1] == 0.05


def test_what_is_the_sounds_own_is_found():
    settings = SETTINGS.model_copy(update={"drift": NO_DRIFT})
    for seed in range(3):
        features, covariates, targets = study(seed, BOTH)
        found = unique("x", features, targets, covariates, settings, draws=39, seed=seed)
        assert found.r.p_mean == found.gain.p_mean == 1 / 40
        assert found.r.value[-1] > 0.4
        assert (found.joint > found.alone + 0.05).all()
        assert found.r.p.family.max() <= 0.05


def test_the_order_of_sounds_does_not_matter():
    parts = study(0, BOTH, sounds=4, steps=80)
    features, covariates, targets = parts
    one = unique("x", features, targets, covariates, SETTINGS, draws=1)
    features, covariates, targets = ([part[k] for k in (3, 1, 2, 0)] for part in parts)
    other = unique("x", features, targets, covariates, SETTINGS, draws=1)
    np.testing.assert_allclose(other.r.value, one.r.value, atol=1e-9)
    np.testing.assert_allclose(other.joint, one.joint, atol=1e-9)


def test_too_many_covariates_for_the_sounds_are_refused():
    features, _, targets = study(0, PICTURE, sounds=3, steps=60)
    many = [np.random.default_rng(k).standard_normal((60, 9)) for k in range(3)]
    with pytest.raises(SettingsError, match=r"90 columns of covariates .* longer sounds or fewer"):
        unique("x", features, targets, many, SETTINGS, draws=3)
    people = [t[None] for t in targets]
    question = Question(targets, people, np.ones(2, np.bool_), many)
    found = sweep({"layer-0": features}, question, SETTINGS, quiet, draws=3)
    assert found.unique == ()
    assert "90 columns of covariates" in found.no_unique


def test_further_nuisances_are_taken_out_too():
    """A drift in features and synchrony alike is told by the features, unless it is given."""
    rng = np.random.default_rng(1)
    drift = [np.linspace(-1, 1, 100)[:, None] for _ in range(6)]
    features = [d + 0.3 * rng.standard_normal((100, 4)) for d in drift]
    targets = [0.1 * d + 0.1 * rng.standard_normal((100, 2)) for d in drift]
    seen = [rng.standard_normal((100, 1)) for _ in drift]
    own = {"prediction": SETTINGS.prediction.model_copy(update={"n_components": 4}), "drift": NO_DRIFT}
    few = SETTINGS.model_copy(update=own)
    without = unique("x", features, targets, seen, few, draws=39)
    given = unique("x", features, targets, seen, few, draws=39, nuisance=drift)
    assert without.r.value[-1] > 0.5
    assert abs(given.r.value[-1]) < 0.25
