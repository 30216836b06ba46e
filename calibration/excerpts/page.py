"""The report of a study of excerpts: one HTML file, its figures beside it, and ``result.json``."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from calibration.excerpts.model import FOLDS, REACH
from calibration.excerpts.result import DIFFERENCE_DRAWS, ExcerptOutcome, RatingResult
from calibration.pages import Picture, decimal, p_is, render
from calibration.report.figures import CHANCE, PREDICTED, ROW, format_axis, handle, marker, picture, short
from calibration.report.numbers import LEVEL
from rtaffect import __version__
from rtaffect.common.files import write_whole

#: Results in one figure.
_MOST = 12


def excerpt_numbers(outcome: ExcerptOutcome) -> dict[str, Any]:
    """Return what was found as plain data."""
    study = outcome.study
    test = len(study.excerpts) if study.test is None else int(study.test.sum())
    return {
        "format": 1,
        "name": study.name,
        "synthetic": study.synthetic,
        "excerpts": len(study.excerpts),
        "held_out": test,
        "split": study.test is not None,
        "films": None if study.groups is None else int(study.groups.max()) + 1,
        "folds": outcome.folds,
        "blocks": outcome.blocks,
        "sound": list(study.sound_names),
        "picture": list(study.picture_names),
        "results": [asdict(result) for result in outcome.results],
        "rtaffect": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def write_excerpt_report(outcome: ExcerptOutcome, path: Path) -> None:
    """Write the report and, beside it, its figure and ``result.json``."""
    numbers = excerpt_numbers(outcome)
    figure = ways_figure(outcome)
    text = render(
        "excerpts.html",
        numbers=numbers,
        results=outcome.results,
        sentences=[sentence(result) for result in outcome.results],
        figure=figure,
        reach=REACH,
        folds=FOLDS,
        difference_draws=DIFFERENCE_DRAWS,
        notes=outcome.notes,
    )
    folder = path.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / f"{figure.name}.png", figure.png)
    write_whole(path.with_name("result.json"), json.dumps(numbers, indent=1))
    write_whole(path, text)


def sentence(result: RatingResult) -> str:
    """Return one rating's result in words that claim no more than its p values allow."""
    first = result.ways[0] if len(result.ways) == 1 else result.of("both")
    what = "sound" if len(result.ways) == 1 else "sound and picture together"
    verdict = "above chance" if first.p < LEVEL and first.r > 0 else "which is not distinguishable from chance"
    interval = f"[{decimal(first.low)}, {decimal(first.high)}]"
    text = (
        f"{result.rating}, from {result.features}: {what} predict{'s' if len(result.ways) == 1 else ''} held-out "
        f"excerpts at r = {decimal(first.r, 3)} {interval}, {verdict} ({p_is(first.p)})."
    )
    for added in result.added:
        sure = "" if added.p < LEVEL else ", which is not distinguishable from nothing"
        other = "picture" if added.part == "sound" else "sound"
        text += f" Beyond the {other}, the {added.part} adds {decimal(added.difference, 3)}{sure} ({p_is(added.p)})."
    return text


def ways_figure(outcome: ExcerptOutcome) -> Picture:
    """Return held-out r of each way with its interval and chance."""
    rows = [(result, way) for result in outcome.results[:_MOST] for way in result.ways]

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for y, (_, way) in enumerate(rows):
            axes.barh(y, way.chance + 2, left=-2, height=0.7, color=CHANCE, linewidth=0, zorder=0)
            axes.plot([way.low, way.high], [y, y], color=PREDICTED, linewidth=1.6, zorder=2)
            axes.plot(way.r, y, zorder=3, **marker(way.p < LEVEL))
        several = len({result.features for result, _ in rows}) > 1
        names = [f"{short(r.rating)}{f', {r.features}' if several else ''}: {way.way}" for r, way in rows]
        axes.set_yticks(range(len(rows)), names)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        drawn = np.array([[way.low, way.high, way.chance, 0.0] for _, way in rows])
        axes.set_xlim(drawn.min() - 0.03, drawn.max() + 0.03)
        axes.axvline(0, color=ROW, linewidth=0.6, zorder=1)
        axes.set_xlabel("held-out r")
        format_axis(axes.xaxis)
        key = [
            handle("line", label="p < .05, with 95 % interval", **marker(True)),
            handle("line", label="p \N{GREATER-THAN OR EQUAL TO} .05", linestyle="", **marker(False)),
            handle("patch", label="chance: 95 % of turned ratings", facecolor=CHANCE),
        ]
        figure.legend(handles=key, loc="outside lower center", ncols=3)

    message = ", ".join(f"{r.rating} {way.way} {decimal(way.r)}" for r, way in rows)
    return picture("ways", f"Held-out r: {message}.", 1.1 + 0.26 * len(rows), draw)
