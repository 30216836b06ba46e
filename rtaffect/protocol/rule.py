"""The feedback's rule: from each step's Feedback to one value, its scale, and the level that it makes.

Pure: the same Feedbacks in the same blocks give the same readings. Means are taken by Fisher z, as everywhere, but for
those of a session's own measure, and of valence and arousal.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.correlation import fisher_mean, plain_mean
from rtaffect.engine.feedback import Feedback
from rtaffect.observed.operator import LEAST_SPECIFICITY
from rtaffect.predicted.feature_cache import Element
from rtaffect.protocol.affective import affect_of, is_affect, why_no_affect
from rtaffect.protocol.element_rule import predicted_from, why_not_from
from rtaffect.protocol.measured import value_of, why_not
from rtaffect.protocol.model import LEAST_VALUES, MEAN, FeedbackRule
from rtaffect.protocol.null_scale import Null, NullOfMeans, OwnBaseline, null_of
from rtaffect.protocol.protocol_step import BlockKind, Shown

#: Percentiles of noise are taken from here to as far from the other end: a normal distribution has no ends.
_LEAST_SHARE: Final = 1e-4
_NOTHING_SHOWN = {
    "baseline": "nothing is shown in the baseline",
    "rest": "nothing is shown at rest",
    "listen": "nothing is shown while listening",
    "transfer": "nothing is shown in transfer",
}


class Scale(NamedTuple):
    """The values that are level 0 and 1, and from which on it is success; NaN while they are not known."""

    low: float = math.nan
    high: float = math.nan
    threshold: float = math.nan


class Reading(NamedTuple):
    """What the rule made of one step: the value, the scale that it was held against, and what that would show."""

    value: float
    scale: Scale
    own: Shown


def level_of(value: float, scale: Scale, gain: float) -> float:
    """Return the level, 0 to 1: clip(1/2 + gain ((value - low) / (high - low) - 1/2)); NaN where one is missing."""
    within = (value - scale.low) / (scale.high - scale.low)
    return float(np.clip(0.5 + gain * (within - 0.5), 0.0, 1.0))


def scale_of(values: NDArray[np.float64], rule: FeedbackRule) -> Scale:
    """Return the scale that values (n,) of the baseline make by their percentiles; numpy's, linear between values."""
    low, middle, high = np.percentile(values, [rule.low_percentile, 50.0, rule.high_percentile])
    return Scale(float(low), float(high), float(middle if rule.threshold is None else rule.threshold))


class Staircase:
    """A threshold that moves until the wanted share p of steps is success: the weighted up-down method.

    After a success it rises by (1 - p) s, after a failure it falls by p s, so that it rests where p of the values lie
    above it (Kaernbach, *Percept. Psychophys.* 49, 1991); that is Robbins and Monro's stochastic approximation
    (*Ann. Math. Stat.* 22, 1951) with a constant step s, so that it also follows values that drift. It follows within
    about width / s steps. Whatever the values, over n steps the share of success is p + (change of threshold) / (n s).

    Parameters
    ----------
    threshold
        Where it begins.
    width
        Distance of level 0 and 1; the level is 1/2 at the threshold.
    success_rate
        p.
    adapt_s
        width / s.
    """

    def __init__(self, threshold: float, width: float, success_rate: float, adapt_s: int) -> None:
        self.threshold, self.width = threshold, width
        self._rate, self._step = success_rate, width / adapt_s

    @property
    def scale(self) -> Scale:
        """The scale now."""
        return Scale(self.threshold - self.width / 2, self.threshold + self.width / 2, self.threshold)

    def update(self, value: float) -> None:
        """Move on after a step with ``value``."""
        self.threshold += self._step * ((value >= self.threshold) - self._rate)


def _too_few(values: int) -> str:
    return (
        f"the baseline gave {values} trusted values, the scale needs {LEAST_VALUES}: mend the electrodes and begin the "
        "session again"
    )


class Noise:
    """The scale of a rule whose noise is known: at each step the null's, moved by what the own baseline has beyond it.

    Formulas and their sources: :mod:`rtaffect.protocol.null_scale`. With ``scale = "null"`` no baseline has a part.
    """

    def __init__(self, rule: FeedbackRule, window_s: int, null_level: float) -> None:
        self._rule, self._level = rule, null_level
        self._means = NullOfMeans(window_s, rule.smoothing_s)
        self._own = OwnBaseline(window_s, rule.smoothing_s)
        self._null, self._beyond = Null(), 0.0
        self._kind: BlockKind = "rest"
        self._scaled = rule.scale == "null"

    def begin(self, kind: BlockKind) -> None:
        """Begin a block; feedback and transfer get the scale that the baseline has made."""
        self._kind = kind
        self._means.clear()
        self._null = Null()
        if kind in ("feedback", "transfer") and self._rule.scale == "baseline" and self._own.count >= LEAST_VALUES:
            self._beyond, self._scaled = self._own.beyond(), True

    def step(self, feedback: Feedback, value: float) -> Scale:
        """Return the scale of a step with ``value``, NaN where it has none; the baseline's values make the next one."""
        used = rows_that_count(feedback, self._rule.rows) & feedback.trusted
        counted = rows_that_count(feedback, self._rule.rows) if self._rule.rows == (MEAN,) else None
        null = null_of(feedback, used, counted, self._level) if math.isfinite(value) else Null()
        self._null = self._means.add(null)
        if self._kind == "baseline" and self._null.known:
            self._own.add(value, self._null)
        return self._scale()

    def learn(self, value: float) -> None:
        """Take the last step's value, one of feedback, as if of the baseline; it counts from the next step on."""
        self._own.add(value, self._null)
        self._beyond = self._own.beyond()

    def why_not(self) -> str:
        """Return in words why there is no scale."""
        return "there is no null band yet to hold it against" if not self._null.known else _too_few(self._own.count)

    def _scale(self) -> Scale:
        rule = self._rule
        if not self._null.known or not self._scaled:
            return Scale()
        null = Null(self._null.centre + self._beyond, self._null.spread)
        low, high = (
            null.at(min(max(end / 100, _LEAST_SHARE), 1 - _LEAST_SHARE))
            for end in (rule.low_percentile, rule.high_percentile)
        )
        return Scale(low, high, null.at(1.0 - rule.rate) if rule.threshold is None else rule.threshold)


def rows_that_count(feedback: Feedback, names: tuple[str, ...]) -> NDArray[np.bool_]:
    """Return which rows (R,) the rule is over: those named, or those that the mean over rows is over: of ratings none.

    A name that two rows have, as a zone and a group may, stands for both.
    """
    if names != (MEAN,):
        return np.isin(np.array(feedback.rows), names)
    if feedback.rating is not None:
        return np.zeros(len(feedback.rows), np.bool_)
    zones = np.array([kind == "zone" for kind in feedback.row_kinds], np.bool_)
    return zones & (feedback.specificity >= LEAST_SPECIFICITY) if zones.any() else np.ones(len(feedback.rows), np.bool_)


def synchrony_of(feedback: Feedback, names: tuple[str, ...], element: Element = "mix") -> tuple[float, float]:
    """Return observed and predicted synchrony of a rule's rows that are trusted (Fisher z mean); NaN without any.

    What is predicted is that of an ``element`` of the sound. Of ratings it is their plain mean, in their unit.
    """
    used = rows_that_count(feedback, names) & feedback.trusted
    predicted = predicted_from(feedback, element)
    mean = fisher_mean if feedback.rating is None else plain_mean
    return float(mean(feedback.observed[used])), float(mean(predicted[used]))


class Rule:
    """Follows a session, block by block and step by step.

    Parameters
    ----------
    rule
        The protocol's.
    window_s
        Length of the window of synchrony, s: a value counts when its window lies inside the block.
    null_level
        Share of noise inside of the null band, where the scale is held against that
        (:attr:`rtaffect.protocol.model.Protocol.knows_noise`); None where it is not.
    """

    def __init__(self, rule: FeedbackRule, window_s: int, null_level: float | None = None) -> None:
        self._rule, self._window_s = rule, window_s
        self._noise = None if null_level is None else Noise(rule, window_s, null_level)
        self._kind: BlockKind = "rest"
        self._recent: deque[tuple[float, float]] = deque(maxlen=rule.smoothing_s)
        self._baseline: list[float] = []
        self._learnt = 0
        self._staircase: Staircase | None = None
        self._scale = Scale()
        if rule.scale == "fixed" and rule.low is not None and rule.high is not None:
            middle = (rule.low + rule.high) / 2
            self._scale = Scale(rule.low, rule.high, middle if rule.threshold is None else rule.threshold)

    def begin(self, kind: BlockKind) -> None:
        """Begin a block: nothing of what was before is smoothed into it; feedback and transfer get their scale."""
        self._kind = kind
        self._recent.clear()
        if self._noise is not None:
            self._noise.begin(kind)
            return
        if kind not in ("feedback", "transfer") or len(self._baseline) < LEAST_VALUES:
            return
        if self._rule.scale == "baseline":
            self._scale = scale_of(np.array(self._baseline), self._rule)
        elif self._rule.scale == "adaptive" and self._staircase is None:
            self._start_staircase()

    def idle(self) -> Reading:
        """Return the reading of a step outside all blocks."""
        return Reading(math.nan, self._scale, Shown(None, "no block is running"))

    def step(self, feedback: Feedback, second: int) -> Reading:
        """Return the reading of the step that ends ``second`` seconds after its block began."""
        if second < self._window_s:
            why = f"the window still reaches back before the block: {self._window_s - second} s to go"
            return Reading(math.nan, self._scale, Shown(None, _NOTHING_SHOWN.get(self._kind, why)))
        value = self._smoothed(feedback)
        trusted = math.isfinite(value)
        if self._noise is not None:
            scale = self._noise.step(feedback, value)
            self._scale = scale if trusted else self._scale
        elif self._kind == "baseline" and trusted:
            self._baseline.append(value)
        if self._kind != "feedback":
            return Reading(value, self._scale, Shown(None, _NOTHING_SHOWN[self._kind]))
        if not trusted:
            why = why_not_from(feedback, self._rule.element) or feedback.reason
            why = why or f"no trusted value of {', '.join(self._rule.rows)}"
            if is_affect(self._rule):
                why = why_no_affect(feedback, self._rule)
            if self._rule.measure is not None:
                why = why_not(feedback, self._rule.measure, self._rule.rows)
            return Reading(value, self._scale, Shown(None, why))
        return self._shown(value)

    def _smoothed(self, feedback: Feedback) -> float:
        """Return the value of the last seconds; NaN where this step has none of its own to be trusted."""
        if self._rule.measure is not None or is_affect(self._rule):
            value = self._plain(feedback)
            self._recent.append((value, value))
            # It is no correlation: plain means, also of its seconds.
            return float(np.nanmean(np.array(self._recent)[:, 0])) if math.isfinite(value) else math.nan
        observed, predicted = synchrony_of(feedback, self._rule.rows, self._rule.element)
        needed = {"observed": (observed,), "predicted": (predicted,)}.get(self._rule.value, (observed, predicted))
        trusted = all(map(math.isfinite, needed))
        self._recent.append((observed, predicted) if trusted else (math.nan, math.nan))
        smooth = (fisher_mean if feedback.rating is None else plain_mean)(np.array(self._recent), axis=0)
        values = {"observed": smooth[0], "predicted": smooth[1], "difference": smooth[0] - smooth[1]}
        return float(values[self._rule.value]) if trusted else math.nan

    def _plain(self, feedback: Feedback) -> float:
        """Return the value of a rule that is of a measure, or of affect; NaN where there is none."""
        if self._rule.measure is not None:
            return value_of(feedback, self._rule.measure, self._rule.rows)
        return affect_of(feedback, self._rule)

    def _shown(self, value: float) -> Reading:
        if self._noise is not None:
            return self._beside_noise(value, self._noise)
        if self._rule.scale == "adaptive" and self._staircase is None:
            self._baseline.append(value)
            if len(self._baseline) >= LEAST_VALUES:
                self._start_staircase()
            why = f"the first {LEAST_VALUES} trusted values make the scale: {len(self._baseline)} so far"
            return Reading(value, Scale(), Shown(None, why))
        if not self._scale.high > self._scale.low:
            return Reading(value, self._scale, Shown(None, self._no_scale()))
        scale = self._scale
        if self._staircase is not None:
            self._staircase.update(value)
            self._scale = self._staircase.scale
        elif self._learnt < self._rule.learn_s:
            # What was not yet known of the value counts for the next one.
            self._learnt += 1
            self._baseline.append(value)
            self._scale = scale_of(np.array(self._baseline), self._rule)
        return Reading(value, scale, Shown(level_of(value, scale, self._rule.gain), success=value >= scale.threshold))

    def _beside_noise(self, value: float, noise: Noise) -> Reading:
        scale = self._scale
        if not scale.high > scale.low:
            return Reading(value, scale, Shown(None, noise.why_not()))
        if self._learnt < self._rule.learn_s:
            self._learnt += 1
            noise.learn(value)
        return Reading(value, scale, Shown(level_of(value, scale, self._rule.gain), success=value >= scale.threshold))

    def _start_staircase(self) -> None:
        values = np.array(self._baseline)
        low, high, _ = scale_of(values, self._rule)
        first = float(np.percentile(values, 100.0 * (1.0 - self._rule.rate)))
        self._staircase = Staircase(first, high - low, self._rule.rate, self._rule.adapt_s)
        self._scale = self._staircase.scale

    def _no_scale(self) -> str:
        if len(self._baseline) < LEAST_VALUES:
            return _too_few(len(self._baseline))
        return "the baseline's values do not vary: check the signal and begin the session again"
