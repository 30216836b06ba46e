"""The protocol of a session as it ran: its moments, and its blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibration.finished.report.tables import Columns, has_columns, numbers, whole_numbers
from rtaffect.common.arrays import BoolArray, FloatArray
from rtaffect.plan.session_folder import cell_number

#: A sound that was heard for less of a block is not told of it, s.
LEAST_HEARD_S = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class ProtocolSteps:
    """``protocol_steps.tsv``: S steps. ``block`` is the number from 1; ``level`` what was shown, NaN where neutral."""

    step: NDArray[np.intp]
    time: FloatArray
    block: NDArray[np.intp]
    kind: tuple[str, ...]
    name: tuple[str, ...]
    running: BoolArray
    value: FloatArray
    low: FloatArray
    high: FloatArray
    threshold: FloatArray
    level: FloatArray
    success: BoolArray
    reason: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HeardPart:
    """A sound ``name``, kept as ``file`` in the session's folder, and which part of it was heard, s of the sound."""

    name: str
    file: str
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class BlockRun:
    """A block that ran, from ``start`` to ``end`` on the session's clock, s; ``ended`` if its end was recorded.

    ``stimuli`` are the names of the sounds that were heard in it, and from when to when, s; ``parts`` which parts.
    ``apart`` says why it counts in no result, as one for practice or one that was begun again later; empty where it
    does. ``pauses`` are from when to when it stood still, s.
    """

    number: int
    kind: str
    name: str
    start: float
    end: float
    ended: bool
    stimuli: tuple[tuple[str, float, float], ...] = ()
    parts: tuple[HeardPart, ...] = ()
    apart: str = ""
    pauses: tuple[tuple[float, float], ...] = ()

    @property
    def stretches(self) -> tuple[tuple[float, float], ...]:
        """From when to when it ran, s: once, or more often where it was paused."""
        begins = (self.start, *(end for _, end in self.pauses))
        ends = (*(begin for begin, _ in self.pauses), self.end)
        return tuple((begin, end) for begin, end in zip(begins, ends, strict=True) if end > begin)

    @property
    def seconds(self) -> float:
        """How long it ran, s, without its pauses."""
        return sum(end - begin for begin, end in self.stretches)


def inside_of(run: BlockRun, time: FloatArray) -> BoolArray:
    """Return which steps (T,), at ``time`` s, are inside a block, without its pauses."""
    inside = [(time >= begin - 1e-6) & (time < end - 1e-6) for begin, end in run.stretches]
    return np.any(inside, axis=0) if inside else np.zeros(len(time), np.bool_)


def protocol_steps_of(columns: Columns, missing: list[str]) -> ProtocolSteps | None:
    """Return what ``protocol_steps.tsv`` holds, None where it holds nothing."""
    wanted = ("step", "time", "block", "kind", "name", "phase", "value", "low", "high", "threshold", "level", "success")
    if not has_columns(columns, wanted, "moments.tsv", missing):
        return None
    reasons = columns.get("neutral_reason", ["n/a"] * len(columns["step"]))
    found = {name: numbers(columns[name]) for name in ("value", "low", "high", "threshold", "level")}
    return ProtocolSteps(
        step=whole_numbers(columns["step"]),
        time=numbers(columns["time"]),
        block=whole_numbers(columns["block"]),
        kind=tuple(columns["kind"]),
        name=tuple(columns["name"]),
        running=np.array([phase == "running" for phase in columns["phase"]], np.bool_),
        success=np.array([text == "true" for text in columns["success"]], np.bool_),
        reason=tuple("" if reason == "n/a" else reason for reason in reasons),
        **found,
    )


def blocks_of(
    protocol_steps: ProtocolSteps | None, events: Sequence[dict[str, str]], until: float
) -> tuple[BlockRun, ...]:
    """Return the blocks that ran: by the events, and where these are missing by the moments.

    One of which neither tells the end goes on ``until``, s.
    """
    found: dict[int, BlockRun] = {}
    if protocol_steps is not None:
        for block in np.unique(protocol_steps.block[protocol_steps.running]):
            inside = np.flatnonzero(protocol_steps.running & (protocol_steps.block == block))
            start, end = protocol_steps.time[inside[0]], protocol_steps.time[inside[-1]]
            after = bool((protocol_steps.step > protocol_steps.step[inside[-1]]).any())
            end += 1.0 if after else 0.0
            found[int(block)] = BlockRun(
                int(block),
                protocol_steps.kind[inside[0]],
                protocol_steps.name[inside[0]],
                float(start),
                float(end),
                after,
            )
    told = _by_events(events, until)
    for run in told:
        # Where the end is not told, the moments know more.
        if run.ended or run.number not in found or run.apart or run.pauses:
            found.pop(run.number, None)
    runs = [*(run for run in told if run.number not in found), *found.values()]
    return tuple(_with_stimuli(run, events) for run in sorted(runs, key=lambda run: run.start) if run.end > run.start)


PRACTICE, BEGUN_AGAIN = "practice", "begun again later"


def _by_events(events: Sequence[dict[str, str]], until: float) -> list[BlockRun]:
    """Return the blocks that ran, by the events; of those that were begun again the last one counts."""
    runs: list[BlockRun] = []
    for event in events:
        number, onset = cell_number(event.get("block", "")), cell_number(event.get("onset", ""))
        what = event.get("trial_type", "")
        if math.isnan(number) or math.isnan(onset):
            continue
        if what in ("block", "practice"):
            apart = PRACTICE if what == "practice" else ""
            kind, name = event.get("kind", ""), event.get("name", "")
            runs.append(BlockRun(int(number), kind, name, onset, until, False, apart=apart))
            continue
        place = next((i for i in range(len(runs) - 1, -1, -1) if runs[i].number == int(number)), None)
        if place is not None:
            runs[place] = _changed(runs[place], what, onset)
    runs = [_ended(run) for run in runs]
    last = {run.number: place for place, run in enumerate(runs)}
    again = [replace(run, apart=run.apart or BEGUN_AGAIN) for run in runs]
    return [run if last[run.number] == place else again[place] for place, run in enumerate(runs)]


def _changed(run: BlockRun, what: str, onset: float) -> BlockRun:
    """Return a block that ended, stood still or went on at ``onset``, s."""
    if what in ("block-end", "practice-end"):
        return replace(run, end=onset, ended=True)
    if what == "block-pause":
        return replace(run, pauses=(*run.pauses, (onset, math.inf)))
    if what == "block-resume" and run.pauses:
        return replace(run, pauses=(*run.pauses[:-1], (run.pauses[-1][0], onset)))
    return run


def _ended(run: BlockRun) -> BlockRun:
    """Return a block whose last pause, if it was never over, is its end."""
    if run.pauses and math.isinf(run.pauses[-1][1]):
        return replace(run, end=run.pauses[-1][0], pauses=run.pauses[:-1])
    return run


def _with_stimuli(run: BlockRun, events: Sequence[dict[str, str]]) -> BlockRun:
    begins = ("stimulus", "stimulus-resume")
    played = [(event, cell_number(event.get("onset", ""))) for event in events if event.get("trial_type") in begins]
    found, parts = [], list[HeardPart]()
    # How much of a sound there had been when it went on after a pause.
    spent: dict[tuple[str, str], float] = {}
    for i, (event, onset) in enumerate(played):
        key = event.get("name", ""), event.get("block", "")
        before = spent.get(key, 0.0) if event.get("trial_type") == "stimulus-resume" else 0.0
        until = _heard_until(event, onset, events, [later for _, later in played[i + 1 :]])
        spent[key] = before + until - onset
        begin, end = max(onset, run.start), min(until, run.end)
        if end - begin > LEAST_HEARD_S:
            found.append((event.get("name", ""), begin, end))
            first = begin - onset + before
            parts.append(HeardPart(event.get("name", ""), event.get("stim_file", ""), first, first + end - begin))
    return replace(run, stimuli=tuple(found), parts=tuple(parts))


def _heard_until(
    event: dict[str, str], onset: float, events: Sequence[dict[str, str]], later: Sequence[float]
) -> float:
    """Return when a sound ended: as it was noted for its block, as it was planned, or when the next began.

    Where one block follows another with the same sound at once, the first one's ends when the second one's begins.
    """
    same = ("name", "block")
    for other in events:
        if other.get("trial_type") == "stimulus-end" and all(other.get(key) == event.get(key) for key in same):
            end = cell_number(other.get("onset", ""))
            if end >= onset:
                return end
    duration = cell_number(event.get("duration", ""))
    return onset + duration if math.isfinite(duration) else min(later, default=math.inf)
