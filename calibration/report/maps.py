"""Maps of regions in the report: held-out r of zones and of single regions on the template's surface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calibration.head.surfaces import VIEWS
from calibration.outcome import Outcome
from calibration.pages import Picture, decimal
from calibration.report.figures import INK, picture
from calibration.report.surface_map import draw_regions
from rtaffect.observed.operator import LEAST_SPECIFICITY
from rtaffect.observed.spaces import RegionSpace

Array = NDArray[np.float64]
Colours = Mapping[str, Array]

#: Opacity of a row whose share is just below ``LEAST_SPECIFICITY``, and of one that has none of its own.
_MOST_FAINT: Final = 0.6
_LEAST_FAINT: Final = 0.12
_SURFACE: Final = 0.8


def maps_figure(outcome: Outcome, space: RegionSpace) -> Picture:
    """Return zones and below them single regions, four views each, and the key of colour and opacity.

    Raises
    ------
    ArtifactError
        If a package of the extra ``head`` is missing.
    """
    from calibration.head.parts import need

    need(template=True)
    result = outcome.sweep.of(outcome.chosen)
    r = result.score.r[:-1]
    top = max(0.1, float(np.ceil(20 * np.max(r[np.isfinite(r)], initial=0.0)) / 20))
    zones, regions = _colours(space, r, top)
    chance = result.chance[:-1][np.isfinite(result.chance[:-1])]

    def draw(figure: Any) -> None:
        above, below = figure.subfigures(2, 1, height_ratios=(3.1, 1.2))
        grid = above.subplots(2, len(VIEWS))
        for line, colours, words in zip(grid, (zones, regions), ("zones", "single regions"), strict=True):
            for axes, (side, name, azimuth) in zip(line, VIEWS, strict=True):
                draw_regions(axes, side, azimuth, colours)
                axes.set_title(f"{words}: {name}", fontsize=8.5)
        key = below.subplots(1, 3, width_ratios=(0.3, 1.0, 0.3))
        for axes in (key[0], key[2]):
            axes.set_axis_off()
        _draw_key(key[1], top, float(np.median(chance)) if len(chance) else None)

    best = int(np.nanargmax(np.where(np.isfinite(r), r, -np.inf)))
    alt = f"Held-out r of zones and regions on the cortex, four views; the highest is {space.rows[best]}."
    return picture("maps", alt, 5.4, draw)


def opacity_of(share: Array) -> Array:
    """Return how opaque rows with these own shares (n,) are drawn: wholly, if this montage can tell them apart."""
    faint = _LEAST_FAINT + (_MOST_FAINT - _LEAST_FAINT) * np.clip(share / LEAST_SPECIFICITY, 0, 1)
    return np.asarray(np.where(share >= LEAST_SPECIFICITY, 1.0, faint))


def _colours(space: RegionSpace, r: Array, top: float) -> tuple[Colours, Colours]:
    """Return RGBA of each region, that of its zone and its own; white where there is no value."""
    manifest = space.operator.manifest
    rgba = r_map()(np.clip(r / top, 0, 1))
    rgba[:, 3] = opacity_of(space.specificity)
    rgba[~np.isfinite(r)] = 1.0
    own = dict(zip(manifest.regions, rgba, strict=False))
    zones = {name: rgba[len(own) + i] for i, zone in enumerate(manifest.zones) for name in zone.regions}
    return zones, own


def r_map() -> Any:
    """Return the colour map: perceptually uniform, and the same for every common kind of colour vision."""
    from matplotlib import colormaps

    return colormaps["viridis"]


def _draw_key(axes: Any, top: float, chance: float | None) -> None:
    """Draw colour by r and opacity by own share as one picture."""
    shares = np.array([0.0, 0.1, 0.2, 0.29, LEAST_SPECIFICITY])
    colours = r_map()(np.linspace(0, 1, 256))[None, :, :3]
    opacity = opacity_of(shares)[:, None, None]
    axes.imshow(
        colours * opacity + _SURFACE * (1 - opacity),
        extent=(0, top, len(shares), 0),
        aspect="auto",
        interpolation="nearest",
    )
    axes.set_ylim(0, len(shares))
    names = ["none", "10 %", "20 %", "just below 30 %", "30 % or more"]
    axes.set_yticks(np.arange(len(shares)) + 0.5, names, fontsize=7.5)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    ticks = np.arange(0, top + 1e-9, 0.05 if top <= 0.4 else 0.1)
    axes.set_xticks(ticks, ["0 or less", *(decimal(float(t), 2 if top <= 0.4 else 1) for t in ticks[1:])])
    axes.set_xlabel("held-out r (colour)")
    axes.set_ylabel("own share\n(opacity)")
    if chance is not None and 0 < chance < top:
        axes.axvline(chance, color=INK, linewidth=1, linestyle=(0, (3, 2)))
        axes.text(chance, len(shares) + 0.25, "median chance level", ha="center", va="bottom", fontsize=7.5)
