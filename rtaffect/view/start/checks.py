"""Opens the sound check and the light check from the start window, for the devices that are chosen there."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QTimer
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QMainWindow

from rtaffect.checks.light_check import LightCheckPlan
from rtaffect.checks.sound_check import SoundCheckPlan
from rtaffect.common.errors import RtaffectError
from rtaffect.start.start_presenter import StartPresenter
from rtaffect.view.checks.light import LightCheckWindow
from rtaffect.view.checks.sound import SoundCheckWindow
from rtaffect.view.start.widgets import button

SOUND_KEY, LIGHT_KEY = "F6", "F7"


class Checks:
    """Two buttons, and the window that either opens; meanwhile the start window listens to no sound device.

    Parameters
    ----------
    parent : QMainWindow
        The start window: what is opened is modal to it.
    presenter : StartPresenter
        Has the choices; its preview of the sound lets go of its device.
    timer : callable
        Returns the start window's timer, which rests meanwhile.

    Attributes
    ----------
    window : SoundCheckWindow, LightCheckWindow or None
        What is open.
    """

    def __init__(self, parent: QMainWindow, presenter: StartPresenter, timer: Callable[[], QTimer]) -> None:
        self._parent, self._presenter, self._timer = parent, presenter, timer
        self.window: SoundCheckWindow | LightCheckWindow | None = None
        self.sound = button(f"Sound check  {SOUND_KEY}", "How loud the sound is, and how late it is heard (F6)")
        self.light = button(f"Light check  {LIGHT_KEY}", "How late the participant's screen is, by a photodiode (F7)")
        for each, key, act in (
            (self.sound, SOUND_KEY, self.check_sound),
            (self.light, LIGHT_KEY, self.check_light),
        ):
            each.clicked.connect(act)
            QShortcut(QKeySequence(key), parent, act)

    def check_sound(self) -> None:
        """Open the sound check, for the chosen output and, where sound is listened to, the chosen input."""
        choices = self._presenter.choices
        listens = choices.listens_by
        plan = SoundCheckPlan(
            speaker=choices.speaker or None,
            capture=(choices.device or None) if listens == "device" else None,
            capture_stream=(choices.sound_stream or None) if listens == "stream" else None,
        )
        self._open(lambda: SoundCheckWindow(plan))

    def check_light(self) -> None:
        """Open the light check, for the participant's screen."""
        self._open(lambda: LightCheckWindow(LightCheckPlan(screen=self._presenter.choices.screen)))

    def _open(self, make: Callable[[], SoundCheckWindow | LightCheckWindow]) -> None:
        if self.window is not None:
            self.window.activateWindow()
            return
        self._timer().stop()
        self._presenter.previews.room.preview.show(None, None)
        try:
            self.window = make()
        except RtaffectError as error:
            self._end()
            self._presenter.say(error)
            return
        self.window.closed.connect(self._end)
        self.window.show()
        self.window.activateWindow()

    def _end(self) -> None:
        window, self.window = self.window, None
        if window is not None:
            window.deleteLater()
        self._timer().start()
        self._parent.activateWindow()

    def close(self) -> None:
        """Close what is open."""
        if self.window is not None:
            self.window.close()
