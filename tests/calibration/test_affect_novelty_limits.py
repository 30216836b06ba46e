"""Limits for one more person hold as often as they say, and people who were left out had no part in them."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.affect.affect_model import AffectModel
from calibration.affect.held_out import arguments
from calibration.affect.novelty_limits import as_if_left_out, one_more, people_limits
from rtaffect.affect.novelty import magnitude_of
from tests.support.affect_study import planted_study


@pytest.mark.parametrize(("people", "each"), [(6, 1), (16, 1), (8, 5)])
def test_one_more_person_is_within_the_limit_as_often_as_it_says(people: int, each: int) -> None:
    rng, inside = np.random.default_rng(people), []
    for _ in range(1500):
        own = 0.3 * rng.standard_normal(people + 1)
        logs = own[:, None] + 0.1 * rng.standard_normal((people + 1, each))
        limit = one_more(np.exp(logs[:-1]).ravel(), np.repeat(np.arange(people), each))
        inside.append(np.exp(logs[-1, 0]) <= limit)
    # Where values of one person are many, their spread counts as people's own, so that a little more is within.
    assert np.mean(inside) == pytest.approx(0.95, abs=0.02)


def test_one_far_person_does_not_make_the_limit_of_moments() -> None:
    """A quantile over all moments would be that of the farthest person; here it is what the next one is within."""
    rng = np.random.default_rng(2)
    person = np.repeat(np.arange(10), 60)
    far = np.exp(0.2 * rng.standard_normal(10))[person, None] * np.exp(0.1 * rng.standard_normal((600, 2)))
    limits, lasting = people_limits(far, person, np.arange(600) // 12)
    assert (lasting < limits).all()
    assert limits.shape == lasting.shape == (2,)


def test_who_is_left_out_has_no_part_in_the_normalisation() -> None:
    rng = np.random.default_rng(3)
    person = np.repeat([0, 1, 2], 400)
    features = rng.standard_normal((1200, 2, 3, 4)) + np.where(person == 2, 3.0, 0.0)[:, None, None, None]
    mask = rng.random((1200, 2, 3)) > 0.1
    features = np.where(mask[..., None], features, 0.0)
    mine = np.flatnonzero(person == 2)
    found = as_if_left_out(features, mask, person, mine)
    assert found[mask[mine]].mean() == pytest.approx(3.0, abs=0.1)
    np.testing.assert_array_equal(
        as_if_left_out(features[mine], mask[mine], person[mine], np.arange(5)), features[mine[:5]]
    )


def test_people_like_those_of_the_training_set_are_within_its_limits() -> None:
    """Eight people train, eight more are of the same kind, and eight are not: their power is another."""
    study = planted_study(16, 8, 5, seed=4)
    train, new = study.take(study.person < 8), study.take(study.person >= 8)
    model = AffectModel(steps=40, patience=3).fit(**arguments(train))
    given = arguments(new)["X"]
    assert (model.novelty(given)[:, 0] <= 1).mean() > 0.95
    unlike = given + 1.5
    assert (model.novelty(unlike)[:, 0] <= 1).mean() < 0.5
    magnitudes = magnitude_of(np.nan_to_num((unlike - model.feature_mean_) / model.feature_std_), new.mask)
    medians = [np.median(magnitudes[new.person == each]) for each in np.unique(new.person)]
    assert (np.array(medians) > model.eeg_lasting_[1]).all()
