"""Values of brain regions on the template's surface: lateral and medial views of both sides, as matplotlib axes.

nilearn's ``plot_surf_roi`` was tried in its place: it draws one colour map without an opacity of each region, so that
regions which a montage cannot tell apart look as sure as others, and it draws smaller, without shading, in twice the
time, and imports pyplot.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calibration.head.parts import template_labels, template_mesh, template_relief

Array = NDArray[np.float64]

_GREY: Final = 0.86
_LIGHT: Final = np.array([0.3, 0.4, 0.86])


def draw_regions(axes: Any, side: str, azimuth: float, colours: Mapping[str, Array]) -> None:
    """Draw one side of the inflated template from one direction.

    Parameters
    ----------
    axes
        Of matplotlib.
    side, azimuth
        'lh' or 'rh', and where the viewer stands, see ``VIEWS``.
    colours
        RGBA of each region ('insula-lh', ...); the others show the surface itself: sulci darker than gyri.
    """
    from matplotlib.collections import PolyCollection

    points, triangles = template_mesh("infl", side)
    # x right, y front, z up.
    angle = np.radians(azimuth)
    towards, across = np.array([[np.cos(angle), np.sin(angle), 0.0], [-np.sin(angle), np.cos(angle), 0.0]])
    flat, normals = np.stack([points @ across, points[:, 2]], axis=1), _normals(points, triangles)
    corners = flat[triangles]
    order = np.argsort((points @ towards)[triangles].mean(axis=1))
    shown = order[normals[order] @ towards > 0]
    shade = 0.55 + 0.45 * np.clip(normals @ _LIGHT / np.linalg.norm(_LIGHT), 0, 1)
    faces = _face_colours(side, triangles, colours)
    faces[:, :3] *= shade[:, None]
    axes.add_collection(
        PolyCollection(list(corners[shown]), facecolors=faces[shown], edgecolors=faces[shown], linewidths=0.2)
    )
    axes.set_xlim(flat[:, 0].min() - 2, flat[:, 0].max() + 2)
    axes.set_ylim(flat[:, 1].min() - 2, flat[:, 1].max() + 2)
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.set_rasterization_zorder(10)


def _face_colours(side: str, triangles: NDArray[np.int64], colours: Mapping[str, Array]) -> Array:
    """Return RGBA (triangles, 4): the region's colour laid over the relief."""
    labels, names = template_labels(side)
    relief = np.where(template_relief(side) > 0, _GREY - 0.16, _GREY)
    base = np.repeat(relief[:, None], 3, axis=1)
    over = np.array([colours.get(f"{name}-{side}", (0.0, 0.0, 0.0, 0.0)) for name in names], np.float64)[labels]
    mixed = base * (1 - over[:, 3:]) + over[:, :3] * over[:, 3:]
    return np.column_stack([mixed[triangles].mean(axis=1), np.ones(len(triangles))])


def _normals(points: Array, triangles: NDArray[np.int64]) -> Array:
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    normal = np.cross(b - a, c - a)
    return np.asarray(normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12))
