"""Files on disk: new ones that follow no link, written whole or not at all, hashed, and kept inside their folder."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

#: What only its owner may read, and what the user's own mask decides on.
PRIVATE: Final = 0o600
COMMON: Final = 0o666
_PRIVATE_FOLDER: Final = 0o700
_NEW: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def new_file(path: Path, mode: int = PRIVATE, *, buffering: int = -1) -> BinaryIO:
    """Open a file that is not there yet to write and read; what is there, be it a link that leads nowhere, is refused.

    Parameters
    ----------
    path
        Where it is to be.
    mode
        Its permissions, less those that the user's mask takes away; default: for the owner alone.
    buffering
        As :func:`open` has it; 0 for none.

    Raises
    ------
    FileExistsError
        If there is something of that name, whatever it is.
    OSError
        If it cannot be made.
    """
    return open(os.open(path, _NEW, mode), "w+b", buffering=buffering)


def private_folder(path: Path) -> None:
    """Make a folder that only its owner can enter; one that is there stays as it is.

    Raises
    ------
    OSError
        If it is a link, which may lead anywhere, or something else than a folder, or cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir(_PRIVATE_FOLDER)
    except FileExistsError:
        if path.is_symlink() or not path.is_dir():
            raise NotADirectoryError(0, "it is a link or a file, not a folder", str(path)) from None


@contextmanager
def replacing(path: Path, mode: int = COMMON) -> Iterator[Path]:
    """Give a new file beside ``path`` to be written; move it there at the end, or remove it where that fails.

    So that ``path`` is either as it was or whole. The new file has a name that nobody can know beforehand, and a link
    that stands at ``path`` is replaced, not followed.

    Raises
    ------
    OSError
        If it cannot be made or moved.
    """
    part = path.with_name(f".{path.stem[:40]}.{secrets.token_hex(8)}.part{path.suffix}")
    new_file(part, mode).close()
    try:
        yield part
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def write_whole(path: Path, content: bytes | str, mode: int = COMMON) -> None:
    """Write ``content`` (text as UTF-8) to ``path``, the whole file or nothing; raises OSError."""
    with replacing(path, mode) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


def copy_new(source: Path, target: Path, mode: int = PRIVATE) -> None:
    """Copy a file's content to a new file; raises OSError, FileExistsError if something stands there."""
    with source.open("rb") as found, new_file(target, mode) as made:
        shutil.copyfileobj(found, made)


def inside(folder: Path, name: str) -> Path:
    """Return the place of the file ``name`` in ``folder``, wherever links lead.

    Raises
    ------
    ValueError
        If the name, or a link on its way, leads out of the folder.
    """
    if "\0" in name:
        raise ValueError(f"{name!r} is no name of a file")
    place = folder / name
    if not place.resolve().is_relative_to(folder.resolve()) or place.resolve() == folder.resolve():
        raise ValueError(f"{name!r} leads out of {folder}")
    return place


def sha256_of(content: bytes | str | Path) -> str:
    """Return the SHA-256, in hexadecimal, of bytes, of a text's UTF-8, or of a file, which is read piece by piece."""
    if isinstance(content, Path):
        with content.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()
