"""Traces of one headset as they are drawn: lanes one under the other, each with its name."""

from __future__ import annotations

import os
from collections.abc import Sequence

os.environ["PYQTGRAPH_QT_LIB"] = "PySide6"

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainter, QPainterPath

from rtaffect.present.trace_state import Traces
from rtaffect.view.parts import theme

#: Names stand so far apart at least, px.
LEAST_LINE = 11.0
#: A trace reaches so many lanes to each side at most.
OVER = 1.0

#: Which lanes (C,) are drawn in a colour.
Coloured = tuple[NDArray[np.bool_], str]


def paint_traces(painter: QPainter, area: QRectF, traces: Traces, lane: float, parts: Sequence[Coloured]) -> None:
    """Draw ``traces`` in ``area``, ``lane`` microvolts from one to the next, each part in its colour."""
    painter.save()
    painter.setClipRect(area)
    for chosen, colour in parts:
        if chosen.any():
            painter.setPen(theme.pen(colour, 1, 0.85))
            painter.drawPath(traces_path(traces, np.flatnonzero(chosen), area, lane))
    painter.restore()


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
        mark, name = ("\N{BLACK SQUARE} ", theme.POOR) if poor[number] else ("", theme.MUTED)
        room = QRectF(2, area.top() + (number + 0.5) * lane - 8, area.left() - 10, 16)
        theme.write(painter, room, mark + channels[number], name=name, align=theme.RIGHT, cut=theme.IN_MIDDLE)


def paint_seconds(painter: QPainter, area: QRectF, seconds: float, top: float) -> None:
    """Draw the time axis under ``area``, of the ``seconds`` before now, with lines at its ticks from ``top`` on, px."""
    painter.setFont(theme.font(11))
    for second in range(0, int(seconds) + 1, 2):
        x = area.right() - area.width() * second / seconds
        painter.setPen(theme.pen(theme.GRID if top < area.bottom() else theme.MUTED))
        painter.drawLine(QPointF(x, top), QPointF(x, area.bottom() + 4))
        box, text = QRectF(x - 20, area.bottom() + 4, 40, 14), f"\N{MINUS SIGN}{second}" if second else "0"
        theme.write(painter, box, text, name=theme.MUTED)
    theme.write(painter, QRectF(area.left(), area.bottom() + 18, area.width(), 15), "time before now (s)")
