"""Protocols, steps and sessions for the tests of the protocol: made in code, written as a session leaves them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import tomli_w

from rtaffect.engine.feedback import Feedback
from rtaffect.protocol.arms import ArmSource, Real
from rtaffect.protocol.conductor import Conductor
from rtaffect.protocol.model import Protocol
from rtaffect.protocol.protocol_step import ProtocolStep
from rtaffect.protocol.timeline import Event

WINDOW_S = 10
RULE = {"value": "observed", "rows": ["mean"], "smoothing_s": 5, "scale": "baseline"}
BLOCKS = (
    {"kind": "baseline", "name": "Baseline", "duration_s": 60},
    {"kind": "feedback", "name": "Run 1", "duration_s": 60},
    {"kind": "rest", "name": "Break", "duration_s": 5, "start": "auto"},
    {"kind": "feedback", "name": "Run 2", "duration_s": 40},
    {"kind": "transfer", "name": "Transfer", "duration_s": 30, "start": "auto"},
)
_MOMENTS = (
    "step", "time", "block", "blocks", "kind", "name", "phase", "left_s", "value", "low", "high", "threshold",
    "level", "success", "neutral_reason",
)  # fmt: skip
_EVENTS = ("onset", "duration", "trial_type", "name", "block", "kind", "stim_file", "lsl_time")


def protocol_of(
    blocks: Sequence[Mapping[str, object]] = BLOCKS,
    *,
    arms: Sequence[Mapping[str, object]] = (),
    rule: Mapping[str, object] | None = RULE,
    **fields: object,
) -> Protocol:
    """Return a protocol without a file."""
    return Protocol.model_validate(content_of(blocks, arms=arms, rule=rule, **fields))


def content_of(
    blocks: Sequence[Mapping[str, object]] = BLOCKS,
    *,
    arms: Sequence[Mapping[str, object]] = (),
    rule: Mapping[str, object] | None = RULE,
    **fields: object,
) -> dict[str, object]:
    """Return a protocol's content."""
    content: dict[str, object] = {"format": 1, "name": "Test", "block": [dict(b) for b in blocks], **fields}
    if rule is not None:
        content["feedback"] = dict(rule)
    if arms:
        content["arm"] = [dict(arm) for arm in arms]
    return content


def write_protocol(path: Path, *args: object, **kwargs: object) -> Path:
    """Write a protocol's file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(tomli_w.dumps(content_of(*args, **kwargs)), encoding="utf-8")  # type: ignore[arg-type]
    return path


def step_of(
    step: int,
    observed: float | Sequence[float],
    predicted: float | Sequence[float] = 0.1,
    *,
    trusted: bool | Sequence[bool] = True,
    kinds: Sequence[str] = ("channel", "channel"),
    specificity: Sequence[float] = (1.0, 1.0),
    rows: Sequence[str] = ("Fz", "Cz"),
    reason: str = "",
) -> Feedback:
    """Return one step's Feedback: a number holds for all rows."""
    R = len(rows)
    seen, message = np.broadcast_to(observed, R).astype(float), np.broadcast_to(predicted, R).astype(float)
    return Feedback(
        step=step, time=float(step), lsl_time=1000.0 + step, rows=tuple(rows), row_kinds=tuple(kinds),
        specificity=np.array(specificity, float), mean_of=f"{R} rows", channels=("Fz",), people=("A",),
        predicted=message, predicted_low=message - 0.1, predicted_high=message + 0.1,
        observed=seen, observed_each=seen[None], null_low=np.full(R, -0.1), null_high=np.full(R, 0.1),
        predicted_mean=float(message.mean()), predicted_mean_low=math.nan, predicted_mean_high=math.nan,
        observed_mean=float(seen.mean()), null_mean_low=-0.1, null_mean_high=0.1,
        quality=np.ones((1, 1)), trusted=np.isfinite(seen) & np.broadcast_to(trusted, R),
        observed_against="reference", reason=reason, sources=(),
    )  # fmt: skip


def course(seed: int, steps: int, missing: Iterable[int] = ()) -> list[Feedback]:
    """Return steps with a course of their own; those in ``missing`` have no value."""
    rng = np.random.default_rng(seed)
    values = np.tanh(0.15 + 0.1 * np.sin(np.arange(steps) / 7 + seed) + 0.05 * rng.standard_normal(steps))
    lost = set(missing)
    return [
        step_of(i + 1, math.nan, reason="too little good EEG in the window")
        if i + 1 in lost
        else step_of(i + 1, [value, value / 2])
        for i, value in enumerate(values)
    ]


def conduct(
    protocol: Protocol,
    steps: Sequence[Feedback],
    arm: ArmSource | None = None,
    *,
    keys: Mapping[int, Sequence[str]] | None = None,
    conductor: Conductor | None = None,
) -> list[ProtocolStep]:
    """Return all ProtocolSteps; by default the operator's key comes at once whenever a block waits for it."""
    conductor = conductor or Conductor(protocol, arm or Real(), WINDOW_S)
    protocol_steps: list[ProtocolStep] = []
    for feedback in steps:
        pressed = keys.get(feedback.step, ()) if keys is not None else ("go",)
        waits = keys is not None or not protocol_steps or protocol_steps[-1].phase == "waiting"
        for key in pressed if waits else ():
            {"go": conductor.go, "skip": conductor.skip, "next": conductor.next}[key]()
        protocol_steps.append(conductor.step(feedback))
    return protocol_steps


def write_donor(
    folder: Path, protocol_steps: Sequence[ProtocolStep], events: Sequence[Event] = (), **ran: object
) -> Path:
    """Write what a session's folder holds of its protocol, and return the folder."""
    folder.mkdir(parents=True)
    (folder / "session.toml").write_text(
        tomli_w.dumps({"format": 1, "ran": {"outcome": "completed", **ran}}), encoding="utf-8"
    )
    lines = [
        (
            str(m.step), f"{m.step}", str(m.block), str(m.blocks), m.kind, m.name, m.phase, cell(m.left_s),
            cell(m.value), cell(m.low), cell(m.high), cell(m.threshold),
            cell(math.nan if m.shown.level is None else m.shown.level), str(m.shown.success).lower(),
            m.shown.reason or "n/a",
        )
        for m in protocol_steps
    ]  # fmt: skip
    _table(folder / "moments.tsv", _MOMENTS, lines)
    kinds = {"block-begin": "block", "block-end": "block-end", "go": "key", "skip": "key"}
    message = [
        (cell(e.onset), "n/a", kinds[e.what], e.name if "block" in e.what else e.what, str(e.block), e.kind, "n/a", "0")
        for e in events
    ]
    _table(folder / "events.tsv", _EVENTS, message)
    return folder


def cell(value: float) -> str:
    return "n/a" if math.isnan(value) else f"{value:.6f}"


def _table(path: Path, columns: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    path.write_text("".join("\t".join(line) + "\n" for line in (columns, *lines)), encoding="utf-8")
