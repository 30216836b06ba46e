"""Sessions of several participants joined: courses between participants, regulation by arm, learning.

The participant is the unit: what several sessions of one give is averaged first. Tests permute participants: signs
where a mean is held against 0, arms where two are compared, all ways where there are few of them, else random ones
(p as Phipson & Smyth, *Stat. Appl. Genet. Mol. Biol.* 9, 2010). Measures of regulation, and all pairs of arms in each,
are one family: its p values are Holm's (*Scand. J. Stat.* 6, 1979), which asks nothing of how they hang together.
Intervals are Student's over participants, each for itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Final

import numpy as np
from scipy.stats import t as student_t

from calibration.finished.report.as_json import INLINE, known
from calibration.finished.report.data import SessionData, load_session
from calibration.finished.report.numbers import GROUP_REPORT, Glance, glance_of, text_of
from calibration.finished.report.orders import are_orders, in_order_of
from calibration.finished.report.protocol import Opened
from calibration.finished.report.quality import Quality, quality_of
from calibration.finished.report.regulation import Regulation, regulation_of
from rtaffect import __version__
from rtaffect.common.arrays import BoolArray, FloatArray
from rtaffect.common.errors import SettingsError

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
#: Those that tell of regulation; the trusted share tells whether arms differ in artifacts.
REGULATION: Final = tuple(name for name in MEASURES if name != "trusted")


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """One session of a group: who, in which arm (empty: sealed or none), and what it tells."""

    participant: str
    arm: str
    data: SessionData
    glance: Glance
    regulation: Regulation
    quality: Quality


@dataclass(frozen=True, slots=True)
class Test:
    """A mean or a difference of means over ``participants``, of each side; ``p`` two-sided; None: nothing to tell."""

    value: float | None
    low: float | None
    high: float | None
    p: float | None
    exact: bool
    participants: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OfAll:
    """A measure over all participants, held against 0; ``p_holm`` is for all such measures."""

    name: str
    test: Test = field(metadata=INLINE)
    p_holm: float | None


@dataclass(frozen=True, slots=True)
class OfArm:
    """The mean of a measure over the participants of an arm."""

    name: str
    arm: str
    test: Test = field(metadata=INLINE)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A measure compared between two arms.

    ``p_holm`` is for all pairs of arms and all measures of regulation; of the trusted share for its pairs.
    """

    name: str
    arms: tuple[str, str]
    test: Test = field(metadata=INLINE)
    p_holm: float | None


@dataclass(frozen=True, slots=True)
class SessionLine:
    """A session of a group; ``measures`` by name, ``trusted`` is the share of its ``steps``."""

    folder: str
    participant: str
    arm: str | None
    started: str | None
    seconds: float
    outcome: str | None
    finished: bool
    steps: int
    trusted: float | None
    measures: dict[str, float | None] = field(metadata=INLINE)


@dataclass(frozen=True, slots=True)
class BlockLine:
    """The rule's mean and the rate of success in a block of a participant's ``session``, from 1."""

    session: int
    block: str
    kind: str
    mean: float | None
    success_rate: float | None


@dataclass(frozen=True, slots=True)
class ParticipantLine:
    """A participant: means of ``measures`` over sessions, and ``each`` session's feedback less baseline in order."""

    participant: str
    arm: str | None
    sessions: int
    measures: dict[str, float | None] = field(metadata=INLINE)
    each: tuple[float | None, ...]
    change_per_session: float | None
    blocks: tuple[BlockLine, ...]


@dataclass(frozen=True, slots=True)
class GroupReport:
    """All that is told of a group of sessions; ``arms`` are those of an opened allocation."""

    report: str
    made_by: str
    protocol: str | None
    protocol_sha256: str | None
    sealed: bool
    synthetic: bool
    arms: tuple[str, ...]
    unit: str
    value: str
    participants: tuple[ParticipantLine, ...]
    sessions: tuple[SessionLine, ...]
    all: tuple[OfAll, ...]
    by_arm: tuple[OfArm, ...]
    comparisons: tuple[Comparison, ...]
    missing: tuple[str, ...]


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
        glance, regulation = glance_of(data), regulation_of(data, bool(arm) or not data.sealed)
        participant = glance.participant or f"({data.path.resolve().name})"
        drawn = in_order_of(data, sessions[0])
        found.append(Member(participant, arm, drawn, glance, regulation, quality_of(data)))
    return sorted(found, key=lambda member: member.glance.started or "")


def _check_protocols(sessions: Sequence[SessionData]) -> None:
    """Refuse sessions of different protocols: their blocks are not the same, unless in order alone."""
    if are_orders(sessions):
        return
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


def by_participant(members: Sequence[Member]) -> dict[str, list[Member]]:
    """Return each participant's sessions, in order."""
    found: dict[str, list[Member]] = {}
    for member in members:
        found.setdefault(member.participant, []).append(member)
    return found


def group_report(members: Sequence[Member]) -> GroupReport:
    """Return what is told of a group; absent values are None."""
    arms = tuple(sorted({member.arm for member in members} - {""}))
    people = by_participant(members)
    table = {name: np.array([_mean_measure(mine, name) for mine in people.values()]) for name in MEASURES}
    in_arm = {arm: np.array([mine[-1].arm == arm for mine in people.values()]) for arm in arms}
    means, comparisons = by_arm(table, in_arm)
    tests = [sign_flip_test(_there(table[name])) for name in REGULATION]
    over_all = zip(REGULATION, tests, holm([test.p for test in tests]), strict=True)
    first = members[0]
    return GroupReport(
        report=GROUP_REPORT,
        made_by=__version__,
        protocol=first.glance.protocol,
        protocol_sha256=text_of(first.data.ran.get("protocol_sha256")),
        sealed=any(member.data.sealed for member in members),
        synthetic=any(member.glance.synthetic for member in members),
        arms=arms,
        unit=first.regulation.unit,
        value=first.regulation.value,
        participants=tuple(_participant(person, mine) for person, mine in people.items()),
        sessions=tuple(_session(member) for member in members),
        all=tuple(OfAll(MEASURES[name], test, p) for name, test, p in over_all),
        by_arm=means,
        comparisons=comparisons,
        missing=tuple(f"{member.data.path.name}: {text}" for member in members for text in member.data.missing),
    )


def _measure(member: Member, name: str) -> float:
    """Return one session's number, NaN where it has none."""
    if name == "trusted":
        share = next((kind.trusted for kind in member.quality.kinds if kind.kind == "feedback"), None)
        return math.nan if share is None else share
    found = member.regulation.difference(name)
    return math.nan if found is None else found.difference


def _mean_measure(mine: Sequence[Member], name: str) -> float:
    """Return the mean over a participant's sessions, NaN where none has it."""
    there = _there(np.array([_measure(member, name) for member in mine]))
    return float(there.mean()) if len(there) else math.nan


def _there(values: FloatArray) -> FloatArray:
    return values[np.isfinite(values)]


def _session(member: Member) -> SessionLine:
    glance, steps = member.glance, member.quality.steps
    return SessionLine(
        folder=member.data.path.name,
        participant=member.participant,
        arm=member.arm or None,
        started=glance.started,
        seconds=glance.seconds,
        outcome=glance.outcome,
        finished=glance.finished,
        steps=steps.all,
        trusted=steps.trusted / steps.all if steps.all else None,
        measures={name: known(_measure(member, name)) for name in MEASURES if name != "trusted"},
    )


def _participant(person: str, mine: Sequence[Member]) -> ParticipantLine:
    """Return a participant's numbers: each session's in order, their mean, and the change from session to session."""
    each = np.array([_measure(member, "feedback less baseline") for member in mine])
    there = np.flatnonzero(np.isfinite(each))
    slope = None
    if len(there) > 1:
        at = there - there.mean()
        slope = float(at @ each[there] / (at @ at))
    return ParticipantLine(
        participant=person,
        arm=mine[-1].arm or None,
        sessions=len(mine),
        measures={name: known(_mean_measure(mine, name)) for name in MEASURES},
        each=tuple(known(value) for value in each),
        change_per_session=slope,
        blocks=tuple(
            BlockLine(i, f"{block.number} {block.name}", block.kind, block.mean, block.success_rate)
            for i, member in enumerate(mine, start=1)
            for block in member.regulation.blocks
        ),
    )


def by_arm(
    table: Mapping[str, FloatArray], in_arm: Mapping[str, BoolArray]
) -> tuple[tuple[OfArm, ...], tuple[Comparison, ...]]:
    """Return means by arm, and every two arms compared by permutation, with Holm's p over pairs and measures."""
    means, pairs = list[OfArm](), list(combinations(in_arm, 2))
    tests: dict[str, list[Test]] = {}
    for name, values in table.items():
        of_arm = {arm: _there(values[mine]) for arm, mine in in_arm.items()}
        means += [OfArm(MEASURES[name], arm, mean_interval(mine)) for arm, mine in of_arm.items()]
        tests[name] = [permutation_test(of_arm[a], of_arm[b]) for a, b in pairs]
    comparisons = []
    for family in (REGULATION, tuple(name for name in table if name not in REGULATION)):
        cases = [(name, both, test) for name in family for both, test in zip(pairs, tests[name], strict=True)]
        adjusted = holm([test.p for _, _, test in cases])
        comparisons += [
            Comparison(MEASURES[name], both, test, p) for (name, both, test), p in zip(cases, adjusted, strict=True)
        ]
    return tuple(means), tuple(comparisons)


def mean_interval(values: FloatArray) -> Test:
    """Return the mean of participants' values (n,) with its 95 % interval; without one for fewer than two."""
    n = len(values)
    if not n:
        return Test(None, None, None, None, False, (0,))
    mean = float(values.mean())
    if n < 2:
        return Test(mean, None, None, None, False, (n,))
    reach = float(student_t.ppf(0.975, n - 1) * values.std(ddof=1) / math.sqrt(n))
    return Test(mean, mean - reach, mean + reach, None, False, (n,))


def sign_flip_test(values: FloatArray, seed: int = 0) -> Test:
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


def permutation_test(first: FloatArray, second: FloatArray, seed: int = 0) -> Test:
    """Test whether the means of two groups of participants (n,), (m,) differ by permuting who is in which.

    The interval is Welch's; neither it nor p is given for fewer than two participants in a group.
    """
    n, m = len(first), len(second)
    if not n or not m:
        return Test(None, None, None, None, False, (n, m))
    difference = float(first.mean() - second.mean())
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
