"""What is true of the sound of a session: when it was not where it should be, and where it began."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Truth:
    """The truth of a case with sound; times are s after the script's zero.

    Attributes
    ----------
    bad
        (n, 2): from when to when the sound was not where it should be, or not to be heard, or broken.
    begin
        When the sound began, by where it is at a time.
    """

    bad: np.ndarray
    begin: Callable[[float], float]
