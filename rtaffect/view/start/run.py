"""Shows the start window until a session is started or it is closed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PySide6.QtCore import QEvent, QEventLoop, QTimer
from PySide6.QtWidgets import QApplication, QWidget

from rtaffect.start.choices import Choices
from rtaffect.start.start_presenter import StartPresenter
from rtaffect.view.start.window import Started, StartWindow


def run_start(choices: Choices, *, message: str = "", plan_file: Path | None = None) -> Started | None:
    """Show the start window until a session is started or the window is closed; call it in the main thread.

    Parameters
    ----------
    choices : Choices
        What stands in it at first.
    message : str
        Shown at the top: a note, or the error that ended the last session.
    plan_file : Path or None
        The plan that ``choices`` come from.

    Returns
    -------
    what was started, None where the window was closed. All previews have ended and all devices are free.
    """
    application = QApplication.instance() or QApplication(["rtaffect"])
    assert isinstance(application, QApplication)
    quits = application.quitOnLastWindowClosed()
    # Between this window and the session's there is none: the program must not end there.
    application.setQuitOnLastWindowClosed(False)
    window = StartWindow(StartPresenter(choices, said=message), plan_file)
    loop = QEventLoop()
    window.closed.connect(loop.quit)
    try:
        with _interrupt_closes(window):
            window.show()
            loop.exec()
            window.close()
    finally:
        application.setQuitOnLastWindowClosed(quits)
    started = window.started
    window.deleteLater()
    # Outside an event loop Qt keeps deferred deletions back unless it is asked for them.
    application.sendPostedEvents(window, QEvent.Type.DeferredDelete.value)
    return started


@contextmanager
def _interrupt_closes(window: QWidget) -> Iterator[None]:
    """Let Ctrl-C close ``window``; Python sees the signal at the next tick of the window's timer."""
    previous = signal.signal(signal.SIGINT, lambda *_: QTimer.singleShot(0, window, window.close))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
