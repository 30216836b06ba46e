"""A level of sound as it is drawn: a bar, and the peak as a line."""

from __future__ import annotations

from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter

from rtaffect.present.sound_state import METER_DB, SoundLevel
from rtaffect.view.parts import theme


def level_x(decibels: float, bar: QRectF) -> float:
    """Return where a level lies in ``bar``, px."""
    low, high = METER_DB
    return bar.left() + min(1.0, max(0.0, (decibels - low) / (high - low))) * bar.width()


def paint_level(painter: QPainter, bar: QRectF, level: SoundLevel, field: str) -> None:
    """Draw ``level`` in ``bar`` on the colour ``field``."""
    painter.fillRect(bar, theme.colour(field))
    if level.known:
        filled = QRectF(bar)
        filled.setRight(level_x(level.rms_db, bar))
        painter.fillRect(filled, theme.colour(theme.POOR if level.clipped else theme.LEVELS["good"][1]))
        peak = max(bar.left(), level_x(level.peak_db, bar) - 1)
        painter.fillRect(QRectF(peak, bar.top() - 1, 2, bar.height() + 2), theme.colour(theme.TEXT))
