"""The sessions of a day, done and planned, and who comes next. No Qt."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from rtaffect.common.errors import RtaffectError
from rtaffect.plan.session_folder import SESSION_FILE
from rtaffect.protocol.seal import codes_in
from rtaffect.start.choices import Choices
from rtaffect.start.fields import path_of
from rtaffect.start.outcome import outcome_of

#: So many folders are looked at, the newest, and so many sessions that are planned are listed.
_MOST_FOLDERS, _MOST_PLANNED = 400, 12


@dataclass(frozen=True, slots=True)
class DayLine:
    """A session of the day: whose, when it began (local time, empty for one to come), how it ended, and its quality."""

    state: Literal["done", "planned"]
    participant: str
    begun: str
    outcome: str
    quality: str
    folder: Path | None = None


def sessions_of(folder: Path, today: dt.date) -> list[DayLine]:
    """Return the sessions in ``folder`` that began on a day, in the order in which they did."""
    found: list[tuple[dt.datetime, DayLine]] = []
    for place in _sessions_in(folder):
        try:
            outcome = outcome_of(place)
            began = dt.datetime.fromisoformat(outcome.started).astimezone()
        except (RtaffectError, ValueError, OSError):
            # What cannot be read is no session that could be listed; opening it says why.
            continue
        if began.date() != today:
            continue
        synchrony = f"{outcome.found.mean:+.3f} beyond the null" if outcome.found.told else "too few values"
        quality = f"{outcome.trusted_share:.0%} trusted, {synchrony}" if outcome.steps else "no steps"
        line = DayLine("done", outcome.participant, f"{began:%H:%M}", outcome.outcome, quality, place)
        found.append((began, line))
    return [line for _, line in sorted(found, key=lambda each: each[0])]


def _sessions_in(folder: Path) -> list[Path]:
    try:
        there = [place for place in folder.iterdir() if (place / SESSION_FILE).is_file()]
        return sorted(there, key=lambda place: (place / SESSION_FILE).stat().st_mtime)[-_MOST_FOLDERS:]
    except OSError:
        return []


def day_of(choices: Choices, today: dt.date) -> tuple[list[DayLine], str]:
    """Return the day's sessions, done and then planned, and what is wrong with the allocation, in words.

    Planned are the participants of the allocation of whom there is no session in the folder, in its order.
    """
    folder = path_of(choices.folder) if choices.folder.strip() else None
    done = sessions_of(folder, today) if folder is not None else []
    codes, trouble = allocated(choices)
    ever = {_participant_of(place) for place in _sessions_in(folder)} if folder is not None and codes else set()
    left = [code for code in codes if code not in ever]
    planned = [DayLine("planned", code, "", "", "") for code in left[:_MOST_PLANNED]]
    return [*done, *planned], trouble


def _participant_of(place: Path) -> str:
    try:
        found = re.search(r'^participant = "([A-Za-z0-9]+)"', (place / SESSION_FILE).read_text("utf-8"), re.MULTILINE)
    except (OSError, ValueError):
        return ""
    return found[1] if found else ""


def allocated(choices: Choices) -> tuple[tuple[str, ...], str]:
    """Return the codes of the chosen allocation, in its order, and why they cannot be read, in words."""
    if not choices.allocation.strip():
        return (), ""
    try:
        return codes_in(path_of(choices.allocation)), ""
    except RtaffectError as error:
        return (), error.message


def counted_up(code: str) -> str:
    """Return the code after a participant's: the number at its end counted up, as wide as it is; '' without one."""
    found = re.fullmatch(r"(.*?)(\d+)", code.strip())
    if found is None:
        return ""
    return f"{found[1]}{int(found[2]) + 1:0{len(found[2])}d}"


def next_participant(participant: str, codes: Sequence[str]) -> str:
    """Return who comes next: the one after ``participant`` in an allocation, or else the code counted up.

    '' where the allocation has no more, or the code has no number.
    """
    if participant in codes:
        place = list(codes).index(participant) + 1
        return codes[place] if place < len(codes) else ""
    return codes[0] if codes and not participant else counted_up(participant)


def with_next(choices: Choices) -> tuple[Choices, str]:
    """Return the same set-up for the next participant, and what should be known, in words."""
    codes, trouble = allocated(choices)
    code = next_participant(choices.participant.strip(), codes)
    changed = replace(choices, participant=code, session_code="", name="")
    if trouble:
        return changed, trouble
    if not code:
        why = "the allocation has no more participants" if codes else "the last code has no number to count up"
        return changed, f"{why}: give the next participant's code"
    return changed, f"next participant: {code}" + ("; their session code is with who keeps the key" if codes else "")


REPORT: Final = "report.html"
