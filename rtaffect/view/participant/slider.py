"""Paints the participant's slider, a bar or a plane, and says where a pointer is on it."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter

from rtaffect.present.plane_state import Axis
from rtaffect.present.slider_state import SliderState
from rtaffect.view.parts import theme

GROUND: Final = "#151b22"
LINE: Final = "#2a343f"
KNOB: Final = "#e8ecf1"
#: Sizes in parts of the shorter side of the view: the plane alone, beside something else, the bar's length and height.
ALONE, BESIDE, BAR, THICK = 0.62, 0.30, 0.8, 0.05
#: Height of letters, at least, px.
LEAST_LETTER = 9


def slider_area(view: QRectF, state: SliderState, *, alone: bool) -> QRectF:
    """Return where the slider is in the view: in its middle, or at the lower right where something else is shown."""
    side = min(view.width(), view.height())
    if state.up is None:
        length, height = side * (BAR if alone else 1.4 * BESIDE), side * THICK
    else:
        length = height = side * (ALONE if alone else BESIDE)
    if alone:
        centre = view.center()
        return QRectF(centre.x() - length / 2, centre.y() - height / 2, length, height)
    edge, words = side * 0.10, side * 0.06
    return QRectF(view.right() - edge - length, view.bottom() - words - height, length, height)


def surroundings(area: QRectF, view: QRectF) -> QRectF:
    """Return the part of the view in which the slider and its words are."""
    side = min(view.width(), view.height())
    return area.adjusted(-0.16 * side, -0.06 * side, 0.16 * side, 0.06 * side).intersected(view)


def place_on(area: QRectF, state: SliderState, at: QPointF) -> tuple[float, ...]:
    """Return where a pointer is, -1 to 1 right and up; what is beyond stays at the ends."""
    right = (at.x() - area.center().x()) / (area.width() / 2)
    up = (area.center().y() - at.y()) / (area.height() / 2)
    found = (right,) if state.up is None else (right, up)
    return tuple(min(max(share, -1.0), 1.0) for share in found)


def paint_slider(painter: QPainter, area: QRectF, view: QRectF, state: SliderState) -> None:
    """Paint the slider; before it is touched, there is no knob."""
    side = min(view.width(), view.height())
    painter.save()
    painter.setPen(theme.pen(LINE, max(1.0, side * 0.003)))
    painter.setBrush(QColor(GROUND))
    round_px = area.height() / 2 if state.up is None else side * 0.012
    painter.drawRoundedRect(area, round_px, round_px)
    centre = area.center()
    if state.up is None:
        painter.drawLine(QPointF(centre.x(), area.top()), QPointF(centre.x(), area.bottom()))
    else:
        painter.drawLine(QPointF(centre.x(), area.top()), QPointF(centre.x(), area.bottom()))
        painter.drawLine(QPointF(area.left(), centre.y()), QPointF(area.right(), centre.y()))
    letter = max(round(side * 0.026), LEAST_LETTER)
    _write_right(painter, area, state.right, letter)
    if state.up is not None:
        _write_up(painter, area, state.up, letter)
    if all(share is not None for share in state.at):
        shares = [share or 0.0 for share in state.at]
        up = shares[1] if len(shares) > 1 else 0.0
        x, y = centre.x() + shares[0] * area.width() / 2, centre.y() - up * area.height() / 2
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(KNOB))
        painter.drawEllipse(QPointF(x, y), side * 0.016, side * 0.016)
    painter.restore()


def _write_right(painter: QPainter, area: QRectF, axis: Axis, letter: int) -> None:
    """Write the ends of the direction to the right below the slider."""
    box = QRectF(area.left() - 4 * letter, area.bottom() + 0.3 * letter, area.width() + 8 * letter, 1.4 * letter)
    inner = box.adjusted(4 * letter, 0, -4 * letter, 0)
    theme.write(painter, inner, axis.low, letter, theme.MUTED, align=theme.LEFT)
    theme.write(painter, inner, axis.high, letter, theme.MUTED, align=theme.RIGHT)


def _write_up(painter: QPainter, area: QRectF, axis: Axis, letter: int) -> None:
    """Write the ends of the direction upwards at the slider's left."""
    for top, text in ((area.top(), axis.high), (area.bottom() - 1.4 * letter, axis.low)):
        box = QRectF(area.left() - 10.5 * letter, top, 10 * letter, 1.4 * letter)
        theme.write(painter, box, text, letter, theme.MUTED, align=theme.RIGHT)
