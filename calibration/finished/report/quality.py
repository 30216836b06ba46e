"""How good a session's data were: good time, reasons for doubt, what the recording lost, and how late things were."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from calibration.finished.report.blocks import BlockRun, inside_of
from calibration.finished.report.contact import HeadsetContact
from calibration.finished.report.data import SessionData
from calibration.finished.report.recording import StreamReport
from rtaffect.common.arrays import FloatArray
from rtaffect.plan.session_folder import cell_number

#: Numbers that stand alone, so that '3 s to go' and '2 s to go' are one reason.
_NUMBER: Final = re.compile(r"(?<![\w.:-])\d+(?:\.\d+)?(?![\w:-])")
#: Levels of the log that are told.
_TROUBLE: Final = ("WARNING", "ERROR", "CRITICAL")
_MOST_LINES: Final = 40


@dataclass(frozen=True, slots=True)
class StepCounts:
    """How many steps there were, how many had a value of the mean over rows, and how many are missing."""

    all: int = 0
    observed: int = 0
    predicted: int = 0
    trusted: int = 0
    missing: int = 0


@dataclass(frozen=True, slots=True)
class KindTrust:
    """Seconds of a kind of block, and which share of them has a trusted mean over rows."""

    kind: str
    seconds: int
    trusted: float | None


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason, and the seconds for which it stood."""

    reason: str
    seconds: int


@dataclass(frozen=True, slots=True)
class ChannelTrust:
    """Mean good share of a channel's window, and the seconds with too little of it, of as many as there are steps."""

    person: str
    channel: str
    good: float
    poor_s: int
    steps: int


@dataclass(frozen=True, slots=True)
class LogSummary:
    """Lines of the log, counts by level, and the first lines with trouble; ``more`` further ones."""

    lines: int
    counts: dict[str, int]
    trouble: tuple[str, ...]
    more: int


@dataclass(frozen=True, slots=True)
class Latency:
    """Median and largest of a recorded lateness, ms, of so many."""

    name: str
    count: int
    median_ms: float
    largest_ms: float


@dataclass(frozen=True, slots=True)
class Quality:
    """What is said of quality; a channel has a value where at least ``least_good`` of its window is good."""

    steps: StepCounts
    kinds: tuple[KindTrust, ...]
    reasons: tuple[Reason, ...]
    neutral: tuple[Reason, ...]
    channels: tuple[ChannelTrust, ...]
    least_good: float
    streams: tuple[StreamReport, ...]
    log: LogSummary
    latencies: tuple[Latency, ...]
    contact: tuple[HeadsetContact, ...] = ()


def quality_of(data: SessionData) -> Quality:
    """Return steps and seconds with values, reasons, good time of channels, streams, log and latencies."""
    least_good = data.setting("synchrony", "min_good", 0.6)
    return Quality(
        steps=_steps(data),
        kinds=_kinds(data),
        reasons=_reasons(data.course.reasons if data.course is not None else ()),
        neutral=_neutral(data),
        channels=_channels(data, least_good),
        least_good=least_good,
        streams=data.streams,
        log=_log(data),
        latencies=tuple(each for each in _latencies(data) if each is not None),
        contact=data.contact,
    )


def _steps(data: SessionData) -> StepCounts:
    if data.course is None:
        return StepCounts()
    course = data.course
    return StepCounts(
        all=len(course.step),
        observed=course.counted("observed"),
        predicted=course.counted("predicted"),
        trusted=int(course.mean_trusted.sum()),
        missing=int(course.step[-1] - course.step[0] + 1 - len(course.step)),
    )


def _kinds(data: SessionData) -> tuple[KindTrust, ...]:
    found: dict[str, list[int]] = {}
    for run in data.blocks:
        if data.course is not None:
            inside = inside_of(run, data.course.time)
            counts = found.setdefault(run.kind, [0, 0])
            counts[0] += int(inside.sum())
            counts[1] += int(data.course.mean_trusted[inside].sum())
    return tuple(KindTrust(kind, n, good / n if n else None) for kind, (n, good) in found.items())


def _reasons(texts: Sequence[str]) -> tuple[Reason, ...]:
    """Return each reason with the seconds for which it stood; a step may have several."""
    counts: Counter[str] = Counter()
    example: dict[str, set[str]] = {}
    for text in texts:
        for reason in {each.strip() for each in text.split(";") if each.strip()}:
            key = _NUMBER.sub("\N{HORIZONTAL ELLIPSIS}", reason)
            counts[key] += 1
            example.setdefault(key, set()).add(reason)
    return tuple(
        Reason(next(iter(example[key])) if len(example[key]) == 1 else key, seconds)
        for key, seconds in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    )


def _neutral(data: SessionData) -> tuple[Reason, ...]:
    """Return why nothing was shown in blocks of feedback."""
    if data.protocol_steps is None:
        return ()
    m = data.protocol_steps
    silent = m.running & (np.array(m.kind) == "feedback") & ~np.isfinite(m.level)
    return _reasons([m.reason[i].replace(";", ",") or "no reason given" for i in np.flatnonzero(silent)])


def _channels(data: SessionData, least_good: float) -> tuple[ChannelTrust, ...]:
    if data.quality is None:
        return ()
    found = []
    for p, person in enumerate(data.quality.people):
        for c, channel in enumerate(data.quality.channels):
            good = data.quality.good[p, c]
            there = good[np.isfinite(good)]
            if len(there):
                poor = int((there < least_good).sum())
                found.append(ChannelTrust(person, channel, float(there.mean()), poor, len(there)))
    return tuple(found)


def _log(data: SessionData) -> LogSummary:
    lines = [line for line in data.log if any(f" {level} " in line or f"{level}:" in line for level in _TROUBLE)]
    counts = {level: sum(level in line for line in lines) for level in _TROUBLE}
    return LogSummary(len(data.log), counts, tuple(lines[:_MOST_LINES]), len(lines[_MOST_LINES:]))


def _latencies(data: SessionData) -> Iterator[Latency | None]:
    """Yield what of lateness was recorded."""
    origin = data.ran.get("origin")
    if data.course is not None and isinstance(origin, int | float):
        late = data.course.lsl_time - data.course.time - float(origin)
        yield _spread("a step's LSL time less the session's zero and its time", late)
    if data.course is not None:
        drifts = [_drift(data.course.stimulus_offset, data.course.time, run) for run in data.blocks]
        yield _spread("the sound's place in a block by the time lock, less its median", np.concatenate([[], *drifts]))
    yield _spread("a marker in the recording less the same in events.tsv", np.array(_marker_lateness(data)))


def _marker_lateness(data: SessionData) -> list[float]:
    """Return how much later, s, the recording has each marker, key and note than the table of events."""
    sent: dict[str, list[float]] = {}
    for text, stamp in data.markers:
        sent.setdefault(text, []).append(stamp)
    found = []
    for event in data.events:
        name, noted = event.get("name", ""), cell_number(event.get("lsl_time", ""))
        stamps = sent.get(name, sent.get(f"key/{name}", []))
        if event.get("trial_type") in ("marker", "key", "note") and stamps and np.isfinite(noted):
            found.append(min((stamp - noted for stamp in stamps), key=abs))
    return found


def _drift(offset: FloatArray, time: FloatArray, run: BlockRun) -> FloatArray:
    # The step at the block's start still tells of the sound before it.
    inside = offset[(time > run.start) & (time < run.end) & np.isfinite(offset)]
    return inside - np.median(inside) if len(inside) else inside


def _spread(name: str, seconds: FloatArray) -> Latency | None:
    there = 1e3 * seconds[np.isfinite(seconds)]
    if not len(there):
        return None
    return Latency(name, len(there), float(np.median(there)), float(there[np.abs(there).argmax()]))
