"""Files on disk: written whole or not at all, hashed, and tables of tab-separated text."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a new file beside ``path`` to be written; move it there at the end, or remove it where that fails.

    So that ``path`` is either as it was or whole. The new file has a name that nobody else has.

    Raises
    ------
    OSError
        If it cannot be made or moved.
    """
    part = path.with_name(f".{path.stem[:40]}.{secrets.token_hex(4)}.part{path.suffix}")
    part.open("xb").close()
    try:
        yield part
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def write_whole(path: Path, content: bytes | str) -> None:
    """Write ``content`` (text as UTF-8) to ``path``, the whole file or nothing; raises OSError."""
    with replacing(path) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


def sha256_of(content: bytes | str | Path) -> str:
    """Return the SHA-256, in hexadecimal, of bytes, of a text's UTF-8, or of a file, which is read piece by piece."""
    if isinstance(content, Path):
        with content.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()
