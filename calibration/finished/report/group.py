"""The report of a group of sessions: one HTML file that needs nothing else, and its numbers beside it as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from calibration.finished.group import Member, group_numbers, load_group
from calibration.finished.report.group_figures import blocks_figure, group_time_courses_figure, success_figure
from calibration.finished.report.page import check_out, write_report
from calibration.finished.report.protocol import opened_allocation
from calibration.finished.report.sections import Section
from calibration.report.html import (
    NONE,
    Picture,
    count_of,
    decimal,
    figure,
    folded,
    listing,
    p_is,
    p_of,
    page,
    paragraph,
    percent,
    table,
    terms,
)
from calibration.report.numbers import LEVEL
from rtaffect.common.words import minutes

Numbers = dict[str, Any]


def write_group_report(
    folders: Sequence[Path], out: Path, unblinded: Path | None = None
) -> tuple[Numbers, list[Picture]]:
    """Write the report of several sessions of one protocol, and return its numbers and figures.

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
        If the allocation is damaged, or matplotlib is missing.
    """
    check_out(out)
    members = load_group(folders, opened_allocation(unblinded) if unblinded is not None else None)
    numbers = group_numbers(members)
    made: list[tuple[str, Section]] = [
        ("The group at a glance", _glance(numbers)),
        ("Courses by block", _time_courses(members, numbers)),
        ("Success of regulation", _success(numbers)),
        ("Learning", _learning(members, numbers)),
        ("Sessions", _sessions(numbers)),
    ]
    title = f"Group report: {numbers['protocol'] or 'sessions without a protocol'}"
    text = page(title, _banner(numbers), [(name, content) for name, (content, _) in made])
    write_report(out, text, numbers)
    return numbers, [picture for _, (_, pictures) in made for picture in pictures]


def _banner(numbers: Numbers) -> str:
    found = ""
    if numbers["synthetic"]:
        found += paragraph(
            "Synthetic bundle in at least one session: predictions and references come from simulated people. Nothing "
            "here says anything about brains.", "banner synthetic",
        )  # fmt: skip
    if numbers["arms"]:
        return found + paragraph("Unblinded: participants' arms are named.", "banner")
    if numbers["sealed"]:
        return found + paragraph(
            "Blinded: arms are sealed and are not compared. After rtaffect unblind, --unblinded does that.", "banner"
        )
    return found


def _glance(numbers: Numbers) -> Section:
    people, sessions = numbers["participants"], numbers["sessions"]
    by_arm = ", ".join(f"{arm}: {sum(p['arm'] == arm for p in people)}" for arm in numbers["arms"])
    sha256 = numbers["protocol_sha256"]
    pairs = [
        ("protocol", f"{numbers['protocol'] or 'none'}" + (f" (SHA-256 {sha256})" if sha256 else "")),
        ("participants", f"{len(people)}" + (f" ({by_arm})" if by_arm else "")),
        ("sessions", f"{len(sessions)}, of which {sum(not s['finished'] for s in sessions)} without an end"),
        ("the rule's value", numbers["value"]),
    ]
    return paragraph(_result(numbers), "result") + terms(pairs), []


def _result(numbers: Numbers) -> str:
    """Return the result in one sentence that claims no more than its p value allows."""
    name = "feedback less baseline"
    if numbers["comparisons"]:
        first = next(c for c in numbers["comparisons"] if c["name"] == name)
        what = f"{name} differs by {decimal(first['value'], 3)} {numbers['unit']} ({' less '.join(first['arms'])}"
        if first["p"] is None:
            return f"Arms: {what}); with fewer than two participants in an arm nothing can be said of how sure that is."
        sure = (
            f"{what}; 95 % interval {decimal(first['low'], 3)} to {decimal(first['high'], 3)}, {p_is(first['p_holm'])})"
        )
        return f"Arms: {sure}" + ("." if first["p_holm"] < LEVEL else ", not distinguishable from none.")
    whole = next(t for t in numbers["all"] if t["name"] == name)
    if whole["value"] is None:
        return "Regulation: no session can compare feedback with a baseline."
    over = count_of(whole["participants"][0], "participant")
    message = f"{name} is {decimal(whole['value'], 3)} {numbers['unit']} over {over}"
    if whole["p"] is None:
        return f"Regulation: {message}; with fewer than two nothing can be said of how sure that is."
    sure = f"95 % interval {decimal(whole['low'], 3)} to {decimal(whole['high'], 3)}, {p_is(whole['p'])}"
    return f"Regulation: {message} ({sure})" + ("." if whole["p"] < LEVEL else ", not distinguishable from none.")


def _time_courses(members: Sequence[Member], numbers: Numbers) -> Section:
    back = np.tanh if numbers["unit"] == "Fisher z" else np.asarray
    drawn = group_time_courses_figure(members, numbers["arms"], numbers["value"], back)
    if drawn is None:
        return paragraph("No block ran."), []
    caption = (
        "Means over participants, aligned by block and second after the block's start (a participant's sessions are "
        "averaged first). Light: 95 % interval between participants at each second by itself; neighbouring seconds "
        "share data. A block is as long as its longest run."
    )
    return figure(drawn, caption), [drawn]


def _success(numbers: Numbers) -> Section:
    drawn = success_figure(numbers)
    text, pictures = "", []
    if drawn is not None:
        text, pictures = figure(drawn, "Each participant (sessions averaged), and means over participants."), [drawn]
    rows = [
        [t["name"], decimal(t["value"], 3), _interval(t), p_of(t["p"]), str(t["participants"][0])]
        for t in numbers["all"]
        if t["value"] is not None
    ]
    how = "all ways to flip signs" if all(t["exact"] for t in numbers["all"] if t["p"] is not None) else "flipped signs"
    head = ("difference", numbers["unit"], "95 % interval", "p", "participants")
    if rows:
        text += table(head, rows, f"Over all participants, against 0. p: two-sided, by {how}. Interval: Student's.")
    if numbers["arms"]:
        text += _arms(numbers)
    elif numbers["sealed"]:
        text += paragraph("Arms are compared once the allocation is opened.")
    return text or paragraph("No session can compare feedback with a baseline."), pictures


def _arms(numbers: Numbers) -> str:
    rows = [
        [t["name"], t["arm"], decimal(t["value"], 3), _interval(t), str(t["participants"][0])]
        for t in numbers["by_arm"]
        if t["value"] is not None
    ]
    text = table(("measure", "arm", "mean", "95 % interval", "participants"), rows, "Arms.", texts=2)
    rows = [
        [t["name"], " less ".join(t["arms"]), decimal(t["value"], 3), _interval(t), p_of(t["p"]), p_of(t["p_holm"]),
         " and ".join(map(str, t["participants"]))]
        for t in numbers["comparisons"]
        if t["value"] is not None
    ]  # fmt: skip
    exact = all(t["exact"] for t in numbers["comparisons"] if t["p"] is not None)
    caption = (
        "Arms compared. p: two-sided, by permuting participants "
        f"({'all ways' if exact else '9999 random ways where many'}); p Holm: for all pairs of arms of that measure. "
        "Interval: Welch's. The trusted share tells whether arms differ in artifacts (CRED-nf 3e), the others "
        "whether they differ in regulation (5c)."
    )
    return text + table(
        ("measure", "arms", "difference", "95 % interval", "p", "p Holm", "participants"), rows, caption, texts=2
    )


def _interval(test: Numbers) -> str:
    return NONE if test["low"] is None else f"{decimal(test['low'], 3)} to {decimal(test['high'], 3)}"


def _learning(members: Sequence[Member], numbers: Numbers) -> Section:
    drawn = blocks_figure(members, numbers["arms"])
    text = ""
    if drawn is not None:
        caption = (
            "Thin: each participant (sessions averaged). Symbols: means over participants with their 95 % interval."
        )
        text = figure(drawn, caption)
    name = "change per block of feedback"
    rows = [
        [p["participant"], p["arm"] or NONE, str(p["sessions"]), decimal(p["feedback less baseline"], 3),
         ", ".join(decimal(each, 3) for each in p["each"]), decimal(p[name], 3), decimal(p["change_per_session"], 3)]
        for p in numbers["participants"]
    ]  # fmt: skip
    head = (
        "participant",
        "arm",
        "sessions",
        "feedback less baseline",
        "of each session",
        "change per block",
        "change per session",
    )
    caption = (
        f"Participants, {numbers['unit']}. Change per block: slope over blocks of feedback within a session, mean "
        "over sessions. Change per session: slope of feedback less baseline over sessions in order of their start."
    )
    content = table(head, rows, caption, texts=2)
    text += folded("All participants as a table", content) if len(rows) > 40 else content
    return text, [drawn] if drawn is not None else []


def _sessions(numbers: Numbers) -> Section:
    rows = [
        [s["folder"], s["participant"], s["arm"] or NONE, (s["started"] or NONE)[:16].replace("T", " "),
         minutes(s["seconds"]), s["outcome"] or NONE, percent(s["trusted"]), decimal(s["feedback less baseline"], 3),
         decimal(s["transfer less baseline"], 3)]
        for s in numbers["sessions"]
    ]  # fmt: skip
    head = ("session", "participant", "arm", "started, UTC", "min:s", "outcome", "trusted", "feedback", "transfer")
    caption = f"Sessions. Trusted: share of steps. Feedback, transfer: less baseline, {numbers['unit']}."
    text = table(head, rows, caption, texts=6)
    if numbers["missing"]:
        text += paragraph("Missing or damaged:", "warning") + listing(numbers["missing"])
    return text + paragraph(f"Report by rtaffect {numbers['made_by']}."), []
