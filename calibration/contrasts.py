"""The paper's main claim, tested: a middle layer predicts better than the last one, and than acoustic descriptors.

Each layer, and the middle one, is held against the last (``final``) and against the acoustic descriptors (``lld``), in
the mean over rows, in each row, and in each zone or group of regions. Which layer is the middle one is chosen anew in
each outer fold, among those between the first and the last, by the inner folds of its training part: what is held out
has no part in the choice.

Sounds are the units, paired: differences of Fisher z of the held-out r within each sound, tested by flipping their
signs, the same in all tests (:func:`calibration.statistics.compare` tells of the bound for predictions that were
fitted to each other's sounds). Corrected p values are by the largest statistic of all tests of a family in each flip
(Nichols & Holmes, *Hum. Brain Mapp.* 15, 2002): all pairs in the mean over rows are one family, all pairs in all rows
of one kind (channels, regions, zones, groups) another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration.features import DESCRIPTORS_SET
from calibration.statistics import EXACT_UNITS, all_flips, bounded
from rtaffect.common.correlation import fisher_z
from rtaffect.common.threads import one_thread

Array = NDArray[np.float64]

#: The middle layer that is chosen inside the nested folds.
MIDDLE: Final = "middle"
#: What the others are held against, where it is among the feature sets.
BASELINES: Final = ("final", DESCRIPTORS_SET)
#: Kind of the mean over rows.
MEAN_KIND: Final = "mean"
#: Flips that are taken at once.
_TOGETHER: Final = 512


@dataclass(frozen=True, slots=True, eq=False)
class Contrasts:
    """Pairs of feature sets compared in R rows and, behind them, the mean over the rows that count; T pairs.

    Attributes
    ----------
    pairs
        Names of the two sets, of which the second is held against the first.
    difference : (T, R + 1)
        Mean over sounds of Fisher z of the first less the second; NaN where fewer than two sounds have both.
    single, family : (T, R + 1)
        Two-sided p alone, and corrected by the largest statistic of all pairs and rows of that kind.
    units : (R + 1,) int
        Sounds that have all sets.
    kinds
        Of the rows and, last, of the mean.
    exact
        Whether all flips of signs were taken.
    middle_of_fold
        The layer that the inner folds took in each outer fold; empty where there is no middle layer.
    """

    pairs: tuple[tuple[str, str], ...]
    difference: Array
    single: Array
    family: Array
    units: NDArray[np.intp]
    kinds: tuple[str, ...]
    exact: bool
    middle_of_fold: tuple[str, ...] = ()


def middle_layers(layers: Sequence[str]) -> tuple[str, ...]:
    """Return those of ``layers``, in order, that lie between the first and the last."""
    return tuple(layers[1:-1])


def pairs_of_sets(names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return what is held against what: each set of ``names``, the middle layer first, against each baseline there."""
    order = [*(n for n in names if n == MIDDLE), *(n for n in names if n not in {MIDDLE, DESCRIPTORS_SET})]
    return tuple((name, base) for base in BASELINES if base in names for name in order if name != base)


@one_thread()
def contrast(
    each: dict[str, Array],
    kinds: Sequence[str],
    *,
    draws: int = 9999,
    seed: int = 0,
    middle: Sequence[str] = (),
    pairs: Sequence[tuple[str, str]] | None = None,
) -> Contrasts | None:
    """Compare feature sets over sounds; None where there is nothing to be compared, or fewer than two sounds.

    Parameters
    ----------
    each
        For each set's name r of each sound and row, (sounds, R + 1), NaN where there is none.
    kinds
        Of the rows (R,), such as 'channel', 'region', 'zone'.
    draws, seed
        Random flips, where there are more than ``EXACT_UNITS`` sounds.
    middle
        The middle layer of each outer fold.
    pairs
        What is held against what; default: as :func:`pairs_of_sets` says.
    """
    pairs = pairs_of_sets(tuple(each)) if pairs is None else tuple(pairs)
    sounds = len(next(iter(each.values())))
    if not pairs or sounds < 2:
        return None
    there = np.isfinite(np.stack(list(each.values()))).all(axis=0)
    z = {name: np.where(there, fisher_z(np.where(there, r, 0.0)), 0.0) for name, r in each.items()}
    difference = np.stack([z[a] - z[b] for a, b in pairs], axis=1)
    units = there.sum(axis=0)
    judged = units > 1
    every = (*kinds, MEAN_KIND)
    families = [np.flatnonzero(judged & (np.array(every) == kind)) for kind in dict.fromkeys(every)]
    exact = sounds <= EXACT_UNITS
    signs = all_flips(sounds) if exact else np.random.default_rng(seed).choice([-1.0, 1.0], (draws, sounds))
    single, family = _p_values(difference, units, signs, families, 0 if exact else 1)
    mean = np.where(judged, difference.sum(axis=0) / np.maximum(units, 1), np.nan)
    return Contrasts(pairs, mean, single, family, units, every, exact, tuple(middle))


def _p_values(
    difference: Array, units: NDArray[np.intp], signs: Array, families: Sequence[NDArray[np.intp]], one: int
) -> tuple[Array, Array]:
    """Return two-sided p (T, R + 1) alone and corrected of ``difference`` (sounds, T, R + 1); ``one`` for random flips.

    A sound that lacks a row has 0 there, which no flip changes; ``units`` (R + 1,) are those that have it.
    """
    scale = np.sqrt((difference**2).sum(axis=0))
    scale[scale == 0] = 1.0
    true = np.abs(difference.sum(axis=0)) / scale
    # Flips that give the true value again must count as reaching it, whatever the rounding.
    bar = bounded(true, units) - 1e-9
    alone, corrected = np.zeros((2, *true.shape))
    for start in range(0, len(signs), _TOGETHER):
        chance = np.abs(np.tensordot(signs[start : start + _TOGETHER], difference, axes=1)) / scale
        alone += (chance >= bar).sum(axis=0)
        for rows in families:
            if len(rows):
                largest = chance[..., rows].max(axis=(1, 2))
                corrected[:, rows] += (largest[:, None, None] >= bar[:, rows]).sum(axis=0)
    none = np.ones(difference.shape[2], np.bool_)
    none[np.concatenate(families)] = False
    found = [(one + count) / (one + len(signs)) for count in (alone, corrected)]
    for p in found:
        p[:, none] = np.nan
    return found[0], found[1]
