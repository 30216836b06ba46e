"""The page of valence and arousal: a plane with its points and their paths, their courses, and both in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPolygonF
from PySide6.QtWidgets import QComboBox, QFrame, QSizePolicy, QWidget

from rtaffect.present.measure_state import value_text
from rtaffect.present.plane_state import (
    QUADRANTS,
    Axis,
    Look,
    PlaneCourse,
    PlanePoint,
    PlaneState,
    path_pieces,
    strength,
    value_words,
)
from rtaffect.present.session_state import ViewState
from rtaffect.view.operator.row_lines import diamond
from rtaffect.view.parts import theme
from rtaffect.view.parts.layouts import column, row
from rtaffect.view.parts.time_plot import TimePlot, line

#: Room for the axes' words left of the plane and below it, and at its other sides, px.
LEFT, BELOW, AROUND = 74.0, 48.0, 14.0
#: Width of what stands beside the plane, px.
BESIDE: Final = 372
#: Of each kind of point its colour and shape: no meaning by colour alone.
LOOKS: Final[dict[Look, tuple[str, str]]] = {
    "predicted": (theme.PREDICTED, "diamond"),
    "observed": (theme.OBSERVED, "circle"),
    "sound": (theme.PREDICTED, "square"),
    "eeg": (theme.OBSERVED, "triangle"),
    "both": (theme.TEXT, "circle"),
}
#: Distance of the arc from its point, px.
ARC = 13.0
ARC_WORDS = "arc: distance from what was learnt; a full circle is the limit"
_NAMES: Final[dict[str, str]] = {
    "predicted": "predicted from the sound",
    "observed": "the participant's own rating",
}
#: Least and largest part of the path's opacity.
_FAINTEST, _STRONGEST = 0.06, 0.75


def paint_point(painter: QPainter, place: QPointF, look: Look, *, sure: bool, size: float = 7.0) -> None:
    """Draw the mark of a kind of point; hollow and grey where it is not to be relied on."""
    name, shape = LOOKS[look]
    if sure:
        painter.setPen(theme.pen(theme.CARD, 1.5))
        painter.setBrush(theme.brush(name))
    else:
        painter.setPen(theme.pen(theme.MUTED, 2))
        painter.setBrush(Qt.BrushStyle.NoBrush)
    if shape == "diamond":
        painter.drawPolygon(diamond(place.x(), place.y(), size + 1.5))
    elif shape == "square":
        half = size - 0.5
        painter.drawRect(QRectF(place.x() - half, place.y() - half, 2 * half, 2 * half))
    elif shape == "triangle":
        corners = ((0.0, -1.3), (1.2, 0.9), (-1.2, 0.9))
        painter.drawPolygon(QPolygonF([QPointF(place.x() + x * size, place.y() + y * size) for x, y in corners]))
    else:
        painter.drawEllipse(place, size, size)


class PlaneWidget(QWidget):
    """The plane itself: quadrants, the last minute's paths, points with their intervals."""

    def __init__(self) -> None:
        super().__init__()
        self.state: PlaneState | None = None
        self.setMinimumSize(320, 320)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("plane of valence and arousal")

    def show_plane(self, state: PlaneState | None) -> None:
        """Draw another state."""
        self.state = state
        if state is not None:
            told = [f"{name_of(p)}: {', '.join(words_of(state, p))}" for p in state.points]
            self.setAccessibleDescription("\n".join(told))
        self.update()

    @property
    def area(self) -> QRectF:
        """The square of the plane, px."""
        side = max(40.0, min(self.width() - LEFT - AROUND, self.height() - BELOW - AROUND))
        left = LEFT + max(0.0, self.width() - LEFT - AROUND - side) / 2
        top = AROUND + max(0.0, self.height() - BELOW - AROUND - side) / 2
        return QRectF(left, top, side, side)

    def place(self, at: Sequence[float]) -> QPointF:
        """Return where a place of the plane, -1 to 1 right and up, is on the screen, px."""
        area = self.area
        return QPointF(area.center().x() + at[0] * area.width() / 2, area.center().y() - at[1] * area.height() / 2)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw the plane."""
        if self.state is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_ground(painter, self.state)
        self._paint_axes(painter, self.state)
        painter.setClipRect(self.area.adjusted(-1, -1, 1, 1))
        for point in self.state.points:
            self._paint_path(painter, point)
        for point in self.state.points:
            self._paint_interval(painter, point)
        painter.setClipping(False)
        for point in self.state.points:
            if point.there:
                self._paint_arc(painter, point)
                paint_point(painter, self.place(point.at.tolist()), point.look, sure=point.sure)
        if not any(point.there for point in self.state.points):
            theme.write(painter, self.area, "no value now", 14, theme.MUTED)

    def _paint_ground(self, painter: QPainter, state: PlaneState) -> None:
        area = self.area
        painter.fillRect(area, theme.colour(theme.FIELD))
        painter.setPen(theme.pen(theme.GRID))
        for share in (-0.5, 0.5):
            painter.drawLine(self.place((share, -1)), self.place((share, 1)))
            painter.drawLine(self.place((-1, share)), self.place((1, share)))
        painter.setPen(theme.pen(theme.FAINT))
        painter.drawRect(area)
        painter.drawLine(self.place((0, -1)), self.place((0, 1)))
        painter.drawLine(self.place((-1, 0)), self.place((1, 0)))
        if not state.quadrants:
            return
        for (right, up), text in QUADRANTS.items():
            corner = self.place((right, up))
            box = QRectF(corner.x() - (180 if right > 0 else 0), corner.y() - (0 if up > 0 else 24), 180, 24)
            align = theme.RIGHT if right > 0 else theme.LEFT
            theme.write(painter, box.adjusted(8, 2, -8, -2), text, 12, theme.FAINT, align=align)

    def _paint_axes(self, painter: QPainter, state: PlaneState) -> None:
        area = self.area
        for share, number in zip((-1, 0, 1), state.right.numbers, strict=True):
            x = self.place((share, 0)).x()
            theme.write(painter, QRectF(x - 40, area.bottom() + 4, 80, 14), value_text(number), 11, theme.MUTED)
        below = QRectF(area.left(), area.bottom() + 19, area.width(), 18)
        theme.write(painter, below, _axis_words(state.right), 13, theme.TEXT)
        for share, number in zip((-1, 0, 1), state.up.numbers, strict=True):
            y = self.place((0, share)).y()
            box = QRectF(area.left() - 50, y - 8, 44, 16)
            theme.write(painter, box, value_text(number), 11, theme.MUTED, align=theme.RIGHT)
        painter.save()
        painter.translate(area.left() - 58, area.center().y())
        painter.rotate(-90)
        theme.write(painter, QRectF(-area.height() / 2, -9, area.height(), 18), _axis_words(state.up), 13, theme.TEXT)
        painter.restore()

    def _paint_path(self, painter: QPainter, point: PlanePoint) -> None:
        """Draw where the point was: the older, the fainter."""
        name = LOOKS[point.look][0]
        for first, last in path_pieces(point.path, point.ages):
            for at in range(first, last):
                share = strength(float(point.ages[at + 1]))
                pen = theme.pen(name, 1 + 2 * share, _FAINTEST + (_STRONGEST - _FAINTEST) * share)
                # Else pieces overlap at their ends, and look like a row of dots.
                pen.setCapStyle(Qt.PenCapStyle.FlatCap)
                painter.setPen(pen)
                painter.drawLine(self.place(point.path[at].tolist()), self.place(point.path[at + 1].tolist()))

    def _paint_arc(self, painter: QPainter, point: PlanePoint) -> None:
        """Draw how far the moment is from what was learnt: a full circle is the limit."""
        if not np.isfinite(point.arc):
            return
        centre = self.place(point.at.tolist())
        box = QRectF(centre.x() - ARC, centre.y() - ARC, 2 * ARC, 2 * ARC)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(theme.pen(LOOKS[point.look][0], 2, 0.8))
        painter.drawArc(box, 90 * 16, -round(min(max(point.arc, 0.0), 1.0) * 360 * 16))

    def _paint_interval(self, painter: QPainter, point: PlanePoint) -> None:
        if not (point.there and np.isfinite(point.low).all() and np.isfinite(point.high).all()):
            return
        name = LOOKS[point.look][0] if point.sure else theme.MUTED
        box = QRectF(self.place((point.low[0], point.high[1])), self.place((point.high[0], point.low[1])))
        painter.fillRect(box, theme.colour(name, 0.10))
        painter.setPen(theme.pen(name, 1.5, 0.6))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        middle = self.place(point.at.tolist())
        painter.drawLine(QPointF(box.left(), middle.y()), QPointF(box.right(), middle.y()))
        painter.drawLine(QPointF(middle.x(), box.top()), QPointF(middle.x(), box.bottom()))


class PointPanel(QFrame):
    """What each point is, in words, with its mark: the key to the plane."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("card")
        self.state: PlaneState | None = None
        self._note = ""
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(40)

    def show_plane(self, state: PlaneState) -> None:
        """Take another state."""
        self.state = state
        arcs = any(np.isfinite(point.arc) for point in state.points)
        self._note = ARC_WORDS if arcs else ""
        self.setFixedHeight(12 + sum(self._heights(state)) + (18 if arcs else 0))
        self.update()

    def _heights(self, state: PlaneState) -> list[int]:
        metrics_width = max(self.width() - 48, 100)
        heights = []
        for point in state.points:
            lines = 1 + len(words_of(state, point))
            heights.append(18 * lines + self._why_height(point.why, metrics_width) + 8)
        return heights

    def _why_height(self, why: str, width: int) -> int:
        if not why:
            return 0
        self.setFont(theme.font(12))
        flags = int(Qt.TextFlag.TextWordWrap)
        return min(54, self.fontMetrics().boundingRect(0, 0, width, 1000, flags, why).height())

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw marks and words."""
        super().paintEvent(event)
        if self.state is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        top = 8.0
        for point, height in zip(self.state.points, self._heights(self.state), strict=True):
            paint_point(painter, QPointF(20, top + 9), point.look, sure=point.sure and point.there, size=5.5)
            box = QRectF(38, top, self.width() - 48, 18)
            theme.write(painter, box, name_of(point), 13, theme.TEXT, align=theme.LEFT, bold=True, cut=theme.AT_END)
            for text in words_of(self.state, point):
                box.translate(0, 18)
                theme.write(painter, box, text, 12, theme.TEXT if point.there else theme.MUTED, align=theme.LEFT)
            if point.why:
                painter.setFont(theme.font(12))
                painter.setPen(theme.pen(theme.NOTICE))
                room = QRectF(38, box.bottom(), box.width(), top + height - 8 - box.bottom())
                painter.drawText(room, int(Qt.TextFlag.TextWordWrap), point.why)
            top += height
        if self._note:
            theme.write(
                painter, QRectF(12, top - 2, self.width() - 20, 16), self._note, 11, theme.MUTED, align=theme.LEFT
            )


class PlanePlot(TimePlot):
    """The courses of one dimension, of every kind of point."""

    def __init__(self) -> None:
        super().__init__("", "", tick_room=16)
        self.setMinimumHeight(104)
        self.middle: Any = pg.InfiniteLine(0.0, angle=0, pen=theme.plot_pen(theme.FAINT))
        self.lines = {look: line(name, 2) for look, (name, _) in LOOKS.items()}
        self.add_items(self.middle, *self.lines.values())

    def show_courses(self, axis: Axis, courses: Sequence[PlaneCourse], side: int) -> None:
        """Draw one dimension of all courses."""
        theme.set_text(self.heading, axis.name.capitalize())
        self.name_values(axis.name, of_correlations=False)
        first, middle, last = axis.numbers
        half = (last - first) / 2
        self.middle.setValue(middle)
        there = False
        drawn = {course.look: course for course in courses}
        for look, curve in self.lines.items():
            course = drawn.get(look)
            values = np.empty(0) if course is None else middle + half * course.values[:, side]
            curve.setData(np.empty(0) if course is None else course.time, values)
            there = there or bool(np.isfinite(values).any())
        self.show_limits(first - 0.08 * half, last + 0.08 * half)
        self.empty.setVisible(not there)


class PlanePage(QWidget):
    """Valence and arousal: the plane at the left, and beside it what its points are, their courses, sounds that fit.

    ``person_chosen`` is emitted with the number of the person whose points are wanted.
    """

    person_chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.plane, self.points = PlaneWidget(), PointPanel()
        self.plots: tuple[PlanePlot, ...] = ()
        self.person = QComboBox()
        self.person.setAccessibleName("whose valence and arousal")
        self.person.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.person.activated.connect(self.person_chosen)
        self.nearest = theme.label("", 12, theme.TEXT)
        self.nearest.setWordWrap(True)
        self._nearest_card, self._courses = QFrame(), QWidget()
        self._nearest_card.setObjectName("card")
        heading = theme.label("Sounds that fit best", 13, bold=True)
        column(heading, self.nearest, of=self._nearest_card, margins=(10, 6, 10, 8), spacing=2)
        beside, card = QWidget(), QFrame()
        card.setObjectName("card")
        beside.setFixedWidth(BESIDE)
        column(self.plane, of=card, margins=(6, 6, 6, 2))
        parts = (self.person, self.points, self._nearest_card, (self._courses, 1), None)
        column(*parts, of=beside, spacing=8)
        row((card, 1), beside, of=self, spacing=8)

    def show_state(self, state: ViewState) -> None:
        """Draw the newest step."""
        plane = state.plane
        self.plane.show_plane(plane)
        if plane is None:
            return
        self.points.show_plane(plane)
        self._show_people(plane)
        self._nearest_card.setVisible(plane.nearest is not None)
        if plane.nearest is not None:
            told = [f"{name}  ({value_text(alike)})" for name, alike in plane.nearest]
            theme.set_text(self.nearest, "\n".join(told) or "none now")
        self._courses.setVisible(bool(plane.courses))
        if plane.courses:
            if not self.plots:
                self.plots = (PlanePlot(), PlanePlot())
                column(*((plot, 1) for plot in self.plots), of=self._courses, spacing=8)
            for side, (plot, axis) in enumerate(zip(self.plots, (plane.right, plane.up), strict=True)):
                plot.show_courses(axis, plane.courses, side)
                plot.show_marks(state.marks)

    def _show_people(self, plane: PlaneState) -> None:
        self.person.setVisible(len(plane.people) > 1)
        if [self.person.itemText(i) for i in range(self.person.count())] != list(plane.people):
            self.person.blockSignals(True)
            self.person.clear()
            self.person.addItems(list(plane.people))
            self.person.blockSignals(False)
        if plane.whose in plane.people:
            self.person.setCurrentIndex(plane.people.index(plane.whose))

    def show_time(self, state: ViewState, elapsed_s: float) -> None:
        """Move the courses along, ``elapsed_s`` seconds after the newest step."""
        for plot in self.plots:
            plot.show_time(state, elapsed_s)


def name_of(point: PlanePoint) -> str:
    """Return what a point is called in the key."""
    return _NAMES.get(point.name, point.name)


def words_of(state: PlaneState, point: PlanePoint) -> list[str]:
    """Return a point's place in words, a line for each direction, and what else is known of it."""
    places = [
        value_words(axis, float(point.at[i]), float(point.low[i]), float(point.high[i]))
        for i, axis in enumerate((state.right, state.up))
    ]
    # With intervals each needs a line of its own.
    return [*(places if np.isfinite(point.low).all() else [", ".join(places)]), *point.told]


def _axis_words(axis: Axis) -> str:
    arrows = "\N{LEFTWARDS ARROW}", "\N{RIGHTWARDS ARROW}"
    return f"{arrows[0]} {axis.low}     {axis.name}     {axis.high} {arrows[1]}"
