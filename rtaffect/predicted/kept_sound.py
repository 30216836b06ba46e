"""What is kept of a sound that was removed: the principal components that predictions are made of, step by step.

A few numbers a second, from which no speech can be made again; with the bundle that they were computed for they give
the very predictions of the session.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rtaffect.common.arrays import FloatArray
from rtaffect.predicted.element_input import NO_SECOND, ElementFeature, Place
from rtaffect.predicted.feature_cache import Element
from rtaffect.predicted.sound_input import HeardSecond


@dataclass(frozen=True, slots=True)
class KeptElements:
    """Stands in for a :class:`rtaffect.predicted.element_input.ElementInput` whose sound is gone.

    ``steps`` has for each element, step by step, its components, level and reason, as they were found.
    """

    steps: Mapping[Element, Sequence[ElementFeature]]

    @property
    def names(self) -> tuple[Element, ...]:
        """Which elements they are."""
        return tuple(self.steps)

    def step(
        self, step: int, heard: Sequence[HeardSecond], place: Place, *, left_out: bool = False
    ) -> dict[Element, ElementFeature]:
        """Return what is kept of second ``step``."""
        return {name: self._at(kept, step) for name, kept in self.steps.items()}

    def _at(self, kept: Sequence[ElementFeature], step: int) -> ElementFeature:
        if 1 <= step <= len(kept):
            return kept[step - 1]
        size = len(kept[0].feature) if kept else 1
        return ElementFeature(np.full(size, np.nan), math.nan, NO_SECOND)


@dataclass(slots=True)
class KeptSound:
    """Stands in for a :class:`rtaffect.predicted.sound_input.SoundInput` whose sound is gone.

    Attributes
    ----------
    components
        (steps, C) standardised principal components, NaN where there was no sound to read.
    warming
        For each step whether the featurizer had not heard a whole context yet.
    lookahead_s
        How much later than a step the sound's samples had to reach, s.
    elements
        The same of voice and background, where they were predicted from.
    heard, given
        Nothing: there is no sound, and no featurizer.
    name, of, reached
        Nothing: no sound comes.
    """

    components: FloatArray
    warming: tuple[bool, ...]
    lookahead_s: float
    elements: KeptElements | None = None
    heard: tuple[HeardSecond, ...] = ()
    given: int = 0
    name: str = ""
    of: str = ""
    reached: float = math.inf
    _step: int = 0

    def advance(self, step: int, until: float = math.inf) -> None:
        """Go on to ``step``."""
        self._step = step

    def lacks(self, step: int) -> bool:
        """Return that nothing is to come."""
        return False

    def prepare(self, step: int) -> None:
        """Do nothing: all is there."""

    def hear_early(self, step: int) -> HeardSecond | None:
        """Return that nothing is given to a featurizer."""
        return None

    def feature(self, step: int, *, left_out: bool = False) -> FloatArray:
        """Return the components (C,) of second ``step``; NaN beyond what is kept, and where it was ``left_out``."""
        if not left_out and 1 <= step <= len(self.components):
            return np.asarray(self.components[step - 1])
        return np.full(self.components.shape[1], np.nan)

    @property
    def warming_up(self) -> bool:
        """Whether the newest components were made of less sound than the featurizer's whole context."""
        return 1 <= self._step <= len(self.warming) and self.warming[self._step - 1]
