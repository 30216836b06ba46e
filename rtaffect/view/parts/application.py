"""What every window's loop needs: Ctrl-C closes the window, and a closed window goes at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PySide6.QtCore import QEvent, QTimer
from PySide6.QtWidgets import QApplication, QWidget


@contextmanager
def interrupt_closes(window: QWidget) -> Iterator[None]:
    """Let Ctrl-C close ``window``; Python sees the signal at the next tick of the window's timer."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, lambda number, frame: QTimer.singleShot(0, window, window.close))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def discard(window: QWidget) -> None:
    """Close ``window`` and delete it now: outside an event loop Qt keeps deletions back unless it is asked for them."""
    window.close()
    window.deleteLater()
    QApplication.sendPostedEvents(window, QEvent.Type.DeferredDelete.value)
