"""What became of a session that met a fault: what was right, withheld or wrong, and where it was told."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rtaffect.plan.session_folder import open_session

#: Two people share so much that right values lie near .94; what is displaced by 10 ms or is another's lies below this.
RIGHT = 0.9
#: A fault is to be found within about a second, s: values that are made before are counted apart.
FOUND_S = 1.6


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
    """A session as its folder tells it: ``times`` (steps,) s after the script's zero, values and trust of each step."""

    times: np.ndarray
    values: np.ndarray
    trusted: np.ndarray
    why: Sequence[str]
    tables: Mapping[str, Sequence[Mapping[str, str]]]

    @classmethod
    def read(cls, folder: Path, zero: float) -> Seen:
        """Read a session's folder; raises RecordingError if it is none."""
        session = open_session(folder)
        mean = [line for line in session.table("feedback.tsv") if line["row"] == "mean"]
        tables = {name: session.table(name) for name in ("doubts.tsv", "events.tsv", "quality.tsv")}
        values = [math.nan if line["observed"] == "n/a" else float(line["observed"]) for line in mean]
        return cls(
            np.array([float(line["lsl_time"]) - zero for line in mean]),
            np.array(values),
            np.array([line["trusted"] == "true" for line in mean], bool),
            [line["reason"] for line in mean],
            tables,
        )


def judge(seen: Seen, begin: float, over: float, terminal: str, lost_s: float = math.nan) -> Verdict:
    """Return the verdict on a session in which a fault began at ``begin`` and was over at ``over``, s."""
    shown = seen.trusted & np.isfinite(seen.values)
    wrong = shown & (seen.values < RIGHT)
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
    if "warning" in terminal.lower():
        places.append("terminal")
    return tuple(places)
