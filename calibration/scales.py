"""Temporal resolution: which window, lags and span of the features predict synchrony best, and in which row.

From the study's own scale one thing is changed at a time: the window of synchrony, the longest lag, and the seconds
over which features are averaged before they enter. (A step stays one second: fewer steps of the same windows are the
same courses with fewer points.) The layer is one for all scales, and is not chosen by how well it does.

A longer window makes smoother courses, which correlate more, by chance too. So each scale is measured by its own null:
the held-out r less the mean of draws that were fitted anew, in their standard deviations. All scales have the same
steps and the same turns in each draw. The best of several scales is high by the choice alone; its p is the share of
draws whose best scale reaches it (the largest statistic: Nichols & Holmes, *Hum. Brain Mapp.* 15, 2002), for a row
alone and among all rows. How sure the choice is, is told by making it again without each stimulus.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration.exact import exact_null
from calibration.statistics import LEAST_GAPS, score
from calibration.trends import paired, untrended
from calibration.validation import held_out
from rtaffect.common.arrays import BoolArray, FloatArray
from rtaffect.common.errors import SettingsError
from rtaffect.common.settings import Settings
from rtaffect.common.threads import one_thread

#: Windows of synchrony, longest lags and spans of features that are tried beside the study's own, s.
WINDOWS_S: Final = (3, 5, 10, 15)
LONGEST_LAGS_S: Final = (3, 6, 9, 14)
SPANS_S: Final = (1, 3, 5)


@dataclass(frozen=True, slots=True)
class Scale:
    """A window of synchrony, the longest lag and the span that features are averaged over, s."""

    window_s: int
    longest_lag_s: int
    span_s: int = 1

    @property
    def name(self) -> str:
        """The scale in words."""
        return f"window {self.window_s} s, lags to {self.longest_lag_s} s, features of {self.span_s} s"

    def settings(self, own: Settings) -> Settings:
        """Return the study's settings at this scale."""
        synchrony = own.synchrony.model_copy(update={"window_s": self.window_s})
        lags = tuple(range(own.prediction.lags_s[0], self.longest_lag_s + 1))
        if self.longest_lag_s == own.prediction.lags_s[-1]:
            lags = own.prediction.lags_s
        prediction = own.prediction.model_copy(update={"lags_s": lags, "longest_lags_s": ()})
        return own.model_copy(update={"synchrony": synchrony, "prediction": prediction})


@dataclass(frozen=True, slots=True, eq=False)
class Scales:
    """What each scale predicts. S scales, R rows that count and their mean behind them.

    Attributes
    ----------
    scales
        The first is the study's own.
    feature_set
        Of all of them.
    r, chance : (S, R + 1)
        Held-out r within stimuli, and what 95 % of draws stay below.
    z : (S, R + 1)
        r less the mean of its draws, in their standard deviations.
    p : (R + 1,)
        Of the best scale of each row, corrected for the choice among scales.
    p_family : (R,)
        Corrected for the rows, too.
    votes : (S, R + 1)
        How many times a scale is the best where one stimulus is left out.
    left_out
        Scales that could not be scored, and why.
    """

    scales: tuple[Scale, ...]
    feature_set: str
    r: FloatArray
    chance: FloatArray
    z: FloatArray
    p: FloatArray
    p_family: FloatArray
    votes: NDArray[np.intp]
    left_out: tuple[str, ...] = ()

    @property
    def best(self) -> NDArray[np.intp]:
        """The number (R + 1,) of each row's best scale."""
        return np.asarray(np.where(np.isfinite(self.z), self.z, -np.inf).argmax(axis=0))


def scales_of(own: Settings, *, windows: bool = True) -> tuple[Scale, ...]:
    """Return the scales that are tried, the study's own first; without other windows for ratings, which have none."""
    base = Scale(own.synchrony.window_s, own.prediction.lags_s[-1])
    tried = [Scale(w, base.longest_lag_s) for w in WINDOWS_S if windows]
    tried += [Scale(base.window_s, lag) for lag in LONGEST_LAGS_S if lag >= own.prediction.lags_s[0]]
    tried += [Scale(base.window_s, base.longest_lag_s, span) for span in SPANS_S]
    return tuple(dict.fromkeys([base, *tried]))


def spread(features: FloatArray, span_s: int) -> FloatArray:
    """Return the mean (steps, F) over each step's features and those before, ``span_s`` in all; fewer at the start."""
    if span_s == 1:
        return features
    total = np.cumsum(np.concatenate([np.zeros((1, features.shape[1])), features]), axis=0)
    stop = np.arange(1, len(total))
    start = np.maximum(0, stop - span_s)
    return np.asarray((total[stop] - total[start]) / (stop - start)[:, None])


@one_thread()
def temporal_resolution(
    features: Sequence[FloatArray],
    targets_of: Callable[[int], Sequence[FloatArray]],
    settings: Settings,
    feature_set: str,
    progress: Callable[[str], None],
    *,
    counted: BoolArray,
    draws: int = 1000,
    windows: bool = True,
) -> Scales:
    """Predict at every scale, and find which is best.

    Parameters
    ----------
    features, feature_set
        For each stimulus (steps, F), of one layer; the layer's name.
    targets_of
        Gives for a window, s, the targets (steps, R) of each stimulus, Fisher z.
    settings, progress, draws
        The study's own; told what is being done; of the null.
    counted, windows
        (R,) the rows that count, others are left out; whether other windows are tried.

    Raises
    ------
    SettingsError
        If not even the study's own scale can be scored.
    """
    tried = scales_of(settings, windows=windows)
    targets, left_out = _targets(tried, targets_of, counted)
    own = tried[0]
    found: dict[Scale, tuple[FloatArray, FloatArray, FloatArray]] = {}
    for scale in (s for s in tried if s.window_s in targets):
        progress(f"temporal resolution: {scale.name}")
        spanned = [spread(each, scale.span_s) for each in features]
        try:
            found[scale] = _judged(spanned, targets[scale.window_s], scale.settings(settings), draws)
        except SettingsError as error:
            if scale == own:
                raise
            left_out.append(f"{scale.name}: {error}")
    r, each, null = (np.stack(part) for part in zip(*found.values(), strict=True))
    return _best_of(tuple(found), feature_set, r, each, null, tuple(left_out))


def _targets(
    tried: Sequence[Scale], targets_of: Callable[[int], Sequence[FloatArray]], counted: BoolArray
) -> tuple[dict[int, list[FloatArray]], list[str]]:
    """Return the targets of each window, at common steps, and which scales are left out: sounds are too short."""
    targets = {window: [t[:, counted] for t in targets_of(window)] for window in {scale.window_s for scale in tried}}
    left_out: list[str] = []
    for window in [w for w, each in targets.items() if w != tried[0].window_s and not _long_enough(each, w)]:
        left_out += [f"{s.name}: no stimulus is {LEAST_GAPS} windows long" for s in tried if s.window_s == window]
        del targets[window]
    return _at_common_steps(targets), left_out


def _at_common_steps(targets: Mapping[int, Sequence[FloatArray]]) -> dict[int, list[FloatArray]]:
    """Return each window's targets with NaN at the steps at which another window, or a row, has none."""
    common = [np.isfinite(np.stack(each)).all(axis=(0, 2)) for each in zip(*targets.values(), strict=True)]
    return {w: [np.where(c[:, None], t, np.nan) for c, t in zip(common, e, strict=True)] for w, e in targets.items()}


def _long_enough(targets: Sequence[FloatArray], window_s: int) -> bool:
    """Return whether a stimulus has so many steps with all rows (steps, R) that it can be scored."""
    return max(int(np.isfinite(t).all(axis=1).sum()) for t in targets) >= LEAST_GAPS * window_s


def _judged(
    features: Sequence[FloatArray], targets: Sequence[FloatArray], settings: Settings, draws: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return r (R + 1,), that of each stimulus (stimuli, R + 1), and draws (draws, R + 1); the rows' mean is last."""
    everything = np.ones((1, targets[0].shape[1]), np.bool_)
    targets = untrended(targets, settings.drift)
    predicted = held_out(features, targets, settings)
    scored = score(paired(predicted, targets, settings, everything))
    return scored.r, scored.each, exact_null(features, targets, settings, draws)


def _best_of(  # noqa: PLR0917 - each part once
    scales: tuple[Scale, ...],
    feature_set: str,
    r: FloatArray,
    each: FloatArray,
    null: FloatArray,
    left_out: tuple[str, ...],
) -> Scales:
    """Compare the scales: r (S, R + 1), of each stimulus (S, stimuli, R + 1), and draws (S, draws, R + 1)."""
    mean, sd = null.mean(axis=1), null.std(axis=1, ddof=1)
    sd = np.where(sd > 0, sd, np.inf)
    z, z_null = (r - mean) / sd, (null - mean[:, None]) / sd[:, None]
    true, chance = _largest(z), _largest(z_null)
    rows = np.isfinite(z).any(axis=0)
    p = np.where(rows, (1 + (chance >= true - 1e-12).sum(axis=0)) / (1 + len(chance)), np.nan)
    of_rows = chance[:, :-1].max(axis=1, initial=-np.inf)
    family = (1 + (of_rows[:, None] >= true[:-1] - 1e-12).sum(axis=0)) / (1 + len(chance))
    return Scales(
        scales=scales,
        feature_set=feature_set,
        r=r,
        chance=np.quantile(null, 0.95, axis=1),
        z=z,
        p=p,
        p_family=np.where(rows[:-1], family, np.nan),
        votes=_votes((each - mean[:, None]) / sd[:, None]),
        left_out=left_out,
    )


def _largest(z: FloatArray) -> FloatArray:
    """Return the largest over scales, the first axis; -inf where none has a value."""
    return np.asarray(np.where(np.isfinite(z), z, -np.inf).max(axis=0))


def _votes(each: FloatArray) -> NDArray[np.intp]:
    """Return how often each scale is best (S, R + 1) where one stimulus of (S, stimuli, R + 1) is left out."""
    present = np.isfinite(each)
    total, count = np.where(present, each, 0.0).sum(axis=1, keepdims=True), present.sum(axis=1, keepdims=True)
    others = (total - np.where(present, each, 0.0)) / np.maximum(count - present, 1)
    winner = others.argmax(axis=0)
    return np.stack([(winner == scale).sum(axis=0) for scale in range(len(each))])
