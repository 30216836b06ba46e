"""Why a step has no values, or doubtful ones, in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rtaffect.common.arrays import FloatArray
from rtaffect.observed.participant import Participant
from rtaffect.observed.spaces import Space
from rtaffect.observed.synchrony import Observation
from rtaffect.predicted.prediction import Prediction


def poor(space: Space, people: Sequence[Participant], quality: FloatArray, least: float) -> str:
    """Return whose channels are too often bad for rows that are made of all of them; empty where none are.

    ``quality`` (P, C) is the fraction of the window in which each channel was good, ``least`` how many must be.
    """
    if space.kind == "channels":
        return ""
    found = [p.name for p, q in zip(people, quality, strict=True) if p.begun and q.mean() < least]
    return f"{', '.join(found)}: less than {least:.0%} of the channels are good" if found else ""


def why_not(
    observation: Observation,
    prediction: Prediction,
    people: Sequence[Participant],
    given: str,
    *,
    unpredicted: str,
    warming_up: bool,
) -> list[str]:
    """Return why values are missing that the observation itself gave no reason for.

    ``given`` is the observation's own reason, ``unpredicted`` why nothing can be predicted at all, and ``warming_up``
    says that the featurizer has heard too little.
    """
    reasons = [person.unit_warning for person in people]
    reasons += [person.foreign_warning for person in people]
    if unpredicted:
        reasons.append(unpredicted)
    elif np.isnan(prediction.value).all():
        reasons.append("prediction waits for enough sound without a gap")
    elif warming_up:
        reasons.append("the featurizer has not heard a whole context yet")
    if np.isfinite(observation.mean).any() and np.isnan(observation.low).all():
        reasons.append("the null band waits for more data")
    elif np.isnan(observation.mean).all() and not given:
        reasons.append("too little good EEG in the window")
    return reasons
