"""What each part of the model brings: the same fits without it, compared over people.

Each person's r of what EEG tells of both new, in the whole model less in one without the part; signs of the differences
are flipped, the same in all tests, and corrected p values are by the largest statistic of all parts and both dimensions
(:func:`calibration.statistics.compare`, with its bound for people who were predicted by fits to each other).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calibration.statistics import compare
from rtaffect.common.errors import RecordingError

Array = NDArray[np.float64]

#: What is left out, by the parameters of :class:`calibration.affect.affect_model.AffectModel` that do it.
PARTS: Final[dict[str, dict[str, Any]]] = {
    "sound supervision": {"sound_weight": 0.0},
    "domain adaptation": {"domain": 0.0},
    "attention": {"attention": False},
    "contrastive term": {"contrast": 0.0},
}


@dataclass(frozen=True, slots=True)
class Brought:
    """What a part brings: mean difference of Fisher's z over people, two-sided p alone and corrected."""

    part: str
    dimension: int
    difference: float
    single: float
    family: float
    people: int


def brought(whole: Array, without: dict[str, Array]) -> list[Brought]:
    """Return what each part brings; nothing where fewer than two people have all values.

    Parameters
    ----------
    whole
        (2, P) each person's r of valence and of arousal with the whole model.
    without
        The same without each part.
    """
    rows = np.concatenate([whole, *without.values()])
    names = list(without)
    pairs = [(output, 2 * (1 + number) + output) for number in range(len(names)) for output in range(2)]
    try:
        found = compare(rows, pairs)
    except RecordingError:
        return []
    return [
        Brought(names[(b - 2) // 2], a, float(d), float(p), float(family), found.units)
        for (a, b), d, p, family in zip(pairs, found.difference, found.single, found.family, strict=True)
    ]
