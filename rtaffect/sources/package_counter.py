"""What the numbers of a board's packages tell: where samples are missing, and how many."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Numbering:
    """How a board counts its packages.

    ``modulus`` is where the count begins anew, 0 for never; ``step`` how much it grows with each package; ``samples``
    how many samples each package brings, all with its number.
    """

    modulus: int
    step: int = 1
    samples: int = 1


class Loss(NamedTuple):
    """A place where samples are missing: ``sample`` is the first one after it, ``lost`` how many (0: not known)."""

    sample: int
    lost: int


class PackageCounter:
    """Finds losses in successive package numbers; a loss of whole rounds of the count cannot be seen.

    Parameters
    ----------
    how
        How the board counts; None finds no loss.
    """

    def __init__(self, how: Numbering | None) -> None:
        self._how = how
        self._last = math.nan

    def restart(self) -> None:
        """Let the next number be the first: the board was opened anew."""
        self._last = math.nan

    def losses(self, numbers: NDArray[np.float64]) -> list[Loss]:
        """Return where samples are missing among those with ``numbers`` (n,), which go on from the last call's."""
        if self._how is None or not len(numbers):
            return []
        grown = np.diff(np.concatenate([[numbers[0] if math.isnan(self._last) else self._last], numbers]))
        self._last = float(numbers[-1])
        if self._how.modulus:
            grown %= self._how.modulus
        packages = np.round(grown / self._how.step).astype(np.int64)
        odd = np.flatnonzero((packages > 1) | (packages < 0))
        return [Loss(int(at), max(0, int(packages[at]) - 1) * self._how.samples) for at in odd]

    def unbroken(self, numbers: NDArray[np.float64]) -> Iterator[tuple[slice, int | None]]:
        """Yield which samples come one after another, each part with how many are missing before it (None: none)."""
        at, missing = 0, None
        for loss in self.losses(numbers):
            yield slice(at, loss.sample), missing
            at, missing = loss.sample, loss.lost
        yield slice(at, len(numbers)), missing
