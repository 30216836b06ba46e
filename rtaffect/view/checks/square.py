"""The square that flashes for a photodiode, on the participant's screen."""

from __future__ import annotations

from typing import Final

from pylsl import local_clock
from PySide6.QtCore import QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QColor, QGuiApplication, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from rtaffect.checks.light_check import LightRun, ShownOn
from rtaffect.common.errors import SettingsError
from rtaffect.view.parts.screens import list_screens, screen_info

#: At least so long until the next look, ms.
_SHORTEST_MS: Final = 1


class Square(QWidget):
    """Black but for a square in a corner, which is white while a check's flash is due; each painting is told to it.

    Parameters
    ----------
    run
        The check: which screen, corner and size, and when it is white.

    Raises
    ------
    SettingsError
        If there is no such screen.
    """

    ended = Signal()

    def __init__(self, run: LightRun) -> None:
        super().__init__()
        self._run, self._white, self._ending = run, False, False
        plan, there = run.plan, QGuiApplication.screens()
        if plan.screen is not None and plan.screen >= len(there):
            listed = "; ".join(screen.describe for screen in list_screens())
            raise SettingsError(f"there is no screen {plan.screen}", f"one of {listed}", "connect it, or name another")
        self.setWindowTitle("rtaffect \N{EN DASH} light check")
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setCursor(Qt.CursorShape.BlankCursor)
        self.resize(480, 270)
        self._place = there[plan.screen] if plan.screen is not None else None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._look)

    def begin(self) -> None:
        """Appear, and flash; ``ended`` is emitted at the end."""
        if self._place is None:
            self.show()
        else:
            self.setWindowFlags(Qt.WindowType.FramelessWindowHint | Qt.WindowType.WindowStaysOnTopHint)
            self.setScreen(self._place)
            self.setGeometry(self._place.geometry())
            self.setWindowState(Qt.WindowState.WindowFullScreen)
            self.show()
        self._timer.start(_SHORTEST_MS)

    def shown_on(self) -> ShownOn:
        """Return what it is shown on."""
        screen = self.screen()
        index = QGuiApplication.screens().index(screen)
        rate = screen.refreshRate()
        return ShownOn(index, screen_info(index, screen).describe, rate if 10 < rate < 1000 else 60.0)

    def _look(self) -> None:
        now = local_clock()
        if self._run.over:
            self._end()
            return
        white = self._run.flashing.white(now)
        if white != self._white:
            self._white = white
            # At once: what is asked for by update() waits for the other events.
            self.repaint()
        self._timer.start(max(_SHORTEST_MS, int(1e3 * self._run.flashing.wait_s(local_clock()))))

    def place(self) -> QRectF:
        """Return where the square is."""
        area, plan = QRectF(self.rect()), self._run.plan
        side = plan.size * min(area.width(), area.height())
        left = area.left() if "left" in plan.corner else area.right() - side
        top = area.top() if "upper" in plan.corner else area.bottom() - side
        return QRectF(left, top, side, side)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Paint the square, and tell when that was done."""
        painter = QPainter(self)
        painter.fillRect(event.rect(), QColor(0, 0, 0))
        painter.fillRect(self.place(), QColor(255, 255, 255) if self._white else QColor(0, 0, 0))
        painter.end()
        self._run.flashing.painted(self._white, local_clock())

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """End the check by Escape."""
        if event.key() == Qt.Key.Key_Escape:
            self._end()
        event.accept()

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """End the check with the window."""
        super().closeEvent(event)
        self._end()

    def _end(self) -> None:
        if not self._ending:
            self._ending = True
            self._timer.stop()
            self.ended.emit()
