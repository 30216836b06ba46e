"""Places where results are to go, looked at before any work."""

from __future__ import annotations

import os
from pathlib import Path

from rtaffect.common.errors import SettingsError
from rtaffect.common.reading import path_problem


def check_new_folder(path: Path, option: str) -> None:
    """Refuse a folder that cannot be made or written into.

    Parameters
    ----------
    path
        The folder, there or not.
    option
        What gave it, for the message.

    Raises
    ------
    SettingsError
        If it can be no name, something that is no folder is there or on the way, or nothing can be written.
    """
    if wrong := path_problem(path):
        raise SettingsError(f"{option} {path!s:.80}: {wrong}")
    place = path
    while not os.path.lexists(place) and place.parent != place:
        place = place.parent
    if not place.is_dir():
        raise SettingsError(f"{option} {path}: {place} is a file; expected a folder, or a name for a new one")
    if not os.access(place, os.W_OK | os.X_OK):
        raise SettingsError(f"{option} {path} cannot be written into {place}; name another folder")


def check_new_file(path: Path, option: str) -> None:
    """Refuse a file that cannot be written: raises SettingsError as :func:`check_new_folder` does."""
    check_new_folder(path.parent, option)
    if path.is_dir():
        raise SettingsError(f"{option} {path} is a folder; expected the name of a file")
