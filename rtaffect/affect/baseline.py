"""A person's own rest: the mean of each feature over it is subtracted from all that follows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from rtaffect.common.arrays import BoolArray, FloatArray


@dataclass(slots=True)
class RestBaseline:
    """Measures one person's rest, second by second.

    It is fixed when the rest ends with enough good seconds: later blocks of rest change nothing. With too few of them
    the next rest goes on where this one ended. Seconds that turn out to be in doubt are taken out again.

    Parameters
    ----------
    wanted_s
        How much rest is wanted, s.
    least
        Share of it that must be good, and in which a channel must be good to count.
    """

    wanted_s: int
    least: float
    _seconds: dict[int, tuple[FloatArray, BoolArray]] = field(default_factory=dict)
    _rested: bool = False
    _resting: bool = False
    _closed_at: int | None = None
    # Kept until a second comes or goes.
    _mean: FloatArray | None = None

    def take(self, step: int, features: FloatArray, mask: BoolArray, *, resting: bool) -> None:
        """Take in second ``step``: its features (C, F), nats, NaN where its mask (C,) is False."""
        if self._closed_at is not None:
            return
        self._resting = resting
        if resting:
            self._rested = True
            if mask.any():
                self._seconds[step] = features, mask
                self._mean = None
        elif self._rested and self._enough:
            self._closed_at = step

    def forget(self, step: int) -> None:
        """Take second ``step`` out again."""
        if self._seconds.pop(step, None) is not None:
            self._mean = None

    @property
    def measured_s(self) -> int:
        """How many good seconds there were so far."""
        return len(self._seconds)

    @property
    def _enough(self) -> bool:
        return self.measured_s >= self.least * self.wanted_s

    @property
    def fixed(self) -> bool:
        """Whether the rest has ended with enough good seconds, and they are still enough."""
        return self._closed_at is not None and self._enough

    @property
    def closed_at(self) -> int | None:
        """The first step after the rest; None before."""
        return self._closed_at

    def mean(self) -> FloatArray:
        """Return the mean (C, F), nats, of each channel over its good seconds; NaN where they were too few."""
        if self._mean is not None:
            return self._mean
        features = np.stack([each for each, _ in self._seconds.values()])
        good = np.stack([mask for _, mask in self._seconds.values()])
        count = good.sum(axis=0)
        total = np.where(good[:, :, None], features, 0.0).sum(axis=0)
        enough = count >= self.least * self.wanted_s
        self._mean = np.where(enough[:, None], total / np.maximum(count, 1)[:, None], np.nan)
        return self._mean

    @property
    def trouble(self) -> str:
        """Why there is no baseline, in words; empty where there is one."""
        if self.fixed:
            return ""
        needed = math.ceil(self.least * self.wanted_s)
        if self._closed_at is not None:
            return "the person's rest turned out to be in doubt: begin the session again"
        if self._resting:
            return f"the person's rest is being measured: {self.measured_s} of {self.wanted_s} s"
        if self._rested:
            measured = f"only {self.measured_s} s of the person's rest were good, {needed} are needed"
            return f"{measured}: let the person rest again"
        return "the person's rest has not been measured yet"
