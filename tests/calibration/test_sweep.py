"""The sweep: the planted layer is found, draws fitted together are draws fitted alone, noise stays noise."""

from __future__ import annotations

import numpy as np
import pytest
from joblib import parallel_config
from joblib.externals.loky import get_reusable_executor
from scipy.signal import lfilter

from calibration.exact import exact_null
from calibration.statistics import pair, score
from calibration.sweep import AUTO, Question, SetResult, Sweep, choose_inside, sweep
from calibration.trends import untrended
from calibration.validation import fit, held_out
from rtaffect.common.settings import NO_DRIFT, PredictionSettings, Settings

SETTINGS = Settings(prediction=PredictionSettings(n_components=2, lags_s=(0, 2)))
ROWS = 3


def wander(rng: np.random.Generator, steps: int, columns: int, keep: float = 0.8) -> np.ndarray:
    return lfilter([np.sqrt(1 - keep**2)], [1, -keep], rng.standard_normal((steps + 50, columns)), axis=0)[50:]


def windowed(rng: np.random.Generator, steps: int, columns: int) -> np.ndarray:
    return lfilter(np.ones(10) / np.sqrt(10), 1, rng.standard_normal((steps + 10, columns)), axis=0)[10:]


def a_study(seed: int, sounds: int = 6, steps: int = 90, signal: float = 1.0) -> tuple[dict, Question]:
    """Layers with more or less of what drives synchrony (layer-1 most), descriptors with nothing of it."""
    rng = np.random.default_rng(seed)
    source = [wander(rng, steps, 2) for _ in range(sounds)]
    mixing = rng.standard_normal((2, 5))
    noise = {"lld": np.inf, "layer-0": 1.0, "layer-1": 0.2, "final": 2.0}
    features = {
        name: [(0 if np.isinf(level) else 1) * s @ mixing + min(level, 1.5) * wander(rng, steps, 5) for s in source]
        for name, level in noise.items()
    }
    targets = []
    for s in source:
        target = (
            0.1 + signal * 0.1 * s @ np.array([[1.0, -1.0, 0.5], [0.0, 0.5, 0.5]]) + 0.1 * windowed(rng, steps, ROWS)
        )
        target[:9] = np.nan
        targets.append(target)
    people = [t + 0.1 * rng.standard_normal((4, *t.shape)) for t in targets]
    return features, Question(targets, people, np.array([True, True, False]))


@pytest.fixture(scope="module")
def planted() -> tuple[dict, Question, Sweep]:
    features, question = a_study(3, signal=2.0)
    return features, question, sweep(features, question, SETTINGS, lambda _: None, draws=99)


def test_the_planted_layer_is_found(planted):
    _, _, found = planted
    assert [r.name for r in found.sets] == ["lld", "layer-0", "layer-1", "final"]
    assert found.best == "layer-1"
    assert found.layers == ("layer-0", "layer-1", "final")
    scores = {r.name: r.score.r[-1] for r in found.sets}
    assert scores["layer-1"] == max(scores.values())
    assert found.of("layer-1").p_mean == 0.01
    assert found.of("layer-1").exact
    assert found.of("lld").p_mean > 0.05
    assert found.comparison is not None
    assert found.comparison.units == 6


def test_the_mean_is_over_the_rows_that_count(planted):
    _, question, found = planted
    result = found.of("layer-1")
    pairs = pair(
        [p[:, :2].mean(axis=1, keepdims=True) for p in np.split(result.fit.held_out, 6)],
        [t[:, :2].mean(axis=1, keepdims=True) for t in question.targets],
        10,
    )
    assert result.score.r[-1] == pytest.approx(score(pairs).r[0], abs=1e-12)
    assert result.score.r.shape == (ROWS + 1,)
    assert result.p.single.shape == (ROWS,)
    assert result.p_counted.single.shape == (2,)


def test_auto_does_not_look_at_what_is_held_out(planted):
    """Another target in one sound leaves what was chosen for that sound, and its predictions, as they were."""
    features, question, found = planted
    assert found.auto is not None
    assert found.auto.score.r[-1] <= found.of("layer-1").score.r[-1] + 1e-9
    changed = [t.copy() for t in question.targets]
    changed[2] = changed[2][::-1] * 3
    changed = untrended(changed, SETTINGS.drift)
    names = found.layers
    again = Question(changed, question.people, question.counted)
    fits = [fit(features[n], changed, SETTINGS, question.people, counted=question.counted) for n in names]
    other = choose_inside(fits, again, SETTINGS)
    third = slice(2 * 90, 3 * 90)
    np.testing.assert_array_equal(other.held_out[third], found.auto.fit.held_out[third])


def test_draws_fitted_together_are_draws_fitted_alone():
    features, question = a_study(1, sounds=4, steps=60)
    draws = 5
    found = exact_null(features["layer-1"], question.targets, SETTINGS, draws, seed=3)
    rng = np.random.default_rng(3)
    turns = np.stack([rng.integers(1, 51, draws) for _ in range(4)], axis=1)
    for draw in range(draws):
        turned = [t.copy() for t in question.targets]
        for sound, target in enumerate(turned):
            target[9:] = np.roll(target[9:], turns[draw, sound], axis=0)
        # Of what has turned, the drifts that it has where it came to lie are taken out.
        turned = untrended(turned, SETTINGS.drift)
        alone = held_out(features["layer-1"], turned, SETTINGS)
        expected = score(pair(alone, turned, 10, averages=np.ones((1, ROWS), bool))).r
        np.testing.assert_allclose(found[draw], expected, atol=1e-9)


def test_draws_in_many_batches_are_draws_in_one(monkeypatch):
    features, question = a_study(1, sounds=4, steps=60)
    whole = exact_null(features["layer-1"], question.targets, SETTINGS, 20)
    monkeypatch.setattr("calibration.exact._ROWS", 2 * ROWS)
    monkeypatch.setattr("calibration.exact._BYTES", 8 * ROWS * 240 * 7)
    np.testing.assert_allclose(exact_null(features["layer-1"], question.targets, SETTINGS, 20), whole, atol=1e-12)


def test_lags_that_are_chosen_cannot_be_fitted_together():
    features, question = a_study(1, sounds=3, steps=60)
    chosen = Settings(prediction=PredictionSettings(n_components=2, lags_s=(0, 2), longest_lags_s=(0, 2)))
    with pytest.raises(ValueError, match="longest_lags_s must be empty"):
        exact_null(features["layer-1"], question.targets, chosen, 3)
    result = sweep({"layer-1": features["layer-1"]}, question, chosen, lambda _: None, draws=19).sets[0]
    assert not result.exact
    assert 0 < result.p_mean <= 1


def test_a_study_of_noise_is_significant_at_its_nominal_rate():
    """p of the mean over rows in 60 studies without any relation, every draw fitted anew."""
    p = []
    for seed in range(60):
        features, question = a_study(1000 + seed, sounds=4, steps=60, signal=0.0)
        null = exact_null(features["layer-0"], [t[:, :2] for t in question.targets], SETTINGS, 59, seed=seed)
        predicted = held_out(features["layer-0"], [t[:, :2] for t in question.targets], SETTINGS)
        true = score(pair(predicted, [t[:, :2] for t in question.targets], 10, averages=np.ones((1, 2), bool))).r[-1]
        p.append((1 + (null[:, -1] >= true).sum()) / 60)
    rate = np.mean(np.array(p) <= 0.05)
    # Binomial with 60 trials: .15 or more in 1 of 500 studies of such studies.
    assert rate < 0.15
    assert 0.35 < np.mean(p) < 0.65


def assert_alike(one: Sweep, other: Sweep) -> None:
    assert one.best == other.best
    for a, b in zip(one.sets, other.sets, strict=True):
        _assert_alike(a, b)


def _assert_alike(a: SetResult, b: SetResult) -> None:
    np.testing.assert_allclose(a.score.r, b.score.r, atol=1e-12)
    np.testing.assert_allclose(a.p.single, b.p.single)
    assert a.p_mean == b.p_mean
    np.testing.assert_allclose(a.fit.weights.coefficients, b.fit.weights.coefficients, atol=1e-12)


def test_two_processes_give_the_same_numbers(planted):
    features, question, found = planted
    try:
        with parallel_config(n_jobs=2):
            assert_alike(found, sweep(features, question, SETTINGS, lambda _: None, draws=99))
    finally:
        get_reusable_executor().shutdown(wait=True)


def test_a_dask_cluster_gives_the_same_numbers(planted):
    distributed = pytest.importorskip("distributed")
    features, question, found = planted
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster),
        parallel_config(backend="dask"),
    ):
        assert_alike(found, sweep(features, question, SETTINGS, lambda _: None, draws=99))


def test_covariates_are_controlled_for():
    rng = np.random.default_rng(5)
    features, question = a_study(2)
    covariates = [f[:, :1] + 0.1 * rng.standard_normal((90, 1)) for f in features["layer-1"]]
    question = Question(question.targets, question.people, question.counted, covariates)
    settings = SETTINGS.model_copy(update={"drift": NO_DRIFT})
    found = sweep({k: features[k] for k in ("lld", "layer-1")}, question, settings, lambda _: None, draws=19)
    assert [r.controlled for r in found.sets] == [False, False]
    assert [(r.name, r.controlled) for r in found.controlled] == [("lld", True), ("layer-1", True)]
    assert found.auto is None
    assert found.of("layer-1").score.r[-1] > found.controlled[1].score.r[-1]
    assert AUTO not in [r.name for r in found.sets]
