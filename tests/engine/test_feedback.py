"""Feedback is frozen, and equal only if every value that counts is the same, absent ones included."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, fields, replace

import numpy as np
import pytest

from rtaffect.affect.values import AffectValues
from rtaffect.common.rating_scale import RatingScale
from rtaffect.engine.feedback import Feedback
from rtaffect.predicted.element_prediction import ElementPrediction
from rtaffect.predicted.prediction import Prediction
from rtaffect.stream.doubt import Doubt
from rtaffect.timelock.alignment import Alignment
from tests.support.fake_feedback import fake_measures, fake_session


def feedbacks() -> list[Feedback]:
    lost = Alignment("lost", float("nan"), 0.25, float("nan"), "what is heard is not found in the stimulus")
    return [replace(feedback, alignment=lost) for feedback in fake_session(12)]


def test_the_same_values_are_equal_absent_ones_included():
    for a, b in zip(feedbacks(), feedbacks(), strict=True):
        assert a is not b
        assert a == b
    first, full = feedbacks()[0], feedbacks()[-1]
    assert np.isnan(first.observed).any()
    assert first != full
    assert full != "feedback"


@pytest.mark.parametrize("name", [f.name for f in fields(Feedback) if f.compare])
def test_a_change_of_any_attribute_is_a_difference(name):
    full = feedbacks()[-1]
    value = getattr(full, name)
    if isinstance(value, np.ndarray):
        other = value.copy()
        at = np.unravel_index(np.flatnonzero(np.isfinite(value))[0], value.shape)
        other[at] = not other[at] if value.dtype == bool else np.nextafter(other[at], 2)
    elif isinstance(value, float):
        other = 3.0 if math.isnan(value) else np.nextafter(value, np.inf)
    elif isinstance(value, int):
        other = value + 1
    elif isinstance(value, str):
        other = value + "x"
    elif isinstance(value, Alignment):
        other = replace(value, offset_s=12.5)
    elif name == "measures":
        other = fake_measures(3, full.people, np.random.default_rng(0))
    elif name == "rating":
        other = RatingScale(low=1.0, high=9.0, lag_s=2.0)
    elif name == "elements":
        other = (ElementPrediction.of("voice", Prediction.nothing(len(full.rows)), -120.0, "no voice heard"),)
    elif name == "affect":
        other = (AffectValues("somebody"),)
    elif name == "doubts":
        other = (*value, Doubt("late", 1.0, 2.0, "too late"))
    else:
        other = value[:-1]
    assert replace(full, **{name: other}) != full
    assert replace(full, **{name: value}) == full


def test_absent_is_not_zero():
    full = feedbacks()[-1]
    assert replace(full, alignment=None) != full
    assert replace(full, observed_mean=float("nan")) != full
    gone = full.observed.copy()
    gone[0] = np.nan
    assert replace(full, observed=gone) != full


def test_time_spent_is_no_difference():
    full = feedbacks()[-1]
    assert replace(full, stage_s={"eeg": 9.0}) == full


def test_it_is_frozen_and_not_to_be_hashed():
    full = feedbacks()[-1]
    with pytest.raises(FrozenInstanceError):
        full.step = 3
    with pytest.raises(TypeError, match="unhashable"):
        hash(full)
