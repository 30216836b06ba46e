"""The protocol as the operator sees it. No Qt.

What the participant is shown depends on the arm, which the operator does not know: ``ProtocolStep.shown`` never gets
past :func:`for_operator`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

from rtaffect.present.number_text import session_clock, signed
from rtaffect.protocol.protocol_step import Phase, ProtocolStep

#: Letter of each kind of block, in its bar, and the kind in words.
KINDS = {
    "baseline": ("B", "baseline"),
    "rest": ("R", "rest"),
    "listen": ("L", "listening"),
    "feedback": ("F", "feedback"),
    "transfer": ("T", "transfer, without feedback"),
}


@dataclass(frozen=True, slots=True)
class PlannedBlock:
    """A block of the plan: its name, its kind, and how long it takes, s; NaN where that is not known."""

    name: str
    kind: str
    seconds: float = math.nan


@dataclass(frozen=True, slots=True)
class ProtocolState:
    """What of a ProtocolStep may be shown to the operator, whose fields these are."""

    step: int
    block: int
    blocks: int
    kind: str
    name: str
    phase: Phase
    started: float
    left_s: float
    next_name: str
    instruction: str
    value: float
    low: float
    high: float
    threshold: float
    neutral: str
    for_operator: str
    practice: bool = False
    seconds: float = math.inf
    can_pause: bool = False


@dataclass(frozen=True, slots=True)
class ProtocolText:
    """The protocol in words: what the strip says. ``progress`` of the present block is in [0, 1], None if unknown."""

    block: str
    left: str
    next: str
    rule: str
    instruction: str
    waiting: bool
    paused: bool
    progress: float | None


def for_operator(protocol_step: ProtocolStep) -> ProtocolState:
    """Return what of ``protocol_step`` does not depend on the arm."""
    shared = {each.name: getattr(protocol_step, each.name) for each in fields(ProtocolState) if each.name != "neutral"}
    return ProtocolState(**shared, neutral=protocol_step.own.reason)


def describe_protocol(state: ProtocolState, since_s: float) -> ProtocolText:
    """Return the protocol in words, ``since_s`` seconds after the step that it is of."""
    passing = math.isfinite(state.left_s) and state.phase == "running"
    left = max(0.0, state.left_s - since_s) if passing else state.left_s
    kind = KINDS.get(state.kind, ("", state.kind))[1]
    kind = f"practice: {kind}" if state.practice else kind
    name = state.name if state.name.casefold() == kind.casefold() else f"{state.name} ({kind})"
    block = "all blocks are done" if state.phase == "done" else f"{state.block} of {state.blocks}: {name}"
    return ProtocolText(
        block={"waiting": "waiting for ", "paused": "standing still: "}.get(state.phase, "") + block,
        left=_left(state, left),
        next=state.next_name or ("nothing" if state.phase != "done" else ""),
        rule=_rule(state),
        instruction=state.for_operator,
        waiting=state.phase in ("waiting", "paused"),
        paused=state.phase == "paused",
        progress=_progress(state, left, since_s),
    )


def _left(state: ProtocolState, left: float) -> str:
    if state.phase not in ("running", "paused"):
        return ""
    if math.isinf(left):
        return "no end set"
    return session_clock(math.ceil(left)) if math.isfinite(left) else "n/a"


def _rule(state: ProtocolState) -> str:
    if not math.isfinite(state.value):
        return f"n/a ({state.neutral})" if state.neutral and state.phase == "running" else ""
    known = [f"success from {signed(state.threshold)}"] if math.isfinite(state.threshold) else []
    if math.isfinite(state.low) and math.isfinite(state.high):
        known.append(f"scale {signed(state.low)} to {signed(state.high)}")
    return f"{signed(state.value)} ({', '.join(known)})" if known else signed(state.value)


def _progress(state: ProtocolState, left: float, since_s: float) -> float | None:
    if state.phase == "waiting":
        return 0.0
    if state.phase == "done":
        return 1.0
    if math.isfinite(left) and math.isfinite(state.seconds) and state.seconds > 0:
        return min(1.0, max(0.0, 1 - left / state.seconds))
    if not (math.isfinite(left) and math.isfinite(state.started)):
        return None
    spent = state.step + min(since_s, state.left_s) - state.started
    return min(1.0, max(0.0, spent / max(spent + left, 1e-9)))


def planned_blocks(
    state: ProtocolState, planned: Sequence[PlannedBlock], seen: dict[int, PlannedBlock]
) -> tuple[PlannedBlock, ...]:
    """Return all blocks, as far as they are known: as planned, else as they were ``seen`` by their number, from 1."""
    if len(planned) == state.blocks:
        return tuple(planned)
    known = seen | {state.block: PlannedBlock(state.name, state.kind)}
    if state.next_name and state.block < state.blocks:
        known.setdefault(state.block + 1, PlannedBlock(state.next_name, ""))
    return tuple(known.get(number, PlannedBlock("", "")) for number in range(1, state.blocks + 1))
