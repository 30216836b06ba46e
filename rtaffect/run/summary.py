"""What is said at the terminal when a session has ended: how many values there were, and what they are worth."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from rtaffect.affect.values import SOURCES, AffectSource
from rtaffect.common.arrays import FloatArray
from rtaffect.common.chance import correlation_by_chance
from rtaffect.common.correlation import fisher_mean
from rtaffect.common.settings import Settings
from rtaffect.engine.feedback import Feedback

_SOURCES: Final[dict[AffectSource, str]] = {"eeg": "from the EEG", "sound": "from the sound", "both": "from both"}
#: So many steps are kept at most: a day.
_MOST: Final = 86_400


class Summary:
    """Takes each step and says in the end, in a line or two, what the session had.

    Parameters
    ----------
    settings
        The session's: length of the window, and what is a drift.
    blocks
        Whether a protocol led the session: its blocks are compared by the report alone.
    """

    def __init__(self, settings: Settings, *, blocks: bool = False) -> None:
        self._settings, self._blocks = settings, blocks
        self._steps: list[tuple[float, float, float, float, bool]] = []
        self._affect: dict[AffectSource, int] = {}

    def __call__(self, f: Feedback) -> None:
        """Take one step; values that are not trusted count as none."""
        if len(self._steps) < _MOST:
            mean = f.predicted_mean, f.observed_mean, f.null_mean_low, f.null_mean_high
            self._steps.append((*mean, bool(f.trusted.any())))
            for source in SOURCES if f.affect else ():
                there = any(values.estimate(source).there for values in f.affect)
                self._affect[source] = self._affect.get(source, 0) + there

    @property
    def words(self) -> tuple[str, ...]:
        """What is to be said; nothing where there was no step."""
        if not self._steps:
            return ()
        predicted, observed, low, high, trusted = (
            np.array(each, np.float64) for each in zip(*self._steps, strict=True)
        )
        observed = np.where(trusted > 0, observed, math.nan)
        affect = ", ".join(f"{_SOURCES[source]} in {count} of them" for source, count in self._affect.items())
        told = (f"valence and arousal: {affect}",) if affect else ()
        return (self._observed(observed, low, high), *self._agreement(predicted, observed), *told)

    def _observed(self, observed: FloatArray, low: FloatArray, high: FloatArray) -> str:
        there = np.isfinite(observed)
        said = f"{len(observed)} steps, {int(there.sum())} with an observed value that is trusted"
        if not there.any():
            return said
        judged = there & np.isfinite(low) & np.isfinite(high)
        outside = (observed > high) | (observed < low)
        beyond = f", outside of its null band in {outside[judged].mean():.0%} of them" if judged.any() else ""
        return f"{said}: mean over rows {fisher_mean(observed[there]):+.2f}{beyond} (5 % by chance)" if beyond else said

    def _agreement(self, predicted: FloatArray, observed: FloatArray) -> tuple[str, ...]:
        if self._blocks or not np.isfinite(predicted).any():
            return ()
        window = self._settings.synchrony.window_s
        found = correlation_by_chance(predicted, observed, window, drift=self._settings.drift)
        if found is None:
            return ()
        low, high = found.interval
        where = "outside of" if found.beyond else "within"
        return (f"predicted and observed: r = {found.r:.2f}, {where} what chance gives ({low:.2f} to {high:.2f})",)
