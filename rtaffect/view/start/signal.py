"""The selected stream's signal, and the level of the chosen sound, as they come."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from rtaffect.common.montage import is_eog
from rtaffect.present.sound_state import QUIET_DB, SoundLevel, describe_level
from rtaffect.present.trace_state import lane_text
from rtaffect.start.preview import SHOWN_S, Signal
from rtaffect.view.parts import theme
from rtaffect.view.parts.layouts import column
from rtaffect.view.parts.level import level_x, paint_level
from rtaffect.view.parts.traces import paint_names, paint_traces

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
        self.signal: Signal | None = None
        self.empty = ""
        self.first = 0

    def show_signal(self, signal: Signal | None, empty: str) -> None:
        """Show ``signal``, or the words ``empty`` where there is nothing."""
        if signal is None and self.signal is None and empty == self.empty:
            return
        if signal is None or self.signal is None or signal.names != self.signal.names:
            self.first = 0
        self.signal, self.empty = signal, empty
        self.update()

    @property
    def room(self) -> int:
        """How many channels there is room for."""
        return max(1, self.height() // LINE)

    @property
    def shown(self) -> range:
        """Numbers of the channels that are shown."""
        count = len(self.signal.names) if self.signal else 0
        return range(self.first, min(count, self.first + self.room))

    def turn(self, channels: int) -> None:
        """Show channels further down (up where negative)."""
        count = len(self.signal.names) if self.signal else 0
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
        painter.fillRect(self.rect(), theme.colour(theme.FIELD))
        if self.signal is None or not self.signal.traces.known:
            painter.setFont(theme.font(12))
            painter.setPen(theme.colour(theme.MUTED))
            inside = self.rect().adjusted(16, 8, -16, -8)
            painter.drawText(inside, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self.empty)
        else:
            self._draw(painter, self.signal)
        theme.outline(painter, *((theme.PREDICTED, 2.0) if self.hasFocus() else (theme.GRID, 1.0)))
        painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.end()

    def _draw(self, painter: QPainter, signal: Signal) -> None:
        shown = slice(self.shown.start, self.shown.stop)
        names, area = signal.names[shown], QRectF(self.rect()).adjusted(NAME, 0, -6, 0)
        eyes = np.array([is_eog(name) for name in names], np.bool_)
        paint_names(painter, area, names, np.zeros(len(names), np.bool_))
        paint_traces(
            painter, area, signal.traces.of(shown), signal.lane, ((~eyes, theme.PREDICTED), (eyes, theme.NULL))
        )


class SignalPanel(QWidget):
    """Which stream is shown, its signal, and what is wrong with it."""

    def __init__(self) -> None:
        super().__init__()
        self.heading = theme.ElidedLabel("", 12, theme.TEXT)
        self.view = SignalView()
        self.words = theme.label("", 12, theme.MUTED)
        self.words.setWordWrap(True)
        column(self.heading, (self.view, 1), self.words, of=self, spacing=3)

    def show_signal(self, name: str, signal: Signal | None, trouble: str, empty: str) -> None:
        """Show the signal of the stream ``name``, and ``trouble`` under it; ``empty`` stands where nothing is."""
        self.view.show_signal(signal, trouble or empty)
        there = signal is not None and signal.traces.known
        said = f"\N{BLACK UP-POINTING TRIANGLE} {trouble}" if trouble and there else ""
        theme.set_text(self.words, said)
        theme.set_colour(self.words, theme.NOTICE)
        self.words.setVisible(bool(said))
        self.heading.set_words(f"{name}: {self._scale(signal)}" if there and signal is not None else name)

    def _scale(self, signal: Signal) -> str:
        shown, count = self.view.shown, len(signal.names)
        which = f"channels {shown.start + 1} to {shown.stop} of {count}, " if len(shown) < count else ""
        return f"{which}{SHOWN_S:g} s, {lane_text(signal.lane)} from line to line"


class LevelMeter(QWidget):
    """How loud the sound is now, dB of full scale, in a bar and in words."""

    def __init__(self) -> None:
        super().__init__()
        self.level: SoundLevel | None = None
        self.words = ""
        self.setFixedHeight(20)
        self.setMinimumWidth(80)
        self.setAccessibleName("level of the sound")

    def show_level(self, level: SoundLevel) -> None:
        """Show ``level``."""
        if level != self.level:
            self.level = level
            self.words = self._said(level)
            self.setToolTip(f"Level of the sound: {describe_level(level)} (0 dB is a sine of full scale)")
            self.update()

    @staticmethod
    def _said(level: SoundLevel) -> str:
        if not level.known:
            return "no sound now"
        if level.clipped:
            return "\N{BLACK SQUARE} clipped"
        return "silence" if level.rms_db < QUIET_DB else f"{level.rms_db:.0f} dB".replace("-", "\N{MINUS SIGN}")

    def paintEvent(self, _: QPaintEvent) -> None:  # noqa: N802
        """Draw the bar, the peak and the words."""
        painter = QPainter(self)
        bar = QRectF(0, 3, self.width() - 88, self.height() - 6)
        level = self.level or SoundLevel()
        paint_level(painter, bar, level, theme.FIELD)
        painter.setPen(theme.pen(theme.FAINT))
        for mark in (-40.0, -20.0, -6.0):
            x = level_x(mark, bar)
            painter.drawLine(int(x), int(bar.bottom()) - 3, int(x), int(bar.bottom()))
        painter.setPen(theme.pen(theme.GRID))
        painter.drawRect(bar)
        words, name = QRectF(bar.right() + 6, 0, 82, self.height()), theme.POOR if level.clipped else theme.MUTED
        theme.write(painter, words, self.words, 12, name, align=theme.LEFT)
        painter.end()
