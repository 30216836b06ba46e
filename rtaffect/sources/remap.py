"""How a stream that came back becomes what was declared when it was first opened: columns by name, values by unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.errors import StreamError
from rtaffect.sources.channel_plan import DTYPES, volts_in
from rtaffect.sources.live import NotOursError
from rtaffect.stream.source import StreamHeader


@dataclass(frozen=True, slots=True)
class Remap:
    """How values as sent become those that are declared.

    ``columns`` are the sent channels in the declared order, ``factor`` (columns,) float64 the declared units in one
    unit sent, ``dtype`` the declared type of number; ``note`` says what is different, '' if nothing is.
    """

    columns: tuple[int, ...]
    factor: NDArray[np.float64]
    dtype: np.dtype[Any]
    note: str = ""

    def __call__(self, block: NDArray[Any]) -> NDArray[Any]:
        """Return ``block`` (n, channels sent) as (n, channels declared)."""
        moved = block[:, list(self.columns)]
        if (self.factor != 1.0).any():
            moved = moved * self.factor
        return np.asarray(moved, self.dtype)


def as_before(before: StreamHeader, now: StreamHeader, unit: str | None = None) -> Remap | None:
    """Return how a stream that says ``now`` of itself becomes what it said ``before``; None where all is the same.

    ``unit`` is the one that replaces its own.

    Raises
    ------
    NotOursError
        If it has other channels, another rate or format, or units that cannot be compared.
    """
    if (now.channels, now.format, now.rate) != (before.channels, before.format, before.rate):
        raise NotOursError(
            f"stream {now.name!r} came back with {now.channels} channels of {now.format} at {now.rate:g} Hz, expected "
            f"{before.channels} of {before.format} at {before.rate:g} Hz; set the device as before"
        )
    columns = _columns(before, now)
    factor = np.array([_ratio(before, i, now, column, unit) for i, column in enumerate(columns)])
    if (factor != 1.0).any() and DTYPES[before.format].kind == "i":
        raise NotOursError(
            f"stream {now.name!r} came back with whole numbers of {now.unit or 'no unit'}, expected "
            f"{before.unit or 'no unit'}; set the device as before"
        )
    notes = []
    if columns != tuple(range(before.channels)):
        notes.append("its channels in another order: they are taken by their names")
    if (factor != 1.0).any():
        notes.append(f"its values in {now.unit or 'no unit'} instead of {before.unit}: they are converted")
    if before.channels > 1 and not any(before.labels):
        notes.append("no names of its channels: they are taken to be in the order of before")
    if not notes:
        return None
    return Remap(columns, factor, DTYPES[before.format], f"stream {now.name!r} came back with {', and '.join(notes)}")


def _columns(before: StreamHeader, now: StreamHeader) -> tuple[int, ...]:
    """Return which of the channels now is each of those before."""
    if before.labels == now.labels:
        columns: Sequence[int] = range(before.channels)
    elif len(set(before.labels)) < before.channels or not all(before.labels) or set(before.labels) != set(now.labels):
        raise NotOursError(
            f"stream {now.name!r} came back with the channels {_listed(now.labels)}, expected "
            f"{_listed(before.labels)}; set the device as before"
        )
    else:
        columns = [now.labels.index(label) for label in before.labels]
    types = [now.types[column].strip().lower() for column in columns]
    if types != [each.strip().lower() for each in before.types]:
        raise NotOursError(
            f"stream {now.name!r} came back with channels of the types {_listed(now.types)}, expected "
            f"{_listed(before.types)}; set the device as before"
        )
    return tuple(columns)


def _ratio(before: StreamHeader, i: int, now: StreamHeader, column: int, unit: str | None) -> float:
    """Return how many of the units of channel ``i`` before one unit of channel ``column`` now is."""
    old, new = before.units[i].strip(), now.units[column].strip()
    if old == new:
        return 1.0
    try:
        if unit is None:
            return volts_in(now.name, new) / volts_in(before.name, old)
    except StreamError:
        pass
    raise NotOursError(
        f"stream {now.name!r} came back with values in {new or 'no unit'} where it had {old or 'no unit'}; set the "
        "device as before"
    )


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(text or "(none)" for text in texts)
