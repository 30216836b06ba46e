"""Outlines of the brain's regions in four views, and electrodes from above: a small file, read once. No Qt.

``calibration/head/view_asset.py`` makes the file; where it comes from and its licence stand in its metadata.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from safetensors import safe_open

from rtaffect.common.arrays import FloatArray
from rtaffect.common.montage import known_name

FILE: Final = Path(__file__).parent / "assets" / "head.safetensors"


@dataclass(frozen=True, slots=True, eq=False)
class Ring:
    """A closed outline in one view: ``points`` (n, 2), mm, x right, y up.

    ``region`` is the name of a region, or empty for the whole surface. Of each ``piece`` the first ring is the outer
    one, and those that follow are its holes. ``centre`` (2,) lies well inside an outer ring; ``area`` is in mm2.
    """

    view: int
    region: str
    piece: int
    points: FloatArray
    centre: FloatArray

    @property
    def area(self) -> float:
        """What lies within, mm2."""
        x, y = self.points.T
        return 0.5 * abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))


@dataclass(frozen=True, slots=True, eq=False)
class HeadAsset:
    """What the file holds: names of ``views``, and all outlines, ``rings``; in each view the whole surface comes first.

    ``electrodes`` are the places (x right, y front) of the names of the 10-05 system, seen from above; T7 and T8 are 1
    from the vertex.
    """

    views: tuple[str, ...]
    rings: tuple[Ring, ...]
    electrodes: dict[str, tuple[float, float]]
    source: str
    licence: str


@cache
def head_asset() -> HeadAsset:
    """Return the content of the file."""
    with safe_open(str(FILE), "numpy") as file:
        about = file.metadata()
        points, ends, centres, kinds, places = (
            file.get_tensor(name) for name in ("points", "ends", "centres", "rings", "electrodes")
        )
    regions, unit = json.loads(about["regions"]), float(about["unit_mm"])
    rings = tuple(
        Ring(view, regions[region] if region >= 0 else "", piece, unit * outline, unit * centre)
        for (view, region, piece), outline, centre in zip(
            kinds.tolist(), np.split(points.astype(np.float64), ends[:-1]), centres, strict=True
        )
    )
    electrodes = {
        name: (float(x), float(y)) for name, (x, y) in zip(json.loads(about["electrodes"]), places, strict=True)
    }
    return HeadAsset(tuple(json.loads(about["views"])), rings, electrodes, about["source"], about["licence"])


def electrode_places(channels: Sequence[str]) -> dict[int, tuple[float, float]]:
    """Return the place of each channel, by its number, that has one by the 10-05 system; see :class:`HeadAsset`."""
    known = head_asset().electrodes
    names = {number: known_name(channel) for number, channel in enumerate(channels)}
    return {number: known[name] for number, name in names.items() if name in known}
