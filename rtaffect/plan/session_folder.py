"""What a session left on disk: its plan, what ran, its tables and its recording."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from rtaffect.common.errors import RecordingError, SettingsError, setting, under
from rtaffect.common.files import inside
from rtaffect.common.reading import read_bytes, read_toml
from rtaffect.common.sums import SUMS_FILE, SumsError, check_sum, read_sums
from rtaffect.plan.session_plan import SessionPlan, read_plan

SESSION_FILE, RECORDING_FILE, PROTOCOL_FILE, STIMULI = "session.toml", "recording.xdf", "protocol.toml", "stimuli"
#: What could not be relied on, step by step; sessions of former versions have none.
DOUBTS_FILE, MEASURES_FILE = "doubts.tsv", "measures.tsv"
#: What voice and background predict; only where a session predicts from them.
ELEMENTS_FILE = "elements.tsv"
#: When each frame of a film was seen; only where films were shown.
FRAMES_FILE = "frames.tsv"
#: Valence and arousal, and people's rest; only with a bundle of affect.
AFFECT_FILE, BASELINE_FILE = "affect.tsv", "affect_baseline.tsv"
#: How well electrodes touched; only of headsets that are worn now, and where it was checked before.
CONTACT_FILE = "contact.tsv"

#: No session has a step whose number has more digits: a century of them has ten.
_MOST_DIGITS: Final = 10


@dataclass(frozen=True, slots=True)
class SessionTable:
    """A table's cells as text, by column; ``lost`` lines were cut short or damaged, as a loss of power leaves them."""

    columns: dict[str, list[str]]
    lost: int = 0

    @classmethod
    def parse(cls, text: str) -> SessionTable:
        """Return the table that is in a file's ``text``; of a line that is not complete nothing."""
        first, *lines = text.split("\n")
        # What follows the last line's end is a line whose end, and perhaps more, is missing.
        rest = lines.pop() if lines else ""
        names = first.rstrip("\r").split("\t")
        cells = [line.rstrip("\r").split("\t") for line in lines]
        whole = [row for row in cells if len(row) == len(names)]
        lost = len(cells) - len(whole) + bool(rest.strip("\0"))
        return cls({name: [row[i] for row in whole] for i, name in enumerate(names)}, lost)

    @property
    def lines(self) -> list[dict[str, str]]:
        """The lines: cells by column."""
        return [dict(zip(self.columns, row, strict=True)) for row in zip(*self.columns.values(), strict=True)]


def cell_step(text: str) -> int | None:
    """Return the whole number that a table's cell holds, as that of a step; None for what is none, or beyond any."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None


def cell_number(text: str) -> float:
    """Return the number that a table's cell holds; NaN for ``n/a`` and what is no finite number."""
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


#: Tables that come several times in ``session.toml``.
_TABLES: Final = ("eeg", "peripheral", "stimuli")
#: Kinds of the values there that something is computed of or looked up in, and what they are in words; of the run, and
#: of each of those tables.
_Kinds = dict[str, tuple[type | tuple[type, ...], str]]
_OF_RUN: Final[_Kinds] = {
    "origin": ((int, float), "a number"),
    "steps": (int, "a whole number"),
    "sound": (dict, "a table"),
    "settings": (dict, "a table"),
    "recording": (str, "a text"),
}
#: Of a headset ``origin`` is where its samples come from (:attr:`rtaffect.stream.source.StreamInfo.origin`).
_OF_TABLE: Final[_Kinds] = {
    "rate": ((int, float), "a number"),
    "name": (str, "a text"),
    "origin": (str, "a text"),
}


@dataclass(frozen=True, slots=True)
class RecordedSession:
    """A session's folder: ``plan`` is what was asked for, ``ran`` what its ``session.toml`` says of the run.

    ``sums`` are the hashes that were taken of its files when it ended, by their names; None where none were.
    """

    path: Path
    plan: SessionPlan
    ran: dict[str, Any]
    sums: Mapping[str, str] | None = None

    @property
    def recording(self) -> Path:
        """Its XDF file; raises RecordingError if that is said to be outside of the folder."""
        return self.place(str(self.ran.get("recording", RECORDING_FILE)))

    @property
    def unchecked(self) -> str:
        """Why its files cannot be checked, in words; empty where they can."""
        if self.sums is not None:
            return ""
        return (
            f"session {self.path} has no {SUMS_FILE}: it was cut off, or an earlier rtaffect wrote it; whether its "
            "files are as they were is not known"
        )

    def place(self, name: str) -> Path:
        """Return where a file of the session is; RecordingError if the name, or a link, leads out of its folder."""
        try:
            return inside(self.path, name)
        except ValueError as error:
            raise RecordingError(
                f"session {self.path}: {error}; a session's files are in its folder: put the file itself there"
            ) from None

    def checked(self, name: str, content: bytes | None = None) -> Path:
        """Return where a file of the session is, which is as it was when the session ended.

        ``content`` is what is in it, where that has been read. Nothing is checked where no hashes were taken.

        Raises
        ------
        RecordingError
            If it is not as it was, is outside of the folder, or cannot be read.
        """
        path = self.place(name)
        if self.sums is None:
            return path
        try:
            check_sum(self.path, dict(self.sums), name, content)
        except SumsError as error:
            raise _changed(self.path, error) from None
        except OSError as error:
            raise RecordingError(
                f"session {self.path} has no readable {name} ({error}); copy the whole folder"
            ) from None
        return path

    def checked_recording(self) -> Path:
        """Return its XDF file, which is as it was when the session ended; raises RecordingError if not."""
        return self.checked(self.recording.relative_to(self.path).as_posix())

    def table(self, name: str) -> list[dict[str, str]]:
        """Return the lines of ``feedback.tsv``, ``events.tsv``, ...: cells by column, as text.

        A last line that is cut short, as a loss of power leaves it, is left out.

        Raises
        ------
        RecordingError
            If the table is missing, cannot be read, or is not as it was when the session ended.
        """
        try:
            content = read_bytes(self.path / name)
            self.checked(name, content)
            return SessionTable.parse(content.decode("utf-8")).lines
        except (OSError, ValueError) as error:
            raise RecordingError(
                f"session {self.path} has no readable {name} ({error}); copy the whole folder"
            ) from None


def refuse_taken(folder: Path) -> None:
    """Refuse a folder for a new session that holds one, or a plan: nothing is overwritten.

    Raises
    ------
    SettingsError
        If it does.
    """
    if any(os.path.lexists(folder / name) for name in (SESSION_FILE, "feedback.tsv")):
        raise SettingsError(
            f"{setting('out', folder)} already holds a session", remedy="name a new folder, nothing is overwritten"
        )


def open_session(path: Path) -> RecordedSession:
    """Read what the session in the folder ``path`` says of itself.

    Raises
    ------
    RecordingError
        If it is no session's folder.
    SettingsError
        If its plan is impossible.
    """
    file = path / SESSION_FILE
    try:
        sums = read_sums(path)
        if sums is not None:
            check_sum(path, sums, SESSION_FILE)
        ran = read_toml(file).get("ran")
    except SumsError as error:
        raise _changed(path, error) from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise RecordingError(
            f"{path} is not a session's folder ({file.name}: {why}); expected one that live, demo or replay wrote "
            f"{under('out')}"
        ) from None
    if not isinstance(ran, dict):
        raise RecordingError(f"{file} is a plan only: no session has run; expected the folder of one that has")
    _check_kinds(ran, _OF_RUN, file, "ran")
    return RecordedSession(path, read_plan(file), ran, sums)


def _check_kinds(said: dict[str, Any], kinds: _Kinds, file: Path, where: str) -> None:
    """Refuse a value of another kind than a session writes, wherever it is read."""
    for key, value in said.items():
        if key in _TABLES:
            if not (isinstance(value, list) and all(isinstance(each, dict) for each in value)):
                _refuse(file, f"{where}.{key}", value, "tables")
            for each in value:
                _check_kinds(each, _OF_TABLE, file, f"{where}.{key}")
        elif key in kinds:
            kind, words = kinds[key]
            if not isinstance(value, kind) or isinstance(value, bool):
                _refuse(file, f"{where}.{key}", value, words)


def _refuse(file: Path, where: str, value: object, words: str) -> NoReturn:
    raise RecordingError(
        f"{file}: {where} is {str(value)!r:.60}, expected {words}; it is damaged or was changed: copy the whole folder "
        "again"
    )


def _changed(path: Path, error: SumsError) -> RecordingError:
    return RecordingError(
        f"session {path}: {error}; it is damaged or was changed: copy the whole folder again, or delete its "
        f"{SUMS_FILE} to have it read unchecked"
    )
