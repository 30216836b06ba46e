"""The values of a session's rule, of which a report tells what regulation they show."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calibration.finished.report.blocks import BlockRun
from calibration.finished.report.data import SessionData
from rtaffect.common.arrays import FloatArray
from rtaffect.common.correlation import fisher_z

_AFFECT: Final = ("valence", "arousal")
_NONE: Final = "none: ratings have no mean, and the rule names none of them"


@dataclass(frozen=True, slots=True, eq=False)
class RuleValues:
    """The rule's values at steps inside blocks, whose windows lie inside too: n of them, none absent.

    ``values`` are as the rule gives them, ``z`` as they are averaged; ``block`` is the place of each in ``runs``;
    ``threshold`` from which on a value is success, NaN where none is set. ``label`` says in words what they are;
    ``stimuli`` has ``file`` and ``sha256`` of each sound.
    """

    runs: tuple[BlockRun, ...]
    label: str
    times: FloatArray
    values: FloatArray
    z: FloatArray
    block: NDArray[np.intp]
    threshold: FloatArray
    smoothing: int
    back: Callable[[float], float]
    stimuli: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    unit: str = "Fisher z"


def rule_values(data: SessionData) -> RuleValues:
    """Return the values of the protocol's rule; without a table of moments those of the mean over rows."""
    rule, notes = data.rule, []
    what = str(rule.get("value", "observed"))
    smoothing = round(float(rule.get("smoothing_s", 5)))
    rows = [str(row) for row in rule.get("rows", ["mean"])]
    over = data.course.mean_of if data.course is not None and rows == ["mean"] else ", ".join(rows)
    found, note = _found(data)
    times, values, threshold, inside = found
    if note:
        notes.append(note)
    if data.protocol_steps is None and data.course is not None and data.rating is None:
        what, smoothing, over = "observed", 1, data.course.mean_of
    block = _blocks(data, times, inside)
    used = np.isfinite(values) & (block >= 0)
    nothing = data.rating is not None and rows == ["mean"] and what not in _AFFECT
    label = _NONE if nothing else _label(data, what, over) + (f", mean of {smoothing} s" if smoothing > 1 else "")
    averaged, back, unit = _scale_of(what, rated=data.rating is not None)
    return RuleValues(
        data.blocks, label, times[used], values[used], averaged(values[used]), block[used], threshold[used], smoothing,
        back, tuple(data.ran.get("stimuli", ())), tuple(notes), unit,
    )  # fmt: skip


def _scale_of(what: str, *, rated: bool) -> tuple[Callable[[FloatArray], FloatArray], Callable[[float], float], str]:
    """Return how values are averaged, how such a mean is brought back, and the unit of differences, in words."""
    if what in _AFFECT:
        return np.asarray, float, "on the scale of -1 to 1"
    if rated:
        return np.asarray, float, "on the rating's scale"
    if what == "difference":
        return np.asarray, float, "difference of correlations"
    return fisher_z, math.tanh, "Fisher z"


def _found(data: SessionData) -> tuple[tuple[FloatArray, FloatArray, FloatArray, NDArray[np.bool_]], str]:
    """Return times, values, thresholds and which of them are inside blocks, and what to know of them."""
    none, nothing = np.empty(0), np.empty(0, np.bool_)
    if data.protocol_steps is not None:
        m = data.protocol_steps
        return (m.time, m.value, m.threshold, m.running), ""
    if data.course is None:
        return (none, none, none, nothing), ""
    if data.rating is not None:
        said = "moments.tsv is missing, and ratings have no mean: there are no values of a rule."
        return (none, none, none, nothing), said
    times = data.course.time
    said = "moments.tsv is missing: values are the observed mean over rows at each step, not the rule's."
    return (times, data.course.mean["observed"], np.full(len(times), np.nan), np.ones(len(times), np.bool_)), said


def _blocks(data: SessionData, times: FloatArray, inside: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return in which block the window of each value lies, by its place; -1 for none."""
    block = np.full(len(times), -1, np.intp)
    for place, run in enumerate(data.blocks):
        for begin, end in run.stretches:
            block[inside & (times >= begin + data.window_s - 1e-6) & (times < end - 1e-6)] = place
    return block


def _label(data: SessionData, what: str, over: str) -> str:
    """Return what a rule's values are, in words."""
    quantity = data.quantity
    names = {
        "observed": f"observed {quantity}",
        "predicted": f"predicted {quantity}",
        **{name: name for name in _AFFECT},
    }
    return f"{names.get(what, f'observed less predicted {quantity}')} ({over})"
