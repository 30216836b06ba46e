"""The display. Qt is imported when a window is opened, not before."""

from __future__ import annotations

import os
from types import ModuleType
from typing import Unpack

from rtaffect.common.errors import RtaffectError
from rtaffect.common.screen import has_screen
from rtaffect.common.system_packages import WINDOW, apt_install
from rtaffect.present.participant_state import ParticipantPresenter
from rtaffect.present.session_presenter import Presenter
from rtaffect.present.window_options import WindowOptions
from rtaffect.view.trial import try_or_refuse

__all__ = ["Presenter", "has_screen", "require_window", "run_window"]

# pyqtgraph takes the first binding to Qt that it finds, unless it is told which.
os.environ["PYQTGRAPH_QT_LIB"] = "PySide6"


def run_window(
    presenter: Presenter,
    *,
    participant: ParticipantPresenter | None = None,
    screen: int | None = None,
    **options: Unpack[WindowOptions],
) -> None:
    """Show the session until its window is closed; see :func:`rtaffect.view.show.run_window`.

    Raises
    ------
    RtaffectError
        If Qt or pyqtgraph cannot be imported, or there is no screen, or not that of the participant.
    """
    _show().run_window(presenter, participant=participant, screen=screen, **options)


def require_window() -> None:
    """Refuse what is to be shown in a window where none can be opened, before any work is done for it, and load Qt.

    Qt goes through all modules that are loaded when it is, and aborts the process where another thread loads one
    meanwhile: so it comes before any thread does.

    Raises
    ------
    RtaffectError
        If there is a screen, but no window can be shown on it, or Qt or pyqtgraph cannot be imported.
    """
    if has_screen():
        try_or_refuse()
        _show()


def _show() -> ModuleType:
    try:
        from rtaffect.view import show as window
    except ModuleNotFoundError as error:
        raise RtaffectError(
            f'the display needs {error.name}, which is not installed; install it with: pip install "rtaffect[view]"'
        ) from error
    except ImportError as error:
        # PySide6 is there, but a library of the system that it links to is not.
        raise RtaffectError(
            f"the display cannot load Qt ({error}); install the missing library (Debian and Ubuntu: "
            f'{apt_install(WINDOW)}), or pip install "rtaffect[view]" again'
        ) from error
    return window
