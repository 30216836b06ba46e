"""The null of cross-validated predictions by fitting every draw anew, many draws at a time.

Cross-fitted predictions of noise correlate with it in a way of their own (:mod:`calibration.nulls`), so that the exact
null turns the targets and repeats the whole nested cross-validation. What is learnt from features alone, and every
decomposition, is the same for all draws; their targets stand side by side as rows of one fit.

Fits are to what drifts leave of the targets (:func:`untrended`); of each draw that is taken once more after it has
turned, so that every draw loses what the true targets lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration.statistics import score
from calibration.trends import paired, untrended
from calibration.validation import held_out_each
from rtaffect.common.settings import DriftSettings, Settings
from rtaffect.common.threads import one_thread

Array = NDArray[np.float64]

#: Rows fitted together: enough to keep the processor in matrix products, few enough for the memory.
_ROWS: Final = 1000
#: Predictions that are kept at once, bytes; what is learnt from features alone is computed once for so many.
_BYTES: Final = 2**28


@one_thread()
def exact_null(
    features: Sequence[Array],
    targets: Sequence[Array],
    settings: Settings,
    draws: int = 1000,
    *,
    covariates: Sequence[Array] | None = None,
    seed: int = 0,
) -> Array:
    """Return held-out r (draws, R + 1) with all targets turned round, everything fitted anew; the rows' mean is last.

    Parameters
    ----------
    features, covariates
        For each sound (steps, F), (steps, V).
    targets
        For each sound (steps, R), Fisher z, drifts taken out. A step at which a row has none is left out in all; each
        sound's others turn by a random number of steps, the same in all rows.
    settings
        As for the fit; without ``longest_lags_s``, or lags would be chosen for all draws together.
    draws, seed
        How many, and of what random numbers.
    """
    if settings.prediction.longest_lags_s:
        raise ValueError("draws cannot be fitted together where lags are chosen: longest_lags_s must be empty")
    rng, rows = np.random.default_rng(seed), targets[0].shape[1]
    whole = [np.asarray(np.isfinite(t).all(axis=1)) for t in targets]
    turns = np.stack([rng.integers(1, max(2, int(w.sum())), draws) for w in whole], axis=1)
    batch, group = max(1, _ROWS // rows), max(1, _BYTES // (8 * rows * sum(map(len, targets))))
    found = []
    for start in range(0, draws, group):
        makers = [
            partial(_turned, targets, whole, turns[first : min(first + batch, start + group)], settings.drift)
            for first in range(start, min(start + group, draws), batch)
        ]
        predicted = held_out_each(features, makers, settings, covariates)
        found += [_score(p, make(), rows, settings) for p, make in zip(predicted, makers, strict=True)]
    return np.concatenate(found)


def _score(predicted: Sequence[Array], targets: Sequence[Array], rows: int, settings: Settings) -> Array:
    """Return r (draws, R + 1) of predictions and targets of several draws side by side, (steps, draws * R) a sound."""
    draws = targets[0].shape[1] // rows
    averages = np.repeat(np.eye(draws, dtype=np.bool_), rows, axis=1)
    r = score(paired(predicted, targets, settings, averages)).r
    return np.column_stack([r[: draws * rows].reshape(draws, rows), r[draws * rows :]])


def _turned(
    targets: Sequence[Array], whole: Sequence[NDArray[np.bool_]], turns: NDArray[np.intp], drift: DriftSettings
) -> list[Array]:
    """Return each sound's target (steps, R) turned by each of its ``turns`` (draws, sounds), side by side.

    The drifts that it has where it came to lie are taken out.
    """
    found = []
    for target, there, of_sound in zip(targets, whole, turns.T, strict=True):
        kept = target[there]
        places = (np.arange(len(kept))[:, None] - of_sound) % len(kept)
        out = np.full((len(target), len(of_sound) * target.shape[1]), np.nan)
        out[there] = kept[places].reshape(len(kept), -1)
        found.append(out)
    return untrended(found, drift)
