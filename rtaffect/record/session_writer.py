"""What a session leaves on disk beside its recording: its plan, tables, log and stimuli, whole after each step."""

from __future__ import annotations

import importlib.metadata
import json
import logging
import platform
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import tomli_w

from rtaffect import __version__
from rtaffect.common.errors import SettingsError, setting
from rtaffect.common.files import PRIVATE, copy_new, new_file, private_folder, write_whole
from rtaffect.common.sums import write_sums
from rtaffect.common.text import file_name
from rtaffect.engine.feedback import Feedback
from rtaffect.engine.timing import StepTiming
from rtaffect.plan.session_folder import (
    AFFECT_FILE,
    DOUBTS_FILE,
    ELEMENTS_FILE,
    MEASURES_FILE,
    PROTOCOL_FILE,
    SESSION_FILE,
    STIMULI,
    refuse_taken,
)
from rtaffect.plan.session_plan import SessionPlan, plan_toml, without_none
from rtaffect.protocol.event import SessionEvent
from rtaffect.protocol.protocol_step import ProtocolStep
from rtaffect.record.affect_table import AFFECT_COLUMNS, affect_lines
from rtaffect.record.element_table import ELEMENT_COLUMNS, element_lines
from rtaffect.record.refuge import FULL, Refuge
from rtaffect.record.table import (
    DOUBT_COLUMNS,
    EVENT_COLUMNS,
    FEEDBACK_COLUMNS,
    MEASURE_COLUMNS,
    MOMENT_COLUMNS,
    PEOPLE_COLUMNS,
    QUALITY_COLUMNS,
    TIMING_COLUMNS,
    Table,
    doubt_lines,
    event_line,
    feedback_lines,
    measure_lines,
    people_lines,
    protocol_step_line,
    quality_lines,
    timing_line,
)

_log = logging.getLogger(__name__)

ENVIRONMENT_FILE, LOG_FILE = "environment.json", "session.log"
_TABLES: Final = {
    "feedback.tsv": FEEDBACK_COLUMNS,
    "people.tsv": PEOPLE_COLUMNS,
    "quality.tsv": QUALITY_COLUMNS,
    "moments.tsv": MOMENT_COLUMNS,
    "timing.tsv": TIMING_COLUMNS,
    DOUBTS_FILE: DOUBT_COLUMNS,
    "events.tsv": EVENT_COLUMNS,
}
_PACKAGES: Final = (
    "numpy", "scipy", "pylsl", "onnxruntime", "onnxruntime-gpu", "soxr", "pyxdf", "sounddevice", "brainflow",
    "mne-realtime", "PySide6-Essentials", "pyqtgraph",
)  # fmt: skip


class SessionWriter:
    """Writes one session into a folder that holds none yet.

    Parameters
    ----------
    folder
        Made if absent.
    plan
        What was asked for.
    ran
        What is known of the run, for the table ``[ran]`` of ``session.toml``: anything that TOML can hold; None is
        left out.

    Raises
    ------
    SettingsError
        If the folder already holds a session, or cannot be written.
    """

    def __init__(self, folder: Path, plan: SessionPlan, ran: Mapping[str, Any]) -> None:
        self._plan = plan
        self._ran: dict[str, Any] = {
            "rtaffect": __version__,
            "started": _now(),
            "outcome": "running",
            "steps": 0,
            **ran,
        }
        # Steps come from the engine's thread, keys from the window's.
        self._lock = threading.RLock()
        self._tables: dict[str, Table] = {}
        self._log: _Log | None = None
        # What was copied into the folder, by its path in there, and what of the end could not be written.
        self._copies: dict[str, Path] = {}
        self._plan_trouble, self._closed = "", False
        self._logger = logging.getLogger("rtaffect")
        self._level = self._logger.level
        self._made = not folder.exists()
        refuse_taken(folder)
        try:
            private_folder(folder)
            self.refuge = Refuge(folder)
            # Only of a session that has any.
            own: dict[str, tuple[str, ...]] = {MEASURES_FILE: MEASURE_COLUMNS} if ran.get("measures") else {}
            own |= {AFFECT_FILE: AFFECT_COLUMNS} if ran.get("affect") else {}
            own |= {ELEMENTS_FILE: ELEMENT_COLUMNS} if ran.get("elements") else {}
            for name, columns in (_TABLES | own).items():
                self._tables[name] = Table(folder / name, columns)
            self._log = _Log(folder / LOG_FILE)
            self._write_environment()
            self._write_plan()
            if wrong := next(filter(None, (table.trouble for table in self._tables.values())), ""):
                raise OSError(0, wrong)
        except FileExistsError:
            self.discard()
            raise SettingsError(
                f"{setting('out', folder)} already holds a session", remedy="name a new folder, nothing is overwritten"
            ) from None
        except OSError as error:
            self.discard()
            raise SettingsError(
                f"{setting('out', folder)} cannot be written ({error.strerror})", remedy="name another folder"
            ) from None
        self._logger.setLevel(logging.INFO)
        self._logger.addHandler(self._log)

    @property
    def folder(self) -> Path:
        """Where the session is written: another folder than the one asked for once that has gone."""
        return self.refuge.folder

    @property
    def trouble(self) -> str:
        """What is wrong with the folder or the tables, in words; empty if nothing is."""
        tables = [
            f"{table.path} cannot be written ({table.trouble}); free space: what waits is written then"
            for table in self._tables.values()
            if table.trouble
        ]
        return "; ".join(filter(None, [self.refuge.trouble, *tables[:1], self._plan_trouble]))

    def __call__(self, feedback: Feedback) -> None:
        """Append one step and bring it to disk."""
        self._ran["steps"] = feedback.step
        self._stay_or_go()
        self._add("feedback.tsv", feedback_lines(feedback))
        self._add("people.tsv", people_lines(feedback))
        self._add("quality.tsv", quality_lines(feedback))
        self._add(DOUBTS_FILE, doubt_lines(feedback))
        if MEASURES_FILE in self._tables:
            self._add(MEASURES_FILE, measure_lines(feedback))
        if AFFECT_FILE in self._tables:
            self._add(AFFECT_FILE, affect_lines(feedback))
        if ELEMENTS_FILE in self._tables:
            self._add(ELEMENTS_FILE, element_lines(feedback))

    def timing(self, timings: Iterable[StepTiming]) -> None:
        """Append when steps were made, sent and seen."""
        self._add("timing.tsv", [timing_line(timing) for timing in timings])

    def protocol_step(self, protocol_step: ProtocolStep) -> None:
        """Append one step of the protocol."""
        self._add("moments.tsv", [protocol_step_line(protocol_step)])

    def event(self, event: SessionEvent) -> None:
        """Append an event; from any thread."""
        self._add("events.tsv", [event_line(event)])
        level = logging.WARNING if event.type == "fault" else logging.INFO
        words = " ".join(filter(None, (event.type, event.name, event.kind)))
        logging.getLogger("rtaffect.engine.session").log(level, "%.3f s: %s", event.onset, words)

    def add_table(self, name: str, columns: Sequence[str]) -> None:
        """Begin a table that not every session has; raises SettingsError if it cannot be made."""
        try:
            self._tables[name] = Table(self.folder / name, columns)
        except OSError as error:
            raise SettingsError(f"{self.folder} cannot be written ({error.strerror}); make room") from None

    def lines(self, name: str, lines: Sequence[Sequence[str]]) -> None:
        """Append lines to a table that was added."""
        self._add(name, lines)

    def keep_stimulus(self, path: Path) -> str:
        """Copy a sound file into the folder; return its path in there."""
        kept, number = self.folder / STIMULI / file_name(path.name), 1
        target = kept
        try:
            private_folder(target.parent)
            while target.is_symlink() or (target.exists() and target.read_bytes() != path.read_bytes()):
                number += 1
                target = kept.with_name(f"{kept.stem}-{number}{kept.suffix}")
            file = target.relative_to(self.folder).as_posix()
            self._copies[file] = path
            if not target.exists():
                copy_new(path, target)
        except OSError as error:
            raise SettingsError(f"{path} cannot be copied to {target.parent} ({error.strerror}); make room") from None
        return file

    def keep_protocol(self, path: Path) -> None:
        """Copy the protocol into the folder; raises SettingsError if that is impossible."""
        self._copies[PROTOCOL_FILE] = path
        try:
            copy_new(path, self.folder / PROTOCOL_FILE)
        except OSError as error:
            raise SettingsError(f"{path} cannot be copied to {self.folder} ({error.strerror}); make room") from None

    def learn(self, **known: Any) -> None:
        """Let what is known of the run stand in ``session.toml`` when it is next written, at the end at the latest."""
        self._ran |= known

    def note(self, **known: Any) -> None:
        """Add what is known of the run to ``session.toml``; raises SettingsError if it cannot be written."""
        self.learn(**known)
        try:
            self._write_plan()
        except OSError as error:
            raise SettingsError(f"{self.folder} cannot be written ({error.strerror}); make room") from None

    def close(self, outcome: str) -> None:
        """Note how the session ended, and close the files; may be called twice."""
        if self._closed:
            return
        self._closed = True
        self._ran |= {"ended": _now(), "outcome": outcome}
        self._stay_or_go()
        for table in self._tables.values():
            table.close()
        try:
            self._write_plan()
        except OSError as error:
            self._plan_trouble = (
                f"{self.folder} cannot be written ({error.strerror}): its session.toml does not say the end"
            )
        self._close_log()

    def discard(self) -> None:
        """Remove what was made of a session that cannot begin, so that it can be tried again in the same folder."""
        self._close_log()
        made = [table.path for table in self._tables.values()]
        for table in self._tables.values():
            table.close()
        if made:
            folder = made[0].parent
            # What has been there before another session's table was found is not ours.
            names = (ENVIRONMENT_FILE, LOG_FILE, SESSION_FILE, *self._copies) if self._log is not None else ()
            for path in (*made, *(folder / name for name in names)):
                with suppress(OSError):
                    path.unlink()
            for path in (folder / STIMULI, *([folder] if self._made else [])):
                with suppress(OSError):
                    path.rmdir()

    def _close_log(self) -> None:
        if self._log is not None:
            self._logger.removeHandler(self._log)
            self._logger.setLevel(self._level)
            with suppress(OSError):
                self._log.close()

    def seal(self) -> None:
        """Take the hashes of all files, when nothing more is written: a reader then finds what is not as it was."""
        try:
            write_sums(self.folder, PRIVATE)
        except OSError as error:
            self._plan_trouble = f"{self.folder} cannot be sealed ({error.strerror}): its files cannot be checked later"

    def _add(self, name: str, lines: Sequence[Sequence[str]]) -> None:
        with self._lock:
            table = self._tables[name]
            wrong = table.add(lines)
            if wrong is not None and wrong.errno not in FULL and table.path.parent == self.folder:
                self.refuge.leave(f"cannot be written any more ({wrong.strerror})")

    def _stay_or_go(self) -> None:
        """Go on in another folder where this one is gone: with all lines so far, and with what was copied into it."""
        with self._lock:
            here = [table for table in self._tables.values() if table.path.parent == self.folder]
            if here and (wrong := self.refuge.wrong(*(table.descriptor for table in here))):
                self.refuge.leave(wrong)
            there = [(name, table) for name, table in self._tables.items() if table.path.parent != self.folder]
            if not there:
                return
            before = there[0][1].path.parent
            try:
                for name, table in there:
                    table.move_to(self.folder / name)
                self._move_rest(before)
            except OSError as error:
                _log.error("%s cannot be written (%s): what comes waits in memory", self.folder, error.strerror)

    def _move_rest(self, before: Path) -> None:
        """Make anew what the folder ``before`` had beside its tables."""
        if self._log is not None:
            new = _Log(self.folder / LOG_FILE)
            new.put(self._log.text())
            self._logger.addHandler(new)
            self._logger.removeHandler(self._log)
            with suppress(OSError):
                self._log.close()
            self._log = new
        self._write_environment()
        for name, source in self._copies.items():
            target = self.folder / name
            private_folder(target.parent)
            for file in (source, before / name):
                with suppress(OSError):
                    copy_new(file, target)
                    break
            else:
                _log.error("%s cannot be copied again: it is missing in %s", source, self.folder)
        self._write_plan()

    def _write_environment(self) -> None:
        with new_file(self.folder / ENVIRONMENT_FILE) as file:
            file.write((json.dumps(environment(), indent=2) + "\n").encode())

    def _write_plan(self) -> None:
        content = plan_toml(self._plan, self.folder) | {"ran": without_none(self._ran)}
        write_whole(self.folder / SESSION_FILE, tomli_w.dumps(content), PRIVATE)


class _Log(logging.FileHandler):
    """The session's log, which can go on in another file; a full disk is told by the tables."""

    def __init__(self, path: Path) -> None:
        new_file(path).close()
        super().__init__(path, "a+", encoding="utf-8", errors="backslashreplace")
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Do nothing."""

    def text(self) -> str:
        """Return what was noted so far, be the file removed or not; empty if it cannot be read."""
        self.acquire()
        try:
            if self.stream is None:
                return ""
            self.stream.seek(0)
            return self.stream.read()
        except (OSError, ValueError):
            return ""
        finally:
            self.release()

    def put(self, text: str) -> None:
        """Write what another file had; raises OSError."""
        if self.stream is not None:
            self.stream.write(text)
            self.stream.flush()


def environment() -> dict[str, Any]:
    """Return what the session runs on: Python, platform, packages."""
    return {
        "rtaffect": __version__,
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "processor": platform.machine(),
        "packages": versions(_PACKAGES),
    }


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Return the versions of those of ``packages`` that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
