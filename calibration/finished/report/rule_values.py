"""The values of a session's rule: at which steps, in which block, and how they are averaged."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibration.finished.report.blocks import BlockRun
from calibration.finished.report.data import SessionData
from rtaffect.common.arrays import BoolArray, FloatArray
from rtaffect.common.correlation import fisher_z

#: Values of a rule that are no synchrony.
_AFFECT: Final = ("valence", "arousal")


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


class _Course(NamedTuple):
    """Values at all steps: (n,) times, values, thresholds, and whether a block runs."""

    times: FloatArray
    values: FloatArray
    threshold: FloatArray
    inside: BoolArray


_NOTHING: Final = _Course(np.empty(0), np.empty(0), np.empty(0), np.empty(0, np.bool_))


def rule_values(data: SessionData) -> RuleValues:
    """Return the values of the protocol's rule; without a table of moments those of the mean over rows."""
    rule, course, notes = data.rule, data.course, list[str]()
    what = str(rule.get("value", "observed"))
    smoothing = round(float(rule.get("smoothing_s", 5)))
    rows = [str(row) for row in rule.get("rows", ["mean"])]
    over = course.mean_of if course is not None and rows == ["mean"] else ", ".join(rows)
    found = _NOTHING
    if (m := data.protocol_steps) is not None:
        found = _Course(m.time, m.value, m.threshold, m.running)
    elif course is not None and data.rating is not None:
        notes.append("moments.tsv is missing, and ratings have no mean: there are no values of a rule.")
    elif course is not None:
        notes.append("moments.tsv is missing: values are the observed mean over rows at each step, not the rule's.")
        what, smoothing, over = "observed", 1, course.mean_of
        never, always = np.full(len(course.time), np.nan), np.ones(len(course.time), np.bool_)
        found = _Course(course.time, course.mean["observed"], never, always)
    block = _blocks(data, found)
    used = np.isfinite(found.values) & (block >= 0)
    values = found.values[used]
    is_r = what not in ("difference", *_AFFECT) and data.rating is None
    return RuleValues(
        data.blocks, _label(data, what, rows, over, smoothing), found.times[used], values,
        fisher_z(values) if is_r else values, block[used], found.threshold[used], smoothing,
        math.tanh if is_r else float, tuple(data.ran.get("stimuli", ())), tuple(notes), _unit(data, what, is_r=is_r),
    )  # fmt: skip


def _blocks(data: SessionData, found: _Course) -> NDArray[np.intp]:
    """Return the place of the block that each value (n,) is of, -1 for none."""
    block = np.full(len(found.times), -1, np.intp)
    for place, run in enumerate(data.blocks):
        from_here, to_here = run.start + data.window_s - 1e-6, run.end - 1e-6
        block[found.inside & (found.times >= from_here) & (found.times < to_here)] = place
    return block


def _label(data: SessionData, what: str, rows: Sequence[str], over: str, smoothing: int) -> str:
    """Return in words what the values are."""
    names = {"observed": f"observed {data.quantity}", "predicted": f"predicted {data.quantity}"}
    names |= dict(zip(_AFFECT, _AFFECT, strict=True))
    label = f"{names.get(what, f'observed less predicted {data.quantity}')} ({over})"
    if data.rating is not None and list(rows) == ["mean"] and what not in _AFFECT:
        label = "none: ratings have no mean, and the rule names none of them"
    return f"{label}, mean of {smoothing} s" if smoothing > 1 else label


def _unit(data: SessionData, what: str, *, is_r: bool) -> str:
    """Return in what differences of values are."""
    if is_r:
        return "Fisher z"
    return "on the rating's scale" if data.rating is not None or what in _AFFECT else "difference of correlations"
