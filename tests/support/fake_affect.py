"""Valence and arousal as a bundle of affect gives them, made up from a seed."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from rtaffect.affect.values import AffectEstimate, AffectValues, NearSound
from rtaffect.engine.feedback import Feedback

SOUNDS = ("a storm at sea.wav", "lullaby-03.flac", "crowd before the final.ogg")


def with_affect(
    steps: list[Feedback],
    people: tuple[str, ...],
    *,
    library: bool = True,
    bad: tuple[int, int] = (0, 0),
    seed: int = 4,
) -> list[Feedback]:
    """Return steps with the affect of ``people`` ('' for the sound alone); no EEG counts in the steps of ``bad``."""
    rng = np.random.default_rng(4)
    return [
        replace(
            f,
            affect=tuple(_values(f.time, n, p, rng, library, bad[0] < f.step <= bad[1]) for n, p in enumerate(people)),
        )
        for f in steps
    ]


def _values(t: float, number: int, person: str, rng: np.random.Generator, library: bool, bad: bool) -> AffectValues:
    course = [0.6 * math.sin(t / (23 + 9 * i) + i + number) for i in range(2)]

    def estimate(noise: float, novelty: float) -> AffectEstimate:
        valence, arousal = (float(np.clip(0.9 * c + noise * rng.standard_normal(), -1, 1)) for c in course)
        high = [1 / (1 + math.exp(-3 * v)) for v in (valence, arousal)]
        return AffectEstimate(valence, arousal, *high, novelty)

    early, rests = t <= 3, t <= 30
    sound = AffectEstimate(reason="the sound is not long enough yet") if early else estimate(0.05, 0.35)
    why = ""
    if person == "":
        return AffectValues("", sound=sound)
    if rests:
        why = f"the person's rest is being measured: {t:.0f} of 30 s"
    elif bad:
        why = "this person's newest 30 s are too far from the training set (1.2 times the limit)"
    eeg = AffectEstimate(reason=why) if why else estimate(0.12, 0.72)
    both = AffectEstimate(reason=why) if why else estimate(0.06, 0.72)
    near = tuple(NearSound(name, 0.9 - 0.13 * i) for i, name in enumerate(SOUNDS)) if library and eeg.there else ()
    return AffectValues(person, eeg, sound, both, near, min(t, 30.0), 30.0)
