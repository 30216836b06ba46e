"""Figures of parts of the sound left out: each row from voice and background, maps, and the bias over the energy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calibration.head.surfaces import VIEWS
from calibration.pages import Picture, decimal, p_is
from calibration.report.element_content import AblationNumbers, ElementRow
from calibration.report.figures import (
    CHANCE,
    INK,
    MUTED,
    OBSERVED,
    PREDICTED,
    ROW,
    format_axis,
    handle,
    marker,
    picture,
    short,
)
from calibration.report.maps import opacity_of, r_map
from calibration.report.numbers import LEVEL
from calibration.report.surface_map import draw_regions
from rtaffect.observed.operator import LEAST_SPECIFICITY
from rtaffect.observed.spaces import RegionSpace

Array = NDArray[np.float64]

#: Of the voice and of the background, wherever both are drawn (Okabe & Ito, 2008).
COLOURS: Final = {"voice": PREDICTED, "background": OBSERVED}
#: Rows in one column of the dot plot.
_ROWS: Final = 45
#: Where neither element is sure to tell more.
_NEITHER: Final = "#b9c0c7"


def element_rows_figure(found: AblationNumbers) -> Picture | None:
    """Return each row's held-out r from voice and from background; of regions zones and groups. None without values."""
    rows = sorted(filter(_drawn, found.rows), key=_lead, reverse=True)
    if not rows:
        return None
    columns = min(3, -(-len(rows) // _ROWS))
    each = -(-len(rows) // columns)
    parts = [rows[start : start + each] for start in range(0, len(rows), each)]

    def draw(figure: Any) -> None:
        grid = figure.subplots(1, len(parts), sharex=True, squeeze=False)[0]
        for axes, part in zip(grid, parts, strict=True):
            _draw_rows(axes, part)
            axes.set_ylim(each - 0.4, -0.6)
        figure.legend(handles=_rows_key(), loc="outside lower center", ncols=3)

    won = {name: [row.name for row in rows if row.wins == name] for name in COLOURS}
    said = "; ".join(f"{name} tells more of {', '.join(names)}" for name, names in won.items() if names)
    alt = f"Held-out r of {len(rows)} rows from voice and background; {said or 'neither is sure to tell more of any'}."
    return picture("elements", alt, 1.35 + 0.19 * each, draw)


def _drawn(row: ElementRow) -> bool:
    return row.kind != "region" and not (row.voice.r is None and row.background.r is None)


def _lead(row: ElementRow) -> float:
    """Return by how much the voice's r is above the background's."""
    return (row.voice.r or 0.0) - (row.background.r or 0.0)


def _draw_rows(axes: Any, rows: Sequence[ElementRow]) -> None:
    for y, row in enumerate(rows):
        values = [(COLOURS[name], getattr(row, name)) for name in COLOURS]
        ends = [value.r for _, value in values if value.r is not None]
        axes.plot(
            ends, [y] * len(ends), color=COLOURS.get(row.wins, CHANCE), linewidth=2.5 if row.wins else 1.2, zorder=1
        )
        for colour, value in values:
            if value.r is not None:
                sure = value.p_family is not None and value.p_family < LEVEL
                axes.plot(value.r, y, zorder=3, **marker(sure, colour) | {"markersize": 5})
    axes.axvline(0, color=ROW, linewidth=0.6, zorder=0)
    names = [short(row.name if row.kind != "group" else f"{row.name}, group", 36) for row in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=7.5)
    for label, row in zip(axes.get_yticklabels(), rows, strict=True):
        label.set(color=COLOURS.get(row.wins, MUTED), fontweight="bold" if row.wins else "normal")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("held-out r")
    format_axis(axes.xaxis)


def _rows_key() -> list[Any]:
    found = [handle("line", label=name, linestyle="", **marker(True, colour)) for name, colour in COLOURS.items()]
    found.append(handle("line", label="open: p \N{GREATER-THAN OR EQUAL TO} .05", linestyle="", **marker(False, ROW)))
    return [
        *found,
        *(handle("line", label=f"{name} tells more, p < .05", color=colour, linewidth=2.5)
          for name, colour in COLOURS.items()),
    ]  # fmt: skip


def energy_figure(found: AblationNumbers) -> Picture | None:
    """Return each stimulus' bias over the voice's share of its energy; None for fewer than two that have both."""
    dots = [(s.voice_share, s.bias, s.name) for s in found.stimuli if s.voice_share is not None and s.bias is not None]
    if len(dots) < 2:
        return None
    test = "too few stimuli for a test"
    if found.rank_r is not None and found.rank_p is not None:
        test = f"Spearman's correlation {decimal(found.rank_r)}, one-sided {p_is(found.rank_p)}"

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        reach = 1.15 * max(0.05, *(abs(bias) for _, bias, _ in dots))
        axes.axhspan(0, reach, color=COLOURS["voice"], alpha=0.06, linewidth=0)
        axes.axhspan(-reach, 0, color=COLOURS["background"], alpha=0.06, linewidth=0)
        axes.axhline(0, color=ROW, linewidth=0.6)
        axes.axvline(0.5, color=ROW, linewidth=0.6, linestyle=(0, (3, 2)))
        for share, bias, name in dots:
            axes.plot(share, bias, "o", color=INK, markersize=5, zorder=3)
            if len(dots) <= 20:
                left = share > 0.75
                axes.annotate(
                    short(name, 20), (share, bias), (-6 if left else 6, 3), textcoords="offset points", fontsize=7.5,
                    color=MUTED, ha="right" if left else "left",
                )  # fmt: skip
        axes.set(xlim=(-0.02, 1.02), ylim=(-reach, reach), xlabel="voice's share of the energy")
        axes.set_ylabel("bias: voice less background,\nFisher z of held-out r")
        axes.text(0.01, 0.97, "voice tells more", transform=axes.transAxes, va="top", color=COLOURS["voice"])
        axes.text(0.01, 0.03, "background tells more", transform=axes.transAxes, color=COLOURS["background"])
        axes.set_title(test, loc="left", fontsize=8.5)
        format_axis(axes.xaxis)
        format_axis(axes.yaxis)

    return picture(
        "energy", f"Bias over the voice's share of the energy in {len(dots)} stimuli: {test}.", 3.4, draw, width=6.5
    )


def element_maps_figure(found: AblationNumbers, space: RegionSpace) -> Picture:
    """Return maps of voice, background, and which of both tells more where that is sure.

    Raises
    ------
    ArtifactError
        If a package of the extra ``head`` is missing.
    """
    from calibration.head.parts import need

    need(template=True)
    values = np.array([[getattr(row, name).r for row in found.rows] for name in COLOURS], np.float64)
    top = max(0.1, float(np.ceil(20 * np.max(values[np.isfinite(values)], initial=0.0)) / 20))
    regions = [row for row in found.rows if row.kind == "region"]
    lines = [
        *((f"{name}", _by_r(regions, r, space, top)) for name, r in zip(COLOURS, values, strict=True)),
        ("which tells more, zones", _winners_of_zones(found.rows, space)),
        ("which tells more", {row.name: _winner(row, space, i) for i, row in enumerate(regions)}),
    ]

    def draw(figure: Any) -> None:
        above, below = figure.subfigures(2, 1, height_ratios=(6.2, 0.8))
        grid = above.subplots(len(lines), len(VIEWS))
        for line, (words, colours) in zip(grid, lines, strict=True):
            for axes, (side, name, azimuth) in zip(line, VIEWS, strict=True):
                draw_regions(axes, side, azimuth, colours)
                axes.set_title(f"{words}: {name}", fontsize=8.5)
        _draw_key(below, top)

    won = {name: sum(row.wins == name for row in regions) for name in COLOURS}
    alt = (
        f"Held-out r of regions from voice and background on the cortex, four views; of {len(regions)} regions the "
        f"voice tells more of {won['voice']} and the background of {won['background']}."
    )
    return picture("element-maps", alt, 8.2, draw)


def _by_r(regions: Sequence[ElementRow], r: Array, space: RegionSpace, top: float) -> dict[str, Array]:
    """Return RGBA of regions by r, faint where this montage cannot tell them apart, white without a value."""
    rgba = r_map()(np.clip(r[: len(regions)] / top, 0, 1))
    rgba[:, 3] = opacity_of(space.specificity[: len(regions)])
    rgba[~np.isfinite(r[: len(regions)])] = 1.0
    return {row.name: colour for row, colour in zip(regions, rgba, strict=True)}


def _winner(row: ElementRow, space: RegionSpace, number: int) -> Array:
    from matplotlib.colors import to_rgba

    return np.array(to_rgba(COLOURS.get(row.wins, _NEITHER), float(opacity_of(space.specificity[number]))))


def _winners_of_zones(rows: Sequence[ElementRow], space: RegionSpace) -> Mapping[str, Array]:
    manifest = space.operator.manifest
    places = {row.name: number for number, row in enumerate(rows) if row.kind == "zone"}
    return {
        region: _winner(rows[places[zone.name]], space, places[zone.name])
        for zone in manifest.zones
        for region in zone.regions
    }


def _draw_key(figure: Any, top: float) -> None:
    """Draw the colours of r, and the names of the colours of the elements."""
    left, right = figure.subplots(1, 2, width_ratios=(1.0, 1.0))
    left.imshow(r_map()(np.linspace(0, 1, 256))[None], extent=(0, top, 0, 1), aspect="auto")
    left.set_yticks([])
    left.spines[:].set_visible(False)
    left.set_xlabel("held-out r of voice, and of background")
    format_axis(left.xaxis)
    right.set_axis_off()
    keys = [handle("patch", label=f"{name}, p < .05", facecolor=colour) for name, colour in COLOURS.items()]
    keys.append(handle("patch", label="neither is sure to", facecolor=_NEITHER))
    right.legend(
        handles=keys, loc="center", ncols=3, title=f"tells more (faint: own share below {LEAST_SPECIFICITY:.0%})"
    )
