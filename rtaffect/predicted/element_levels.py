"""Whether an element is heard: its level against that of the whole sound, over the seconds that a prediction rests on.

One rule in calibration, live and replay: where an element has less than ``SILENT_DB`` of the sound's power over those
seconds, or the sound itself is silence, what a separator leaves of it is its error and no element; then nothing is
predicted from it, and nothing was fitted to it. A separator that takes more than that of music without a voice for one
says from which level on a voice counts (``voice_db`` of its manifest, as :mod:`bench.voice_presence` finds it).
"""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np

from rtaffect.common.arrays import BoolArray, Float32Array, FloatArray
from rtaffect.predicted.feature_cache import Element
from rtaffect.predicted.manifest import SAMPLE_RATE

#: An element this far below its sound over the seconds that a prediction rests on, dB, is not heard: 1 % of the power.
SILENT_DB: Final = -20.0
#: A sound whose level is below this, dB of full scale, is silence, in which nothing is heard.
NOTHING_DB: Final = -90.0
#: Levels are not told below this, dB of full scale.
LOWEST_DB: Final = -120.0

#: What is said of an element that is not heard.
NOT_HEARD: Final[dict[Element, str]] = {
    "mix": "no sound heard",
    "voice": "no voice heard",
    "background": "no background heard",
}


def power(sound: Float32Array) -> float:
    """Return the mean square of a sound (n,); 0 for none."""
    return float(np.mean(np.square(sound, dtype=np.float64))) if len(sound) else 0.0


def decibels(mean_square: float) -> float:
    """Return a mean square in dB of full scale, not below ``LOWEST_DB``; NaN stays NaN."""
    return max(LOWEST_DB, 10.0 * float(np.log10(mean_square))) if mean_square > 0 else LOWEST_DB + 0.0 * mean_square


def least_db(element: Element, voice_db: float) -> float:
    """Return the level against the sound from which an element is heard, dB; ``voice_db`` is the separator's."""
    return voice_db if element == "voice" else SILENT_DB


def is_heard(element: float, mix: float, least: float = SILENT_DB) -> bool:
    """Return whether an element of this mean square is heard in a sound of that one, from ``least`` dB of it on."""
    return bool(mix > 10.0 ** (NOTHING_DB / 10) and element >= mix * 10.0 ** (least / 10))


class HeardWindow:
    """The powers of an element and its sound over the newest ``seconds``, which a prediction rests on.

    ``least`` is the level against the sound from which it is heard, dB.
    """

    def __init__(self, seconds: int, least: float = SILENT_DB) -> None:
        self._least = least
        self._element: deque[float] = deque(maxlen=seconds)
        self._mix: deque[float] = deque(maxlen=seconds)

    def add(self, element: float, mix: float) -> None:
        """Take the mean squares of the newest second; NaN where there is none."""
        self._element.append(element)
        self._mix.append(mix)

    @property
    def heard(self) -> bool:
        """Whether the element is heard in the seconds that there are; one that is missing does not count."""
        there = [(e, m) for e, m in zip(self._element, self._mix, strict=True) if np.isfinite(e)]
        if not there:
            return False
        element, mix = (sum(each) / len(there) for each in zip(*there, strict=True))
        return is_heard(element, mix, self._least)


def heard_steps(element: Float32Array, mix: Float32Array, seconds: int, least: float = SILENT_DB) -> BoolArray:
    """Return at which steps (floor(n / 16000),) of a whole sound (n,) a session would hear the element.

    ``seconds`` are those that a prediction rests on, ``least`` the level against the sound from which it is heard, dB.
    """
    window, count = HeardWindow(seconds, least), len(mix) // SAMPLE_RATE
    found = np.zeros(count, np.bool_)
    for step in range(count):
        second = slice(step * SAMPLE_RATE, (step + 1) * SAMPLE_RATE)
        window.add(power(element[second]), power(mix[second]))
        found[step] = window.heard
    return found


def only_heard(target: FloatArray, heard: BoolArray) -> FloatArray:
    """Return a target (steps, R) without the steps (steps,) at which the element is not heard: NaN there."""
    return np.where(heard[:, None], target, np.nan)
