"""A running session as a program outside sees it: how it is, and what can be done to it."""

from __future__ import annotations

import math
from collections import deque
from typing import Any, Final

from rtaffect.common.errors import SettingsError
from rtaffect.engine.feedback import MEAN_ROW, Feedback
from rtaffect.protocol.event import SessionEvent
from rtaffect.protocol.mark import NO_MARKS, is_key
from rtaffect.protocol.protocol_step import ProtocolStep
from rtaffect.protocol.rule import synchrony_of
from rtaffect.run.agreeing import MeanAgreement
from rtaffect.run.remote_talk import BlockWord
from rtaffect.run.running import RunningSession

#: Faults that are told, the newest.
_FAULTS: Final = 8
#: A step that is older, counted from when it could be made, s, is not how things are now.
STALE_S: Final = 3.0


class SessionView:
    """What programs see of a session: all that the operator sees but what would unblind.

    Parameters
    ----------
    running
        The session, before its first step. Its sinks get this one, too.
    """

    def __init__(self, running: RunningSession) -> None:
        self._running = running
        self._feedback: Feedback | None = None
        self._block: ProtocolStep | None = None
        self._faults: deque[str] = deque(maxlen=_FAULTS)
        settings = running.run.engine.settings
        self._agreement = MeanAgreement(settings.synchrony.window_s, settings.drift)
        running.sinks += [self._agreement, self._take]
        running.on_protocol_step.append(self._take_block)
        running.on_event.append(self._take_event)

    @property
    def folder(self) -> str:
        """Where the session is written now."""
        return str(self._running.record.folder or self._running.plan.results.out)

    @property
    def steps(self) -> int:
        """How many there have been."""
        return self._running.steps

    @property
    def begun(self) -> dict[str, Any]:
        """What is told of its beginning: its folder, and its zero."""
        engine = self._running.run.engine
        left = engine.origin - self._running.run.clock.now()
        return {"folder": self.folder, "zero_lsl": number(engine.origin), "zero_in_s": number(left)}

    def stop(self) -> None:
        """Ask for its end, as Ctrl-C does."""
        self._running.stop.set()

    def mark(self, text: str, arrived: float) -> dict[str, Any]:
        """Note a marker that came at a time, s on the LSL clock; raises SettingsError if it has no text."""
        if not text:
            raise SettingsError("mark has no text", "one, as in: mark story begins")
        told = {"mark": text, "lsl_time": number(arrived), "time": number(arrived - self._running.run.engine.origin)}
        if self._running.stage.note(text, arrived):
            return told
        marks = self._running.stage.conductor.protocol.marks
        known = ", ".join(f"{mark.name} ({mark.key})" for mark in marks)
        if not known and not is_key(text):
            return told
        return told | {"note": f"a free marker: {f'the marks of the protocol are {known}' if known else NO_MARKS}"}

    def note(self, text: str, arrived: float) -> dict[str, Any]:
        """Keep a note of a time, s on the LSL clock; raises SettingsError if it has no text."""
        if not text:
            raise SettingsError("note has no text", "one, as in: note the participant coughed")
        self._running.stage.remark(text, arrived)
        return {"note": text, "lsl_time": number(arrived), "time": number(arrived - self._running.run.engine.origin)}

    def block(self, what: BlockWord) -> dict[str, Any]:
        """Let the next block begin, or the present one stand still, go on or begin again.

        Raises
        ------
        SettingsError
            If there is no protocol, it is over, or that is not possible now.
        """
        conductor = self._running.stage.conductor
        if self._running.setup.protocol is None:
            raise SettingsError(f"block {what}: the session has no protocol, so no blocks")
        if conductor.done:
            raise SettingsError("the protocol is over")
        self._require(what)
        calls = {"next": conductor.next, "pause": conductor.pause, "resume": conductor.go, "repeat": conductor.repeat}
        calls[what]()
        return {"block": self._told_block(), "note": "counts at the next step"}

    def _require(self, what: BlockWord) -> None:
        """Refuse what the present block does not allow."""
        b = self._block
        phase, first = ("waiting", True) if b is None else (b.phase, b.block == 1)
        if what == "pause" and not (b is not None and b.can_pause):
            raise SettingsError(f"block pause: the block is {phase}", "one that runs")
        if what == "resume" and phase != "paused":
            raise SettingsError(f"block resume: the block is {phase}", "one that was paused")
        if what == "repeat" and phase == "waiting" and first:
            raise SettingsError("block repeat: no block has run yet")

    def status(self) -> dict[str, Any]:
        """Return how it is now; what is not trusted, or of former times, is null."""
        running, f = self._running, self._feedback
        plan = running.plan
        told = {
            "folder": self.folder,
            "participant": plan.participant,
            "zero_lsl": number(running.run.engine.origin),
            "lsl_time": number(running.run.clock.now()),
            "step": f.step if f is not None else 0,
            "block": self._told_block() if running.setup.protocol is not None else None,
            "warnings": self._warnings(),
        }
        return told | (self._values(f) if f is not None else {})

    def _values(self, f: Feedback) -> dict[str, Any]:
        age = self._running.run.clock.now() - f.lsl_time
        stale = age - self._running.run.engine.lookahead_s > STALE_S
        observed, predicted = (math.nan, math.nan) if stale else synchrony_of(f, (MEAN_ROW,))
        found = self._agreement.now()
        chance = None if found.r_chance is None else [number(float(each)) for each in found.r_chance]
        return {
            "time": number(f.time),
            "age_s": number(age),
            "predicted": number(predicted),
            "observed": number(observed),
            **({} if f.rating is None else {"ratings": {} if stale else _ratings(f)}),
            "against": f.observed_against,
            "trusted": 0.0 if stale else number(float(f.trusted.mean()) if f.trusted.size else 0.0),
            "reason": f"no step came for {age:.0f} s" if stale else f.reason,
            "agreement": {"r": None if found.r is None else number(found.r), "steps": found.steps, "by_chance": chance},
            "quality": {p: number(float(q)) for p, q in zip(f.people, f.quality.mean(axis=1), strict=True)}
            if f.quality.size
            else {},
            "sources": [
                {"name": s.name, "kind": s.kind, "state": s.state, "age_s": number(s.age_s), "words": s.message}
                for s in f.sources
            ],
        }

    def _told_block(self) -> dict[str, Any]:
        b, conductor = self._block, self._running.stage.conductor
        if b is None:
            first, *rest = conductor.protocol.blocks
            told = {"number": 1, "of": 1 + len(rest), "name": first.name, "kind": first.kind, "phase": "waiting"}
            return told | {"left_s": None, "next": rest[0].name if rest else ""}
        told = {"number": b.block, "of": b.blocks, "name": b.name, "kind": b.kind, "phase": b.phase}
        told |= {"practice": True} if b.practice else {}
        return told | {"left_s": number(b.left_s), "next": b.next_name}

    def _warnings(self) -> list[str]:
        running = self._running
        return list(filter(None, [running.record.trouble, *running.run.sources.notices(), *self._faults]))

    def _take(self, feedback: Feedback) -> None:
        self._feedback = feedback

    def _take_block(self, step: ProtocolStep) -> None:
        self._block = step

    def _take_event(self, event: SessionEvent) -> None:
        if event.type == "fault":
            self._faults.append(f"{event.onset:.1f} s: {event.name}")


def number(value: float) -> float | None:
    """Return a number as JSON has it: None where it is absent or without end."""
    return round(value, 6) if math.isfinite(value) else None


def _ratings(f: Feedback) -> dict[str, dict[str, float | None]]:
    """Return what is predicted and observed of each rating that is trusted."""
    return {
        row: {"predicted": number(float(f.predicted[i])), "observed": number(float(f.observed[i]))}
        for i, row in enumerate(f.rows)
        if f.trusted[i]
    }
