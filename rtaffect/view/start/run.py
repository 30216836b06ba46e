"""Shows the start window until a session is started or it is closed."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEventLoop, QTimer

from rtaffect.common.signals import ending_signals
from rtaffect.start.choices import Choices
from rtaffect.start.start_presenter import StartPresenter
from rtaffect.view.parts.application import discard, without_a_window
from rtaffect.view.parts.screens import show_fitting
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
    window: StartWindow | None = None
    asked = list[bool]()

    def end() -> None:
        asked.append(True)
        if window is not None:
            QTimer.singleShot(0, window, window.close)

    # While the window is made, too: what Qt calls would swallow an interrupt.
    with without_a_window(), ending_signals(end):
        loop = QEventLoop()
        window = StartWindow(StartPresenter(choices, said=message), plan_file)
        window.closed.connect(loop.quit)
        if not asked:
            show_fitting(window)
            loop.exec()
        window.close()
    started = window.started
    discard(window)
    return started
