"""Sessions as a BIDS dataset: all of them or none, into a new dataset or one that is there."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

from calibration.finished.bids.dataset import STIMULI, Dataset, Scan, Stimuli, move_in, write_tables, write_texts
from calibration.finished.bids.eeg import Entities, need, write_eeg
from calibration.finished.bids.events import COLUMNS, Disclosure, event_rows, events_json, stimulus_files
from calibration.finished.bids.feedback import time_course_of, write_time_course
from calibration.finished.bids.physio import write_physio
from calibration.finished.bids.plan import Choices, Planned, plan_export
from calibration.finished.bids.recording import Headset, NotRecordedError, SessionRecording
from calibration.finished.bids.tables import write_json, write_tsv
from rtaffect.common.errors import RecordingError, RtaffectError
from rtaffect.common.files import sha256_of
from rtaffect.common.reading import read_bytes, toml_content
from rtaffect.plan.session_folder import PROTOCOL_FILE

__all__ = ["Choices", "ExportError", "Exported", "export"]

#: How a session ends that was not cut off.
_ENDED = frozenset({"completed", "stopped by the user"})


class ExportError(RecordingError):
    """Nothing was written: ``problems`` are all that is wrong, one line each."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(dict.fromkeys(" ".join(each.split()) for each in problems))
        super().__init__(f"nothing is exported: {'; '.join(self.problems)}")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was exported: the files' names (without ``_eeg.vhdr``) by session folder and headset, and what to know."""

    recordings: dict[tuple[Path, str], Entities]
    notes: tuple[str, ...]
    appended: bool


def export(
    folders: Sequence[Path], out: Path, choices: Choices | None = None, progress: Callable[[str], None] | None = None
) -> Exported:
    """Write the sessions in ``folders`` as recordings of the BIDS dataset ``out``, which may be there.

    Raises
    ------
    ExportError
        If something is wrong with any of them; then nothing is written.
    ArtifactError
        If a package that writes BIDS is missing.
    RecordingError
        If ``out`` is no dataset, or cannot be written.
    """
    need()
    out = Path(os.path.abspath(out))
    dataset, choices = Dataset.open(out), choices or Choices()
    problems = list[str]()
    planned = plan_export(folders, dataset, choices, problems)
    part = out.with_name(f"{out.name}.part-{secrets.token_hex(8)}")
    try:
        part.mkdir(parents=True)
    except OSError as error:
        raise RecordingError(f"--out {out} cannot be written ({error.strerror}); name another folder") from None
    try:
        written = _Export(part, dataset, choices, problems)
        for each in planned:
            (progress or (lambda _: None))(f"session {each.session.path}")
            written.session(each)
        if problems or not written.scans:
            raise ExportError(problems or ["no session was named; expected one or more session folders"])
        write_tables(dataset, part, written.scans)
        write_texts(dataset, part, choices.name or out.name, choices.authors, choices.licence)
        move_in(part, dataset)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Exported(written.recordings, tuple(dict.fromkeys(written.notes)), dataset.there)


class _Export:
    """Writes sessions into the folder ``part`` while there are no ``problems``, and looks through the others."""

    def __init__(self, part: Path, dataset: Dataset, choices: Choices, problems: list[str]) -> None:
        self._part, self._choices, self._problems = part, choices, problems
        self._stimuli = Stimuli(dataset.root / STIMULI, part / STIMULI)
        self.scans: list[Scan] = []
        self.recordings: dict[tuple[Path, str], Entities] = {}
        self.notes: list[str] = []

    def session(self, planned: Planned) -> None:
        """Write the recordings of a session."""
        absent = list[str]()
        try:
            recording = SessionRecording(planned.session)
            for name in planned.called:
                try:
                    headset = recording.headset(name)
                except NotRecordedError as error:
                    absent.append(str(error))
                else:
                    if not self._problems:
                        self._write(planned, headset, recording)
        except (RtaffectError, OSError) as error:
            self._problems.append(f"session {planned.session.path}: {error}")
            return
        if len(absent) == len(planned.called):
            self._problems.append(f"session {planned.session.path} has no EEG: {'; '.join(absent)}; leave it out")
        for note in (*filter(None, [planned.session.unchecked]), *recording.notes, *absent):
            self._note(planned, note)
        outcome = str(planned.session.ran.get("outcome", "running"))
        if outcome not in _ENDED:
            self._note(planned, f"it did not end as it should ({outcome}); what was recorded until then is exported")

    def _write(self, planned: Planned, headset: Headset, recording: SessionRecording) -> None:
        session, entities = planned.session, planned.called[headset.name]
        stem = self._part / entities.folder / entities.name
        files = {file: self._stimuli.add(session.place(file)) for file in stimulus_files(session)}
        people = {name: f"sub-{code}" for name, code in planned.codes.items()}
        disclosed = Disclosure(files, dict.fromkeys(recording.identities, "...") | people, self._choices.notes)
        write_eeg(self._part, entities, headset, session, _about(planned))
        rows = event_rows(session, headset.grid, disclosed, headset.absent)
        write_tsv(stem.with_name(f"{stem.name}_events.tsv"), COLUMNS, rows)
        write_json(stem.with_name(f"{stem.name}_events.json"), events_json(rows))
        self._write_feedback(planned, headset, stem)
        self._write_body(planned, headset, recording, stem)
        when = planned.began.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if self._choices.dates else None
        self.scans.append(Scan(entities, when, planned.source))
        self.recordings[session.path, headset.name] = entities
        if headset.left_out:
            self._note(planned, f"headset {headset.name!r}: {', '.join(headset.left_out)} not exported: no EEG")

    def _write_feedback(self, planned: Planned, headset: Headset, stem: Path) -> None:
        blinded = planned.session.ran.get("arm") == "sealed" and not self._choices.shown
        try:
            course = time_course_of(planned.session, headset.name, shown=not blinded)
        except RecordingError as error:
            self._note(planned, f"without feedback: {error}")
            return
        if course is None:
            self._note(planned, "without feedback: it has no step")
            return
        write_time_course(stem, course, headset.grid, planned.task_name)
        if blinded:
            self._note(planned, "it is blinded: what was shown is left out, since it tells the arm (--shown adds it)")

    def _write_body(self, planned: Planned, headset: Headset, recording: SessionRecording, stem: Path) -> None:
        """Write peripheral signals: what came with the EEG, and other streams where it is clear whose they are."""
        if headset.body is not None:
            write_physio(stem, "body", headset.body, headset.grid, planned.task_name)
        owners = recording.owners(list(planned.called))
        if headset.name == next(iter(planned.called)) and (unknown := [n for n, of in owners.items() if not of]):
            self._note(planned, f"{', '.join(unknown)} not exported: whose signals these are is not known")
        found = recording.peripheral([name for name, of in owners.items() if of == headset.name])
        for number, signals in enumerate(found.values(), start=1):
            write_physio(stem, f"peripheral{number}", signals, headset.grid, planned.task_name)

    def _note(self, planned: Planned, text: str) -> None:
        self.notes.append(f"session {planned.session.path}: {' '.join(text.split())}")


def _about(planned: Planned) -> dict[str, Any]:
    """Return what the sidecar says of the task; of its protocol if that is still as it was."""
    session, said = planned.session, dict[str, Any]()
    kept, file = session.path / PROTOCOL_FILE, session.plan.protocol.file
    file = session.place(PROTOCOL_FILE) if kept.exists() else file
    try:
        content = read_bytes(file) if file is not None else b""
        if sha256_of(content) == session.ran.get("protocol_sha256"):
            protocol = toml_content(content)
            texts = [block.get("instruction", "") for block in protocol.get("block", ())]
            said = {
                "TaskDescription": protocol.get("description", ""),
                "Instructions": " / ".join(dict.fromkeys(text for text in texts if text)),
            }
    except (OSError, ValueError, AttributeError):
        pass
    if session.plan.mode == "demo":
        said["TaskDescription"] = "Simulated: no one was recorded (rtaffect demo)"
    called = {"TaskName": planned.task_name}
    return called | {key: str(said.get(key) or "n/a") for key in ("TaskDescription", "Instructions")}
