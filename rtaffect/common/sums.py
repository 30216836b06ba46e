"""The hashes of a folder's files, in a file of its own that ``sha256sum -c`` reads, and the hash of that file in it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from rtaffect.common.files import COMMON, sha256_of, write_whole
from rtaffect.common.reading import why

SUMS_FILE: Final = "SHA256SUMS"
_LINE: Final = re.compile(r"([0-9a-f]{64})  (\S[^\n]*)")
_LAST: Final = "# sha256 of the lines above: "


class SumsError(ValueError):
    """A file is not as it was when the hashes were taken, or they are damaged; the message says which."""


def write_sums(folder: Path, mode: int = COMMON) -> None:
    """Take the hashes of all files in ``folder`` and its folders, except the file of hashes itself.

    Raises
    ------
    OSError
        If a file cannot be read, or the hashes cannot be written.
    """
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    names = {path.relative_to(folder).as_posix(): path for path in files if not _passing(path)}
    put_sums(folder, {name: sha256_of(path) for name, path in names.items()}, mode)


def _passing(path: Path) -> bool:
    """Return whether a file is that of hashes, or one that is being written."""
    return path.name == SUMS_FILE or (path.name.startswith(".") and ".part" in path.name)


def put_sums(folder: Path, sums: dict[str, str], mode: int = COMMON) -> None:
    """Write hashes that are known, by the files' names in ``folder``; raises OSError."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))
    write_whole(folder / SUMS_FILE, f"{lines}{_LAST}{sha256_of(lines)}\n", mode)


def read_sums(folder: Path) -> dict[str, str] | None:
    """Return the hashes by the files' names; None where none were taken.

    Raises
    ------
    SumsError
        If they cannot be read or are damaged.
    """
    try:
        text = (folder / SUMS_FILE).read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise SumsError(f"{SUMS_FILE} cannot be read ({why(error)})") from None
    lines, mark, digest = text.rpartition(_LAST)
    if not mark or digest != f"{sha256_of(lines)}\n":
        raise SumsError(f"{SUMS_FILE} is damaged or has been changed")
    found = [_LINE.fullmatch(line) for line in lines.splitlines()]
    return {match[2]: match[1] for match in found if match}


def check_sum(folder: Path, sums: dict[str, str], name: str, content: bytes | None = None) -> None:
    """Compare a file of ``folder``, or its ``content`` where that has been read, with its hash.

    Raises
    ------
    SumsError
        If it has none, or another one.
    OSError
        If it cannot be read.
    """
    if name not in sums:
        raise SumsError(f"{name} is not among the files in {SUMS_FILE}")
    found = sha256_of(folder / name if content is None else content)
    if found != sums[name]:
        raise SumsError(f"{name} has sha256 {found[:12]}..., but {SUMS_FILE} says {sums[name][:12]}...")


def check_all(folder: Path, only: Iterable[str] | None = None) -> bool:
    """Compare all files that have a hash (or ``only`` some) with it; return whether hashes were taken at all.

    Raises
    ------
    SumsError
        If one is missing or not as it was, or the hashes are damaged.
    """
    sums = read_sums(folder)
    if sums is None:
        return False
    for name in sums if only is None else only:
        try:
            check_sum(folder, sums, name)
        except OSError as error:
            raise SumsError(f"{name} cannot be read ({why(error)})") from None
    return True
