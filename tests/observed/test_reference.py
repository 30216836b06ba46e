"""What a group leaves behind: its mean, its spread, and that one of them can be taken out again."""

from __future__ import annotations

import numpy as np
import pytest

from rtaffect.observed.reference import Reference
from rtaffect.observed.synchrony import others_mean, standardise


def group(seed: int = 0, k: int = 1, missing: bool = True) -> np.ndarray:
    """Seven people, 400 samples, 3 rows of k components, alike and with parts missing."""
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((1, 400, 3 * k))
    people = 0.5 * shared + rng.standard_normal((7, 400, 3 * k))
    if missing:
        people[1, 50:90, :k] = np.nan
        people[:, 20, -k:] = np.nan
    return standardise(people, k)


def test_the_mean_is_over_those_present():
    people = group()
    found = Reference.of(people)
    assert np.isnan(found.mean[20]).sum() == 1
    assert (found.count[20] == (7, 7, 0)).all()
    assert (found.count[60] == (6, 7, 7)).all()
    there = np.delete(np.arange(400), 20)
    np.testing.assert_allclose(found.mean[there], np.nanmean(people[:, there], axis=0), atol=1e-6)


@pytest.mark.parametrize("k", [1, 5])
def test_one_of_them_is_taken_out_again(k):
    people = group(1, k)
    found, others = Reference.of(people, k), others_mean(people)
    for own, expected in zip(people, others, strict=True):
        np.testing.assert_allclose(found.without(own), expected, atol=2e-6)


def test_who_is_alone_leaves_nothing():
    people = group()[:1]
    assert np.isnan(Reference.of(people).without(people[0])).all()


@pytest.mark.parametrize("k", [1, 5])
def test_the_squares_are_summed_over_people_and_components(k):
    people = group(2, k)
    expected = np.nansum(people.reshape(7, 400, 3, k) ** 2, axis=(0, 3))
    np.testing.assert_allclose(Reference.of(people, k).squares, expected, rtol=1e-6)


def test_some_rows_of_it():
    people = group(4, 5)
    found = Reference.of(people, 5).of_rows(np.array([2, 0]))
    chosen = people.reshape(7, 400, 3, 5)[:, :, [2, 0]].reshape(7, 400, 10)
    expected = Reference.of(chosen, 5)
    np.testing.assert_array_equal(found.mean, expected.mean)
    np.testing.assert_array_equal(found.squares, expected.squares)
    np.testing.assert_array_equal(found.count, expected.count)
