"""From a lead field to rows that read regions off the scalp: eLORETA, and each region's leading components.

Plain numpy, so that the live side can weight anew when a channel goes bad; with 64 channels and 5124 sources that takes
tens of milliseconds. The same functions make the operator in the first place, so both are one path.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.threads import one_thread

Array = NDArray[np.float64]

#: Regularisation: noise power over signal power in the electrodes. 1/9 is usual for evoked averages; ongoing EEG has
#: more noise. 1/3 finds planted patches more often at SNR 1 and hardly less often at 3, and recovers courses of
#: synchrony better (docs/headmodel.md).
LAMBDA2: Final = 1.0 / 3.0
_TOLERANCE: Final = 1e-6
_MOST_TURNS: Final = 100


def average_reference(lead_field: NDArray[np.floating]) -> Array:
    """Return ``lead_field`` (channels, ...) as seen against the mean of its channels."""
    field = np.asarray(lead_field, np.float64)
    against: Array = field - field.mean(axis=0)
    return against


@one_thread()
def eloreta(lead_field: NDArray[np.floating], lambda2: float = LAMBDA2) -> Array:
    """Return the eLORETA kernel of sources with fixed orientation and equal noise in all channels.

    Pascual-Marqui, arXiv 0710.3341: weights w of the sources such that w_i = (g_i' M g_i)^-1/2 with
    M = pinv(sum_i w_i g_i g_i' + lambda2), fixed by iteration; the kernel is w_i g_i' M. The weights are scaled such
    that the mean eigenvalue of the sum is 1, which gives ``lambda2`` its meaning (MNE-Python does the same).

    Parameters
    ----------
    lead_field
        (channels, N), V per A m; any reference.
    lambda2
        Regularisation, relative to the mean eigenvalue.

    Returns
    -------
    (N, channels) float64
        A m per V; each row sums to 0, so that the reference of the EEG does not matter.
    """
    field = average_reference(lead_field)
    weights = eloreta_weights(field, lambda2)
    kernel: Array = weights[:, None] * (field.T @ _regularised_inverse((field * weights) @ field.T, lambda2))
    return kernel


@one_thread()
def eloreta_weights(field: Array, lambda2: float) -> Array:
    """Return eLORETA's weights of the sources (N,), scaled, for an average-referenced lead field (channels, N)."""
    weights = np.ones(field.shape[1])
    covariance = _scaled(field, weights)
    for _ in range(_MOST_TURNS):
        inverse = _regularised_inverse(covariance, lambda2)
        last = weights
        weights = 1.0 / np.sqrt(np.einsum("cn,cn->n", inverse @ field, field))
        covariance = _scaled(field, weights)
        if np.linalg.norm(weights - last) < _TOLERANCE * np.linalg.norm(last):
            break
    return weights


class Reweighting:
    """Rows of parts of the sources from any of the channels, at the cost of one small matrix inversion.

    The sources' weights stay those of all channels, where :func:`eloreta` would find them anew: with them the inverse
    needs of the lead field only what is summed up here.

    Parameters
    ----------
    lead_field
        (channels, N), V per A m; any reference.
    basis, members, n_parts
        As for :func:`component_rows`.
    lambda2
        Regularisation, see :func:`eloreta`.
    """

    @one_thread()
    def __init__(
        self,
        lead_field: NDArray[np.floating],
        basis: NDArray[np.floating],
        members: NDArray[np.integer],
        n_parts: int,
        lambda2: float = LAMBDA2,
    ) -> None:
        field = average_reference(lead_field)
        weights = eloreta_weights(field, lambda2)
        weighted = field * weights
        self._lambda2 = lambda2
        self._covariance: Array = weighted @ field.T
        self._patterns = component_rows(weighted.T, basis, members, n_parts).reshape(-1, len(field))

    def rows(self, used: NDArray[np.bool_]) -> Array:
        """Return the rows (n_parts * k, channels used), A m per V; each sums to 0. At least two must be used."""
        n = int(used.sum())
        centring = np.eye(n) - 1.0 / n
        covariance = centring @ self._covariance[np.ix_(used, used)] @ centring
        scale = float(np.trace(covariance)) / (n - 1)
        inverse = _regularised_inverse(covariance / scale, self._lambda2)
        return np.asarray(self._patterns[:, used] @ (centring @ inverse) / scale)


def _scaled(field: Array, weights: Array) -> Array:
    """Return ``field * weights @ field.T``, and scale the weights in place, such that its mean eigenvalue is 1.

    The average reference takes one dimension away, so there are channels - 1 eigenvalues.
    """
    covariance: Array = (field * weights) @ field.T
    scale = float(np.trace(covariance)) / (len(field) - 1)
    weights /= scale
    covariance /= scale
    return covariance


def _regularised_inverse(covariance: Array, lambda2: float) -> Array:
    """Return the inverse of ``covariance + lambda2`` where the average reference leaves something to invert."""
    values, vectors = np.linalg.eigh(covariance)
    values, vectors = values[1:], vectors[:, 1:]
    inverse: Array = (vectors / (values + lambda2)) @ vectors.T
    return inverse


def components(kernel: Array, members: NDArray[np.integer], n_parts: int, k: int) -> Array:
    """Return what each part (region or zone) of the sources is summed up by: its leading left-singular vectors.

    The k left-singular vectors of a part's share of ``kernel`` are the patterns over its sources that the sensors see
    best. Their sign is such that each pattern's sum is not negative: a positive course is current that leaves the
    cortex on balance.

    Parameters
    ----------
    kernel
        (N, channels).
    members
        (N,) part of each source, -1 for none.
    n_parts, k
        How many parts, and components of each.

    Returns
    -------
    (N, k) float64
        Orthonormal columns within each part; 0 for sources of no part and beyond a part's rank.
    """
    basis = np.zeros((len(members), k))
    for part in range(n_parts):
        own = np.flatnonzero(members == part)
        left = _leading_left(kernel[own], k)
        basis[own, : left.shape[1]] = left * np.where(left.sum(axis=0) < 0, -1.0, 1.0)
    return basis


def _leading_left(matrix: Array, k: int) -> Array:
    """Return up to k left-singular vectors (n, k), the strongest first, from the smaller of the two Gram matrices."""
    if len(matrix) <= matrix.shape[1]:
        left: Array = np.linalg.eigh(matrix @ matrix.T)[1][:, : -k - 1 : -1]
        return left
    values, vectors = np.linalg.eigh(matrix.T @ matrix)
    scaled: Array = matrix @ vectors[:, : -k - 1 : -1] / np.sqrt(values[: -k - 1 : -1])
    return scaled


def component_rows(kernel: Array, basis: NDArray[np.floating], members: NDArray[np.integer], n_parts: int) -> Array:
    """Return the rows that give each part's course from EEG.

    A part's k values at an instant are the estimated currents of its n sources on its components, over sqrt(n): the sum
    of their squares is the part's mean squared current, A^2 m^2 (but for what k components leave out).

    Parameters
    ----------
    kernel
        (N, channels), A m per V.
    basis
        (N, k), of :func:`components`.
    members
        (N,) part of each source, -1 for none.
    n_parts
        How many parts.

    Returns
    -------
    (n_parts, k, channels) float64
        A m per V; each row sums to 0.
    """
    rows = np.zeros((n_parts, basis.shape[1], kernel.shape[1]))
    for part in range(n_parts):
        own = members == part
        rows[part] = basis[own].T @ kernel[own] / np.sqrt(max(1, int(own.sum())))
    return rows


def crosstalk(rows: NDArray[np.floating], lead_field: NDArray[np.floating], regions: NDArray[np.integer]) -> Array:
    """Return how much of each part's estimated power comes from each region, when all regions are equally active.

    Within a region the sources are independent and equally strong; each region has the same total power. This is the
    resolution matrix (kernel times lead field; Hauk et al., *NeuroImage* 54, 2011), squared and summed by region.

    Parameters
    ----------
    rows
        (parts, k, channels).
    lead_field
        (channels, N).
    regions
        (N,) region of each source, -1 for none.

    Returns
    -------
    (parts, regions) float64
        Shares; each row sums to 1.
    """
    seen = np.asarray(rows, np.float64) @ average_reference(lead_field)
    power = np.einsum("pkn,pkn->pn", seen, seen)
    inside = regions >= 0
    n_sources = np.bincount(regions[inside])
    by_region = np.stack([np.bincount(regions[inside], p[inside], len(n_sources)) / n_sources for p in power])
    shares: Array = by_region / by_region.sum(axis=1, keepdims=True)
    return shares
