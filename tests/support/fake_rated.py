"""Feedback as a session with a bundle of ratings gives it, made up from a seed."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from rtaffect.common.rating_scale import RatingScale
from rtaffect.engine.feedback import Feedback
from rtaffect.stream.status import SourceStatus
from tests.support.fake_feedback import fake_session

SCALE = RatingScale(low=1.0, high=9.0)
RATINGS = ("arousal", "valence")


def fake_rated_session(
    steps: int,
    *,
    names: tuple[str, ...] = RATINGS,
    scale: RatingScale = SCALE,
    rated: bool = True,
    people: tuple[str, ...] = (),
    silent: tuple[int, int] = (0, 0),
    seed: int = 3,
) -> list[Feedback]:
    """Return ``steps`` Feedbacks: ratings that wander over the scale, predicted roughly; nobody rates in ``silent``."""
    rng = np.random.default_rng(seed)
    R, nothing = len(names), np.full(len(names), np.nan)
    half = (scale.high - scale.low) / 2
    found = []
    for f in _bare(steps, people):
        t = f.time
        course = np.array([math.sin(t / (19 + 11 * i) + i) * 0.55 + 0.2 * math.sin(t / 7 + 2 * i) for i in range(R)])
        predicted = scale.middle + half * np.clip(0.7 * course + rng.normal(0, 0.03, R), -1, 1)
        empty = t <= 9
        there = rated and not silent[0] < t <= silent[1] and t > 4
        observed = scale.middle + half * np.clip(course, -1, 1) if there else nothing
        predicted = nothing if empty else predicted
        reason = "prediction waits for enough sound without a gap" if empty else ""
        if not there:
            why = "the participant has not rated yet" if rated else "nobody rates: nothing is observed"
            reason = "; ".join(filter(None, [why, reason]))
        found.append(
            replace(
                f,
                rows=names,
                row_kinds=("rating",) * R,
                specificity=np.ones(R),
                mean_of="no rows",
                predicted=predicted,
                predicted_low=predicted - 0.35 * half,
                predicted_high=predicted + 0.35 * half,
                observed=observed,
                observed_each=np.tile(nothing, (len(people), 1)),
                null_low=nothing,
                null_high=nothing,
                trusted=np.isfinite(predicted) & (np.isfinite(observed) | (not rated)),
                observed_against="rating" if there else "nothing",
                reason=reason,
                rating=scale,
                **dict.fromkeys(_MEANS, math.nan),
            )
        )
    return found


_MEANS = (
    "predicted_mean", "predicted_mean_low", "predicted_mean_high", "observed_mean", "null_mean_low", "null_mean_high",
)  # fmt: skip


def _bare(steps: int, people: tuple[str, ...]) -> list[Feedback]:
    """Return steps with these headsets, or none, and a sound."""
    if people:
        return fake_session(steps, people=people)
    alone = fake_session(steps, people=("nobody",))
    sources = (
        SourceStatus("microphone", "audio", "ok", 0.06, 160000, 0, 0, 0, 23.0),
        SourceStatus("slider", "rating", "ok", 0.03, 400, 0, 0, 0, 0.0),
    )
    return [replace(f, people=(), channels=(), quality=np.zeros((0, 0)), sources=sources) for f in alone]
