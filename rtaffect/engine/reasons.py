"""Why values are missing, or doubtful, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from rtaffect.common.arrays import FloatArray
from rtaffect.engine.found import Against
from rtaffect.engine.trust import Trust
from rtaffect.observed.participant import Participant
from rtaffect.observed.spaces import Kind
from rtaffect.observed.synchrony import Observation
from rtaffect.predicted.kept_sound import KeptSound
from rtaffect.predicted.prediction import Prediction
from rtaffect.predicted.sound_input import SoundInput
from rtaffect.timelock.alignment import Alignment

#: Why a session without a sound predicts nothing, in words.
NO_SOUND: Final = "no sound to predict from"
NO_BUNDLE: Final = "no bundle to predict with"


def poor(participants: Sequence[Participant], quality: FloatArray, kind: Kind, least: float) -> str:
    """Return whose channels are too often bad for rows that are made of all of them; empty where none are.

    ``quality`` (P, C) is the share of the window in which each channel was good, ``least`` what is needed on average,
    and ``kind`` that of the space, whose channels, where they are the rows, are judged one by one.
    """
    if kind == "channels":
        return ""
    found = [p.name for p, q in zip(participants, quality, strict=True) if p.begun and q.mean() < least]
    return f"{', '.join(found)}: less than {least:.0%} of the channels are good" if found else ""


def of_people(participants: Sequence[Participant]) -> list[str]:
    """Return what is wrong with the unit of people's EEG, and which channels are no EEG."""
    return [p.unit_warning for p in participants] + [p.foreign_warning for p in participants]


def of_prediction(prediction: Prediction, sound: SoundInput | KeptSound | None) -> str:
    """Return why nothing is predicted from a sound, or on little of it; empty for neither."""
    if np.isnan(prediction.value).all():
        return "prediction waits for enough sound without a gap"
    return "the featurizer has not heard a whole context yet" if sound is not None and sound.warming_up else ""


def of_observation(observation: Observation, given: str) -> str:
    """Return why an observation has no value, or no null band, where ``given`` does not say that; empty for neither."""
    if np.isfinite(observation.mean).any() and np.isnan(observation.low).all():
        return "the null band waits for more data"
    return "too little good EEG in the window" if np.isnan(observation.mean).all() and not given else ""


def not_compared(against: Against, trust: Trust, alignment: Alignment | None, held_s: float, window_s: float) -> str:
    """Return why no window may be compared now; empty where one may.

    ``held_s`` is for how long the sound has been aligned, of ``window_s`` that are compared, s.
    """
    if against == "group" and (~trust.withheld).sum() < 2:
        return "fewer than two headsets can be relied on: nobody to compare with"
    if against != "reference" or alignment is None:
        return ""
    if not trust.reference:
        return "it is not known when the sound was heard"
    if alignment.state != "locked":
        return alignment.reason
    if held_s >= window_s:
        return ""
    return f"the sound has been aligned for {held_s:g} s of the {window_s} s that are compared"
