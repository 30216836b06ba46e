"""Tables of a session: what the lines of ``feedback.tsv``, ``protocol_steps.tsv``, ``events.tsv`` and others say."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from rtaffect.common.arrays import FloatArray
from rtaffect.common.files import new_file
from rtaffect.common.text import clean
from rtaffect.engine.feedback import MEAN_ROW, Feedback
from rtaffect.protocol.event import SessionEvent
from rtaffect.protocol.protocol_step import ProtocolStep

FEEDBACK_COLUMNS = (
    "step", "time", "lsl_time", "row", "kind", "predicted", "predicted_low", "predicted_high", "observed", "null_low",
    "null_high", "own_share", "trusted", "observed_against", "stimulus_offset", "alignment",
    "reason",
)  # fmt: skip
PEOPLE_COLUMNS = ("step", "time", "person", "row", "observed")
QUALITY_COLUMNS = ("step", "time", "person", "channel", "quality")
MOMENT_COLUMNS = (
    "step", "time", "block", "blocks", "kind", "name", "phase", "left_s", "value", "low", "high", "threshold", "level",
    "success", "neutral_reason",
)  # fmt: skip
DOUBT_COLUMNS = ("step", "about", "part", "reason", "since", "until", "words")
EVENT_COLUMNS = ("onset", "duration", "trial_type", "name", "block", "kind", "stim_file", "lsl_time")
#: What a cell says where there is no value.
ABSENT = "n/a"


def feedback_lines(f: Feedback) -> list[tuple[str, ...]]:
    """Return one line of cells per row of the space, and one for the mean over rows."""
    lines = [
        (r, kind, f.predicted[i], f.predicted_low[i], f.predicted_high[i], f.observed[i], f.null_low[i], f.null_high[i],
         f.specificity[i], bool(f.trusted[i]))
        for i, (r, kind) in enumerate(zip(f.rows, f.row_kinds, strict=True))
    ]  # fmt: skip
    lines.append(
        (MEAN_ROW, f.mean_of, f.predicted_mean, f.predicted_mean_low, f.predicted_mean_high, f.observed_mean,
         f.null_mean_low, f.null_mean_high, math.nan, bool(f.trusted.any()))
    )  # fmt: skip
    when = (str(f.step), f"{f.time:g}", f"{f.lsl_time:.6f}")
    where = (ABSENT, ABSENT) if f.alignment is None else (cell(f.alignment.offset_s), f.alignment.state)
    return [
        (*when, row, kind, *map(cell, values), yes(trusted), f.observed_against, *where, f.reason or ABSENT)
        for row, kind, *values, trusted in lines
    ]


def people_lines(f: Feedback) -> list[tuple[str, ...]]:
    """Return one line of cells per person and row."""
    return _lines_by_person(f, f.rows, f.observed_each)


def quality_lines(f: Feedback) -> list[tuple[str, ...]]:
    """Return one line of cells per person and channel."""
    return _lines_by_person(f, f.channels, f.quality)


def _lines_by_person(f: Feedback, names: Sequence[str], values: FloatArray) -> list[tuple[str, ...]]:
    when = (str(f.step), f"{f.time:g}")
    return [
        (*when, person, name, cell(value))
        for person, line in zip(f.people, values, strict=True)
        for name, value in zip(names, line, strict=True)
    ]


def doubt_lines(f: Feedback) -> list[tuple[str, ...]]:
    """Return one line of cells per doubt of the step; times to the last digit, for a replay withholds the same."""
    return [
        (str(f.step), d.about, clean(d.part) or ABSENT, d.reason, repr(float(d.since)), repr(float(d.until)),
         clean(d.words) or ABSENT)
        for d in f.doubts
    ]  # fmt: skip


def protocol_step_line(m: ProtocolStep) -> tuple[str, ...]:
    """Return the line of cells of one step of the protocol; the level is what the participant was shown."""
    level = math.nan if m.shown.level is None else m.shown.level
    numbers = (m.value, m.low, m.high, m.threshold, level)
    return (
        str(m.step), str(m.step), str(m.block), str(m.blocks), m.kind, clean(m.name), m.phase,
        cell(m.left_s), *map(cell, numbers), yes(m.shown.success), clean(m.shown.reason) or ABSENT,
    )  # fmt: skip


def event_line(e: SessionEvent) -> tuple[str, ...]:
    """Return the line of cells of one event."""
    return (
        f"{e.onset:.6f}", cell(e.duration), e.type, clean(e.name) or ABSENT, str(e.block) if e.block else ABSENT,
        e.kind or ABSENT, clean(e.stim_file) or ABSENT, f"{e.lsl_time:.6f}",
    )  # fmt: skip


def cell(value: float) -> str:
    """Return a number as text, 'n/a' where it is absent or without end."""
    return f"{value:.6f}" if math.isfinite(value) else ABSENT


def yes(value: bool) -> str:
    """Return 'true' or 'false'."""
    return str(bool(value)).lower()


def line_of(cells: Sequence[str]) -> str:
    """Return cells as a line of a table, which has as many columns whatever stands in them."""
    if not "".join(cells).isprintable():
        cells = [clean(text) for text in cells]
    return "\t".join(cells) + "\n"


class Table:
    """A table on disk that is whole after each step: lines that a full disk does not take wait in memory.

    Parameters
    ----------
    path
        The file, which must not exist.
    columns
        Its first line.

    Raises
    ------
    OSError
        If it exists or cannot be made.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._file = new_file(path, buffering=0)
        self._size, self._pending = 0, b""
        self.add([columns])

    def add(self, lines: Iterable[Sequence[str]]) -> str:
        """Append lines and bring them to the system; return what went wrong in words, empty if nothing did."""
        self._pending += "".join(map(line_of, lines)).encode()
        try:
            left = memoryview(self._pending)
            while left:
                left = left[self._file.write(left) or 0 :]
        except OSError as error:
            os.ftruncate(self._file.fileno(), self._size)
            self._file.seek(self._size)
            return error.strerror or str(error)
        self._size += len(self._pending)
        self._pending = b""
        return ""

    def close(self) -> None:
        """Try once more to write what waits, and close the file."""
        self.add(())
        self._file.close()
