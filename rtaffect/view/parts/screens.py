"""The screens of this computer."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QScreen
from PySide6.QtWidgets import QWidget

from rtaffect.present.participant_state import ScreenInfo

#: A window's frame and title take so much of a screen besides, pixels.
FRAME: Final = 48


def show_fitting(window: QWidget) -> None:
    """Show a window; where its screen has no room for it and its frame it fills the screen, and no edge is cut."""
    room, size = window.screen().availableGeometry(), window.size()
    if size.width() > room.width() or size.height() + FRAME > room.height():
        window.setWindowState(window.windowState() | Qt.WindowState.WindowMaximized)
    window.show()


def list_screens() -> tuple[ScreenInfo, ...]:
    """Return the screens of this computer, in the order in which they are numbered."""
    return tuple(screen_info(index, screen) for index, screen in enumerate(QGuiApplication.screens()))


def screen_info(index: int, screen: QScreen) -> ScreenInfo:
    """Return what identifies a screen, numbered ``index``."""
    size = screen.size()
    return ScreenInfo(
        index=index,
        name=screen.name(),
        width=size.width(),
        height=size.height(),
        primary=screen is QGuiApplication.primaryScreen() or screen == QGuiApplication.primaryScreen(),
        serial=screen.serialNumber(),
    )
