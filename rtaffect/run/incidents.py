"""Tells what goes wrong in a session, as events: holes in streams, losses and returns, doubts, and lateness."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from rtaffect.engine.engine import Engine
from rtaffect.engine.feedback import Feedback
from rtaffect.protocol.event import EventType, SessionEvent
from rtaffect.stream.buffer import Hole
from rtaffect.stream.doubt import Doubt
from rtaffect.stream.source import Source

#: Who is doubted, what it is about, and why.
_Key = tuple[str, str, str]


class _Known(NamedTuple):
    """A doubt that was told: until when it is known to last, s, and whether its end was told, too."""

    until: float
    ended: bool = False


class Incidents:
    """A sink of Feedback that tells each incident once, by ``tell``, when it is known.

    It looks at nothing but the samples' times and what was in doubt at each step, both of which a replay has, too, so
    that a replay tells the same.
    """

    def __init__(self, engine: Engine, tell: Callable[[SessionEvent], None]) -> None:
        self._engine, self._tell_event = engine, tell
        self._told_holes = [0] * len(engine.sources)
        self._waiting: list[tuple[Source, Hole]] = []
        self._known: dict[_Key, _Known] = {}
        self._last = math.nan

    def __call__(self, feedback: Feedback) -> None:
        """Tell what is new at a step."""
        self._last = feedback.lsl_time
        self._tell_holes(feedback.lsl_time)
        self._tell_doubts(feedback)

    def end(self) -> None:
        """Tell which streams had not come back."""
        for source in self._engine.sources:
            newest = source.buffer.newest
            lost = any(key[0] == source.info.name and key[2] == "lost" for key in self._known)
            if lost and newest < self._last:
                self._tell("gap", source.info.name, newest, duration=self._last - newest)

    def _tell_holes(self, until: float) -> None:
        """Tell the holes that are over at ``until``, s: not before, or a replay would tell them in another order."""
        for number, source in enumerate(self._engine.sources):
            self._told_holes[number], new = source.buffer.holes_since(self._told_holes[number])
            self._waiting += [(source, hole) for hole in new]
        over = [each for each in self._waiting if each[1].after <= until]
        self._waiting = [each for each in self._waiting if each[1].after > until]
        over = [each for each in over if each[1].after > self._engine.origin]
        for source, hole in sorted(over, key=lambda each: (each[1].after, each[0].info.name)):
            if hole.jump_s > 0:
                onset = hole.before + 1 / source.info.rate
                self._tell("gap", source.info.name, onset, duration=max(0.0, hole.after - onset))
            else:
                self._tell("clock-jump", source.info.name, hole.after)

    def _tell_doubts(self, feedback: Feedback) -> None:
        there: dict[_Key, list[Doubt]] = {}
        for doubt in (doubt for doubt in feedback.doubts if doubt.about != "arrival"):
            there.setdefault((doubt.part, doubt.about, doubt.reason), []).append(doubt)
        for key in [key for key in self._known if key not in there]:
            gone = self._known.pop(key)
            if not gone.ended:
                self._tell_end(key, gone.until if math.isfinite(gone.until) else feedback.lsl_time)
        for key, doubts in there.items():
            self._tell_doubt(key, doubts)

    def _tell_doubt(self, key: _Key, doubts: Sequence[Doubt]) -> None:
        """Tell of one part's doubts for one reason, which are there at this step, what was not told yet."""
        before, until = self._known.get(key), max(doubt.until for doubt in doubts)
        if before is None or (before.ended and until > before.until):
            new = [doubt.since for doubt in doubts if before is None or doubt.until > before.until]
            self._tell_begin(key, min(new), doubts[-1].words)
            self._known[key] = _Known(until)
        elif not before.ended:
            # One that lasted and has an end now is over; of others more may follow while they are in the window.
            ended = math.isinf(before.until) and math.isfinite(until)
            self._known[key] = _Known(until, ended)
            if ended:
                self._tell_end(key, until)

    def _tell_begin(self, key: _Key, since: float, words: str) -> None:
        part, about, reason = key
        if reason == "late":
            self._tell("fault", words, since, reason=reason)
        else:
            self._tell("lost" if reason == "lost" else "doubt", part or about, since, reason=reason)

    def _tell_end(self, key: _Key, at: float) -> None:
        part, about, reason = key
        self._tell("back" if reason == "lost" else "doubt-end", part or about, at, reason=reason)

    def _tell(self, what: EventType, name: str, when: float, *, duration: float = math.nan, reason: str = "") -> None:
        onset = when - self._engine.origin
        self._tell_event(SessionEvent(onset, when, what, name, duration, kind=reason))
