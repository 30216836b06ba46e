"""Spherical splines: what a bad channel would have shown, from the good ones."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.polynomial.legendre import legval
from numpy.typing import NDArray

from rtaffect.errors import MontageError

Array = NDArray[np.float64]

_STIFFNESS: Final = 4
_TERMS: Final = 50
_REGULARISATION: Final = 1e-5
#: Splines through fewer electrodes than these say nothing.
_LEAST: Final = 4


def interpolation_matrix(positions: NDArray[np.floating], good: NDArray[np.bool_]) -> Array:
    """Return the matrix that replaces bad channels by their interpolation and leaves the good ones as they are.

    Perrin et al., *Electroencephalography and Clinical Neurophysiology* 72 (1989), with m = 4 and 50 terms; the
    electrodes are brought onto the sphere that fits all of them best, and the diagonal is raised by 1e-5.

    Parameters
    ----------
    positions
        (channels, 3), m.
    good
        (channels,), False for those to be replaced.

    Returns
    -------
    (channels, channels) float64
        Times EEG (channels, time); the columns of bad channels are 0, and each row sums to 1.

    Raises
    ------
    MontageError
        If fewer than four channels are good.
    """
    if good.sum() < _LEAST:
        raise MontageError(
            f"{good.sum()} of {len(good)} channels are good; interpolation needs at least {_LEAST}: mend the contact "
            "of the others"
        )
    places = _on_sphere(np.asarray(positions, np.float64))
    matrix = np.diag(good.astype(np.float64))
    near, far = places[good], places[~good]
    n = len(near)
    system = np.ones((n + 1, n + 1))
    system[:n, :n] = _spline(near @ near.T) + _REGULARISATION * np.eye(n)
    system[n, n] = 0.0
    target = np.concatenate([_spline(far @ near.T), np.ones((len(far), 1))], axis=1)
    matrix[np.ix_(~good, good)] = (target @ np.linalg.inv(system))[:, :n]
    return matrix


def _on_sphere(positions: Array) -> Array:
    """Return unit vectors from the centre of the sphere that fits the positions best (linear least squares)."""
    coefficients = np.concatenate([2 * positions, np.ones((len(positions), 1))], axis=1)
    centre = np.linalg.lstsq(coefficients, np.square(positions).sum(axis=1), rcond=None)[0][:3]
    arms = positions - centre
    unit: Array = arms / np.linalg.norm(arms, axis=1, keepdims=True)
    return unit


def _spline(cosine: Array) -> Array:
    """Return g(cos) of the paper's equation 3."""
    order = np.arange(1, _TERMS + 1)
    factors = np.concatenate([[0.0], (2 * order + 1) / (order * (order + 1.0)) ** _STIFFNESS / (4 * np.pi)])
    value: Array = legval(np.clip(cosine, -1.0, 1.0), factors)
    return value
