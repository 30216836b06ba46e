"""Text files as people and programs leave them: read within a stated size, and what is wrong with them in one line.

TOML and JSON can be of any depth and their numbers of any length; Python's readers of both end on some of that with
errors that are not theirs. Here everything that is wrong with a content is one :class:`ValueError`, and everything that
keeps a file from being read an :class:`OSError`.
"""

from __future__ import annotations

import json
import stat
import tomllib
from pathlib import Path
from typing import Any, Final

from rtaffect.common.words import size

#: A text of settings, a plan, a protocol or a manifest is no larger than this, bytes.
MOST_TEXT_BYTES: Final = 64_000_000
#: The longest name of a file or folder, bytes: what the usual file systems hold.
MOST_NAME_BYTES: Final = 255
#: The longest path, bytes.
MOST_PATH_BYTES: Final = 4000


def read_bytes(path: Path, most: int | None = MOST_TEXT_BYTES) -> bytes:
    """Return a file's content, at most ``most`` bytes; None for no limit.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is no regular file, or larger than ``most`` bytes; or ``path`` can be no file's name.
    """
    if wrong := path_problem(path):
        raise ValueError(wrong)
    # Before it is opened: opening a pipe waits for its other end.
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise ValueError("it is no regular file")
    with path.open("rb") as file:
        content = file.read(-1 if most is None else most + 1)
    if most is not None and len(content) > most:
        raise ValueError(f"it is larger than {size(most)}")
    return content


def read_text(path: Path) -> str:
    """Return a file's text, which is UTF-8; raises as :func:`read_bytes`."""
    return read_bytes(path).decode("utf-8")


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file; raises OSError or ValueError, in one line."""
    return toml_content(read_bytes(path))


def read_json(path: Path) -> Any:
    """Return the content of a JSON file; raises OSError or ValueError, in one line."""
    return json_content(read_bytes(path))


def toml_content(data: bytes) -> dict[str, Any]:
    """Return what TOML in UTF-8 says; ValueError, in one line, if it is none."""
    try:
        # Windows ends lines with two characters; TOML's own reader takes both, as reading a text file does.
        return tomllib.loads(data.decode("utf-8").replace("\r\n", "\n"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise
    except RecursionError:
        raise ValueError("its values are nested too deeply") from None
    except ValueError:
        raise ValueError("it holds a number of thousands of digits") from None


def json_content(data: str | bytes) -> Any:
    """Return what JSON in UTF-8 says; ValueError, in one line, if it is none."""
    try:
        return json.loads(data.decode("utf-8") if isinstance(data, bytes) else data)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except RecursionError:
        raise ValueError("its values are nested too deeply") from None
    except ValueError:
        raise ValueError("it holds a number of thousands of digits") from None


def why(error: Exception) -> str:
    """Return in words why a file cannot be read, of what reading it raised."""
    match error:
        case FileNotFoundError() | NotADirectoryError():
            return "it is not there"
        case IsADirectoryError():
            return "it is a folder"
        case PermissionError():
            return "the right to read it is missing"
        case UnicodeDecodeError():
            return f"it is no text in UTF-8: byte {error.start + 1} is none of it"
        case OSError(strerror=str(reason)):
            return reason
        case _:
            return str(error) or type(error).__name__


def path_problem(path: Path | str) -> str:
    """Return in words why no file can have that name, or none that tables and plans could name; '' for nothing."""
    text = str(path)
    if not text.strip():
        return "it is empty; expected a path"
    if "\0" in text:
        return "its name has a NUL, which no name can have"
    try:
        encoded = text.encode("utf-8")
    except UnicodeEncodeError:
        return "its name is not UTF-8, so that no plan or table can hold it: rename it"
    if len(encoded) > MOST_PATH_BYTES:
        return f"its name has {len(encoded)} bytes; expected at most {MOST_PATH_BYTES}"
    longest = max((len(part.encode("utf-8")) for part in Path(text).parts), default=0)
    if longest > MOST_NAME_BYTES:
        return f"a part of its name has {longest} bytes; expected at most {MOST_NAME_BYTES}"
    return ""
