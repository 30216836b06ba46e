"""How predicted and observed synchrony have agreed so far, for programs outside: of the mean, of what is trusted."""

from __future__ import annotations

from typing import Final

import numpy as np

from rtaffect.engine.feedback import MEAN_ROW, Feedback
from rtaffect.present.time_courses import Agreement, agreement
from rtaffect.protocol.rule import synchrony_of

#: It is worked out anew after so many steps: what chance gives takes a while over hours.
EVERY: Final = 5


class MeanAgreement:
    """A sink of Feedback that knows how the two means over the trusted rows have agreed; from any thread.

    Parameters
    ----------
    window
        Length of the window of synchrony, steps.
    """

    def __init__(self, window: int) -> None:
        self._window = window
        self._means: list[tuple[float, float]] = []
        self._known: tuple[int, Agreement] = (0, Agreement(None, 0))

    def __call__(self, feedback: Feedback) -> None:
        """Take a step."""
        observed, predicted = synchrony_of(feedback, (MEAN_ROW,))
        self._means.append((predicted, observed))

    def now(self) -> Agreement:
        """Return the agreement over the steps so far, at most ``EVERY`` steps old."""
        count = len(self._means)
        if count - self._known[0] >= EVERY:
            predicted, observed = np.array(self._means[:count]).T
            self._known = count, agreement(predicted, observed, self._window)
        return self._known[1]
