"""What a session left on disk: its plan, what ran, its tables and its recording."""

from __future__ import annotations

import csv
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtaffect.common.errors import RecordingError, under
from rtaffect.plan.session_plan import SessionPlan, read_plan

SESSION_FILE, RECORDING_FILE, PROTOCOL_FILE, STIMULI = "session.toml", "recording.xdf", "protocol.toml", "stimuli"


@dataclass(frozen=True, slots=True)
class RecordedSession:
    """A session's folder: ``plan`` is what was asked for, ``ran`` what its ``session.toml`` says of the run."""

    path: Path
    plan: SessionPlan
    ran: dict[str, Any]

    @property
    def recording(self) -> Path:
        """Its XDF file."""
        return self.path / str(self.ran.get("recording", RECORDING_FILE))

    def table(self, name: str) -> list[dict[str, str]]:
        """Return the lines of ``feedback.tsv``, ``events.tsv``, ...: cells by column, as text.

        A last line that is cut short, as a loss of power leaves it, is left out.

        Raises
        ------
        RecordingError
            If the table is missing or cannot be read.
        """
        path = self.path / name
        try:
            with path.open(encoding="utf-8", newline="") as file:
                rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        except (OSError, UnicodeDecodeError) as error:
            raise RecordingError(
                f"session {self.path} has no readable {name} ({error}); copy the whole folder"
            ) from None
        columns = rows[0] if rows else []
        return [dict(zip(columns, row, strict=True)) for row in rows[1:] if len(row) == len(columns)]


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
        ran = tomllib.loads(file.read_text(encoding="utf-8")).get("ran")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecordingError(
            f"{path} is not a session's folder ({file.name}: {error}); expected one that live, demo or replay wrote "
            f"{under('out')}"
        ) from None
    if not isinstance(ran, dict):
        raise RecordingError(f"{file} is a plan only: no session has run; expected the folder of one that has")
    return RecordedSession(path, read_plan(file), ran)
