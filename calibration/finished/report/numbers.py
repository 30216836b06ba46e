"""All numbers of a session's report: the page prints these, and ``report.json`` holds them."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import numpy as np

from calibration.finished.cred_nf import checklist, other_texts
from calibration.finished.report.agreement import agreement_numbers
from calibration.finished.report.data import SessionData
from calibration.finished.report.protocol import Opened
from calibration.finished.report.quality import quality_numbers
from calibration.finished.report.regulation import regulation_numbers
from rtaffect import __version__

Numbers = dict[str, Any]
#: What ``report.json`` of a session, and of a group, says of itself.
SESSION_REPORT, GROUP_REPORT = "rtaffect session", "rtaffect group"


def session_numbers(data: SessionData, opened: Opened | None) -> Numbers:
    """Return the numbers of a session; absent ones are None.

    Parameters
    ----------
    data
        The session.
    opened
        The opened allocation; without it nothing is told that would tell the arm of a participant whose arm is sealed.

    Raises
    ------
    SettingsError
        If the allocation is not the session's.
    """
    arm = opened.arm_of(data.ran, data.path) if opened is not None else None
    disclosed = arm is not None or not data.sealed
    numbers: Numbers = {
        "report": SESSION_REPORT,
        "made_by": __version__,
        "folder": str(data.path),
        "glance": glance_numbers(data),
        "sealed": data.sealed,
        "arm": arm,
        "shown_is_told": disclosed,
        "missing": list(data.missing),
        "regulation": regulation_numbers(data, disclosed),
        "agreement": agreement_numbers(data),
        "quality": quality_numbers(data),
        "events": _events(data),
    }
    numbers["checklist"] = checklist(data, numbers)
    numbers["other_texts"] = other_texts(data)
    numbers["hashes"] = _hashes(data)
    numbers["versions"] = _versions(data)
    found: Numbers = plain(numbers)
    return found


def glance_numbers(data: SessionData) -> Numbers:
    """Return what a session was, in short."""
    ran = data.ran
    steps = int(data.course.step[-1]) if data.course is not None else 0
    return {
        "participant": ran.get("participant", data.plan.participant),
        "started": ran.get("started"),
        "ended": ran.get("ended"),
        "seconds": _seconds(ran.get("started"), ran.get("ended"), steps),
        "outcome": ran.get("outcome"),
        "finished": bool(ran.get("ended")) and ran.get("outcome") not in (None, "running"),
        "command": ran.get("command", data.plan.mode),
        "title": ran.get("title"),
        "protocol": ran.get("protocol"),
        "bundle": ran.get("bundle"),
        "synthetic": bool(ran.get("synthetic_bundle")),
        "people": [str(each.get("name", "?")) for each in ran.get("eeg", [])],
        "sound": ran.get("sound", {}).get("kind"),
        "rows": len(data.course.rows) if data.course is not None else 0,
        "mean_of": data.course.mean_of if data.course is not None else None,
        "blocks_planned": len(data.protocol.get("block", [])) or None,
        "blocks_ran": len(data.blocks),
    }


def _seconds(started: Any, ended: Any, steps: int) -> float:
    """Return how long it lasted by its steps, else by the clock (which a replay or demo may outrun)."""
    if steps:
        return float(steps)
    try:
        return (datetime.fromisoformat(str(ended)) - datetime.fromisoformat(str(started))).total_seconds()
    except (ValueError, TypeError):
        return 0.0


def _events(data: SessionData) -> list[Numbers]:
    """Return markers, keys, notes and faults, numbered as the curves show them; not what the blocks tell already."""
    disclosed = [e for e in data.events if e.get("trial_type") in ("key", "note", "fault", "marker")]
    own = ("block/", "stimulus/", "session/")
    some = [
        e
        for e in disclosed
        if not e.get("name", "").startswith(own) and (e["trial_type"], e.get("name")) != ("key", "go")
    ]
    return [
        {"number": i, "onset": _number(e.get("onset")), "type": e["trial_type"], "text": e.get("name", "")}
        for i, e in enumerate(some, start=1)
    ]


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None


def _hashes(data: SessionData) -> dict[str, str]:
    ran = data.ran
    names = {"protocol": "protocol_sha256", "allocation": "allocation_sha256", "bundle": "bundle_sha256",
             "featurizer": "featurizer_sha256"}  # fmt: skip
    found = {name: str(ran[key]) for name, key in names.items() if ran.get(key)}
    return found | {str(each.get("file")): str(each.get("sha256")) for each in ran.get("stimuli", [])}


def _versions(data: SessionData) -> dict[str, str]:
    packages = data.environment.get("packages", {})
    found = {"rtaffect": str(data.ran.get("rtaffect", "?"))}
    for name in ("python", "platform"):
        if name in data.environment:
            found[name] = str(data.environment[name])
    return found | {str(name): str(version) for name, version in dict(packages).items()}


def plain(value: Any) -> Any:
    """Return a value as JSON has it: numpy's numbers as Python's, NaN and infinity as None."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
