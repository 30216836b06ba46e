"""Channels of a study that are called EEG and carry something else in somebody: they are no rows, for nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from calibration.study import Study
from rtaffect.common.arrays import FloatArray
from rtaffect.common.settings import Settings
from rtaffect.common.threads import one_thread
from rtaffect.observed.participant import Participant

#: What a channel sends tells what it is within so many seconds.
_LOOK_S: Final = 10


@one_thread()
def foreign_channels(
    study: Study, channels: Sequence[str], heard: Mapping[str, Sequence[FloatArray]], settings: Settings
) -> dict[str, str]:
    """Return the channels that carry no EEG in a listener by what they send, and in whom they do what, in words.

    Only those are looked at that are good in no second of any sound of a listener who has good ones: what is foreign
    has no value, as live. ``heard`` are each sound's listeners' clean channels (time, C), NaN where bad.
    """
    found: dict[str, str] = {}
    for number, listener in enumerate(study.listeners):
        there = np.any([np.isfinite(people[number]).any(axis=0) for people in heard.values()], axis=0)
        if there.all() or not there.any():
            continue
        never = {name for name, good in zip(channels, there, strict=True) if not good}
        for name, words in _foreign_in(study, listener, channels, settings).items():
            if name in never:
                found.setdefault(name, f"in {listener} it {words}")
    return found


def _foreign_in(study: Study, listener: str, channels: Sequence[str], settings: Settings) -> Mapping[str, str]:
    """Return what of a listener's ``channels`` is no EEG by the first seconds of the first sound that they heard."""
    for sound in study.sounds():
        if study.hears(listener, sound):
            source, onset = study.eeg(listener, sound)
            participant = Participant(source, channels, settings, onset, partial=True)
            seconds = min(_LOOK_S, sound.seconds)
            source.advance(onset + seconds + participant.lookahead_s)
            participant.advance(seconds)
            return participant.foreign
    return {}


def told_foreign(foreign: Mapping[str, str]) -> list[str]:
    """Return what is said of channels that are left out, one line each."""
    return [f"{name} is left out for everybody: {words}, so that it is no EEG" for name, words in foreign.items()]
