"""The report of a session: one HTML file that needs nothing else, and its numbers beside it as JSON."""

from __future__ import annotations

import json
import math
from pathlib import Path

import tomli_w

from calibration.finished.report.as_json import Json, as_json
from calibration.finished.report.checklist import BY_HAND, PARTLY
from calibration.finished.report.data import SessionData, load_session
from calibration.finished.report.figures import (
    good_figure,
    means_figure,
    so_far_figure,
    time_course_figures,
    time_course_pages,
)
from calibration.finished.report.numbers import GROUP_REPORT, SESSION_REPORT, SessionReport, session_report
from calibration.finished.report.protocol import opened_allocation
from calibration.pages import NONE, render
from calibration.report.numbers import LEVEL
from rtaffect.common.errors import SettingsError
from rtaffect.common.files import write_whole
from rtaffect.common.reading import read_json
from rtaffect.common.words import minutes


def write_session_report(folder: Path, out: Path, unblinded: Path | None = None) -> SessionReport:
    """Write the report of one session, and return what it tells.

    Parameters
    ----------
    folder
        The session's folder; it may be unfinished or damaged.
    out
        The HTML file; the numbers go beside it, with the ending .json. A report that is there is replaced.
    unblinded
        The record of an opened allocation, or its sealed file; None: nothing is told that would tell the arm.

    Raises
    ------
    RecordingError
        If ``folder`` is no session's.
    SettingsError
        If ``out`` cannot be written or is no report, or ``unblinded`` does not fit the session.
    ArtifactError
        If the allocation is damaged, or matplotlib or Jinja2 is missing.
    """
    check_out(out)
    data = load_session(folder)
    report = session_report(data, opened_allocation(unblinded) if unblinded is not None else None)
    write_report(out, session_page(data, report), as_json(report))
    return report


def session_page(data: SessionData, report: SessionReport) -> str:
    """Return the report as HTML; raises ArtifactError if matplotlib or Jinja2 is missing."""
    drawn = data.course is not None or data.protocol_steps is not None
    pictures = time_course_figures(data, report.events, report.shown_is_told) if drawn else []
    return render(
        "session.html",
        report=report,
        data=data,
        ran={name: value for name, value in data.ran.items() if name != "settings"},
        courses=list(zip(pictures, time_course_pages(data), strict=True)) if drawn else [],
        means=means_figure(report.regulation.blocks, report.regulation.value),
        good=good_figure(data),
        so_far=so_far_figure(report.synchrony),
        level=LEVEL,
        by_hand=BY_HAND,
        partly=PARTLY,
        minutes=minutes,
        signed=signed,
        toml=lambda content: tomli_w.dumps(content).strip(),
    )


def signed(value: float | None, digits: int, unit: str = "") -> str:
    """Return a number with the zero before its point, as times are printed."""
    if value is None or not math.isfinite(value):
        return NONE
    text = f"{abs(value):.{digits}f}"
    minus = "\N{MINUS SIGN}" if value < 0 and text.strip("0.") else ""
    return f"{minus}{text}{unit}"


def write_report(out: Path, text: str, numbers: Json) -> None:
    """Write the page and its numbers, each whole or not at all.

    Raises
    ------
    SettingsError
        If they cannot be written.
    """
    message = json.dumps(numbers, indent=1, ensure_ascii=False) + "\n"
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(out.with_suffix(".json"), message)
        write_whole(out, text)
    except OSError as error:
        raise SettingsError(f"--out {out} cannot be written ({error.strerror}); name another file") from None


def check_out(out: Path) -> None:
    """Refuse a file that is not to be replaced.

    Raises
    ------
    SettingsError
        If it does not end in .html, or it, or the numbers' file beside it, is there and is no report.
    """
    if out.suffix != ".html":
        raise SettingsError(f"--out {out}: expected a name that ends in .html, such as {out.name}.html")
    numbers = out.with_suffix(".json")
    for path, is_one in ((out, _is_page), (numbers, _is_numbers)):
        if path.exists() and not is_one(path):
            raise SettingsError(f"--out {out}: {path} is there already and is no report; name another file")


def _is_page(path: Path) -> bool:
    try:
        start = path.read_bytes()[:2000].decode("utf-8", errors="replace")
    except OSError:
        return False
    return any(f"<title>{kind} report" in start for kind in ("Session", "Group"))


def _is_numbers(path: Path) -> bool:
    try:
        found = read_json(path)
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("report") in (SESSION_REPORT, GROUP_REPORT)
