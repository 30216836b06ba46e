"""What is to be exported: sessions, whose each headset is, and what the files are called; told before anything is read.

Every problem of every folder is told, one line each.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from calibration.finished.bids.dataset import Dataset
from calibration.finished.bids.eeg import Entities
from calibration.finished.bids.events import stimulus_files
from calibration.finished.bids.recording import headsets_of
from rtaffect.common.errors import RtaffectError
from rtaffect.common.files import sha256_of
from rtaffect.plan.session_folder import RecordedSession, open_session

#: A folder that began within this time of the one before belongs to the same visit.
VISIT = timedelta(hours=6)
#: What is called so where there was no protocol.
NO_PROTOCOL = "listen"
_LABEL = re.compile(r"[A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class Choices:
    """What the user chose.

    Attributes
    ----------
    task, session
        Labels in place of those of the protocol and of the date.
    people
        Participants' codes by the headset's name, or by ``folder/headset``.
    name, authors, licence
        For the description of a new dataset.
    dates
        Whether it is told when sessions were.
    notes
        Whether the operator's notes are told.
    shown
        Whether it is told what was shown in blinded sessions.
    """

    task: str | None = None
    session: str | None = None
    people: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None
    authors: tuple[str, ...] = ()
    licence: str | None = None
    dates: bool = False
    notes: bool = False
    shown: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Planned:
    """A session to be exported.

    ``codes`` are the participants and ``called`` the names of the files, each by headset; ``source`` is the hash of the
    recording.
    """

    session: RecordedSession
    began: datetime
    task_name: str
    codes: dict[str, str]
    source: str
    called: dict[str, Entities] = field(default_factory=dict)


def plan_export(folders: Sequence[Path], dataset: Dataset, choices: Choices, problems: list[str]) -> list[Planned]:
    """Return the sessions that can be exported, by date; what forbids some is added to ``problems``."""
    labels = [("task", choices.task), ("session", choices.session), *(("people", c) for c in choices.people.values())]
    problems += [
        f"--{option} {text}: expected letters and digits only"
        for option, text in labels
        if text is not None and not _LABEL.fullmatch(text)
    ]
    if dataset.there and (choices.name or choices.authors or choices.licence):
        problems.append(
            f"--name, --author and --license are for a new dataset, but {dataset.root} is there; edit its "
            "dataset_description.json"
        )
    seen, planned = list[Planned](), list[Planned]()
    for folder, times in Counter(folder.resolve() for folder in folders).items():
        if times > 1:
            problems.append(f"session {folder} is named {times} times; name it once")
        try:
            found, wrong = _session(folder, dataset, choices)
        except RtaffectError as error:
            problems.append(str(error))
            continue
        problems += [f"session {folder}: {each}" for each in wrong]
        seen.append(found)
        planned += [] if wrong else [found]
    planned.sort(key=lambda each: each.began)
    _check_people(seen, choices, problems)
    _call(planned, dataset, choices, problems)
    return planned


def _session(folder: Path, dataset: Dataset, choices: Choices) -> tuple[Planned, list[str]]:
    """Return one session, and what is wrong with it."""
    session, wrong = open_session(folder), list[str]()
    headsets = [str(each["name"]) for each in headsets_of(session)]
    if not headsets:
        wrong.append("it had no headset ([[ran.eeg]] in session.toml); there is no EEG to export")
    there = session.recording.is_file()
    if not there:
        wrong.append(f"it has no recording {session.recording.name}; copy the whole folder")
    began = _began(session)
    if began is None:
        wrong.append("session.toml does not say when it began ([ran] started); expected ISO 8601")
    said = str(session.ran.get("protocol") or NO_PROTOCOL)
    if not (choices.task or task_label(said)):
        wrong.append(f"its protocol {said!r} has no letters or digits to name a task with; give --task")
    for file in stimulus_files(session):
        if not session.place(file).is_file():
            wrong.append(f"the sound {file} began, but is not there; copy the whole folder")
        else:
            session.checked(file)
    source = sha256_of(session.checked_recording()) if there else ""
    if source and source in dataset.sources:
        wrong.append(f"its recording is in {dataset.root} already ({dataset.sources[source]}); leave it out")
    codes = _codes(session, headsets, choices.people, wrong)
    return Planned(session, began or datetime.max.replace(tzinfo=UTC), choices.task or said, codes, source), wrong


def task_label(name: str) -> str:
    """Return the letters and digits of a name, without accents: ``Baseline, two runs`` is ``Baselinetworuns``."""
    return re.sub(r"[^A-Za-z0-9]", "", unicodedata.normalize("NFKD", name))


def _began(session: RecordedSession) -> datetime | None:
    said: Any = session.ran.get("started")
    try:
        found = said if isinstance(said, datetime) else datetime.fromisoformat(str(said))
    except ValueError:
        return None
    return found if found.tzinfo else found.astimezone()


def _codes(
    session: RecordedSession, headsets: Sequence[str], people: Mapping[str, str], wrong: list[str]
) -> dict[str, str]:
    """Return each headset's participant: as named, else the session's, with b, c, ... for the second and further."""
    own = session.plan.participant or session.ran.get("participant")
    codes = {}
    for number, name in enumerate(headsets):
        given = people.get(f"{session.path.name}/{name}", people.get(name))
        if given is None and own is None:
            wrong.append(f"it names no participant for headset {name!r}; give --people {name!r}=CODE")
        elif given is None and number >= len(string.ascii_lowercase):
            wrong.append(f"it has {len(headsets)} headsets; name the participant of {name!r} with --people")
        else:
            codes[name] = given or f"{own}{string.ascii_lowercase[number] if number else ''}"
    # Those of --people are looked at with the options.
    wrong += [
        f"its participant {code[:40]!r} is no label; expected letters and digits only: name the code with --people"
        for name, code in codes.items()
        if code not in people.values() and not _LABEL.fullmatch(code)
    ]
    for code, times in Counter(codes.values()).items():
        if times > 1:
            wrong.append(f"{times} of its headsets are of one participant, {code}; expected one each: correct --people")
    return codes


def _check_people(seen: Sequence[Planned], choices: Choices, problems: list[str]) -> None:
    """Tell of names in ``--people`` that fit nothing, or people of different sessions."""
    for name, code in choices.people.items():
        fits = [p for p in seen if any(name in {each, f"{p.session.path.name}/{each}"} for each in p.codes)]
        own = sorted({str(p.session.plan.participant) for p in fits})
        if not fits:
            problems.append(f"--people {name}={code}: no session has that headset; expected its name in session.toml")
        elif len(own) > 1:
            problems.append(
                f"--people {name}={code} fits sessions of different participants ({', '.join(own)}); name one as "
                f"{fits[0].session.path.name}/{name}={code}"
            )
    derived = {
        code: p for p in seen for n, code in enumerate(p.codes.values()) if n and code not in choices.people.values()
    }
    for p in seen:
        first = next(iter(p.codes.values()), None)
        if first in derived:
            other = derived[first].session.path
            problems.append(
                f"session {p.session.path}: its participant {first} is called as a further person of {other} would be; "
                "name that one with --people"
            )


def _call(planned: Sequence[Planned], dataset: Dataset, choices: Choices, problems: list[str]) -> None:
    """Give every headset's files their names: sessions count by visit, runs within session and task."""
    without = sorted({e.sub for e in dataset.recordings if not e.ses} & {c for p in planned for c in p.codes.values()})
    if without:
        problems.append(
            f"{dataset.root}: recordings of sub-{', sub-'.join(without)} are in no session (ses-); export elsewhere"
        )
    visits, runs = _counted(dataset)
    for p in planned:
        task = choices.task or task_label(p.task_name)
        for headset, code in p.codes.items():
            number, last = visits.get(code, (0, None))
            if last is None or p.began - last > VISIT:
                number += 1
            visits[code] = number, p.began
            ses = choices.session or f"{number:02d}"
            runs[code, ses, task] += 1
            p.called[headset] = Entities(code, ses, task, f"{runs[code, ses, task]:02d}")


def _counted(dataset: Dataset) -> tuple[dict[str, tuple[int, datetime | None]], Counter[tuple[str, str, str]]]:
    """Return of what is in the dataset each participant's last session, by number, and the runs of each task in it."""
    visits: dict[str, tuple[int, datetime | None]] = {}
    runs = Counter[tuple[str, str, str]]()
    for each in dataset.recordings:
        # It is not known when they were.
        if each.ses.isdecimal():
            visits[each.sub] = max(int(each.ses), visits.get(each.sub, (0, None))[0]), None
        key = (each.sub, each.ses, each.task)
        runs[key] = max(runs[key], int(each.run) if each.run.isdecimal() else 1)
    return visits, runs
