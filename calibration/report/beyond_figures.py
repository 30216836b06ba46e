"""Figures of what goes beyond one bundle: other featurizers, and other scales of time."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from calibration.architectures import Architecture
from calibration.outcome import Outcome
from calibration.pages import Picture, decimal
from calibration.report.beyond_numbers import rows_of
from calibration.report.figures import INK, PREDICTED, ROW, format_axis, marker, picture, short
from calibration.report.numbers import LEVEL
from calibration.scales import Scale

#: Rows of the matrix of scales, the mean among them.
_MOST_ROWS: Final = 45
#: Lines and colours (Okabe & Ito, 2008) that tell featurizers apart.
_STYLES: Final = ("-", "--", "-.", ":")
_COLOURS: Final = (PREDICTED, "#d55e00", "#007a5a", "#7b4a8b")


def architectures_figure(outcome: Outcome) -> Picture | None:
    """Return held-out r over the depth of each featurizer's layers."""
    found = outcome.architectures
    if found is None:
        return None

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for number, member in enumerate(found.members):
            look = number % len(_STYLES)
            _draw_member(axes, member, _STYLES[look], _COLOURS[look])
        if found.descriptors is not None:
            r = found.descriptors.score.r[-1]
            axes.axhline(r, color=ROW, linewidth=1, linestyle=":", label="lld, acoustic descriptors")
        axes.axhline(0, color=ROW, linewidth=0.6, zorder=0)
        axes.set(xlabel="depth of the layer, from the first (0) to the last (1)", ylabel="held-out r")
        format_axis(axes.yaxis)
        figure.legend(loc="outside lower center", ncols=3)

    parts = [f"{m.name}: middle {decimal(float(m.middle.score.r[-1]))}" for m in found.members]
    return picture("architectures", f"Held-out r by depth of the layer; {', '.join(parts)}.", 3.6, draw)


def _draw_member(axes: Any, member: Architecture, style: str, colour: str) -> None:
    r = np.array([layer.score.r[-1] for layer in member.layers])
    depth = np.linspace(0, 1, len(r)) if len(r) > 1 else np.array([0.5])
    axes.plot(depth, r, style, color=colour, linewidth=1.4, label=short(member.name))
    for x, layer in zip(depth, member.layers, strict=True):
        axes.plot(x, layer.score.r[-1], **marker(layer.p_mean < LEVEL, colour))
    if len(r) == 1:
        return
    middle = (len(r) - 1) // 2
    axes.plot(depth[middle], r[middle], "o", markersize=12, markerfacecolor="none", color=colour)


def scales_figure(outcome: Outcome) -> Picture | None:
    """Return each row's z at each scale as a matrix, the mean over rows on top; None where there is nothing to draw."""
    found = outcome.scales
    if found is None or not np.isfinite(found.z).any():
        return None
    names = rows_of(outcome)
    order = [len(names) - 1, *np.argsort(-np.nan_to_num(found.z[found.best, np.arange(len(names))][:-1]))][:_MOST_ROWS]
    z = found.z[:, order].T
    family = np.append(found.p_family, found.p[-1])

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        reach = max(float(np.nanmax(np.abs(z))), 1.0)
        image = axes.imshow(z, cmap="PuOr_r", vmin=-reach, vmax=reach, aspect="auto")
        for place, row in enumerate(order):
            if np.isfinite(found.z[:, row]).any():
                best = int(found.best[row])
                dark = "white" if abs(found.z[best, row]) > 0.6 * reach else INK
                text = "\N{BULLET}" if family[row] < LEVEL else "\N{WHITE BULLET}"
                axes.text(best, place, text, ha="center", va="center", color=dark, fontsize=14)
        axes.set_xticks(range(len(found.scales)), [_short_name(s) for s in found.scales])
        axes.set_yticks(range(len(order)), [short(names[row]) for row in order])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        bar = figure.colorbar(image, ax=axes, shrink=0.9)
        bar.set_label("z against its own draws")
        bar.outline.set_visible(False)

    best = found.scales[int(found.best[-1])].name
    return picture("scales", f"z of each row at each scale; the mean over rows: {best}.", 1.3 + 0.22 * len(order), draw)


def _short_name(scale: Scale) -> str:
    return f"{scale.window_s} s\nlags {scale.longest_lag_s}\nspan {scale.span_s}"
