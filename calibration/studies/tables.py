"""Tables of a study: tab-separated text with a header, read as text, or as one number a second and column."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibration.studies.layout import SoundFile
from rtaffect.common.errors import RecordingError
from rtaffect.common.reading import why

#: What stands where a value is missing, as BIDS has it, and other programs.
ABSENT = frozenset({"n/a", "na", "nan", ""})
#: A column of this name tells the seconds and is no quantity of its own.
TIME = "time"


class Series(NamedTuple):
    """Named quantities over a sound: ``values`` (steps, names) float64, row i of second i."""

    names: tuple[str, ...]
    values: NDArray[np.float64]


def read_table(path: Path) -> tuple[tuple[str, ...], list[list[str]]]:
    """Return the header and the rows of a tab-separated table; empty lines are left out.

    Raises
    ------
    RecordingError
        If it cannot be read, has no header, names a column twice, or has rows of another length.
    """
    names, rows = _rows(path)
    return names, [line for _, line in rows if any(line)]


def _rows(path: Path) -> tuple[tuple[str, ...], list[tuple[int, list[str]]]]:
    """Return the header and the rows with the numbers of their lines, empty ones as such up to the last that is not."""
    lines = list(enumerate(_lines(path), start=1))
    filled = [number for number, line in lines if any(line)]
    first = filled[0] if filled else 0
    names = _header(path, lines[first - 1][1] if filled else [])
    rows = [(number, line) for number, line in lines if first < number <= filled[-1]] if filled else []
    for row, line in rows:
        if any(line) and len(line) != len(names):
            raise RecordingError(
                f"{path}: row {row} has {len(line)} cells; expected {len(names)}, as in the header, with tabs "
                "between them: correct it"
            )
    return names, rows


def _lines(path: Path) -> list[list[str]]:
    """Return the cells of each line; raises RecordingError."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            return [[cell.strip() for cell in line] for line in table]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RecordingError(
            f"{path} cannot be read ({why(error)}); expected tab-separated UTF-8: correct it"
        ) from None


def _header(path: Path, line: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the columns; RecordingError if there are none or one is there twice."""
    names = tuple(line)
    if not names or "" in names or all(number(name) is not None for name in names):
        begins = "\t".join(names) if names else "nothing"
        raise RecordingError(f"{path} begins with {begins!r}; expected a header that names each column: add one")
    if twice := [name for name, count in Counter(n.casefold() for n in names).items() if count > 1]:
        raise RecordingError(f"{path}: two columns are called {', '.join(twice)}; expected distinct names: rename one")
    return names


def read_series(path: Path, seconds: int, *, absent: bool) -> Series:
    """Return the quantities of a table with one row a second, for the first ``seconds`` s.

    A column ``time`` must rise by 1 and is left out.

    Parameters
    ----------
    path
        The table.
    seconds
        Whole seconds of the sound.
    absent
        Whether values may be missing (n/a, NaN); they are NaN then.

    Raises
    ------
    RecordingError
        If it cannot be read, is too short, or holds what is no finite number.
    """
    names, rows = _rows(path)
    # One row a second: an empty one is a second without values, and not none.
    rows = [(number, line if any(line) else [""] * len(names)) for number, line in rows]
    if len(rows) < seconds:
        raise RecordingError(
            f"{path} has {len(rows)} rows; expected at least {seconds}, one for each second of the sound: add the "
            "missing ones"
        )
    values = np.array([_numbers(path, names, number, row) for number, row in rows])
    ticks = [i for i, name in enumerate(names) if name.casefold() == TIME]
    if ticks and not np.allclose(_steps(values[:, ticks[0]]), 1.0, atol=1e-3):
        raise RecordingError(
            f"{path}: column {names[ticks[0]]} does not rise by 1 from row to row; expected one row a second: average "
            "the values of each second, or take the column out"
        )
    kept = [i for i in range(len(names)) if i not in ticks]
    if not kept:
        raise RecordingError(f"{path} has no column beside {TIME}; expected at least one quantity: add one")
    found = Series(tuple(names[i] for i in kept), values[:seconds, kept])
    if not absent:
        _refuse_absent(path, found)
    return found


def _steps(ticks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by how much a column of times rises from row to row, over rows without a time, too."""
    there = np.flatnonzero(np.isfinite(ticks))
    return np.asarray(np.diff(ticks[there]) / np.diff(there))


def covariates_in(sounds: Iterable[SoundFile], seconds: Mapping[str, int]) -> dict[str, Series]:
    """Return the covariates of the sounds that have some, by name; ``seconds`` is how long each sound is, whole s.

    Raises
    ------
    RecordingError
        If a table cannot be used, or not all have the same columns.
    """
    return _alike({s.name: s.covariates for s in sounds}, seconds)


def _alike(tables: Mapping[str, Path | None], seconds: Mapping[str, int]) -> dict[str, Series]:
    found: dict[str, Series] = {}
    first: Path | None = None
    for sound, path in tables.items():
        if path is None:
            continue
        each = found[sound] = read_series(path, seconds[sound], absent=False)
        names = next(iter(found.values())).names
        if first is not None and each.names != names:
            raise RecordingError(
                f"{path} has the columns {', '.join(each.names)}; expected {', '.join(names)}, as in {first.name}: "
                "give every sound the same columns in the same order"
            )
        first = first or path
    return found


def _numbers(path: Path, names: Sequence[str], at: int, row: Sequence[str]) -> list[float]:
    values = []
    for name, cell in zip(names, row, strict=True):
        value = math.nan if cell.casefold() in ABSENT else number(cell)
        if value is None or math.isinf(value):
            raise RecordingError(f"{path}: {name} in row {at} is {cell!r}; expected a finite number: correct it")
        values.append(value)
    return values


def _refuse_absent(path: Path, series: Series) -> None:
    rows, columns = np.nonzero(np.isnan(series.values))
    if len(rows):
        raise RecordingError(
            f"{path}: {series.names[columns[0]]} has no value in row {rows[0] + 2} ({len(rows)} are missing); expected "
            "a number for every second: fill them in, or take the column out"
        )


def number(cell: str) -> float | None:
    """Return what a cell says, None if that is no number."""
    try:
        return float(cell)
    except ValueError:
        return None
