"""The check of real tracks: ridge that leaves out is scikit-learn's, and finds what is there and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bench.affect_tracks import PENALTIES, LeftOut, Tracks, compare, tracks_in


def planted(seed: int, relation: float, count: int = 30) -> Tracks:
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((count, 10))
    noise = rng.standard_normal((count, 2))
    return Tracks(features, 5 + relation * 1.2 * features[:, :2] + 0.4 * noise)


def test_it_is_nested_ridge_of_scikit_learn():
    tracks = planted(0, 1.0, count=8)
    x, y = tracks.embedding, tracks.ratings[:, 0]
    found, every, expected = LeftOut(x).predict(y), np.arange(8), []

    def fitted(penalty: float, train: np.ndarray, out: int) -> float:
        return float(make_pipeline(StandardScaler(), Ridge(penalty)).fit(x[train], y[train]).predict(x[[out]])[0])

    for out in every:
        rest = every[every != out]
        errors = [sum((fitted(a, rest[rest != i], i) - y[i]) ** 2 for i in rest) for a in PENALTIES]
        expected.append(fitted(float(PENALTIES[np.argmin(errors)]), rest, out))
    np.testing.assert_allclose(found, expected, atol=1e-8)


def test_what_is_planted_is_found():
    for row in compare(planted(1, 1.0), 99):
        assert row["r"] > 0.6
        assert row["r_p"] == row["balanced_p"] == row["rmse_p"] == 0.01
        assert row["r_from"] < row["r"] < row["r_to"]
        assert row["ratio"] > 1.2


def test_without_a_relation_p_is_small_no_more_often_than_it_says():
    rows = [row for seed in range(20) for row in compare(planted(seed, 0.0, count=14), 39)]
    for score in ("r", "balanced", "rmse"):
        assert np.mean([row[f"{score}_p"] <= 0.1 for row in rows]) <= 0.25


@pytest.mark.recordings
@pytest.mark.skipif("RTAFFECT_RECORDINGS" not in os.environ, reason="RTAFFECT_RECORDINGS names no folder")
def test_real_tracks_are_told_better_than_by_majority_and_mean():
    rows = compare(tracks_in(Path(os.environ["RTAFFECT_RECORDINGS"]) / "affect"), 199)
    for row in rows:
        assert row["tracks"] == 34
        assert row["balanced_p"] <= 0.02
        assert row["accuracy"] > row["accuracy_majority"] + 0.1
        assert row["ratio"] > 1.2
