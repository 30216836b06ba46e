"""The report of a session: one HTML file that needs nothing else, and its numbers beside it as JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from calibration.finished.report.data import load_session
from calibration.finished.report.numbers import GROUP_REPORT, SESSION_REPORT, session_numbers
from calibration.finished.report.protocol import opened_allocation
from calibration.finished.report.record import checklist, quality, record
from calibration.finished.report.sections import Section, agreement, banner, glance, regulation, time_courses
from calibration.report.html import Picture, page
from rtaffect.common.errors import SettingsError

Numbers = dict[str, Any]


def write_session_report(folder: Path, out: Path, unblinded: Path | None = None) -> tuple[Numbers, list[Picture]]:
    """Write the report of one session, and return its numbers and figures.

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
        If the allocation is damaged, or matplotlib is missing.
    """
    check_out(out)
    data = load_session(folder)
    numbers = session_numbers(data, opened_allocation(unblinded) if unblinded is not None else None)
    made: list[tuple[str, Section]] = [
        ("The session at a glance", glance(numbers)),
        ("Courses by block", time_courses(data, numbers)),
        ("Success of regulation", regulation(numbers)),
        ("Agreement of predicted and observed", agreement(numbers)),
        ("Quality", quality(data, numbers)),
        ("CRED-nf checklist", checklist(numbers)),
        ("Settings, versions and hashes", record(data, numbers)),
    ]
    who = numbers["glance"]["participant"] or folder.resolve().name
    day = f", {numbers['glance']['started'][:10]}" if numbers["glance"]["started"] else ""
    text = page(f"Session report: {who}{day}", banner(numbers), [(title, content) for title, (content, _) in made])
    write_report(out, text, numbers)
    return numbers, [picture for _, (_, pictures) in made for picture in pictures]


def write_report(out: Path, text: str, numbers: Numbers) -> None:
    """Write the page and its numbers, each whole or not at all.

    Raises
    ------
    SettingsError
        If they cannot be written.
    """
    message = json.dumps(numbers, indent=1, ensure_ascii=False) + "\n"
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        for path, content in ((out.with_suffix(".json"), message), (out, text)):
            part = path.with_name(path.name + ".part")
            part.write_text(content, encoding="utf-8", newline="\n")
            os.replace(part, path)
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
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("report") in (SESSION_REPORT, GROUP_REPORT)
