"""Traces of peripheral signals: the last half minute of each, on its own scale with its unit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainter, QPaintEvent, QPolygonF
from PySide6.QtWidgets import QWidget

from rtaffect.present.body_state import SECONDS, BodyLane, body_lanes
from rtaffect.present.measure_state import value_text
from rtaffect.stream.body import body_of
from rtaffect.stream.source import Source
from rtaffect.view.parts import theme

#: Traces are read so often, s; room for names and for values; height of a lane and of the axis, px.
EVERY_S, NAMES, VALUES, LANE, AXIS = 0.2, 150.0, 86.0, 34, 20
#: More lanes than these are not drawn.
MOST_LANES = 12


class BodyPanel(QWidget):
    """Draws the signals of all sources that have any."""

    def __init__(self, sources: Sequence[Source]) -> None:
        super().__init__()
        self._sources = [source for source in sources if body_of(source) is not None]
        self._drawn_at = float("-inf")
        self.lanes: list[BodyLane] = []
        count = sum(len(body.channels) for source in self._sources if (body := body_of(source)) is not None)
        self.setFixedHeight(LANE * min(max(count, 1), MOST_LANES) + AXIS)
        self.setAccessibleName("traces of peripheral signals")

    @property
    def any(self) -> bool:
        """Whether there is any signal."""
        return bool(self._sources)

    def take(self, now: float) -> None:
        """Read what has come until ``now``, s on the LSL clock, every so often, and draw."""
        if self.any and not 0 <= now - self._drawn_at < EVERY_S:
            self._drawn_at = now
            self.lanes = body_lanes(self._sources, now)[:MOST_LANES]
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw each lane with its name and newest value, and the time axis."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(NAMES, 0, self.width() - NAMES - VALUES, self.height() - AXIS)
        for number, lane in enumerate(self.lanes):
            self._paint_lane(painter, area, lane, number * LANE)
        for ago in range(0, int(SECONDS) + 1, 10):
            x = area.right() - area.width() * ago / SECONDS
            text = f"\N{MINUS SIGN}{ago} s" if ago else "now"
            theme.write(painter, QRectF(x - 24, area.bottom() + 2, 48, 16), text, 11, theme.MUTED)

    def _paint_lane(self, painter: QPainter, area: QRectF, lane: BodyLane, top: float) -> None:
        name = QRectF(4, top, NAMES - 12, LANE)
        text = f"{lane.person} {lane.name}"
        theme.write(painter, name, text, 11, theme.MUTED, align=theme.RIGHT, cut=theme.IN_MIDDLE)
        painter.setPen(theme.pen(theme.GRID))
        painter.drawLine(QPointF(area.left(), top + LANE), QPointF(area.right(), top + LANE))
        low, high = lane.limits
        there = np.isfinite(lane.values)
        newest = float(lane.values[there][-1]) if there.any() else np.nan
        said = f"{value_text(newest)} {lane.unit}".strip()
        theme.write(painter, QRectF(area.right() + 6, top, VALUES - 8, LANE), said, 11, theme.TEXT, align=theme.LEFT)
        if not there.any():
            return
        x = area.right() - area.width() * lane.age / SECONDS
        y = top + 3 + (LANE - 6) * (high - lane.values) / (high - low)
        painter.setPen(theme.pen(theme.TEXT, 1, 0.85))
        for part in np.split(np.arange(len(x)), np.flatnonzero(~there)):
            points = [QPointF(float(x[i]), float(y[i])) for i in part if there[i]]
            painter.drawPolyline(QPolygonF(points))
