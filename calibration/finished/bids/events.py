"""What happened in a session, as BIDS has it: ``*_events.tsv`` and what its columns mean."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from calibration.finished.bids.grid import Grid
from calibration.finished.bids.tables import ABSENT, TEXTS, cell
from rtaffect import __version__
from rtaffect.plan.session_folder import RecordedSession, cell_number

EVENTS_FILE = "events.tsv"
COLUMNS = ("onset", "duration", "trial_type", "value", "stim_file", "block", "block_kind", "sample")
#: Spans of the EEG that are no signal. The first is mne's own name: its filters begin anew after such a span.
SKIPPED, MISSING = "BAD_ACQ_SKIP", "BAD_missing"
#: Texts of these may name people, computers and devices.
_FREE = frozenset({"note", "fault", "gap", "clock-jump", "lost", "back", "doubt", "doubt-end"})


class Disclosure(NamedTuple):
    """What is told of the events and what is kept back.

    ``stimuli`` are the names in the dataset's ``stimuli/`` by the session's own (``stimuli/story.wav``), ``words`` what
    stands for texts that tell who or what it was, and ``notes`` whether the operator's notes are told.
    """

    stimuli: Mapping[str, str]
    words: Mapping[str, str]
    notes: bool


def stimulus_files(session: RecordedSession) -> tuple[str, ...]:
    """Return the sounds that began in a session, as its events name them (``stimuli/story.wav``)."""
    rows = session.table(EVENTS_FILE)
    files = (row.get("stim_file", ABSENT) for row in rows if row.get("trial_type") == "stimulus")
    return tuple(dict.fromkeys(file for file in files if file != ABSENT))


def event_rows(
    session: RecordedSession, grid: Grid, disclosed: Disclosure, absent: Iterable[tuple[int, int]]
) -> list[list[str]]:
    """Return the lines of ``*_events.tsv`` (:data:`COLUMNS`), by onset.

    Parameters
    ----------
    session
        Its events.
    grid
        Where times lie in the recording.
    told
        What is told.
    absent
        Places at which a channel that otherwise works has no value.
    """
    origin = float(session.ran.get("origin", math.nan))
    rows, ends, paused = session.table(EVENTS_FILE), dict[str, list[float]](), set[str]()
    # What a double cannot hold as a place in the recording is no time.
    timed = [(when, row) for row in rows if math.isfinite(grid.onset(when := _when(row, origin)) * grid.rate)]
    for when, row in timed:
        if row.get("trial_type") in ("block-end", "practice-end"):
            ends.setdefault(row.get("block", ABSENT), []).append(when)
        paused |= {row.get("block", ABSENT)} if row.get("trial_type") == "block-pause" else set()
    lines = [_line(row, when, _end_of(row, when, ends, paused), grid, disclosed) for when, row in timed]
    lines += [_span(*span, SKIPPED, grid) for span in grid.gaps]
    lines += [_span(*span, MISSING, grid) for span in absent]
    return sorted(lines, key=lambda line: float(line[0]))


def events_json(rows: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Return what the columns of ``*_events.tsv`` mean; of the levels those that occur in ``rows``."""
    there = {row[COLUMNS.index("trial_type")] for row in rows}
    said: dict[str, Any] = json.loads((TEXTS / "events.json").read_text(encoding="utf-8"))
    kinds = said["trial_type"]
    kinds["Levels"] = {level: kinds["Levels"].get(level, "Another kind of event") for level in sorted(there)}
    return said | {"StimulusPresentation": {"SoftwareName": "rtaffect", "SoftwareVersion": __version__}}


def _when(row: Mapping[str, str], origin: float) -> float:
    """Return an event's LSL time, s; NaN if it says none."""
    disclosed = cell_number(row.get("lsl_time", ABSENT))
    return disclosed if math.isfinite(disclosed) else origin + cell_number(row.get("onset", ABSENT))


def _end_of(row: Mapping[str, str], when: float, ends: Mapping[str, list[float]], paused: Collection[str]) -> float:
    """Return when a block ended, s; NaN where its planned duration says so, or nobody knows.

    One that was paused lasted longer than planned, one that was begun again or left early less.
    """
    number = row.get("block", ABSENT)
    if row.get("trial_type") not in ("block", "practice"):
        return math.nan
    planned, known = cell_number(row.get("duration", ABSENT)), ends.get(number, [])
    if math.isfinite(planned) and number not in paused and len(known) < 2:
        return math.nan
    return min((end for end in known if end >= when), default=math.nan)


def _line(row: Mapping[str, str], when: float, end: float, grid: Grid, disclosed: Disclosure) -> list[str]:
    kind, name = row.get("trial_type", ABSENT), row.get("name", ABSENT)
    duration, onset = cell_number(row.get("duration", ABSENT)), grid.onset(when)
    if math.isfinite(end):
        duration = end - when
    if kind in _FREE:
        name = _without(name, disclosed.words) if kind != "note" or disclosed.notes else ABSENT
    # A block names its sound, too, which begins a little later.
    stimulus = disclosed.stimuli.get(row.get("stim_file", ABSENT), ABSENT) if kind == "stimulus" else ABSENT
    where = (row.get("block", ABSENT), row.get("kind", ABSENT))
    return [cell(onset), cell(duration), kind, name, stimulus, *where, str(round(onset * grid.rate))]


def _span(first: int, stop: int, kind: str, grid: Grid) -> list[str]:
    start, seconds = first / grid.rate, (stop - first) / grid.rate
    return [cell(start), cell(seconds), kind, ABSENT, ABSENT, ABSENT, ABSENT, str(first)]


def _without(text: str, words: Mapping[str, str]) -> str:
    """Return ``text`` with each of ``words`` replaced, the longest first, where it stands alone."""
    for word in sorted(words, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", words[word], text)
    return text
