"""Tables of a session: what the lines of ``feedback.tsv``, ``protocol_steps.tsv``, ``events.tsv`` and others say."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from rtaffect.common.arrays import FloatArray
from rtaffect.common.files import new_file
from rtaffect.common.text import clean
from rtaffect.engine.feedback import MEAN_ROW, Feedback
from rtaffect.engine.timing import StepTiming
from rtaffect.protocol.event import SessionEvent
from rtaffect.protocol.protocol_step import ProtocolStep
from rtaffect.protocol.shown_frame import ShownFrame

FEEDBACK_COLUMNS = (
    "step", "time", "lsl_time", "row", "kind", "predicted", "predicted_low", "predicted_high", "observed", "null_low",
    "null_high", "own_share", "trusted", "observed_against", "stimulus_offset", "alignment",
    "reason", "group_size",
)  # fmt: skip
PEOPLE_COLUMNS = ("step", "time", "person", "row", "observed")
QUALITY_COLUMNS = ("step", "time", "person", "channel", "quality")
MOMENT_COLUMNS = (
    "step", "time", "block", "blocks", "kind", "name", "phase", "left_s", "value", "low", "high", "threshold", "level",
    "success", "neutral_reason",
)  # fmt: skip
MEASURE_COLUMNS = (
    "step", "time", "measure", "kind", "of", "row", "value", "null_low", "null_high", "unit", "trouble",
)  # fmt: skip
DOUBT_COLUMNS = ("step", "about", "part", "reason", "since", "until", "words")
TIMING_COLUMNS = (
    "step", "time", "lag_s", "eeg_age_s", "eeg_source", "sound_age_s", "eeg_s", "features_s", "alignment_s",
    "prediction_s", "synchrony_s", "measures_s", "affect_s", "made_s", "left_lsl_s", "painted_s", "seen_s", "late",
)  # fmt: skip
EVENT_COLUMNS = ("onset", "duration", "trial_type", "name", "block", "kind", "stim_file", "lsl_time")
FRAME_COLUMNS = ("block", "film", "frame", "time", "lsl_time", "error_s", "dropped", "square")
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
         f.null_mean_low, f.null_mean_high, math.nan, f.rating is None and bool(f.trusted.any()))
    )  # fmt: skip
    when = (str(f.step), f"{f.time:g}", f"{f.lsl_time:.6f}")
    where = (ABSENT, ABSENT) if f.alignment is None else (cell(f.alignment.offset_s), f.alignment.state)
    return [
        (
            *when,
            row,
            kind,
            *map(cell, values),
            yes(trusted),
            f.observed_against,
            *where,
            f.reason or ABSENT,
            cell(f.group_size),
        )
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


def measure_lines(f: Feedback) -> list[tuple[str, ...]]:
    """Return one line of cells per own measure, row, and what its value is of: 'mean' for that over all of them."""
    when = (str(f.step), f"{f.time:g}")
    lines = []
    for m in f.measures:
        ends = (m.unit or ABSENT, clean(m.trouble) or ABSENT)
        for i, row in enumerate(m.rows):
            where = (*when, m.name, m.kind)
            lines.append((*where, MEAN_ROW, row, *map(cell, (m.value[i], m.null_low[i], m.null_high[i])), *ends))
            if len(m.of) > 1:
                lines += [
                    (*where, clean(of), row, cell(m.each[n, i]), ABSENT, ABSENT, *ends) for n, of in enumerate(m.of)
                ]
    return lines


def doubt_lines(f: Feedback) -> list[tuple[str, ...]]:
    """Return one line of cells per doubt of the step; times to the last digit, for a replay withholds the same."""
    return [
        (str(f.step), d.about, clean(d.part) or ABSENT, d.reason, repr(float(d.since)), repr(float(d.until)),
         clean(d.words) or ABSENT)
        for d in f.doubts
    ]  # fmt: skip


def timing_line(t: StepTiming) -> tuple[str, ...]:
    """Return the line of cells of one step's times; ages are counted from the end of its window."""
    stages = ("eeg", "features", "alignment", "prediction", "synchrony", "measures", "affect")
    ages = (t.made - t.end, t.age("lsl"), t.age("painted"), t.age("seen"))
    return (
        str(t.step), str(t.step), cell(t.begun - t.due), cell(t.eeg_age_s), clean(t.eeg_source) or ABSENT,
        cell(t.sound_age_s), *(cell(t.stage_s.get(stage, math.nan)) for stage in stages), *map(cell, ages), yes(t.late),
    )  # fmt: skip


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


def frame_line(f: ShownFrame) -> tuple[str, ...]:
    """Return the line of cells of one frame of a film that was seen."""
    square = ABSENT if f.white is None else "white" if f.white else "black"
    times = (f"{f.time:.6f}", f"{f.painted:.6f}", cell(f.error_s))
    return (str(f.block), clean(f.film) or ABSENT, str(f.frame), *times, str(f.dropped), square)


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

    Attributes
    ----------
    trouble : str
        Why the newest lines could not be written, in words; empty if they could.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path, self.trouble = path, ""
        self._columns = columns
        self._file = new_file(path, buffering=0)
        self._size, self._pending = 0, b""
        self.add([columns])

    @property
    def descriptor(self) -> int:
        """Of the open file."""
        return self._file.fileno()

    def add(self, lines: Iterable[Sequence[str]]) -> OSError | None:
        """Append lines and bring them to the system; return what went wrong, None if nothing did."""
        self._pending += _encoded(lines)
        try:
            left = memoryview(self._pending)
            while left:
                left = left[self._file.write(left) or 0 :]
        except (OSError, KeyboardInterrupt) as error:
            # On a disk that is gone this fails, too; what waits is written elsewhere then.
            with suppress(OSError):
                os.ftruncate(self._file.fileno(), self._size)
                self._file.seek(self._size)
            if isinstance(error, KeyboardInterrupt):
                raise
            self.trouble = error.strerror or str(error)
            return error
        self._size += len(self._pending)
        self._pending, self.trouble = b"", ""
        return None

    def move_to(self, path: Path) -> None:
        """Go on in a new file, with all lines so far, be the old one removed or not.

        Raises
        ------
        OSError
            If the new file cannot be made or written; the old one is gone on with.
        """
        new = new_file(path, buffering=0)
        try:
            self._file.seek(0)
            content = self._file.read(self._size)
        except OSError:
            # The disk is gone with what it took: lines from here on still have their columns.
            content = _encoded([self._columns])
        try:
            left = memoryview(content)
            while left:
                left = left[new.write(left) or 0 :]
        except OSError:
            new.close()
            path.unlink()
            self._file.seek(self._size)
            raise
        with suppress(OSError):
            self._file.close()
        self.path, self._file, self._size = path, new, len(content)
        self.add(())

    def close(self) -> None:
        """Try once more to write what waits, and close the file."""
        self.add(())
        with suppress(OSError):
            self._file.close()


def _encoded(lines: Iterable[Sequence[str]]) -> bytes:
    return "".join(map(line_of, lines)).encode()
