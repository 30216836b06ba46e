"""Whether there was synchrony at all in a session, without any prediction: the figure of the operator's window."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from pydantic import ValidationError

from calibration.finished.report.as_json import HIDDEN, known
from calibration.finished.report.blocks import PRACTICE
from calibration.finished.report.data import SessionData
from rtaffect.common.arrays import FloatArray
from rtaffect.common.settings import SynchronySettings
from rtaffect.common.so_far import SoFar, in_words, so_far_of


@dataclass(frozen=True, slots=True, eq=False)
class SynchronyReport:
    """What is told at the session's end, in words, too, and how it came to that.

    ``beyond`` is whether the mean excess over the null lies outside of where chance stays at all times; ``p`` is for
    who looks once. ``time`` (T,) is session time, s; ``means``, ``lows`` and ``highs`` (T,) the mean at each step so
    far and where chance stays; NaN while there is too little. None where there is nothing to tell.
    """

    steps: int
    mean: float | None
    low: float | None
    high: float | None
    p: float | None
    beyond: bool
    words: str
    time: FloatArray = field(metadata=HIDDEN)
    means: FloatArray = field(metadata=HIDDEN)
    lows: FloatArray = field(metadata=HIDDEN)
    highs: FloatArray = field(metadata=HIDDEN)


def synchrony_of_session(data: SessionData) -> SynchronyReport | None:
    """Return what a session tells of synchrony at all; None of ratings, and where there are no steps.

    Steps whose newest second is of a block for practice do not count.
    """
    course = data.course
    if course is None or data.rating is not None or not len(course.time):
        return None
    try:
        settings = SynchronySettings.model_validate(data.ran.get("settings", {}).get("synchrony", {}))
    except ValidationError:
        settings = SynchronySettings()
    counts = course.mean_trusted.copy()
    for begin, end in (span for run in data.apart if run.apart == PRACTICE for span in run.stretches):
        counts &= ~((course.time > begin + 1e-6) & (course.time <= end + 1e-6))
    observed, low, high = (
        np.where(counts, course.mean[name], np.nan) for name in ("observed", "null_low", "null_high")
    )
    points = so_far_of(observed, low, high, settings, course.reference)
    found: SoFar = points[-1]
    means, lows, highs = (np.array([getattr(point, name) for point in points]) for name in ("mean", "low", "high"))
    return SynchronyReport(
        steps=found.steps,
        mean=known(found.mean),
        low=known(found.low),
        high=known(found.high),
        p=known(found.p),
        beyond=found.beyond,
        words=in_words(found, reference=bool(course.reference[-1])),
        time=course.time,
        means=means,
        lows=lows,
        highs=highs,
    )
