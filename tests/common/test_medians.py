"""The median of what is there is numpy's, to the bit."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from rtaffect.common.medians import median, median_of_present


@pytest.mark.parametrize("n", [1, 2, 3, 8, 9, 41])
@pytest.mark.parametrize("missing", [0.0, 0.3, 0.9, 1.0])
def test_it_is_that_of_numpy_to_the_bit(n: int, missing: float) -> None:
    rng = np.random.default_rng(n)
    values = rng.lognormal(-11, 2, (n, 200)) * rng.choice([-1, 1], (n, 200))
    values[rng.random(values.shape) < missing] = np.nan
    before = values.copy()
    found = median_of_present(values)
    np.testing.assert_array_equal(values, before)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = np.nanmedian(values, axis=0)
    np.testing.assert_array_equal(found, expected)


def test_infinite_values_are_there() -> None:
    values = np.array([[np.inf, -np.inf, np.inf], [np.inf, 1.0, 2.0], [np.nan, 2.0, np.nan]])
    np.testing.assert_array_equal(median_of_present(values), np.nanmedian(values, axis=0))


@pytest.mark.parametrize("n", [0, 1, 2, 3, 8, 9, 40, 201])
@pytest.mark.parametrize("odd", [None, np.nan, np.inf, -np.inf])
def test_the_median_of_all_is_that_of_numpy_to_the_bit(n: int, odd: float | None) -> None:
    rng = np.random.default_rng(n)
    for _ in range(50):
        values = rng.lognormal(-11, 2, n) * rng.choice([-1, 1], n)
        if odd is not None:
            values[: n // 3] = odd
        before = values.copy()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            expected = float(np.median(values))
        np.testing.assert_array_equal(median(values), expected)
        np.testing.assert_array_equal(values, before)
