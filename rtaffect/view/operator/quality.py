"""Signal quality: people by channels, so that a headset with a bad contact is seen as such."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF
from PySide6.QtGui import QFontMetrics, QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QToolTip, QWidget

from rtaffect.engine.feedback import Feedback
from rtaffect.present.sections import chosen_channel
from rtaffect.present.session_state import short_names
from rtaffect.view.parts import theme
from rtaffect.view.parts.layouts import column, row, scrolled
from rtaffect.view.parts.plot_key import Entry, Key

#: Fractions of the window below which a channel counts as partly good, and as poor.
GOOD_FROM, POOR_BELOW = 0.9, 0.5
#: What keys say of each class, and a quality that is in it.
CLASSES = (("good", 1.0), ("50\N{EN DASH}90 %", 0.7), ("< 50 %", 0.2), ("no value", math.nan))

LABELS_HEIGHT = 38.0

#: How far apart the names of channels must be, px: at least where all are named, else so that the eye finds the cell.
LEAST_PITCH, PITCH = 11.0, 13.0
SMALLEST_LINE, TALLEST_LINE = 16.0, 26.0


def fill(quality: float) -> str | None:
    """Return the colour of a quality in [0, 1], None where there is no value."""
    if not np.isfinite(quality):
        return None
    if quality < POOR_BELOW:
        return theme.POOR
    return theme.GOOD if quality >= GOOD_FROM else theme.PARTLY


def describe_poor(latest: Feedback) -> str:
    """Return in words who has poor channels, and which."""
    found = []
    for person, values in zip(latest.people, latest.quality, strict=True):
        poor = [channel for channel, value in zip(latest.channels, values, strict=True) if value < POOR_BELOW]
        if len(poor) == len(latest.channels):
            found.append(f"{person}: all poor")
        elif poor:
            found.append(f"{person}: {len(poor)} poor ({', '.join(poor)})")
    if not latest.people:
        return "no headset is worn"
    if not found and not np.isfinite(latest.quality).any():
        return "no quality known yet"
    return "   \N{MIDDLE DOT}   ".join(found) or "nothing is poor"


class QualityGrid(QWidget):
    """One line for each person, one cell for each channel; a number in percent where the cell is not good."""

    def __init__(self) -> None:
        super().__init__()
        self._latest: Feedback | None = None
        self._names: list[str] = []
        self._names_width = 0.0
        self.marked: int | None = None
        self.setAccessibleName("signal quality by person and channel")

    def show_step(self, latest: Feedback, selected: int) -> None:
        """Draw the newest step; the chosen row is marked where it is a channel."""
        self._latest, self.marked = latest, chosen_channel(latest, selected)
        self._names = list(short_names(latest.people).values())
        metrics = QFontMetrics(theme.font(12))
        widest = max((metrics.horizontalAdvance(name) for name in self._names), default=0)
        self._names_width = min(widest + 10.0, 140.0)
        self.setMinimumHeight(int(LABELS_HEIGHT + SMALLEST_LINE * len(latest.people)))
        self.update()

    def cell(self, person: int, channel: int) -> QRectF:
        """Return the place of a cell, px."""
        if self._latest is None:
            return QRectF()
        width = (self.width() - self._names_width) / max(len(self._latest.channels), 1)
        height = (self.height() - LABELS_HEIGHT) / max(len(self._latest.people), 1)
        height = min(max(height, SMALLEST_LINE), TALLEST_LINE)
        return QRectF(self._names_width + channel * width, LABELS_HEIGHT + person * height, width, height)

    def labelled(self) -> list[int]:
        """Return the channels that are named: each, or as many as have room, and the marked one in any case."""
        count = len(self._latest.channels) if self._latest is not None else 0
        width = max(self.cell(0, 0).width(), 1.0)
        every = 1 if width >= LEAST_PITCH else math.ceil(PITCH / width)
        if self.marked is None:
            return list(range(0, count, every))
        return [i for i in range(count) if i == self.marked or (i % every == 0 and abs(i - self.marked) >= every)]

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw names, labels and cells."""
        if self._latest is None:
            return
        painter = QPainter(self)
        self._paint_labels(painter, self._latest)
        for person, name in enumerate(self._names):
            first = self.cell(person, 0)
            room = QRectF(0, first.top(), first.left() - 6, first.height())
            theme.write(painter, room, name, 12, theme.TEXT, align=theme.LEFT, cut=theme.IN_MIDDLE)
            for channel, value in enumerate(self._latest.quality[person]):
                self._paint_cell(painter, self.cell(person, channel), float(value))

    def _paint_labels(self, painter: QPainter, latest: Feedback) -> None:
        painter.setFont(theme.font(11))
        if self.marked is not None:
            cell = self.cell(0, self.marked)
            painter.fillRect(QRectF(cell.left(), LABELS_HEIGHT - 4, max(cell.width(), 3), 3), theme.colour(theme.TEXT))
        # Labels that are cut cannot be read: then the order is told, or the chosen one.
        longest = max((painter.fontMetrics().horizontalAdvance(name) for name in latest.channels), default=0)
        if longest > LABELS_HEIGHT - 6:
            in_order = f"{latest.channels[0]} \N{HORIZONTAL ELLIPSIS} {latest.channels[-1]}"
            wide = QRectF(self._names_width, LABELS_HEIGHT - 22, self.width() - self._names_width, 16)
            text = f"channels: {in_order}" if self.marked is None else f"marked: {latest.channels[self.marked]}"
            name = theme.MUTED if self.marked is None else theme.TEXT
            theme.write(painter, wide, text, name=name, align=theme.LEFT)
            return
        labelled = self.labelled()
        for channel in labelled:
            chosen, middle = channel == self.marked, self.cell(0, channel).center().x()
            painter.setPen(theme.pen(theme.TEXT if chosen else theme.MUTED))
            if len(labelled) < len(latest.channels) and not chosen:
                painter.drawLine(QPointF(middle, LABELS_HEIGHT - 4), QPointF(middle, LABELS_HEIGHT - 1))
            painter.save()
            # The last of many narrow cells has less room on its right than a label is high.
            painter.translate(QPointF(min(middle - 8, self.width() - 14), LABELS_HEIGHT - 6))
            painter.rotate(-90)
            theme.write(painter, QRectF(0, 0, LABELS_HEIGHT, 16), latest.channels[channel], align=theme.LEFT)
            painter.restore()

    def _paint_cell(self, painter: QPainter, cell: QRectF, value: float) -> None:
        inner = cell.adjusted(1, 1, -1, -1)
        if cell.width() < 6:
            # Whole pixels, or the gaps between narrow cells come and go.
            left = round(cell.left())
            inner = QRectF(left, inner.top(), max(round(cell.right()) - left - 1, 1), inner.height())
        name = fill(value)
        if name is None:
            theme.outline(painter, theme.FAINT)
            painter.drawRect(inner)
            return
        painter.fillRect(inner, theme.colour(name))
        if name != theme.GOOD and cell.width() >= 14:
            theme.write(painter, inner, f"{100 * value:.0f}", 10, theme.BACKGROUND, bold=True)

    def event(self, event: QEvent) -> bool:
        """Name the cell under the pointer."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip and self._latest is not None:
            for (person, channel), value in np.ndenumerate(self._latest.quality):
                if self.cell(person, channel).contains(QPointF(event.pos())):
                    good = f"{100 * value:.0f} % good" if np.isfinite(value) else "no value"
                    text = f"{self._latest.people[person]}, {self._latest.channels[channel]}: {good}"
                    QToolTip.showText(event.globalPos(), text, self)
                    return True
        return super().event(event)


def quality_key() -> list[Entry]:
    """Return the key to the grid."""
    return [(partial(_cell, quality), text) for text, quality in CLASSES]


def _cell(quality: float, painter: QPainter, rect: QRectF) -> None:
    name, box = fill(quality), QRectF(rect.left() + 6, rect.top(), 12, 12)
    if name is None:
        theme.outline(painter, theme.FAINT)
        painter.drawRect(box.adjusted(0.5, 0.5, -0.5, -0.5))
    else:
        painter.fillRect(box, theme.colour(name))


class QualityPanel(QFrame):
    """The grid with its heading, its key, and who is poor in words."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("card")
        self.grid = QualityGrid()
        self.words = theme.ElidedLabel("no quality known yet", 12, theme.MUTED)
        heading, key = theme.label("Signal quality", 13, bold=True), Key(quality_key()).in_one_line()
        parts = (row(heading, None, key), (scrolled(self.grid), 1), self.words)
        column(*parts, of=self, margins=(10, 6, 10, 6), spacing=2)

    def show_step(self, latest: Feedback, selected: int) -> None:
        """Draw the newest step."""
        self.grid.show_step(latest, selected)
        self.words.set_words(describe_poor(latest))
