"""Rules that are of one element's prediction."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from rtaffect.common.errors import SettingsError
from rtaffect.predicted.element_prediction import ElementPrediction
from rtaffect.protocol.element_rule import check_element
from rtaffect.protocol.model import FeedbackRule
from rtaffect.protocol.rule import Rule, synchrony_of
from tests.support.protocol_files import WINDOW_S, step_of


def step(observed: float, predicted: float, voice: float, reason: str = ""):
    value = np.full(2, voice)
    element = ElementPrediction("voice", value, value - 0.1, value + 0.1, voice, voice, voice, -30.0, reason)
    return replace(step_of(1, observed), predicted=np.full(2, predicted), elements=(element,))


def test_the_value_is_that_elements_prediction_or_the_difference_to_it():
    found = step(0.3, 0.1, 0.2)
    assert synchrony_of(found, ("mean",)) == pytest.approx((0.3, 0.1))
    assert synchrony_of(found, ("mean",), "voice") == pytest.approx((0.3, 0.2))
    for value, expected in (("predicted", 0.2), ("difference", 0.1)):
        rule = Rule(FeedbackRule(value=value, element="voice", smoothing_s=1), WINDOW_S)
        rule.begin("baseline")
        assert rule.step(found, WINDOW_S).value == pytest.approx(expected)


def test_while_the_voice_is_not_heard_nothing_is_shown_and_it_says_why():
    rule = Rule(FeedbackRule(value="predicted", element="voice", scale="fixed", low=0.0, high=1.0), WINDOW_S)
    rule.begin("feedback")
    assert rule.step(step(0.3, 0.1, 0.4), WINDOW_S).own.level == pytest.approx(0.4)
    silent = rule.step(step(0.3, 0.1, math.nan, "no voice heard"), WINDOW_S + 1)
    assert silent.own.level is None
    assert silent.own.reason == "no voice heard"
    missing = rule.step(replace(step(0.3, 0.1, 0.4), elements=()), WINDOW_S + 2)
    assert missing.own.reason == "the session predicts nothing from the voice"


def test_an_element_of_what_is_observed_is_refused():
    with pytest.raises(ValidationError, match="an element goes with value = predicted or difference"):
        FeedbackRule(value="observed", element="voice")
    assert FeedbackRule(value="predicted", element="background").words == "predicted synchrony by the background"


def test_a_rule_of_an_element_that_the_session_lacks_is_refused():
    rule = FeedbackRule(value="predicted", element="voice")
    check_element("training", rule, ("voice", "background"))
    check_element("training", FeedbackRule(), ())
    with pytest.raises(SettingsError, match=r"feedback.element is voice, .* \(it predicts from the mix alone\)"):
        check_element("training", rule, ())
