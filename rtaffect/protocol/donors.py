"""Recorded sessions as sources of what is shown: donors of a yoked arm, and a session's own record for its replay."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, get_args

import numpy as np

from rtaffect.common.errors import RecordingError
from rtaffect.plan.session_folder import RecordedSession, open_session
from rtaffect.protocol.arms import AsRecorded, DonorLevels, Yoked
from rtaffect.protocol.model import Protocol
from rtaffect.protocol.protocol_step import Shown
from rtaffect.protocol.timeline import Key, Ran, changed

#: A donor's block of feedback must have had a level in this share of its seconds.
LEAST_SHOWN: Final = 1 / 2
#: The levels of a donor may differ from what its own values give by so much: tables round.
_ROUNDING: Final = 0.01

Line = dict[str, str]


def open_donor(protocol: Protocol, folder: Path) -> Yoked:
    """Return the session in ``folder`` as donor.

    Raises
    ------
    RecordingError
        If it is no session's folder, its blocks are not those of the protocol, it showed too little, or not its own
        participant's feedback.
    """
    session = open_session(folder)
    lines = running_lines(session)
    if strange := sorted(number for number in lines if not 1 <= number <= len(protocol.blocks)):
        raise _refused(folder, f"it has a block {strange[-1]}, the protocol '{protocol.name}' {len(protocol.blocks)}")
    time_courses = {}
    for block in protocol.blocks:
        ran, what = lines.get(block.number, []), f"block {block.number} '{block.name}'"
        if not ran:
            raise _refused(folder, f"it never ran {what}")
        if ran[0]["kind"] != block.kind:
            raise _refused(folder, f"its block {block.number} is of kind {ran[0]['kind']}, {what} of {block.kind}")
        if len(ran) != block.seconds:
            raise _refused(folder, f"its block {block.number} lasted {len(ran)} s, {what} lasts {block.seconds} s")
        if block.kind == "feedback":
            time_courses[block.number] = time_course_of(ran)
            if len(time_courses[block.number].levels) < LEAST_SHOWN * len(ran):
                raise _refused(
                    folder,
                    f"it showed a level in only {len(time_courses[block.number].levels)} of the {len(ran)} s of {what}",
                )
    if not shows_its_own([line for block in lines.values() for line in block]):
        raise _refused(folder, "what it showed is not its own participant's level")
    return Yoked(time_courses)


def open_donors(protocol: Protocol) -> dict[Path, Yoked]:
    """Return all donors that a protocol names, as it names them, opened.

    Raises
    ------
    RecordingError
        If one cannot be used.
    """
    return {donor: open_donor(protocol, protocol.located(donor)) for donor in protocol.donors}


def as_recorded(session: RecordedSession) -> AsRecorded:
    """Return what a session showed, step by step, for its replay: no allocation is needed.

    Raises
    ------
    RecordingError
        If its ``protocol_steps.tsv`` cannot be read.
    """
    lines = [line for block in running_lines(session).values() for line in block]
    with _intact(session, "moments.tsv"):
        return AsRecorded(
            {
                int(line["step"]): Shown(level, success=_yes(line["success"]))
                if math.isfinite(level := _number(line, "level"))
                else Shown(None, line["neutral_reason"])
                for line in lines
            }
        )


def blocks_that_ran(session: RecordedSession) -> tuple[Ran, ...]:
    """Return the blocks of a recorded session, by its ``events.tsv``.

    Raises
    ------
    RecordingError
        If the table cannot be read.
    """
    found: list[Ran] = []
    with _intact(session, "events.tsv"):
        for line in session.table("events.tsv"):
            number = line["block"]
            if line["trial_type"] in ("block", "practice"):
                found.append(Ran(int(number), float(line["onset"])))
            elif found and line["trial_type"] in ("block-end", "practice-end"):
                found[-1] = changed(found[-1], "block-end", float(line["onset"]))
            elif found and line["trial_type"] in ("block-pause", "block-resume"):
                found[-1] = changed(found[-1], line["trial_type"], float(line["onset"]))
    return tuple(found)


def keys_that_counted(session: RecordedSession) -> dict[int, tuple[Key, ...]]:
    """Return the operator's keys of a recorded session that moved its blocks, by step, by its ``events.tsv``.

    Raises
    ------
    RecordingError
        If the table cannot be read.
    """
    found: dict[int, tuple[Key, ...]] = {}
    with _intact(session, "events.tsv"):
        for line in session.table("events.tsv"):
            key = next((key for key in get_args(Key) if key == line["name"]), None)
            # Any other key is the operator's mark, which is of no block.
            if line["trial_type"] == "key" and key is not None and line["block"] != "n/a":
                step = int(float(line["onset"]))
                found[step] = (*found.get(step, ()), key)
    return found


def running_lines(session: RecordedSession) -> dict[int, list[Line]]:
    """Return the lines of ``protocol_steps.tsv`` that are inside blocks, by the block's number.

    Raises
    ------
    RecordingError
        If the table is missing or damaged.
    """
    lines: dict[int, list[Line]] = {}
    with _intact(session, "moments.tsv"):
        for line in session.table("moments.tsv"):
            if line["phase"] == "running":
                lines.setdefault(int(line["block"]), []).append(line)
                for name in ("level", "value", "low", "high"):
                    _number(line, name)
                _yes(line["success"])
    return lines


@contextmanager
def _intact(session: RecordedSession, name: str) -> Iterator[None]:
    """Make a RecordingError of what reading the cells of a damaged table ends with."""
    try:
        yield
    except (KeyError, ValueError) as error:
        raise RecordingError(
            f"session {session.path}: {name} is damaged ({error!s}); copy the folder again from where it was recorded"
        ) from None


def time_course_of(lines: Sequence[Line]) -> DonorLevels:
    """Return the levels that a block's lines, one a second from its start on, tell of."""
    levels = np.array([_number(line, "level") for line in lines])
    there = np.isfinite(levels)
    success = np.array([_yes(line["success"]) for line in lines])
    return DonorLevels(np.flatnonzero(there).astype(np.float64), levels[there], success[there])


def shows_its_own(lines: Sequence[Line]) -> bool:
    """Return whether the levels are those of the values beside them, as in an arm with real feedback.

    The gain is not in the table: it is what most levels inside the scale ask for.
    """
    level, value, low, high = (
        np.array([_number(line, name) for line in lines]) for name in ("level", "value", "low", "high")
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        place = (value - low) / (high - low) - 0.5
        gains = (level - 0.5) / place
    shown = np.isfinite(level)
    if not np.isfinite(place[shown]).all():
        return False
    inside = shown & (level > 0.0) & (level < 1.0) & (np.abs(place) > 0.05)
    if not inside.any():
        return True
    gain = float(np.median(gains[inside]))
    expected = np.clip(0.5 + gain * place[shown], 0.0, 1.0)
    return gain > 0 and bool((np.abs(expected - level[shown]) <= _ROUNDING * max(1.0, gain)).all())


def _number(line: Line, name: str) -> float:
    return math.nan if line[name] in ("n/a", "") else float(line[name])


def _yes(text: str) -> bool:
    return text.lower() in ("true", "1", "1.000000")


def _refused(folder: Path, why: str) -> RecordingError:
    return RecordingError(f"donor {folder} cannot be used: {why}; name a session that ran the same blocks to their end")
