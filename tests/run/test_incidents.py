"""What goes wrong in a session stands in its events, once, and what fails beside it does not end it."""

from __future__ import annotations

import itertools
import math
import threading
from dataclasses import replace

import numpy as np
import pytest

from rtaffect.common.clock import InstantClock
from rtaffect.engine.engine import Engine
from rtaffect.engine.session import Session
from rtaffect.engine.timing import StepTiming, Timings
from rtaffect.observed.spaces import ChannelSpace
from rtaffect.protocol.event import SessionEvent
from rtaffect.run.incidents import Incidents
from rtaffect.run.safety import Alarm, Guarded
from rtaffect.stream.doubt import Doubt
from rtaffect.stream.source import StreamInfo
from tests.engine.test_engine import ORIGIN, SETTINGS
from tests.support.fake_feedback import fake_session

RATE = 250.0


class Holey:
    """A recorded source in which some stretches are missing."""

    def __init__(self, name: str, seconds: float, missing: list[tuple[float, float]], seed: int) -> None:
        from rtaffect.stream.buffer import SampleBuffer

        self.info = StreamInfo(name, "eeg", RATE, ("C1", "C2"), "simulated")
        self.buffer = SampleBuffer(RATE, 2)
        times = np.arange(-1.0, seconds, 1 / RATE)
        kept = np.ones(len(times), np.bool_)
        for start, stop in missing:
            kept &= (times < start) | (times >= stop)
        self.times = ORIGIN + times[kept]
        self.values = np.random.default_rng(seed).normal(0, 1e-5, (len(self.times), 2))
        self.returns = [ORIGIN + stop for _, stop in missing]
        self.at = 0

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def advance(self, until: float) -> None:
        stop = int(np.searchsorted(self.times, until, side="right"))
        # A connection that was opened anew: even a short loss begins a new segment.
        for first, last in self._pieces(stop):
            if any(self.times[first] >= back > self.times[max(first - 1, 0)] for back in self.returns):
                self.buffer.begin_segment()
            self.buffer.push(self.values[first:last], self.times[first:last])
        self.at = stop

    def _pieces(self, stop: int) -> list[tuple[int, int]]:
        cuts = [int(np.searchsorted(self.times, back)) for back in self.returns]
        edges = sorted({self.at, stop, *(cut for cut in cuts if self.at < cut < stop)})
        return list(itertools.pairwise(edges))

    def status(self, now: float):
        return self.buffer.status(self.info.name, "eeg", "ok", now)


def test_a_thousand_outages_are_all_told_with_their_stream_onset_and_length() -> None:
    rng = np.random.default_rng(7)
    outages: dict[str, list[tuple[float, float]]] = {f"P{i}": [] for i in range(20)}
    for missing in outages.values():
        at = 0.5
        for length in rng.uniform(1, 1.2, 50) * rng.choice([0.05, 0.1, 0.3, 1.0, 3.0], 50):
            missing.append((at, at + length))
            at += length + rng.uniform(0.3, 1.0)
    seconds = max(missing[-1][1] for missing in outages.values()) + 2
    people = [Holey(name, seconds, missing, seed) for seed, (name, missing) in enumerate(outages.items())]
    engine = Engine(people, ChannelSpace(("C1", "C2")), SETTINGS, ORIGIN)
    events: list[SessionEvent] = []
    told: list[int] = []
    incidents, feedback = Incidents(engine, events.append), fake_session(1)[0]
    for step in range(1, math.ceil(seconds)):
        for person in people:
            person.advance(ORIGIN + step + 0.1)
        incidents(replace(feedback, step=step, lsl_time=ORIGIN + step, doubts=()))
        told += [step] * (len(events) - len(told))
    gaps = [event for event in events if event.type == "gap"]
    assert len(gaps) == 1000
    for name, missing in outages.items():
        found = [(e.onset, e.duration) for e in gaps if e.name == name]
        np.testing.assert_allclose([onset for onset, _ in found], [start for start, _ in missing], atol=0.02)
        np.testing.assert_allclose([d for _, d in found], [stop - start for start, stop in missing], atol=0.02)
    late = [step - (e.onset + e.duration) for e, step in zip(events, told, strict=True) if e.type == "gap"]
    assert min(late) >= -0.01
    assert max(late) <= 1.1, "in the step in which it ends"


def engine_of(*names: str) -> Engine:
    return Engine([Holey(name, 20, [], 0) for name in names], ChannelSpace(("C1", "C2")), SETTINGS, ORIGIN)


def events_of(steps: list[list[Doubt]]) -> list[tuple[str, str, float, str]]:
    events: list[SessionEvent] = []
    incidents = Incidents(engine_of("P0"), events.append)
    feedback = fake_session(1)[0]
    for step, doubts in enumerate(steps, start=1):
        incidents(replace(feedback, step=step, lsl_time=ORIGIN + step, doubts=tuple(doubts)))
    return [(e.type, e.name, round(e.onset, 3), e.kind) for e in events]


def lost(since: float, until: float = math.inf, reason: str = "lost") -> Doubt:
    return Doubt(reason, ORIGIN + since, ORIGIN + until, f"it is {reason} for {since} s", "person", "P0")


def test_a_loss_and_the_return_are_told_once() -> None:
    found = events_of([[], [lost(2)], [lost(3)], [lost(4)], [], [lost(6)], []])
    assert found == [
        ("lost", "P0", 2, "lost"), ("back", "P0", 5, "lost"), ("lost", "P0", 6, "lost"), ("back", "P0", 7, "lost"),
    ]  # fmt: skip


def test_a_doubt_is_told_when_it_begins_and_when_it_ends() -> None:
    lasting, over = lost(2, reason="losses"), lost(2, 4.5, "losses")
    found = events_of([[], [lasting], [lasting], [lasting], [over], [over, lost(6, reason="losses")], [], []])
    assert found == [
        ("doubt", "P0", 2, "losses"), ("doubt-end", "P0", 4.5, "losses"),
        ("doubt", "P0", 6, "losses"), ("doubt-end", "P0", 7, "losses"),
    ]  # fmt: skip
    noted = [lost(k, k + 1, "stamps") for k in range(1, 5)]
    found = events_of([noted[:1], noted[:2], noted[:3], noted, noted, noted[2:], []])
    assert found == [("doubt", "P0", 1, "stamps"), ("doubt-end", "P0", 5, "stamps")], "not one event for each second"


def test_lateness_is_a_fault_when_it_begins() -> None:
    def late(step: int) -> Doubt:
        return Doubt("late", ORIGIN + step, math.inf, f"{step} s too late", "step")

    found = events_of([[], [late(2)], [late(3)], []])
    assert found == [("fault", "2 s too late", 2, "late"), ("doubt-end", "step", 4, "late")]


def test_a_clock_that_goes_back_is_told() -> None:
    source = Holey("P0", 30, [], 0)
    source.times[2000:] -= 3.0
    engine = Engine([source], ChannelSpace(("C1", "C2")), SETTINGS, ORIGIN)
    events: list[SessionEvent] = []
    Session(engine, InstantClock(ORIGIN), [Incidents(engine, events.append)], threading.Event(), 20).run()
    assert [(e.type, e.name) for e in events if e.type == "clock-jump"] == [("clock-jump", "P0")]


def test_what_fails_beside_a_session_is_told_once_and_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []
    calls: list[int] = []

    def fails(number: int) -> None:
        calls.append(number)
        if number in (2, 3, 5):
            raise OSError("the terminal is gone")

    sink = Guarded("showing a step", fails, told.append)
    for number in range(1, 6):
        sink(number)
    assert calls == [1, 2, 3, 4, 5]
    assert told == ["showing a step failed: OSError('the terminal is gone')"] * 2, "again after it had worked"
    assert "showing a step failed" in caplog.text


def test_values_that_leave_too_late_raise_an_alarm_until_one_is_in_time() -> None:
    now, told, timings = [0.0], list[str](), Timings()
    alarm = Alarm(timings, lambda: now[0], 1.0, 0.1, told.append)
    for step, age in enumerate([0.2, 1.5, 1.6, 0.3, 1.2], start=1):
        timings.add(StepTiming(step, float(step), step + 0.1, step + 0.1, step + 0.2))
        now[0] = step + age
        alarm.left("painted", step)
        alarm.left("painted", step)
    assert told == [
        "step 2 was painted in the operator's window 1.4 s after it could be, more than 1 s",
        "step 5 was painted in the operator's window 1.1 s after it could be, more than 1 s",
    ]
