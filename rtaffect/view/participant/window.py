"""The participant's view: one calm figure, or an instruction, on a dark screen; nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QCloseEvent,
    QColor,
    QGuiApplication,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QScreen,
)
from PySide6.QtWidgets import QWidget

from rtaffect.present.participant_state import ParticipantPresenter, ScreenInfo, choose_screen
from rtaffect.view.participant.figures import BACKGROUND, figure_area, paint, paint_beside
from rtaffect.view.participant.film import FilmLayer
from rtaffect.view.participant.slider import paint_slider, place_on, slider_area, surroundings
from rtaffect.view.parts.screens import list_screens, screen_info

#: Milliseconds between repaints: 60 a second, so that 40 remain when the machine is busy.
REPAINT_MS = 16


class ParticipantWindow(QWidget):
    """What the participant sees: full screen on a screen of their own, or a small window for a look at it.

    It takes neither the keyboard nor a click from the operator, shows no cursor, and only the operator closes it. Where
    the participant rates, there is a slider in it, which arrow keys and the mouse move, and a cursor.
    When its screen is unplugged it hides, since the screen that remains is the operator's; it comes back with the
    screen. Both are told by ``trouble``, and ``troubled`` is emitted with its new text, empty when it is over.

    Parameters
    ----------
    presenter
        Fed by the engine's thread.
    screen
        Number of the participant's screen; without a meaning for the preview.
    preview
        A small window with a frame, which can be closed, in place of the full screen.
    now
        Present time on a clock that runs evenly, s.

    Raises
    ------
    SettingsError
        If there is no such screen, or it is the only one; the message lists those there are.
    """

    closed = Signal()
    troubled = Signal(str)

    def __init__(
        self,
        presenter: ParticipantPresenter,
        *,
        screen: int = 1,
        preview: bool = False,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._presenter, self._now = presenter, now
        self.preview, self.frames, self.trouble = preview, 0, ""
        self._missing = self._watching = False
        self._home: ScreenInfo | None = None
        self._others: tuple[ScreenInfo, ...] = ()
        if not preview:
            there = list_screens()
            self._home = choose_screen(screen, there)
            self._others = tuple(info for info in there if info.index != screen)
        self.state, self.slider = presenter.state(now()), presenter.slider
        self.rating = self.slider.state() if self.slider is not None else None
        self._prepare()
        self.timer = QTimer(self)
        self.timer.setTimerType(Qt.TimerType.PreciseTimer)
        self.timer.timeout.connect(self.tick)
        self.film: FilmLayer | None = None
        self.film_timer = QTimer(self)
        if presenter.film is not None:
            self.film = FilmLayer(presenter.film, self.screen().refreshRate())
            self.film_timer.setSingleShot(True)
            self.film_timer.setTimerType(Qt.TimerType.PreciseTimer)
            self.film_timer.timeout.connect(self.show_film)

    def _prepare(self) -> None:
        flags = Qt.WindowType.Window
        if self.slider is None:
            flags |= Qt.WindowType.WindowDoesNotAcceptFocus
        if not self.preview:
            flags |= Qt.WindowType.FramelessWindowHint | Qt.WindowType.WindowStaysOnTopHint
            if self.slider is None:
                self.setCursor(Qt.CursorShape.BlankCursor)
        self.setWindowFlags(flags)
        self.setWindowTitle("rtaffect \N{EN DASH} what the participant sees")
        self.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating, self.slider is None)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus if self.slider is None else Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(240, 135)
        self.resize(480, 270)

    def start(self) -> None:
        """Appear, and follow the presenter."""
        if self._home is None:
            self.show()
        else:
            self._watch_screens(True)
            self._fill(QGuiApplication.screens()[self._home.index])
        self.timer.start(REPAINT_MS)
        if self.film is not None:
            self.film.set_refresh(self.screen().refreshRate())
            self.film.resize(self.size(), self.devicePixelRatioF())
            self.show_film()

    def tick(self) -> None:
        """Repaint what has changed."""
        before, self.state = self.state, self._presenter.state(self._now())
        self._follow_slider()
        if self.state == before:
            # What is there already is what the newest step shows.
            self._presenter.seen()
            return
        self.frames += 1
        if self.film is not None and self.film.due is not None:
            if (beside := self.film.figure(QRectF(self.rect()))) is not None:
                self.update(beside.toAlignedRect())
        elif before.text or self.state.text:
            self.update()
        else:
            self.update(figure_area(self.rect()))

    def _follow_slider(self) -> None:
        """Repaint the slider where it has moved."""
        if self.slider is None:
            return
        before, self.rating = self.rating, self.slider.state()
        if self.rating != before:
            self.update(surroundings(self._slider_area(), QRectF(self.rect())).toAlignedRect())

    def _slider_area(self) -> QRectF:
        assert self.slider is not None
        assert self.rating is not None
        return slider_area(QRectF(self.rect()), self.rating, alone=self.slider.alone)

    def show_film(self) -> None:
        """Paint the film's frame that is due, and look again when the next one is."""
        assert self.film is not None
        if self.film.look():
            # At once: what is asked for by update() waits for the other events.
            self.repaint()
        self.film_timer.start(self.film.wait_ms())

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Paint the film, the instruction or the figure."""
        painter, area = QPainter(self), QRectF(self.rect())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.film is not None and self.film.due is not None:
            self.film.paint(painter, area)
            if (beside := self.film.figure(area)) is not None:
                painter.fillRect(beside, QColor(BACKGROUND))
                paint_beside(painter, beside, self.state)
            self._paint_rating(painter, area)
            painter.end()
            self.film.painted()
        else:
            painter.fillRect(event.rect(), QColor(BACKGROUND))
            if self.slider is None or not self.slider.alone:
                paint(painter, area, self.state)
            self._paint_rating(painter, area)
            painter.end()
        self._presenter.seen()

    def _paint_rating(self, painter: QPainter, area: QRectF) -> None:
        if self.rating is not None:
            painter.setOpacity(1.0)
            paint_slider(painter, self._slider_area(), area, self.rating)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Put the slider where the pointer is."""
        if self.slider is None or self.rating is None or event.button() != Qt.MouseButton.LeftButton:
            return
        self.slider.put(*place_on(self._slider_area(), self.rating, event.position()))
        self._follow_slider()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Draw the slider along."""
        if self.slider is not None and self.rating is not None and event.buttons() & Qt.MouseButton.LeftButton:
            self.slider.put(*place_on(self._slider_area(), self.rating, event.position()))
            self._follow_slider()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Let the film's pictures have the new size."""
        super().resizeEvent(event)
        if self.film is not None:
            self.film.resize(self.size(), self.devicePixelRatioF())

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Move the slider by arrow keys; no other key, Escape included, is the participant's."""
        if self.slider is not None and self.slider.press(Qt.Key(event.key()).name.removeprefix("Key_")):
            self._follow_slider()
        event.accept()

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """Close for the operator, who asks this object; not for who sits before the screen and asks the desktop."""
        if event.spontaneous() and not self.preview:
            event.ignore()
            return
        self.timer.stop()
        self.film_timer.stop()
        self._watch_screens(False)
        super().closeEvent(event)
        self.closed.emit()

    def _watch_screens(self, wanted: bool) -> None:
        application = QGuiApplication.instance()
        if not isinstance(application, QGuiApplication) or self._watching == wanted:
            return
        for signal, slot in ((application.screenRemoved, self._lose), (application.screenAdded, self._find)):
            (signal.connect if wanted else signal.disconnect)(slot)
        self._watching = wanted

    def _fill(self, screen: QScreen) -> None:
        self.setScreen(screen)
        self.setGeometry(screen.geometry())
        # Not showFullScreen(), which asks for the keyboard, too.
        self.setWindowState(Qt.WindowState.WindowFullScreen)
        self.show()

    def _lose(self, screen: QScreen) -> None:
        if self._home is None or self._missing or not screen_info(self._home.index, screen).same_as(self._home):
            return
        self._missing = True
        self.hide()
        self._tell(
            f"the participant's screen ({self._home.describe}) is gone, and the participant sees nothing; connect it "
            "again, and the view comes back by itself"
        )

    def _find(self, screen: QScreen) -> None:
        found = screen_info(0, screen)
        if self._missing and not any(found.same_as(other) for other in self._others):
            self._missing = False
            self._fill(screen)
            self._tell("")

    def _tell(self, text: str) -> None:
        self.trouble = text
        self.troubled.emit(text)
