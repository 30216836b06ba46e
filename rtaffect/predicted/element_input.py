"""The elements of the sound that people hear, second by second, and their features.

Of a known stimulus they are those of its file, taken from where it is now; of any other sound a streaming separator
makes them as it comes. Either way they go through the featurizer as the sound itself does, from the same second on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import numpy as np

from rtaffect.common.arrays import Float32Array, FloatArray
from rtaffect.predicted.element_levels import NOT_HEARD, SILENT_DB, HeardWindow, decibels, least_db, power
from rtaffect.predicted.feature_cache import Element
from rtaffect.predicted.feature_stream import FeatureStream
from rtaffect.predicted.featurizer import Featurizer
from rtaffect.predicted.manifest import SAMPLE_RATE
from rtaffect.predicted.separator import Elements, Separator
from rtaffect.predicted.sound_input import HeardSecond, SoundInput

#: A known stimulus that is this much elsewhere than it should be, s, has jumped: what was heard before does not count.
JUMP_S: Final = 0.005

NO_PLACE: Final = "it is not known where in the sound it is"
OUTSIDE: Final = "the sound that is known is not heard now"
NO_SECOND: Final = "the newest second of the sound is missing"


class Place(NamedTuple):
    """Where a known stimulus is: when it began, s of session time, NaN where not known, and what it is called."""

    onset_s: float = math.nan
    stimulus: str = ""


class ElementFeature(NamedTuple):
    """Of one element at one step: its features (F,), NaN without, its level, dB of full scale, and why there are none.

    ``reason`` also says that it is not heard, where there are features.
    """

    feature: FloatArray
    level_db: float
    reason: str


class Parts(NamedTuple):
    """The elements of one second, None where there are none, and why; ``begins`` where they do not follow on."""

    elements: Elements | None
    reason: str = ""
    begins: bool = False


class PartsOf(Protocol):
    """What takes a second of sound apart."""

    ahead: int

    def second(self, heard: HeardSecond, place: Place) -> Parts:
        """Return the elements of a second that was heard."""


class KnownParts:
    """The elements of known stimuli, made of their files beforehand.

    Parameters
    ----------
    stimuli
        Elements of each whole stimulus, by the name that the session's lock gives it.
    """

    ahead = 0

    def __init__(self, stimuli: Mapping[str, Elements]) -> None:
        self._stimuli = stimuli
        self._next: tuple[str, int] | None = None

    def second(self, heard: HeardSecond, place: Place) -> Parts:
        """Return the elements of a second by where the stimulus is; beyond its ends there is silence."""
        found = self._stimuli.get(place.stimulus)
        if found is None or not math.isfinite(place.onset_s):
            self._next = None
            return Parts(None, NO_PLACE if found is not None or not place.stimulus else OUTSIDE)
        begin = round((heard.number - 1 - place.onset_s) * SAMPLE_RATE)
        if begin + SAMPLE_RATE <= 0 or begin >= len(found.mix):
            self._next = None
            return Parts(None, OUTSIDE)
        expected, self._next = self._next, (place.stimulus, begin + SAMPLE_RATE)
        follows = expected is not None and expected[0] == place.stimulus
        jumped = expected is None or not follows or abs(begin - expected[1]) > JUMP_S * SAMPLE_RATE
        return Parts(Elements(*(_cut(part, begin) for part in found)), begins=jumped)


class StreamedParts:
    """The elements of any sound, made as it comes; ``separator`` is one that streams (else ArtifactError)."""

    def __init__(self, separator: Separator, sound: SoundInput) -> None:
        self._stream, self._sound = separator.stream(), sound
        self.ahead = separator.manifest.lookahead
        self._next = 0

    def second(self, heard: HeardSecond, place: Place) -> Parts:
        """Return the elements of a second, for which the sound that follows it must be there, too."""
        number, sound = heard
        ahead = self._sound.beyond(number, self.ahead)
        if sound is None or ahead is None:
            self._next = 0
            return Parts(None, NO_SECOND)
        begins, self._next = number != self._next, number + 1
        if begins:
            self._stream.reset()
        voice = self._stream.step(np.concatenate([sound, ahead]))
        return Parts(Elements(sound, voice, sound - voice), begins=begins)


@dataclass(slots=True)
class _Element:
    """One element on its way: the featurizer's pass over it, and its level over what a prediction rests on."""

    stream: FeatureStream
    window: HeardWindow
    newest: ElementFeature


class ElementInput:
    """Brings the features of elements, once a step.

    Parameters
    ----------
    parts
        What takes seconds apart.
    featurizer
        What reads them: that of the sound.
    memory_s
        For each element that is wanted how many seconds of features a prediction rests on.
    voice_db
        From which level against the sound a voice is heard, by what separates it, dB.
    """

    def __init__(
        self,
        parts: PartsOf,
        featurizer: Featurizer,
        memory_s: Mapping[Element, int],
        voice_db: float = SILENT_DB,
    ) -> None:
        self._parts, self._size = parts, featurizer.size
        self._elements = {
            name: _Element(featurizer.stream(), HeardWindow(seconds, least_db(name, voice_db)), self._none(NO_SECOND))
            for name, seconds in memory_s.items()
        }

    def step(
        self, step: int, heard: Sequence[HeardSecond], place: Place, *, left_out: bool = False
    ) -> dict[Element, ElementFeature]:
        """Return the features of each element for second ``step``, of the seconds ``heard`` since the last step.

        As with the sound itself: a second that is missing or ``left_out`` makes the featurizer begin anew, and a step
        whose newest second has not come has no features.
        """
        for second in heard:
            self._take(second, place, left_out)
        if not heard or heard[-1].number != step:
            return {name: self._none(NO_SECOND) for name in self._elements}
        return {name: each.newest for name, each in self._elements.items()}

    def _take(self, second: HeardSecond, place: Place, left_out: bool) -> None:
        gone = second.sound is None or left_out
        parts = Parts(None, NO_SECOND) if gone else self._parts.second(second, place)
        found = parts.elements
        for name, each in self._elements.items():
            if found is None or parts.begins:
                each.stream.reset()
            if found is None:
                each.window.add(math.nan, math.nan)
                each.newest = self._none(parts.reason)
                continue
            sound = getattr(found, name)
            level = power(sound)
            each.window.add(level, power(found.mix))
            feature = each.stream.step(sound).astype(np.float64)
            each.newest = ElementFeature(feature, decibels(level), "" if each.window.heard else NOT_HEARD[name])

    def _none(self, reason: str) -> ElementFeature:
        return ElementFeature(np.full(self._size, np.nan), math.nan, reason)


def _cut(sound: Float32Array, begin: int) -> Float32Array:
    """Return the second of ``sound`` (n,) from sample ``begin`` on, with silence beyond its ends."""
    inside = sound[max(0, begin) : max(0, begin + SAMPLE_RATE)]
    before = max(0, -begin)
    return np.pad(inside, (before, SAMPLE_RATE - before - len(inside))).astype(np.float32, copy=False)
