"""Signal quality: people by rows, so that a headset with a bad contact is seen as such."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QToolTip, QVBoxLayout, QWidget

from rtaffect.feedback import Feedback
from rtaffect.view import theme
from rtaffect.view.state import short_names

#: Fractions of the window below which a channel counts as partly good, and as poor.
GOOD_FROM, POOR_BELOW = 0.9, 0.5

LABELS_HEIGHT = 38.0
SMALLEST_LINE, TALLEST_LINE = 16.0, 26.0


def fill(quality: float) -> str | None:
    """Return the colour of a quality in [0, 1], None where there is no value."""
    if not np.isfinite(quality):
        return None
    if quality < POOR_BELOW:
        return theme.POOR
    return theme.GOOD if quality >= GOOD_FROM else theme.PARTLY


def describe_poor(latest: Feedback) -> str:
    """Return in words who has poor rows, and which."""
    found = []
    for person, values in zip(latest.people, latest.quality, strict=True):
        poor = [row for row, value in zip(latest.rows, values, strict=True) if value < POOR_BELOW]
        if len(poor) == len(latest.rows):
            found.append(f"{person}: all poor")
        elif poor:
            found.append(f"{person}: {len(poor)} poor ({', '.join(poor)})")
    if not found and not np.isfinite(latest.quality).any():
        return "no quality known yet"
    return "   \N{MIDDLE DOT}   ".join(found) or "nothing is poor"


class QualityGrid(QWidget):
    """One line for each person, one cell for each row; a number in percent where the cell is not good."""

    def __init__(self) -> None:
        super().__init__()
        self._latest: Feedback | None = None
        self._selected = 0
        self.setAccessibleName("signal quality by person and row")

    def show_step(self, latest: Feedback, selected: int) -> None:
        """Draw the newest step, with the chosen row marked."""
        self._latest, self._selected = latest, selected
        self.setMinimumHeight(int(LABELS_HEIGHT + SMALLEST_LINE * len(latest.people)))
        self.update()

    def cell(self, person: int, row: int) -> QRectF:
        """Return the place of a cell, px."""
        if self._latest is None:
            return QRectF()
        metrics = QFontMetrics(theme.font(12))
        shown = short_names(self._latest.people).values()
        names = min(max((metrics.horizontalAdvance(name) for name in shown), default=0) + 10.0, 140.0)
        width = (self.width() - names) / max(len(self._latest.rows), 1)
        height = (self.height() - LABELS_HEIGHT) / max(len(self._latest.people), 1)
        height = min(max(height, SMALLEST_LINE), TALLEST_LINE)
        return QRectF(names + row * width, LABELS_HEIGHT + person * height, width, height)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a comfortable size."""
        return QSize(400, 110)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw names, labels and cells."""
        if self._latest is None:
            return
        painter = QPainter(self)
        self._paint_labels(painter, self._latest)
        for person, name in enumerate(short_names(self._latest.people).values()):
            first = self.cell(person, 0)
            painter.setFont(theme.font(12))
            painter.setPen(theme.pen(theme.TEXT))
            room = QRectF(0, first.top(), first.left() - 6, first.height())
            elided = painter.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, int(room.width()))
            painter.drawText(room, Qt.AlignmentFlag.AlignVCenter, elided)
            for row, value in enumerate(self._latest.quality[person]):
                self._paint_cell(painter, self.cell(person, row), float(value))

    def _paint_labels(self, painter: QPainter, latest: Feedback) -> None:
        cell = self.cell(0, self._selected)
        painter.setFont(theme.font(11))
        painter.fillRect(QRectF(cell.left(), LABELS_HEIGHT - 4, max(cell.width(), 3), 3), theme.colour(theme.TEXT))
        # Labels narrower than a line of type, or cut, cannot be read: then only the chosen row is named.
        longest = max(painter.fontMetrics().horizontalAdvance(name) for name in latest.rows)
        if cell.width() < 12 or longest > LABELS_HEIGHT - 6:
            painter.setPen(theme.pen(theme.TEXT))
            left = self.cell(0, 0).left()
            wide = QRectF(left, LABELS_HEIGHT - 22, self.width() - left, 16)
            painter.drawText(wide, Qt.AlignmentFlag.AlignVCenter, f"marked: {latest.rows[self._selected]}")
            return
        for row, name in enumerate(latest.rows):
            cell = self.cell(0, row)
            painter.setPen(theme.pen(theme.TEXT if row == self._selected else theme.MUTED))
            painter.save()
            painter.translate(QPointF(cell.center().x() - 8, LABELS_HEIGHT - 6))
            painter.rotate(-90)
            painter.drawText(QRectF(0, 0, LABELS_HEIGHT, 16), Qt.AlignmentFlag.AlignVCenter, name)
            painter.restore()

    def _paint_cell(self, painter: QPainter, cell: QRectF, value: float) -> None:
        gap = 1.0 if cell.width() > 5 else 0.25
        inner = cell.adjusted(gap, 1, -gap, -1)
        name = fill(value)
        if name is None:
            painter.setPen(theme.pen(theme.FAINT))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(inner)
            return
        painter.fillRect(inner, theme.colour(name))
        if name != theme.GOOD and cell.width() >= 14:
            painter.setFont(theme.font(10, bold=True))
            painter.setPen(theme.pen(theme.BACKGROUND))
            painter.drawText(inner, Qt.AlignmentFlag.AlignCenter, f"{100 * value:.0f}")

    def event(self, event: QEvent) -> bool:
        """Name the cell under the pointer."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip and self._latest is not None:
            for (person, row), value in np.ndenumerate(self._latest.quality):
                if self.cell(person, row).contains(QPointF(event.pos())):
                    text = f"{self._latest.people[person]}, {self._latest.rows[row]}: {100 * value:.0f} % good"
                    QToolTip.showText(event.globalPos(), text, self)
                    return True
        return super().event(event)


class QualityKey(QWidget):
    """The key to the grid."""

    _ENTRIES = (
        ("good", theme.GOOD),
        ("50\N{EN DASH}90 %", theme.PARTLY),
        ("below 50 %", theme.POOR),
        ("no value", None),
    )

    def __init__(self) -> None:
        super().__init__()
        self.setFont(theme.font(11))
        self.setFixedSize(sum(self.fontMetrics().horizontalAdvance(text) + 26 for text, _ in self._ENTRIES), 16)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw a cell and its meaning for each class."""
        painter = QPainter(self)
        x = 0.0
        for text, name in self._ENTRIES:
            box = QRectF(x + 0.5, 2.5, 11, 11)
            if name is None:
                painter.setPen(theme.pen(theme.FAINT))
                painter.drawRect(box)
            else:
                painter.fillRect(box, theme.colour(name))
            width = self.fontMetrics().horizontalAdvance(text)
            painter.setPen(theme.pen(theme.MUTED))
            painter.drawText(QRectF(x + 16, 0, width + 4, 16), Qt.AlignmentFlag.AlignVCenter, text)
            x += width + 26


class QualityPanel(QFrame):
    """The grid with its heading, its key, and who is poor in words."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("card")
        self.grid = QualityGrid()
        self.words = theme.ElidedLabel("no quality known yet", 12, theme.MUTED)
        top = QHBoxLayout()
        top.addWidget(theme.label("Signal quality", 13, bold=True))
        top.addStretch(1)
        top.addWidget(QualityKey())
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(self.grid)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 6, 10, 6)
        layout.setSpacing(2)
        layout.addLayout(top)
        layout.addWidget(area, 1)
        layout.addWidget(self.words)

    def show_step(self, latest: Feedback, selected: int) -> None:
        """Draw the newest step."""
        self.grid.show_step(latest, selected)
        text = describe_poor(latest)
        self.words.set_words(text)
