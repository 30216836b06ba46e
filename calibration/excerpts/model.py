"""Ridge regression of one value an excerpt, many targets side by side, and what is held out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration.model import basis_of
from calibration.ridge import ALPHAS, Sums, ridge_of

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Folds where there is no split, and folds inside the training part that choose the penalty.
FOLDS: Final = 5
#: Values farther from the training part's mean, in its standard deviations, count as so far: tables of features have
#: tails in which one excerpt would decide, and columns that hardly vary in the training part.
REACH: Final = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """Features of the parts of excerpts: ``sound`` (N, F) and ``picture`` (N, V), which may have no columns.

    ``components`` is how many principal components of the sound's features enter; 0 for the features themselves.
    """

    sound: Array
    picture: Array
    components: int = 0

    def standardised(self, train: Mask) -> tuple[Array, Array]:
        """Return sound and picture in standard deviations of the training part, about its means, up to ``REACH``."""
        sound = self.sound
        if self.components:
            mean, axes, _, _ = basis_of(sound[train], self.components)
            sound = (sound - mean) @ axes.T
        return _standard(sound, train), _standard(self.picture, train)


def _standard(values: Array, train: Mask) -> Array:
    middle, spread = values[train].mean(axis=0), values[train].std(axis=0)
    varies = spread > 1e-12 * np.abs(values[train]).max(axis=0, initial=1e-300)
    scaled = (values - middle) / np.where(varies, spread, 1.0)
    return np.where(varies, np.clip(scaled, -REACH, REACH), 0.0)


def parts_of(test: Mask | None, groups: NDArray[np.intp] | None, count: int) -> list[Mask]:
    """Return which of N excerpts are held out together: by the split, else in ``FOLDS`` folds."""
    if test is not None:
        return [test]
    folds = fold_of(groups, count)
    return [folds == fold for fold in np.unique(folds)]


def fold_of(groups: NDArray[np.intp] | None, count: int, folds: int = FOLDS) -> NDArray[np.intp]:
    """Return the fold (N,) of each excerpt: whole films, or stretches of neighbours where films are not told.

    Neighbours in a table mostly come from one film: those that are torn apart would predict each other.
    """
    if groups is None:
        return np.minimum(np.arange(count) * folds // count, folds - 1)
    sizes = np.bincount(groups)
    before = np.cumsum(sizes) - sizes / 2
    return np.asarray(np.minimum(before * folds // len(groups), folds - 1).astype(np.intp)[groups])


def ridge(x: Array, y: Array, folds: NDArray[np.intp]) -> tuple[Array, Array, Array]:
    """Fit ridge regression whose penalty, for each target its own, the folds choose.

    Minimises ||y - x w - b||^2 + alpha n ||w||^2 with alpha of ``calibration.ridge.ALPHAS``.

    Parameters
    ----------
    x, y
        (n, F), (n, R).
    folds
        (n,) of each row.

    Returns
    -------
    weights : (F, R)
    intercept : (R,)
    alpha : (R,)
    """
    alphas = ALPHAS[:, None]
    error = np.zeros((len(ALPHAS), y.shape[1]))
    for fold in np.unique(folds):
        out = folds == fold
        if out.all():
            continue
        sums = _sums(x[~out], y[~out])
        about, wanted = x[out] - sums.x, y[out] - sums.y
        xx, xy, yy = about.T @ about, about.T @ wanted, (wanted**2).sum(axis=0)
        for i, weights in enumerate(ridge_of(sums, alphas)[0]):
            error[i] += yy - 2 * (weights * xy).sum(axis=0) + (weights * (xx @ weights)).sum(axis=0)
    alpha = ALPHAS[error.argmin(axis=0)]
    (weights,), (intercept,) = ridge_of(_sums(x, y), alpha[None])
    return weights, intercept, alpha


def _sums(x: Array, y: Array) -> Sums:
    mx, my = x.mean(axis=0), y.mean(axis=0)
    about = x - mx
    return Sums(len(x), mx, my, about.T @ about, about.T @ (y - my))


#: What predicts: the names of the four, in the order in which they are told.
WAYS: Final = ("sound", "picture", "both", "picture zeroed")


def held_out(
    design: Design, y: Array, parts: Sequence[Mask], groups: NDArray[np.intp] | None, ways: Sequence[str] = WAYS
) -> dict[str, Array]:
    """Return predictions (N, R) of what was held out, NaN elsewhere, by each way.

    'picture zeroed' are the predictions of the joint fit with the picture's features at their mean (the paper's
    control): what sound and picture share may still be credited to the sound.
    """
    found = {way: np.full(y.shape, np.nan) for way in ways}
    for test, train, folds in _each(parts, groups):
        sound, picture = design.standardised(train)
        columns = {"sound": sound, "picture": picture, "both": np.hstack([sound, picture])}
        for way in ways:
            if way == "picture zeroed" or not columns[way].shape[1]:
                continue
            x = columns[way]
            weights, intercept, _ = ridge(x[train], y[train], folds)
            found[way][test] = x[test] @ weights + intercept
            if way == "both" and "picture zeroed" in ways:
                own = sound.shape[1]
                found["picture zeroed"][test] = x[test][:, :own] @ weights[:own] + intercept
    return found


def _each(parts: Sequence[Mask], groups: NDArray[np.intp] | None) -> Iterator[tuple[Mask, Mask, NDArray[np.intp]]]:
    """Yield each part that is held out, the rest, and the rest's inner folds."""
    for test in parts:
        train = ~test
        own = None if groups is None else np.unique(groups[train], return_inverse=True)[1]
        yield test, train, fold_of(own, int(train.sum()))


def moments(predicted: Array, y: Array, parts: Sequence[Mask], blocks: NDArray[np.intp]) -> Array:
    """Return sums (blocks, 3, R) of products xy, xx, yy about the means of what is held out together."""
    found = np.zeros((int(blocks.max()) + 1, 3, y.shape[1]))
    for test in parts:
        x, z = predicted[test], y[test]
        x, z = x - x.mean(axis=0), z - z.mean(axis=0)
        np.add.at(found, blocks[test], np.stack([x * z, x * x, z * z], axis=1))
    return found


def blocks_of(groups: NDArray[np.intp] | None, parts: Sequence[Mask]) -> NDArray[np.intp]:
    """Return which excerpts (N,) hang together: those of a film, or about root n neighbours where none is told."""
    if groups is not None:
        return groups
    blocks, start = np.zeros(len(parts[0]), np.intp), 0
    for test in parts:
        count = int(test.sum())
        number = max(2, round(count**0.5))
        blocks[test] = start + np.arange(count) * number // count
        start += number
    return blocks
