"""How a finished session went: three numbers and one picture, as its report has them. No Qt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from rtaffect.common.arrays import BoolArray, FloatArray
from rtaffect.common.errors import RecordingError
from rtaffect.common.settings import SynchronySettings
from rtaffect.common.so_far import SoFar, in_words, so_far_of
from rtaffect.engine.feedback import MEAN_ROW
from rtaffect.plan.session_folder import RecordedSession, cell_number, open_session
from rtaffect.protocol.donors import blocks_that_ran
from rtaffect.protocol.timeline import Ran

NOT_KNOWN: Final = "n/a"
_MEANS: Final = ("observed", "null_low", "null_high")


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What is told of a session.

    Attributes
    ----------
    folder, participant, started, outcome
        The session's, as its ``session.toml`` says.
    steps, trusted : int
        How many steps there were, and how many of them had a trusted value.
    found : SoFar
        Whether there was synchrony at all, and ``words`` that say so.
    time, mean, low, high : (T,)
        How it came to that: session time, s, and correlations.
    judged, success : int
        Values in feedback that had a threshold, and those of them that reached it.
    """

    folder: Path
    participant: str
    started: str
    outcome: str
    steps: int
    trusted: int
    found: SoFar
    words: str
    time: FloatArray
    mean: FloatArray
    low: FloatArray
    high: FloatArray
    judged: int
    success: int

    @property
    def trusted_share(self) -> float:
        """Which share of the steps had a trusted value; NaN without any."""
        return self.trusted / self.steps if self.steps else math.nan

    @property
    def numbers(self) -> tuple[tuple[str, str, str], ...]:
        """Three numbers: what each is, the number, and what to know of it."""
        reach = f"chance stays within \N{PLUS-MINUS SIGN}{self.found.high:.3f}" if self.found.told else "too few values"
        return (
            (
                "seconds with a trusted value",
                NOT_KNOWN if not self.steps else f"{self.trusted_share:.0%}",
                f"{self.trusted} of {self.steps}",
            ),
            ("synchrony beyond its null", f"{self.found.mean:+.3f}" if self.found.told else NOT_KNOWN, reach),
            (
                "success in feedback",
                f"{self.success / self.judged:.0%}" if self.judged else NOT_KNOWN,
                f"{self.success} of {self.judged} own values at the threshold" if self.judged else "no value to judge",
            ),
        )


def outcome_of(folder: Path) -> Outcome:
    """Read how the session in a folder went; blocks for practice, and those begun again, count as in its report.

    Raises
    ------
    RecordingError
        If it is no session's folder, or its tables cannot be read.
    SettingsError
        If its plan is impossible.
    """
    session = open_session(folder)
    try:
        steps = _mean_rows(session)
        events = session.table("events.tsv")
        practised = {line["block"] for line in events if line["trial_type"] == "practice"}
        ran = [one for one in blocks_that_ran(session) if str(one.block) in practised]
        settings = SynchronySettings.model_validate(session.ran.get("settings", {}).get("synchrony", {}))
        counts = steps["trusted"].astype(np.bool_) & ~_inside(ran, steps["time"])
        observed, low, high = (np.where(counts, steps[name], np.nan) for name in _MEANS)
        points = so_far_of(observed, low, high, settings, steps["reference"].astype(np.bool_))
        judged, success = _judged(session, practised, settings.window_s)
    except (KeyError, ValueError) as error:
        raise RecordingError(f"session {folder}: its tables are damaged ({error}); copy the folder again") from None
    found = points[-1] if points else SoFar(0, math.nan, math.nan, math.nan, math.nan)
    reference = bool(steps["reference"][-1]) if len(steps["reference"]) else True
    said: dict[str, Any] = session.ran
    mean, low, high = (np.array([getattr(point, name) for point in points]) for name in ("mean", "low", "high"))
    return Outcome(
        folder=folder,
        participant=str(said.get("participant") or session.plan.participant or ""),
        started=str(said.get("started", "")),
        outcome=str(said.get("outcome", "")),
        steps=len(counts),
        trusted=int(steps["trusted"].sum()),
        found=found,
        words=in_words(found, reference=reference),
        time=steps["time"],
        mean=mean,
        low=low,
        high=high,
        judged=judged,
        success=success,
    )


def _inside(ran: Sequence[Ran], time: FloatArray) -> BoolArray:
    """Return which steps (T,), at ``time`` s, have their newest second in one of these blocks."""
    inside = np.zeros(len(time), np.bool_)
    for one in ran:
        for begin, end in stretches(one, float(time[-1]) if len(time) else 0.0):
            inside |= (time > begin + 1e-6) & (time <= end + 1e-6)
    return inside


def stretches(one: Ran, until: float) -> list[tuple[float, float]]:
    """Return from when to when a block ran, s; one without an end, ``until`` then."""
    begins = [one.start_s, *(end for _, end in one.pauses if end is not None)]
    last = one.end_s if one.end_s is not None else until
    if one.pauses and one.pauses[-1][1] is None:
        last = one.pauses[-1][0]
    ends = [*(begin for begin, end in one.pauses if end is not None), last]
    return [(begin, end) for begin, end in zip(begins, ends, strict=True) if end > begin]


def _mean_rows(session: RecordedSession) -> dict[str, FloatArray]:
    """Return time, observed mean, its null band, trust, and whether it is of a reference, of each step (T,)."""
    path = session.checked("feedback.tsv")
    found: list[tuple[float, ...]] = []
    reference = True
    with path.open(encoding="utf-8") as file:
        head = file.readline().rstrip("\n").split("\t")
        at = {name: head.index(name) for name in ("time", "row", *_MEANS, "trusted", "observed_against")}
        for line in file:
            cells = line.rstrip("\n").split("\t")
            if len(cells) < len(head) or cells[at["row"]] != MEAN_ROW:
                continue
            if cells[at["observed_against"]] in ("reference", "group"):
                reference = cells[at["observed_against"]] == "reference"
            numbers = (cell_number(cells[at[name]]) for name in ("time", *_MEANS))
            found.append((*numbers, float(cells[at["trusted"]] == "true"), float(reference)))
    columns = np.array(found, np.float64).reshape(-1, 6).T
    return dict(zip(("time", *_MEANS, "trusted", "reference"), columns, strict=True))


def _judged(session: RecordedSession, practised: set[str], window_s: int) -> tuple[int, int]:
    """Return how many values in feedback had a threshold and how many reached it, in runs that count."""
    lines = session.table("moments.tsv")
    last = {one.block: one for one in blocks_that_ran(session)}
    end = cell_number(lines[-1]["time"]) if lines else 0.0
    judged = success = 0
    for line in lines:
        if line["kind"] != "feedback" or line["phase"] != "running" or line["block"] in practised:
            continue
        time, value, threshold = (cell_number(line[name]) for name in ("time", "value", "threshold"))
        one = last.get(int(line["block"]))
        inside = one is not None and any(
            begin + window_s - 1e-6 <= time < stop - 1e-6 for begin, stop in stretches(one, end)
        )
        if inside and math.isfinite(value) and math.isfinite(threshold):
            judged += 1
            success += value >= threshold
    return judged, success
