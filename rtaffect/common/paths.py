"""Paths as they are typed: none that is empty, or that no file can have."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from rtaffect.common.errors import SettingsError

# Generic in newer versions of click alone.
if TYPE_CHECKING:
    _ParamType = click.ParamType[Path]
else:
    _ParamType = click.ParamType

#: The longest that systems take, bytes: of one part, and of a whole path.
_PART, _WHOLE = 255, 4096


def wrong_path(text: str) -> str:
    """Return why a text cannot be a path, '' where it can."""
    if not text.strip():
        return "it is empty; expected a path"
    if "\0" in text:
        return "it has a NUL character; expected a path"
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "it is not UTF-8; rename the file or folder"
    parts = text.replace(os.sep, "/").split("/")
    if len(text.encode()) > _WHOLE or any(len(part.encode()) > _PART for part in parts):
        return f"it is too long; expected at most {_PART} bytes in each part and {_WHOLE} in all"
    return ""


class PathType(_ParamType):
    """A command's path, which is checked before the command begins."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path; raises SettingsError if there can be none of that name."""
        if isinstance(value, Path):
            return value
        text = os.fsdecode(value)
        if wrong := wrong_path(text):
            said = param.opts[0] if isinstance(param, click.Option) else (param and param.metavar) or "a path"
            raise SettingsError(f"{said} {text[:80]!r}: {wrong}")
        return Path(text)


#: The type of every path at the command line.
PATH: Final = PathType()
