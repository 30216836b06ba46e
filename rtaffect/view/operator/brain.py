"""The cortex in four views, each region in the colour of its row; a click chooses the row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPainterPath, QPaintEvent, QPolygonF, QResizeEvent, QTransform

from rtaffect.engine.feedback import Feedback
from rtaffect.present.colours import colour_numbers, diverging, hexadecimal
from rtaffect.present.head_asset import head_asset
from rtaffect.present.maps import Look, MapState
from rtaffect.view.operator.row_map import RowMap
from rtaffect.view.parts import theme

#: Where each view stands: left brain left, the outside above. Names of views as the file has them.
GRID: Final = {"left, lateral": (0, 0), "right, lateral": (1, 0), "left, medial": (0, 1), "right, medial": (1, 1)}
#: Which side of a view the forehead is on.
FRONT: Final = {"left, lateral": "left", "left, medial": "right", "right, lateral": "right", "right, medial": "left"}
TITLE: Final = 17
#: How much of a row's colour is left where the montage does not tell it apart.
FAINT_COLOUR: Final = 0.45
SURFACE: Final = "#20272f"


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A region in one view: its outline and the middle of its largest piece, mm, y up."""

    view: int
    region: str
    path: QPainterPath
    centre: QPointF
    area: float


def patches() -> list[Patch]:
    """Return the whole surface (region '') and each region of each view."""
    found: dict[tuple[int, str], Patch] = {}
    for ring in head_asset().rings:
        key = (ring.view, ring.region)
        if key not in found:
            path = QPainterPath()
            path.setFillRule(Qt.FillRule.OddEvenFill)
            # Pieces come largest first.
            found[key] = Patch(*key, path, QPointF(*ring.centre.tolist()), ring.area)
        found[key].path.addPolygon(QPolygonF([QPointF(x, y) for x, y in ring.points.tolist()]))
        found[key].path.closeSubpath()
    return list(found.values())


class BrainMap(RowMap):
    """Four views of the cortex."""

    def __init__(self) -> None:
        super().__init__("map of the brain: four views of the cortex")
        self._areas: Mapping[str, int] = {}
        self._selected: frozenset[str] = frozenset()
        self._patches = patches()
        self._placed: list[Patch] = []

    def show_map(
        self, latest: Feedback, state: MapState, areas: Mapping[str, int], limit: float, selected: frozenset[str]
    ) -> None:
        """Draw ``state``: ``areas`` says which row each region shows, ``selected`` which regions are outlined."""
        self._latest, self._state, self._areas = latest, state, dict(areas)
        self._limit, self._selected = limit, selected
        self.update()

    def row_at(self, place: QPointF) -> int | None:
        """Return the row of the region at a place, px."""
        for patch in self._placed:
            if patch.region in self._areas and patch.path.contains(place):
                return self._areas[patch.region]
        return None

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Place the views anew."""
        super().resizeEvent(event)
        surfaces = {patch.view: patch.path.boundingRect() for patch in self._patches if not patch.region}
        cells = {view: self._cell(view) for view in surfaces}
        scale = min(
            min((cells[v].width() - 8) / box.width(), (cells[v].height() - 6) / box.height())
            for v, box in surfaces.items()
        )
        turns = {}
        for view, box in surfaces.items():
            to = cells[view].center()
            turn = QTransform.fromTranslate(to.x(), to.y()).scale(scale, -scale)
            turns[view] = turn.translate(-box.center().x(), -box.center().y())
        self._placed = [
            Patch(p.view, p.region, turns[p.view].map(p.path), turns[p.view].map(p.centre), p.area)
            for p in self._patches
        ]

    def _cell(self, view: int) -> QRectF:
        column, line = GRID[head_asset().views[view]]
        width, height = self.width() / 2, self.height() / 2
        return QRectF(column * width, line * height + TITLE, width, height - TITLE)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw titles, surfaces, regions, hatching, marks and the chosen row's outline."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        above = Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignHCenter
        for view, name in enumerate(head_asset().views):
            title = self._cell(view).adjusted(0, -TITLE, 0, 0)
            theme.write(painter, title, f"{name}; front is {FRONT[name]}", 11, theme.MUTED, align=above)
        for patch in self._placed:
            if not patch.region:
                painter.setPen(theme.pen(theme.FAINT))
                painter.setBrush(theme.brush(SURFACE))
                painter.drawPath(patch.path)
        if self._state is None:
            return
        groups: dict[int, list[Patch]] = {}
        for patch in self._placed:
            if patch.region in self._areas:
                groups.setdefault(self._areas[patch.region], []).append(patch)
        for row, members in groups.items():
            self._paint_area(painter, self._state, row, members)
        self._paint_chosen(painter, self._state)
        self._paint_hatching(painter, self._state, groups)
        self._paint_marks(painter, self._state, groups)

    def _paint_area(self, painter: QPainter, state: MapState, row: int, members: list[Patch]) -> None:
        """Fill the regions of one row, with one dark border around them."""
        theme.outline(painter, theme.CARD, 4.0)
        for patch in members:
            painter.drawPath(patch.path)
        self._fill(painter, state, row, members)

    def _fill(self, painter: QPainter, state: MapState, row: int, members: list[Patch]) -> None:
        name = fill_of(state.looks[row], float(state.values[row]), self._limit)
        # The border has the fill's colour, or the regions of a zone would show gaps between them.
        painter.setPen(theme.pen(theme.FAINT, 1) if state.looks[row] == "absent" else theme.pen(name, 2))
        painter.setBrush(theme.brush(name))
        for patch in members:
            painter.drawPath(patch.path)

    def _paint_chosen(self, painter: QPainter, state: MapState) -> None:
        chosen = [patch for patch in self._placed if patch.region in self._selected]
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for name, width in ((theme.BACKGROUND, 7), (theme.TEXT, 4)):
            painter.setPen(theme.pen(name, width))
            for patch in chosen:
                painter.drawPath(patch.path)
        for patch in chosen:
            if patch.region in self._areas:
                self._fill(painter, state, self._areas[patch.region], [patch])

    def _paint_hatching(self, painter: QPainter, state: MapState, groups: Mapping[int, list[Patch]]) -> None:
        hatched = QPainterPath()
        hatched.setFillRule(Qt.FillRule.WindingFill)
        for row, members in groups.items():
            if state.looks[row] == "unresolved":
                for patch in members:
                    hatched.addPath(patch.path)
        if hatched.isEmpty():
            return
        painter.save()
        painter.setClipPath(hatched)
        painter.setPen(theme.pen(theme.NULL, 1, 0.55))
        box = hatched.boundingRect()
        for x in np.arange(box.left() - box.height(), box.right(), 7.0).tolist():
            painter.drawLine(QPointF(x, box.bottom()), QPointF(x + box.height(), box.top()))
        painter.restore()

    def _paint_marks(self, painter: QPainter, state: MapState, groups: Mapping[int, list[Patch]]) -> None:
        """Put a row's mark into its largest region in each view."""
        for row, members in groups.items():
            largest: dict[int, Patch] = {}
            for patch in members:
                if patch.view not in largest or patch.area > largest[patch.view].area:
                    largest[patch.view] = patch
            for patch in largest.values():
                if state.looks[row] == "untrusted":
                    paint_distrust(painter, patch.centre)
                elif state.marked[row] and state.looks[row] == "plain":
                    paint_dot(painter, patch.centre)


def fill_of(look: Look, value: float, limit: float) -> str:
    """Return the colour of a place on a head."""
    if look == "absent":
        return theme.CARD
    if look == "untrusted":
        return theme.UNTRUSTED
    colour = diverging()[colour_numbers(np.array(value), limit)]
    if look == "plain":
        return hexadecimal(colour)
    ground = np.array([int(theme.CARD[at : at + 2], 16) for at in (1, 3, 5)])
    return hexadecimal(np.round(FAINT_COLOUR * colour + (1 - FAINT_COLOUR) * ground).astype(np.uint8))


def paint_dot(painter: QPainter, centre: QPointF) -> None:
    """Draw the mark of a value outside its band."""
    painter.setPen(theme.pen(theme.BACKGROUND, 1.5))
    painter.setBrush(theme.brush(theme.TEXT))
    painter.drawEllipse(centre, 3.5, 3.5)


def paint_distrust(painter: QPainter, centre: QPointF) -> None:
    """Draw the mark of a row that is not trusted now."""
    painter.setPen(theme.pen(theme.TEXT, 1.5))
    for slope in (1, -1):
        arm = QPointF(3.5, 3.5 * slope)
        painter.drawLine(centre - arm, centre + arm)
