"""Leads a session through its protocol: one ProtocolStep for each Feedback."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from typing import Final

from rtaffect.engine.feedback import Feedback
from rtaffect.protocol.arms import ArmSource, AsRecorded, Place
from rtaffect.protocol.model import Block, Protocol
from rtaffect.protocol.protocol_step import ProtocolStep, Shown
from rtaffect.protocol.reading import check_window
from rtaffect.protocol.rule import Reading, Rule
from rtaffect.protocol.timeline import Event, Key, Timeline

#: What the participant reads while a block stands still.
PAUSED: Final = "A short pause."


class Conductor:
    """Knows at each step which block it is, what the rule makes of it and what the participant is shown.

    The same Feedbacks, and the same keys at the same steps, give the same steps. ``step`` belongs to one thread;
    all else may be called from any.

    Parameters
    ----------
    protocol
        What happens.
    arm
        What is shown in place of the own level.
    window_s
        Length of the window of synchrony, s.
    follow
        Keys by step in place of the operator's (:func:`rtaffect.protocol.timeline.keys_that_gave`), for a replay:
        ``go`` and ``skip`` then do nothing.
    null_level
        Share of noise inside of the null band; None where what is observed has none, as ratings.

    Raises
    ------
    SettingsError
        If a block is too short for the window.
    """

    def __init__(
        self,
        protocol: Protocol,
        arm: ArmSource,
        window_s: int,
        *,
        follow: Mapping[int, Sequence[Key]] | None = None,
        null_level: float | None = 0.95,
    ) -> None:
        check_window(protocol, window_s)
        self.protocol = protocol
        self._arm, self._follow = arm, follow
        self._settle_s = window_s + protocol.settle_s
        level = null_level if protocol.knows_noise else None
        self._timeline, self._rule = Timeline(protocol), Rule(protocol.feedback, window_s, level)
        # What practice is judged by has seen all blocks; nothing of practice is in the other's scale.
        practises = any(block.practice for block in protocol.blocks)
        self._trial = Rule(protocol.feedback, window_s, level) if practises else None
        self._lock = threading.Lock()
        self._pressed: list[Key] = []
        self._next = False
        self._events: list[Event] = []
        self._step = 0

    def go(self) -> None:
        """Start the block that is waited for: at the next step, or 3 s after it where a sound must be made ready.

        Nothing happens while a block runs, or once its start is fixed.
        """
        self._press("go")

    def skip(self) -> None:
        """End the present block at the next step; one that is waited for, or about to start, is passed over."""
        self._press("skip")

    def pause(self) -> None:
        """Let the present block stand still from the next step on, or let one that stands still go on."""
        self._press("pause")

    def repeat(self) -> None:
        """Begin the present block again, from its start; the one before where the next is waited for."""
        self._press("repeat")

    def next(self) -> None:
        """Let the next block begin, at the next step: one that is waited for, else the one after that which runs.

        It is for programs, which cannot see when a block is just ending: that one ends by itself then, and the next one
        begins even so. Nothing happens where a block is about to begin by itself.
        """
        with self._lock:
            self._next = self._follow is None

    def _press(self, key: Key) -> None:
        if self._follow is None:
            with self._lock:
                self._pressed.append(key)

    @property
    def done(self) -> bool:
        """Whether the last block has ended."""
        return self._timeline.phase == "done"

    def spent_of(self, block: Block) -> int:
        """Return how many seconds there were of a block that stands still, before it goes on; 0 of all others."""
        with self._lock:
            line = self._timeline
            return line.spent if line.phase == "paused" and line.block is block else 0

    def upcoming(self, now_s: float) -> tuple[tuple[float, Block], ...]:
        """Return the blocks that begin after ``now_s`` (session time, s) and when, as far as that is known.

        A block that follows a timed one by itself is known as long ahead as that one. What is in here can still
        change: ``skip`` moves what comes next.
        """
        with self._lock:
            return self._timeline.upcoming(now_s)

    def events_since(self, count: int) -> tuple[Event, ...]:
        """Return what has happened after the first ``count`` events: blocks' begins and ends, and keys that counted."""
        with self._lock:
            return tuple(self._events[count:])

    def step(self, feedback: Feedback) -> ProtocolStep:
        """Take the next step's Feedback and return where the protocol is at its end."""
        if feedback.step != self._step + 1:
            raise ValueError(f"step {feedback.step} follows {self._step}; expected every step once, from 1 on")
        self._step = feedback.step
        with self._lock:
            now, then = self._of_next()
            keys = (*self._pressed, *now) if self._follow is None else self._follow.get(self._step, ())
            events = self._timeline.advance(self._step, keys)
            self._pressed = then
            self._events += events
        block, start = self._timeline.block, self._timeline.start
        begins = any(event.what in ("block-begin", "block-resume") for event in events)
        rules = [each for each in (self._trial, None if block.practice else self._rule) if each is not None]
        for rule in rules if begins else ():
            rule.begin(block.kind)
        if self._timeline.phase != "running" or start is None:
            return self._protocol_step(self._idle(), None)
        readings = [rule.step(feedback, self._step - start) for rule in rules]
        return self._protocol_step(readings[-1], self._step - start + self._timeline.spent)

    def _idle(self) -> Reading:
        reading = self._rule.idle()
        if self._timeline.phase != "paused":
            return reading
        return reading._replace(own=Shown(None, "the block stands still"))

    def _of_next(self) -> tuple[list[Key], list[Key]]:
        """Return the keys that :meth:`next` stands for, at this step and at the one after it."""
        line, asked, self._next = self._timeline, self._next, False
        if not asked or line.phase == "done":
            return [], []
        if line.phase == "waiting":
            return (["go"] if line.start is None else []), []
        if line.phase == "paused":
            return ["skip", "go"], []
        if line.end is not None and self._step >= line.end:
            return [], ["go"]
        return (["go"] if "skip" in self._pressed else ["skip", "go"]), []

    def _shown(self, own: Shown, second: int) -> Shown:
        """Return what is shown: nothing without an own level, until feedback begins, or where the arm has none."""
        if self._timeline.block.kind != "feedback":
            return own
        shown = self._arm.show(Place(self._step, self._timeline.block.number, second), own)
        if own.level is None:
            return own
        wait = self._settle_s - (second - self._timeline.spent)
        # What was recorded began when it did, by whatever rule.
        waits = wait > 0 and not (isinstance(self._arm, AsRecorded) and shown.level is not None)
        return Shown(None, f"feedback begins in {wait} s") if waits else shown

    def _protocol_step(self, reading: Reading, second: int | None) -> ProtocolStep:
        line, block, scale = self._timeline, self._timeline.block, reading.scale
        running = second is not None
        shown = reading.own if second is None else self._shown(reading.own, second)
        following = line.following
        return ProtocolStep(
            step=self._step,
            block=block.number,
            blocks=len(self.protocol.blocks),
            kind=block.kind,
            name=block.name,
            phase=line.phase,
            started=float(line.start) if running and line.start is not None else math.nan,
            left_s=self._left_s(second),
            next_name=following.name if following is not None else "",
            instruction=self._instruction(second),
            value=reading.value,
            low=scale.low,
            high=scale.high,
            threshold=scale.threshold,
            own=reading.own,
            shown=shown,
            for_operator=self._for_operator(reading, second),
            practice=block.practice,
            seconds=math.inf if block.seconds is None else float(block.seconds),
            can_pause=running,
        )

    def _left_s(self, second: int | None) -> float:
        seconds = math.inf if self._timeline.block.seconds is None else self._timeline.block.seconds
        if self._timeline.phase == "paused":
            return float(seconds - self._timeline.spent)
        return float(seconds - second) if second is not None else math.nan

    def _instruction(self, second: int | None) -> str:
        """Return the block's text: while it is waited for and inside it, in feedback until that begins."""
        block = self._timeline.block
        if self._timeline.phase == "paused":
            return PAUSED
        settled = second is not None and second - self._timeline.spent >= self._settle_s
        reads_no_more = block.kind == "feedback" and settled
        return "" if self._timeline.phase == "done" or reads_no_more else block.instruction

    def _for_operator(self, reading: Reading, second: int | None) -> str:
        """Return what the operator is to do or to know now."""
        block, start = self._timeline.block, self._timeline.start
        if self._timeline.phase == "done":
            return "The protocol is over."
        if second is None:
            paused = self._timeline.phase == "paused"
            if start is None:
                what = f"let '{block.name}' go on" if paused else f"begin '{block.name}'"
                return f"Press Space to {what} when the participant is ready."
            return f"'{block.name}' {'goes on' if paused else 'begins'} in {start - self._step} s."
        scaled = reading.scale.high > reading.scale.low
        if block.kind == "feedback" and second - self._timeline.spent >= self._settle_s and not scaled:
            return f"No feedback: {reading.own.reason}."
        return ""
