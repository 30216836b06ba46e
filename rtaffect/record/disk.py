"""The disk that a recording goes to: making the file, what is free, and why it cannot be written."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path

from rtaffect.common.errors import SettingsError
from rtaffect.record.xdf_writer import XdfWriter


def make_recording(path: Path) -> XdfWriter:
    """Return the writer of a new file; raises SettingsError if that is impossible."""
    try:
        writer = XdfWriter(path)
    except FileExistsError:
        raise SettingsError(
            f"recording {path} exists, and a recording is never overwritten; choose another folder"
        ) from None
    except (FileNotFoundError, NotADirectoryError):
        raise SettingsError(
            f"recording {path} cannot be made: {path.parent} is not a folder; make it, or choose another"
        ) from None
    except OSError as error:
        raise SettingsError(
            f"recording {path} cannot be made ({error.strerror}); choose a folder on a disk that has room and that you "
            "may write to"
        ) from None
    try:
        writer.flush()
    except OSError as error:
        with suppress(OSError):
            writer.close()
        path.unlink(missing_ok=True)
        raise SettingsError(f"{why_not(path, error)}, or choose another folder") from None
    return writer


def why_not(path: Path, error: OSError) -> str:
    """Return why ``path`` cannot be written, and what to do."""
    disk, free = disk_of(path), megabytes(free_bytes(path))
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"disk {disk} is full ({free} free); free space"
    if error.errno == errno.EFBIG:
        return f"{path} may not grow further (a limit of disk {disk}, {free} free, or of the user); raise it"
    return f"{path} cannot be written ({error.strerror}, {free} free); check disk {disk}"


def disk_of(path: Path) -> Path:
    """Return where the disk of ``path`` is mounted."""
    folders = path.absolute().parents
    return next((folder for folder in folders if os.path.ismount(folder)), folders[-1])


def free_bytes(path: Path) -> int:
    """Return the bytes that are free on the disk of ``path``; 0 if it is gone."""
    try:
        return shutil.disk_usage(path.parent).free
    except OSError:
        return 0


def megabytes(count: int) -> str:
    """Return ``count`` bytes in words."""
    return f"{count / 1e6:.1f} MB"
