"""The report of affect: one HTML file that needs nothing else, its figures beside it, and its numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from calibration.affect.figures import attention_figure, people_figure, scores_figure, space_figure
from calibration.affect.held_out import SCHEMES
from calibration.affect.numbers import BOTH_NEW, FROM, sentences
from calibration.affect.outcome import AffectOutcome
from calibration.pages import render
from rtaffect.common.files import write_whole


def write_affect_report(outcome: AffectOutcome, numbers: dict[str, Any], path: Path) -> None:
    """Write the report as HTML, its figures as PNG into the folder of its name, and ``result.json`` beside it.

    Parameters
    ----------
    outcome
        What was found.
    numbers
        The same as plain data (:func:`calibration.affect.numbers.affect_numbers`).
    path
        The file, NAME.html.
    """
    figures = {
        "scores": scores_figure(outcome),
        "people": people_figure(outcome),
        "space": space_figure(outcome),
        "attention": attention_figure(outcome) if outcome.model.attention else None,
    }
    text = render(
        "affect.html",
        numbers=numbers,
        figures=figures,
        results=sentences(outcome.validation),
        schemes=SCHEMES,
        both_new=BOTH_NEW,
        sources=FROM,
        settings=outcome.study.settings.model_dump_json(indent=1),
    )
    folder = path.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    for picture in figures.values():
        if picture is not None:
            write_whole(folder / f"{picture.name}.png", picture.png)
    write_whole(path.with_name("result.json"), json.dumps(numbers, indent=1))
    write_whole(path, text)
