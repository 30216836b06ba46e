"""How far work is whose steps are known beforehand: percent, and the time that is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from rtaffect.common.words import duration

#: Before this share is done, the time that is left is not told: too little is known of it.
_LEAST: Final = 0.05
#: A step that was not expected does not make more than all of it.
_MOST: Final = 0.99


class Counted:
    """Tells ``progress`` of each step with the share that is done, and about how long the rest will take.

    All steps are taken to last alike, so that the time is a guess, and called so.

    Parameters
    ----------
    progress
        Called with one line of text at each step.
    steps
        How many there will be.
    now
        Present time on a clock that runs evenly, s.
    """

    def __init__(self, progress: Callable[[str], None], steps: int, now: Callable[[], float] = time.monotonic) -> None:
        self._progress, self._steps, self._now = progress, steps, now
        self._begun, self._started = 0, now()

    def __call__(self, text: str) -> None:
        """Begin the step ``text``."""
        share, spent = min(self._begun / self._steps, _MOST), self._now() - self._started
        self._begun += 1
        left = f", about {duration(spent / share - spent)} left" if share >= _LEAST else ""
        self._progress(f"{text} ({100 * share:.0f} %{left})")
