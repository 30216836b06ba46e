"""The window's loop: an application where there is none, Ctrl-C, pictures, and the end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Unpack

from PySide6.QtCore import QEvent, QEventLoop, QTimer
from PySide6.QtWidgets import QApplication, QWidget

from rtaffect.common.errors import RtaffectError
from rtaffect.common.screen import has_screen
from rtaffect.present.participant_state import ParticipantPresenter
from rtaffect.present.session_presenter import Presenter
from rtaffect.present.window_options import WindowOptions
from rtaffect.view.operator.session_window import SessionWindow
from rtaffect.view.participant.window import ParticipantWindow

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
    participant: ParticipantPresenter | None = None,
    screen: int | None = None,
    **options: Unpack[WindowOptions],
) -> None:
    """Show a session until its window is closed, by hand, by Ctrl-C, or ``seconds_after_end`` the end.

    Call it in the main thread, with the engine in a thread of its own. When it returns, ``on_close`` has been called,
    exactly once.

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
    application = _application()
    listening: list[Callable[[str], None]] = []

    def tell(text: str) -> None:
        for call in listening:
            call(text)

    # Before the operator's window: if its screen is not there, none is shown.
    view = None
    if participant is not None:
        view = ParticipantWindow(participant, screen=screen or 0, preview=screen is None, on_trouble=tell)
    window = SessionWindow(presenter, **options)
    listening.append(window.show_trouble)
    loop = QEventLoop()
    window.closed.connect(loop.quit)
    with _interrupt_closes(window):
        window.show()
        if view is not None:
            view.start()
            # The small view would have the keys else.
            window.activateWindow()
        loop.exec()
    for each in (window,) if view is None else (view, window):
        _discard(application, each)


def _discard(application: QApplication, window: QWidget) -> None:
    window.close()
    window.deleteLater()
    # Outside an event loop Qt keeps deferred deletions back unless it is asked for them.
    application.sendPostedEvents(window, QEvent.Type.DeferredDelete.value)
