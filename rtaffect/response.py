"""From one person's clean channels to the signal whose synchrony is computed, second by second."""

from __future__ import annotations

from dataclasses import replace

from rtaffect.course import CourseSignal
from rtaffect.settings import Settings
from rtaffect.signal_path import Signal
from rtaffect.spaces import Space


class Response:
    """What one person's brain shows in each row; the same live, in replay and in calibration.

    Parameters
    ----------
    space
        What the rows are.
    settings
        Which signal of the rows is compared.

    Attributes
    ----------
    layout
        How the columns that come out make rows.
    """

    def __init__(self, space: Space, settings: Settings) -> None:
        self._space = space
        self._signal = CourseSignal(settings, space.layout.measured, space.layout.k)
        self.layout = replace(space.layout, k=self._signal.k)

    def __call__(self, second: Signal) -> Signal:
        """Take the next second of the space's channels (n, C), V; return the columns (n, M * k), NaN where missing."""
        return self._signal(self._space.courses(second))
