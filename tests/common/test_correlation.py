"""Pearson's r of two series uses what both have, and has no value where there is nothing to correlate."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import pearsonr

from rtaffect.common.correlation import pearson_r


def test_pearson_is_scipys_over_what_both_have():
    x, y = np.random.default_rng(0).standard_normal((2, 50))
    y += x
    expected = pearsonr(x[5:-5], y[5:-5]).statistic
    x[:5], y[-5:] = np.nan, np.inf
    assert pearson_r(x, y) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("y", [[2.0, 2.0, 2.0], [1.0, np.nan, np.nan], [np.nan] * 3])
def test_pearson_has_no_value_where_a_side_does_not_vary(y):
    assert np.isnan(pearson_r(np.array([1.0, 2.0, 4.0]), np.array(y)))
    assert np.isnan(pearson_r(np.array(y), np.array([1.0, 2.0, 4.0])))
