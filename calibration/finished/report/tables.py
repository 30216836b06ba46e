"""Tab-separated tables of a session, read as far as they go."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import FloatArray
from rtaffect.plan.session_folder import SessionTable, cell_number

#: A table's cells as text, by column.
Columns = dict[str, list[str]]


def read_table(path: Path, missing: list[str]) -> SessionTable:
    """Return a table as far as it can be read; what is lost is added to ``missing``."""
    try:
        text = path.read_bytes().decode("utf-8", errors="replace")
    except OSError as error:
        missing.append(why_not(path, error))
        return SessionTable({})
    if not text.strip("\0\r\n"):
        missing.append(f"{path.name}: it is empty")
        return SessionTable({})
    table = SessionTable.parse(text)
    if table.lost:
        missing.append(f"{path.name}: {table.lost} line{'s' if table.lost > 1 else ''} cut short or damaged, left out")
    return table


def why_not(path: Path, error: Exception) -> str:
    """Return in words why a file of a session is not there."""
    if isinstance(error, FileNotFoundError):
        return f"{path.name}: there is no such file"
    return f"{path.name}: {error.strerror if isinstance(error, OSError) and error.strerror else error}"


def numbers(texts: Sequence[str]) -> FloatArray:
    """Return cells' numbers (n,), NaN for 'n/a' and what is none."""
    return np.array([cell_number(text) for text in texts], np.float64)


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
