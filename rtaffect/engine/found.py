"""What a step finds on its way to a Feedback."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtaffect.affect.values import AffectValues
from rtaffect.common.arrays import FloatArray
from rtaffect.common.rating_scale import RatingScale
from rtaffect.common.settings import STEP_S
from rtaffect.engine.feedback import Feedback
from rtaffect.engine.trust import Trust
from rtaffect.measures.measure import MeasureValues
from rtaffect.observed.spaces import Space
from rtaffect.observed.synchrony import Observation
from rtaffect.predicted.element_prediction import ElementPrediction
from rtaffect.predicted.prediction import Prediction
from rtaffect.stream.status import SourceStatus
from rtaffect.timelock.alignment import Alignment

Against = Literal["reference", "group", "rating", "nothing"]


class Compared(NamedTuple):
    """An observation, what the people were compared with, and why there is no value."""

    observation: Observation
    against: Against
    reason: str = ""


class Found(NamedTuple):
    """All that a step found."""

    prediction: Prediction
    compared: Compared
    alignment: Alignment | None
    trust: Trust
    status: tuple[SourceStatus, ...]
    measures: tuple[MeasureValues, ...]
    affect: tuple[AffectValues, ...]
    spent: dict[str, float]
    elements: tuple[ElementPrediction, ...] = ()


class TakenIn(NamedTuple):
    """What came in for a step.

    Until when samples had come ``before`` in a session that is replayed, by part; everybody's newest ``second`` of
    rows, the sound's ``feature``, where in a stimulus it is, and what is predicted of its elements.
    """

    before: Mapping[str, float]
    second: FloatArray
    feature: FloatArray | None
    alignment: Alignment | None
    parts: tuple[ElementPrediction, ...]


class Made(NamedTuple):
    """What a step is of, beside what it found: ``people`` are the headsets' names, ``end`` is on the LSL clock, s."""

    space: Space
    people: tuple[str, ...]
    quality: FloatArray
    step: int
    end: float
    trusted: NDArray[np.bool_]
    reason: str
    group_size: float
    rating: RatingScale | None


def feedback_of(found: Found, made: Made) -> Feedback:
    """Return what a step found as its Feedback."""
    p, compared, alignment, trust, status, measures, affect, spent, elements = found
    o, space = compared.observation, made.space
    return Feedback(
        step=made.step,
        time=float(made.step * STEP_S),
        lsl_time=made.end,
        rows=space.rows,
        row_kinds=space.row_kinds,
        specificity=space.specificity,
        mean_of=space.mean_of,
        channels=space.channels,
        people=made.people,
        predicted=p.value,
        predicted_low=p.low,
        predicted_high=p.high,
        predicted_mean=p.overall,
        predicted_mean_low=p.overall_low,
        predicted_mean_high=p.overall_high,
        observed=o.mean,
        observed_each=o.each,
        null_low=o.low,
        null_high=o.high,
        observed_mean=o.overall,
        null_mean_low=o.overall_low,
        null_mean_high=o.overall_high,
        quality=made.quality,
        trusted=made.trusted,
        observed_against=compared.against,
        reason=made.reason,
        sources=status,
        alignment=alignment,
        doubts=trust.doubts,
        measures=measures,
        affect=affect,
        group_size=made.group_size,
        elements=elements,
        rating=made.rating,
        stage_s=spent,
    )


@contextmanager
def timed(spent: dict[str, float], stage: str) -> Iterator[None]:
    """Note in ``spent`` how long a ``stage`` takes, s."""
    start = time.perf_counter()
    yield
    spent[stage] = time.perf_counter() - start
