"""Slow drifts against least squares as numpy has them, and the number of cosines that SPM takes."""

from __future__ import annotations

import numpy as np
import pytest

from rtaffect.common.drifts import Drifts, drift_basis, without_drifts
from rtaffect.common.errors import SettingsError
from rtaffect.common.settings import NO_DRIFT, DriftSettings, read_settings
from tests.support.slow_courses import holes


@pytest.mark.parametrize(("steps", "cosines"), [(60, 0), (120, 1), (300, 4), (600, 9)])
def test_the_basis_spans_a_line_and_the_cosines_of_spm(steps: int, cosines: int) -> None:
    basis = drift_basis(steps, DriftSettings())
    np.testing.assert_allclose(basis.T @ basis, np.eye(2 + cosines), atol=1e-12)
    n = np.arange(steps)
    wanted = [np.ones(steps), n, *(np.cos(np.pi * k * (2 * n + 1) / (2 * steps)) for k in range(1, cosines + 1))]
    for column in wanted:
        np.testing.assert_allclose(basis @ (basis.T @ column), column, atol=1e-9)


def test_nothing_but_the_mean_is_taken_where_nothing_is_asked_for() -> None:
    assert drift_basis(300, NO_DRIFT).shape == (300, 1)
    assert drift_basis(3, DriftSettings()).shape == (3, 1), "a few steps have no drift to tell"
    assert drift_basis(0, DriftSettings()).shape == (0, 1)


def test_what_is_left_is_that_of_least_squares_over_the_steps_that_are_there() -> None:
    rng = np.random.default_rng(0)
    courses = holes(rng.normal(size=(200, 3)), rng)
    courses[:, 1] = np.nan
    basis = drift_basis(200, DriftSettings())
    found = without_drifts(courses, basis)
    assert np.isnan(found[:, 1]).all()
    for k in (0, 2):
        there = np.isfinite(courses[:, k])
        told = basis[there] @ np.linalg.lstsq(basis[there], courses[there, k], rcond=None)[0]
        np.testing.assert_allclose(found[there, k], courses[there, k] - told, atol=1e-12)
        assert np.isnan(found[~there, k]).all()


def test_blocks_have_their_own_drifts_and_a_course_of_drift_alone_leaves_nothing() -> None:
    starts = [0, 80, 90, 200]
    n = np.arange(300.0)
    falls = np.where(n < 80, 3 - 0.02 * n, np.where(n < 90, 7.0, np.where(n < 200, 0.01 * n, -0.03 * n)))
    assert not Drifts(300, DriftSettings(), starts).without(falls).any()
    assert Drifts(300, NO_DRIFT, starts).without(falls).any()


@pytest.mark.parametrize("cutoff", ["20", "-1"])
def test_a_cutoff_within_the_windows_is_refused(tmp_path, cutoff: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(f"[drift]\ncutoff_s = {cutoff}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="cutoff_s"):
        read_settings(path)
