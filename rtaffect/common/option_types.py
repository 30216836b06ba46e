"""Types of what is given at the command line: numbers with limits, and names of files that can be one.

What the command line has no limit for, it works on for ever, or until the memory is full.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any, Final

import click

from rtaffect.common.errors import SettingsError
from rtaffect.common.reading import path_problem

#: Longer texts are no numbers, letters.
_MOST_DIGITS = 40


class Whole(click.IntRange):
    """A whole number from ``least`` to ``most``, both included."""

    def __init__(self, least: int, most: int) -> None:
        super().__init__(least, most)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number; click's own error if it is none, or is out of bounds."""
        if isinstance(value, str) and len(value) > _MOST_DIGITS:
            self.fail(f"{value[:_MOST_DIGITS]!r}... is not in the range {self._describe_range()}.", param, ctx)
        return super().convert(value, param, ctx)


class Number(click.FloatRange):
    """A finite number from ``least`` to ``most``, both included unless ``between``."""

    def __init__(self, least: float, most: float, *, between: bool = False) -> None:
        super().__init__(least, most, min_open=between, max_open=between)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number; click's own error if it is none, or is out of bounds: NaN lies within none."""
        found = super().convert(value, param, ctx)
        if math.isnan(found):
            self.fail(f"{value!r} is not in the range {self._describe_range()}.", param, ctx)
        return found


class FilePath(click.Path):
    """The name of a file or folder, there or not."""

    def __init__(self, *, dir_okay: bool = True, **more: Any) -> None:
        super().__init__(dir_okay=dir_okay, path_type=Path, **more)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path; raises SettingsError if nothing can have that name, click's own error if it is a folder."""
        text = os.fsdecode(value)
        if wrong := path_problem(text):
            said = param.opts[0] if isinstance(param, click.Option) else (param and param.metavar) or "a path"
            raise SettingsError(f"{said} {text[:80]!r}: {wrong}")
        return super().convert(value, param, ctx)


#: The type of a path at the command line, be it a file's or a folder's.
PATH: Final = FilePath()
