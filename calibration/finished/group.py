"""Sessions of several participants joined: courses between participants, regulation by arm, learning.

The participant is the unit: what several sessions of one give is averaged first. Tests permute participants: signs
where a mean is held against 0, arms where two are compared, all ways where there are few of them, else random ones
(p as Phipson & Smyth, *Stat. Appl. Genet. Mol. Biol.* 9, 2010); p values of several pairs of arms are Holm's (*Scand.
J. Stat.* 6, 1979). Intervals are Student's over participants.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student_t

from calibration.finished.report.data import SessionData, load_session
from calibration.finished.report.numbers import GROUP_REPORT, glance_numbers, plain
from calibration.finished.report.protocol import Opened
from calibration.finished.report.quality import quality_numbers
from calibration.finished.report.regulation import regulation_numbers
from rtaffect import __version__
from rtaffect.common.errors import SettingsError

Array = NDArray[np.float64]
Numbers = dict[str, Any]

#: Up to so many ways all are taken, beyond them random ones.
EXACT_WAYS: Final = 20_000
DRAWS: Final = 9999
#: What is compared: its name, and how it is told.
MEASURES: Final = {
    "feedback less baseline": "feedback less baseline",
    "transfer less baseline": "transfer less baseline",
    "change per block of feedback": "change per block of feedback",
    "trusted": "trusted share of seconds in feedback",
}


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """One session of a group: who, in which arm (empty: sealed or none), and its numbers."""

    participant: str
    arm: str
    data: SessionData
    numbers: Numbers


@dataclass(frozen=True, slots=True)
class Test:
    """A mean or a difference of means over participants; ``p`` two-sided, None where nothing can be told."""

    value: float
    low: float | None
    high: float | None
    p: float | None
    exact: bool
    counts: tuple[int, ...]


def load_group(folders: Sequence[Path], opened: Opened | None) -> list[Member]:
    """Read the sessions of a group, in order of their start.

    Raises
    ------
    RecordingError
        If a folder is no session's.
    SettingsError
        If a folder is named twice, protocols differ, or the allocation is not that of a session.
    """
    places = [folder.resolve() for folder in folders]
    if twice := [str(folder) for folder, place in zip(folders, places, strict=True) if places.count(place) > 1]:
        raise SettingsError(f"session {twice[0]} is named twice: name each folder once")
    sessions = [load_session(folder, recording=False) for folder in folders]
    _check_protocols(sessions)
    found = []
    for data in sessions:
        arm = opened.arm_of(data.ran, data.path) if opened is not None else ""
        glance = glance_numbers(data)
        disclosed = bool(arm) or not data.sealed
        numbers = {
            "glance": glance,
            "regulation": regulation_numbers(data, disclosed),
            "quality": quality_numbers(data),
        }
        found.append(Member(str(glance["participant"] or f"({data.path.resolve().name})"), arm, data, numbers))
    return sorted(found, key=lambda member: str(member.numbers["glance"]["started"] or ""))


def _check_protocols(sessions: Sequence[SessionData]) -> None:
    """Refuse sessions of different protocols: their blocks are not the same."""
    hashes: dict[str, list[SessionData]] = {}
    for data in sessions:
        hashes.setdefault(str(data.ran.get("protocol_sha256", "")), []).append(data)
    if len(hashes) > 1:
        disclosed = "; ".join(
            f"{data[0].ran.get('protocol', 'no protocol')} ({sha[:12] or 'none'}): "
            f"{', '.join(each.path.name for each in data[:4])}{' ...' if len(data) > 4 else ''}"
            for sha, data in hashes.items()
        )
        raise SettingsError(
            f"the sessions ran {len(hashes)} different protocols, whose blocks cannot be put together: {disclosed}; "
            "make a report of each protocol's sessions"
        )


def group_numbers(members: Sequence[Member]) -> Numbers:
    """Return the numbers of a group's report; absent ones are None."""
    arms = sorted({member.arm for member in members if member.arm})
    people = list(dict.fromkeys(member.participant for member in members))
    table = {name: _by_participant(members, people, name) for name in MEASURES}
    arm_of = {member.participant: member.arm for member in members}
    numbers: Numbers = {
        "report": GROUP_REPORT,
        "made_by": __version__,
        "protocol": members[0].data.ran.get("protocol"),
        "protocol_sha256": members[0].data.ran.get("protocol_sha256"),
        "sealed": any(member.data.sealed for member in members),
        "synthetic": any(member.numbers["glance"]["synthetic"] for member in members),
        "arms": arms,
        "unit": members[0].numbers["regulation"]["unit"],
        "value": members[0].numbers["regulation"]["value"],
        "participants": [_participant(members, person, arm_of[person]) for person in people],
        "sessions": [_session(member) for member in members],
        "all": [
            {"name": MEASURES[name], **_test(sign_flip_test(table[name][np.isfinite(table[name])]))}
            for name in MEASURES
            if name != "trusted"
        ],
        "by_arm": _by_arm(people, arm_of, arms, table),
        "comparisons": _compare(people, arm_of, arms, table),
        "missing": [f"{member.data.path.name}: {text}" for member in members for text in member.data.missing],
    }
    found: Numbers = plain(numbers)
    return found


def _measure(member: Member, name: str) -> float:
    """Return one session's number, NaN where it has none."""
    if name == "trusted":
        kinds = [k["trusted"] for k in member.numbers["quality"]["kinds"] if k["kind"] == "feedback"]
        return math.nan if not kinds or kinds[0] is None else float(kinds[0])
    regulation = member.numbers["regulation"]
    found = [*regulation["contrasts"], *([regulation["slope"]] if regulation["slope"] else [])]
    return next((float(each["difference"]) for each in found if each["name"] == name), math.nan)


def _by_participant(members: Sequence[Member], people: Sequence[str], name: str) -> Array:
    """Return the mean over each participant's sessions (people,), NaN where none has it."""
    found = []
    for person in people:
        values = np.array([_measure(member, name) for member in members if member.participant == person])
        there = values[np.isfinite(values)]
        found.append(float(there.mean()) if len(there) else math.nan)
    return np.array(found)


def _session(member: Member) -> Numbers:
    glance, steps = member.numbers["glance"], member.numbers["quality"]["steps"]
    return {
        "folder": member.data.path.name, "participant": member.participant, "arm": member.arm or None,
        "started": glance["started"], "seconds": glance["seconds"], "outcome": glance["outcome"],
        "finished": glance["finished"], "steps": steps["all"],
        "trusted": steps["trusted"] / steps["all"] if steps["all"] else None,
        **{name: _measure(member, name) for name in MEASURES if name != "trusted"},
    }  # fmt: skip


def _participant(members: Sequence[Member], person: str, arm: str) -> Numbers:
    """Return a participant's numbers: each session's in order, their mean, and the change from session to session."""
    mine = [member for member in members if member.participant == person]
    time_courses = np.array([_measure(member, "feedback less baseline") for member in mine])
    there = np.flatnonzero(np.isfinite(time_courses))
    slope = math.nan
    if len(there) > 1:
        at = there - there.mean()
        slope = float(at @ time_courses[there] / (at @ at))
    blocks = [
        {"session": i, "block": f"{block['number']} {block['name']}", "kind": block["kind"], "mean": block["mean"],
         "success_rate": block["success_rate"]}
        for i, member in enumerate(mine, start=1)
        for block in member.numbers["regulation"]["blocks"]
    ]  # fmt: skip
    return {
        "participant": person, "arm": arm or None, "sessions": len(mine),
        **{name: float(_by_participant(mine, [person], name)[0]) for name in MEASURES},
        "each": time_courses.tolist(), "change_per_session": slope, "blocks": blocks,
    }  # fmt: skip


def _by_arm(
    people: Sequence[str], arm_of: dict[str, str], arms: Sequence[str], table: dict[str, Array]
) -> list[Numbers]:
    found = []
    for name, values in table.items():
        for arm in arms:
            mine = values[[arm_of[person] == arm for person in people]]
            found.append({"name": MEASURES[name], "arm": arm, **_test(mean_interval(mine[np.isfinite(mine)]))})
    return found


def _compare(
    people: Sequence[str], arm_of: dict[str, str], arms: Sequence[str], table: dict[str, Array]
) -> list[Numbers]:
    """Compare every two arms by permutation, with Holm's p over pairs of the same measure."""
    found = []
    for name, values in table.items():
        group = {arm: values[[arm_of[p] == arm for p in people] & np.isfinite(values)] for arm in arms}
        rows = [
            {"name": MEASURES[name], "arms": [a, b], **_test(permutation_test(group[a], group[b]))}
            for a, b in combinations(arms, 2)
        ]
        adjusted = holm([row["p"] for row in rows])
        found += [row | {"p_holm": p} for row, p in zip(rows, adjusted, strict=True)]
    return found


def _test(test: Test) -> Numbers:
    return {
        "value": test.value, "low": test.low, "high": test.high, "p": test.p, "exact": test.exact,
        "participants": list(test.counts),
    }  # fmt: skip


def mean_interval(values: Array) -> Test:
    """Return the mean of participants' values (n,) with its 95 % interval; without one for fewer than two."""
    n = len(values)
    if not n:
        return Test(math.nan, None, None, None, False, (0,))
    mean = float(values.mean())
    if n < 2:
        return Test(mean, None, None, None, False, (n,))
    reach = float(student_t.ppf(0.975, n - 1) * values.std(ddof=1) / math.sqrt(n))
    return Test(mean, mean - reach, mean + reach, None, False, (n,))


def sign_flip_test(values: Array, seed: int = 0) -> Test:
    """Test the mean of participants' values (n,) against 0 by flipping signs; with fewer than two there is no p."""
    found, n = mean_interval(values), len(values)
    if n < 2:
        return found
    exact = 2**n <= EXACT_WAYS
    if exact:
        signs = 1.0 - 2.0 * (np.arange(2**n)[:, None] >> np.arange(n) & 1)
    else:
        signs = np.random.default_rng(seed).choice([-1.0, 1.0], (DRAWS, n))
    reached = np.abs(signs @ values) >= abs(values.sum()) - 1e-12
    p = float(reached.mean()) if exact else (1 + int(reached.sum())) / (1 + DRAWS)
    return Test(found.value, found.low, found.high, p, exact, (n,))


def permutation_test(first: Array, second: Array, seed: int = 0) -> Test:
    """Test whether the means of two groups of participants (n,), (m,) differ by permuting who is in which.

    The interval is Welch's; neither it nor p is given for fewer than two participants in a group.
    """
    n, m = len(first), len(second)
    difference = float(first.mean() - second.mean()) if n and m else math.nan
    if n < 2 or m < 2:
        return Test(difference, None, None, None, False, (n, m))
    values = np.concatenate([first, second])
    exact = math.comb(n + m, n) <= EXACT_WAYS
    if exact:
        chosen = np.array(list(combinations(range(n + m), n)))
        sums = values[chosen].sum(axis=1)
    else:
        rng = np.random.default_rng(seed)
        sums = np.array([rng.permutation(values)[:n].sum() for _ in range(DRAWS)])
    differences = sums / n - (values.sum() - sums) / m
    reached = np.abs(differences) >= abs(difference) - 1e-12
    p = float(reached.mean()) if exact else (1 + int(reached.sum())) / (1 + DRAWS)
    a, b = first.var(ddof=1) / n, second.var(ddof=1) / m
    if a + b == 0:
        return Test(difference, difference, difference, p, exact, (n, m))
    freedom = (a + b) ** 2 / (a**2 / (n - 1) + b**2 / (m - 1))
    reach = float(student_t.ppf(0.975, freedom) * math.sqrt(a + b))
    return Test(difference, difference - reach, difference + reach, p, exact, (n, m))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return Holm's adjusted p values; None stays None and counts for none."""
    known = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    found: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, i) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * p))
        found[i] = largest
    return found
