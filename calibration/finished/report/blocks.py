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
    """

    number: int
    kind: str
    name: str
    start: float
    end: float
    ended: bool
    stimuli: tuple[tuple[str, float, float], ...] = ()
    parts: tuple[HeardPart, ...] = ()


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
    begun: dict[int, tuple[dict[str, str], float]] = {}
    for event in events:
        block, onset = cell_number(event.get("block", "")), cell_number(event.get("onset", ""))
        what = event.get("trial_type")
        if math.isnan(block) or math.isnan(onset):
            continue
        if what == "block":
            begun[int(block)] = (event, onset)
        elif what == "block-end" and int(block) in begun:
            line, start = begun[int(block)]
            found[int(block)] = BlockRun(int(block), line.get("kind", ""), line.get("name", ""), start, onset, True)
    for block, (line, start) in begun.items():
        found.setdefault(block, BlockRun(block, line.get("kind", ""), line.get("name", ""), start, until, False))
    return tuple(
        _with_stimuli(run, events) for run in sorted(found.values(), key=lambda run: run.start) if run.end > run.start
    )


def _with_stimuli(run: BlockRun, events: Sequence[dict[str, str]]) -> BlockRun:
    played = [(event, cell_number(event.get("onset", ""))) for event in events if event.get("trial_type") == "stimulus"]
    found, parts = [], list[HeardPart]()
    for i, (event, onset) in enumerate(played):
        begin = max(onset, run.start)
        end = min(_heard_until(event, onset, events, [later for _, later in played[i + 1 :]]), run.end)
        if end - begin > LEAST_HEARD_S:
            found.append((event.get("name", ""), begin, end))
            parts.append(HeardPart(event.get("name", ""), event.get("stim_file", ""), begin - onset, end - onset))
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
