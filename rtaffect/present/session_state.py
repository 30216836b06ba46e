"""What the display shows, resolved by pure functions. No Qt.

Courses over time are in :mod:`rtaffect.present.time_courses`. Correlations are dimensionless, times are seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal

import numpy as np

from rtaffect.common.arrays import FloatArray
from rtaffect.common.chance import USUAL
from rtaffect.common.errors import at_terminal
from rtaffect.common.rating_scale import RatingScale
from rtaffect.common.settings import DriftSettings
from rtaffect.engine.feedback import Feedback
from rtaffect.present.affect_state import any_affect
from rtaffect.present.element_state import ElementCourse
from rtaffect.present.measure_state import MeasureState
from rtaffect.present.plane_state import PlaneState
from rtaffect.present.protocol_state import PlannedBlock, ProtocolState
from rtaffect.present.so_far_state import SoFarState
from rtaffect.present.time_courses import TimeCourse
from rtaffect.stream.status import SourceStatus

#: Seconds without a step after which the display says so.
STALL_S = 3.0

Headline = Literal["running", "waiting for data", "stalled", "fault", "ended"]
Level = Literal["good", "idle", "warn", "bad"]

_SOURCE_LEVELS: dict[str, Level] = {
    "ok": "good",
    "waiting": "idle",
    "ended": "idle",
    "expected": "idle",
    "duplicate": "warn",
    "changed": "bad",
    "wrong-rate": "bad",
    "stalled": "bad",
    "lost": "bad",
}

_AGAINST = {
    "reference": "observed against the stored reference",
    "group": "observed against the other people here",
    "nothing": "observed against nothing: no synchrony can be observed",
    "rating": "observed: the participant's own rating",
}


@dataclass(frozen=True, slots=True)
class SourceText:
    """One source in words: what a line of the status area says."""

    name: str
    level: Level
    state: str
    age: str
    gaps: str
    clock_jumps: str
    overruns: str
    drift: str
    message: str


@dataclass(frozen=True, slots=True)
class Mark:
    """An event at a session time, s: a block's begin, or a marker of the operator."""

    time: float
    text: str
    kind: Literal["block", "marker"]


@dataclass(frozen=True, slots=True, eq=False)
class ViewState:
    """All that the display shows at one revision; equal revisions are equal states.

    ``latest`` is the newest step, None before the first, and ``selected`` the index of the chosen row; ``row`` and
    ``mean`` are the shown courses of that row and of the mean over rows. ``fault`` says what failed, and ``ended`` why
    the session ended. ``smooth_steps`` are those over which ``smoothed`` is a mean; ``history_s`` is the longest shown
    time, ``step_s`` the distance of steps, ``window_s`` the length of the window that a value is of, and
    ``longest_step_s`` the most that computing a step has taken, s (0: not known). ``protocol`` says where in its
    protocol the session is, ``blocks`` are all of its known blocks, and ``marks`` the events in the shown time.
    ``measures`` is what is shown of own measures, None without any, and ``elements`` are the courses of voice and
    background. ``drift`` is taken out of predicted and observed before they are held against each other. ``plane`` is
    that of valence and arousal, None where there are no such values, and ``so_far`` whether there is synchrony at all.
    """

    revision: int
    latest: Feedback | None
    selected: int
    row: TimeCourse
    mean: TimeCourse
    fault: str | None
    ended: str | None
    smooth_steps: int
    history_s: float
    step_s: float = 1.0
    window_s: float = 10.0
    longest_step_s: float = 0.0
    protocol: ProtocolState | None = None
    blocks: tuple[PlannedBlock, ...] = ()
    marks: tuple[Mark, ...] = ()
    measures: MeasureState | None = None
    elements: tuple[ElementCourse, ...] = ()
    drift: DriftSettings = USUAL
    plane: PlaneState | None = None
    so_far: SoFarState | None = None


def resolve_headline(state: ViewState, elapsed_s: float, stall_s: float = STALL_S) -> tuple[Headline, str]:
    """Return the state of the session and its explanation, in words.

    ``elapsed_s`` is the time since the newest step, s. A fault outweighs an end, and an end outweighs a stall.
    """
    if state.fault is not None:
        return "fault", state.fault
    if state.ended is not None:
        return "ended", state.ended
    if state.latest is None:
        return "waiting for data", "no step yet"
    if elapsed_s > stall_s:
        return "stalled", f"no step for {elapsed_s:.0f} s"
    return headline_of_step(state.latest)


def headline_of_step(latest: Feedback) -> tuple[Headline, str]:
    """Return the state of a session by its newest step, and its explanation, in words."""
    broken = [f"{s.name} {s.state}" for s in latest.sources if _SOURCE_LEVELS[s.state] in ("bad", "warn")]
    broken += [doubt.words for doubt in latest.doubts if doubt.reason == "late"]
    if broken:
        return "fault", ", ".join(broken)
    if not (np.isfinite(latest.predicted).any() or np.isfinite(latest.observed).any() or any_affect(latest)):
        return "waiting for data", "no value yet"
    return "running", ""


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Return each name without the ending that all share (': EEG'), where it is cut off by more than a letter or digit.

    Headsets of one maker differ at the front, and a panel has no room for what they have in common.
    """
    shared = 0
    if len(set(names)) > 1:
        shared = sum(1 for _ in takewhile(lambda at: len(set(at)) == 1, zip(*(n[::-1] for n in names), strict=False)))
    ending = names[0][len(names[0]) - shared :] if shared else ""
    ending = ending.lstrip("".join(filter(str.isalnum, ending)))
    cut = len(ending) if all(len(name) > len(ending) for name in names) else 0
    return {name: name[: len(name) - cut] for name in names}


def describe_source(source: SourceStatus, elapsed_s: float) -> SourceText:
    """Return ``source`` in words, its age grown by the ``elapsed_s`` seconds since it was reported."""
    # The engine reports the sources: while it stalls, their present state is not known.
    stale = elapsed_s > STALL_S
    return SourceText(
        name=source.name,
        level="idle" if stale and source.state == "ok" else _SOURCE_LEVELS[source.state],
        state=f"was {source.state}" if stale and source.state == "ok" else source.state,
        age=f"{source.age_s + elapsed_s:.1f} s" if np.isfinite(source.age_s) else "none yet",
        gaps=str(source.gaps),
        clock_jumps=str(source.clock_jumps),
        overruns=str(source.overruns),
        drift=f"{source.drift_ppm:+.0f} ppm" if np.isfinite(source.drift_ppm) else "\N{EN DASH}",
        message=at_terminal(source.message),
    )


def describe_step(latest: Feedback | None) -> str:
    """Return the one line about the newest step: number, and what observed is against."""
    if latest is None:
        return "no step yet"
    rated = latest.rating is not None and latest.observed_against == "nothing"
    against = "no rating of the participant's" if rated else _AGAINST[latest.observed_against]
    return f"step {latest.step}  \N{MIDDLE DOT}  {against}"


def describe_notices(latest: Feedback | None) -> str:
    """Return why values are absent and what the sources report, in words; empty when there is nothing to say."""
    if latest is None:
        return ""
    notices = [f"{s.name}: {at_terminal(s.message)}" for s in latest.sources if s.message]
    return "   \N{MIDDLE DOT}   ".join(([latest.reason] if latest.reason else []) + notices)


def correlation_limits(*values: FloatArray, floor: float = -0.2, ceiling: float = 0.4) -> tuple[float, float]:
    """Return axis limits in whole tenths that hold all finite ``values`` and at least ``floor`` to ``ceiling``."""
    joined = np.concatenate([np.ravel(v) for v in values] + [np.array([floor, ceiling])])
    finite = joined[np.isfinite(joined)]
    # The offset keeps a value such as 0.3 (0.30000000000000004 in tenths) from opening a further tenth.
    low, high = np.floor(10 * finite.min() + 1e-9) / 10, np.ceil(10 * finite.max() - 1e-9) / 10
    return max(float(low), -1.0), min(float(high), 1.0)


def beside_title(state: ViewState) -> str:
    """Return what is shown beside the chosen row: the mean over rows, or another rating."""
    latest = state.latest
    if latest is None or latest.rating is None:
        return f"Mean over {latest.mean_of}" if latest is not None else "Mean over rows"
    return f"Rating {state.mean.name}"


def rating_limits(scale: RatingScale) -> tuple[float, float]:
    """Return the limits of an axis of ratings: the scale, with a little room at both ends."""
    room = 0.04 * (scale.high - scale.low)
    return scale.low - room, scale.high + room
