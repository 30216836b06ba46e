"""What a group's response to a stimulus was: its mean, how far people spread around it, and over how many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """A group's response to one stimulus, each listener scaled to unit variance per row. No one can be told from it.

    Attributes
    ----------
    mean : (time, M * k) float32
        Over those present; NaN where nobody is. A row's k components stand side by side.
    squares : (time, M) float32
        Sum over those present of a row's squares, summed over its components.
    count : (time, M) uint16
        How many are present.
    """

    mean: NDArray[np.float32]
    squares: NDArray[np.float32]
    count: NDArray[np.uint16]

    @classmethod
    def of(cls, group: NDArray[np.floating], k: int = 1) -> Reference:
        """Return the reference that a standardised group (P, time, M * k) makes; NaN where someone is not present."""
        present = np.isfinite(group)
        count = present.sum(axis=0)
        total = np.where(present, group, 0.0).sum(axis=0)
        mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        squares = np.where(present, group, 0.0) ** 2
        return cls(
            mean.astype(np.float32),
            squares.sum(axis=0).reshape(len(mean), -1, k).sum(axis=-1).astype(np.float32),
            count.reshape(len(mean), -1, k).min(axis=-1).astype(np.uint16),
        )

    def of_rows(self, rows: NDArray[np.intp]) -> Reference:
        """Return the part of some measured rows, numbers of them."""
        each = self.mean.reshape(*self.count.shape, -1)[:, rows].reshape(len(self.mean), -1)
        return Reference(each, self.squares[:, rows], self.count[:, rows])

    def without(self, own: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the mean (time, M * k) of the others, of a listener whose standardised response is ``own``."""
        k = self.mean.shape[1] // self.count.shape[1]
        count = self.count.repeat(k, axis=1).astype(np.float64)
        mine = np.isfinite(own) & (count > 0)
        others = np.where(mine, count * self.mean - own, count * self.mean)
        left = count - mine
        return np.where(left > 0, others / np.maximum(left, 1), np.nan).astype(np.float32)


class StoredReferences(Sequence[Reference]):
    """The references in a bundle's file, read when they are wanted: together they can be larger than the memory.

    Parameters
    ----------
    file
        An open safetensors file.
    count
        How many there are.
    """

    def __init__(self, file: Any, count: int) -> None:
        self._file, self._count = file, count

    def __len__(self) -> int:
        """Return how many there are."""
        return self._count

    @overload
    def __getitem__(self, at: int) -> Reference: ...
    @overload
    def __getitem__(self, at: slice) -> list[Reference]: ...
    def __getitem__(self, at: int | slice) -> Reference | list[Reference]:
        """Read one, or some."""
        if isinstance(at, slice):
            return [self[i] for i in range(self._count)[at]]
        number = range(self._count)[at]
        return Reference(*(self._file.get_tensor(name) for name in names_of(number)))


def names_of(number: int) -> tuple[str, str, str]:
    """Return what the parts of a reference are called in a bundle's file."""
    return f"reference.{number}.mean", f"reference.{number}.squares", f"reference.{number}.count"
