"""Figures of the report about feature sets, and what all its figures share.

Drawn by matplotlib without a window, always in the same style, and without a trace in matplotlib's own settings.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calibration.outcome import Outcome
from calibration.pages import Picture, decimal
from calibration.report.numbers import LEVEL, base_of
from calibration.sweep import AUTO, SetResult
from rtaffect.common.errors import ArtifactError

Array = NDArray[np.float64]

#: Blue and orange of Okabe and Ito (2008), dark enough for white paper.
PREDICTED: Final = "#0072b2"
OBSERVED: Final = "#d55e00"
#: Its orange: what the paper's control gives.
CONTROL: Final = "#e69f00"
CHANCE: Final = "#d5dae0"
CEILING: Final = "#c4e3d7"
ROW: Final = "#74808d"
INK: Final = "#1c2126"
MUTED: Final = "#4d5863"
#: Opacity of differences with p of .05 or more.
FAINT: Final = 0.3
#: Width of all figures as shown, in; css has 96 px to the inch, and the files twice that.
WIDTH: Final = 9.0
_CSS_DPI: Final = 96
_STYLE: Final = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "axes.labelsize": 9,
    "axes.titlesize": 9,
    "axes.edgecolor": "#7b8794",
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "text.color": INK,
    "text.parse_math": False,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.solid_capstyle": "round",
}


def picture(name: str, alt: str, height: float, draw: Callable[[Any], None], *, width: float = WIDTH) -> Picture:
    """Return what ``draw`` puts on an empty matplotlib figure, ``width`` by ``height`` in.

    Raises
    ------
    ArtifactError
        If matplotlib is missing.
    """
    try:
        from matplotlib import style
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ArtifactError(f"the report needs {error.name}; pip install {error.name}") from error
    pixels = round(width * _CSS_DPI)
    with style.context(["default", _STYLE]), warnings.catch_warnings():
        # A name may have letters that the typeface lacks: they show as boxes here, and well in the tables.
        warnings.filterwarnings("ignore", "Glyph .* missing")
        figure = Figure(figsize=(pixels / _CSS_DPI, height), layout="constrained", facecolor="white")
        draw(figure)
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=2 * _CSS_DPI, metadata={"Software": None})
    return Picture(name, file.getvalue(), pixels, alt)


def short(name: str, letters: int = 28) -> str:
    """Return a name that fits into a figure."""
    return name if len(name) <= letters else f"{name[: letters - 1].rstrip()}\N{HORIZONTAL ELLIPSIS}"


def format_axis(axis: Any) -> None:
    """Print an axis' numbers as the tables do, with as many digits as tell them apart."""

    def text(value: float, _: Any) -> str:
        places = axis.get_majorticklocs()
        digits = next((d for d in range(4) if np.allclose(np.round(places, d), places, rtol=0, atol=1e-9)), 4)
        return decimal(value, digits) if abs(value) > 1e-9 else "0"

    axis.set_major_formatter(text)


def handle(kind: str, **look: Any) -> Any:
    """Return an entry for a legend, a 'line' or a 'patch'."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    return Patch(**look) if kind == "patch" else Line2D([], [], **look)


def marker(significant: bool, colour: str = PREDICTED) -> dict[str, Any]:
    """Return the look of a value's dot: filled where it is above chance."""
    return {"marker": "o", "markersize": 6, "color": colour, "markerfacecolor": colour if significant else "white"}


def scores_figure(outcome: Outcome) -> Picture:
    """Return held-out r of the mean over rows, and of the rows, for each feature set."""
    sweep = outcome.sweep
    results = [*sweep.sets, *([] if sweep.auto is None else [sweep.auto])]
    counted = outcome.bundle.space.layout.counted

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        at = _places(results)
        _ceiling(axes, outcome)
        for x, result in zip(at, results, strict=True):
            rows = result.score.r[:-1][counted]
            spread = np.linspace(-0.16, 0.16, len(rows)) if len(rows) > 1 else np.zeros(1)
            axes.plot(x + spread, rows, ".", color=ROW, alpha=0.45, markersize=4, zorder=2)
            axes.plot(x, result.score.r[-1], zorder=4, **marker(result.p_mean < LEVEL))
        layers = [i for i, result in enumerate(results) if result.name in sweep.layers]
        means = np.array([result.score.r[-1] for result in results])
        axes.plot(np.array(at)[layers], means[layers], color=PREDICTED, linewidth=1.4, zorder=3)
        _chance(axes, at, [result.chance[-1] for result in results])
        name_sets(axes, at, results, base_of(outcome))
        axes.set_ylabel("held-out r")
        format_axis(axes.yaxis)
        figure.legend(handles=_key(outcome), loc="outside lower center", ncols=3)

    message = ", ".join(f"{r.name} {decimal(float(r.score.r[-1]))}" for r in results if np.isfinite(r.score.r[-1]))
    return picture("scores", f"Held-out r of the mean over rows by feature set: {message}.", 3.9, draw)


def covariates_figure(outcome: Outcome) -> Picture:
    """Return held-out r of the mean over rows without covariates, with them zeroed, and what is unique to the sound."""
    plain = outcome.sweep.sets
    beyond = {u.name: (u.r.value[-1], u.r.p_mean < LEVEL) for u in outcome.sweep.unique}
    kinds: list[tuple[str, str, dict[str, tuple[float, bool]]]] = [
        ("without covariates", ROW, {r.name: (r.score.r[-1], r.p_mean < LEVEL) for r in plain}),
        ("covariates zeroed", CONTROL, {r.name: (r.score.r[-1], r.p_mean < LEVEL) for r in outcome.sweep.controlled}),
        *([("unique to the sound", PREDICTED, beyond)] if beyond else []),
    ]

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        at = _places(plain)
        size = {"markersize": 6 if len(plain) <= 12 else 4}
        for x, result in zip(at, plain, strict=True):
            places = x + 0.2 * (np.arange(len(kinds)) - (len(kinds) - 1) / 2)
            values = [found.get(result.name, (np.nan, False)) for _, _, found in kinds]
            axes.plot(places, [r for r, _ in values], color=ROW, linewidth=0.9, zorder=1)
            for place, (_, colour, _), (r, clear) in zip(places, kinds, values, strict=True):
                axes.plot(place, r, **marker(clear, colour) | size)
        axes.axhline(0, color=ROW, linewidth=0.6, zorder=0)
        name_sets(axes, at, plain, base_of(outcome))
        axes.set_ylabel("held-out r")
        format_axis(axes.yaxis)
        key = [handle("line", label=label, linestyle="", **marker(True, colour)) for label, colour, _ in kinds]
        key.append(handle("line", label="open: p \N{GREATER-THAN OR EQUAL TO} .05", linestyle="", **marker(False, ROW)))
        figure.legend(handles=key, loc="outside lower center", ncols=len(key))

    alt = "Held-out r of each feature set without covariates, with covariates zeroed, and beyond the covariates."
    return picture("covariates", alt, 3.0, draw)


def comparison_figure(outcome: Outcome) -> Picture | None:
    """Return every two feature sets' difference as a matrix; None for fewer than three."""
    found, layers = outcome.sweep.comparison, outcome.sweep.names
    if found is None or len(layers) < 3:
        return None
    difference, p = np.full((2, len(layers), len(layers)), np.nan)
    for (a, b), d, family in zip(found.sets, found.difference, found.family, strict=True):
        difference[a, b], difference[b, a], p[a, b] = d, -d, family
        p[b, a] = family
    side = min(6.0, 1.0 + 0.42 * len(layers))

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        reach = max(float(np.nanmax(np.abs(difference), initial=0.0)), 0.01)
        shown = opacity_of_p(p)
        # The bar is of an image without opacity: it tells the whole colours.
        image = axes.imshow(np.full_like(difference, np.nan), cmap="PuOr_r", vmin=-reach, vmax=reach)
        axes.imshow(difference, cmap="PuOr_r", vmin=-reach, vmax=reach, alpha=shown)
        _write_p(axes, difference / reach * shown, p)
        names = [_tick(name) for name in layers]
        axes.set_xticks(range(len(layers)), names, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(layers)), names)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        bar = figure.colorbar(image, ax=axes, shrink=0.9, aspect=max(18, 2 * len(layers)))
        bar.set_label("row less column,\nFisher z")
        format_axis(bar.ax.yaxis)
        bar.outline.set_visible(False)

    few = int((found.family < LEVEL).sum())
    alt = f"Differences between every two of {len(layers)} feature sets; {few} of {len(found.family)} have p below .05."
    return picture("comparison", alt, side + 0.6, draw, width=side + 2.4)


def name_sets(axes: Any, at: Sequence[float], results: Sequence[SetResult], chosen: str) -> None:
    """Name the feature sets below an axis, the chosen one in bold."""
    axes.set_xticks(at, [_tick(result.name) for result in results])
    if len(results) > 9 or max(len(_tick(result.name)) for result in results) > 9:
        axes.tick_params(axis="x", rotation=45)
        for label in axes.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
    for label, result in zip(axes.get_xticklabels(), results, strict=True):
        label.set_fontweight("bold" if result.name == chosen else "normal")
    around = max(0.7, 2.0 - (at[-1] - at[0]) / 2)
    axes.set_xlim(at[0] - around, at[-1] + around)
    axes.set_xlabel("feature set")


def _places(results: Sequence[SetResult]) -> list[float]:
    """Return where each set stands: descriptors and 'auto' apart from the layers."""
    at, x = [], 0.0
    for number, result in enumerate(results):
        apart = number and (result.name == AUTO or results[number - 1].name == "lld")
        x += 1.6 if apart else float(number > 0)
        at.append(x)
    return at


def _tick(name: str) -> str:
    return short(name.replace("layer-", "layer "))


def _ceiling(axes: Any, outcome: Outcome) -> None:
    """Draw the band between the ends of the noise ceiling of the mean over rows, or a line where there is one end."""
    ends = [c[-1] for c in outcome.ceiling_ends if np.isfinite(c[-1])]
    if len(ends) == 2 and abs(ends[1] - ends[0]) > 0.005:
        axes.axhspan(min(ends), max(ends), color=CEILING, linewidth=0, zorder=0)
    elif ends:
        axes.axhline(ends[0], color=CEILING, linewidth=3, zorder=0)


def _chance(axes: Any, at: Sequence[float], levels: Sequence[float]) -> None:
    """Shade what 95 % of the displaced courses stay below."""
    low, high = axes.get_ylim()
    low = min(low, -0.05)
    tops = np.array(levels, np.float64)
    shown = np.isfinite(tops)
    places = np.array(at)[shown]
    axes.bar(places, tops[shown] - low, width=0.9, bottom=low, color=CHANCE, linewidth=0, zorder=1)
    axes.set_ylim(low, max(high, float(np.max(tops[shown], initial=0.0)) + 0.02))
    axes.axhline(0, color=ROW, linewidth=0.6, zorder=1.5)


def _key(outcome: Outcome) -> list[Any]:
    mean = f"mean over {outcome.bundle.space.mean_of}"
    found = [
        handle("line", label=f"{mean}, p < .05", linestyle="", **marker(True)),
        handle("line", label="the same, p \N{GREATER-THAN OR EQUAL TO} .05", linestyle="", **marker(False)),
        handle("line", label="each of these rows", linestyle="", marker=".", color=ROW, alpha=0.6),
        handle("patch", label="chance: 95 % of displaced courses", facecolor=CHANCE),
    ]
    if np.isfinite([c[-1] for c in outcome.ceiling_ends]).any():
        found.append(handle("patch", label="noise ceiling, low to high", facecolor=CEILING))
    return found


def opacity_of_p(p: Array) -> Array:
    """Return how strongly differences with these p are coloured: of two sets that cannot be told apart, faintly.

    Colours reach as far as the largest difference, which of sets that differ by chance would else look like a finding.
    """
    return np.where(p < LEVEL, 1.0, FAINT)


def _write_p(axes: Any, shade: Array, p: Array) -> None:
    """Write p values into the cells of a matrix, or only mark those below .05 where there are many."""
    few = len(p) <= 12
    for (row, column), value in np.ndenumerate(p):
        if not np.isfinite(value) or (not few and value >= LEVEL):
            continue
        dark = "white" if abs(shade[row, column]) > 0.6 else INK
        text = decimal(float(value), 2 if value >= 0.01 else 3) if few else "\N{BULLET}"
        weight = "bold" if value < LEVEL else "normal"
        axes.text(column, row, text, ha="center", va="center", color=dark, fontsize=8, fontweight=weight)
