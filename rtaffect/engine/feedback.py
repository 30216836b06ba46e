"""The result of one step, frozen: the only object that leaves the engine."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, field, fields
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rtaffect.affect.values import AffectValues
from rtaffect.common.arrays import FloatArray
from rtaffect.common.rating_scale import RatingScale
from rtaffect.measures.measure import MeasureValues
from rtaffect.predicted.element_prediction import ElementPrediction
from rtaffect.stream.doubt import Doubt
from rtaffect.stream.status import SourceStatus
from rtaffect.timelock.alignment import Alignment


@dataclass(frozen=True, slots=True, eq=False)
class Feedback:
    """What one step found. R rows of the space, C channels, P people; absent values are NaN, never made up.

    Attributes
    ----------
    step : int
        Number of the step, 1 at the end of the session's first second.
    time : float
        End of the window on the session clock, s since the session's origin.
    lsl_time : float
        The same instant on the LSL clock, s.
    rows : tuple of str, length R
        Row names.
    row_kinds : tuple of str, length R
        What each row is: channel, zone, region, group (an average of regions), component or rating.
    specificity : (R,) float64 in [0, 1]
        How much of a row's estimated power is its own with this montage; 1 where nothing is estimated.
    mean_of : str
        Over what the means over rows are taken, as in '24 channels'.
    channels : tuple of str, length C
        Names of the channels from which the rows are made.
    people : tuple of str, length P
        Names of the headsets.
    predicted, predicted_low, predicted_high : (R,) float64, correlation
        Predicted synchrony and its interval; among people who are compared with each other, for their number.
    observed : (R,) float64, correlation
        Observed synchrony: mean over people by Fisher z.
    observed_each : (P, R) float64, correlation
        Observed synchrony of each person.
    null_low, null_high : (R,) float64, correlation
        The null band of ``observed``: its spread when the time lock is broken.
    predicted_mean, predicted_mean_low, predicted_mean_high : float, correlation
        Predicted synchrony averaged over the rows that count (Fisher z) and its interval.
    observed_mean, null_mean_low, null_mean_high : float, correlation
        Observed synchrony averaged over those of them that have a value (Fisher z), and its null band.
    quality : (P, C) float64 in [0, 1]
        Fraction of the window in which each person's channel was good.
    trusted : (R,) bool
        Whether the row has the values that this session can have, from data that can be relied on and are not late,
        enough of them good, and enough of its power is its own.
    observed_against : "reference", "group", "rating" or "nothing"
        What the people were compared with; "rating": what is observed is a participant's own rating.
    reason : str
        Why values are absent, or doubtful, in words; empty when none are.
    sources : tuple of SourceStatus
        Health of every source.
    alignment : Alignment or None
        Where in the known stimulus the session is; None where no stimulus is known.
    doubts : tuple of Doubt
        What could not be relied on at this step, by whom it is said and why.
    measures : tuple of MeasureValues
        What each of the session's own measures gave.
    affect : tuple of AffectValues
        Valence and arousal of each person; empty without a bundle of affect.
    group_size : float
        How many people are compared with each other, mean over the window and the rows that count (each is not there
        all the time); what is predicted is for so many. NaN where they are compared with a reference or with nobody.
    elements : tuple of ElementPrediction
        What voice and background predict, each alone, where the bundle has weights for them; ``predicted`` is of the
        whole sound.
    rating : RatingScale or None
        The scale of the rows where they are ratings; None where they are synchrony. In a row that is a rating all
        values are in its own unit: predicted, and as the participant's own rating observed, both for the same instant
        of the sound. There is no null band and no mean over rows.
    stage_s : dict of str to float
        Seconds spent in each stage of this step (not part of equality: it differs from run to run).
    """

    step: int
    time: float
    lsl_time: float
    rows: tuple[str, ...]
    row_kinds: tuple[str, ...]
    specificity: FloatArray
    mean_of: str
    channels: tuple[str, ...]
    people: tuple[str, ...]
    predicted: FloatArray
    predicted_low: FloatArray
    predicted_high: FloatArray
    observed: FloatArray
    observed_each: FloatArray
    null_low: FloatArray
    null_high: FloatArray
    predicted_mean: float
    predicted_mean_low: float
    predicted_mean_high: float
    observed_mean: float
    null_mean_low: float
    null_mean_high: float
    quality: FloatArray
    trusted: NDArray[np.bool_]
    observed_against: Literal["reference", "group", "rating", "nothing"]
    reason: str
    sources: tuple[SourceStatus, ...]
    alignment: Alignment | None = None
    doubts: tuple[Doubt, ...] = ()
    measures: tuple[MeasureValues, ...] = ()
    affect: tuple[AffectValues, ...] = ()
    group_size: float = math.nan
    elements: tuple[ElementPrediction, ...] = ()
    rating: RatingScale | None = None
    stage_s: dict[str, float] = field(default_factory=dict, compare=False)

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        """Return whether all compared attributes are the same, bit for bit, absent values included."""
        if not isinstance(other, Feedback):
            return NotImplemented
        return all(_same(getattr(self, f.name), getattr(other, f.name)) for f in fields(self) if f.compare)


def _same(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (np.isnan(a) and np.isnan(b))
    compared = Alignment | SourceStatus | Doubt | MeasureValues | AffectValues | ElementPrediction
    if isinstance(a, compared) and type(a) is type(b):
        return _same(astuple(a), astuple(b))
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    return a == b


#: The row that stands for the mean over rows.
MEAN_ROW = "mean"
