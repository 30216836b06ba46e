"""Layers against the last one and the descriptors: what is planted is found, per row, and noise is not."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.command import QUICK
from calibration.contrasts import MIDDLE, contrast, middle_layers, pairs_of_sets
from calibration.statistics import compare, score
from calibration.sweep import Question, sweep
from calibration.validation import fit
from rtaffect.common.settings import NO_DRIFT, PredictionSettings, Settings
from tests.calibration.test_sweep import wander, windowed
from tests.support.helpers import quiet

NAMES = ("lld", "layer-0", "layer-1", "final")
#: Standard deviations of the twelve descriptors in composed soundtracks, each in its own unit.
UNITS = np.array([12.7, 0.25, 590, 495, 1180, 8.8, 0.33, 631, 8.6, 0.21, 9.9, 7.0])


def correlations(seed: int, sounds: int, rows: int, better: float = 0.0) -> dict[str, np.ndarray]:
    """r of each set in each sound and row, the mean last; the middle layer is better in the first row and the mean."""
    rng = np.random.default_rng(seed)
    of_sound = 0.3 + 0.1 * rng.standard_normal((sounds, rows + 1))
    each = {name: np.tanh(of_sound + 0.1 * rng.standard_normal(of_sound.shape)) for name in (*NAMES, MIDDLE)}
    each[MIDDLE][:, [0, -1]] = np.tanh(np.arctanh(each[MIDDLE][:, [0, -1]]) + better)
    return each


def test_each_is_held_against_the_last_and_the_descriptors():
    assert pairs_of_sets((*NAMES, MIDDLE)) == (
        (MIDDLE, "final"), ("layer-0", "final"), ("layer-1", "final"),
        (MIDDLE, "lld"), ("layer-0", "lld"), ("layer-1", "lld"), ("final", "lld"),
    )  # fmt: skip
    assert pairs_of_sets(("lld", "layer-2")) == (("layer-2", "lld"),)
    assert pairs_of_sets(("layer-2",)) == ()
    assert middle_layers(("layer-0", "layer-1", "layer-2", "final")) == ("layer-1", "layer-2")


def test_what_is_better_is_told_in_the_rows_where_it_is():
    found = contrast(correlations(0, 12, 4, better=0.6), ("region", "region", "zone", "zone"))
    assert found is not None
    assert found.exact
    first = found.pairs.index((MIDDLE, "lld"))
    assert found.difference[first, [0, -1]].min() > 0.4
    assert found.family[first, [0, -1]].max() < 0.05
    assert found.family[first, 1:4].min() > 0.2
    assert (found.family >= found.single).all()


@pytest.mark.parametrize("sounds", [9, 20])
def test_alone_it_is_the_comparison_of_two_sets(sounds):
    """The mean over rows by itself: the same as ``compare``, and the largest statistic is over all pairs."""
    each = correlations(1, sounds, 1)
    found = contrast(each, ("channel",), draws=2000)
    assert found is not None
    names = list(each)
    sets = [(names.index(a), names.index(b)) for a, b in found.pairs]
    other = compare(np.stack([each[n][:, -1] for n in names]), sets, draws=2000)
    np.testing.assert_allclose(found.difference[:, -1], other.difference)
    np.testing.assert_allclose(found.single[:, -1], other.single)
    np.testing.assert_allclose(found.family[:, -1], other.family)


def test_a_row_that_sounds_lack_is_compared_over_those_that_have_it():
    each = correlations(2, 10, 2)
    each["final"][:3, 0] = np.nan
    each["lld"][1:, 1] = np.nan
    found = contrast(each, ("channel", "channel"))
    assert found is not None
    assert found.units.tolist() == [7, 1, 10]
    assert np.isnan(found.difference[:, 1]).all()
    assert np.isnan(found.family[:, 1]).all()
    kept = {name: r[3:, [0, 0]] for name, r in each.items()}
    alone = contrast(kept, ("channel",))
    assert alone is not None
    np.testing.assert_allclose(found.difference[:, 0], alone.difference[:, 0])
    np.testing.assert_allclose(found.single[:, 0], alone.single[:, 0], atol=1e-9)


def test_one_sound_cannot_be_compared():
    assert contrast({name: r[:1] for name, r in correlations(0, 2, 1).items()}, ("channel",)) is None


def test_the_middle_layer_is_chosen_without_what_is_held_out():
    """Ten sounds whose synchrony follows layer-1 most: chosen in every fold, and above both the others are held to."""
    rng, steps = np.random.default_rng(4), 70
    settings = Settings(prediction=PredictionSettings(n_components=2, lags_s=(0, 2)))
    source = [wander(rng, steps, 2) for _ in range(10)]
    noise = {"lld": 8.0, "layer-0": 3.0, "layer-1": 0.1, "layer-2": 1.5, "final": 8.0}
    mixing = rng.standard_normal((2, 5))
    features = {name: [s @ mixing + level * wander(rng, steps, 5) for s in source] for name, level in noise.items()}
    targets = [0.1 + 0.2 * s @ np.array([[1.0, 0.5], [0.5, 1.0]]) + 0.05 * windowed(rng, steps, 2) for s in source]
    question = Question(targets, [t[None] for t in targets], np.ones(2, np.bool_), kinds=("channel", "channel"))
    found = sweep(features, question, settings, quiet, draws=9).contrasts
    assert found is not None
    assert set(found.middle_of_fold) == {"layer-1"}
    assert len(found.middle_of_fold) == 10
    assert found.kinds == ("channel", "channel", "mean")
    for base in ("final", "lld"):
        first = found.pairs.index((MIDDLE, base))
        assert (found.difference[first] > 0.2).all()
        assert found.family[first, -1] < 0.05
    assert ("final", "lld") in found.pairs


def loud_study(seed: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Descriptors in their own units, and synchrony that follows loudness alone, over windows."""
    rng = np.random.default_rng(seed)
    features = [wander(rng, 120, 12, keep=0.9) for _ in range(6)]
    kernel = np.ones(10) / 10
    targets = []
    for f in features:
        drive = np.convolve(f[:, 0], kernel)[:120, None]
        y = 0.1 + 0.1 * drive + 0.05 * windowed(rng, 120, 2)
        y[:9] = np.nan
        targets.append(y)
    return [f * UNITS for f in features], targets


def test_loudness_is_not_lost_to_descriptors_of_larger_numbers():
    """Quick settings: of four components of raw values, Hz alone would be left."""
    features, targets = loud_study(0)
    settings = Settings(prediction=QUICK, drift=NO_DRIFT)
    question = Question(targets, [t[None] for t in targets], np.ones(2, np.bool_))
    found = sweep({"lld": features}, question, settings, quiet, draws=9).of("lld")
    raw = fit(features, targets, settings)
    assert score(raw.pairs(settings)).r[-1] < 0.3
    assert found.score.r[-1] > 0.65
    assert found.fit.weights.pca_components.shape == (12, 12)
    weights = found.fit.weights
    scale = (np.concatenate(features) - weights.pca_mean) @ weights.pca_components.T / weights.scaler_scale
    np.testing.assert_allclose(scale.std(axis=0), 1, rtol=1e-9)


def test_sounds_that_differ_only_in_level_have_no_held_out_r():
    """Features know each sound's level and nothing of its course: pooled over sounds r is high, within sounds 0."""
    rng = np.random.default_rng(2)
    level = np.linspace(-1, 1, 8)
    features = [x + 0.3 * rng.standard_normal((120, 4)) for x in level]
    targets = [0.1 * x + 0.05 * windowed(rng, 120, 2) for x in level]
    settings = Settings(prediction=PredictionSettings(n_components=4, lags_s=(0, 3)))
    found = fit(features, targets, settings)
    rows, mean = found.correlations(settings)
    judged = score(found.pairs(settings))
    assert judged.pooled[-1] > 0.7
    assert abs(mean) < 0.15
    assert mean == judged.r[-1]
    np.testing.assert_array_equal(rows, judged.r[:-1])
