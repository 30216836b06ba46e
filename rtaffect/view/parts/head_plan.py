"""A head seen from above with its electrodes: the ground of the scalp map and of the plan of signal quality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainter, QPolygonF

from rtaffect.present.head_asset import electrode_places
from rtaffect.view.parts import theme

#: How far nose and ears stand out, in the head's radius.
NOSE, EAR = 0.13, 0.08
#: A disc's radius at most: px, a part of the head's, and a part of the way to the nearest electrode.
LARGEST_DISC, OF_HEAD, OF_WAY = 24.0, 0.16, 0.46


@dataclass(frozen=True, slots=True)
class HeadPlan:
    """Where a head and its electrodes are drawn, px: ``centre`` is the vertex, and T7 and T8 are ``radius`` from it.

    ``places`` are the centres of the channels' discs, by their numbers, and ``disc`` is a disc's radius.
    """

    centre: QPointF
    radius: float
    places: dict[int, QPointF]
    disc: float


def plan(channels: Sequence[str], area: QRectF, largest: float = LARGEST_DISC) -> HeadPlan:
    """Return the plan of ``channels`` that fills ``area``; channels without a known place are not on it.

    Discs have a radius of ``largest``, px, at most.
    """
    places = electrode_places(channels)
    points = np.array(list(places.values())).reshape(-1, 2)
    wide = max(1 + EAR, float(np.abs(points[:, 0]).max(initial=0.0)))
    up, down = max(1 + NOSE, float(points[:, 1].max(initial=0.0))), max(1.0, float(-points[:, 1].min(initial=0.0)))
    way = _nearest(points)
    of_radius = min(OF_HEAD if largest <= LARGEST_DISC else 2 * OF_HEAD, OF_WAY * way)
    radius = min(area.width() / 2 / (wide + of_radius), area.height() / (up + down + 2 * of_radius))
    centre = QPointF(area.center().x(), area.top() + radius * (up + of_radius))
    spare = area.height() - radius * (up + down + 2 * of_radius)
    centre += QPointF(0, spare / 2)
    at = {number: centre + QPointF(radius * x, -radius * y) for number, (x, y) in places.items()}
    return HeadPlan(centre, radius, at, min(largest, of_radius * radius))


def _nearest(points: np.ndarray) -> float:
    """Return the least distance of two of the places (n, 2)."""
    if len(points) < 2:
        return 1.0
    apart = np.linalg.norm(points[:, None] - points, axis=2) + 9 * np.eye(len(points))
    return float(apart.min())


def paint_head(painter: QPainter, found: HeadPlan) -> None:
    """Draw the outline of the head: a circle with nose and ears."""
    painter.setPen(theme.pen(theme.FAINT, 1.2))
    painter.setBrush(theme.brush(theme.BACKGROUND))
    r, middle = found.radius, found.centre
    for side in (-1, 1):
        painter.drawEllipse(middle + QPointF(side * r, 0), EAR * r, 2.2 * EAR * r)
    nose = [(-0.12, 0.985), (0.0, 1 + NOSE), (0.12, 0.985)]
    painter.drawPolygon(QPolygonF([middle + QPointF(r * x, -r * y) for x, y in nose]))
    painter.drawEllipse(middle, r, r)


def at(found: HeadPlan, place: QPointF) -> int | None:
    """Return the channel whose disc is at a place, px."""
    for number, centre in found.places.items():
        off = place - centre
        if np.hypot(off.x(), off.y()) <= max(found.disc, 6.0):
            return number
    return None


def paint_name(painter: QPainter, centre: QPointF, disc: float, text: str, colour: str) -> None:
    """Write a short name over a disc, smaller where it would not fit."""
    theme.write(painter, QRectF(centre.x() - 30, centre.y() - 8, 60, 16), text, 11 if disc > 14 else 9, colour)


#: Discs smaller than this have no room for a name, px.
NAMED_FROM: Final = 11.0
