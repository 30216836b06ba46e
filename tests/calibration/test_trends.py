"""Time in a sound as a nuisance: nulls against least squares draw by draw, and studies in which everything trends."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.exact import exact_null
from calibration.needed import least_seconds, refuse_short
from calibration.nulls import _surrogate_moments, _turned_moments, p_values
from calibration.statistics import correlation_of, pair, score
from calibration.trends import paired, untrended
from calibration.validation import fit, held_out
from rtaffect.common.drifts import drift_basis, without_drifts
from rtaffect.common.errors import SettingsError
from rtaffect.common.settings import NO_DRIFT, DriftSettings, PredictionSettings, Settings

SETTINGS = Settings(prediction=PredictionSettings(n_components=4, lags_s=(0, 2)))


def moving(rng: np.random.Generator, steps: int, columns: int) -> np.ndarray:
    """Return noise (steps, columns) in windows of ten that overlap."""
    sums = np.cumsum(rng.standard_normal((steps + 10, columns)), axis=0)
    return (sums[10:] - sums[:-10]) / np.sqrt(10)


def partial_r(x: np.ndarray, y: np.ndarray, basis: np.ndarray) -> float:
    there = np.isfinite(x + y)
    z = basis[there]
    x, y = (v[there] - z @ np.linalg.lstsq(z, v[there], rcond=None)[0] for v in (x, y))
    return float(x @ y / np.sqrt((x @ x) * (y @ y)))


@pytest.mark.parametrize("gaps", [False, True])
def test_every_turn_and_surrogate_loses_the_drifts_that_it_has(gaps: bool) -> None:
    rng = np.random.default_rng(0)
    basis = drift_basis(150, DriftSettings())
    x, y = (moving(rng, 150, 2) + np.arange(150.0)[:, None] / 50 for _ in range(2))
    if gaps:
        x[40:55], y[100:104, 1] = np.nan, np.nan
    found, left = correlation_of(_turned_moments(x, y, basis)), without_drifts(y, basis)
    for turn in (0, 1, 37, 149):
        for row in range(2):
            assert found[turn, row] == pytest.approx(partial_r(x[:, row], np.roll(left[:, row], turn), basis), abs=1e-9)
    phases = np.zeros((1, 76))
    same = correlation_of(_surrogate_moments(x, left, phases, basis))[0]
    assert same == pytest.approx([partial_r(x[:, row], y[:, row], basis) for row in range(2)], abs=1e-9)


def test_r_is_that_of_what_drifts_leave() -> None:
    rng = np.random.default_rng(1)
    sides = [[moving(rng, n, 1) + np.arange(n)[:, None] / 30 for n in (90, 200)] for _ in range(2)]
    found = score(pair(*sides, 10))
    for k, n in enumerate((90, 200)):
        x, y = (side[k][:, 0] for side in sides)
        assert found.each[k, 0] == pytest.approx(partial_r(x, y, drift_basis(n, DriftSettings())))
    assert found.plain[0] > 0.5 > abs(found.r[0])
    assert score(pair(*sides, 10, drift=NO_DRIFT)).r == pytest.approx(found.plain)


def study(rng: np.random.Generator, link: float) -> tuple[list[np.ndarray], list[np.ndarray]]:
    features, targets = [], []
    for _ in range(4):
        x, wanes = moving(rng, 120, 6), np.exp(-np.arange(120) / 40)[:, None]
        targets.append(moving(rng, 120, 1) + link * x[:, :1] + 3 * wanes)
        x[:, 3:] += 3 * wanes
        features.append(x)
    return features, targets


def p_of(features: list[np.ndarray], targets: list[np.ndarray], settings: Settings, draws: int = 39) -> float:
    fitted = untrended(targets, settings.drift)
    found = score(paired(held_out(features, fitted, settings), fitted, settings, np.ones((1, 1), np.bool_)))
    return float(p_values(found.r[-1:], exact_null(features, fitted, settings, draws)[:, -1:]).single[0])


def test_synchrony_that_wanes_is_not_predicted_by_features_that_trend() -> None:
    rng = np.random.default_rng(2)
    left = SETTINGS.model_copy(update={"drift": NO_DRIFT})
    studies = [study(rng, 0.0) for _ in range(20)]
    assert np.mean([p_of(*each, left) <= 0.05 for each in studies]) > 0.5
    assert np.mean([p_of(*each, SETTINGS) <= 0.05 for each in studies]) <= 0.16
    planted = [study(rng, 1.5) for _ in range(8)]
    assert np.mean([p_of(*each, SETTINGS) <= 0.05 for each in planted]) > 0.7


def test_blocks_of_one_drifting_sound_are_not_pushed_apart() -> None:
    rng = np.random.default_rng(3)
    plain, found = [], []
    for _ in range(25):
        slow = np.cumsum(rng.standard_normal((300, 1)), axis=0)
        target = [untrended([slow / slow.std()], NO_DRIFT)[0]]
        features = [moving(rng, 300, 4)]
        predicted = held_out(features, target, SETTINGS)
        plain.append(score(pair(predicted, target, 10, drift=NO_DRIFT)).r[0])
        fitted = untrended(target, SETTINGS.drift)
        found.append(score(paired(held_out(features, fitted, SETTINGS), fitted, SETTINGS, None)).r[0])
    assert np.mean(plain) < -0.1
    assert np.mean(found) > -0.1, "what any cross-validation gives by chance, and draws have too"


@pytest.mark.parametrize("sounds", [1, 2])
def test_the_least_length_is_enough_and_a_second_less_is_refused(sounds: int) -> None:
    rng = np.random.default_rng(4)
    needed = least_seconds(SETTINGS, sounds)
    for seconds in (needed, needed - 1):
        target = moving(rng, seconds, 1)
        target[:9] = np.nan
        study = [[moving(rng, seconds, 4)] * sounds, [target] * sounds]
        if seconds == needed:
            assert len(fit(*study, SETTINGS).tested) == (5 if sounds == 1 else 2)
        else:
            with pytest.raises(SettingsError, match=f"give at least {needed} s"):
                fit(*study, SETTINGS)


def test_the_guide_says_what_the_check_and_the_fit_say() -> None:
    from pathlib import Path

    guide = (Path(__file__).parents[2] / "docs" / "guide.md").read_text(encoding="utf-8")
    alone, two = least_seconds(Settings()), least_seconds(Settings(), 2)
    assert f"one alone must be at least {alone} s long, each of two {two} s" in " ".join(guide.split())
    with pytest.raises(SettingsError, match=f"at least {alone} s or a second sound"):
        refuse_short({"story": alone - 1}, Settings())
    refuse_short({"a": 60, "b": 60, "c": 60}, Settings())
