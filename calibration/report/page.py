"""The report of a calibration: one HTML file that needs nothing else, its figures beside it, and its numbers."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from calibration.outcome import Outcome
from calibration.report.html import (
    Picture,
    code,
    decimal,
    figure,
    folded,
    listing,
    p_of,
    page,
    paragraph,
    percent,
    seconds_of,
    table,
)
from calibration.report.maps import maps_figure
from calibration.report.numbers import Numbers, has_listeners, report_numbers
from calibration.report.rows import penalties_figure, rows_figure, time_courses_figures
from calibration.report.sections import Section, banner, choices, glance
from calibration.report.sets import controls, feature_sets
from rtaffect.common.errors import ArtifactError, SettingsError
from rtaffect.common.settings import Settings
from rtaffect.observed.operator import LEAST_SPECIFICITY
from rtaffect.observed.spaces import RegionSpace

__all__ = ["report_numbers", "write_report"]


def write_report(outcome: Outcome, path: Path) -> None:
    """Write the report as HTML with its figures inside, and the same figures as PNG into the folder of its name.

    Parameters
    ----------
    outcome
        What the calibration found.
    path
        The file, NAME.html; the figures go into NAME/.

    Raises
    ------
    SettingsError
        If the name does not end in .html.
    ArtifactError
        If matplotlib is missing.
    """
    if path.suffix != ".html":
        raise SettingsError(f"report {path}: expected a name that ends in .html, such as {path.name}.html")
    numbers = report_numbers(outcome)
    sections, pictures = _sections(outcome, numbers)
    folder = path.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    for picture in pictures:
        (folder / f"{picture.name}.png").write_bytes(picture.png)
    text = page(f"Calibration report: {numbers['study']['name']}", banner(numbers), sections)
    part = path.with_suffix(".html.part")
    part.write_text(text, encoding="utf-8", newline="\n")
    os.replace(part, path)


def _sections(outcome: Outcome, numbers: Numbers) -> tuple[list[tuple[str, str]], list[Picture]]:
    """Return title and HTML of each section, and all figures."""
    made: list[tuple[str, Section]] = [
        ("The study at a glance", glance(outcome, numbers)),
        ("Feature sets", feature_sets(outcome, numbers)),
        ("Covariates and elements", controls(outcome, numbers)),
        ("Rows", _rows(outcome, numbers)),
        ("Predicted against observed", _time_courses(outcome)),
        ("Choices", choices(outcome, numbers, penalties_figure(outcome))),
        ("What was left out", _left_out(numbers)),
        ("Settings, versions and hashes", _provenance(outcome, numbers)),
    ]
    return [(title, content) for title, (content, _) in made], [p for _, (_, drawn) in made for p in drawn]


def _rows(outcome: Outcome, numbers: Numbers) -> Section:
    """Return how well each row is predicted: for regions maps, else the dot plot alone."""
    space, rows = outcome.bundle.space, numbers["rows"]
    everything: Sequence[int] = range(len(rows))
    head, families = paragraph(_worth(outcome)), _families(outcome)
    caption = (
        f"Held-out r of each row, {numbers['study']['chosen']}, sorted. Grey: what 95 % of displaced courses of this "
        f"row stay below, by the bound. {families}"
    )
    if not isinstance(space, RegionSpace):
        drawn = rows_figure(outcome, everything)
        return head + figure(drawn, caption) + folded("All rows as a table", _rows_table(rows, families)), [drawn]
    larger = [i for i in everything if rows[i]["kind"] != "region"]
    try:
        maps = maps_figure(outcome, space)
    except ArtifactError as error:
        drawn = rows_figure(outcome, everything)
        note = paragraph(f"Dots in place of maps: {error}.", "note")
        content, pictures = note + figure(drawn, caption), [drawn]
    else:
        drawn = rows_figure(outcome, larger)
        words = (
            "Held-out r on the inflated cortex of the template. Above, every region has its zone's value; below, its "
            f"own. Rows of which less than {percent(LEAST_SPECIFICITY)} of the estimated power is their own are greyed "
            "by how little that is: this montage cannot tell them apart from the rest. White, without folds: no value. "
            "The surface's shading is no value."
        )
        content, pictures = figure(maps, words) + figure(drawn, f"Zones and groups. {caption}"), [maps, drawn]
    content += _rows_table([rows[i] for i in larger], families)
    return head + content + folded("All rows as a table", _rows_table(rows, families)), pictures


def _worth(outcome: Outcome) -> str:
    """Return what many rows of one montage are worth."""
    space = outcome.bundle.space
    n = len(space.channels)
    if isinstance(space, RegionSpace):
        own = float(sorted(space.operator.specificity)[len(space.operator.specificity) // 2])
        return (
            f"{len(space.operator.manifest.regions)} regions from {n} channels are not as many independent "
            f"measurements: of a region's estimated power {percent(own)} is its own (median). The mean over rows is "
            f"over {space.mean_of}."
        )
    if space.kind == "components":
        return "Correlated components are filters under which the group's responses are most alike."
    if not has_listeners(outcome):
        return f"Rows are what was rated: {', '.join(space.rows)}."
    return f"Neighbouring channels see the same sources: {n} channels are not {n} independent measurements."


def _families(outcome: Outcome) -> str:
    """Return how the p values of rows are made, and among which they are family-wise."""
    how = "every draw fitted anew" if outcome.sweep.of(outcome.chosen).exact else "by the bound"
    if outcome.bundle.space.layout.counted.all():
        return f"p: {how}, family-wise among all rows."
    return (
        f"p of the rows that the mean is over: {how}, family-wise among these; of the others: by the bound, among all "
        "rows."
    )


def _rows_table(rows: Sequence[Numbers], families: str) -> str:
    body = [
        [row["name"], row["kind"], decimal(row["r"]), decimal(row["chance"]), decimal(row["r2"]), p_of(row["p"]),
         p_of(row["p_family"]), p_of(row["q"]), _ceiling(row), _own(row)]
        for row in rows
    ]  # fmt: skip
    head = ("row", "kind", "r", "chance", "R\N{SUPERSCRIPT TWO}", "p", "p family-wise", "FDR", "ceiling", "own share")
    caption = f"Rows: p alone, family-wise, and false discovery rate. {families} * not told apart by this montage."
    return table(head, body, caption, texts=2)


def _ceiling(row: Numbers) -> str:
    ends = [row["ceiling_low"], row["ceiling_high"]]
    known = [decimal(end) for end in ends if end is not None]
    return " to ".join(known) if known else decimal(None)


def _own(row: Numbers) -> str:
    return percent(row["own_share"]) + ("" if row["resolved"] else " *")


def _time_courses(outcome: Outcome) -> Section:
    """Return the courses of every stimulus that was held out."""
    pictures = time_courses_figures(outcome)
    people = has_listeners(outcome)
    caption = (
        f"Mean over {outcome.bundle.space.mean_of} in each stimulus when it was held out. "
        + ("Light: from the lowest to the highest listener. " if people else "")
        + "Dashed: the interval that a session shows with the prediction. A value is of the window that ends at that "
        "time."
    )
    return "".join(figure(p, caption if p is pictures[0] else "As above.") for p in pictures), pictures


def _left_out(numbers: Numbers) -> Section:
    notes = numbers["notes"]
    return (listing(notes) if notes else paragraph("Nothing.")), []


def _provenance(outcome: Outcome, numbers: Numbers) -> Section:
    """Return all that someone needs who would do it again."""
    hashes = numbers["hashes"]
    sums = [
        ["featurizer", hashes["featurizer"]],
        ["tensors of the bundle", outcome.bundle.manifest.tensors_sha256 or "in bundle.json"],
        *([name, sha256] for name, sha256 in hashes["stimuli"].items()),
    ]
    times = [[stage, seconds_of(round(taken, 1))] for stage, taken in numbers["seconds"].items()]
    content = "<h3>Settings</h3>\n" + paragraph("A remark tells the default where a setting has another value.", "note")
    content += code(settings_text(outcome.bundle.manifest.settings))
    content += table(("package", "version"), list(numbers["versions"].items()), "Versions.", texts=2)
    content += f'<div class="hash">{table(("of", "sha256"), sums, "Hashes.", texts=2)}</div>\n'
    content += table(("stage", "time"), times, "Times.") if times else paragraph("Times were not taken.")
    about = [[key, value] for key, value in numbers["study"]["provenance"].items()]
    content += table(("key", "value"), about, "Provenance in the bundle.", texts=2) if about else ""
    return content + paragraph(f"Made {numbers['created']}."), []


def settings_text(settings: Settings) -> str:
    """Return all settings as TOML, with the default where it is another."""
    values, defaults = settings.model_dump(mode="json"), Settings().model_dump(mode="json")
    lines = []
    for name, group in values.items():
        lines.append(f"[{name}]")
        for key, value in group.items():
            usual = defaults[name][key]
            remark = "" if value == usual else f"  # default: {_toml(usual)}"
            lines.append(f"{key} = {_toml(value)}{remark}")
        lines.append("")
    return "\n".join(lines).rstrip()


def _toml(value: Any) -> str:
    """Return a setting as TOML writes it, which is as JSON for all kinds that there are."""
    return json.dumps(value, ensure_ascii=False)
