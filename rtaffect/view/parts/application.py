"""What every window's loop needs: Ctrl-C closes the window, and a closed window goes at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from PySide6.QtCore import QEvent, QTimer
from PySide6.QtWidgets import QApplication, QWidget

from rtaffect.common.signals import ending_signals


@contextmanager
def interrupt_closes(window: QWidget) -> Iterator[None]:
    """Let Ctrl-C, and other signals that ask for the end, close ``window``, at the next tick of its timer."""
    with ending_signals(lambda: QTimer.singleShot(0, window, window.close)):
        yield


@contextmanager
def without_a_window() -> Iterator[None]:
    """Let the program go on without a window, as between two of them; make an application if there is none."""
    application = QApplication.instance() or QApplication(["rtaffect"])
    assert isinstance(application, QApplication)
    quits = application.quitOnLastWindowClosed()
    application.setQuitOnLastWindowClosed(False)
    try:
        yield
    finally:
        application.setQuitOnLastWindowClosed(quits)


def discard(window: QWidget) -> None:
    """Close ``window`` and delete it now: outside an event loop Qt keeps deletions back unless it is asked for them."""
    window.close()
    window.deleteLater()
    QApplication.sendPostedEvents(window, QEvent.Type.DeferredDelete.value)
