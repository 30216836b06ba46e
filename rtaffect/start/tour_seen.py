"""Whether the tour of the window was seen, kept in the user's configuration folder."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from rtaffect.common.files import write_whole
from rtaffect.common.reading import read_toml
from rtaffect.start.memory import memory_file

_log = logging.getLogger(__name__)

#: Raised when the tour says something new that everybody should see.
EDITION: Final = 1


def _file() -> Path:
    return memory_file().with_name("tour.toml")


def tour_seen() -> bool:
    """Return whether this edition of the tour was seen; what cannot be read says that it was not."""
    try:
        edition = read_toml(_file()).get("edition", 0)
    except (OSError, ValueError):
        return False
    return isinstance(edition, int) and edition >= EDITION


def remember_tour() -> None:
    """Keep that it was seen; where that is impossible it is shown again."""
    path = _file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, f"edition = {EDITION}\n")
    except OSError as error:
        _log.info("that the tour was seen cannot be kept (%s: %s)", error.strerror, path)
