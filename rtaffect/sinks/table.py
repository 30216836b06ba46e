"""A session's results on disk: ``feedback.tsv``, ``people.tsv``, ``quality.tsv``, ``session.json``, as they come."""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from rtaffect import __version__
from rtaffect.errors import SettingsError
from rtaffect.feedback import Feedback, FloatArray

FEEDBACK_COLUMNS = (
    "step", "time", "lsl_time", "row", "kind", "predicted", "predicted_low", "predicted_high", "observed", "null_low",
    "null_high", "own_share", "trusted", "observed_against", "stimulus_offset", "alignment",
    "reason",
)  # fmt: skip
PEOPLE_COLUMNS = ("step", "time", "person", "row", "observed")
QUALITY_COLUMNS = ("step", "time", "person", "channel", "quality")
#: The row that stands for the mean over rows.
MEAN_ROW = "mean"
_PACKAGES = (
    "numpy",
    "scipy",
    "pylsl",
    "onnxruntime",
    "soxr",
    "pyxdf",
    "sounddevice",
    "PySide6-Essentials",
    "pyqtgraph",
)


class SessionFolder:
    """Writes one session into a folder that holds none yet.

    Parameters
    ----------
    folder
        Made if absent.
    settings
        All that defines the session, for ``session.json``: anything that JSON can hold.

    Raises
    ------
    SettingsError
        If the folder already holds a session, or cannot be written.
    """

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self._folder = folder
        self._about = {
            "rtaffect": __version__,
            "started": _now(),
            "ended": None,
            "steps": 0,
            "outcome": "running",
            "python": sys.version.split()[0],
            "platform": platform.platform(),
            "packages": versions(_PACKAGES),
            **settings,
        }
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._tables = [
                (_new_table(folder / name, columns), lines)
                for name, columns, lines in (
                    ("feedback.tsv", FEEDBACK_COLUMNS, feedback_lines),
                    ("people.tsv", PEOPLE_COLUMNS, people_lines),
                    ("quality.tsv", QUALITY_COLUMNS, quality_lines),
                )
            ]
        except FileExistsError:
            raise SettingsError(
                f"--out {folder} already holds a session; name a new folder, nothing is overwritten"
            ) from None
        except OSError as error:
            raise SettingsError(f"--out {folder} cannot be written ({error.strerror}); name another folder") from None
        self._write_about()

    def __call__(self, feedback: Feedback) -> None:
        """Append one step and bring it to disk."""
        self._about["steps"] = feedback.step
        for file, lines in self._tables:
            file.writelines("\t".join(line) + "\n" for line in lines(feedback))
            file.flush()

    def close(self, outcome: str) -> None:
        """Note how the session ended, and close the files."""
        self._about |= {"ended": _now(), "outcome": outcome}
        for file, _ in self._tables:
            file.close()
        self._write_about()

    def _write_about(self) -> None:
        part = self._folder / "session.json.part"
        part.write_text(json.dumps(self._about, indent=2) + "\n", encoding="utf-8")
        os.replace(part, self._folder / "session.json")


def feedback_lines(f: Feedback) -> list[tuple[str, ...]]:
    """Return one line of cells per row of the space, and one for the mean over rows."""
    lines = [
        (r, kind, f.predicted[i], f.predicted_low[i], f.predicted_high[i], f.observed[i], f.null_low[i], f.null_high[i],
         f.own_share[i], bool(f.trusted[i]))
        for i, (r, kind) in enumerate(zip(f.rows, f.row_kinds, strict=True))
    ]  # fmt: skip
    lines.append(
        (MEAN_ROW, f.mean_of, f.predicted_mean, f.predicted_mean_low, f.predicted_mean_high, f.observed_mean,
         f.null_mean_low, f.null_mean_high, math.nan, bool(f.trusted.any()))
    )  # fmt: skip
    when = (str(f.step), f"{f.time:g}", f"{f.lsl_time:.6f}")
    where = ("n/a", "n/a") if f.alignment is None else (cell(f.alignment.offset_s), f.alignment.state)
    return [
        (*when, row, kind, *map(cell, values), str(trusted).lower(), f.observed_against, *where, f.reason or "n/a")
        for row, kind, *values, trusted in lines
    ]


def people_lines(f: Feedback) -> list[tuple[str, ...]]:
    """Return one line of cells per person and row."""
    return _lines_by_person(f, f.rows, f.observed_each)


def quality_lines(f: Feedback) -> list[tuple[str, ...]]:
    """Return one line of cells per person and channel."""
    return _lines_by_person(f, f.channels, f.quality)


def _lines_by_person(f: Feedback, names: Sequence[str], values: FloatArray) -> list[tuple[str, ...]]:
    when = (str(f.step), f"{f.time:g}")
    return [
        (*when, person, name, cell(value))
        for person, line in zip(f.people, values, strict=True)
        for name, value in zip(names, line, strict=True)
    ]


def cell(value: float) -> str:
    """Return a number as text, 'n/a' where it is absent."""
    return "n/a" if math.isnan(value) else f"{value:.6f}"


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Return the versions of those of ``packages`` that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _new_table(path: Path, columns: Sequence[str]) -> TextIO:
    file = path.open("x", encoding="utf-8", newline="\n")
    file.write("\t".join(columns) + "\n")
    return file


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
