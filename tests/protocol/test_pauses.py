"""Pauses, repeats and practice of blocks, and a protocol's marks: what happens when, and that a replay is the same."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtaffect.common.errors import SettingsError
from rtaffect.protocol.arms import Real
from rtaffect.protocol.conductor import PAUSED, Conductor
from rtaffect.protocol.reading import read_protocol, window_problems
from rtaffect.protocol.timeline import Ran, blocks_of, keys_that_gave
from tests.support.protocol_files import WINDOW_S, conduct, content_of, course, protocol_of, write_protocol

TWO = (
    {"kind": "listen", "name": "A", "duration_s": 20},
    {"kind": "listen", "name": "B", "duration_s": 15, "start": "auto"},
)
KEYS = {"go": "go", "skip": "skip", "pause": "pause", "repeat": "repeat"}


def play(protocol, keys, steps=80, follow=None):
    """Return the conductor and its steps, with keys by step."""
    conductor = Conductor(protocol, Real(), WINDOW_S, follow=follow)
    protocol_steps = []
    for feedback in course(1, steps):
        for key in keys.get(feedback.step, ()):
            getattr(conductor, KEYS[key])()
        protocol_steps.append(conductor.step(feedback))
    return conductor, protocol_steps


def told(conductor):
    return [(e.onset, e.what, e.name) for e in conductor.events_since(0)]


def test_a_block_stands_still_and_goes_on_where_it_was():
    conductor, steps = play(protocol_of(TWO), {2: ("go",), 10: ("pause",), 17: ("go",)})
    assert told(conductor) == [
        (2, "go", "A"), (2, "block-begin", "A"), (10, "pause", "A"), (10, "block-pause", "A"), (17, "go", "A"),
        (17, "block-resume", "A"), (29, "block-end", "A"), (29, "block-begin", "B"), (44, "block-end", "B"),
    ]  # fmt: skip
    assert [step.phase for step in steps[9:16]] == ["paused"] * 7
    assert {step.left_s for step in steps[9:16]} == {12}
    assert [steps[place].left_s for place in (8, 16, 17)] == [13, 12, 11]
    assert steps[12].instruction == PAUSED
    assert steps[12].own.reason == "the block stands still"
    assert steps[12].for_operator == "Press Space to let 'A' go on when the participant is ready."
    assert steps[5].can_pause
    assert not steps[12].can_pause
    # A window that reaches back into the pause tells nothing.
    assert [step.step for step in steps if math.isfinite(step.value)] == [27, 28, 39, 40, 41, 42, 43]


def test_the_same_key_lets_it_go_on():
    one = play(protocol_of(TWO), {2: ("go",), 10: ("pause",), 17: ("go",)})
    other = play(protocol_of(TWO), {2: ("go",), 10: ("pause",), 17: ("pause",)})
    assert told(one[0]) == told(other[0])


def test_a_block_begins_again_from_its_start():
    conductor, steps = play(protocol_of(TWO), {2: ("go",), 10: ("repeat",)})
    assert told(conductor)[2:6] == [
        (10, "repeat", "A"), (10, "block-end", "A"), (10, "block-begin", "A"), (30, "block-end", "A"),
    ]  # fmt: skip
    assert steps[9].left_s == 20


def test_where_the_next_block_is_waited_for_the_last_one_begins_again():
    waits = (TWO[0], {**TWO[1], "start": "operator"})
    conductor, _ = play(protocol_of(waits), {1: ("repeat",), 2: ("go",), 30: ("repeat",)})
    assert told(conductor)[2:] == [
        (22, "block-end", "A"), (30, "repeat", "A"), (30, "block-begin", "A"), (50, "block-end", "A"),
    ]  # fmt: skip


def test_one_that_stands_still_can_be_passed_over_or_begun_again():
    conductor, _ = play(protocol_of(TWO), {2: ("go",), 10: ("pause",), 14: ("skip",)})
    assert told(conductor)[4:] == [
        (14, "skip", "A"), (14, "block-end", "A"), (14, "block-begin", "B"), (29, "block-end", "B"),
    ]  # fmt: skip
    conductor, _ = play(protocol_of(TWO), {2: ("go",), 10: ("pause",), 14: ("repeat",)})
    assert told(conductor)[4:7] == [(14, "repeat", "A"), (14, "block-end", "A"), (14, "block-begin", "A")]


def test_a_block_with_a_film_can_stand_still_like_any_other():
    protocol = protocol_of(TWO)
    object.__setattr__(protocol.blocks[0], "film", "film.mp4")
    conductor, steps = play(protocol, {2: ("go",), 10: ("pause",)})
    assert "block-pause" in [what for _, what, _ in told(conductor)]
    assert steps[5].can_pause


KEY = st.sampled_from(["go", "skip", "pause", "repeat"])


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.integers(1, 75), st.tuples(KEY), max_size=9), st.booleans(), st.booleans())
def test_whatever_was_pressed_a_replay_of_the_blocks_is_the_same(keys, by_itself, heard):
    blocks = (TWO[0], {**TWO[1], "start": "auto" if by_itself else "operator"}, {**TWO[0], "name": "C"})
    protocol = protocol_of(blocks)
    if heard:
        protocol.blocks[1]._sound = protocol.located("/nowhere.wav")
    live, steps = play(protocol, keys)
    ran = blocks_of(live.events_since(0))
    given_keys = keys_that_gave(protocol, ran)
    again, replayed = play(protocol, {}, follow=given_keys)
    assert blocks_of(again.events_since(0)) == ran
    last = int(max([0.0, *(at for one in ran for at in (one.start_s, one.end_s or 0.0))]))
    seen = [(step.block, step.phase, step.left_s) for step in steps[:last] if step.phase in ("running", "paused")]
    assert [(s.block, s.phase, s.left_s) for s in replayed[:last] if s.phase in ("running", "paused")] == seen


def counted(conductor):
    """Return the keys that counted, by step, as a session's table of events has them."""
    found = {}
    for event in conductor.events_since(0):
        if event.what in KEYS:
            found[int(event.onset)] = (*found.get(int(event.onset), ()), event.what)
    return found


def test_repeat_pressed_twice_means_one_block():
    """While its sound is made ready a second press once meant the block before it."""
    protocol = protocol_of((*TWO, {**TWO[0], "name": "C", "start": "operator"}))
    protocol.blocks[1]._sound = protocol.located("/nowhere.wav")
    begun = [told(play(protocol, {2: ("go",), 40: presses})[0]) for presses in (("repeat",), ("repeat", "repeat"))]
    assert begun[0] == begun[1]
    assert [name for _, what, name in begun[1] if what == "repeat"] == ["B"]


@pytest.mark.parametrize(("keys", "heard"), [
    # Left while it stood still; repeated after that; passed over at the end, while its sound was made ready; at once.
    ({2: ("go",), 10: ("pause",), 16: ("skip",)}, False),
    ({2: ("go",), 10: ("pause",), 25: ("skip",), 40: ("repeat",)}, False),
    ({2: ("go",), 9: ("skip",), 10: ("skip",)}, True),
    ({2: ("go",), 9: ("pause", "skip"), 20: ("repeat", "repeat")}, True),
])  # fmt: skip
def test_keys_that_were_told_are_pressed_again_in_a_replay(keys, heard):
    """The blocks alone do not tell when one was passed over that never began, nor one that stood still to its end."""
    protocol = protocol_of(({**TWO[0], "start": "operator"}, TWO[1], {**TWO[0], "name": "C", "start": "operator"}))
    if heard:
        protocol.blocks[1]._sound = protocol.located("/nowhere.wav")
    live, steps = play(protocol, keys)
    follow = keys_that_gave(protocol, blocks_of(live.events_since(0)), counted(live))
    again, replayed = play(protocol, {}, follow=follow)
    assert again.events_since(0) == live.events_since(0)
    assert repr(replayed) == repr(steps)


def test_a_pause_of_another_protocol_is_refused():
    with pytest.raises(SettingsError, match="does not allow"):
        keys_that_gave(protocol_of(TWO), [Ran(1, 2.0, 35.0, ((10.0, 18.0),))])


def scaled(blocks):
    """Return the steps of a session whose scale is made of its baseline."""
    return conduct(protocol_of(blocks), course(3, sum(block["duration_s"] for block in blocks) + 5))


def test_practice_makes_no_scale_and_has_one_of_its_own():
    main = [
        {"kind": "baseline", "name": "Baseline", "duration_s": 60},
        {"kind": "feedback", "name": "Run", "duration_s": 40, "start": "auto"},
    ]
    tries = [
        {"kind": "baseline", "name": "Try to listen", "duration_s": 45, "practice": True},
        {"kind": "feedback", "name": "Try it", "duration_s": 20, "start": "auto", "practice": True},
        {**main[0], "start": "auto"},
        main[1],
    ]
    steps = scaled(tries)
    values = {name: [s.value for s in steps if s.name == name and math.isfinite(s.value)] for name in ("Baseline",)}
    run = [step for step in steps if step.name == "Run" and step.own.level is not None]
    assert run[0].threshold == pytest.approx(np.median(values["Baseline"]))
    tried = [step for step in steps if step.name == "Try it" and step.own.level is not None]
    first = [s.value for s in steps if s.name == "Try to listen" and math.isfinite(s.value)]
    assert tried[0].threshold == pytest.approx(np.median(first))
    assert {step.practice for step in tried} == {True}
    assert {step.practice for step in run} == {False}


def test_only_a_baseline_that_counts_makes_the_scale_of_what_counts():
    tries = {"kind": "baseline", "name": "Try", "duration_s": 60, "practice": True}
    run = {"kind": "feedback", "name": "Run", "duration_s": 40}
    with pytest.raises(ValueError, match="kind baseline that is not for practice before 'Run'"):
        protocol_of([tries, run])
    protocol = protocol_of([tries, {**run, "practice": True}, {**tries, "practice": False, "duration_s": 20}, run])
    assert "gives at most 10 values" in window_problems(protocol, WINDOW_S)[0]


def test_marks_are_read_and_mistakes_are_told(tmp_path):
    marks = [{"key": "F5", "name": "participant moved"}, {"key": "F9", "name": "coughed"}]
    protocol = read_protocol(write_protocol(tmp_path / "p.toml", mark=marks))
    assert [(mark.key, mark.name) for mark in protocol.marks] == [("F5", "participant moved"), ("F9", "coughed")]
    for wrong, words in (
        ([{"key": "F1", "name": "x"}], r"mark 1 'x': key = 'F1': expected 'F2'"),
        ([marks[0], {"key": "F5", "name": "x"}], "mark: key 'F5' is there twice"),
        ([marks[0], {"key": "F6", "name": "participant moved"}], "mark: name 'participant moved' is there twice"),
        ([{"key": "F5"}], "mark 1: name is missing"),
    ):
        with pytest.raises(SettingsError, match=words):
            read_protocol(write_protocol(tmp_path / "p.toml", mark=wrong))
    assert "mark" not in content_of()
