"""Which people and which stimuli are kept apart: for validation, and inside of training.

Folds are of whole people and whole stimuli, never of seconds. Stimuli are dealt out so that each fold has its share of
all four quadrants of valence and arousal: both dimensions, not one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibration.affect.early import Split
from rtaffect.common.errors import RecordingError

Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]
Array = NDArray[np.float64]

#: Folds of people and of stimuli inside of training.
INNER: int = 3


class Grid(NamedTuple):
    """Folds of people (P,) and of stimuli (S,), numbers from 0; -1 for those that have no items."""

    people: Indices
    stimuli: Indices

    @property
    def shape(self) -> tuple[int, int]:
        """How many folds of people and of stimuli there are."""
        return int(self.people.max()) + 1, int(self.stimuli.max()) + 1


def grid_of(person: Indices, stimulus: Indices, ratings: Array, folds: tuple[int, int], seed: int) -> Grid:
    """Return folds of people and of stimuli, at most so many of each.

    Parameters
    ----------
    person, stimulus
        (N,) numbers from 0.
    ratings
        (N, 2), -1..1, NaN where there is none.
    folds
        Of people and of stimuli.
    seed
        Of the order in which they are dealt out.
    """
    generator = np.random.default_rng(seed)
    people = np.full(int(person.max()) + 1, -1)
    there = np.unique(person)
    people[generator.permutation(there)] = np.arange(len(there)) % min(folds[0], len(there))
    stimuli = np.full(int(stimulus.max()) + 1, -1)
    there = np.unique(stimulus)
    means = np.nan_to_num(means_of(ratings, stimulus, len(stimuli))[there])
    quadrant = (means[:, 0] > 0) * 2 + (means[:, 1] > 0)
    shuffled = generator.permutation(len(there))
    order = shuffled[np.argsort(quadrant[shuffled], kind="stable")]
    stimuli[there[order]] = np.arange(len(there)) % min(folds[1], len(there))
    return Grid(people, stimuli)


def means_of(values: Array, group: Indices, count: int) -> Array:
    """Return the mean (count, K) of values (N, K) over each group, of those that are not NaN; NaN where none is."""
    there = np.isfinite(values)
    sums, numbers = np.zeros((2, count, values.shape[1]))
    np.add.at(sums, group, np.where(there, values, 0.0))
    np.add.at(numbers, group, there.astype(np.float64))
    return np.asarray(np.divide(sums, numbers, out=np.full(sums.shape, np.nan), where=numbers > 0))


def inner_splits(person: Indices, stimulus: Indices, ratings: Array, count: int, seed: int) -> list[Split]:
    """Return up to ``count`` inner parts, in which neither a person nor a stimulus stands on both sides.

    Where there is one person only, stimuli alone are kept apart.

    Raises
    ------
    RecordingError
        If no part would have anything to train on and anything to look at.
    """
    grid = grid_of(person, stimulus, ratings, (INNER, INNER), seed)
    people, stimuli = grid.shape
    rated = np.isfinite(ratings).any(axis=1)
    found = []
    for number in range(min(count, max(people, stimuli))):
        of_people = grid.people[person] == number % people if people > 1 else np.ones(len(person), np.bool_)
        of_stimuli = grid.stimuli[stimulus] == number % stimuli
        train = ~of_stimuli & rated & (~of_people if people > 1 else True)
        held = of_people & of_stimuli & rated
        if train.any() and held.any() and stimuli > 1:
            found.append(Split(np.flatnonzero(train), np.flatnonzero(held)))
    if not found:
        raise RecordingError(
            f"{len(np.unique(person))} people and {len(np.unique(stimulus))} stimuli cannot be parted so that some "
            "people hear stimuli that the others do not; expected 2 rated stimuli or more, heard by the same people"
        )
    return found


def check_ratings(ratings: Array, hearing: Indices, names: Sequence[str], where: str) -> None:
    """Refuse ratings that nothing can be learnt from: raises RecordingError.

    Parameters
    ----------
    ratings
        (N, 2) of valence and arousal, -1..1, NaN where there is none.
    hearing
        (N,) of each.
    names
        Of the dimensions.
    where
        Whose ratings they are, for the message.
    """
    means = means_of(ratings, hearing, int(hearing.max(initial=-1)) + 1)
    for name, values in zip(names, means.T, strict=True):
        if not np.isfinite(values).any():
            raise RecordingError(
                f"{where} has no ratings of {name}; expected ratings of valence and arousal: add them to the study's "
                "table of ratings"
            )
        high, low = int((values > 0).sum()), int((values < 0).sum())
        if not high or not low:
            side, count = ("above", high) if high else ("below", low)
            raise RecordingError(
                f"{where}: {name} has one class only, {count} hearings {side} the scale's middle and none on the other "
                "side; expected both: check the scale, or add stimuli of the other kind"
            )
