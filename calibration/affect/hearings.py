"""A study by its hearings: one person, one stimulus, one rating. Scores count these, not seconds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration.affect.splits import means_of
from calibration.affect.study import AffectStudy

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

#: What stands for no hearing.
_NONE: Final = -1


@dataclass(frozen=True, slots=True, eq=False)
class Hearings:
    """H hearings.

    Attributes
    ----------
    person, stimulus : (H,)
        Whose, and of what.
    ratings : (H, 2)
        Valence and arousal, the mean over the hearing's seconds; NaN where not rated.
    of_item : (N,)
        The hearing of each of the study's items.
    """

    person: Indices
    stimulus: Indices
    ratings: Array
    of_item: Indices

    def mean(self, values: Array) -> Array:
        """Return the mean (H, ...) of items' values (N, ...) over each hearing, of what is not NaN."""
        flat = values.reshape(len(values), -1)
        return means_of(flat, self.of_item, len(self.person)).reshape(len(self.person), *values.shape[1:])

    def of_others(self, values: Array) -> Array:
        """Return for each hearing the mean (H, K) of ``values`` (H, K) over all other people who heard the stimulus."""
        there = np.isfinite(values)
        size = int(self.stimulus.max()) + 1
        sums, counts = np.zeros((2, size, values.shape[1]))
        known = np.where(there, values, 0.0)
        np.add.at(sums, self.stimulus, known)
        np.add.at(counts, self.stimulus, there.astype(np.float64))
        others = counts[self.stimulus] - there
        total = sums[self.stimulus] - known
        return _divided(total, others)


def _divided(total: Array, count: Array) -> Array:
    return np.asarray(np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0))


def hearings_of(study: AffectStudy) -> Hearings:
    """Return the hearings of a study, in the order of their numbers."""
    hearing = study.hearing
    _, first = np.unique(hearing, return_index=True)
    ratings = means_of(study.ratings, hearing, len(first))
    return Hearings(study.person[first], study.stimulus[first], ratings, hearing)


def exchanged(study: AffectStudy, seed: int) -> AffectStudy:
    """Return the study with the ratings of each stimulus given to another one, the same for all people.

    How a person uses the scale, and how people agree, stays as it was; what is gone is which sound and which EEG a
    rating belongs to. A person who has not heard the stimulus that the ratings come from has none there.
    """
    generator = np.random.default_rng(seed)
    there = np.unique(study.stimulus)
    source = np.full(len(study.stimuli), _NONE)
    source[there] = generator.permutation(there)
    order = np.lexsort((study.second, study.stimulus, study.person))
    key = study.person * len(study.stimuli) + study.stimulus
    keys, first, count = np.unique(key[order], return_index=True, return_counts=True)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order)) - np.repeat(first, count)
    wanted = study.person * len(study.stimuli) + source[study.stimulus]
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    items = order[first[at] + place % count[at]]
    heard = keys[at] == wanted
    valence, arousal = (np.where(heard, rating[items], np.nan) for rating in (study.valence, study.arousal))
    return replace(study, valence=valence, arousal=arousal)
