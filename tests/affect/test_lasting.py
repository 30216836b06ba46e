"""A person who has been unlike the training set for a while has no value, however each moment is."""

from __future__ import annotations

import math

import numpy as np

from rtaffect.affect.lasting import Lasting
from rtaffect.affect.novelty import LASTING_S
from rtaffect.affect.values import AffectEstimate

LIMITS = np.array([4.0, 1.5])
THERE = AffectEstimate(0.3, -0.2, 0.6, 0.4, 0.7)
NEAR, FAR = (2.0, 0.9), (3.0, 1.8)


def test_most_of_the_newest_moments_decide():
    person = Lasting()
    found = [person(step, THERE, NEAR, LIMITS) for step in range(1, 31)]
    found += [person(step, THERE, FAR, LIMITS) for step in range(31, 61)]
    assert all(each.there for each in found[:44])
    assert not any(each.there for each in found[46:])
    assert found[0].novelty == 0.7
    assert found[-1].novelty == 1.2
    far = f"this person's newest {LASTING_S} s are too far from the training set (1.2 times the limit)"
    assert found[-1].reason == far
    assert math.isnan(found[-1].valence)


def test_single_moments_that_are_far_are_no_person():
    person = Lasting()
    found = [person(step, THERE, (900.0, 90.0) if step % 3 == 0 else NEAR, LIMITS) for step in range(1, 90)]
    assert all(each.there for each in found)


def test_what_has_no_distance_or_turns_out_to_be_in_doubt_does_not_count():
    person = Lasting()
    for step in range(1, 11):
        person(step, THERE, FAR, LIMITS)
    assert not person(11, THERE, FAR, LIMITS).there
    for spoilt in range(1, 10):
        person.forget(spoilt, 3)
    nothing = AffectEstimate(reason="the model gave no finite value")
    assert person(12, nothing, (math.nan, math.nan), LIMITS) == nothing
    assert person(13, THERE, NEAR, LIMITS).there
