"""What is told without any model: the more frequent class, and what other people say of the very sound.

The second one is what most work forgets. It needs ratings of the sound by others, which a new sound has not: there it
is no rival, but shows how much of a rating the sound alone decides.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration.affect.hearings import Hearings
from calibration.affect.scores import balanced_accuracy, correlation

Array = NDArray[np.float64]

#: In the order of every array.
BASELINES: Final = ("majority", "mean of the others")


def baseline_scores(hearings: Hearings, fold: NDArray[np.int64]) -> Array:
    """Return each person's balanced accuracy and r (B, 2, 2, P) by each baseline, for valence and arousal.

    The majority is that of all others' hearings; it has no r, as it does not vary.

    Parameters
    ----------
    hearings
        All of them.
    fold
        (H,) of the stimuli, as for :func:`calibration.affect.scores.correlation`.
    """
    people = int(hearings.person.max()) + 1
    found = np.full((len(BASELINES), 2, 2, people), np.nan)
    others = hearings.of_others(hearings.ratings)
    for output in range(2):
        y, base = hearings.ratings[:, output], others[:, output]
        for person in range(people):
            own = hearings.person == person
            more = float((y[~own] > 0).sum() > (y[~own] < 0).sum())
            found[0, output, 0, person] = balanced_accuracy(np.full(own.sum(), more), y[own])
            decided = np.where(np.isfinite(base[own]), base[own] > 0, np.nan)
            found[1, output, 0, person] = balanced_accuracy(decided, y[own])
            found[1, output, 1, person] = correlation(base[own], y[own], fold[own])
    return found
