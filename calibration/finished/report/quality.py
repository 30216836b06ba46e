"""How good a session's data were: good time, reasons for doubt, what the recording lost, and how late things were."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calibration.finished.report.blocks import BlockRun
from calibration.finished.report.data import SessionData
from calibration.finished.report.tables import number

Array = NDArray[np.float64]
Numbers = dict[str, Any]
#: Numbers that stand alone, so that '3 s to go' and '2 s to go' are one reason.
_NUMBER: Final = re.compile(r"(?<![\w.:-])\d+(?:\.\d+)?(?![\w:-])")
#: Levels of the log that are told.
_TROUBLE: Final = ("WARNING", "ERROR", "CRITICAL")
_MOST_LINES: Final = 40


def quality_numbers(data: SessionData) -> Numbers:
    """Return steps and seconds with values, reasons, good time of channels, streams, log and latencies."""
    return {
        "steps": _steps(data),
        "kinds": _kinds(data),
        "reasons": _reasons(list(data.course.reasons) if data.course is not None else []),
        "neutral": _neutral(data),
        "channels": _channels(data),
        "least_good": data.setting("synchrony", "min_good", 0.6),
        "streams": [stream.numbers() for stream in data.streams],
        "log": _log(data),
        "latencies": _latencies(data),
    }


def _steps(data: SessionData) -> Numbers:
    if data.course is None:
        return {"all": 0, "observed": 0, "predicted": 0, "trusted": 0, "missing": 0}
    course = data.course
    return {
        "all": len(course.step),
        "observed": int(np.isfinite(course.mean["observed"]).sum()),
        "predicted": int(np.isfinite(course.mean["predicted"]).sum()),
        "trusted": int(course.mean_trusted.sum()),
        "missing": int(course.step[-1] - course.step[0] + 1 - len(course.step)),
    }


def _kinds(data: SessionData) -> list[Numbers]:
    """Return for each kind of block its seconds and which share of them has a trusted mean over rows."""
    found: dict[str, list[int]] = {}
    for run in data.blocks:
        if data.course is not None:
            inside = (data.course.time >= run.start - 1e-6) & (data.course.time < run.end - 1e-6)
            counts = found.setdefault(run.kind, [0, 0])
            counts[0] += int(inside.sum())
            counts[1] += int(data.course.mean_trusted[inside].sum())
    return [{"kind": k, "seconds": n, "trusted": good / n if n else None} for k, (n, good) in found.items()]


def _reasons(texts: list[str]) -> list[Numbers]:
    """Return each reason with the seconds for which it stood; a step may have several."""
    counts: Counter[str] = Counter()
    example: dict[str, set[str]] = {}
    for text in texts:
        for reason in {each.strip() for each in text.split(";") if each.strip()}:
            key = _NUMBER.sub("\N{HORIZONTAL ELLIPSIS}", reason)
            counts[key] += 1
            example.setdefault(key, set()).add(reason)
    return [
        {"reason": next(iter(example[key])) if len(example[key]) == 1 else key, "seconds": seconds}
        for key, seconds in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    ]


def _neutral(data: SessionData) -> list[Numbers]:
    """Return why nothing was shown in blocks of feedback."""
    if data.protocol_steps is None:
        return []
    m = data.protocol_steps
    kinds = np.array(m.kind)
    silent = m.running & (kinds == "feedback") & ~np.isfinite(m.level)
    return _reasons([m.reason[i].replace(";", ",") or "no reason given" for i in np.flatnonzero(silent)])


def _channels(data: SessionData) -> list[Numbers]:
    if data.quality is None:
        return []
    least = data.setting("synchrony", "min_good", 0.6)
    found = []
    for p, person in enumerate(data.quality.people):
        for c, channel in enumerate(data.quality.channels):
            good = data.quality.good[p, c]
            there = np.isfinite(good)
            if there.any():
                found.append(
                    {"person": person, "channel": channel, "good": float(good[there].mean()),
                     "poor_s": int((good[there] < least).sum()), "steps": int(there.sum())}
                )  # fmt: skip
    return found


def _log(data: SessionData) -> Numbers:
    lines = [line for line in data.log if any(f" {level} " in line or f"{level}:" in line for level in _TROUBLE)]
    counts = {level: sum(level in line for line in lines) for level in _TROUBLE}
    return {"lines": len(data.log), "counts": counts, "trouble": lines[:_MOST_LINES], "more": len(lines[_MOST_LINES:])}


def _latencies(data: SessionData) -> list[Numbers]:
    """Return what of lateness was recorded: largest and median, ms, and of how many."""
    found = []
    origin = data.ran.get("origin")
    if data.course is not None and isinstance(origin, (int, float)):
        late = data.course.lsl_time - data.course.time - float(origin)
        found.append(_spread("a step's LSL time less the session's zero and its time", late))
    if data.course is not None:
        drifts = [_drift(data.course.stimulus_offset, data.course.time, run) for run in data.blocks]
        found.append(
            _spread("the sound's place in a block by the time lock, less its median", np.concatenate([[], *drifts]))
        )
    message = [e for e in data.events if e.get("trial_type") in ("marker", "key", "note")]
    sent: dict[str, list[float]] = {}
    for text, stamp in data.markers:
        sent.setdefault(text, []).append(stamp)
    names = [e.get("name", "") for e in message]
    texts = [name if name in sent else f"key/{name}" for name in names]
    differences = [
        min((stamp - number(e["lsl_time"]) for stamp in sent[text]), key=abs)
        for e, text in zip(message, texts, strict=True)
        if text in sent and np.isfinite(number(e.get("lsl_time", "")))
    ]
    found.append(_spread("a marker in the recording less the same in events.tsv", np.array(differences)))
    return [each for each in found if each["count"]]


def _drift(offset: Array, time: Array, run: BlockRun) -> Array:
    # The step at the block's start still tells of the sound before it.
    inside = offset[(time > run.start) & (time < run.end) & np.isfinite(offset)]
    return inside - np.median(inside) if len(inside) else inside


def _spread(name: str, seconds: Array) -> Numbers:
    there = 1e3 * seconds[np.isfinite(seconds)] if len(seconds) else np.empty(0)
    if not len(there):
        return {"name": name, "count": 0, "median_ms": None, "largest_ms": None}
    return {
        "name": name,
        "count": len(there),
        "median_ms": float(np.median(there)),
        "largest_ms": float(there[np.abs(there).argmax()]),
    }
