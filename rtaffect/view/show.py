"""The window's loop: an application where there is none, Ctrl-C, pictures, and the end."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Unpack

from PySide6.QtCore import QEventLoop, QPoint
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QWidget

from rtaffect.common.errors import RtaffectError
from rtaffect.common.screen import has_screen
from rtaffect.present.participant_state import ParticipantPresenter, operators_screen
from rtaffect.present.session_presenter import Presenter
from rtaffect.present.window_options import WindowOptions
from rtaffect.start.tour_seen import remember_tour, tour_seen
from rtaffect.view.operator.session_window import SessionWindow
from rtaffect.view.operator.tour import Tour
from rtaffect.view.participant.window import ParticipantWindow
from rtaffect.view.parts.application import discard, interrupt_closes
from rtaffect.view.parts.screens import list_screens, show_fitting

__all__ = ["SessionWindow", "grab", "run_window"]


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


def _ensure_application() -> None:
    """Make an application where there is none; Qt aborts the process when there is no screen, so ask first."""
    if QApplication.instance() is not None:
        return
    if not has_screen():
        raise RtaffectError(
            "there is no screen to show the session on (neither DISPLAY nor WAYLAND_DISPLAY is set); run it with "
            "--headless, or set QT_QPA_PLATFORM=offscreen for an invisible one"
        )
    QApplication(["rtaffect"])


def _beside(window: QWidget, participants: int | None) -> None:
    """Put the operator's window on a screen that is not the participant's, if that has one: it would be covered."""
    chosen = None if participants is None else operators_screen(participants, list_screens())
    if chosen is None:
        return
    screen = QGuiApplication.screens()[chosen.index]
    room, size = screen.availableGeometry(), window.size()
    window.setScreen(screen)
    window.move(room.center() - QPoint(min(size.width(), room.width()) // 2, min(size.height(), room.height()) // 2))


def _begin(tour: Tour) -> None:
    """Begin the tour, once, whatever becomes of it."""
    if not tour_seen():
        remember_tour()
        tour.show_next()


def _start(view: ParticipantWindow, window: SessionWindow) -> None:
    view.start()
    # The small view would have the keys else, which are the operator's, unless the participant rates by them.
    (window if view.slider is None else view).activateWindow()


def run_window(
    presenter: Presenter,
    *,
    participant: ParticipantPresenter | None = None,
    screen: int | None = None,
    **options: Unpack[WindowOptions],
) -> None:
    """Show a session until its window is closed, by hand, by Ctrl-C, or ``seconds_after_end`` the end.

    Call it in the main thread, with the engine in a thread of its own. When it returns, ``on_close`` was called once.

    Parameters
    ----------
    presenter
        Fed by the engine's thread.
    participant
        What the participant sees, in a window of its own that is closed with the session's; None for nothing.
    screen
        Number of the screen that the participant's view fills; None for a small window beside the operator's.
    **options
        The parameters of :class:`SessionWindow`.

    Raises
    ------
    SettingsError
        If the participant's screen is not there; no window was shown then.
    """
    _ensure_application()
    # Before the operator's window: if its screen is not there, none is shown.
    preview = screen is None
    view = None if participant is None else ParticipantWindow(participant, screen=screen or 0, preview=preview)
    window = SessionWindow(presenter, **options)
    tour = Tour(window)
    if view is not None:
        view.troubled.connect(window.show_trouble)
        _beside(window, screen)
    loop, closed = QEventLoop(), threading.Event()
    for end in (loop.quit, closed.set):
        window.closed.connect(end)
    with interrupt_closes(window):
        show_fitting(window)
        if options.get("tour"):
            _begin(tour)
        if view is not None:
            _start(view, window)
        # A signal may have closed it before there was a loop to leave.
        if not closed.is_set():
            loop.exec()
    for each in (window,) if view is None else (view, window):
        discard(each)
