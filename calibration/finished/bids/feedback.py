"""What a session found and showed, step by step: ``*_recording-feedback_stim.tsv.gz`` and its sidecar.

BIDS's place for what is given to a participant at regular times is a continuous recording of the kind ``stim``: a table
without a header, gzipped, whose sidecar has the columns, the rate and when the first row was.
"""

from __future__ import annotations

import gzip
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from calibration.finished.bids.grid import Grid
from calibration.finished.bids.tables import ABSENT, cell, lines_of, write_json
from rtaffect.common.errors import RecordingError
from rtaffect.plan.session_folder import RecordedSession, cell_number, cell_step

#: Columns of ``feedback.tsv`` that are told for each row, and what they are.
_FOUND = {
    "predicted": "Synchrony that the sound was predicted to evoke",
    "predicted_low": "Lower end of the prediction interval",
    "predicted_high": "Upper end of the prediction interval",
    "observed": "Synchrony observed in the last window, mean over the people of the session by Fisher z",
    "null_low": "Lower end of the null band of the observed synchrony",
    "null_high": "Upper end of the null band of the observed synchrony",
    "trusted": "Whether predicted, observed and null band are there and the row can be told from others",
}
#: The same where rows are ratings, which have no null band.
_RATED = {
    "predicted": "Rating that was predicted from the sound",
    "predicted_low": "Lower end of the prediction interval",
    "predicted_high": "Upper end of the prediction interval",
    "observed": "The participant's own rating, of the same instant of the sound as the predicted one",
    "trusted": "Whether what is predicted, and what the participant says, are there and can be relied on",
}
#: Columns of ``moments.tsv``, and what they are; those of what was shown are kept back while a session is blinded.
_PROTOCOL_STEP = {
    "block": ("Number of the block that runs or is waited for, from 1", None),
    "value": ("Value of the feedback's rule, smoothed", "1"),
    "low": ("Value that is level 0", "1"),
    "high": ("Value that is level 1", "1"),
    "threshold": ("Value from which on it is success", "1"),
    "level": ("Level that the participant was shown, from 0 to 1; n/a: neutral, or no feedback in this block", "1"),
    "success": ("Whether the level shown was one of success", None),
}
#: What the mean is over where there is none.
NO_MEAN = "no rows"
_SHOWN = frozenset(_PROTOCOL_STEP) - {"block"}
_BOOLEAN = {"true": "1", "false": "0"}
_YES_NO = {"1": "yes", "0": "no"}


#: No session has more steps: a line of them each is written for all between the first and the last.
MOST_STEPS = 172_800


class StepTable(NamedTuple):
    """The steps of a session: ``columns`` with what each is, ``rows`` of cells, a row every ``step_s`` from ``start``.

    ``start`` is the LSL time of the first step, s.
    """

    columns: dict[str, dict[str, Any]]
    rows: list[list[str]]
    start: float
    step_s: float


def time_course_of(session: RecordedSession, person: str, *, shown: bool) -> StepTable | None:
    """Return what a session found, step by step; None if it has no step.

    Parameters
    ----------
    session
        Its ``feedback.tsv``, ``people.tsv`` and, where there is one, ``moments.tsv``.
    person
        Name of the headset; where there are several, their own synchrony is told, too.
    shown
        Whether what was shown is told.

    Raises
    ------
    RecordingError
        If there is no readable ``feedback.tsv``, or it says no times.
    """
    lines = lines_of(session, "feedback.tsv", ("step", "lsl_time", "row", "kind", *_FOUND))
    found = ((cell_step(line["step"]), cell_number(line["lsl_time"])) for line in lines)
    timed = {step: time for step, time in found if step is not None}
    if not timed:
        return None
    steps = sorted(timed)
    if steps[-1] - steps[0] > MOST_STEPS:
        raise RecordingError(
            f"{session.path / 'feedback.tsv'} has steps {steps[0]} to {steps[-1]}; expected at most {MOST_STEPS}, "
            "which are two days: a number is damaged. Copy the folder again from where it was recorded"
        )
    start, last = timed[steps[0]], timed[steps[-1]]
    if not (math.isfinite(start) and math.isfinite(last)):
        raise RecordingError(f"{session.path / 'feedback.tsv'} has no times in lsl_time; expected LSL times in s")
    table = _Table(steps)
    _add_found(table, lines)
    _add_own(table, session, person)
    _add_protocol_steps(table, session, shown)
    step_s = (last - start) / (steps[-1] - steps[0]) if len(steps) > 1 else 1.0
    return StepTable(table.about, table.rows(), start, round(step_s, 6))


def write_time_course(stem: Path, course: StepTable, grid: Grid, task: str) -> None:
    """Write the table and the sidecar of a course beside a recording.

    ``stem`` is what the recording's names begin with, ``grid`` where times lie in it, ``task`` the task's name.
    """
    table = stem.with_name(f"{stem.name}_recording-feedback_stim.tsv.gz")
    content = "".join("\t".join(row) + "\n" for row in course.rows)
    # Without the time of writing, so that the same course is the same file.
    table.write_bytes(gzip.compress(content.encode(), mtime=0))
    sidecar = table.with_name(table.name.removesuffix(".tsv.gz") + ".json")
    step = (
        "One row a step; the first is at StartTime. A row tells of the window that ends then: nothing of it is known "
        "earlier, and what it found was shown from then on."
    )
    write_json(
        sidecar,
        {
            "TaskName": task,
            "SamplingFrequency": round(1.0 / course.step_s, 6),
            "StartTime": round(grid.onset(course.start), 6),
            "Columns": list(course.columns),
            "Description": f"What rtaffect predicted, observed and showed in the session. {step}",
            **course.columns,
        },
    )


class _Table:
    """Cells by step and column; what is not put in is absent."""

    def __init__(self, steps: Sequence[int]) -> None:
        self._first, self._count = steps[0], steps[-1] - steps[0] + 1
        self.about: dict[str, dict[str, Any]] = {}
        self._cells: dict[str, list[str]] = {}

    def fill(self, kind: str, row: str, about: dict[str, Any], found: Iterable[tuple[str, str]]) -> None:
        """Add the column of ``kind`` and ``row`` with what was ``found``: steps and cells."""
        name = re.sub(r"\W+", "_", f"{kind}_{row}" if row else kind)
        while name in self.about:
            name += "_"
        self.about[name] = about
        self._cells[name] = cells = [ABSENT] * self._count
        for step, text in found:
            number = cell_step(step)
            at = -1 if number is None else number - self._first
            if 0 <= at < self._count:
                cells[at] = _BOOLEAN.get(text, cell(cell_number(text)))

    def rows(self) -> list[list[str]]:
        """Return all cells, a list a step."""
        return [list(row) for row in zip(*self._cells.values(), strict=True)]


def _add_found(table: _Table, lines: Sequence[Mapping[str, str]]) -> None:
    for row, mine in _by_row(lines).items():
        of = mine[0]["kind"]
        if of == "rating":
            for kind, what in _RATED.items():
                about = {"Description": f"{what}: {row}"} if kind != "trusted" else _yes_no(f"{what}: {row}")
                table.fill(kind, row, about, ((line["step"], line[kind]) for line in mine))
            continue
        if of == NO_MEAN:
            continue
        where = f"the {of} {row}" if row != "mean" else f"the mean over {of}"
        for kind, what in _FOUND.items():
            about = _correlation(f"{what}: {where}") if kind != "trusted" else _yes_no(f"{what}: {where}")
            table.fill(kind, row, about, ((line["step"], line[kind]) for line in mine))


def _by_row(lines: Iterable[Mapping[str, str]]) -> dict[str, list[Mapping[str, str]]]:
    found: dict[str, list[Mapping[str, str]]] = {}
    for line in lines:
        found.setdefault(line["row"], []).append(line)
    return found


def _add_own(table: _Table, session: RecordedSession, person: str) -> None:
    """Add this person's own synchrony where several took part."""
    try:
        lines = lines_of(session, "people.tsv", ("step", "person", "row", "observed"))
    except RecordingError:
        return
    if len({line["person"] for line in lines}) < 2:
        return
    for row, mine in _by_row(line for line in lines if line["person"] == person).items():
        about = _correlation(f"This person's own observed synchrony: {row}")
        table.fill("own", row, about, ((line["step"], line["observed"]) for line in mine))


def _add_protocol_steps(table: _Table, session: RecordedSession, shown: bool) -> None:
    """Add where in the protocol a step was and, if ``shown``, what the participant saw."""
    try:
        lines = lines_of(session, "moments.tsv", ("step", *_PROTOCOL_STEP))
    except RecordingError:
        return
    for kind, (what, units) in _PROTOCOL_STEP.items():
        if kind in _SHOWN and not shown:
            continue
        about = {"Description": what} | ({"Units": units} if units else {})
        about = _yes_no(what) if kind == "success" else about
        table.fill(kind, "", about, ((line["step"], line[kind]) for line in lines))


def _correlation(what: str) -> dict[str, Any]:
    return {"Description": f"{what} (Pearson correlation)", "Units": "1"}


def _yes_no(what: str) -> dict[str, Any]:
    return {"Description": what, "Levels": _YES_NO}
