"""The conductor: blocks in time, the operator's keys, replays, and the same looks in every arm."""

from __future__ import annotations

import math
import threading
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtaffect.common.errors import SettingsError
from rtaffect.protocol.arms import NOT_IN_ALL, Alike, ArmSource, Delayed, DonorLevels, Place, Real, Yoked
from rtaffect.protocol.choice import alike
from rtaffect.protocol.conductor import Conductor
from rtaffect.protocol.model import LEAD_S, open_ended
from rtaffect.protocol.protocol_step import Shown
from rtaffect.protocol.timeline import Ran, Timeline, keys_that_gave
from tests.support.protocol_files import BLOCKS, WINDOW_S, conduct, course, protocol_of, step_of

TIMED = (
    {"kind": "listen", "name": "A", "duration_s": 5, "start": "auto", "instruction": "Listen."},
    {"kind": "rest", "name": "B", "duration_s": 4, "start": "auto"},
    {"kind": "listen", "name": "C", "duration_s": 6},
    {"kind": "rest", "name": "D", "duration_s": 3, "start": "auto"},
)
AUTO = [{**block, "start": "auto"} for block in BLOCKS]
FIXED = {"scale": "fixed", "low": 0.0, "high": 0.4, "smoothing_s": 2}


def with_sounds(protocol, *numbers):
    """Give blocks a sound, as if their file had been read."""
    for number in numbers:
        protocol.blocks[number - 1]._sound = protocol.located("/nowhere.wav")
    return protocol


def spans(protocol_steps):
    """Return of each block that ran its number, start, and the steps at which it was running."""
    found = {}
    for protocol_step in protocol_steps:
        if protocol_step.phase == "running":
            found.setdefault((protocol_step.block, protocol_step.started), []).append(protocol_step.step)
    return [(block, start, steps) for (block, start), steps in found.items()]


def test_timed_blocks_follow_each_other_and_others_wait():
    conductor = Conductor(protocol_of(TIMED), Real(), WINDOW_S)
    assert [(start, block.name) for start, block in conductor.upcoming(0)] == [(3.0, "A"), (8.0, "B")]
    protocol_steps = conduct(conductor.protocol, course(1, 30), keys={15: ("go",)}, conductor=conductor)
    assert spans(protocol_steps) == [
        (1, 3.0, [*range(3, 8)]),
        (2, 8.0, [*range(8, 12)]),
        (3, 15.0, [*range(15, 21)]),
        (4, 21.0, [*range(21, 24)]),
    ]
    assert [m.left_s for m in protocol_steps[2:7]] == [5, 4, 3, 2, 1]
    assert [m.phase for m in protocol_steps[23:]] == ["done"] * 7
    assert conductor.done
    assert conductor.upcoming(30) == ()
    message = [(e.onset, e.what, e.block) for e in conductor.events_since(0)]
    assert message == [
        (3, "block-begin", 1), (8, "block-end", 1), (8, "block-begin", 2), (12, "block-end", 2), (15, "go", 3),
        (15, "block-begin", 3), (21, "block-end", 3), (21, "block-begin", 4), (24, "block-end", 4),
    ]  # fmt: skip
    assert conductor.events_since(len(message) - 1) == conductor.events_since(0)[-1:]


@pytest.mark.parametrize(
    ("keys", "began"),
    [
        ({5: ("next",)}, [(1, 3), (2, 5), (4, 25)]),  # ends A, and B begins by itself
        ({15: ("next",)}, [(1, 3), (2, 8), (3, 15), (4, 21)]),  # begins C, which is waited for
        ({10: ("next",)}, [(1, 3), (2, 8), (3, 10), (4, 16)]),  # ends B, and begins C as well
        ({12: ("next",)}, [(1, 3), (2, 8), (3, 13), (4, 19)]),  # B ends by itself at that very step
        ({8: ("next",)}, [(1, 3), (2, 8), (4, 25)]),  # A does, and B begins by itself: it is not passed over
        ({1: ("next",)}, [(1, 3), (2, 8), (4, 25)]),  # A is about to begin by itself
        ({10: ("skip", "next")}, [(1, 3), (2, 8), (3, 10), (4, 16)]),
    ],
)
def test_the_next_block_begins_whatever_the_present_one_does(keys, began):
    protocol = protocol_of(TIMED)
    # C, where nothing began it, is passed over near the end.
    protocol_steps = conduct(protocol, course(1, 30), keys={**keys, 25: ("skip",)})
    assert [(block, start) for block, start, _ in spans(protocol_steps)] == began


def test_what_the_moments_say_while_waiting_and_running():
    protocol = protocol_of(TIMED)
    protocol_steps = conduct(protocol, course(1, 24), keys={15: ("go",)})
    first, waiting = protocol_steps[0], protocol_steps[12]
    assert (first.phase, first.block, first.name, first.next_name) == ("waiting", 1, "A", "B")
    assert math.isnan(first.started)
    assert math.isnan(first.left_s)
    assert first.instruction == "Listen."
    assert first.for_operator == "'A' begins in 2 s."
    assert waiting.for_operator == "Press Space to begin 'C' when the participant is ready."
    assert protocol_steps[-1].for_operator == "The protocol is over."
    assert protocol_steps[-1].next_name == ""
    assert {m.blocks for m in protocol_steps} == {4}


def test_a_sound_gets_its_three_seconds():
    protocol = with_sounds(protocol_of(TIMED), 2, 3)
    conductor = Conductor(protocol, Real(), WINDOW_S)
    protocol_steps = conduct(protocol, course(1, 20)[:15], keys={15: ("go",)}, conductor=conductor)
    assert [(b, s) for b, s, _ in spans(protocol_steps)] == [(1, 3.0), (2, 8.0)], "a block that is timed needs no lead"
    assert protocol_steps[-1].for_operator == f"'C' begins in {LEAD_S} s."
    assert [(start, block.name) for start, block in conductor.upcoming(15)] == [(18.0, "C"), (24.0, "D")]
    assert conductor.step(course(1, 16)[15]).phase == "waiting"


def test_skip_ends_a_block_and_passes_over_one_that_is_waited_for():
    protocol = with_sounds(protocol_of(TIMED), 4)
    protocol_steps = conduct(protocol, course(1, 20), keys={5: ("skip",), 10: ("skip",)})
    assert spans(protocol_steps) == [
        (1, 3.0, [3, 4]),
        (2, 5.0, [5, 6, 7, 8]),
        (4, 10.0 + LEAD_S, [13, 14, 15]),
    ]


def test_a_key_in_a_blocks_last_second_does_not_count_for_the_next():
    blocks = [{"kind": "rest", "name": "A", "duration_s": 3}, {"kind": "rest", "name": "B", "duration_s": 3}]
    for key in ("go", "skip"):
        protocol_steps = conduct(protocol_of(blocks), course(1, 12), keys={2: ("go",), 5: (key,)})
        assert spans(protocol_steps) == [(1, 2.0, [2, 3, 4])]
        assert (protocol_steps[-1].block, protocol_steps[-1].phase) == (2, "waiting")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_blocks_never_overlap_and_a_followed_run_is_the_same(data):
    kinds = st.sampled_from(["rest", "listen"])
    blocks = data.draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "kind": kinds,
                    "name": st.just("x"),
                    "duration_s": st.integers(3, 9),
                    "start": st.sampled_from(["auto", "operator"]),
                }
            ),
            min_size=1,
            max_size=6,
        )
    )
    protocol = protocol_of(blocks)
    with_sounds(protocol, *data.draw(st.sets(st.integers(1, len(blocks)))))
    pressed = data.draw(
        st.dictionaries(st.integers(1, 60), st.lists(st.sampled_from(["go", "go", "skip"]), max_size=2), max_size=12)
    )
    conductor = Conductor(protocol, Real(), WINDOW_S)
    protocol_steps = []
    steps = course(3, 60)
    for feedback in steps:
        ahead = conductor.upcoming(feedback.step)
        assert all(later[0] >= earlier[0] + 3 for earlier, later in pairwise(ahead))
        for key in pressed.get(feedback.step, ()):
            conductor.go() if key == "go" else conductor.skip()
        protocol_steps.append(conductor.step(feedback))
    assert {m.step: m.block for m in protocol_steps}.keys() == set(range(1, 61))
    ran = []
    for event in conductor.events_since(0):
        if event.what == "block-begin":
            assert not ran or (ran[-1].end_s is not None and ran[-1].end_s <= event.onset)
            assert not ran or ran[-1].block < event.block
            ran.append(Ran(event.block, event.onset))
        elif event.what == "block-end":
            assert ran[-1].block == event.block
            assert 0 < event.onset - ran[-1].start_s <= protocol.blocks[event.block - 1].seconds
            ran[-1] = ran[-1]._replace(end_s=event.onset)
    for one in ran:
        assert one.start_s == int(one.start_s)
        inside = [m for m in protocol_steps if m.phase == "running" and m.block == one.block]
        assert [m.step for m in inside] == list(range(int(one.start_s), int(one.end_s or 61)))
    again = Conductor(protocol, Real(), WINDOW_S, follow=keys_that_gave(protocol, ran))
    followed = [again.step(feedback) for feedback in steps]
    known = (ran[-1].end_s or 61) if ran else 0
    running = [repr(m) for m in protocol_steps if m.phase == "running"]
    assert [repr(m) for m in followed if m.phase == "running" and m.step < known] == running
    last = protocol_steps[-1]
    passed_over = {*range(1, last.block + (last.phase == "done"))} - {one.block for one in ran}
    about_to_begin = last.phase == "waiting" and "begins in" in last.for_operator
    if not passed_over and not about_to_begin:
        assert repr(followed) == repr(protocol_steps)


def test_a_followed_session_gives_equal_moments_whatever_is_pressed():
    protocol = protocol_of(arms=[{"name": "late", "feedback": "delayed", "delay_s": 4}])
    steps = course(5, 260, missing=range(100, 106))
    keys = {7: ("go",), 75: ("go",), 100: ("go",), 150: ("go",), 175: ("skip",), 180: ("skip",)}
    first = Conductor(protocol, Delayed(4), WINDOW_S)
    protocol_steps = conduct(protocol, steps, keys=keys, conductor=first)
    events = first.events_since(0)
    begins = [Ran(e.block, e.onset) for e in events if e.what == "block-begin"]
    ends = {e.block: e.onset for e in events if e.what == "block-end"}
    ran = [one._replace(end_s=ends.get(one.block)) for one in begins]
    again = Conductor(protocol, Delayed(4), WINDOW_S, follow=keys_that_gave(protocol, ran))
    assert repr(conduct(protocol, steps, keys={20: ("skip",), 21: ("go",)}, conductor=again)) == repr(protocol_steps)
    assert again.events_since(0) == events
    assert any(m.shown.level is not None for m in protocol_steps)


@pytest.mark.parametrize(
    "ran",
    [
        [Ran(1, 4.0, 9.0)],
        [Ran(1, 3.0, 8.0), Ran(2, 9.0, 13.0)],
        [Ran(1, 3.0, 8.0), Ran(2, 8.0, 13.0)],
        [Ran(1, 3.5, 8.5)],
        [Ran(1, 3.0, 8.0), Ran(7, 9.0, 13.0)],
        [Ran(2, 3.0, 7.0), Ran(1, 8.0, 13.0)],
        [Ran(0, 3.0, 7.0)],
    ],
)
def test_blocks_of_another_protocol_cannot_be_followed(ran):
    with pytest.raises(SettingsError, match="does not allow: replay with the protocol that the session ran with"):
        keys_that_gave(protocol_of(TIMED), ran)


def test_a_block_that_should_have_run_is_missed():
    with pytest.raises(SettingsError, match="block 1 begins at 3 s, but none was recorded"):
        keys_that_gave(protocol_of(TIMED), [Ran(2, 4.0, 8.0)])


def test_without_a_protocol_one_block_goes_on_and_has_a_value():
    conductor = Conductor(open_ended(), Real(), WINDOW_S)
    assert conductor.upcoming(-1) == ((0.0, open_ended().blocks[0]),)
    protocol_steps = conduct(conductor.protocol, course(1, 40), keys={}, conductor=conductor)
    assert {(m.block, m.blocks, m.kind, m.phase, m.started, m.left_s) for m in protocol_steps} == {
        (1, 1, "listen", "running", 0.0, math.inf)
    }
    assert [math.isfinite(m.value) for m in protocol_steps] == [step >= WINDOW_S for step in range(1, 41)]
    assert all(m.shown == m.own and m.shown.level is None for m in protocol_steps)
    assert not conductor.done
    assert [e.what for e in conductor.events_since(0)] == ["block-begin"]


def test_steps_come_once_and_in_order():
    conductor = Conductor(open_ended(), Real(), WINDOW_S)
    conductor.step(step_of(1, 0.1))
    with pytest.raises(ValueError, match="step 3 follows 1"):
        conductor.step(step_of(3, 0.1))


def test_keys_may_come_from_other_threads():
    protocol = protocol_of([{"kind": "rest", "name": str(i), "duration_s": 3} for i in range(20)])
    conductor = Conductor(protocol, Real(), WINDOW_S)
    stop = threading.Event()

    def press():
        while not stop.is_set():
            conductor.go()
            conductor.upcoming(0)
            conductor.events_since(0)
            stop.wait(0.0005)

    threads = [threading.Thread(target=press) for _ in range(3)]
    for thread in threads:
        thread.start()
    for feedback in course(1, 4000):
        if conductor.step(feedback).phase == "done":
            break
    stop.set()
    for thread in threads:
        thread.join()
    begins = [e for e in conductor.events_since(0) if e.what == "block-begin"]
    goes = [e for e in conductor.events_since(0) if e.what == "go"]
    assert len(begins) == len(goes) > 1
    assert [e.block for e in begins] == list(range(1, len(begins) + 1))


def test_a_whole_session_shows_feedback_in_feedback_only():
    protocol_steps = conduct(protocol_of(AUTO), course(4, 200))
    shown = {
        kind: [m for m in protocol_steps if m.kind == kind and m.phase == "running"]
        for kind in ("feedback", "transfer")
    }
    assert all(m.shown.level is None for m in protocol_steps if m not in shown["feedback"])
    assert [m.shown.level is not None for m in shown["feedback"]] == [False] * 10 + [True] * 50 + [False] * 10 + [
        True
    ] * 30
    assert all(m.shown == m.own for m in protocol_steps), "without another arm the own level is shown"
    values = [m for m in shown["transfer"] if math.isfinite(m.value)]
    assert len(values) == 20
    assert all(m.low < m.threshold < m.high for m in values)


def test_instructions_stay_until_feedback_begins():
    blocks = [{**block, "instruction": block["name"]} for block in AUTO]
    protocol_steps = conduct(protocol_of(blocks), course(4, 200))
    for protocol_step in protocol_steps:
        second = protocol_step.step - protocol_step.started
        hidden = protocol_step.phase == "done" or (protocol_step.kind == "feedback" and second >= WINDOW_S)
        assert protocol_step.instruction == ("" if hidden else protocol_step.name)


def test_a_baseline_without_values_is_told_to_the_operator():
    protocol_steps = conduct(protocol_of(AUTO), course(4, 130, missing=range(1, 61)))
    during = [m for m in protocol_steps if m.kind == "feedback" and m.phase == "running"]
    assert all(m.shown.level is None for m in during)
    assert "the baseline gave" in during[20].for_operator
    assert "mend the electrodes" in during[20].shown.reason


class Always(ArmSource):
    """Has a level at any time, and notes when it is asked."""

    def __init__(self) -> None:
        self.asked: list[Place] = []

    def show(self, place, own):
        self.asked.append(place)
        return Shown(0.5)


def test_an_arm_is_asked_in_feedback_alone_and_shows_nothing_without_an_own_level():
    blocks, arm = [block for block in AUTO if block["kind"] != "feedback"], Always()
    conduct(protocol_of(blocks), course(4, 120), arm)
    assert not arm.asked
    protocol_steps = conduct(protocol_of(AUTO), course(4, 200, missing=range(60, 201)), arm)
    assert {place.block for place in arm.asked} == {2, 4}
    assert all(m.shown.level is None for m in protocol_steps)


@settings(max_examples=15, deadline=None)
@given(
    st.sets(st.integers(1, 200), max_size=80), st.integers(1, 20), st.integers(0, 99), st.sampled_from(["ring", "tone"])
)
def test_all_arms_are_neutral_at_the_same_steps_for_the_same_reason(missing, delay_s, seed, show):
    """Whoever sees when and why nothing is shown, and how long it takes to begin, learns nothing of the arm."""
    arms = [
        {"name": "a", "feedback": "real"},
        {"name": "b", "feedback": "delayed", "delay_s": delay_s},
        {"name": "c", "feedback": "yoked", "donors": ["donor"]},
    ]
    protocol = protocol_of(AUTO, arms=arms, rule={**FIXED, "show": show})
    steps = course(seed, 200, missing)
    rng = np.random.default_rng(seed)
    there = {number: np.flatnonzero(rng.random(60) < 0.9).astype(float) for number in (2, 4)}
    other = {
        n: DonorLevels(at, rng.uniform(0, 1, len(at)), rng.uniform(0, 1, len(at)) > 0.5) for n, at in there.items()
    }

    def sources():
        return Real(), Delayed(delay_s), Yoked(other)

    runs = [conduct(protocol, steps, alike(protocol, (arms := sources())[number], arms)) for number in range(3)]
    for protocol_steps in zip(*runs, strict=True):
        shown = [m.shown for m in protocol_steps]
        assert len({s.level is None for s in shown}) == 1
        assert len({s.reason for s in shown}) == 1
        assert all(s.level is None or (0 <= s.level <= 1 and not s.reason) for s in shown)
        assert len({(m.instruction, m.for_operator, m.phase, repr(m.own)) for m in protocol_steps}) == 1
        first = protocol_steps[0]
        if first.kind == "feedback" and first.step - first.started < WINDOW_S + delay_s + 1:
            assert shown[0].level is None


def with_a_delay(delay_s: int, missing=()):
    arms = [{"name": "own", "feedback": "real"}, {"name": "late", "feedback": "delayed", "delay_s": delay_s}]
    protocol = protocol_of(AUTO, rule=FIXED, arms=arms)
    steps = course(2, 200, missing)
    runs = []
    for number in range(2):
        sources = (Real(), Delayed(delay_s))
        runs.append(conduct(protocol, steps, alike(protocol, sources[number], sources)))
    return runs


def test_the_delayed_level_is_the_own_one_of_then():
    real, delayed = ({m.step: m for m in steps} for steps in with_a_delay(6))
    compared = 0
    for protocol_step in delayed.values():
        if protocol_step.shown.level is not None:
            then = delayed[protocol_step.step - 6]
            assert (then.block, protocol_step.shown) == (protocol_step.block, then.own)
            assert real[protocol_step.step].shown == protocol_step.own
            compared += 1
    # The window, the delay, and one step more until the smoothing over two is whole.
    assert compared == (60 - 17) + (40 - 17)


def test_no_arm_freezes_or_draws_a_line_where_values_begin_late_or_are_missing():
    """Own values begin 22 s into the run, and are lost for 7 s later on: the delayed level is no straight line then."""
    lost = {*range(63, 85), *range(100, 107)}
    real, delayed = with_a_delay(10, lost)
    for protocol_steps in (real, delayed):
        shown = np.array([np.nan if m.shown.level is None else m.shown.level for m in protocol_steps])[62:122]
        with np.errstate(invalid="ignore"):
            inside = (shown > 0) & (shown < 1)
            bends = np.abs(np.diff(shown, 2))
        assert inside.sum() > 10
        assert not (bends[inside[1:-1]] < 1e-9).any()
        # From where all have one with whole smoothing; and without what was lost, then and later.
        assert np.flatnonzero(np.isfinite(shown))[0] == 22 + 10 + 1
        assert np.isnan(shown[[*range(100 - 63, 107 - 63), *range(110 - 63, 117 - 63)]]).all()


def test_after_a_gap_a_level_counts_when_its_smoothing_is_whole():
    sources = (Real(), Delayed(3))
    arm, shown = Alike(sources[0], sources, 4), {}
    for second in range(1, 30):
        own = Shown(None, "lost") if second in {12, 13} else Shown(second / 40)
        shown[second] = arm.show(Place(second, 2, second), own)
    there = [second for second, each in shown.items() if each.level is not None]
    assert there == [*range(7, 12), *range(20, 30)]
    assert {shown[s].reason for s in (12, 13)} == {"lost"}
    assert {shown[s].reason for s in range(14, 20)} == {NOT_IN_ALL}


def test_a_delayed_arm_starts_anew_in_another_block():
    arm = Delayed(4)
    assert [arm.show(Place(s, 2, s), Shown(s / 20, success=s > 11)) for s in range(10, 18)][4:] == [
        Shown(s / 20, success=s > 11) for s in range(10, 14)
    ]
    assert arm.show(Place(40, 4, 14), Shown(0.9)).level is None


def test_a_yoked_level_is_the_donors_at_the_same_second():
    arm = Yoked(
        {2: DonorLevels(np.array([10.0, 12.0, 13.0]), np.array([0.2, 0.4, 1.0]), np.array([False, True, True]))}
    )
    assert [arm.show(Place(1, 2, s), Shown(0.5)).level for s in (3, 10, 11, 12, 13, 30)] == [
        None, 0.2, None, 0.4, 1.0, None,
    ]  # fmt: skip
    assert [arm.show(Place(1, 2, s), Shown(0.5)).success for s in (3, 10, 12)] == [False, False, True]


def test_an_arm_does_not_tell_its_name():
    assert {repr(arm) for arm in (Real(), Delayed(3), Yoked({}), Alike(Real(), (), 1))} == {"ArmSource"}


@pytest.mark.parametrize(
    ("blocks", "arms", "expected"),
    [
        ([{**BLOCKS[0], "duration_s": 39}, *BLOCKS[1:]], (), "gives at most 29 values, its scale needs 30"),
        ([BLOCKS[0], {**BLOCKS[1], "duration_s": 10}], (), "'Run 1' lasts 10 s.*nothing would be shown"),
        ([*BLOCKS], [{"name": "d", "feedback": "delayed", "delay_s": 30}], "'Run 2'.*longest delay of 30 s"),
    ],
)
def test_blocks_that_are_too_short_for_the_window_are_refused(blocks, arms, expected):
    with pytest.raises(SettingsError, match=expected) as caught:
        Conductor(protocol_of(blocks, arms=arms), Real(), WINDOW_S)
    assert "\n" not in str(caught.value)


def test_a_timeline_moves_by_steps_alone():
    line = Timeline(protocol_of(TIMED))
    assert (line.phase, line.start, line.end) == ("waiting", 3, 8)
    assert line.following is not None
    assert line.following.name == "B"
    assert line.advance(2, ()) == []
    assert [e.what for e in line.advance(3, ())] == ["block-begin"]
    assert [e.what for e in line.advance(4, ("go",))] == [], "a block runs: the key does nothing"
