"""What a model of affect is given, checked and brought into the form that the nets take."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from rtaffect.affect.novelty import magnitude_of
from rtaffect.affect.settings import DIMENSIONS

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Indices = NDArray[np.int64]

#: A feature that varies less, in its unit, is taken as it is.
_FLAT: Final = 1e-6


def eeg_of(X: Any) -> tuple[Array, Mask]:
    """Return EEG (N, T, C, F), 0 where it does not count, and where it does (N, T, C); raises ValueError."""
    features = np.asarray(X, np.float64)
    if features.ndim != 4 or 0 in features.shape:
        raise ValueError(f"X is {features.shape}; expected (moments, seconds, channels, bands), none of them 0")
    mask: Mask = np.asarray(np.isfinite(features).all(axis=3))
    return np.where(mask[..., None], features, 0.0), mask


def checked(X: Any, y: Any) -> tuple[Array, Mask, Array]:
    """Return EEG and where it counts, as :func:`eeg_of`, and ratings (N, 2); raises ValueError."""
    features, mask = eeg_of(X)
    ratings = np.asarray(y, np.float64)
    if ratings.shape != (len(features), len(DIMENSIONS)):
        raise ValueError(f"y is {ratings.shape}; expected ({len(features)}, 2): ratings of valence and arousal")
    if (np.abs(ratings) > 1).any():
        raise ValueError(f"y reaches {np.nanmax(np.abs(ratings)):g}; expected ratings within -1..1")
    return features, mask, ratings


def embedding_of(sound: Any, count: int) -> Array:
    """Return embeddings (count, E); raises ValueError."""
    embedding = np.asarray(sound, np.float64)
    if embedding.ndim != 2 or len(embedding) != count or not embedding.shape[1]:
        raise ValueError(f"sound is {embedding.shape}; expected ({count}, E): an embedding of each moment")
    if not np.isfinite(embedding).all():
        raise ValueError("sound has values that are not finite; leave such moments out")
    return embedding


def numbers_of(values: Any, count: int, name: str, usual: Indices) -> Indices:
    """Return numbers (count,) from 0 for values that may be names or numbers."""
    if values is None:
        return usual
    found = np.asarray(values)
    if found.shape != (count,):
        raise ValueError(f"{name} is {found.shape}; expected ({count},)")
    return np.asarray(np.unique(found, return_inverse=True)[1].reshape(-1), np.int64)


def spread_of(values: Array, axes: tuple[int, ...]) -> tuple[Array, Array]:
    """Return mean and standard deviation over axes, of what is not NaN; 1 for the latter where it is flat."""
    there = np.isfinite(values)
    count = np.maximum(there.sum(axis=axes), 1)
    mean = np.where(there, values, 0.0).sum(axis=axes) / count
    std = np.sqrt((np.where(there, values - mean, 0.0) ** 2).sum(axis=axes) / count)
    return mean, np.where(std > _FLAT, std, 1.0)


def high_share(ratings: Array, hearing: Indices) -> Array:
    """Return the share (2,) of hearings that were rated high, among those that were rated high or low."""
    weight = 1.0 / np.bincount(hearing)[hearing][:, None]
    high, low = ((side * weight).sum(axis=0) for side in (ratings > 0, ratings < 0))
    return np.asarray(high / (high + low))


def magnitude(values: torch.Tensor, mask: torch.Tensor | None = None) -> Array:
    """Return the root mean square (N,) of normalised inputs over what counts."""
    return magnitude_of(values.double().numpy(), None if mask is None else mask.numpy() > 0)


def tensor(values: NDArray[Any]) -> torch.Tensor:
    """Return values as a float32 tensor."""
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))


def device_of(name: str) -> torch.device:
    """Return the device of a name; ``auto`` is a GPU where there is one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)
