"""What became of a session that met a fault: what was right, withheld or wrong, and where it was told."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.faulty.truth import Truth
from rtaffect.plan.session_folder import open_session

#: Two people share so much that right values lie near .94; what is displaced by 10 ms or is another's lies below this.
RIGHT = 0.9
#: A fault is to be found within about a second, s: values that are made before are counted apart.
FOUND_S = 1.6
#: What a value rests on, s; and how far the place of a stimulus may be off.
WINDOW_S, PLACE_S = 10.0, 0.1


@dataclass(frozen=True)
class Verdict:
    """A row of the table.

    Attributes
    ----------
    outcome
        In words; begins with ``WRONG`` or ``SILENT`` where that is what it was.
    wrong
        Steps whose values were shown as trusted and were not right.
    withheld
        Steps after the fault began that had no trusted value.
    back_s
        From the end of the fault to the first trusted value, s; NaN where there was none.
    lost_s
        What the recording lacks beyond what was never sent, s; NaN where that is not asked.
    told
        Where it was told.
    reasons
        Names of the doubts.
    """

    outcome: str
    wrong: int
    withheld: int
    back_s: float
    lost_s: float
    told: tuple[str, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Seen:
    """A session as its folder tells it: ``times`` (steps,) s after the script's zero, values and trust of each step.

    ``predicted`` and ``values`` (observed) are those of the mean row, ``begins`` where the stimulus is said to have
    begun, all (steps,) with NaN where there is none.
    """

    times: np.ndarray
    values: np.ndarray
    predicted: np.ndarray
    begins: np.ndarray
    trusted: np.ndarray
    why: Sequence[str]
    tables: Mapping[str, Sequence[Mapping[str, str]]]

    @classmethod
    def read(cls, folder: Path, zero: float) -> Seen:
        """Read a session's folder; raises RecordingError if it is none."""
        session = open_session(folder)
        mean = [line for line in session.table("feedback.tsv") if line["row"] == "mean"]
        tables = {name: session.table(name) for name in ("doubts.tsv", "events.tsv", "quality.tsv")}
        times = np.array([float(line["lsl_time"]) - zero for line in mean])
        onset = times - np.array([float(line["time"]) for line in mean])
        return cls(
            times,
            _numbers(mean, "observed"),
            _numbers(mean, "predicted"),
            onset + _numbers(mean, "stimulus_offset"),
            np.array([line["trusted"] == "true" for line in mean], bool),
            [line["reason"] for line in mean],
            tables,
        )


def _numbers(lines: Sequence[Mapping[str, str]], column: str) -> np.ndarray:
    return np.array([math.nan if line[column] == "n/a" else float(line[column]) for line in lines])


def shown_and_wrong(seen: Seen, truth: Truth | None) -> tuple[np.ndarray, np.ndarray]:
    """Return which steps (steps,) showed a value as trusted, and which of them were not right."""
    if truth is None:
        shown = seen.trusted & np.isfinite(seen.values)
        return shown, shown & (seen.values < RIGHT)
    shown = seen.trusted & (np.isfinite(seen.values) | np.isfinite(seen.predicted))
    rests = [
        bool(((truth.bad[:, 0] < t) & (truth.bad[:, 1] > t - WINDOW_S)).any()) or
        abs(begins - truth.begin(t)) > PLACE_S
        for t, begins in zip(seen.times, seen.begins, strict=True)
    ]  # fmt: skip
    return shown, shown & np.array(rests, bool)


def judge(
    seen: Seen, begin: float, over: float, terminal: str, *, lost_s: float = math.nan, truth: Truth | None = None
) -> Verdict:
    """Return the verdict on a session in which a fault began at ``begin`` and was over at ``over``, s."""
    shown, wrong = shown_and_wrong(seen, truth)
    # What jumps at the end of a second is found in the next one at the earliest.
    soon = wrong & (seen.times > begin) & (seen.times <= begin + FOUND_S)
    wrong &= ~soon
    withheld = (seen.times > begin) & ~shown
    right = shown & ~wrong
    back = seen.times[right & (seen.times >= over)]
    told = _told(seen, begin, terminal)
    return Verdict(
        outcome=_outcome(right, wrong, seen.times > begin, told)
        + (f" ({int(soon.sum())} value before it was found)" if soon.any() else ""),
        wrong=int(wrong.sum()),
        withheld=int(withheld.sum()),
        back_s=float(back[0] - over) if len(back) else math.nan,
        lost_s=lost_s,
        told=told,
        reasons=tuple(sorted({line["reason"] for line in seen.tables["doubts.tsv"]})),
    )


def _outcome(right: np.ndarray, wrong: np.ndarray, after: np.ndarray, told: Sequence[str]) -> str:
    """Return in words what became of a session; all arrays (steps,), ``after`` the beginning of the fault."""
    withheld = after & ~right & ~wrong
    if wrong.any():
        return f"{'WRONG' if told else 'SILENT'}: {int(wrong.sum())} trusted values are not right"
    if not right[~after].any():
        return "no value, from the beginning" if told else "SILENT: no value, and nothing is told"
    if not withheld.any():
        return "right throughout"
    if not told:
        return "SILENT: withheld, and nothing is told"
    return "withheld, then right" if right[np.flatnonzero(withheld)[-1] :].any() else "withheld to the end"


def _told(seen: Seen, begin: float, terminal: str) -> tuple[str, ...]:
    usual = {"n/a", "no sound to predict from"}
    places = []
    later = [why for why, time in zip(seen.why, seen.times, strict=True) if time > begin]
    if any(set(why.split("; ")) - usual for why in later):
        places.append("reason")
    if seen.tables["doubts.tsv"]:
        places.append("doubts")
    if any(line["trial_type"] in {"fault", "gap", "hole", "lost", "back"} for line in seen.tables["events.tsv"]):
        places.append("events")
    if any(
        float(line["quality"]) < 0.95 for line in seen.tables["quality.tsv"][len(seen.tables["quality.tsv"]) // 2 :]
    ):
        places.append("quality")
    if any(word in terminal.lower() for word in ("warning", "error:")):
        places.append("terminal")
    return tuple(places)
