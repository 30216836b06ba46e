"""The screens of this computer."""

from __future__ import annotations

from PySide6.QtGui import QGuiApplication, QScreen

from rtaffect.present.participant_state import ScreenInfo


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
