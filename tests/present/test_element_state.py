"""What screens show of voice and background."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from rtaffect.predicted.element_levels import LOWEST_DB
from rtaffect.present.element_state import describe_element, element_level, resolve_elements
from rtaffect.present.maps import has_both_elements, resolve_map
from rtaffect.present.session_presenter import Presenter
from tests.support.fake_feedback import fake_session


def shown(steps: int, **options) -> Presenter:
    presenter = Presenter(**options)
    for feedback in fake_session(steps, elements=True):
        presenter.add(feedback)
    return presenter


def test_the_courses_are_those_of_the_chosen_row_and_of_the_mean():
    presenter, session = shown(60), fake_session(60, elements=True)
    presenter.select(3)
    voice, background = presenter.state().elements
    assert (voice.element, background.element) == ("voice", "background")
    np.testing.assert_array_equal(voice.row, [f.elements[0].predicted[3] for f in session])
    np.testing.assert_array_equal(background.mean, [f.elements[1].mean for f in session])
    assert voice.words == "predicted by the voice"


def test_an_element_that_is_not_heard_is_a_gap_and_the_key_says_so():
    voice, background = shown(83).state().elements
    assert np.isnan(voice.row[-4:]).all()
    assert np.isfinite(background.row[-4:]).all()
    assert voice.words == "predicted by the voice: no voice heard"
    assert shown(5).state().elements[1].words == "predicted by the background: no value now"


def test_only_the_shown_time_is_drawn_and_missing_steps_are_a_gap():
    session = [f for f in fake_session(60, elements=True) if not 30 <= f.step < 33]
    steps = [(f.time, f.elements) for f in session]
    voice, _ = resolve_elements(steps, 0, 40.0, 1.0)
    assert voice.time[0] == 21
    assert np.isnan(voice.row[voice.time == 30]).all()
    assert (voice.time == 30).sum() == 1
    assert resolve_elements([], 0, 40.0, 1.0) == ()


def test_a_session_that_begins_anew_forgets_the_courses_of_the_last():
    presenter = shown(60)
    for feedback in fake_session(12):
        presenter.add(feedback)
    assert presenter.state().elements == ()
    for feedback in fake_session(15, elements=True):
        presenter.add(feedback)
    assert len(presenter.state().elements[0].time) == 15


def test_the_map_shows_which_element_predicts_more():
    latest = fake_session(60, elements=True)[-1]
    drawn = resolve_map(latest, "elements")
    voice, background = latest.elements
    np.testing.assert_array_equal(drawn.values, voice.predicted - background.predicted)
    np.testing.assert_array_equal(drawn.marked, np.abs(drawn.values) > 0.05)
    assert drawn.marked.any()
    without = replace(latest, elements=latest.elements[:1])
    assert not has_both_elements(without)
    assert np.isnan(resolve_map(without, "elements").values).all()


@pytest.mark.parametrize(("level", "reason", "words"), [
    (-33.01, "", "\N{MINUS SIGN}30 dB"),
    (LOWEST_DB, "no voice heard", "silent, not heard"),
    (-60.01, "no voice heard", "\N{MINUS SIGN}57 dB, not heard"),
    (math.nan, "it is not known where in the sound it is", "it is not known where in the sound it is"),
])  # fmt: skip
def test_levels_in_words(level: float, reason: str, words: str):
    element = replace(fake_session(60, elements=True)[-1].elements[0], level_db=level, reason=reason)
    assert describe_element(element) == words
    assert element_level(element).known == math.isfinite(level)
