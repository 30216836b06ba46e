"""The report of a calibration of ratings: one HTML file, its figures beside it, and its numbers."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from calibration.outcome import Outcome
from calibration.pages import Picture, decimal, number, render
from calibration.ratings.agreement import RaterAgreement
from calibration.ratings.outcome import RatedOutcome, named, too_few
from calibration.ratings.sentences import about_chance, agreement_of, result_of
from calibration.report.claims import about_unique
from calibration.report.content import ReportNumbers
from calibration.report.figures import (
    CHANCE,
    PREDICTED,
    ROW,
    covariates_figure,
    format_axis,
    handle,
    marker,
    name_sets,
    picture,
    short,
)
from calibration.report.numbers import LEVEL, base_of, report_numbers
from calibration.report.page import settings_text
from calibration.report.rows import time_courses_figures
from calibration.report.set_content import SetNumbers
from rtaffect.common.errors import SettingsError
from rtaffect.common.files import write_whole


@dataclass(frozen=True, slots=True)
class RatingPart:
    """What the page has of one rating."""

    name: str
    result: str
    agreement: str
    beyond: tuple[str, ...]
    numbers: ReportNumbers
    sets: tuple[SetNumbers, ...]
    scores: Picture
    covariates: Picture | None
    time_courses: tuple[Picture, ...]
    folds_of_layer: tuple[tuple[str, int], ...]


def rating_numbers(outcome: RatedOutcome) -> dict[str, Any]:
    """Return all numbers as plain data: those of each rating, and of how far its raters agree; None for no value."""
    return {
        "ratings": {name: asdict(report_numbers(found)) for name, found, _ in named(outcome)},
        "agreement": {name: None if each is None else _plain(each) for name, _, each in named(outcome)},
        "notes": list(outcome.notes),
    }


def _plain(agreement: RaterAgreement) -> dict[str, Any]:
    values = asdict(agreement) | {"ceiling": agreement.ceiling}
    found = {key: number(value) for key, value in values.items() if key != "raters"}
    return found | {"raters": {name: number(r) for name, r in agreement.raters.items()}}


def write_rating_report(outcome: RatedOutcome, path: Path) -> None:
    """Write the report as HTML with its figures inside, and the same figures as PNG into the folder of its name.

    Raises
    ------
    SettingsError
        If the name does not end in .html.
    ArtifactError
        If matplotlib or Jinja2 is missing.
    """
    if path.suffix != ".html":
        raise SettingsError(f"report {path}: expected a name that ends in .html, such as {path.name}.html")
    parts = [_part(name, found, agreement) for name, found, agreement in named(outcome)]
    agreed = agreement_figure(outcome)
    manifest = outcome.bundle.manifest
    prediction = manifest.settings.prediction
    text = render(
        "ratings.html",
        report=parts[0].numbers,
        ratings={part.name: part for part in parts},
        agreement={name: found for name, _, found in named(outcome)},
        agreement_figure=agreed,
        too_few=too_few(outcome.stimuli),
        raters=_raters(outcome),
        chosen_by=outcome.chosen_by,
        notes=outcome.notes,
        about_chance=about_chance(manifest.settings.synchrony.window_s + prediction.lags_s[-1]),
        level=LEVEL,
        settings=settings_text(manifest.settings),
        tensors_sha256=manifest.tensors_sha256,
    )
    folder = path.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    for part in parts:
        for each in (part.scores, part.covariates, *part.time_courses):
            if each is not None:
                write_whole(folder / f"{each.name}.png", each.png)
    if agreed is not None:
        write_whole(folder / f"{agreed.name}.png", agreed.png)
    write_whole(path, text)


def _raters(outcome: RatedOutcome) -> dict[str, str]:
    """Return of each rating how many raters there are, in words."""
    return {name: "one table" if found is None else f"{len(found.raters)} raters" for name, _, found in named(outcome)}


def _part(name: str, outcome: Outcome, agreement: RaterAgreement | None) -> RatingPart:
    numbers = report_numbers(outcome)
    return RatingPart(
        name=name,
        result=result_of(name, outcome),
        agreement=agreement_of(name, agreement),
        beyond=tuple(about_unique(numbers)),
        numbers=numbers,
        sets=(*numbers.sets, *([] if numbers.auto is None else [numbers.auto])),
        scores=_own(name, scores_figure(name, outcome)),
        covariates=_own(name, covariates_figure(outcome)) if outcome.sweep.controlled else None,
        time_courses=tuple(_own(name, each) for each in time_courses_figures(outcome)),
        folds_of_layer=tuple(Counter(numbers.choices.layer_of_fold).most_common()),
    )


def _own(name: str, figure: Picture) -> Picture:
    """Return a figure under a name that is the rating's own and fit for a file."""
    plain = "".join(letter if letter.isalnum() else "-" for letter in name)
    return Picture(f"{plain}-{figure.name}", figure.png, figure.width, figure.alt.replace("the mean over rows", name))


def scores_figure(name: str, outcome: Outcome) -> Picture:
    """Return held-out r of one rating for each feature set, with its chance, and how far raters agree."""
    sweep = outcome.sweep
    results = [*sweep.sets, *([] if sweep.auto is None else [sweep.auto])]
    low, high = (float(end[-1]) for end in outcome.ceiling_ends)

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        at = np.arange(len(results), dtype=np.float64)
        chance = [result.chance[-1] for result in results]
        axes.bar(at, np.nan_to_num(chance) + 2, bottom=-2, width=0.8, color=CHANCE, linewidth=0, zorder=0)
        for x, result in zip(at, results, strict=True):
            axes.plot(x, result.score.r[-1], zorder=3, **marker(result.p_mean < LEVEL))
        if math.isfinite(high):
            axes.axhspan(low, high, color="#c4e3d7", linewidth=0, zorder=0.5)
        axes.axhline(0, color=ROW, linewidth=0.6, zorder=1)
        name_sets(axes, at.tolist(), results, base_of(outcome))
        drawn = [v for v in (*chance, *(r.score.r[-1] for r in results), low, high, 0.0) if math.isfinite(v)]
        axes.set_ylim(min(drawn) - 0.05, max(drawn) + 0.05)
        axes.set_ylabel(f"{short(name)}, held-out r")
        format_axis(axes.yaxis)
        key = [
            handle("line", label="p < .05", linestyle="", **marker(True)),
            handle("line", label="p \N{GREATER-THAN OR EQUAL TO} .05", linestyle="", **marker(False)),
            handle("patch", label="chance: 95 % of displaced courses", facecolor=CHANCE),
        ]
        if math.isfinite(high):
            key.append(handle("patch", label="agreement of raters, low to high", facecolor="#c4e3d7"))
        figure.legend(handles=key, loc="outside lower center", ncols=4)

    told = ", ".join(f"{r.name} {decimal(float(r.score.r[-1]))}" for r in results if np.isfinite(r.score.r[-1]))
    return picture("scores", f"Held-out r of {name} by feature set: {told}.", 3.2, draw)


def agreement_figure(outcome: RatedOutcome) -> Picture | None:
    """Return r of each rater with the mean of the others, their mean with its interval, and chance; None without."""
    found = [(name, each) for name, _, each in named(outcome) if each is not None]
    if not found:
        return None

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for y, (_, each) in enumerate(found):
            axes.barh(y, each.chance + 2, left=-2, height=0.6, color=CHANCE, linewidth=0, zorder=0)
            values = list(each.raters.values())
            axes.plot(values, np.full(len(values), y - 0.16), "o", color=ROW, markersize=4, alpha=0.8, zorder=2)
            if math.isfinite(each.low):
                axes.plot([each.low, each.high], [y + 0.12, y + 0.12], color=PREDICTED, linewidth=1.6, zorder=2)
            axes.plot(each.r, y + 0.12, zorder=3, **marker(each.p < LEVEL))
        axes.set_yticks(range(len(found)), [short(name) for name, _ in found])
        axes.set_ylim(len(found) - 0.5, -0.5)
        drawn = [v for _, e in found for v in (*e.raters.values(), e.low, e.high, e.chance, 0.0) if math.isfinite(v)]
        axes.set_xlim(min(drawn) - 0.06, min(1.0, max(drawn) + 0.06))
        axes.axvline(0, color=ROW, linewidth=0.6, zorder=1)
        axes.set_xlabel("r with the mean of the other raters")
        format_axis(axes.xaxis)
        key = [
            handle("line", label="each rater", linestyle="", marker="o", color=ROW, markersize=4),
            handle("line", label="mean and 95 % interval", **marker(True)),
            handle("patch", label="chance: 95 % of courses turned round", facecolor=CHANCE),
        ]
        figure.legend(handles=key, loc="outside lower center", ncols=3)

    told = ", ".join(f"{name} {decimal(each.r)}" for name, each in found)
    return picture("raters", f"Agreement of raters: {told}.", 1.1 + 0.6 * len(found), draw)
