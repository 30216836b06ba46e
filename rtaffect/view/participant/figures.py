"""Paints what the participant sees: a ring, a bar, a fixation cross, an instruction."""

from __future__ import annotations

import math
from dataclasses import replace

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QLinearGradient, QPainter, QPen, QRadialGradient, QTextLayout, QTextOption

from rtaffect.present.participant_state import ParticipantState
from rtaffect.view.parts import theme

BACKGROUND = "#0c1015"
#: The empty figure: in the neutral state, and where a level is shown.
NEUTRAL, TRACK = "#222a33", "#2a343f"
#: The full part; blue and pale gold differ in lightness, too, and success has a halo: no meaning by colour alone.
LEVEL, SUCCESS = "#6fb3d9", "#f1d28a"
FIXATION = "#4b5866"

#: Sizes in parts of the shorter side of the view.
RING_RADIUS, RING_WIDTH = 0.17, 0.026
BAR_HEIGHT, BAR_WIDTH = 0.40, 0.060
DOT_RADIUS, CROSS_ARM, CROSS_WIDTH = 0.006, 0.022, 0.005
HALO = 0.075
#: Width of the figure in the neutral state, as a share of its width where a level is shown.
NEUTRAL_WIDTH = 0.30
#: Instructions: height of a letter, distance of lines, greatest width in parts of the view's.
LETTER, LEADING, TEXT_WIDTH = 0.040, 1.45, 0.62
LEAST_LETTER_PX = 9


def paint(painter: QPainter, area: QRectF, state: ParticipantState) -> None:
    """Paint the state into ``area``, on the background that is there."""
    if state.text:
        painter.setOpacity(state.opacity)
        _paint_text(painter, area, state.text)
        return
    painter.setOpacity(state.opacity)
    side = min(area.width(), area.height())
    if state.show == "tone":
        _paint_cross(painter, area.center(), side)
    elif state.show == "bar":
        _paint_bar(painter, area.center(), side, state)
    else:
        _paint_ring(painter, area.center(), side, state)


def paint_beside(painter: QPainter, area: QRectF, state: ParticipantState) -> None:
    """Paint the figure alone into a narrow ``area`` beside something else, as large as that lets it be."""
    side = area.width() / (2 * (RING_RADIUS + HALO))
    whole = QRectF(area.center().x() - side / 2, area.center().y() - side / 2, side, side)
    painter.save()
    painter.setClipRect(area)
    paint(painter, whole, replace(state, text="", opacity=1.0))
    painter.restore()


def figure_area(area: QRect) -> QRect:
    """Return the part of the view in which the figure changes."""
    side = min(area.width(), area.height())
    half = round(side * (max(RING_RADIUS, BAR_HEIGHT / 2) + HALO + 0.02))
    centre = area.center()
    return QRect(centre.x() - half, centre.y() - half, 2 * half + 1, 2 * half + 1)


def blend(one: QColor, other: QColor, share: float) -> QColor:
    """Return the colour between ``one`` (share 0) and ``other`` (share 1)."""
    pairs = zip((one.redF(), one.greenF(), one.blueF()), (other.redF(), other.greenF(), other.blueF()), strict=True)
    return QColor.fromRgbF(*(x + share * (y - x) for x, y in pairs))


def _paint_ring(painter: QPainter, centre: QPointF, side: float, state: ParticipantState) -> None:
    radius, width = side * RING_RADIUS, _width(side * RING_WIDTH, state)
    if state.success > 0:
        _paint_halo(painter, centre, radius, side * HALO, state.success * state.presence)
    circle = QRectF(centre.x() - radius, centre.y() - radius, 2 * radius, 2 * radius)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(_track(state), width))
    painter.drawEllipse(circle)
    if state.presence > 0:
        painter.setPen(_round_pen(_filled(state), width))
        # A bead at the top is level 0. Qt counts sixteenths of a degree, anticlockwise from three o'clock.
        painter.drawPoint(QPointF(centre.x(), centre.y() - radius))
        painter.drawArc(circle, 90 * 16, -round(state.level * 360 * 16))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(FIXATION))
    painter.drawEllipse(centre, side * DOT_RADIUS, side * DOT_RADIUS)


def _paint_bar(painter: QPainter, centre: QPointF, side: float, state: ParticipantState) -> None:
    width, height = _width(side * BAR_WIDTH, state), side * BAR_HEIGHT
    full = width + state.level * (height - width)
    filled = _upright(QPointF(centre.x(), centre.y() + (height - full) / 2), width, full)
    if state.success > 0:
        _paint_glow(painter, filled, side * HALO, state.success * state.presence)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(_track(state))
    painter.drawRoundedRect(_upright(centre, width, height), width / 2, width / 2)
    if state.presence > 0:
        painter.setBrush(_filled(state))
        painter.drawRoundedRect(filled, width / 2, width / 2)


def _paint_cross(painter: QPainter, centre: QPointF, side: float) -> None:
    arm = side * CROSS_ARM
    painter.setPen(_round_pen(QColor(FIXATION), side * CROSS_WIDTH))
    painter.drawLine(centre - QPointF(arm, 0), centre + QPointF(arm, 0))
    painter.drawLine(centre - QPointF(0, arm), centre + QPointF(0, arm))


def _paint_halo(painter: QPainter, centre: QPointF, radius: float, reach: float, strength: float) -> None:
    """Paint the soft light on both sides of the ring that success has."""
    outer = radius + reach
    gradient = QRadialGradient(centre, outer)
    for tenth in range(-10, 11):
        gradient.setColorAt((radius + tenth / 10 * reach) / outer, _light(abs(tenth) / 10, strength))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(gradient)
    painter.drawEllipse(centre, outer, outer)


def _paint_glow(painter: QPainter, filled: QRectF, reach: float, strength: float) -> None:
    """Paint the soft light around the bar that success has: two halves of a circle and the part between them."""
    radius, centre = filled.width() / 2, filled.center().x()
    outer = radius + reach
    top, bottom = filled.top() + radius, filled.bottom() - radius
    between = QLinearGradient(centre - outer, 0.0, centre + outer, 0.0)
    painter.setPen(Qt.PenStyle.NoPen)
    for y, start in ((top, 0), (bottom, 180)):
        gradient = QRadialGradient(QPointF(centre, y), outer)
        for tenth in range(11):
            colour, share = _light(tenth / 10, strength), (radius + tenth / 10 * reach) / outer
            gradient.setColorAt(share, colour)
            between.setColorAt((1 + share) / 2, colour)
            between.setColorAt((1 - share) / 2, colour)
        painter.setBrush(gradient)
        painter.drawPie(QRectF(centre - outer, y - outer, 2 * outer, 2 * outer), start * 16, 180 * 16)
    painter.setBrush(between)
    painter.drawRect(QRectF(centre - outer, top, 2 * outer, bottom - top))


def _light(distance: float, strength: float) -> QColor:
    """Return the light of success at ``distance`` from the figure, in parts of the light's reach."""
    return theme.colour(SUCCESS, 0.20 * strength * math.exp(-((distance / 0.45) ** 2)) * (1 - distance**2))


def _paint_text(painter: QPainter, area: QRectF, text: str) -> None:
    """Write the instruction in the middle, smaller where it would not fit."""
    pixels = max(round(min(area.width(), area.height()) * LETTER), LEAST_LETTER_PX)
    while True:
        layouts, height = _place(text, pixels, area.width() * TEXT_WIDTH)
        if height <= 0.86 * area.height() or pixels <= LEAST_LETTER_PX:
            break
        pixels = max(int(pixels * 0.9), LEAST_LETTER_PX)
    painter.setPen(theme.colour(theme.TEXT, 0.88))
    corner = QPointF(area.center().x() - area.width() * TEXT_WIDTH / 2, area.center().y() - height / 2)
    for layout in layouts:
        layout.draw(painter, corner)


def _place(text: str, pixels: int, width: float) -> tuple[list[QTextLayout], float]:
    """Return the paragraphs, laid in lines of at most ``width``, each below the one before, and their height."""
    option = QTextOption(Qt.AlignmentFlag.AlignHCenter)
    option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
    layouts, top, leading = [], 0.0, pixels * LEADING
    for paragraph in text.splitlines():
        if not paragraph.strip():
            top += leading / 2
            continue
        layout = QTextLayout(paragraph, theme.font(pixels))
        layout.setTextOption(option)
        layout.beginLayout()
        while (line := layout.createLine()).isValid():
            line.setLineWidth(width)
            line.setPosition(QPointF(0.0, top))
            top += leading
        layout.endLayout()
        layouts.append(layout)
    return layouts, top


def _upright(centre: QPointF, width: float, height: float) -> QRectF:
    return QRectF(centre.x() - width / 2, centre.y() - height / 2, width, height)


def _width(width: float, state: ParticipantState) -> float:
    """Return how wide the figure is now, of its full ``width``."""
    return width * (NEUTRAL_WIDTH + (1 - NEUTRAL_WIDTH) * state.presence)


def _track(state: ParticipantState) -> QColor:
    return blend(QColor(NEUTRAL), QColor(TRACK), state.presence)


def _filled(state: ParticipantState) -> QColor:
    return blend(_track(state), blend(QColor(LEVEL), QColor(SUCCESS), state.success), state.presence)


def _round_pen(colour: QColor, width: float) -> QPen:
    return QPen(colour, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap)
