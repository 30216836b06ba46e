"""Marks and notes of a recorded session, told again in its replay: at the steps at which they were told."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple, cast

from rtaffect.common.errors import RecordingError
from rtaffect.plan.session_folder import RecordedSession, cell_number
from rtaffect.protocol.event import EventType, SessionEvent

#: What a replay tells by itself no protocol, engine or sound.
_TOLD: Final = ("mark", "note")
#: What is told at the step whose time it has.
_OF_THE_PROTOCOL: Final = ("block", "block-end", "block-pause", "block-resume", "practice", "practice-end", "key")


class Due(NamedTuple):
    """An event, and when it was told, s of session time: a note is told when it is written, later than its time."""

    at: float
    event: SessionEvent


class Told:
    """Events in the order in which they were told; each of a session's comes out once."""

    def __init__(self, events: Sequence[Due] = ()) -> None:
        self._waiting = deque(events)

    def until(self, time: float) -> list[SessionEvent]:
        """Return those that were told before the step that ends at ``time``, s of session time."""
        found = []
        while self._waiting and self._waiting[0].at <= time:
            found.append(self._waiting.popleft().event)
        return found


def marks_and_notes(session: RecordedSession) -> tuple[Due, ...]:
    """Return the marks and notes of a session, each told after what stands before it in ``events.tsv``.

    Raises
    ------
    RecordingError
        If its ``events.tsv`` cannot be read.
    """
    found, before = list[Due](), -math.inf
    for line in session.table("events.tsv"):
        what = line.get("trial_type")
        if what in _OF_THE_PROTOCOL:
            onset = cell_number(line.get("onset", ""))
            before = max(before, onset) if math.isfinite(onset) else before
        if what not in _TOLD:
            continue
        try:
            onset, when = float(line["onset"]), float(line["lsl_time"])
            if not (math.isfinite(onset) and math.isfinite(when)):
                raise ValueError(line["onset"])
            due = onset if onset > before else math.nextafter(before, math.inf)
            found.append(Due(due, SessionEvent(onset, when, cast(EventType, what), line["name"])))
        except (KeyError, ValueError) as error:
            raise RecordingError(
                f"session {session.path}: events.tsv is damaged ({error!s}); copy the folder again from where it was "
                "recorded"
            ) from None
    return tuple(found)
