"""Novelty: what the training set has is near, what it never had is far."""

from __future__ import annotations

import numpy as np
import pytest

from rtaffect.affect.novelty import fit_novelty, magnitude_of


def test_held_out_moments_are_within_the_limit_as_often_as_was_asked():
    rng = np.random.default_rng(0)
    mix = rng.standard_normal((6, 6))
    train, held, fresh = (rng.standard_normal((n, 6)) @ mix for n in (4000, 4000, 4000))
    novelty = fit_novelty(train, held, np.ones(4000), level=0.95)
    near = novelty(fresh, np.full(4000, 0.5)) <= 1
    assert near.mean() == pytest.approx(0.95, abs=0.015)
    assert (novelty(train[:5] + 30 * mix[0], np.full(5, 0.5)) > 2).all()
    assert (novelty(train[:5], np.full(5, 3.0)) >= 3).all(), "an input that is large, wherever the encoder puts it"


def test_magnitude_is_over_what_counts():
    rng = np.random.default_rng(1)
    values, mask = rng.standard_normal((2, 3, 4, 5)), rng.random((2, 3, 4)) > 0.5
    by_hand = [np.sqrt((values[i][mask[i]] ** 2).mean()) for i in range(2)]
    np.testing.assert_allclose(magnitude_of(values, mask), by_hand)
    assert np.isnan(magnitude_of(values, np.zeros_like(mask))).all()
