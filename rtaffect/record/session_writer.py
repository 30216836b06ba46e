"""What a session leaves on disk beside its recording: its plan, tables, log and stimuli, whole after each step."""

from __future__ import annotations

import importlib.metadata
import json
import logging
import platform
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
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
from rtaffect.plan.session_folder import DOUBTS_FILE, PROTOCOL_FILE, SESSION_FILE, STIMULI
from rtaffect.plan.session_plan import SessionPlan, plan_toml, without_none
from rtaffect.protocol.event import SessionEvent
from rtaffect.protocol.protocol_step import ProtocolStep
from rtaffect.record.table import (
    DOUBT_COLUMNS,
    EVENT_COLUMNS,
    FEEDBACK_COLUMNS,
    MOMENT_COLUMNS,
    PEOPLE_COLUMNS,
    QUALITY_COLUMNS,
    Table,
    doubt_lines,
    event_line,
    feedback_lines,
    people_lines,
    protocol_step_line,
    quality_lines,
)

ENVIRONMENT_FILE, LOG_FILE = "environment.json", "session.log"
_TABLES: Final = {
    "feedback.tsv": FEEDBACK_COLUMNS,
    "people.tsv": PEOPLE_COLUMNS,
    "quality.tsv": QUALITY_COLUMNS,
    "moments.tsv": MOMENT_COLUMNS,
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
        self.folder = folder
        self.trouble = ""
        self._plan = plan
        self._ran: dict[str, Any] = {
            "rtaffect": __version__,
            "started": _now(),
            "outcome": "running",
            "steps": 0,
            **ran,
        }
        # Steps come from the engine's thread, keys from the window's.
        self._lock = threading.Lock()
        try:
            private_folder(folder)
            with ExitStack() as failed:
                self._tables: dict[str, Table] = {}
                for name, columns in _TABLES.items():
                    self._tables[name] = Table(folder / name, columns)
                    failed.callback(self._tables[name].close)
                new_file(folder / LOG_FILE).close()
                self._log = logging.FileHandler(folder / LOG_FILE, encoding="utf-8", errors="backslashreplace")
                failed.callback(self._log.close)
                with new_file(folder / ENVIRONMENT_FILE) as file:
                    file.write((json.dumps(environment(), indent=2) + "\n").encode())
                self._write_plan()
                failed.pop_all()
        except FileExistsError:
            raise SettingsError(
                f"{setting('out', folder)} already holds a session", remedy="name a new folder, nothing is overwritten"
            ) from None
        except OSError as error:
            raise SettingsError(
                f"{setting('out', folder)} cannot be written ({error.strerror})", remedy="name another folder"
            ) from None
        self._log.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        self._log.handleError = lambda record: None  # type: ignore[method-assign]  # a full disk is told by `trouble`
        self._logger = logging.getLogger("rtaffect")
        self._level = self._logger.level
        self._logger.setLevel(logging.INFO)
        self._logger.addHandler(self._log)

    def __call__(self, feedback: Feedback) -> None:
        """Append one step and bring it to disk."""
        self._ran["steps"] = feedback.step
        self._add("feedback.tsv", feedback_lines(feedback))
        self._add("people.tsv", people_lines(feedback))
        self._add("quality.tsv", quality_lines(feedback))
        self._add(DOUBTS_FILE, doubt_lines(feedback))

    def protocol_step(self, protocol_step: ProtocolStep) -> None:
        """Append one step of the protocol."""
        self._add("moments.tsv", [protocol_step_line(protocol_step)])

    def event(self, event: SessionEvent) -> None:
        """Append an event; from any thread."""
        self._add("events.tsv", [event_line(event)])
        level = logging.WARNING if event.type == "fault" else logging.INFO
        logging.getLogger("rtaffect.engine.session").log(level, "%.3f s: %s %s", event.onset, event.type, event.name)

    def keep_stimulus(self, path: Path) -> str:
        """Copy a sound file into the folder; return its path in there."""
        kept, number = self.folder / STIMULI / file_name(path.name), 1
        target = kept
        try:
            private_folder(target.parent)
            while target.is_symlink() or (target.exists() and target.read_bytes() != path.read_bytes()):
                number += 1
                target = kept.with_name(f"{kept.stem}-{number}{kept.suffix}")
            if not target.exists():
                copy_new(path, target)
        except OSError as error:
            raise SettingsError(f"{path} cannot be copied to {target.parent} ({error.strerror}); make room") from None
        return target.relative_to(self.folder).as_posix()

    def keep_protocol(self, path: Path) -> None:
        """Copy the protocol into the folder; raises SettingsError if that is impossible."""
        try:
            copy_new(path, self.folder / PROTOCOL_FILE)
        except OSError as error:
            raise SettingsError(f"{path} cannot be copied to {self.folder} ({error.strerror}); make room") from None

    def note(self, **known: Any) -> None:
        """Add what is known of the run to ``session.toml``; raises SettingsError if it cannot be written."""
        self._ran |= known
        try:
            self._write_plan()
        except OSError as error:
            raise SettingsError(f"{self.folder} cannot be written ({error.strerror}); make room") from None

    def close(self, outcome: str) -> None:
        """Note how the session ended, and close the files."""
        self._ran |= {"ended": _now(), "outcome": outcome}
        self._logger.removeHandler(self._log)
        self._logger.setLevel(self._level)
        self._log.close()
        for table in self._tables.values():
            table.close()
        try:
            self._write_plan()
        except OSError as error:
            self.trouble = f"{self.folder} cannot be written ({error.strerror}): its session.toml does not say the end"

    def seal(self) -> None:
        """Take the hashes of all files, when nothing more is written: a reader then finds what is not as it was."""
        try:
            write_sums(self.folder, PRIVATE)
        except OSError as error:
            self.trouble = f"{self.folder} cannot be sealed ({error.strerror}): its files cannot be checked later"

    def _add(self, name: str, lines: Sequence[Sequence[str]]) -> None:
        with self._lock:
            wrong = self._tables[name].add(lines)
        self.trouble = (
            f"{self.folder / name} cannot be written ({wrong}); free space: what waits is written then" if wrong else ""
        )

    def _write_plan(self) -> None:
        content = plan_toml(self._plan, self.folder) | {"ran": without_none(self._ran)}
        write_whole(self.folder / SESSION_FILE, tomli_w.dumps(content), PRIVATE)


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
