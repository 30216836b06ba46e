"""The scale of groups of different size: the formula against simulated people, and its inverse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtaffect.common.group_size import in_a_group_of, of_each_pair, with_the_others


@pytest.mark.parametrize("pairwise", [-0.05, -0.01, 0.0, 0.01, 0.05, 0.2, 0.6, 1.0])
@pytest.mark.parametrize("people", [2, 3, 5, 15])
def test_it_is_what_simulated_people_show(pairwise, people):
    """People of one mean pairwise correlation, by the Cholesky factor; numpy's corrcoef with the mean of the others."""
    covariance = np.full((people, people), pairwise) + (1 - pairwise + 1e-12) * np.eye(people)
    own = np.random.default_rng(people).standard_normal((people, 40_000))
    group = np.linalg.cholesky(covariance) @ own
    r = [np.corrcoef(group[p], np.delete(group, p, axis=0).mean(axis=0))[0, 1] for p in range(people)]
    assert float(np.mean(r)) == pytest.approx(float(with_the_others(pairwise, people)), abs=0.012)


def test_the_figures_that_are_stated():
    found = with_the_others(0.05, [2, 4, 8, 16])
    np.testing.assert_allclose(found, [0.05, 0.0826, 0.1160, 0.1485], atol=5e-5)
    np.testing.assert_allclose(found, 0.05 / np.sqrt(0.05 + 0.95 / np.array([1, 3, 7, 15])))
    # Of a prediction of .099 for 8 people, in groups of 2, 3 and 4.
    np.testing.assert_allclose(in_a_group_of(0.099, 8, [2, 3, 4]), [0.0419, 0.0580, 0.0696], atol=1e-4)


@given(st.floats(-0.999, 0.999), st.floats(2, 100), st.floats(2, 100))
def test_there_and_back(r, people, now):
    assert float(of_each_pair(with_the_others(r, 2), 2)) == pytest.approx(r, abs=1e-9)
    pairwise = of_each_pair(r, people)
    assert pairwise > -1 / (people - 1)
    assert float(with_the_others(pairwise, people)) == pytest.approx(r, abs=1e-6)
    if abs(r) > 1e-300:  # Nearer to zero a double has no place for a smaller one.
        assert np.sign(in_a_group_of(r, people, now)) == np.sign(r)
    assert -1 <= in_a_group_of(r, people, now) <= 1
    if now < people:
        assert abs(in_a_group_of(abs(r), people, now)) <= abs(r) + 1e-9


def test_what_cannot_be_is_not_made_up():
    assert np.isnan(with_the_others([np.nan, 0.1], [4, np.nan])).all()
    assert np.isnan(in_a_group_of(0.1, np.nan, 3))
    # Twenty people cannot all correlate at -.3.
    assert with_the_others(-0.3, 20) == -1
