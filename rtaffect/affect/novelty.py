"""How far a moment is from what a model was trained on: what is too far has no value.

Two distances, each in units of its limit, and the larger counts: Mahalanobis' distance in the shared space (Lee et al.,
*A simple unified framework for detecting out-of-distribution samples and adversarial attacks*, NeurIPS 2018, with one
Gaussian), and the root mean square of the normalised input, for an encoder may map what it never saw to where it knows
its way. A limit is of the distances of moments that the model was not fitted to; of EEG, of people who were left out.

A person is unlike the training set if most of what they show is far: the median of their newest ``LASTING_S`` has a
limit of its own, which is lower. Single moments that are far are no sign of that: what one feels strongly is far, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from rtaffect.common.arrays import BoolArray, FloatArray

#: A person's newest distances over this long tell whether they are like the training set, s.
LASTING_S: Final = 30
#: Share of held-out moments of the training set that are within a limit.
LEVEL: Final = 0.99
#: How much of the covariance is that of a sphere, so that it has an inverse.
SHRINKAGE: Final = 0.1


@dataclass(frozen=True, slots=True)
class NoveltyReference:
    """What moments are compared with.

    Attributes
    ----------
    mean : (D,) float64
        Of the shared space's vectors of the training set.
    precision : (D, D) float64
        Inverse of their covariance.
    limits : (2,) float64
        Of Mahalanobis' distance and of the root mean square of the normalised input.
    """

    mean: FloatArray
    precision: FloatArray
    limits: FloatArray

    def __call__(self, shared: FloatArray, magnitude: FloatArray) -> FloatArray:
        """Return the novelty (N,) of moments: beyond 1 they are too far.

        Parameters
        ----------
        shared
            (N, D) vectors in the shared space.
        magnitude
            (N,) root mean square of the normalised input, see :func:`magnitude_of`.
        """
        return np.asarray((self.distances(shared, magnitude) / self.limits).max(axis=1))

    def distances(self, shared: FloatArray, magnitude: FloatArray) -> FloatArray:
        """Return both distances (N, 2) of moments, as :meth:`__call__` takes them, in units of their own."""
        return np.stack([_mahalanobis(shared, self.mean, self.precision), magnitude], axis=1)


def fit_novelty(
    shared: FloatArray,
    held_out: FloatArray,
    held_out_magnitude: FloatArray,
    level: float = LEVEL,
    shrinkage: float = SHRINKAGE,
) -> NoveltyReference:
    """Return the reference of a training set.

    Parameters
    ----------
    shared
        (N, D) vectors of the training set in the shared space.
    held_out, held_out_magnitude
        (M, D) and (M,) vectors and magnitudes of moments that the model was not fitted to, from which the limits are.
    level
        Share of them that is within each limit.
    shrinkage
        Towards a sphere of the same trace, 0 to 1.
    """
    shared, held_out = np.asarray(shared, np.float64), np.asarray(held_out, np.float64)
    mean, centred = shared.mean(axis=0), shared - shared.mean(axis=0)
    covariance = centred.T @ centred / len(shared)
    size = len(covariance)
    sphere = max(float(np.trace(covariance)) / size, np.finfo(np.float64).tiny) * np.eye(size)
    precision = np.linalg.inv((1 - shrinkage) * covariance + shrinkage * sphere)
    limits = [np.quantile(_mahalanobis(held_out, mean, precision), level), np.quantile(held_out_magnitude, level)]
    return NoveltyReference(mean, precision, np.maximum(limits, np.finfo(np.float64).eps))


def magnitude_of(normalised: FloatArray, mask: BoolArray | None = None) -> FloatArray:
    """Return the root mean square (N,) of normalised inputs (N, ...) over what counts; NaN where nothing does.

    ``mask`` (N, ...) has the axes of ``normalised`` or fewer at the end: (N, T, C) for features (N, T, C, F).
    """
    values = np.asarray(normalised, np.float64)
    counts = np.ones(values.shape, np.bool_)
    if mask is not None:
        counts = np.broadcast_to(mask.reshape(mask.shape + (1,) * (values.ndim - mask.ndim)), values.shape)
    axes = tuple(range(1, values.ndim))
    number = counts.sum(axis=axes)
    with np.errstate(over="ignore"):
        total = (np.where(counts, values, 0.0) ** 2).sum(axis=axes)
    return np.asarray(np.sqrt(np.divide(total, number, out=np.full(len(values), np.nan), where=number > 0)))


def _mahalanobis(shared: FloatArray, mean: FloatArray, precision: FloatArray) -> FloatArray:
    """Return the distances (N,) of vectors (N, D) from ``mean`` (D,)."""
    away = np.asarray(shared, np.float64) - mean
    return np.asarray(np.sqrt(np.maximum(((away @ precision) * away).sum(axis=1), 0.0)))
