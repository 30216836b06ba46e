"""Colours, type and style sheet of the display: dark and quiet, so that only the data have colour.

Blue and orange are those of Okabe and Ito (2008), told apart by people with every common kind of colour blindness;
no meaning is carried by colour alone.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from string import Template

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import (
    QBrush,
    QColor,
    QFont,
    QFontDatabase,
    QGuiApplication,
    QImage,
    QKeyEvent,
    QPainter,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QLabel, QPushButton, QSizePolicy, QWidget

from rtaffect.present.session_state import Headline, Level

BACKGROUND = "#0f1318"
CARD = "#171d25"
GRID = "#2b3440"
SELECTED = "#263445"
TEXT = "#e8ecf1"
MUTED = "#a3afbd"
FAINT = "#6b7888"
#: The ground of what is written into, in the start window.
FIELD = "#10161d"

PREDICTED = "#56b4e9"
OBSERVED = "#e69f00"
#: What voice and background predict, each alone: purple and green of the same authors, broken in ways of their own.
VOICE, SOUNDTRACK = "#d58fba", "#2fb58c"
NULL = "#8b97a6"

GOOD = "#1f6f68"
PARTLY = "#e9d94a"
POOR = "#f0527c"
NOTICE = "#f3d98b"
#: Of a place on a head whose row is not trusted now: a grey that no value has.
UNTRUSTED = "#6a6a6a"

#: Symbol and colour of each state of a source; the symbols differ in shape.
LEVELS: dict[Level, tuple[str, str]] = {
    "good": ("\N{BLACK CIRCLE}", "#3fc6a5"),
    "idle": ("\N{WHITE CIRCLE}", MUTED),
    "warn": ("\N{BLACK UP-POINTING TRIANGLE}", PARTLY),
    "bad": ("\N{BLACK SQUARE}", POOR),
}
HEADLINES: dict[Headline, Level] = {
    "running": "good",
    "waiting for data": "idle",
    "stalled": "bad",
    "fault": "bad",
    "ended": "idle",
}

#: Where text stands in its box; all are in the middle of its height. And where it is cut.
CENTRE = Qt.AlignmentFlag.AlignCenter
LEFT = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
RIGHT = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
IN_MIDDLE, AT_END = Qt.TextElideMode.ElideMiddle, Qt.TextElideMode.ElideRight

_FAMILIES = ("Inter", "Segoe UI", "SF Pro Text", "Helvetica Neue", "Noto Sans", "Cantarell", "Ubuntu", "DejaVu Sans")


def style_sheet(*names: str) -> str:
    """Return the style sheets ``names`` of the display, with this module's colours where they name them."""
    texts = [(Path(__file__).parents[1] / "assets" / f"{name}.qss").read_text(encoding="utf-8") for name in names]
    return Template("\n".join(texts)).substitute(globals())


@cache
def _families() -> tuple[str, ...]:
    # A family that is not installed costs Qt a slow search and a warning, so only those that are get named.
    installed = set(QFontDatabase.families())
    return tuple(family for family in _FAMILIES if family in installed) or (QFont().family(),)


def font(pixels: int = 12, *, bold: bool = False) -> QFont:
    """Return the display's typeface at a size in pixels (it must not follow a screen's declared dpi)."""
    found = QFont()
    found.setFamilies(_families())
    found.setPixelSize(pixels)
    found.setWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
    return found


def colour(name: str, alpha: float = 1.0) -> QColor:
    """Return a colour by its hexadecimal name, with opacity ``alpha`` in [0, 1]."""
    found = QColor(name)
    found.setAlphaF(alpha)
    return found


def pen(name: str, width: float = 1.0, alpha: float = 1.0, style: Qt.PenStyle = Qt.PenStyle.SolidLine) -> QPen:
    """Return a pen for widgets, ``width`` in pixels; on a screen of high density they are larger, like the text."""
    return QPen(colour(name, alpha), width, style)


def plot_pen(name: str, width: float = 1.0, alpha: float = 1.0, style: Qt.PenStyle = Qt.PenStyle.SolidLine) -> QPen:
    """Return a pen for plots: its ``width`` is in pixels in whatever coordinates it draws."""
    screen = QGuiApplication.primaryScreen()
    # Qt draws such a pen in the screen's own pixels, however dense they are.
    found = pen(name, width * (screen.devicePixelRatio() if screen is not None else 1.0), alpha, style)
    found.setCosmetic(True)
    return found


def brush(name: str, alpha: float = 1.0) -> QBrush:
    """Return a solid brush."""
    return QBrush(colour(name, alpha))


def outline(painter: QPainter, name: str, width: float = 1.0) -> None:
    """Let ``painter`` draw lines of the colour ``name``, ``width`` px, and fill nothing."""
    painter.setPen(pen(name, width))
    painter.setBrush(Qt.BrushStyle.NoBrush)


def solid(painter: QPainter, name: str) -> None:
    """Let ``painter`` fill with the colour ``name``, without a line around it."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(brush(name))


def write(
    painter: QPainter,
    box: QRectF,
    text: str,
    pixels: int = 0,
    name: str = "",
    *,
    align: Qt.AlignmentFlag = CENTRE,
    bold: bool = False,
    cut: Qt.TextElideMode | None = None,
) -> None:
    """Write ``text`` in ``box``: so high and in that colour where they are given, ``cut`` where it is too long."""
    if pixels:
        painter.setFont(font(pixels, bold=bold))
    if name:
        painter.setPen(pen(name))
    if cut is not None:
        text = painter.fontMetrics().elidedText(text, cut, int(box.width()))
    painter.drawText(box, align, text)


def strip(colours: NDArray[np.uint8]) -> QImage:
    """Return a picture of ``colours`` (height, width, 3) sRGB."""
    height, width, _ = colours.shape
    pixels = np.ascontiguousarray(colours).tobytes()
    return QImage(pixels, width, height, 3 * width, QImage.Format.Format_RGB888).copy()


class ElidedLabel(QLabel):
    """A one-line label that ends in an ellipsis where it has too little room, and then says all in its tool tip."""

    def __init__(self, words: str, pixels: int, name: str) -> None:
        super().__init__()
        self.words = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setFont(font(pixels))
        self.setMinimumWidth(40)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        set_colour(self, name)
        self.set_words(words)

    def set_words(self, words: str) -> None:
        """Show ``words``, unless they are shown already."""
        if words != self.words:
            self.words = words
            self._elide()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Cut the text anew."""
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        elided = self.fontMetrics().elidedText(self.words, Qt.TextElideMode.ElideRight, self.width())
        set_text(self, elided)
        self.setToolTip(self.words if elided != self.words else "")


def label(
    text: str = "", pixels: int = 12, name: str = TEXT, *, bold: bool = False, parent: QWidget | None = None
) -> QLabel:
    """Return a plain-text label."""
    found = QLabel(text, parent)
    found.setTextFormat(Qt.TextFormat.PlainText)
    found.setFont(font(pixels, bold=bold))
    set_colour(found, name)
    return found


def set_colour(target: QLabel, name: str) -> None:
    """Give a label's text the colour ``name``, unless it has it already (a new style sheet is costly)."""
    sheet = f"color: {name};"
    if target.styleSheet() != sheet:
        target.setStyleSheet(sheet)


def set_text(target: QLabel, text: str) -> None:
    """Give a label ``text``, unless it says so already (a new text is a new layout)."""
    if target.text() != text:
        target.setText(text)


class Button(QPushButton):
    """A button that Return presses, too: Space may have a meaning of its own in the window."""

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Press the button by Return and Enter."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        else:
            super().keyPressEvent(event)


def button(text: str, name: str) -> Button:
    """Return a button that is called ``name`` where it cannot be seen."""
    found = Button(text)
    found.setFont(font(12))
    found.setAccessibleName(name)
    found.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return found
