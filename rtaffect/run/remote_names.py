"""Which folder a session gets that a program starts: LabRecorder's ``filename`` line, made safe.

The line's options and placeholders are those of LabRecorder (github.com/labstreaminglayer/App-LabRecorder,
``src/mainwindow.cpp``, ``rcsUpdateFilename`` and ``replaceFilename``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from rtaffect.common.errors import SettingsError
from rtaffect.common.files import inside
from rtaffect.common.text import clean, file_name
from rtaffect.plan.session_plan import is_code

_OPTION: Final = re.compile(r"\{(\w+?):([^}]*)\}")
_ENDING: Final = re.compile(r"\.xdfz?(\.gz)?$", re.IGNORECASE)
_KNOWN: Final = ("root", "template", "task", "run", "participant", "session", "acquisition", "modality")
#: What each placeholder of a template stands for; %n and %r are the number of the run.
_PLACEHOLDERS: Final = {"p": "participant", "s": "session", "b": "task", "a": "acquisition", "m": "modality"}
_PLACEHOLDER: Final = re.compile(r"%([psbamnr])", re.IGNORECASE)
_COUNTER: Final = re.compile(r"%[nr]", re.IGNORECASE)
#: What LabRecorder puts where nothing is said and no template is given.
_BIDS: Final = {"participant": "P001", "session": "S001", "task": "Default", "modality": "eeg"}
#: Letters of an option's value, parts of a path, and how far it is counted for a name that is free.
_MOST_LETTERS, _MOST_PARTS, _MOST_NUMBER = 200, 8, 9999


@dataclass(frozen=True, slots=True)
class Naming:
    """What has been said of names so far: ``options`` of ``filename`` lines, the newest of each."""

    options: Mapping[str, str] = field(default_factory=dict)

    def with_line(self, line: str) -> Naming:
        """Return it with the options of one more ``filename`` line; raises SettingsError if it has none."""
        found = {name.lower(): clean(value, _MOST_LETTERS) for name, value in _OPTION.findall(line)}
        if unknown := [name for name in found if name not in _KNOWN]:
            raise SettingsError(f"filename has {unknown[0]!r}", f"options out of {', '.join(_KNOWN)}")
        if not found:
            raise SettingsError(
                f"filename {line[8:60]!r} names nothing", "options, as in {participant:P01} {task:rest}"
            )
        return Naming({**self.options, **found})

    def participant(self, planned: str | None) -> str | None:
        """Return the participant's code: what was said, where it can be one, else nobody's; ``planned`` if nothing."""
        said = self.options.get("participant")
        return planned if said is None else said if is_code(said) else None

    def notes(self, root: Path) -> list[str]:
        """Return in words what of it is not done as it says; sessions go into ``root``."""
        said, place = self.options.get("participant"), self.options.get("root")
        notes = []
        if said is not None and not is_code(said):
            notes.append(f"participant {said!r} is not letters and digits, and stands in the folder's name alone")
        if place is not None and _below(root, place) is None:
            notes.append(
                f"root {place!r} is not in {root}, into which all sessions go: it is given at the start, by --out"
            )
        return notes

    def folder(self, root: Path, planned: str | None) -> Path:
        """Return a folder in ``root`` that is not there yet, for the next session.

        Raises
        ------
        SettingsError
            If a link leads out of ``root``, or no name is free.
        """
        base = _below(root, self.options.get("root", "")) or Path()
        parts = self._template() if self.options else [_by_time(self.participant(planned))]
        counts = any(_COUNTER.search(part) for part in parts) and not self._run
        for number in range(1, _MOST_NUMBER + 1):
            *above, last = self._filled(parts, number if counts else self._run or 1)
            if not counts and number > 1:
                last = f"{last}-{number}"
            place = base.joinpath(*above, last)
            if os.path.lexists(root / place):
                continue
            try:
                return inside(root, place.as_posix())
            except (ValueError, OSError, RuntimeError) as error:
                raise SettingsError(f"filename: {error}", remedy=f"keep to folders in {root}") from None
        raise SettingsError(f"{root} has {_MOST_NUMBER} sessions of this name", remedy="give another by filename")

    @property
    def _run(self) -> int:
        text = self.options.get("run", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else 0

    def _template(self) -> list[str]:
        """Return the parts of the path, placeholders in it; the last is that of a folder in place of a file."""
        template = self.options.get("template")
        if template is None:
            acquisition = "_acq-%a" if self.options.get("acquisition") else ""
            template = f"sub-%p/ses-%s/%m/sub-%p_ses-%s_task-%b{acquisition}_run-%r_%m"
        parts = [part for part in re.split(r"[/\\]", _ENDING.sub("", template.strip())) if part.strip(". ")]
        return parts[-_MOST_PARTS:] or ["session"]

    def _filled(self, parts: list[str], number: int) -> list[str]:
        given = (
            self.options if "template" in self.options else {**_BIDS, **{k: v for k, v in self.options.items() if v}}
        )

        def value(match: re.Match[str]) -> str:
            what = match[1].lower()
            return f"{number:03d}" if what in "nr" else given.get(_PLACEHOLDERS[what], "")

        # A value is one part of the path, whatever it holds.
        return [file_name(_PLACEHOLDER.sub(value, part)) for part in parts]


def _by_time(participant: str | None) -> str:
    return "-".join(filter(None, [datetime.now().strftime("%Y%m%d-%H%M%S"), participant]))


def _below(root: Path, place: str) -> Path | None:
    """Return the path from ``root`` to a ``place`` in it; None where it is elsewhere, or no path at all."""
    if not place:
        return Path()
    if not os.path.isabs(place):
        return None
    try:
        return inside(root, os.path.relpath(root / place, root)).relative_to(root)
    except (ValueError, OSError, RuntimeError):
        return Path() if os.path.realpath(place) == os.path.realpath(root) else None
