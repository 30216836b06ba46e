"""The selected stream's signal, and the level of the chosen sound, as they come."""

from __future__ import annotations

import math
import os
from typing import Any

os.environ["PYQTGRAPH_QT_LIB"] = "PySide6"

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from rtaffect.common.montage import is_eog
from rtaffect.start.preview import FLOOR_DB, SHOWN_S, Level, Traces
from rtaffect.view.parts import theme
from rtaffect.view.start.style import FIELD

#: Height of a channel's line at least, and width of its name, px.
LINE, NAME = 15, 54


class SignalView(QWidget):
    """Some seconds of a stream's channels, one under the other; more than there is room for are turned over."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("signal")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("signal of the selected stream")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.traces: Traces | None = None
        self.empty = ""
        self.first = 0

    def show_traces(self, traces: Traces | None, empty: str) -> None:
        """Show ``traces``, or the words ``empty`` where there is nothing."""
        if traces is None and self.traces is None and empty == self.empty:
            return
        if traces is None or self.traces is None or traces.names != self.traces.names:
            self.first = 0
        self.traces, self.empty = traces, empty
        self.update()

    @property
    def room(self) -> int:
        """How many channels there is room for."""
        return max(1, self.height() // LINE)

    @property
    def shown(self) -> range:
        """Numbers of the channels that are shown."""
        count = len(self.traces.names) if self.traces else 0
        return range(self.first, min(count, self.first + self.room))

    def turn(self, channels: int) -> None:
        """Show channels further down (up where negative)."""
        count = len(self.traces.names) if self.traces else 0
        self.first = max(0, min(self.first + channels, count - self.room))
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Turn over by arrows and pages."""
        steps = {
            Qt.Key.Key_Down: 1,
            Qt.Key.Key_Up: -1,
            Qt.Key.Key_PageDown: self.room,
            Qt.Key.Key_PageUp: -self.room,
        }
        if (key := Qt.Key(event.key())) in steps:
            self.turn(steps[key])
        else:
            super().keyPressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802
        """Turn over by the wheel."""
        self.turn(-1 if event.angleDelta().y() > 0 else 1)

    def paintEvent(self, _: QPaintEvent) -> None:  # noqa: N802
        """Draw the channels that there is room for."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.colour(FIELD))
        if self.traces is None or not len(self.traces.time):
            painter.setFont(theme.font(12))
            painter.setPen(theme.colour(theme.MUTED))
            inside = self.rect().adjusted(16, 8, -16, -8)
            painter.drawText(inside, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self.empty)
        else:
            self._draw(painter, self.traces)
        edge = theme.pen(theme.PREDICTED, 2.0) if self.hasFocus() else theme.pen(theme.GRID)
        painter.setPen(edge)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.end()

    def _draw(self, painter: QPainter, traces: Traces) -> None:
        shown = self.shown
        line = self.height() / max(1, min(len(traces.names), self.room))
        left, right = NAME, self.width() - 6.0
        x = left + (traces.time + SHOWN_S) / SHOWN_S * (right - left)
        painter.setFont(theme.font(11))
        for place, channel in enumerate(shown):
            name, middle = traces.names[channel], (place + 0.5) * line
            painter.setPen(theme.colour(theme.MUTED))
            box = QRectF(6, middle - 8, NAME - 10, 16)
            words = painter.fontMetrics().elidedText(name, Qt.TextElideMode.ElideRight, NAME - 10)
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, words)
            # A trace may leave its own line, but not cross more than its neighbours'.
            y = middle - np.clip(traces.values[:, channel] / traces.spacing, -1.5, 1.5) * line
            painter.setPen(theme.pen(theme.NULL if is_eog(name) else theme.PREDICTED))
            path: Any = pg.functions.arrayToQPath(x, y, connect="finite")
            painter.drawPath(path)


class SignalPanel(QWidget):
    """Which stream is shown, its signal, and what is wrong with it."""

    def __init__(self) -> None:
        super().__init__()
        self.heading = theme.ElidedLabel("", 12, theme.TEXT)
        self.view = SignalView()
        self.words = theme.label("", 12, theme.MUTED)
        self.words.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addWidget(self.heading)
        layout.addWidget(self.view, 1)
        layout.addWidget(self.words)

    def show_signal(self, name: str, traces: Traces | None, trouble: str, empty: str) -> None:
        """Show the signal of the stream ``name``, and ``trouble`` under it; ``empty`` stands where nothing is."""
        self.view.show_traces(traces, trouble or empty)
        there = traces is not None and len(traces.time) > 0
        said = f"\N{BLACK UP-POINTING TRIANGLE} {trouble}" if trouble and there else ""
        theme.set_text(self.words, said)
        theme.set_colour(self.words, theme.NOTICE)
        self.words.setVisible(bool(said))
        self.heading.set_words(f"{name}: {self._scale(traces)}" if there and traces is not None else name)

    def _scale(self, traces: Traces) -> str:
        shown, count = self.view.shown, len(traces.names)
        which = f"channels {shown.start + 1} to {shown.stop} of {count}, " if len(shown) < count else ""
        return f"{which}{SHOWN_S:g} s, {_volts(traces.spacing)} from line to line"


def _volts(value: float) -> str:
    for factor, unit in ((1.0, "V"), (1e3, "mV"), (1e6, "\N{MICRO SIGN}V")):
        if value * factor >= 1:
            return f"{value * factor:g} {unit}"
    return f"{value * 1e9:g} nV"


class LevelMeter(QWidget):
    """How loud the sound is now, dB of full scale, in a bar and in words."""

    def __init__(self) -> None:
        super().__init__()
        self.level: Level | None = None
        self.words = ""
        self.setFixedHeight(20)
        self.setMinimumWidth(80)
        self.setAccessibleName("level of the sound")

    def show_level(self, level: Level) -> None:
        """Show ``level``."""
        if level != self.level:
            self.level = level
            self.words = self._said(level)
            self.setToolTip(f"Level of the sound: {self.words} (0 dB is full scale)")
            self.update()

    @staticmethod
    def _said(level: Level) -> str:
        if math.isnan(level.rms_db):
            return "no sound yet"
        if level.clipped:
            return "\N{BLACK SQUARE} too loud"
        return "silence" if level.peak_db <= FLOOR_DB else f"{level.rms_db:.0f} dB"

    def paintEvent(self, _: QPaintEvent) -> None:  # noqa: N802
        """Draw the bar, the peak and the words."""
        painter = QPainter(self)
        bar = QRectF(0, 3, self.width() - 88, self.height() - 6)
        painter.fillRect(bar, theme.colour(FIELD))
        level = self.level or Level()
        if not math.isnan(level.rms_db):
            filled = QRectF(bar)
            filled.setWidth(bar.width() * _share(level.rms_db))
            painter.fillRect(filled, theme.colour(theme.POOR if level.clipped else theme.PREDICTED))
            peak = bar.left() + bar.width() * _share(level.peak_db)
            painter.fillRect(QRectF(max(bar.left(), peak - 2), bar.top(), 2, bar.height()), theme.colour(theme.TEXT))
        painter.setPen(theme.pen(theme.FAINT))
        for mark in (-40.0, -20.0, -6.0):
            x = bar.left() + bar.width() * _share(mark)
            painter.drawLine(int(x), int(bar.bottom()) - 3, int(x), int(bar.bottom()))
        painter.setPen(theme.pen(theme.GRID))
        painter.drawRect(bar)
        painter.setFont(theme.font(12))
        painter.setPen(theme.colour(theme.POOR if level.clipped else theme.MUTED))
        words = QRectF(bar.right() + 6, 0, 82, self.height())
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, self.words)
        painter.end()


def _share(decibels: float) -> float:
    return min(1.0, max(0.0, 1 - decibels / FLOOR_DB))
