"""The report of a calibration: one HTML file that needs nothing else, its figures beside it, and its numbers."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from calibration.outcome import Outcome
from calibration.pages import Picture, render
from calibration.report.beyond_figures import architectures_figure, scales_figure
from calibration.report.claims import about_middle, about_unique, middle_rows
from calibration.report.element_figures import element_maps_figure, element_rows_figure, energy_figure
from calibration.report.element_numbers import ablation_numbers
from calibration.report.figures import comparison_figure, covariates_figure, scores_figure
from calibration.report.group import group_numbers
from calibration.report.group_figure import group_figure
from calibration.report.maps import maps_figure
from calibration.report.numbers import LEVEL, report_numbers
from calibration.report.rows import penalties_figure, rows_figure, time_courses_figures
from calibration.report.sentences import about_chance, families, measures_of_result, result_sentence, worth_of_rows
from rtaffect.common.errors import ArtifactError, SettingsError
from rtaffect.common.files import write_whole
from rtaffect.common.settings import Settings
from rtaffect.observed.operator import LEAST_SPECIFICITY
from rtaffect.observed.spaces import RegionSpace

__all__ = ["report_numbers", "write_report"]


@dataclass(frozen=True, slots=True)
class Figures:
    """The report's figures, None where there is nothing to draw; ``no_maps`` says why regions are not on maps."""

    group: Picture | None
    scores: Picture
    comparison: Picture | None
    covariates: Picture | None
    maps: Picture | None
    no_maps: str
    rows: Picture
    time_courses: tuple[Picture, ...]
    penalties: Picture
    architectures: Picture | None
    scales: Picture | None
    elements: Picture | None = None
    energy: Picture | None = None
    element_maps: Picture | None = None

    def all(self) -> list[Picture]:
        """Return those that there are."""
        single = (self.group, self.scores, self.comparison, self.covariates, self.maps, self.rows, *self.time_courses)
        beyond = (self.architectures, self.scales, self.elements, self.energy, self.element_maps)
        return [picture for picture in (*single, self.penalties, *beyond) if picture is not None]


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
        If matplotlib or Jinja2 is missing.
    """
    if path.suffix != ".html":
        raise SettingsError(f"report {path}: expected a name that ends in .html, such as {path.name}.html")
    figures = _figures(outcome)
    text = _page(outcome, figures)
    folder = path.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    for picture in figures.all():
        write_whole(folder / f"{picture.name}.png", picture.png)
    write_whole(path, text)


def _figures(outcome: Outcome) -> Figures:
    """Draw all figures; of regions maps where these can be drawn, and dots of larger rows alone beside them."""
    space = outcome.bundle.space
    maps, no_maps, rows, parts = None, "", range(len(space.rows)), ablation_numbers(outcome)
    part_maps = None
    drawn: list[int] = list(rows)
    if isinstance(space, RegionSpace):
        try:
            maps = maps_figure(outcome, space)
            part_maps = None if parts is None else element_maps_figure(parts, space)
            drawn = [i for i in rows if space.row_kinds[i] != "region"]
        except ArtifactError as error:
            no_maps = str(error)
    group = group_numbers(outcome)
    return Figures(
        group=None if group is None else group_figure(group),
        scores=scores_figure(outcome),
        comparison=comparison_figure(outcome),
        covariates=covariates_figure(outcome) if outcome.sweep.controlled else None,
        maps=maps,
        no_maps=no_maps,
        rows=rows_figure(outcome, drawn),
        time_courses=tuple(time_courses_figures(outcome)),
        penalties=penalties_figure(outcome),
        architectures=architectures_figure(outcome),
        scales=scales_figure(outcome),
        elements=None if parts is None else element_rows_figure(parts),
        energy=None if parts is None else energy_figure(parts),
        element_maps=part_maps,
    )


def _page(outcome: Outcome, figures: Figures) -> str:
    numbers, manifest = report_numbers(outcome), outcome.bundle.manifest
    sets = [*numbers.sets, *([] if numbers.auto is None else [numbers.auto])]
    return render(
        "calibration.html",
        report=numbers,
        figures=figures,
        sets=sets,
        result=result_sentence(numbers),
        measures=[*measures_of_result(numbers), *about_unique(numbers)],
        about_middle=about_middle(numbers),
        middle_rows=middle_rows(numbers),
        about_chance=about_chance(sets, manifest.settings.synchrony.window_s),
        several_sets=len(numbers.sets) > 1,
        worth=worth_of_rows(outcome),
        families=families(outcome),
        level=LEVEL,
        least_specificity=LEAST_SPECIFICITY,
        one_sound=len(outcome.measured.sounds) == 1,
        folds_of_layer=Counter(numbers.choices.layer_of_fold).most_common(),
        settings=settings_text(manifest.settings),
        tensors_sha256=manifest.tensors_sha256,
    )


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


def _toml(value: object) -> str:
    """Return a setting as TOML writes it, which is as JSON for all kinds that there are."""
    return json.dumps(value, ensure_ascii=False)
