"""Brings what is predicted to the scale of what is observed: that of the number of people who are compared now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import FloatArray
from rtaffect.common.correlation import fisher_mean, fisher_z
from rtaffect.common.group_size import in_a_group_of
from rtaffect.common.settings import SynchronySettings
from rtaffect.observed.observer import GroupObserver, ReferenceObserver
from rtaffect.observed.reference import Reference
from rtaffect.observed.response import Response
from rtaffect.observed.synchrony import RowLayout
from rtaffect.predicted.prediction import Prediction

#: Why nothing is predicted in a group for which the calibration's size is not known.
UNKNOWN_SIZE: Final = (
    "the bundle does not say how many people it was fitted to, so nothing is predicted for the number who are here: "
    "calibrate anew"
)


def fitted_people(references: Iterable[Reference], rows: NDArray[np.intp], layout: RowLayout) -> FloatArray:
    """Return of how many people the target was that weights were fitted to, for each of a session's rows (R,).

    By those who were there at each instant: the harmonic mean of the others, by which the variance of their mean goes.

    Parameters
    ----------
    references
        Of the sounds that were fitted on.
    rows
        The session's measured rows, as numbers of the bundle's.
    layout
        Of the session's rows.

    Returns
    -------
    (R,)
        NaN where no two were there at once.
    """
    inverse, instants = np.zeros(len(rows)), np.zeros(len(rows))
    for reference in references:
        count = reference.count[:, rows].astype(np.float64)
        there = count >= 2
        inverse += np.where(there, count / np.maximum(count - 1, 1), 0.0).sum(axis=0)
        instants += np.where(there, count, 0.0).sum(axis=0)
    return people_of(inverse, instants, layout)


def people_of(inverse: FloatArray, instants: FloatArray, layout: RowLayout) -> FloatArray:
    """Return the effective number of people (R,) from sums over measured rows' instants (M,) of 1 / others, and 1."""
    inverse, instants = (
        np.concatenate([each, layout.averages.astype(np.float64) @ each]) for each in (inverse, instants)
    )
    return np.where(instants > 0, 1.0 + instants / np.where(inverse > 0, inverse, 1.0), np.nan)


def people_here(
    observer: ReferenceObserver | GroupObserver | None,
    each: FloatArray,
    responses: Sequence[Response],
    settings: SynchronySettings,
) -> FloatArray:
    """Return how many people are compared with each other (R,): all who are here in a row without a value.

    NaN where they are not compared with each other. ``each`` (P, R) is observed synchrony of each person.
    """
    if not isinstance(observer, GroupObserver):
        return np.full(each.shape[1], np.nan)
    layout = responses[0].layout
    inverse, instants = observer.company(np.isfinite(each[:, : layout.measured]))
    found = people_of(inverse, instants, layout)
    return np.where(np.isfinite(found), found, 2.0 if settings.method == "pairwise" else float(len(responses)))


def for_people(
    observer: ReferenceObserver | GroupObserver | None,
    fitted: FloatArray,
    now: FloatArray,
    responses: Sequence[Response],
    prediction: Prediction,
) -> Prediction:
    """Return a prediction for those who are here: as :func:`among` where they are compared with each other."""
    if not isinstance(observer, GroupObserver):
        return prediction
    return among(prediction, fitted, now, responses[0].layout)


def among(prediction: Prediction, fitted: FloatArray, now: FloatArray, layout: RowLayout) -> Prediction:
    """Return a prediction for as many people as are compared now.

    The value is that of :func:`rtaffect.common.group_size.in_a_group_of`. The interval is of an observation, most of
    whose error is the window's, which is the same in Fisher z with any number of others: each end is at the distance
    that it had in Fisher z, or where the formula takes it, whichever is further.

    Parameters
    ----------
    prediction
        As the weights give it.
    fitted, now
        Numbers of people (R,): in the calibration, and now; NaN where not known.
    layout
        Which rows the mean is over.
    """
    value = in_a_group_of(prediction.value, fitted, now)
    counted = layout.counted & np.isfinite(value)
    overall = float(fisher_mean(value[counted]))
    # The mean's interval is one of its own, for the number of people that its rows have on average.
    before, after = (
        np.array([each[counted].mean()]) if counted.any() else np.array([np.nan]) for each in (fitted, now)
    )
    ends = [
        _end(np.array([prediction.overall]), np.array([overall]), np.array([end]), before, after)[0]
        for end in (prediction.overall_low, prediction.overall_high)
    ]
    return Prediction(
        value=value,
        low=_end(prediction.value, value, prediction.low, fitted, now),
        high=_end(prediction.value, value, prediction.high, fitted, now),
        overall=overall,
        overall_low=float(ends[0]),
        overall_high=float(ends[1]),
    )


def _end(value: FloatArray, moved: FloatArray, end: FloatArray, fitted: FloatArray, now: FloatArray) -> FloatArray:
    """Return an end of the interval of ``moved``, which was ``end`` of ``value``."""
    kept = fisher_z(moved) + fisher_z(end) - fisher_z(value)
    mapped = fisher_z(in_a_group_of(end, fitted, now))
    further = np.where(end < value, np.minimum(kept, mapped), np.maximum(kept, mapped))
    return np.asarray(np.tanh(further))
