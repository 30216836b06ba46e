"""Where a session is written, and where it goes on when that folder goes away while it runs."""

from __future__ import annotations

import errno
import logging
import os
import threading
from pathlib import Path
from typing import Final

from platformdirs import user_data_path

from rtaffect.common.files import private_folder

_log = logging.getLogger(__name__)

#: A disk that says one of these has room again some day: what comes waits for it.
FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_MOST_TRIES: Final = 100


class Refuge:
    """The folder that a session is written into: the one that was asked for, and another once that is gone.

    May be used from any thread. Who writes into it has its files open, so that they can be copied into the other one
    even after they were removed.

    Parameters
    ----------
    folder
        Which is there.

    Attributes
    ----------
    folder : Path
        Where the session is written now.
    trouble : str
        What has become of the one that was asked for, and where it goes on, in words; empty if nothing has.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = self._asked = folder
        self.trouble = ""
        self._lock = threading.Lock()
        self._identity = _identity(folder)

    @property
    def left(self) -> bool:
        """Whether the session is not where it was asked to be."""
        return self.folder != self._asked

    def wrong(self, *descriptors: int) -> str:
        """Return what has become of the folder, or of files in it that are open; empty if they are as they were."""
        try:
            if _identity(self.folder) != self._identity:
                return "is another folder now"
            if not os.access(self.folder, os.W_OK | os.X_OK):
                return "may not be written any more"
            if any(os.fstat(descriptor).st_nlink == 0 for descriptor in descriptors):
                return "has lost files of the session"
        except FileNotFoundError:
            return "was moved or removed"
        except OSError as error:
            return f"cannot be reached any more ({error.strerror})"
        return ""

    def leave(self, why: str) -> Path | None:
        """Make another folder and return it, None if there is none; ``why`` says what has become of this one."""
        with self._lock:
            for parent in (self._asked.parent, user_data_path("rtaffect") / "rescued"):
                made = _new_folder(parent, f"{self._asked.name}-rescued")
                if made is not None:
                    self.folder, self._identity = made, _identity(made)
                    self.trouble = f"{self._asked} {why}: the session goes on in {made}, with all that it had written"
                    _log.error(self.trouble)
                    return made
            trouble = (
                f"{self._asked} {why}, and no other folder can be made beside it or in {parent}: what comes waits in "
                "memory; put it back, or make room in one of these"
            )
            if trouble != self.trouble:
                _log.error(trouble)
            self.trouble = trouble
            return None


def _identity(folder: Path) -> tuple[int, int]:
    at = folder.stat()
    return at.st_dev, at.st_ino


def _new_folder(parent: Path, name: str) -> Path | None:
    """Return a new folder in ``parent`` by this name or one that is not taken; None if there can be none."""
    for number in range(1, _MOST_TRIES):
        folder = parent / (name if number == 1 else f"{name}-{number}")
        try:
            if folder.exists() or folder.is_symlink():
                continue
            private_folder(folder)
        except FileExistsError:
            continue
        except OSError:
            return None
        return folder
    return None
