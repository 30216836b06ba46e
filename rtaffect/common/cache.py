"""Folders in the user's cache that are made once, and files there that tell whether they are as they were made."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from rtaffect.common.files import sha256_of, write_whole
from rtaffect.common.sums import SumsError, check_all, write_sums


def made_once(folder: Path, make: Callable[[Path], None], tell: Callable[[str], None] = lambda _: None) -> Path:
    """Return ``folder``; where it is not there as it was made, let ``make`` fill another one and move that into place.

    So that what stands there is whole, whatever happens meanwhile, and several processes may make it at the same time.
    Its files are compared with the hashes that were taken when it was made; ``tell`` is told, in words, if they differ.
    """
    if folder.exists():
        try:
            if check_all(folder):
                return folder
            why = "it has no hashes: an earlier version made it"
        except SumsError as error:
            why = str(error)
        tell(f"{folder} is made again: {why}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix="part-"))
    try:
        make(part)
        write_sums(part)
        _put(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _put(part: Path, folder: Path) -> None:
    """Move ``part`` to ``folder``, in place of one that is not as it was made; raises OSError if it cannot be."""
    if folder.exists():
        old = Path(tempfile.mkdtemp(dir=folder.parent, prefix="part-"))
        with suppress(OSError):
            os.replace(folder, old / "old")
        shutil.rmtree(old, ignore_errors=True)
    try:
        os.replace(part, folder)
    except OSError:
        # Another process was first: what it made is the same.
        if not folder.exists():
            raise


def seal_beside(path: Path) -> None:
    """Keep the hash of the file at ``path`` beside it, as ``sha256sum -c`` reads it; raises OSError."""
    write_whole(_seal(path), f"{sha256_of(path)}  {path.name}\n")


def wrong_beside(path: Path, sha256: str) -> str:
    """Return why a file of that hash is not the one whose hash is kept beside it, in words; empty where it is."""
    try:
        said = _seal(path).read_bytes()
    except OSError:
        return f"{_seal(path).name}, which has its hash, is not there"
    if said != f"{sha256}  {path.name}\n".encode():
        return f"it has sha256 {sha256[:12]}..., which is not the one in {_seal(path).name}"
    return ""


def _seal(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")
