"""How predicted and observed synchrony have agreed so far, for programs outside: of the mean, of what is trusted."""

from __future__ import annotations

from typing import Final

import numpy as np

from rtaffect.common.chance import USUAL
from rtaffect.common.settings import DriftSettings
from rtaffect.engine.feedback import MEAN_ROW, Feedback
from rtaffect.present.time_courses import Agreement, agreement
from rtaffect.protocol.rule import synchrony_of

#: It is worked out anew after so many steps: what chance gives takes a while over hours.
EVERY: Final = 5
#: In a long session, after so many more of its steps.
_SHARE: Final = 200


class MeanAgreement:
    """A sink of Feedback that knows how the two means over the trusted rows have agreed; from any thread.

    Parameters
    ----------
    window
        Length of the window of synchrony, steps.
    drift
        What is taken out of both.
    """

    def __init__(self, window: int, drift: DriftSettings = USUAL) -> None:
        self._window, self._drift = window, drift
        self._means: list[tuple[float, float]] = []
        self._known: tuple[int, Agreement] = (0, Agreement(None, 0))

    def __call__(self, feedback: Feedback) -> None:
        """Take a step."""
        observed, predicted = synchrony_of(feedback, (MEAN_ROW,))
        self._means.append((predicted, observed))

    def now(self) -> Agreement:
        """Return the agreement over the steps so far, a few steps old: ``EVERY``, later more."""
        count = len(self._means)
        # What chance gives takes longer with each hour, and changes less.
        if count - self._known[0] >= max(EVERY, count // _SHARE):
            predicted, observed = np.array(self._means[:count]).T
            self._known = count, agreement(predicted, observed, self._window, self._drift)
        return self._known[1]
