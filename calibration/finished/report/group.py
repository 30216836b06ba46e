"""The report of a group of sessions: one HTML file that needs nothing else, and its numbers beside it as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from calibration.finished.report.as_json import as_json
from calibration.finished.report.group_figures import blocks_figure, group_time_courses_figure, success_figure
from calibration.finished.report.members import GroupReport, Member, group_report, load_group
from calibration.finished.report.page import check_out, write_report
from calibration.finished.report.protocol import opened_allocation
from calibration.pages import render
from calibration.report.numbers import LEVEL
from rtaffect.common.words import minutes


def write_group_report(folders: Sequence[Path], out: Path, unblinded: Path | None = None) -> GroupReport:
    """Write the report of several sessions of one protocol, and return what it tells.

    Parameters
    ----------
    folders
        The sessions' folders, of one or several participants.
    out
        The HTML file; the numbers go beside it, with the ending .json. A report that is there is replaced.
    unblinded
        The record of an opened allocation, or its sealed file; None: arms are not compared.

    Raises
    ------
    RecordingError
        If a folder is no session's.
    SettingsError
        If protocols differ, a folder is named twice, ``out`` is no report, or ``unblinded`` does not fit.
    ArtifactError
        If the allocation is damaged, or matplotlib or Jinja2 is missing.
    """
    check_out(out)
    members = load_group(folders, opened_allocation(unblinded) if unblinded is not None else None)
    report = group_report(members)
    write_report(out, group_page(members, report), as_json(report))
    return report


def group_page(members: Sequence[Member], report: GroupReport) -> str:
    """Return the report as HTML; raises ArtifactError if matplotlib or Jinja2 is missing."""
    back = np.tanh if report.unit == "Fisher z" else np.asarray
    return render(
        "group.html",
        report=report,
        courses=group_time_courses_figure(members, report.arms, report.value, back),
        success=success_figure(report),
        blocks=blocks_figure(members, report.arms),
        level=LEVEL,
        minutes=minutes,
    )
