"""Stamps of a recorded stream, on one course of time: which are astray, where they belong, and what cannot be used.

A stamp that lies far from those beside it is no hole: where those before and after it leave just the room for the
samples between, their times are known by their number. Where they do not, the samples are left out. The course itself
is what most samples agree on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import FloatArray

#: Stamps that go back by more than this, or on by more, do not belong together without further reason, s.
APART_S: Final = 10.0
#: Units in which stamps are found that should be seconds, by how many of them one second has.
UNITS: Final[Mapping[float, str]] = {1e3: "milliseconds", 1e6: "microseconds", 1e9: "nanoseconds"}
#: How far a rate by the stamps may be from the declared one to be the same in another unit, as a fraction.
_LIKE: Final = 0.1
#: Room for samples between two stamps is as large as they need up to this and a share for drift, s.
_ROOM_S: Final = 0.02
_DRIFT: Final = 2e-4
_MOST_JITTER_S: Final = 0.3
#: With more runs, or groups of them, than this they tell nothing, nor with this share astray in more than a few.
_MOST_RUNS: Final = 500_000
_MOST_GROUPS: Final = 8_000
_MOST_ASTRAY: Final = 0.5
_FEW_RUNS: Final = 20
#: A rate is measured over pieces of this many seconds, of which this share must agree within so much.
_PIECE_S, _AGREE, _WITHIN = 1.0, 0.8, 0.02


class Course(NamedTuple):
    """The stamps of a stream on one course of time.

    ``stamps`` (n,) float64, s; ``used`` (n,) bool, which samples have a time; ``placed`` how many got it by their
    number; ``why`` says in words why none can be used, '' where they can.
    """

    stamps: FloatArray
    used: NDArray[np.bool_]
    placed: int = 0
    why: str = ""


def told_of(name: str, stamps: FloatArray, course: Course) -> list[str]:
    """Return in words what of the ``stamps`` (n,), s, of a stream lies astray; nothing where none can be used."""
    if course.why:
        return []
    told = []
    if course.placed:
        told.append(
            f"stream {name!r}: {course.placed} of its samples are stamped far off those beside them, which leave "
            "just the room for that: placed by number"
        )
    if lost := np.flatnonzero(~course.used).tolist():
        told.append(
            f"stream {name!r}: {len(lost)} of its {len(stamps)} samples have stamps far off its others', as that "
            f"of sample {lost[0]} at {stamps[lost[0]]:.3f} s, and are left out"
        )
    return told


class _Run(NamedTuple):
    """Consecutive samples whose stamps go on evenly: numbers of the first and of the one after the last."""

    first: int
    stop: int


def unit_of(stamps: FloatArray, rate: float) -> float:
    """Return how many units of ``stamps`` (n,) one second has: 1, or one of ``UNITS``."""
    slope = _slope(stamps, rate)
    for units in UNITS:
        if math.isfinite(slope) and abs(slope / units - 1.0) < _LIKE:
            return units
    return 1.0


def measured_rate(stamps: FloatArray) -> float:
    """Return the rate of evenly spaced ``stamps`` (n,), s, in Hz; NaN where they are not."""
    if len(stamps) < 50:
        return math.nan
    spacing = float(stamps[-1] - stamps[0]) / (len(stamps) - 1)
    middle = float(np.median(np.diff(stamps)))
    usual = middle if middle > 0 and abs(spacing / middle - 1.0) > _WITHIN else spacing
    if not usual > 0:
        return math.nan
    apart = max(1, min(round(_PIECE_S / usual), (len(stamps) - 1) // 4))
    pieces = (stamps[apart:] - stamps[:-apart]) / apart
    typical = float(np.median(pieces))
    if not typical > 0 or float(np.mean(np.abs(pieces / typical - 1.0) < _WITHIN)) < _AGREE:
        return math.nan
    rate = 1.0 / typical
    return float(round(rate)) if abs(rate / max(round(rate), 1) - 1.0) < 0.005 else rate


def _slope(stamps: FloatArray, rate: float) -> float:
    """Return the usual progress of ``stamps`` in a second of samples; NaN where none is usual, or for two samples."""
    if len(stamps) < 3:
        return math.nan
    apart = max(1, min(round(rate), len(stamps) // 2))
    progress = stamps[apart:] - stamps[:-apart]
    middle = float(np.median(progress))
    usual = np.abs(progress - middle) <= abs(middle) / 2
    return middle / apart * rate if usual.mean() > 1 / 2 else math.nan


def on_one_course(stamps: FloatArray, rate: float) -> Course:
    """Find the course of ``stamps`` (n,), s, of samples at ``rate`` (Hz), and place on it what lies astray."""
    used = np.ones(len(stamps), np.bool_)
    slope = _slope(stamps, rate)
    if math.isfinite(slope) and slope <= 0:
        why = "stand still" if slope == 0 else "go back"
        return Course(stamps, ~used, why=f"its stamps {why} all the time")
    edges = np.flatnonzero(np.abs(np.diff(stamps) - 1.0 / rate) > APART_S) + 1
    if not len(edges):
        return Course(stamps, used)
    if len(edges) >= _MOST_RUNS:
        return Course(stamps, ~used, why="its stamps jump to and fro")
    places = [0, *edges.tolist(), len(stamps)]
    runs = [_Run(a, b) for a, b in pairwise(places)]
    groups = _by_number(stamps, runs, rate)
    if not groups:
        return Course(stamps, ~used, why="its stamps jump to and fro")
    found = [run for group in groups for run in group]
    # Comparing each with each would take too long; the largest then stands for all.
    chosen = _in_order(stamps, found) if len(found) <= _MOST_GROUPS else groups[0]
    astray = used.copy()
    for run in chosen:
        astray[run.first : run.stop] = False
    if astray.mean() > _MOST_ASTRAY and len(runs) > _FEW_RUNS:
        return Course(stamps, ~used, why="its stamps jump to and fro")
    return _placed(stamps, astray, chosen, rate)


def _fit(stamps: FloatArray, before: NDArray[np.intp], after: int, rate: float, loose: float) -> NDArray[np.bool_]:
    """Return which of the samples ``before`` (k,) lie as far from the one ``after`` as their numbers tell."""
    room = (after - before) / rate
    fit: NDArray[np.bool_] = np.abs(stamps[after] - stamps[before] - room) <= loose + _DRIFT * room
    return fit


def _looseness(stamps: FloatArray, rate: float) -> float:
    """Return by how much the room between two stamps may differ from that for their samples, s; more for bursts."""
    off = np.abs(np.diff(stamps) - 1.0 / rate)
    near = off[off <= APART_S]
    jitter = float(np.percentile(near, 95)) if len(near) else 0.0
    return max(_ROOM_S, 0.5 / rate) + min(jitter, _MOST_JITTER_S)


def _by_number(stamps: FloatArray, runs: list[_Run], rate: float) -> list[list[_Run]]:
    """Return groups of runs that go on in each other by the numbers of their samples, without what lies inside one.

    There are none where there would be too many. The largest of several comes first and keeps its runs; runs of others
    that lie between them are left out.
    """
    groups: list[list[int]] = []
    loose = _looseness(stamps, rate)
    lasts = np.zeros(len(runs), np.intp)
    for number, run in enumerate(runs):
        fits = np.flatnonzero(_fit(stamps, lasts[: len(groups)], run.first, rate, loose))
        if not len(fits):
            groups.append([])
        if len(groups) > _MOST_GROUPS:
            return []
        at = int(fits[-1]) if len(fits) else len(groups) - 1
        groups[at].append(number)
        lasts[at] = run.stop - 1
    taken = np.zeros(len(runs), np.bool_)
    kept: list[list[_Run]] = []
    # That several go on in each other by number is no accident, however much lies between them.
    sizes = {id(each): (len(each) > 1, sum(runs[n].stop - runs[n].first for n in each)) for each in groups}
    for group in sorted(groups, key=lambda each: sizes[id(each)], reverse=True):
        free = [n for n in group if not taken[n]]
        if free:
            # What lies between runs that fit each other is astray; other groups cannot lie across them.
            taken[free[0] : free[-1] + 1] = True
            kept.append([runs[n] for n in free])
    return kept


def _in_order(stamps: FloatArray, runs: list[_Run]) -> list[_Run]:
    """Return the runs with the most samples among which time does not go back (longest increasing subsequence)."""
    runs = sorted(runs)
    begins, ends = (
        np.array([stamps[at] for at in ats]) for ats in zip(*((r.first, r.stop - 1) for r in runs), strict=True)
    )
    most, before = np.zeros(len(runs)), np.full(len(runs), -1)
    for n, run in enumerate(runs):
        follows = ends[:n] <= begins[n]
        if follows.any():
            before[n] = int(np.argmax(np.where(follows, most[:n], -1.0)))
        most[n] = run.stop - run.first + (most[before[n]] if before[n] >= 0 else 0.0)
    chain, at = [], int(np.argmax(most))
    while at >= 0:
        chain.append(runs[at])
        at = int(before[at])
    return chain[::-1]


def _placed(stamps: FloatArray, astray: NDArray[np.bool_], chosen: list[_Run], rate: float) -> Course:
    """Give the samples that are ``astray`` (n,) their times where there is just the room for them."""
    times, used, placed, loose = stamps.copy(), ~astray, 0, _looseness(stamps, rate)
    for run, following in pairwise(chosen):
        before, after = run.stop - 1, following.first
        between = after - run.stop
        if between and _fit(stamps, np.array([before]), after, rate, loose)[0]:
            times[before : after + 1] = np.linspace(stamps[before], stamps[after], between + 2)
            used[before:after] = True
            placed += between
    return Course(times, used, placed)


def by_number(stamps: FloatArray, rate: float) -> FloatArray:
    """Return times (n,), s from the first on: as far apart as ``stamps`` where they go on, else as ``rate`` has it."""
    spacing = np.diff(stamps)
    slope = _slope(stamps, rate)
    if not abs(slope - 1.0) < _LIKE:
        return np.arange(len(stamps)) / rate
    evenly = np.where(np.abs(spacing - 1.0 / rate) > APART_S, 1.0 / rate, spacing)
    return np.concatenate([[0.0], np.cumsum(evenly)])
