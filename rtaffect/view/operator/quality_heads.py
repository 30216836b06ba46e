"""Signal quality on heads seen from above, one for each person: a mark for each channel, told by shape and size too."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, Signal
from PySide6.QtGui import QHelpEvent, QMouseEvent, QPainter, QPaintEvent, QPolygonF
from PySide6.QtWidgets import QToolTip, QWidget

from rtaffect.engine.feedback import Feedback
from rtaffect.present.session_state import short_names
from rtaffect.view.operator.quality import CLASSES, GOOD_FROM, POOR_BELOW
from rtaffect.view.parts import theme
from rtaffect.view.parts.head_plan import HeadPlan, at, paint_head, plan
from rtaffect.view.parts.plot_key import Entry

#: At most so many heads are drawn at once; of more people those around the chosen one.
MOST_HEADS = 8
TITLE, BELOW = 20.0, 16.0


class QualityHeads(QWidget):
    """One head for each person; ``chosen`` is emitted with the person whose head was clicked."""

    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._latest: Feedback | None = None
        self._names: list[str] = []
        self._person, self.channel = 0, -1
        self.setMinimumSize(300, 160)
        self.setAccessibleName("signal quality of each channel, on a plan of the head")

    def show_step(self, latest: Feedback, person: int, channel: int | None) -> None:
        """Draw the newest step; ``person`` is framed, and the chosen ``channel`` is ringed."""
        self._latest, self._person = latest, person
        self.channel = -1 if channel is None else channel
        self._names = list(short_names(latest.people).values())
        self.update()

    def shown(self) -> range:
        """Return the people that are drawn."""
        count = len(self._latest.people) if self._latest is not None else 0
        first = self._person // MOST_HEADS * MOST_HEADS
        return range(first, min(first + MOST_HEADS, count))

    def cells(self) -> dict[int, QRectF]:
        """Return the place of each drawn person, px."""
        people = self.shown()
        if not people:
            return {}
        shapes = ((columns, math.ceil(len(people) / columns)) for columns in range(1, len(people) + 1))
        columns, lines = max(shapes, key=lambda s: min(self.width() / s[0], (self.height() - TITLE * s[1]) / s[1]))
        width, height = self.width() / columns, self.height() / lines
        return {
            person: QRectF(number % columns * width, number // columns * height, width, height)
            for number, person in enumerate(people)
        }

    def plan_of(self, person: int) -> HeadPlan | None:
        """Return where a person's channels are drawn, px."""
        cell = self.cells().get(person)
        if cell is None or self._latest is None:
            return None
        area = cell.adjusted(8, TITLE + 2, -8, -8)
        unplaced = len(self._latest.channels) - len(plan(self._latest.channels, area).places)
        return plan(self._latest.channels, area.adjusted(0, 0, 0, -BELOW if unplaced else 0))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw the heads."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._latest is None:
            theme.write(painter, QRectF(self.rect()), "no quality known yet", 13, theme.MUTED)
            return
        for person, cell in self.cells().items():
            self._paint_person(painter, self._latest, person, cell)

    def _paint_person(self, painter: QPainter, latest: Feedback, person: int, cell: QRectF) -> None:
        chosen, found = person == self._person, self.plan_of(person)
        if found is None:
            return
        if len(latest.people) > 1:
            theme.outline(painter, theme.MUTED if chosen else theme.GRID, 1.5 if chosen else 1)
            painter.drawRoundedRect(cell.adjusted(2, 2, -2, -2), 5, 5)
        title, name = QRectF(cell.left() + 10, cell.top() + 3, cell.width() - 20, TITLE), self._names[person]
        theme.write(painter, title, name, 12, theme.TEXT, align=theme.LEFT, bold=chosen, cut=theme.IN_MIDDLE)
        paint_head(painter, found)
        named = found.disc >= 12
        for channel, centre in found.places.items():
            value = float(latest.quality[person, channel])
            paint_mark(painter, centre, found.disc * (0.8 if named else 0.95), value)
            if channel == self.channel:
                theme.outline(painter, theme.TEXT, 1.5)
                painter.drawEllipse(centre, found.disc + 1, found.disc + 1)
        self._paint_names(painter, latest, person, found)
        if len(found.places) < len(latest.channels):
            room = QRectF(cell.left() + 10, cell.bottom() - BELOW - 8, cell.width() - 20, BELOW)
            self._paint_beside(painter, latest, person, room)

    def _paint_names(self, painter: QPainter, latest: Feedback, person: int, found: HeadPlan) -> None:
        """Name all channels where there is room, else those that are not good."""
        room = found.disc >= 12
        painter.setFont(theme.font(10 if room else 9, bold=room))
        for channel, centre in found.places.items():
            value = float(latest.quality[person, channel])
            if (value >= GOOD_FROM and not room) or found.disc < 5:
                continue
            # A triangle has no room for a name.
            within = room and not POOR_BELOW <= value < GOOD_FROM
            offset = 0.0 if within else found.disc + 5
            box = QRectF(centre.x() - 30, centre.y() - 7 + offset, 60, 14)
            name = theme.BACKGROUND if within and value < POOR_BELOW else theme.TEXT
            theme.write(painter, box, latest.channels[channel], name=name)

    def _paint_beside(self, painter: QPainter, latest: Feedback, person: int, room: QRectF) -> None:
        """Name the channels that have no known place, with their quality in percent."""
        placed = plan(latest.channels, room).places
        words = ", ".join(
            f"{name} {percent_of(float(latest.quality[person, number]))}"
            for number, name in enumerate(latest.channels)
            if number not in placed
        )
        theme.write(painter, room, f"no known place: {words}", 11, theme.MUTED, align=theme.LEFT, cut=theme.AT_END)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Choose the person under the pointer."""
        for person, cell in self.cells().items():
            if cell.contains(event.position()):
                self.chosen.emit(person)

    def event(self, event: QEvent) -> bool:
        """Name the channel under the pointer."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip and self._latest is not None:
            for person in self.shown():
                found = self.plan_of(person)
                channel = at(found, QPointF(event.pos())) if found is not None else None
                if channel is not None:
                    good = percent_of(float(self._latest.quality[person, channel]))
                    text = f"{self._latest.people[person]}, {self._latest.channels[channel]}: {good} good"
                    QToolTip.showText(event.globalPos(), text, self)
                    return True
        return super().event(event)


def percent_of(quality: float) -> str:
    """Return a quality in percent."""
    return f"{100 * quality:.0f} %" if np.isfinite(quality) else "n/a"


def paint_mark(painter: QPainter, centre: QPointF, radius: float, quality: float) -> None:
    """Draw a quality: small and round where good, a triangle where partly so, a large square where poor."""
    if not np.isfinite(quality):
        theme.outline(painter, theme.FAINT, 1.5)
        painter.drawEllipse(centre, 0.7 * radius, 0.7 * radius)
    elif quality >= GOOD_FROM:
        theme.solid(painter, theme.GOOD)
        painter.drawEllipse(centre, 0.85 * radius, 0.85 * radius)
    elif quality >= POOR_BELOW:
        theme.solid(painter, theme.PARTLY)
        corners = ((0.0, -1.15), (1.1, 0.85), (-1.1, 0.85))
        painter.drawPolygon(QPolygonF([centre + QPointF(radius * x, radius * y) for x, y in corners]))
    else:
        theme.solid(painter, theme.POOR)
        painter.drawRect(QRectF(centre.x() - radius, centre.y() - radius, 2 * radius, 2 * radius))


def mark_key() -> list[Entry]:
    """Return the key to the marks."""
    return [(partial(_mark, quality), text) for text, quality in CLASSES]


def _mark(quality: float, painter: QPainter, rect: QRectF) -> None:
    paint_mark(painter, QPointF(rect.right() - 6, rect.center().y()), 5.5, quality)
