"""Shows the windows of the checks until they are closed."""

from __future__ import annotations

from PySide6.QtCore import QEventLoop

from rtaffect.checks.light_check import LightCheckPlan, LightRun
from rtaffect.checks.sound_check import SoundCheckPlan
from rtaffect.plan.kept_checks import LightCheck, SoundCheck
from rtaffect.view.checks.light import LightCheckWindow
from rtaffect.view.checks.sound import SoundCheckWindow
from rtaffect.view.checks.square import Square
from rtaffect.view.parts.application import discard, interrupt_closes, without_a_window
from rtaffect.view.parts.screens import show_fitting


def run_sound_check(plan: SoundCheckPlan) -> SoundCheck | None:
    """Show the sound check's window until it is closed; return what was measured last, None for nothing.

    Raises
    ------
    SoundError
        If there is no such sound device.
    """
    with without_a_window():
        window = SoundCheckWindow(plan)
        _until_closed(window)
        found: SoundCheck | None = window.found
        discard(window)
    return found


def run_light_check(plan: LightCheckPlan) -> LightCheck | None:
    """Show the light check's window until it is closed; return what was found last, None for nothing."""
    with without_a_window():
        window = LightCheckWindow(plan)
        _until_closed(window)
        found = window.found
        discard(window)
    return found


def flash(plan: LightCheckPlan) -> LightCheck | None:
    """Flash at once, without a window for choices; return what was found, None where it was ended before its end.

    Raises
    ------
    RtaffectError
        If the stream or the screen is not there.
    """
    with without_a_window():
        run = LightRun.start(plan)
        try:
            square, loop = Square(run), QEventLoop()
            square.ended.connect(loop.quit)
            with interrupt_closes(square):
                square.begin()
                loop.exec()
            found = run.result(square.shown_on()) if run.over else None
            discard(square)
        finally:
            run.close()
    return found


def _until_closed(window: SoundCheckWindow | LightCheckWindow) -> None:
    loop = QEventLoop()
    window.closed.connect(loop.quit)
    with interrupt_closes(window):
        show_fitting(window)
        loop.exec()
