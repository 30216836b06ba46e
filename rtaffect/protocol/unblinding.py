"""Opens a sealed allocation on record, and holds sessions against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import tomli_w

from rtaffect import __version__
from rtaffect.common.errors import SettingsError
from rtaffect.common.files import write_whole
from rtaffect.common.reading import read_toml
from rtaffect.plan.session_folder import open_session
from rtaffect.protocol.allocation import Allocation, now

UNBLINDED_FILE: Final = "unblinded.toml"


@dataclass(frozen=True, slots=True)
class AllocationCheck:
    """Whether a session used the allocation: its folder and participant, and what is wrong; empty for nothing."""

    folder: Path
    participant: str
    problem: str


def check_session(folder: Path, allocation: Allocation, sha256: str) -> AllocationCheck:
    """Return whether the session in ``folder`` ran with the allocation of that hash.

    Raises
    ------
    RecordingError
        If it is no session's folder.
    """
    ran = open_session(folder).ran
    participant = str(ran.get("participant", ""))
    found = ran.get("allocation_sha256")
    problem = ""
    if found != sha256:
        problem = f"ran with the allocation {str(found)[:12]}..." if found else "ran without an allocation"
    elif participant not in [assigned.participant for assigned in allocation.assigned]:
        problem = "its participant is not in the allocation"
    elif ran.get("protocol_sha256") != allocation.protocol_sha256:
        problem = "ran with another protocol"
    return AllocationCheck(folder, participant, problem)


def note_opening(path: Path, allocation: Allocation, sha256: str, checks: Sequence[AllocationCheck]) -> Path:
    """Note beside a sealed file that it is opened now, who was in which arm, and which sessions were compared.

    Return the file of notes.

    Raises
    ------
    SettingsError
        If that cannot be written: then nothing may be shown.
    """
    notes = path.parent / UNBLINDED_FILE
    entry: dict[str, Any] = {
        "opened": now(),
        "allocation": path.name,
        "sha256": sha256,
        "protocol": allocation.protocol,
        "protocol_sha256": allocation.protocol_sha256,
        "rtaffect": __version__,
        "assigned": [one.model_dump(exclude_none=True) for one in allocation.assigned],
        "session": [
            {"folder": str(check.folder), "participant": check.participant, "finding": check.problem or "fits"}
            for check in checks
        ],
    }
    try:
        held = (read_toml(notes) if notes.exists() else {}).get("opening", [])
        write_whole(notes, tomli_w.dumps({"opening": [*held, entry]}))
    except (OSError, ValueError, TypeError) as error:
        raise SettingsError(
            f"the opening of {path} cannot be noted in {notes} ({error}), so nothing is shown: make that folder "
            "writable, or move an unreadable file of that name away"
        ) from None
    return notes
