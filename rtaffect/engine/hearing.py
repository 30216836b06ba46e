"""Gives each second of the sound to what reads it: at its step, or before that is due, as soon as it is there."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from rtaffect.common.arrays import FloatArray
from rtaffect.engine.affecting import Affecting
from rtaffect.engine.pace import Pace
from rtaffect.predicted.kept_sound import KeptSound
from rtaffect.predicted.sound_input import SoundInput


class Hearing:
    """Features of each second, and how long they take; ``affect`` hears the same, ``pace`` says whether there is time.

    A second that was heard early is the one that its step has, to the bit: what is on the sound's grid stays as it is.
    Where its step leaves it out after all, what was made of it is dropped.
    """

    def __init__(self, sound: SoundInput | KeptSound, affect: Affecting, pace: Pace) -> None:
        self._sound, self._affect, self._pace = sound, affect, pace
        self._early_s = 0.0

    def early(self, step: int, end: float, present: Callable[[], float]) -> None:
        """Take in what has come so far of second ``step``, which ends at ``end`` (s), and hear it if it is whole.

        ``present`` tells what time it is. Only a featurizer of which it is known that it is quick is called early: by
        a slow one the step would be late, and be taken for one that is behind.
        """
        self._sound.prepare(step)
        if not self._pace.is_quick(end):
            return
        begun = present()
        if (second := self._sound.hear_early(step)) is not None:
            self._affect.hear_early(second)
            self._early_s = present() - begun

    def step(
        self, step: int, present: Callable[[], float], before: Mapping[str, float], *, left_out: bool
    ) -> tuple[FloatArray, float]:
        """Return the features of second ``step``, as :meth:`SoundInput.feature`, and how long hearing it took, s.

        ``before`` are times from which on samples came after the step when it ran, s, by the names of what reads them.
        """
        begun, early_s = present(), self._early_s
        self._early_s = 0.0
        self._sound.advance(step, before.get(self._sound.name, math.inf))
        feature = self._sound.feature(step, left_out=left_out)
        self._affect.hear(self._sound, left_out=left_out)
        return feature, early_s + present() - begun
