"""Sounds found by EEG: a library of sounds in the order of their distance from a person's EEG in the shared space.

The library is a few seconds of every sound of the study, each a point of its own. What is relevant is the very sound
that was heard, or the sounds that other people rated to be of the class in which this person rated it. Average
precision is the mean, over relevant points, of the precision down to each (Manning, Raghavan & Schütze, *Introduction
to Information Retrieval*, 2008, section 8.4); its mean over queries is the mean average precision. Precision at 10 is
another measure.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: Points that precision is of, at the top.
TOP: Final = 10
#: Seconds of each sound in the library.
OF_EACH: Final = 10


class Found(NamedTuple):
    """How well Q queries find what is relevant.

    ``precision`` (Q, R, 2): average precision and precision at 10, for each of R kinds of relevance; NaN where nothing
    is relevant. ``chance`` (Q, R, 2): what an order by chance gives on average.
    """

    precision: Array
    chance: Array


def library_of(stimulus: Indices, second: Indices) -> Indices:
    """Return items (L,) that make the library: up to ``OF_EACH`` different seconds of each sound, evenly over it."""
    _, items = np.unique(np.stack([stimulus, second]), axis=1, return_index=True)
    chosen = []
    for number in np.unique(stimulus):
        own = items[stimulus[items] == number]
        own = own[np.argsort(second[own])]
        chosen.append(own[np.unique(np.linspace(0, len(own) - 1, OF_EACH).round().astype(np.int64))])
    return np.concatenate(chosen)


def unit(vectors: Array) -> Array:
    """Return vectors (..., D) of length 1; those of length 0 stay."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1.0))


def find(queries: Array, library: Array, relevant: Mask) -> Found:
    """Return how well queries find relevant points of a library, by the cosine.

    Parameters
    ----------
    queries
        (Q, D) vectors.
    library
        (L, D) vectors.
    relevant
        (Q, R, L) what is relevant to each query, in R ways.
    """
    order = np.argsort(-(unit(queries) @ unit(library).T), axis=1, kind="stable")
    hits = np.take_along_axis(relevant, order[:, None], axis=2)
    places = np.arange(1, len(library) + 1)
    number = relevant.sum(axis=2)
    there = number > 0
    average = (hits * (hits.cumsum(axis=2) / places)).sum(axis=2) / np.maximum(number, 1)
    top = min(TOP, len(library))
    precision = np.stack([average, hits[:, :, :top].mean(axis=2)], axis=2)
    chance = np.stack([expected(number, len(library)), number / len(library)], axis=2)
    return Found(np.where(there[..., None], precision, np.nan), np.where(there[..., None], chance, np.nan))


def expected(relevant: Indices, size: int) -> Array:
    """Return the average precision of an order by chance, of ``relevant`` points among ``size``.

    At place k of a random order of N points, R of them relevant, a point is relevant with R / N, and so is each of
    those before it with (R - 1) / (N - 1): the mean is (H + (N - H) (R - 1) / (N - 1)) / N, H the N-th harmonic number.
    """
    harmonic = (1.0 / np.arange(1, size + 1)).sum()
    return np.asarray((harmonic + (size - harmonic) * (relevant - 1) / max(1, size - 1)) / size)
