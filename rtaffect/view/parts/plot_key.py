"""Keys to the plots: one drawn sample and one word for each mark."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Final

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from rtaffect.predicted.feature_cache import Element
from rtaffect.view.parts import theme

#: Height of a line of the key, px.
KEY_LINE = 18

Sample = Callable[[QPainter, QRectF], None]
Entry = tuple[Sample, str]


#: Colour and stroke of what each element predicts.
ELEMENT_LINES: Final[dict[Element, tuple[str, Qt.PenStyle]]] = {
    "voice": (theme.VOICE, Qt.PenStyle.DashLine),
    "background": (theme.SOUNDTRACK, Qt.PenStyle.DashDotLine),
}


def time_course_key(smooth_steps: int, elements: Mapping[Element, str] = MappingProxyType({})) -> list[Entry]:
    """Return the key to the courses; ``elements`` has the words for the line of each that is predicted from."""
    return [
        (partial(_line, theme.PREDICTED, 2), "predicted"),
        (partial(_area, theme.PREDICTED), "predicted interval"),
        *((partial(_stroke, *ELEMENT_LINES[element]), words) for element, words in elements.items()),
        (partial(_dot, True), "observed, each step"),
        (partial(_dot, False), "inside the null band"),
        (partial(_line, theme.OBSERVED, 3), f"observed, mean of {smooth_steps} steps"),
        (partial(_area, theme.NULL), "null band (no time lock)"),
        (_now, "now"),
    ]


def rating_key(smooth_steps: int) -> list[Entry]:
    """Return the key to the courses of ratings."""
    return [
        (partial(_line, theme.PREDICTED, 2), "predicted from the sound"),
        (partial(_area, theme.PREDICTED), "predicted interval"),
        (partial(_dot, True), "the participant's own rating, each step"),
        (partial(_line, theme.OBSERVED, 3), f"its mean of {smooth_steps} steps"),
        (_now, "now"),
    ]


def agreement_key(smooth_steps: int, *, rating: bool = False) -> list[Entry]:
    """Return the key to running correlations and differences; of a ``rating`` there is no null band."""
    noise = (partial(_area, theme.NULL), "where it would be noise (null band \N{MINUS SIGN} predicted)")
    return [
        (partial(_line, theme.TEXT, 2), "running r"),
        (partial(_area, theme.NULL), "its range by chance"),
        (partial(_dot, True), "difference, each step"),
        (partial(_line, theme.OBSERVED, 3), f"its mean of {smooth_steps} steps"),
        (partial(_area, theme.PREDICTED), "where the prediction holds (interval)"),
        *(() if rating else (noise,)),
        (_now, "now"),
    ]


class Key(QWidget):
    """Samples and words, in as many lines as the width needs."""

    def __init__(self, entries: Sequence[Entry], hint: str = "") -> None:
        super().__init__()
        self.entries: list[Entry] = []
        self._margin, self._gap = 4.0, 10.0
        self.setFont(theme.font(11))
        self.setToolTip(hint)
        self.show_entries(entries)

    def show_entries(self, entries: Sequence[Entry]) -> None:
        """Explain other marks."""
        if [text for _, text in entries] != [text for _, text in self.entries]:
            self.entries = list(entries)
            self.setFixedHeight(int(self.places()[-1].bottom()))
            self.update()

    def in_one_line(self) -> Key:
        """Take the width that all entries need side by side, close together; return itself."""
        self._margin, self._gap = 0.0, 0.0
        self.setFixedSize(10**6, KEY_LINE)
        self.setFixedWidth(int(self.places()[-1].right()) + 1)
        return self

    def places(self) -> list[QRectF]:
        """Return the place of each entry, px: left to right, in as many lines as the width needs."""
        found: list[QRectF] = []
        x, y = self._margin, 0.0
        for _, text in self.entries:
            width = self.fontMetrics().horizontalAdvance(text) + 22.0
            if found and x + width > self.width():
                x, y = self._margin, y + KEY_LINE
            found.append(QRectF(x, y, width, KEY_LINE))
            x += width + self._gap
        return found

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Take the height that the lines need."""
        super().resizeEvent(event)
        self.setFixedHeight(int(self.places()[-1].bottom()))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw the entries."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for (draw, text), place in zip(self.entries, self.places(), strict=True):
            draw(painter, QRectF(place.left(), place.top() + 3, 18.0, 12.0))
            theme.write(painter, place.adjusted(22, 0, 4, 0), text, name=theme.MUTED, align=theme.LEFT)


def _line(name: str, width: float, painter: QPainter, rect: QRectF) -> None:
    painter.setPen(theme.pen(name, width))
    painter.drawLine(QPointF(rect.left(), rect.center().y()), QPointF(rect.right(), rect.center().y()))


def _stroke(name: str, style: Qt.PenStyle, painter: QPainter, rect: QRectF) -> None:
    painter.setPen(theme.pen(name, 2, 1.0, style))
    painter.drawLine(QPointF(rect.left(), rect.center().y()), QPointF(rect.right() - 2, rect.center().y()))


def _area(name: str, painter: QPainter, rect: QRectF) -> None:
    painter.fillRect(rect, theme.colour(name, 0.35))


def _dot(filled: bool, painter: QPainter, rect: QRectF) -> None:
    painter.setPen(theme.pen(theme.OBSERVED))
    painter.setBrush(theme.brush(theme.OBSERVED) if filled else Qt.BrushStyle.NoBrush)
    painter.drawEllipse(QPointF(rect.right() - 6, rect.center().y()), 3.0, 3.0)


def _now(painter: QPainter, rect: QRectF) -> None:
    painter.setPen(theme.pen(theme.TEXT, 1, 0.7, Qt.PenStyle.DashLine))
    painter.drawLine(QPointF(rect.right() - 6, rect.top()), QPointF(rect.right() - 6, rect.bottom()))
