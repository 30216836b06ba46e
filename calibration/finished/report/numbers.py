"""What the report of a session tells: the page prints it, and ``report.json`` holds it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from calibration.finished.report.agreement import AgreementReport, agreement_of
from calibration.finished.report.as_json import known
from calibration.finished.report.checklist import Answer, Findings, checklist, other_texts
from calibration.finished.report.data import SessionData
from calibration.finished.report.protocol import Opened
from calibration.finished.report.quality import Quality, quality_of
from calibration.finished.report.regulation import Regulation, regulation_of
from calibration.finished.report.so_far import SynchronyReport, synchrony_of_session
from rtaffect import __version__
from rtaffect.common.words import duration
from rtaffect.plan.session_folder import cell_number

#: What ``report.json`` of a session, and of a group, says of itself.
SESSION_REPORT, GROUP_REPORT = "rtaffect session", "rtaffect group"


@dataclass(frozen=True, slots=True)
class Glance:
    """What a session was, in short; None where it does not say."""

    participant: str | None
    started: str | None
    ended: str | None
    seconds: float
    outcome: str | None
    finished: bool
    command: str
    title: str | None
    protocol: str | None
    bundle: str | None
    synthetic: bool
    people: tuple[str, ...]
    sound: str | None
    film: str | None
    sound_check: str | None
    light_check: str | None
    rows: int
    mean_of: str | None
    blocks_planned: int | None
    blocks_ran: int


@dataclass(frozen=True, slots=True)
class ListedEvent:
    """A marker, key, note or fault, with the number that the curves show it by; ``onset`` in s of the session."""

    number: int
    onset: float | None
    type: str
    text: str


@dataclass(frozen=True, slots=True)
class SessionReport:
    """All that is told of a session; ``arm`` is that of an opened allocation.

    ``shown_is_told`` is whether what the participant was shown may be told: beside the session's own values it tells
    the arm.
    """

    report: str
    made_by: str
    folder: str
    glance: Glance
    sealed: bool
    arm: str | None
    shown_is_told: bool
    missing: tuple[str, ...]
    regulation: Regulation
    synchrony: SynchronyReport | None
    agreement: AgreementReport
    quality: Quality
    events: tuple[ListedEvent, ...]
    checklist: tuple[Answer, ...]
    other_texts: dict[str, str]
    hashes: dict[str, str]
    versions: dict[str, str]


def session_report(data: SessionData, opened: Opened | None) -> SessionReport:
    """Return what is told of a session.

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
    regulation, quality = regulation_of(data, disclosed), quality_of(data)
    return SessionReport(
        report=SESSION_REPORT,
        made_by=__version__,
        folder=str(data.path),
        glance=glance_of(data),
        sealed=data.sealed,
        arm=arm,
        shown_is_told=disclosed,
        missing=data.missing,
        regulation=regulation,
        synchrony=synchrony_of_session(data),
        agreement=agreement_of(data),
        quality=quality,
        events=_events(data),
        checklist=checklist(data, Findings(arm, regulation, quality)),
        other_texts=other_texts(data),
        hashes=_hashes(data),
        versions=_versions(data),
    )


def glance_of(data: SessionData) -> Glance:
    """Return what a session was, in short."""
    ran, course = data.ran, data.course
    started, ended, outcome = (text_of(ran.get(name)) for name in ("started", "ended", "outcome"))
    return Glance(
        participant=text_of(ran.get("participant", data.plan.participant)),
        started=started,
        ended=ended,
        seconds=_seconds(started, ended, int(course.step[-1]) if course is not None else 0),
        outcome=outcome,
        finished=bool(ended) and outcome not in (None, "running"),
        command=str(ran.get("command", data.plan.mode)),
        title=text_of(ran.get("title")),
        protocol=text_of(ran.get("protocol")),
        bundle=text_of(ran.get("bundle")),
        synthetic=bool(ran.get("synthetic_bundle")),
        people=tuple(str(each.get("name", "?")) for each in ran.get("eeg", [])),
        sound=text_of(ran.get("sound", {}).get("kind")),
        film=_film(ran.get("film")),
        sound_check=_check(ran.get("checks"), "sound"),
        light_check=_check(ran.get("checks"), "light"),
        rows=len(course.rows) if course is not None else 0,
        mean_of=course.mean_of if course is not None else None,
        blocks_planned=len(data.protocol.get("block", [])) or None,
        blocks_ran=len(data.blocks),
    )


def _film(counts: object) -> str | None:
    """Return how much of its films was seen, in words; None where there were none."""
    if not isinstance(counts, dict):
        return None
    frames, dropped, frozen = (int(counts.get(name, 0)) for name in ("frames", "dropped", "frozen"))
    stood = f", {frozen} times for {float(counts.get('frozen_s', 0.0)):.1f} s in all" if frozen else ", never"
    return f"{frames} frames shown, {dropped} not in time; the picture stood still{stood}"


def _check(checks: object, kind: str) -> str | None:
    """Return what the newest check of the sound, or of the light, before the session found; None where none was."""
    found = checks.get(kind) if isinstance(checks, dict) else None
    if not isinstance(found, dict) or not found.get("line"):
        return None
    age = found.get("age_s")
    before = f" (checked {duration(float(age))} before the session)" if isinstance(age, int | float) else ""
    return f"{str(found['line']).partition(': ')[2]}{before}"


def text_of(said: object) -> str | None:
    """Return what a file says as text; None where it says nothing."""
    return None if said is None else str(said)


def _seconds(started: str | None, ended: str | None, steps: int) -> float:
    """Return how long it lasted by its steps, else by the clock (which a replay or demo may outrun)."""
    if steps:
        return float(steps)
    try:
        return (datetime.fromisoformat(ended or "") - datetime.fromisoformat(started or "")).total_seconds()
    except (ValueError, TypeError):
        return 0.0


def _events(data: SessionData) -> tuple[ListedEvent, ...]:
    """Return markers, keys, notes and faults, numbered as the curves show them; not what the blocks tell already."""
    own = ("block/", "practice/", "stimulus/", "session/")
    some = [
        e
        for e in data.events
        if e.get("trial_type") in ("key", "mark", "note", "fault", "marker")
        and not e.get("name", "").startswith(own)
        and (e["trial_type"], e.get("name")) != ("key", "go")
    ]
    return tuple(
        ListedEvent(i, known(cell_number(event.get("onset", ""))), event["trial_type"], event.get("name", ""))
        for i, event in enumerate(some, start=1)
    )


def _hashes(data: SessionData) -> dict[str, str]:
    ran = data.ran
    kinds = ("protocol", "allocation", "bundle", "featurizer")
    found = {kind: str(ran[f"{kind}_sha256"]) for kind in kinds if ran.get(f"{kind}_sha256")}
    return found | {str(each.get("file")): str(each.get("sha256")) for each in ran.get("stimuli", [])}


def _versions(data: SessionData) -> dict[str, str]:
    packages = data.environment.get("packages", {})
    found = {"rtaffect": str(data.ran.get("rtaffect", "?"))}
    for name in ("python", "platform"):
        if name in data.environment:
            found[name] = str(data.environment[name])
    return found | {str(name): str(version) for name, version in dict(packages).items()}
