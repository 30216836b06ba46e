"""How far one more person's EEG may be from the training set: as far as people are who were left out of it.

Moments of one person are alike, and people are few: a quantile over all moments would be that of the few who are
farthest, and would say nothing of the next one. So each person who was left out gives one number, and the limit is
the upper prediction limit of these numbers for one more person of the same kind.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as students_t

from rtaffect.affect.novelty import LEVEL

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Indices = NDArray[np.int64]

#: Share of people like those of the training set who are within a limit.
PEOPLE: Final = 0.95


def one_more(values: Array, person: Indices, level: float = PEOPLE) -> float:
    """Return what a value of one more person does not exceed, with probability ``level``.

    The upper prediction limit of log-normal values, by Student's t with one degree of freedom less than there are
    people (Hahn & Meeker, *Statistical Intervals*, 1991, section 4.8); the spread is that of all values.

    Parameters
    ----------
    values
        (n,) above 0, one or several of each person.
    person
        (n,) whose each is.
    level
        The probability.
    """
    logs, people = np.log(np.maximum(values, np.finfo(np.float64).tiny)), np.unique(person)
    mean = float(np.mean([logs[person == each].mean() for each in people]))
    spread = float(logs.std(ddof=1)) if len(logs) > 1 else 0.0
    times = float(students_t.ppf(level, max(1, len(people) - 1)))
    return float(np.exp(mean + times * spread * np.sqrt(1 + 1 / len(people))))


def people_limits(distances: Array, person: Indices, hearing: Indices) -> tuple[Array, Array]:
    """Return limits of a moment's distances, and of their medians over a while.

    Parameters
    ----------
    distances
        (M, K) of moments of people who were left out, each of K ways to measure them.
    person, hearing
        (M,) whose moments they are, and of which hearing.

    Returns
    -------
    limits : (K,) float64
        Within which ``LEVEL`` of the moments of one more person are, with probability ``PEOPLE``.
    lasting : (K,) float64
        The same for the median of a hearing.
    """
    people = np.unique(person)
    hearings, first = np.unique(hearing, return_index=True)
    limits, lasting = np.empty((2, distances.shape[1]))
    for way, values in enumerate(distances.T):
        limits[way] = one_more(np.array([np.quantile(values[person == each], LEVEL) for each in people]), people)
        medians = np.array([np.median(values[hearing == each]) for each in hearings])
        lasting[way] = one_more(medians, person[first])
    return limits, lasting


def as_if_left_out(features: Array, mask: Mask, person: Indices, items: Indices) -> Array:
    """Return normalised features (M, T, C, F) of ``items`` (M,) as if their people had had no part in that.

    Parameters
    ----------
    features, mask, person
        (N, T, C, F), (N, T, C) and (N,) of all moments.
    items
        Moments of people who were left out together; where nobody else is there, they stay as they are.
    """
    others = ~np.isin(person, np.unique(person[items]))
    if not others.any():
        return features[items]
    counts = mask[others][..., None]
    number = np.maximum(counts.sum(axis=(0, 1)), 1)
    mean = np.where(counts, features[others], 0.0).sum(axis=(0, 1)) / number
    spread = np.sqrt((np.where(counts, features[others] - mean, 0.0) ** 2).sum(axis=(0, 1)) / number)
    moved = (features[items] - mean) / np.where(spread > 0, spread, 1.0)
    return np.asarray(np.where(mask[items][..., None], moved, 0.0))
