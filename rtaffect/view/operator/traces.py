"""Raw traces of one headset: the last seconds of each of its channels, as its samples come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QWidget

from rtaffect.present.trace_state import SECONDS, Traces, TraceScope, lane_height, stepped
from rtaffect.stream.source import Source
from rtaffect.view.operator.quality import POOR_BELOW
from rtaffect.view.parts import theme

#: Room for names, for the scale on the right, and for the time axis, px.
NAMES, RIGHT, AXIS = 66.0, 14.0, 34.0
#: Columns of pixels over the shown time; names stand so far apart at least, px.
COLUMNS = 500
LEAST_LINE = 11.0
#: A trace reaches so many lanes to each side at most.
OVER = 1.0


class TraceView(QWidget):
    """Draws the traces of the source that was last given."""

    def __init__(self) -> None:
        super().__init__()
        self._source: Source | None = None
        self._scope: TraceScope | None = None
        self._traces: Traces | None = None
        self._quality: Mapping[str, float] = {}
        self._lane: float | None = None
        self._by_hand = False
        self.setMinimumSize(300, 160)
        self.setAccessibleName("raw traces of the chosen headset")

    def show_source(self, source: Source | None) -> None:
        """Take another headset; the scale is found anew."""
        if source is not self._source or self._scope is None:
            self._source = source
            self._scope = TraceScope(len(source.info.channels), COLUMNS) if source is not None else None
            self._traces, self._lane, self._by_hand = None, None, False
            self.update()

    def show_quality(self, quality: Mapping[str, float]) -> None:
        """Take how good each channel was in the last window."""
        self._quality = quality

    def take(self, now: float) -> None:
        """Read what is new at ``now``, s on the LSL clock, and draw."""
        if self._source is None or self._scope is None:
            return
        self._scope.take(*self._source.buffer.tail(self._scope.wanted_s(now)))
        self._traces = self._scope.traces(now)
        if not self._by_hand:
            self._lane = lane_height(self._traces, self._lane)
        self.update()

    def scale(self, steps: int) -> None:
        """Make the traces smaller (``steps`` > 0) or larger; 0 lets the scale be found again."""
        self._by_hand = steps != 0
        if steps and self._lane is not None:
            self._lane = stepped(self._lane, steps)
        self.update()

    @property
    def words(self) -> str:
        """Return what is shown and how large."""
        if self._source is None:
            return "raw traces: this headset's samples are not at hand"
        lane = f"{self._lane:g} \N{MICRO SIGN}V" if self._lane is not None else "n/a"
        how = "set by + and \N{MINUS SIGN}, 0 finds it again" if self._by_hand else "+ and \N{MINUS SIGN} change it"
        return f"raw, last {SECONDS:g} s, each about its own line; from lane to lane {lane} ({how})"

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a comfortable size."""
        return QSize(560, 420)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw the lanes, their names, the traces and the time axis."""
        painter = QPainter(self)
        area = QRectF(self.rect()).adjusted(NAMES, 4, -RIGHT, -AXIS)
        self._paint_axis(painter, area)
        if self._source is None or self._traces is None or self._lane is None:
            painter.setFont(theme.font(13))
            painter.setPen(theme.pen(theme.MUTED))
            words = "no samples yet" if self._source is not None else "this headset's samples are not at hand"
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, words)
            return
        channels = self._source.info.channels
        poor = np.array([self._quality.get(name, 1.0) < POOR_BELOW for name in channels], np.bool_)
        paint_names(painter, area, channels, poor)
        painter.setClipRect(area)
        for chosen, colour in ((~poor, theme.TEXT), (poor, theme.POOR)):
            if chosen.any():
                painter.setPen(theme.pen(colour, 1, 0.85))
                painter.drawPath(traces_path(self._traces, np.flatnonzero(chosen), area, self._lane))

    def _paint_axis(self, painter: QPainter, area: QRectF) -> None:
        painter.setFont(theme.font(11))
        for second in range(0, int(SECONDS) + 1, 2):
            x = area.right() - area.width() * second / SECONDS
            painter.setPen(theme.pen(theme.GRID))
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom() + 4))
            painter.setPen(theme.pen(theme.MUTED))
            text = f"\N{MINUS SIGN}{second}" if second else "0"
            painter.drawText(QRectF(x - 20, area.bottom() + 4, 40, 14), Qt.AlignmentFlag.AlignCenter, text)
        box = QRectF(area.left(), area.bottom() + 18, area.width(), 15)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, "time before now (s)")


def traces_path(traces: Traces, channels: NDArray[np.int64], area: QRectF, scale: float) -> QPainterPath:
    """Return the traces of some channels as one path, px, interrupted where there are no samples.

    ``scale`` is how many microvolts lie between two lanes of ``area``.
    """
    low, high = traces.low[channels], traces.high[channels]
    columns, lane = low.shape[1], area.height() / len(traces.low)
    middle = area.top() + (channels[:, None] + 0.5) * lane
    y = np.full((len(channels), 2 * columns + 1), np.nan)
    y[:, 0:-1:2], y[:, 1::2] = (middle - np.clip(v / scale, -OVER, OVER) * lane for v in (low, high))
    x = area.left() + np.repeat((np.arange(columns) + 0.5) / columns, 2) * area.width()
    path: QPainterPath = pg.functions.arrayToQPath(
        np.tile(np.append(x, 0.0), len(channels)), y.ravel(), connect="finite"
    )
    return path


def named_lanes(count: int, lane: float, poor: NDArray[np.bool_]) -> list[int]:
    """Return which of ``count`` lanes of height ``lane``, px, are named: the poor ones first, as many as have room."""
    named: list[int] = []
    every = max(1, int(np.ceil(LEAST_LINE / lane)))
    for number in (*np.flatnonzero(poor).tolist(), *range(0, count, every)):
        if all(abs(number - other) * lane >= LEAST_LINE - 0.5 for other in named):
            named.append(number)
    return sorted(named)


def paint_names(painter: QPainter, area: QRectF, channels: Sequence[str], poor: NDArray[np.bool_]) -> None:
    """Name the lanes left of ``area``."""
    lane = area.height() / max(len(channels), 1)
    painter.setFont(theme.font(11 if lane >= 13 else 9))
    for number in named_lanes(len(channels), lane, poor):
        mark = "\N{BLACK SQUARE} " if poor[number] else ""
        painter.setPen(theme.pen(theme.POOR if poor[number] else theme.MUTED))
        room = QRectF(2, area.top() + (number + 0.5) * lane - 8, NAMES - 10, 16)
        words = painter.fontMetrics().elidedText(
            mark + channels[number], Qt.TextElideMode.ElideMiddle, int(room.width())
        )
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, words)
