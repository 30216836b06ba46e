"""Ridge regression from sums, and the folds that it is validated in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.errors import SettingsError

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

#: Candidates for the regularisation, as multiples of the number of training steps.
ALPHAS = np.logspace(-3, 3, 13)
#: Blocks that a single sound is cut into, where there are no other sounds to leave out.
BLOCKS = 5


def folds(lengths: Sequence[int], gap: int) -> Iterator[tuple[Indices, Indices]]:
    """Yield (train, test) step numbers: each sound left out in turn, or blocks of a single one.

    ``lengths`` are the sounds' steps; blocks are ``gap`` steps apart, so that no window or lag reaches across.
    """
    starts = np.cumsum([0, *lengths])
    everything = np.arange(starts[-1])
    if len(lengths) > 1:
        pieces = [everything[a:b] for a, b in pairwise(starts)]
        near = 0
    else:
        pieces = np.array_split(everything, BLOCKS)
        near = gap
        if len(everything) < BLOCKS * 2 * gap:
            raise SettingsError(
                f"{len(everything)} s with values in a row cannot be cut into {BLOCKS} folds that are {gap} s apart, "
                f"which takes {BLOCKS * 2 * gap} s; give a longer sound or a further one"
            )
    for test in pieces:
        train = everything[(everything < test[0] - near) | (everything > test[-1] + near)]
        yield train, test


class Sums(NamedTuple):
    """What ridge regression needs of training steps: their number, means, and scatter about the means."""

    n: int
    x: Array
    y: Array
    xx: Array
    xy: Array


def ridge_of(sums: Sums, alphas: Array) -> tuple[Array, Array]:
    """Solve ridge regression for several penalties with one eigendecomposition of the features' scatter.

    Minimises ||y - x w - b||^2 + alpha n ||w||^2 over w and b, for each row of y with its own alpha.

    Parameters
    ----------
    sums
        Of the training steps.
    alphas
        (A, R), or (A, 1) for the same in every row; the penalty per training step, so that it keeps its meaning when
        n changes.

    Returns
    -------
    coefficients : (A, F, R)
    intercept : (A, R)
    """
    spread, axes = np.linalg.eigh(sums.xx)
    projected = axes.T @ sums.xy
    coefficients = axes @ (projected / (np.maximum(spread, 0.0)[:, None] + alphas[:, None, :] * sums.n))
    return coefficients, sums.y - sums.x @ coefficients
