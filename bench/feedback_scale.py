"""How often feedback is success, and how high its level is, where nothing is shared and where synchrony truly rises.

Simulated people with 1/f EEG (1 to 30 Hz) are compared with a reference or with each other by the program's own
observers; the rule's value is the mean over rows, with the shipped smoothing. Each session has a baseline of 60 s and
five minutes of feedback. ``rate`` and ``level`` are means over sessions, ``low`` and ``high`` hold the middle 95 % of
sessions' rates of success: the nominal rate of success by chance is one half, or what the case says.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bench import Rows, run
from bench.evidence_live import RATE, WINDOW_S, noise
from rtaffect.common.settings import SynchronySettings
from rtaffect.engine.feedback import Feedback
from rtaffect.observed.observer import GroupObserver, ReferenceObserver
from rtaffect.observed.synchrony import Observation, RowLayout
from rtaffect.protocol.model import FeedbackRule
from rtaffect.protocol.rule import Rule

SETTINGS = SynchronySettings()
BASELINE_S, RUN_S, ROWS = 60, 300, 4
#: A reference, or the others, must reach beyond both ends of what is looked at, so that there is a null from the start.
AROUND_S = 120
RULES = {
    "format 1, baseline": (FeedbackRule(), False),
    "format 2, baseline": (FeedbackRule(), True),
    "null, half by chance": (FeedbackRule(scale="null"), True),
    "null, .1 by chance": (FeedbackRule(scale="null", success_rate=0.1), True),
}
#: Pairwise correlation in the baseline, and in feedback.
TRUTHS = {
    "noise": (0.0, 0.0),
    "rises": (0.0, 0.05),
    "synchronous throughout": (0.05, 0.05),
    "rises from .05": (0.05, 0.1),
}


def measure(quick: bool) -> Rows:
    """Return a row for each kind of session and each rule."""
    found: Rows = []
    for against in ("reference of 8", "group of 2"):
        for truth, shared in TRUTHS.items():
            sessions = 2 if quick else 80 if truth == "noise" else 20
            rng = np.random.default_rng(len(found) + 1)
            read = [_session(rng, against, shared) for _ in range(sessions)]
            for name in RULES:
                rates, levels = (np.array([each[name][i] for each in read]) for i in (0, 1))
                found.append(
                    {
                        "case": f"{against}, {truth}: {name}",
                        "rate": float(np.nanmean(rates)),
                        "low": float(np.nanquantile(rates, 0.025)),
                        "high": float(np.nanquantile(rates, 0.975)),
                        "level": float(np.nanmean(levels)),
                        "sessions": sessions,
                        "ratio": max(float(np.nanmean(rates)), 1e-3),
                    }
                )
    return found


def _session(rng: np.random.Generator, against: str, shared: tuple[float, float]) -> dict[str, tuple[float, float]]:
    """Return the rate of success and the mean level of one session by each rule."""
    seen = observed(rng, against, shared)
    return {name: _read(seen, *rule) for name, rule in RULES.items()}


def observed(rng: np.random.Generator, against: str, shared: tuple[float, float]) -> list[Observation | None]:
    """Return what the program's observer says at each second of a session, the first one at second 1."""
    people = 2 if against.startswith("group") else 9
    seconds = AROUND_S + BASELINE_S + RUN_S + AROUND_S
    strength = np.repeat([shared[0], shared[1]], [(AROUND_S + BASELINE_S) * RATE, (RUN_S + AROUND_S) * RATE])
    common = noise(rng, seconds * RATE, ROWS)
    own = np.stack([noise(rng, seconds * RATE, ROWS) for _ in range(people)])
    group = np.sqrt(strength)[None, :, None] * common + np.sqrt(1 - strength)[None, :, None] * own
    layout = RowLayout.plain(ROWS)
    if people == 2:
        observer: GroupObserver | ReferenceObserver = GroupObserver(people, RATE, SETTINGS, layout=layout)
    else:
        observer = ReferenceObserver(1, group[1:].mean(axis=0), 0, RATE, SETTINGS, layout=layout)
        group = group[:1]
    return [observer(group[:, at : at + RATE]) for at in range(0, group.shape[1] - AROUND_S * RATE, RATE)]


def _read(seen: list[Observation | None], rule: FeedbackRule, knows: bool) -> tuple[float, float]:
    """Return the rate of success and the mean level."""
    read = Rule(rule, WINDOW_S, SETTINGS.null_level if knows else None)
    for kind, begin, length in (("baseline", AROUND_S, BASELINE_S), ("feedback", AROUND_S + BASELINE_S, RUN_S)):
        read.begin(kind)  # type: ignore[arg-type]
        steps = [read.step(_feedback(begin + i, seen[begin + i - 1]), i) for i in range(1, length + 1)]
    shown = [step.own for step in steps if step.own.level is not None]
    if not shown:
        return math.nan, math.nan
    return float(np.mean([each.success for each in shown])), float(np.mean([each.level for each in shown]))


def _feedback(step: int, o: Observation | None) -> Feedback:
    """Return a step's Feedback that has what a rule reads."""
    o = o or Observation.nothing(1, ROWS)
    nothing: NDArray[np.float64] = np.full(ROWS, np.nan)
    return replace(
        _EMPTY, step=step, observed=o.mean, null_low=o.low, null_high=o.high, observed_mean=o.overall,
        null_mean_low=o.overall_low, null_mean_high=o.overall_high, trusted=np.isfinite(o.mean + o.low),
        predicted=nothing,
    )  # fmt: skip


_NONE = np.full(ROWS, np.nan)
_EMPTY = Feedback(
    step=0, time=0.0, lsl_time=0.0, rows=tuple("ABCD"), row_kinds=("channel",) * ROWS, specificity=np.ones(ROWS),
    mean_of="4 rows", channels=("A",), people=("P",), predicted=_NONE, predicted_low=_NONE, predicted_high=_NONE,
    observed=_NONE, observed_each=_NONE[None], null_low=_NONE, null_high=_NONE, predicted_mean=math.nan,
    predicted_mean_low=math.nan, predicted_mean_high=math.nan, observed_mean=math.nan, null_mean_low=math.nan,
    null_mean_high=math.nan, quality=np.ones((1, 1)), trusted=np.zeros(ROWS, np.bool_), observed_against="reference",
    reason="", sources=(),
)  # fmt: skip

COLUMNS = (
    ("case", "case", ""), ("rate", "success", ".2f"), ("low", "from", ".2f"), ("high", "to", ".2f"),
    ("level", "mean level", ".2f"), ("sessions", "sessions", "d"),
)  # fmt: skip

if __name__ == "__main__":
    run("feedback_scale", measure, COLUMNS, "from, to: the middle 95 % of sessions")
