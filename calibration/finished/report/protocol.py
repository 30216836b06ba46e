"""The protocol that a session ran with, and which arm an opened allocation puts its participant in."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rtaffect.common.errors import RtaffectError, SettingsError
from rtaffect.common.files import sha256_of
from rtaffect.common.mistakes import first_problem
from rtaffect.common.reading import read_bytes, read_toml, toml_content
from rtaffect.plan.session_folder import PROTOCOL_FILE, RecordedSession, open_session
from rtaffect.protocol.allocation import Assigned
from rtaffect.protocol.seal import allocation_sha256, unseal
from rtaffect.protocol.unblinding import UNBLINDED_FILE


@dataclass(frozen=True, slots=True)
class Opened:
    """An allocation that was opened on record: its hash, and each participant's arm."""

    sha256: str
    arms: dict[str, str]

    def arm_of(self, ran: dict[str, Any], folder: Path) -> str:
        """Return the arm of a session's participant.

        Raises
        ------
        SettingsError
            If the session used another allocation, or its participant is not in this one.
        """
        participant, used = str(ran.get("participant", "")), ran.get("allocation_sha256")
        if used != self.sha256:
            with_what = f"the allocation {str(used)[:12]}" if used else "no allocation"
            raise SettingsError(
                f"session {folder} ran with {with_what}, --unblinded is {self.sha256[:12]}: give the file of its own "
                "allocation"
            )
        if participant not in self.arms:
            raise SettingsError(
                f"participant {participant or 'without a code'} of session {folder} is not in the allocation "
                f"{self.sha256[:12]}, which has {', '.join(sorted(self.arms)[:8])}: correct the code"
            )
        return self.arms[participant]


def opened_allocation(path: Path) -> Opened:
    """Return an allocation that ``rtaffect unblind`` has opened.

    Parameters
    ----------
    path
        The record ``unblinded.toml`` beside the sealed file, or that sealed file.

    Raises
    ------
    SettingsError
        If there is no such record, or several allocations are on it and none is named.
    ArtifactError
        If the sealed file is missing or damaged.
    """
    record = path if path.suffix == ".toml" else path.parent / UNBLINDED_FILE
    try:
        openings = read_toml(record).get("opening", [])
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise SettingsError(
            f"--unblinded {path}: there is no record of an opening ({record.name}: {why}); open the allocation with "
            "`rtaffect unblind FILE` first, when the last session is done"
        ) from None
    noted = {str(o.get("allocation")): str(o.get("sha256")) for o in openings if isinstance(o, dict)}
    sealed = _the_one(path, record, noted)
    sha256 = allocation_sha256(sealed)
    if noted.get(sealed.name) != sha256:
        raise SettingsError(
            f"--unblinded {path}: {sealed.name} was not opened as it is now ({record.name} notes "
            f"{', '.join(noted) or 'none'}); open it with `rtaffect unblind {sealed.name}` first"
        )
    told = [o.get("assigned") for o in openings if isinstance(o, dict) and o.get("sha256") == sha256]
    try:
        assigned = [Assigned.model_validate(each) for each in next(filter(None, told), ())]
    except (ValidationError, TypeError) as error:
        why = first_problem(error, Assigned) if isinstance(error, ValidationError) else "assigned must be a list"
        raise SettingsError(
            f"--unblinded {path}: {record.name} is damaged ({why}); open the allocation again"
        ) from None
    # Records of allocations that needed no key do not say it.
    return Opened(sha256, {one.participant: one.arm for one in assigned or unseal(sealed)[0].assigned})


def _the_one(path: Path, record: Path, noted: dict[str, str]) -> Path:
    if path != record:
        return path
    if len(noted) != 1:
        raise SettingsError(
            f"--unblinded {path} notes {len(noted)} allocations ({', '.join(noted) or 'none'}); name the sealed file "
            "itself"
        )
    return record.parent / next(iter(noted))


def protocol_of(session: RecordedSession) -> tuple[dict[str, Any], list[str]]:
    """Return the protocol as its file has it, empty if it is not known, and what is to be said of that."""
    sha256 = session.ran.get("protocol_sha256")
    if sha256 is None:
        return {}, []
    tried = [session.path / PROTOCOL_FILE, *_named(session)]
    changed = []
    for path in tried:
        try:
            data = read_bytes(path)
        except (OSError, ValueError):
            continue
        if sha256_of(data) == sha256:
            try:
                return toml_content(data), []
            except ValueError:
                continue
        changed.append(path)
    return {}, [f"the protocol's file: {_why_not(changed, tried)}; its rule and [study] texts are not in this report"]


def _named(session: RecordedSession) -> list[Path]:
    """Return the protocol's files that the plan names, of a replay also those that the session's own plan does."""
    found = [] if session.plan.protocol.file is None else [session.plan.protocol.file]
    if session.plan.recording is not None:
        with suppress(RtaffectError):
            found += _named(open_session(session.plan.recording))
    return found


def _why_not(changed: Sequence[Path], tried: Sequence[Path]) -> str:
    if changed:
        return f"{changed[0].name} has been changed since the session"
    return f"{tried[-1].name} is not where the session found it" if len(tried) > 1 else "the session names none"
