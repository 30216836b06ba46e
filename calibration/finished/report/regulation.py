"""What a session tells of regulation: the value of the rule in each block, against the baseline and over blocks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from calibration.finished.regulation import (
    LEAST_WINDOWS,
    Blocks,
    Estimate,
    fit_blocks,
    mean_contrast,
    slope_contrast,
)
from calibration.finished.report.as_json import INLINE
from calibration.finished.report.blocks import BlockRun, inside_of
from calibration.finished.report.cautions import LEARNING, line_caution, sounds_caution, trend_caution
from calibration.finished.report.data import SessionData
from calibration.finished.report.rule_values import RuleValues, rule_values
from rtaffect.common.arrays import FloatArray
from rtaffect.common.settings import DriftSettings
from rtaffect.common.words import minutes
from rtaffect.protocol.rule import Scale, level_of

#: What is held against the baseline.
_AGAINST_BASELINE: Final = ("feedback", "transfer")
#: With fewer values a correlation of levels says nothing.
_LEAST_LEVELS: Final = 30
_TEN_MINUTES_S: Final = 600
_PREDICTED: Final = (
    "The rule's value is predicted from the sound alone: what differs between blocks are the sounds, and nothing here "
    "is regulation."
)
_ADAPTIVE: Final = (
    "The threshold followed the values, so that the success rate is near what the protocol asks for, whatever the "
    "participant does: compare values, not success."
)


@dataclass(frozen=True, slots=True)
class Difference:
    """An estimate of a difference; ``enough`` tells whether its ``windows`` suffice to judge it, ``least_windows``.

    ``plain`` and ``p_plain`` are what it would be if no line over the session were taken out.
    """

    difference: float
    low: float | None
    high: float | None
    p: float | None
    windows: float
    enough: bool
    least_windows: float
    plain: float
    p_plain: float | None

    @classmethod
    def of(cls, found: Estimate, plain: Estimate) -> Difference:
        """Return what a report says of an estimate, and of that without a trend."""
        told = found.value, found.low, found.high, found.p, found.windows, found.p is not None, LEAST_WINDOWS
        return cls(*told, plain.value, plain.p)


@dataclass(frozen=True, slots=True)
class Contrast:
    """The mean of one kind of block less that of the baseline."""

    name: str
    estimate: Difference = field(metadata=INLINE)


@dataclass(frozen=True, slots=True)
class Slope:
    """How the mean changed from one of the ``blocks`` of feedback to the next."""

    name: str
    blocks: int
    estimate: Difference = field(metadata=INLINE)


@dataclass(frozen=True, slots=True)
class BlockValues:
    """The rule's values in a block: how many, what they are worth, their mean with its interval, and success.

    None where there is nothing to say. ``mean_z`` is the mean as it was averaged; ``judged`` values had a threshold,
    ``success`` of them reached it. ``shown_s`` are the seconds in which the participant was shown a level, ``level``
    its mean and ``shown_success`` the share of success, where these may be told.
    """

    number: int
    kind: str
    name: str
    start: float
    seconds: float
    ended: bool
    stimuli: tuple[str, ...]
    values: int
    windows: float | None
    mean_z: float | None
    mean: float | None
    low: float | None
    high: float | None
    judged: int
    success: int | None
    success_rate: float | None
    shown_s: int | None
    level: float | None
    shown_success: float | None


@dataclass(frozen=True, slots=True)
class Regulation:
    """What is said of regulation: ``value`` is the rule's value in words, ``unit`` that of differences."""

    value: str
    unit: str
    window_s: int
    smoothing_s: int
    scale: str | None
    blocks: tuple[BlockValues, ...]
    contrasts: tuple[Contrast, ...]
    slope: Slope | None
    baseline_success: float | None
    shown_against_own: float | None
    notes: tuple[str, ...]

    @property
    def compared(self) -> tuple[Contrast | Slope, ...]:
        """All differences."""
        return (*self.contrasts, *([self.slope] if self.slope is not None else []))

    def difference(self, name: str) -> Difference | None:
        """Return the difference that is called so; None where nothing could be compared."""
        return next((each.estimate for each in self.compared if each.name == name), None)


def regulation_of(data: SessionData, opened: bool) -> Regulation:
    """Return what a session tells of regulation.

    Parameters
    ----------
    data
        The session.
    opened
        Whether what was shown may be told: the participant is in no arm, or it is no longer sealed.
    """
    rule = rule_values(data)
    notes = [*rule.notes, *_aside(data)]
    fitted = _fit(rule, data.window_s, data.drift)
    contrasts, slope = list[Contrast](), None
    if fitted is None:
        notes.append(_why_nothing(data))
    else:
        contrasts = [c for kind in _AGAINST_BASELINE if (c := _contrast(rule, fitted, kind, notes)) is not None]
        slope = _slope(rule, fitted, notes)
    if data.rule.get("value") == "predicted":
        notes.append(_PREDICTED)
    if data.rule.get("scale") == "adaptive":
        notes.append(_ADAPTIVE)
    scale = data.rule.get("scale")
    return Regulation(
        value=rule.label,
        unit=rule.unit,
        window_s=data.window_s,
        smoothing_s=rule.smoothing,
        scale=None if scale is None else str(scale),
        blocks=tuple(_block(data, rule, fitted, place, opened) for place in range(len(rule.runs))),
        contrasts=tuple(contrasts),
        slope=slope,
        baseline_success=_baseline_success(rule),
        shown_against_own=_shown_against_own(data) if opened else None,
        notes=tuple(notes),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """``places`` are the blocks in ``runs`` that have values, in the order of ``blocks``; ``plain`` has no trend."""

    blocks: Blocks
    plain: Blocks
    places: list[int]

    @property
    def trended(self) -> bool:
        """Whether a line over the session is taken out."""
        return bool(self.blocks.places.any())

    def of_kind(self, rule: RuleValues, kind: str) -> list[int]:
        return [i for i, place in enumerate(self.places) if rule.runs[place].kind == kind]


def _fit(rule: RuleValues, window: int, drift: DriftSettings) -> _Fit | None:
    places, block = np.unique(rule.block, return_inverse=True)
    if not len(places):
        return None
    plain, fitted = (
        fit_blocks(rule.z, rule.times, block, window=window, smoothing=max(1, rule.smoothing), trend=trend)
        for trend in (False, drift.on_task)
    )
    return _Fit(fitted, plain, [int(place) for place in places])


def _block(data: SessionData, rule: RuleValues, fit: _Fit | None, place: int, opened: bool) -> BlockValues:
    run, mine = rule.runs[place], rule.block == place
    windows: float | None = None
    mean_z: float | None = None
    mean = low = high = mean_z
    if fit is not None and place in fit.places:
        found = fit.blocks.estimate(np.eye(len(fit.places))[fit.places.index(place)])
        windows, mean_z = found.windows, found.value
        mean, low, high = (v if v is None else rule.back(v) for v in (found.value, found.low, found.high))
    judged = mine & np.isfinite(rule.threshold)
    count, success = int(judged.sum()), int((rule.values[judged] >= rule.threshold[judged]).sum())
    shown_s, level, shown_success = _shown(data, run, opened)
    return BlockValues(
        number=run.number,
        kind=run.kind,
        name=run.name,
        start=run.start,
        seconds=run.seconds,
        ended=run.ended,
        stimuli=tuple(name for name, _, _ in run.stimuli),
        values=int(mine.sum()),
        windows=windows,
        mean_z=mean_z,
        mean=mean,
        low=low,
        high=high,
        judged=count,
        success=success if count else None,
        success_rate=success / count if count else None,
        shown_s=shown_s,
        level=level,
        shown_success=shown_success,
    )


def _shown(data: SessionData, run: BlockRun, opened: bool) -> tuple[int | None, float | None, float | None]:
    """Return for how many seconds of feedback a level was shown and, if they may be told, its mean and success."""
    if data.protocol_steps is None or run.kind != "feedback":
        return None, None, None
    m = data.protocol_steps
    shown = m.running & (m.block == run.number) & inside_of(run, m.time) & np.isfinite(m.level)
    if not opened or not shown.any():
        return int(shown.sum()), None, None
    return int(shown.sum()), float(m.level[shown].mean()), float(m.success[shown].mean())


def _contrast(rule: RuleValues, fit: _Fit, kind: str, notes: list[str]) -> Contrast | None:
    baseline, other = fit.of_kind(rule, "baseline"), fit.of_kind(rule, kind)
    if not other:
        return None
    if not baseline:
        if kind == "feedback":
            notes.append("No block of kind baseline has a value, so that there is nothing to compare feedback with.")
        return None
    name, counts = f"{kind} less baseline", fit.blocks.counts
    contrast = mean_contrast(other, counts) - mean_contrast(baseline, counts)
    estimate, plain = (each.estimate(contrast) for each in (fit.blocks, fit.plain))
    runs, before = ([rule.runs[fit.places[i]] for i in side] for side in (other, baseline))
    cautions = (
        sounds_caution(kind, runs, before, rule.stimuli),
        trend_caution(kind, runs, before, line=fit.trended),
        line_caution(name, estimate, plain, _TEN_MINUTES_S * fit.blocks.trend),
    )
    notes += filter(None, cautions)
    return Contrast(name, Difference.of(estimate, plain))


def _slope(rule: RuleValues, fit: _Fit, notes: list[str]) -> Slope | None:
    blocks = fit.of_kind(rule, "feedback")
    if len(blocks) < 2:
        if blocks:
            notes.append(
                "There is one block of feedback with values, so that nothing can be said of learning over blocks."
            )
        return None
    notes.append(LEARNING)
    estimate, plain = (each.estimate(slope_contrast(blocks, len(fit.places))) for each in (fit.blocks, fit.plain))
    return Slope("change per block of feedback", len(blocks), Difference.of(estimate, plain))


def _baseline_success(rule: RuleValues) -> float | None:
    """Return which share of the baseline's values reach their threshold, or the first that there was afterwards."""
    kinds = np.array([run.kind for run in rule.runs])
    if not len(rule.block):
        return None
    baseline = kinds[rule.block] == "baseline"
    if np.isfinite(rule.threshold[baseline]).any():
        judged = baseline & np.isfinite(rule.threshold)
        return float((rule.values[judged] >= rule.threshold[judged]).mean())
    later = np.isfinite(rule.threshold) & ~baseline
    if not baseline.any() or not later.any():
        return None
    return float((rule.values[baseline] >= rule.threshold[later][0]).mean())


def own_level(data: SessionData) -> FloatArray:
    """Return what the session's own values would have shown in blocks of feedback (steps,), NaN elsewhere."""
    m = data.protocol_steps
    if m is None:
        return np.empty(0)
    gain = float(data.rule.get("gain", 1.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        level = [level_of(v, Scale(low, high), gain) for v, low, high in zip(m.value, m.low, m.high, strict=True)]
    feedback = m.running & (np.array(m.kind) == "feedback")
    return np.where(feedback, np.array(level), np.nan)


def _shown_against_own(data: SessionData) -> float | None:
    """Return Pearson's r of own and shown level within blocks of feedback; None where it means nothing."""
    if data.protocol_steps is None or not data.has_arm:
        return None
    m, own = data.protocol_steps, own_level(data)
    pairs = []
    for run in data.blocks:
        inside = (m.block == run.number) & inside_of(run, m.time) & np.isfinite(own + m.level)
        if inside.any():
            both = np.stack([own[inside], m.level[inside]])
            pairs.append(both - both.mean(axis=1, keepdims=True))
    if not pairs:
        return None
    x, y = np.concatenate(pairs, axis=1)
    scale = math.sqrt(float(x @ x) * float(y @ y))
    return float(x @ y) / scale if len(x) >= _LEAST_LEVELS and scale > 0 else None


def _aside(data: SessionData) -> Iterator[str]:
    """Yield which blocks count in no result, and which stood still."""
    for run in data.apart:
        yield (
            f"Block {run.number} '{run.name}' ({run.kind}), {minutes(run.seconds)} from {minutes(run.start)} on: "
            f"{run.apart}, so that it counts in no result."
        )
    for run in (run for run in data.blocks if run.pauses):
        spans = ", ".join(f"{minutes(end - begin)} at {minutes(begin)}" for begin, end in run.pauses)
        yield f"Block {run.number} '{run.name}' stood still: {spans}. Windows that reach over that have no value."


def _why_nothing(data: SessionData) -> str:
    if data.course is None and data.protocol_steps is None:
        return "There are no steps, so that there is nothing to say of regulation."
    if not data.blocks:
        return "No block ran, so that there is nothing to say of regulation."
    course = data.course
    inside = [
        reason
        for time, reason in (zip(course.time, course.reasons, strict=True) if course is not None else ())
        if any(begin + data.window_s <= time < end for run in data.blocks for begin, end in run.stretches)
    ]
    most = max(set(inside), key=inside.count) if inside else ""
    return "No step inside a block has a value to be trusted" + (f" (most often: {most})." if most else ".")
