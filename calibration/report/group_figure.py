"""The figure of a calibration's first section: inter-subject correlation of every row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from calibration.group_synchrony import LEVEL
from calibration.pages import Picture
from calibration.report.content import GroupNumbers, GroupValue
from calibration.report.figures import CHANCE, MUTED, OBSERVED, ROW, format_axis, handle, marker, picture, short

#: Rows in one column.
_ROWS: Final = 45


def group_figure(numbers: GroupNumbers) -> Picture:
    """Return each row's inter-subject correlation with interval and chance, and its values in each sound."""
    drawn = sorted(_drawn(numbers), key=lambda row: -row.r if row.r is not None else math.inf)
    columns = min(3, -(-(len(drawn) + 1) // _ROWS))
    drawn = [numbers.mean, *drawn]
    each = -(-len(drawn) // columns)

    def draw(figure: Any) -> None:
        grid = figure.subplots(1, columns, sharex=True, squeeze=False)[0]
        for place, axes in enumerate(grid):
            part = drawn[place * each : (place + 1) * each]
            _draw_rows(axes, part)
            axes.axvline(0, color=ROW, linewidth=0.6, zorder=1)
            axes.set_yticks(range(len(part)), [short(row.name, 36) for row in part], fontsize=7.5)
            axes.tick_params(axis="y", length=0)
            axes.spines["left"].set_visible(False)
            axes.set_ylim(each - 0.4, -0.6)
            axes.set_xlabel("inter-subject correlation")
            format_axis(axes.xaxis)
        grid[0].get_yticklabels()[0].set_fontweight("bold")
        grid[0].set_xlim(*_reach(drawn))
        key = [
            handle("line", label="p < .05, family-wise", linestyle="", **marker(True, OBSERVED)),
            handle("line", label="p \N{GREATER-THAN OR EQUAL TO} .05", linestyle="", **marker(False, OBSERVED)),
            handle("line", label="95 % interval over listeners", color=OBSERVED, linewidth=2),
            handle("line", label="each sound", linestyle="", marker="|", color=ROW),
            handle("patch", label="chance: 95 % of draws", facecolor=CHANCE),
        ]
        figure.legend(handles=key, loc="outside lower center", ncols=5)

    alt = f"Inter-subject correlation of {len(drawn) - 1} rows. {numbers.verdict}"
    return picture("group", alt, 1.25 + 0.185 * each, draw)


def _draw_rows(axes: Any, part: Sequence[GroupValue]) -> None:
    """Draw rows from the top."""
    for y, row in enumerate(part):
        sounds = [value for value in row.each if value is not None]
        axes.plot(sounds, [y] * len(sounds), "|", color=ROW, alpha=0.7, markersize=6, zorder=2)
        if row.chance is not None:
            axes.barh(y, row.chance + 2, left=-2, height=0.82, color=CHANCE, linewidth=0, zorder=0)
        if row.low is not None and row.high is not None:
            axes.plot([row.low, row.high], [y, y], color=OBSERVED, linewidth=2, zorder=3)
        if row.r is None:
            axes.text(0, y, "no value", va="center", fontsize=7.5, color=MUTED)
        else:
            significant = row.p_family is not None and row.p_family < LEVEL
            axes.plot(row.r, y, zorder=4, **marker(significant, OBSERVED) | {"markersize": 5})


def _drawn(numbers: GroupNumbers) -> list[GroupValue]:
    """Return the rows of a figure: of regions, zones and groups the larger ones."""
    kinds = {row.kind for row in numbers.rows}
    return [row for row in numbers.rows if row.kind != "region" or kinds == {"region"}]


def _reach(drawn: Sequence[GroupValue]) -> tuple[float, float]:
    values = [v for row in drawn for v in (row.r, row.low, row.high, row.chance, *row.each) if v is not None]
    low, high = float(np.min(values, initial=0.0)), float(np.max(values, initial=0.005))
    room = 0.05 * (high - low)
    return low - room, high + room
