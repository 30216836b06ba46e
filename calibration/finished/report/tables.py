"""Tab-separated tables of a session, read as far as they go."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
#: A table's cells as text, by column.
Columns = dict[str, list[str]]


def read_columns(path: Path, missing: list[str]) -> Columns:
    """Return a table's columns; of a line that is not complete nothing."""
    try:
        text = path.read_bytes().decode("utf-8", errors="replace")
    except OSError as error:
        missing.append(why_not(path, error))
        return {}
    if not text.strip("\0\r\n"):
        missing.append(f"{path.name}: it is empty")
        return {}
    *lines, rest = text.split("\n")
    columns = lines[0].rstrip("\r").split("\t") if lines else []
    cells = [line.rstrip("\r").split("\t") for line in lines[1:]]
    whole = [row for row in cells if len(row) == len(columns)]
    lost = len(cells) - len(whole) + bool(rest.strip("\0"))
    if lost:
        missing.append(f"{path.name}: {lost} line{'s' if lost > 1 else ''} cut short or damaged, left out")
    return {name: [row[i] for row in whole] for i, name in enumerate(columns)}


def why_not(path: Path, error: Exception) -> str:
    """Return in words why a file of a session is not there."""
    if isinstance(error, FileNotFoundError):
        return f"{path.name}: there is no such file"
    return f"{path.name}: {error.strerror if isinstance(error, OSError) and error.strerror else error}"


def lines_of(columns: Columns) -> tuple[dict[str, str], ...]:
    """Return a table's lines, cells by column."""
    return tuple(dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))


def number(text: str) -> float:
    """Return a cell's number, NaN for 'n/a' and what is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def numbers(texts: Sequence[str]) -> Array:
    """Return cells' numbers (n,), NaN for 'n/a' and what is none."""
    return np.array([math.nan if text == "n/a" else number(text) for text in texts], np.float64)


def whole_numbers(texts: Sequence[str]) -> NDArray[np.intp]:
    """Return cells' whole numbers (n,), 0 for what is none."""
    return np.nan_to_num(numbers(texts), nan=0.0, posinf=0.0, neginf=0.0).astype(np.intp)


def has_columns(columns: Columns, wanted: Sequence[str], name: str, missing: list[str]) -> bool:
    """Return whether a table has lines and all columns ``wanted``; if not, that is added to ``missing``."""
    lacking = [column for column in wanted if column not in columns]
    if columns and lacking:
        missing.append(f"{name}: no column {', '.join(lacking)}")
    elif columns and not columns[wanted[0]]:
        missing.append(f"{name}: no lines")
    return bool(columns) and not lacking and bool(columns[wanted[0]])
