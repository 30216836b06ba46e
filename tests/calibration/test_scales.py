"""Temporal resolution: the planted scale is found in the row that has it, and the choice among scales is paid for."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.scales import Scale, Scales, _best_of, scales_of, spread, temporal_resolution
from rtaffect.common.errors import SettingsError
from rtaffect.common.settings import PredictionSettings, Settings
from tests.calibration.test_ridge import wander
from tests.support.helpers import quiet

SETTINGS = Settings(prediction=PredictionSettings(n_components=3, lags_s=(0, 1, 2)))
#: So late that the study's own lags do not reach it.
DELAY = 6


def over(x: np.ndarray, window: int) -> np.ndarray:
    """The mean of each window's steps, NaN until there is a whole one."""
    out = np.full(x.shape, np.nan)
    for step in range(window - 1, len(x)):
        out[step] = x[step - window + 1 : step + 1].mean(axis=0)
    return out


def study(lengths: tuple[int, ...] = (110, 100, 120, 105), seed: int = 0):
    """Features, and what follows them late in the first row and not at all in the second, at any window."""
    rng = np.random.default_rng(seed)
    features = [wander(rng, n, 4, keep=0.8) for n in lengths]
    instant = []
    for x in features:
        late = np.concatenate([np.zeros((DELAY, 1)), x[:-DELAY, :1]])
        own = 0.3 * rng.standard_normal((len(x), 2))
        instant.append(0.1 * (own + np.concatenate([late, np.zeros_like(late)], axis=1)))
    return features, lambda window: [over(x, window) for x in instant]


def tried(lengths: tuple[int, ...] = (110, 100, 120, 105), draws: int = 39, **more: bool) -> Scales:
    features, targets = study(lengths)
    counted = np.ones(2, np.bool_)
    return temporal_resolution(features, targets, SETTINGS, "layer-1", quiet, counted=counted, draws=draws, **more)


def test_one_thing_is_changed_at_a_time():
    scales = scales_of(SETTINGS)
    assert scales[0] == Scale(10, 2, 1)
    assert len(set(scales)) == len(scales) == 1 + 3 + 4 + 2
    for scale in scales[1:]:
        pairs = zip((10, 2, 1), (scale.window_s, scale.longest_lag_s, scale.span_s), strict=True)
        assert sum(own != other for own, other in pairs) == 1
    assert {scale.window_s for scale in scales_of(SETTINGS, windows=False)} == {10}


def test_a_scales_settings_differ_in_that_alone():
    own = SETTINGS.model_copy(update={"prediction": PredictionSettings(n_components=3, lags_s=(0, 3, 6))})
    assert Scale(10, 6).settings(own) == own
    found = Scale(5, 4).settings(own)
    assert (found.synchrony.window_s, found.prediction.lags_s) == (5, (0, 1, 2, 3, 4))
    assert found.signal == own.signal


@pytest.mark.parametrize("span", [1, 2, 5])
def test_features_are_averaged_over_what_came_before(span):
    x = np.random.default_rng(0).standard_normal((12, 3))
    expected = [x[max(0, step - span + 1) : step + 1].mean(axis=0) for step in range(12)]
    np.testing.assert_allclose(spread(x, span), expected, atol=1e-12)


def test_the_planted_delay_is_found_where_it_is_and_nowhere_else():
    found = tried()
    best = found.scales[found.best[0]]
    assert best.longest_lag_s >= DELAY
    assert found.p[0] <= 0.05
    assert found.p_family[0] <= 0.05
    assert found.p[1] > 0.05
    assert found.r[found.best[0], 0] > found.r[0, 0] + 0.2
    assert (found.votes.sum(axis=0) == 4).all()
    assert not found.left_out


def test_a_window_that_is_too_long_is_left_out_and_costs_the_others_no_steps():
    found = tried((50, 52, 54, 51))
    assert [s.window_s for s in found.scales].count(15) == 0
    assert len(found.left_out) == 1
    assert "window 15 s" in found.left_out[0]
    assert "3 windows long" in found.left_out[0]
    shorter = study((50, 52, 54, 51))
    alone = temporal_resolution(
        *shorter, SETTINGS, "layer-1", quiet, counted=np.ones(2, np.bool_), draws=39, windows=False
    )
    np.testing.assert_allclose(found.r[0], alone.r[0])


def test_what_cannot_be_scored_at_all_is_refused():
    with pytest.raises(SettingsError, match="give longer stimuli"):
        tried((25, 26, 24, 25))


def test_the_best_of_many_scales_is_corrected_for_the_choice():
    """Studies of noise: 5 % of them have p <= .05, where the best scale's own p has it in a third."""
    rng, scales = np.random.default_rng(3), scales_of(SETTINGS)
    corrected, family, alone = [], [], []
    for _ in range(600):
        # What scales have in common, and what is their own.
        draws = 0.1 * (rng.standard_normal((1, 100, 4)) + rng.standard_normal((len(scales), 100, 4)))
        r, null = draws[:, 0], draws[:, 1:]
        found = _best_of(scales, "layer-1", r, r[:, None].repeat(3, axis=1), null, ())
        corrected.append(found.p[0])
        family.append(found.p_family.min())
        best = found.best[0]
        alone.append((1 + (null[best, :, 0] >= r[best, 0]).sum()) / 100)
    rates = [np.mean(np.array(p) <= 0.05) for p in (corrected, family, alone)]
    assert 0.03 <= rates[0] <= 0.07
    assert 0.03 <= rates[1] <= 0.07
    assert rates[2] > 0.2
