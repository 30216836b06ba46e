"""What a session's report says of the session, its regulation and its agreement, as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calibration.finished.regulation import LEAST_WINDOWS
from calibration.finished.report.data import SessionData
from calibration.finished.report.figures import means_figure, time_course_figures, time_course_pages
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
    paragraph,
    percent,
    seconds_of,
    table,
    terms,
)
from calibration.report.numbers import LEVEL
from rtaffect.common.words import minutes

Numbers = dict[str, Any]
Section = tuple[str, list[Picture]]

METHOD = (
    "Neighbouring values share data, so that they are worth fewer values than there are: variances and degrees of "
    "freedom are those of Worsley & Friston (NeuroImage 2, 1995) for values whose windows and smoothing overlap as "
    "they do here and whose noise may lead on from second to second by as much as the restricted likelihood says. A "
    "window is what shares no data with another (equivalent sample size: Zwiers & von Storch, J. Climate 8, 1995)."
)


def banner(numbers: Numbers) -> str:
    """Return what nobody may miss: synthetic weights, a session that did not end, a sealed arm."""
    found = []
    glance = numbers["glance"]
    if glance["synthetic"]:
        found.append(
            paragraph(
                "Synthetic bundle: predictions and references come from simulated people. Nothing here says "
                "anything about "
                "brains.", "banner synthetic",
            )
        )  # fmt: skip
    if not glance["finished"]:
        found.append(paragraph("This session has no recorded end: it was cut off, or still runs.", "banner synthetic"))
    if numbers["sealed"] and numbers["arm"] is None:
        found.append(
            paragraph(
                "Blinded: the participant's arm is sealed. What was shown is left out, because beside the session's "
                "own "
                "values it would tell the arm. After rtaffect unblind, --unblinded adds it.", "banner",
            )
        )  # fmt: skip
    elif numbers["arm"] is not None:
        found.append(paragraph(f"Unblinded: the participant is in the arm '{numbers['arm']}'.", "banner"))
    return "".join(found)


def glance(numbers: Numbers) -> Section:
    """Return the session in short, and what is missing."""
    g, hashes, steps = numbers["glance"], numbers["hashes"], numbers["quality"]["steps"]

    def with_hash(name: str | None, key: str) -> str:
        sha256 = hashes.get(key)
        return NONE if name is None else name + (f" (SHA-256 {sha256[:12]})" if sha256 else "")

    blocks = f"{g['blocks_ran']}" + (f" of {g['blocks_planned']}" if g["blocks_planned"] else "")
    bundle = with_hash(g["bundle"], "bundle") + (", SYNTHETIC" if g["synthetic"] else "")
    pairs = [
        ("participant", g["participant"] or "no code"),
        ("started", _when(g["started"])),
        ("lasted", seconds_of(g["seconds"]) + (f" ({minutes(g['seconds'])} min)" if g["seconds"] >= 60 else "")),
        ("ended", g["outcome"] or "unknown" if g["finished"] else f"no end is recorded (last state: {g['outcome']})"),
        ("protocol", with_hash(g["protocol"], "protocol") if g["protocol"] else "none"),
        ("blocks that ran", blocks),
        *([("arm", numbers["arm"] or "sealed")] if numbers["sealed"] else []),
        ("bundle", bundle if g["bundle"] else "none: people were compared with each other, or not at all"),
        ("people", ", ".join(g["people"]) or NONE),
        ("rows", f"{g['rows']}; the mean over rows is over {g['mean_of'] or NONE}"),
        ("steps", f"{steps['all']} (one a second)" + (f", {steps['missing']} missing" if steps["missing"] else "")),
        ("with an observed value", _share(steps["observed"], steps["all"])),
        ("with a predicted value", _share(steps["predicted"], steps["all"])),
        ("trusted", _share(steps["trusted"], steps["all"])),
    ]
    text = paragraph(headline(numbers), "result") + terms(pairs)
    if numbers["missing"]:
        text += paragraph("Missing or damaged:", "warning") + listing(numbers["missing"])
    return text, []


def _when(text: str | None) -> str:
    return NONE if not text else text.replace("T", " ").split(".")[0].removesuffix("+00:00") + " UTC"


def _share(count: int, of: int) -> str:
    return f"{count} ({percent(count / of)})" if of else NONE


def headline(numbers: Numbers) -> str:
    """Return the result on regulation in one sentence that claims no more than its p value allows."""
    contrasts = {c["name"]: c for c in numbers["regulation"]["contrasts"]}
    first = contrasts.get("feedback less baseline")
    if first is None:
        return "Regulation: nothing can be compared with a baseline."
    disclosed = f"{decimal(first['difference'], 3)} {numbers['regulation']['unit']}"
    if not first["enough"]:
        return (
            f"Regulation: feedback less baseline is {disclosed}, but one side is worth {decimal(first['windows'], 1)} "
            f"windows that share no data, and with fewer than {LEAST_WINDOWS:g} nothing can be said of how sure that "
            "is."
        )
    sure = f"95 % interval {decimal(first['low'], 3)} to {decimal(first['high'], 3)}, {p_is(first['p'])}"
    if first["p"] >= LEVEL:
        return f"Regulation: feedback less baseline is {disclosed}, not distinguishable from none ({sure})."
    way = "above" if first["difference"] > 0 else "below"
    return f"Regulation: in feedback the value lay {way} the baseline by {disclosed.lstrip(chr(0x2212))} ({sure})."


def time_courses(data: SessionData, numbers: Numbers) -> Section:
    """Return the curves by block."""
    if data.course is None and data.protocol_steps is None:
        return paragraph("There are no steps to draw."), []
    pictures = time_course_figures(data, numbers["events"], numbers["shown_is_told"])
    caption = (
        "Mean over rows by second; a value is of the window that ends then. Tints: blocks, named above. Triangles: "
        "markers and keys, numbered as in the list below. The rule's value is absent until its window lies inside "
        "the block."
    )
    if not numbers["shown_is_told"]:
        caption += " The level that was shown is left out: the arm is sealed."
    pages = time_course_pages(data)
    body = "".join(
        figure(p, caption if i == 0 else f"{minutes(pages[i][0])} to {minutes(pages[i][1])}, as above.")
        for i, p in enumerate(pictures)
    )
    return body + _events(numbers["events"]), pictures


def _events(events: Sequence[Numbers]) -> str:
    if not events:
        return ""
    times = [NONE if e["onset"] is None else f"{minutes(e['onset'])} ({e['onset']:.1f} s)" for e in events]
    rows = [[str(e["number"]), time, e["type"], e["text"]] for e, time in zip(events, times, strict=True)]
    content = table(("number", "time", "type", "text"), rows, "Markers, keys, notes and faults.", texts=4)
    return folded(f"{count_of(len(rows), 'marker')}, keys, notes and faults", content) if len(rows) > 12 else content


def regulation(numbers: Numbers) -> Section:
    """Return means by block, differences from the baseline, success and learning."""
    found = numbers["regulation"]
    picture = means_figure(found["blocks"], found["value"])
    unit = found["unit"]
    text = paragraph(f"The rule's value: {found['value']}. A block's first {found['window_s']} s have none.")
    pictures = []
    if picture is not None:
        caption = f"Mean of the rule's value in each block, with its 95 % interval. {METHOD}"
        text, pictures = text + figure(picture, caption), [picture]
    if found["blocks"]:
        text += _blocks_table(numbers)
    compared = [*found["contrasts"], *([found["slope"]] if found["slope"] else [])]
    if compared:
        rows = [
            [c["name"], decimal(c["difference"], 3), _interval(c), p_of(c["p"]), decimal(c["windows"], 1)]
            for c in compared
        ]
        caption = (
            f"Differences of means, {unit}. p: two-sided. Windows: of the side that has fewer; below {LEAST_WINDOWS:g} "
            "there is no interval."
        )
        text += table(("difference", unit, "95 % interval", "p", "windows"), rows, caption)
        if any(not c["enough"] for c in compared):
            text += paragraph(
                "Too few windows: blocks of this length tell a mean, but not how far it would come back. Longer "
                "blocks, or "
                "several sessions in a report of the group, can.", "warning",
            )  # fmt: skip
    notes = list(found["notes"])
    if found["baseline_success"] is not None:
        notes.append(
            f"Of the baseline's own values {percent(found['baseline_success'])} reach the first threshold: that much "
            "success is no regulation."
        )
    if found["shown_against_own"] is not None:
        notes.append(
            f"Within blocks of feedback the level that was shown correlates with that of the own value at "
            f"r = {decimal(found['shown_against_own'])}."
        )
    return text + (listing(notes) if notes else ""), pictures


def _interval(estimate: Numbers) -> str:
    if not estimate["enough"]:
        return "too few windows"
    return f"{decimal(estimate['low'], 3)} to {decimal(estimate['high'], 3)}"


def _blocks_table(numbers: Numbers) -> str:
    disclosed = numbers["shown_is_told"]
    head = ("block", "kind", "length", "values", "windows", "mean", "95 % interval", "success", "shown")
    rows = []
    for b in numbers["regulation"]["blocks"]:
        between = NONE if b["low"] is None else f"{decimal(b['low'], 3)} to {decimal(b['high'], 3)}"
        row = [
            f"{b['number']} {b['name']}", b["kind"], seconds_of(b["seconds"]) + ("" if b["ended"] else ", cut off"),
            str(b["values"]), decimal(b["windows"], 1), decimal(b["mean"], 3), between, percent(b["success_rate"]),
            NONE if b["shown_s"] is None else seconds_of(b["shown_s"])
            + (f" at {decimal(b['level'])}" if disclosed and b["level"] is not None else ""),
        ]  # fmt: skip
        rows.append(row)
    caption = (
        "Blocks. Values: seconds with one. Windows: how many that share no data these are worth. Success: share of "
        "values at or above the threshold of their second. Shown: seconds in which the participant was shown a "
        f"level{', and its mean' if disclosed else ''}."
    )
    return table(head, rows, caption, texts=2)


def agreement(numbers: Numbers) -> Section:
    """Return how predicted and observed went together."""
    found = numbers["agreement"]
    if found["note"]:
        return paragraph(found["note"]), []
    mean = found["mean"]
    text = ""
    if mean is None:
        text += paragraph("The mean over rows has too few values for a correlation.")
    else:
        sure = f"{p_is(mean['p'])}; 95 % of turned courses stay below r = {decimal(mean['chance'])}"
        what = f"r = {decimal(mean['r'])} over {seconds_of(mean['seconds'])}"
        beyond = "above chance" if mean["p"] < LEVEL else "not distinguishable from chance"
        text += paragraph(f"Predicted and observed mean over rows: {what}, {beyond} ({sure}).", "result")
    text += paragraph(
        f"Within blocks that have {found['least_s']} s or more of both ({', '.join(found['blocks'])}), about the "
        "means of each. Chance: the observed course of each block turned round by every number of seconds, as in "
        "the report of a calibration (Theiler et al., Physica D 58, 1992); p is one-sided. The overlap of windows "
        "stays in turned courses."
    )
    some = [row for row in found["rows"] if row["r"] is not None]
    if some:
        rows = [
            [r["name"], r["kind"], decimal(r["r"]), p_of(r["p"]), p_of(r["p_family"]), str(r["seconds"])] for r in some
        ]
        caption = "Rows: r, p alone, p among all rows (family-wise), and seconds that are trusted and have both values."
        content = table(("row", "kind", "r", "p", "p family-wise", "seconds"), rows, caption, texts=2)
        text += folded("All rows as a table", content) if len(rows) > 12 else content
    return text, []
