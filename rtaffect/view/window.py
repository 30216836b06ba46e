"""The session's window: repaints by its own timer, reads frozen states, and never holds the engine up."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PySide6.QtCore import QEvent, QEventLoop, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import QApplication, QHBoxLayout, QMainWindow, QVBoxLayout, QWidget

from rtaffect.errors import RtaffectError
from rtaffect.view import has_screen, theme
from rtaffect.view.plots import CoursePlot, Key
from rtaffect.view.presenter import Presenter
from rtaffect.view.quality import QualityPanel
from rtaffect.view.rows import RowPanel
from rtaffect.view.sections import row_hint, row_remark, row_title
from rtaffect.view.state import ViewState
from rtaffect.view.status import Footer, Header, SourcePanel

#: Milliseconds between repaints: 40 a second, so that 30 remain when the machine is busy.
REPAINT_MS = 25


#: Between the parts of the window, and over and under all, px.
SPACING, MARGIN = 8, 6

#: Least height of the lower panels, px; in a small window they can be scrolled.
LEAST_LOWER = 110


def lower_height(people: int, sources: int, window: int, room: int) -> int:
    """Return the height of the lower panels, px: all their lines, but at most 40 % of the window's and ``room``."""
    line = 18 if window < 900 else 24
    lines = max(92 + line * people, 62 + 19 * sources)
    return min(lines, int(0.4 * window), max(room, LEAST_LOWER))


class SessionWindow(QMainWindow):
    """Predicted and observed synchrony of a running session.

    Parameters
    ----------
    presenter : Presenter
        Fed by the engine's thread.
    title : str
        Name of the session, shown beside the program's.
    banner : str or None
        A text that must be seen at all times, such as that the data are synthetic.
    on_close : callable
        Called exactly once, when the window is closed.
    now : callable
        Present time on the clock of ``Feedback.lsl_time``, s.
    poll : callable or None
        Returns None while the session runs. A text says that it has ended; one that begins with 'fault:' says that
        it has failed.
    seconds_after_end : float or None
        Close that long after the end, s; None leaves the window open.
    """

    closed = Signal()

    def __init__(
        self,
        presenter: Presenter,
        *,
        title: str = "",
        banner: str | None = None,
        on_close: Callable[[], None],
        now: Callable[[], float],
        poll: Callable[[], str | None] | None = None,
        seconds_after_end: float | None = None,
    ) -> None:
        super().__init__()
        self._presenter, self._on_close, self._now, self._poll = presenter, on_close, now, poll
        self._seconds_after_end = seconds_after_end
        self._close_called = False
        self._opened = now()
        self._ended_at: float | None = None
        self._state: ViewState = presenter.state()
        self.frames = 0
        self.data_updates = 0
        self.setWindowTitle(f"rtaffect \N{EN DASH} {title}" if title and title != "rtaffect" else "rtaffect")
        self._build(title, banner)
        QShortcut(QKeySequence("Ctrl+W"), self, self.close)
        QShortcut(QKeySequence("Ctrl+Q"), self, self.close)
        self._show_data()
        self.timer = QTimer(self)
        self.timer.setTimerType(Qt.TimerType.PreciseTimer)
        self.timer.timeout.connect(self.tick)
        self.timer.start(REPAINT_MS)

    def _build(self, title: str, banner: str | None) -> None:
        self.setStyleSheet(theme.STYLE)
        self.header, self.footer = Header(title), Footer()
        self.rows, self.quality, self.sources = RowPanel(), QualityPanel(), SourcePanel()
        self.mean_plot, self.row_plot = CoursePlot("Mean over rows"), CoursePlot("Chosen row")
        self.banner = theme.label(banner or "", 13, theme.NOTICE, bold=True)
        self.banner.setObjectName("banner")
        self.banner.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.banner.setVisible(bool(banner))
        self.lower_panels = QWidget()
        lower = QHBoxLayout(self.lower_panels)
        lower.setContentsMargins(0, 0, 0, 0)
        lower.addWidget(self.quality, 1)
        lower.addWidget(self.sources)
        right = QVBoxLayout()
        self.key = Key(self._state.smooth_steps)
        right.addWidget(self.key)
        right.addWidget(self.mean_plot, 10)
        right.addWidget(self.row_plot, 10)
        right.addWidget(self.lower_panels)
        middle = QHBoxLayout()
        middle.addWidget(self.rows)
        middle.addLayout(right, 1)
        body = QWidget()
        body.setObjectName("body")
        layout = QVBoxLayout(body)
        layout.setContentsMargins(10, MARGIN, 10, MARGIN)
        for part in (layout, right, middle, lower):
            part.setSpacing(SPACING)
        layout.addWidget(self.header)
        layout.addWidget(self.banner)
        layout.addLayout(middle, 1)
        layout.addWidget(self.footer)
        self.setCentralWidget(body)
        self.setMinimumSize(1180, 660)
        self.resize(1280, 720)
        self.rows.chosen.connect(self._choose)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the newest step, or since the window was opened where there is none.

        They stand still once the session has ended.
        """
        now = self._now() if self._ended_at is None else self._ended_at
        since = self._opened if self._state.latest is None else self._state.latest.lsl_time
        return max(0.0, now - since)

    def tick(self) -> None:
        """One turn of the display: the time always, the data only when they have changed."""
        self.frames += 1
        self._ask_whether_ended()
        if self._presenter.revision != self._state.revision:
            self._state = self._presenter.state()
            self._show_data()
        elapsed = self.elapsed_s
        self.header.show_time(self._state, elapsed)
        self.sources.show_time(self._state, elapsed)
        if self._state.latest is not None:
            newest = self._state.latest.time
            for plot in (self.mean_plot, self.row_plot):
                plot.show_time(newest, newest + elapsed, self._state.history_s)
        for plot in (self.mean_plot, self.row_plot):
            plot.place_empty()
        self._fit_panels()

    def _show_data(self) -> None:
        self.data_updates += 1
        state = self._state
        self.mean_plot.show_course(state.mean)
        self.row_plot.show_course(state.row)
        self.footer.show_step(state)
        if state.latest is None:
            return
        theme.set_text(self.mean_plot.heading, f"Mean over {state.latest.mean_of}")
        theme.set_text(self.row_plot.heading, row_title(state.latest, state.selected))
        self.row_plot.heading.setToolTip(row_hint(state.latest, state.selected))
        self.row_plot.remark.set_words(row_remark(state.latest, state.selected))
        self.rows.show_step(state.latest, state.selected)
        self.quality.show_step(state.latest, state.selected)

    def _fit_panels(self) -> None:
        latest = self._state.latest
        people, sources = (len(latest.people), len(latest.sources)) if latest is not None else (4, 5)
        self.lower_panels.setFixedHeight(lower_height(people, sources, self.height(), self._room_for_lower()))
        self.sources.fit_window(self.width())
        self.rows.fit_window(self.width())

    def _room_for_lower(self) -> int:
        """Return what the other parts, at their least, leave of the window's height, px."""
        lines = [self.header.sizeHint().height(), self.footer.sizeHint().height(), self.key.height()]
        lines += [self.banner.sizeHint().height()] if self.banner.isVisibleTo(self) else []
        plots = self.mean_plot.minimumHeight() + self.row_plot.minimumHeight()
        return self.height() - plots - sum(line + SPACING for line in lines) - 2 * SPACING - 2 * MARGIN

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Give the panels their share of the new size."""
        super().resizeEvent(event)
        self._fit_panels()

    def _choose(self, row: int) -> None:
        self._presenter.select(row)
        self.tick()

    def _ask_whether_ended(self) -> None:
        if self._ended_at is not None:
            return
        text = self._poll() if self._poll is not None else None
        if text is not None:
            if text.lower().startswith("fault"):
                self._presenter.fail(text.partition(":")[2].strip() or text)
            else:
                self._presenter.end(text)
        state = self._presenter.state() if text is not None else self._state
        if state.ended is not None or state.fault is not None:
            self._ended_at = self._now()
            if self._seconds_after_end is not None:
                QTimer.singleShot(round(1000 * self._seconds_after_end), self, self.close)

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """Stop repainting and tell the session, once."""
        self.timer.stop()
        if not self._close_called:
            self._close_called = True
            self._on_close()
        super().closeEvent(event)
        self.closed.emit()


def grab(window: QWidget, path: Path | str) -> None:
    """Write a picture of ``window``, as it is shown, to ``path`` (PNG).

    Raises
    ------
    RtaffectError
        If the file cannot be written.
    """
    QApplication.processEvents()
    if not window.grab().save(str(path), "PNG"):
        raise RtaffectError(f"the picture could not be written to {path}; choose a folder that exists and is writable")


@contextmanager
def _interrupt_closes(window: QWidget) -> Iterator[None]:
    """Let Ctrl-C close ``window``; Python sees the signal at the next tick of the window's timer."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, lambda number, frame: QTimer.singleShot(0, window, window.close))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def _application() -> QApplication:
    """Return the running application, or a new one; Qt aborts the process when there is no screen, so ask first."""
    found = QApplication.instance()
    if isinstance(found, QApplication):
        return found
    if not has_screen():
        raise RtaffectError(
            "there is no screen to show the session on (neither DISPLAY nor WAYLAND_DISPLAY is set); run it with "
            "--headless, or set QT_QPA_PLATFORM=offscreen for an invisible one"
        )
    return QApplication(["rtaffect"])


def run_window(
    presenter: Presenter,
    *,
    title: str,
    banner: str | None = None,
    on_close: Callable[[], None],
    now: Callable[[], float],
    poll: Callable[[], str | None] | None = None,
    seconds_after_end: float | None = None,
) -> None:
    """Show a session until its window is closed, by hand, by Ctrl-C, or ``seconds_after_end`` the end.

    Call it in the main thread, with the engine in a thread of its own. The parameters are those of
    :class:`SessionWindow`. When it returns, ``on_close`` has been called, exactly once.
    """
    application = _application()
    window = SessionWindow(
        presenter,
        title=title,
        banner=banner,
        on_close=on_close,
        now=now,
        poll=poll,
        seconds_after_end=seconds_after_end,
    )
    loop = QEventLoop()
    window.closed.connect(loop.quit)
    with _interrupt_closes(window):
        window.show()
        loop.exec()
        window.close()
    window.deleteLater()
    # Outside an event loop Qt keeps deferred deletions back unless it is asked for them.
    application.sendPostedEvents(window, QEvent.Type.DeferredDelete.value)
