"""Rules of valence and arousal: what counts, what is shown, and what a session must have."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from pydantic import ValidationError

from rtaffect.affect.values import AffectEstimate, AffectValues
from rtaffect.common.errors import SettingsError
from rtaffect.protocol.affective import affect_of, check_affect, why_no_affect
from rtaffect.protocol.measured import window_of
from rtaffect.protocol.model import FeedbackRule
from rtaffect.protocol.rule import Rule
from rtaffect.stream.doubt import Doubt
from tests.support.fake_feedback import fake_session

RULE = FeedbackRule(value="arousal", source="both", scale="fixed", low=-1.0, high=1.0, smoothing_s=2)


def somebody(arousal: float, valence: float = 0.5) -> AffectValues:
    estimate = AffectEstimate(valence, arousal, 0.6, 0.7, 0.2)
    return AffectValues("A", both=estimate, eeg=replace(estimate, arousal=-arousal))


def step(*values: AffectValues):
    return replace(fake_session(3)[-1], affect=values, doubts=())


NOBODY = AffectValues("B", both=AffectEstimate(reason="as planned"))


def test_it_is_the_mean_over_people_who_have_a_value_of_the_source():
    assert affect_of(step(somebody(0.2), somebody(0.6), NOBODY), RULE) == pytest.approx(0.4)
    of_eeg = FeedbackRule(value="arousal", scale="fixed", low=-1.0, high=1.0)
    assert affect_of(step(somebody(0.2)), of_eeg) == -0.2
    assert affect_of(step(somebody(0.2, -0.7)), FeedbackRule(value="valence", source="both")) == -0.7


def test_without_a_value_it_says_why():
    assert math.isnan(affect_of(step(NOBODY), RULE))
    assert why_no_affect(step(NOBODY), RULE) == "as planned"
    assert why_no_affect(step(), RULE) == "the session has no bundle of affect"
    late = replace(step(somebody(0.2)), doubts=(Doubt("late", 1.0, 2.0, "too late", "step"),))
    assert math.isnan(affect_of(late, RULE))
    assert why_no_affect(late, RULE) == "too late"


def test_its_level_is_of_plain_means_of_its_seconds():
    rule = Rule(RULE, 5)
    rule.begin("feedback")
    assert rule.step(step(somebody(0.2)), 4).own.level is None
    assert rule.step(step(somebody(0.2)), 5).value == pytest.approx(0.2)
    reading = rule.step(step(somebody(0.6)), 6)
    assert reading.value == pytest.approx(0.4)
    assert reading.own.level == pytest.approx(0.7)
    shown = rule.step(step(NOBODY), 7).own
    assert (shown.level, shown.reason) == (None, "as planned")


def test_a_session_must_read_affect_and_a_rule_settles_as_long_as_that_reaches_back():
    check_affect("P", RULE, reads=True)
    check_affect("P", FeedbackRule(), reads=False)
    with pytest.raises(SettingsError, match=r"feedback.value is arousal, and this session has no bundle of affect"):
        check_affect("P", RULE, reads=False)
    assert window_of(RULE, 10, (), 5) == 5
    assert window_of(FeedbackRule(), 10, (), 5) == 10


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"source": "both"}, "source belongs to value = valence or arousal, not to observed"),
        ({"value": "valence", "rows": ("Fz",)}, "valence has no rows"),
        ({"value": "arousal", "measure": "plv"}, "a measure's name goes with value = measure"),
    ],
)
def test_what_does_not_go_together_is_refused(content, words):
    with pytest.raises(ValidationError, match=words):
        FeedbackRule(**content)
