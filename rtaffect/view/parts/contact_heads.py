"""Heads seen from above with a large disc for each electrode: name, figure, sign and colour of its contact."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from rtaffect.observed.contact import ElectrodeContact, Verdict
from rtaffect.present.contact_state import SIGNS, HeadView, number_of
from rtaffect.view.parts import theme
from rtaffect.view.parts.head_plan import paint_head, plan
from rtaffect.view.parts.plot_key import Entry

#: Fill and text of each verdict: dark, light and middle, so that they differ without colour, too.
FILLS: dict[Verdict, tuple[str, str]] = {
    "good": (theme.GOOD, theme.TEXT),
    "fair": (theme.PARTLY, theme.BACKGROUND),
    "bad": (theme.POOR, theme.BACKGROUND),
    "unknown": (theme.BACKGROUND, theme.MUTED),
}
WORDS: dict[Verdict, str] = {"good": "good", "fair": "fair", "bad": "bad", "unknown": "not known"}
#: A disc's radius at most, px, and below which it has no figure.
LARGEST, WITH_FIGURE = 64.0, 19.0
#: So many heads are shown at once.
MOST_HEADS = 4


class ContactHeads(QWidget):
    """One head for each headset, or one that is chosen alone."""

    def __init__(self) -> None:
        super().__init__()
        self.heads: tuple[HeadView, ...] = ()
        #: The number of the only head that is shown; None: all, four at a time.
        self.alone: int | None = None
        self._first = 0
        self.setMinimumSize(480, 300)
        self.setAccessibleName("contact of each electrode, on a plan of each head")

    def show_heads(self, heads: Sequence[HeadView]) -> None:
        """Draw the newest state."""
        self.heads = tuple(heads)
        if self.alone is not None and self.alone >= len(self.heads):
            self.alone = None
        said = "; ".join(f"{head.name}: {head.headline}" for head in heads)
        self.setAccessibleDescription(said)
        self.update()

    def show_alone(self, number: int | None) -> None:
        """Show one head alone, by its number from 0, or (None) all."""
        self.alone = number if number is not None and number < len(self.heads) else None
        self.update()

    def next_person(self) -> None:
        """Show the next head alone; after the last one all of them."""
        at = -1 if self.alone is None else self.alone
        self.show_alone(at + 1 if at + 1 < len(self.heads) else None)

    def turn_page(self) -> None:
        """Show the next four heads."""
        self._first = self._first + MOST_HEADS if self._first + MOST_HEADS < len(self.heads) else 0
        self.update()

    def shown(self) -> list[int]:
        """Return the numbers of the heads that are drawn."""
        if self.alone is not None:
            return [self.alone]
        first = self._first if self._first < len(self.heads) else 0
        return list(range(first, min(first + MOST_HEADS, len(self.heads))))

    def cells(self) -> dict[int, QRectF]:
        """Return the place of each head that is drawn, px."""
        numbers = self.shown()
        if not numbers:
            return {}
        shapes = ((columns, math.ceil(len(numbers) / columns)) for columns in range(1, len(numbers) + 1))
        columns, lines = max(shapes, key=lambda s: min(self.width() / s[0], 1.1 * self.height() / s[1]))
        width, height = self.width() / columns, self.height() / lines
        return {
            number: QRectF(i % columns * width, i // columns * height, width, height)
            for i, number in enumerate(numbers)
        }

    def discs(self, number: int) -> tuple[dict[int, QPointF], float]:
        """Return the centres of a head's discs by the electrodes' numbers, and their radius, px."""
        cell = self.cells().get(number)
        if cell is None:
            return {}, 0.0
        area, beside = self._areas(number, cell)
        found = plan([each.name for each in self.heads[number].electrodes], area, largest=LARGEST)
        rest = [i for i in range(len(self.heads[number].electrodes)) if i not in found.places]
        radius = found.disc if found.places else LARGEST
        if rest:
            radius = min(radius, _fitting(len(rest), beside))
        return {**found.places, **_in_lines(rest, beside, radius)}, radius

    def _areas(self, number: int, cell: QRectF) -> tuple[QRectF, QRectF]:
        """Return where a head is drawn, and where electrodes without a known place are."""
        title, advice = self._sizes(cell)
        area = cell.adjusted(14, title + 12, -14, -(advice + 12))
        names = [each.name for each in self.heads[number].electrodes]
        placed = len(plan(names, area).places)
        if placed == len(names):
            return area, QRectF()
        below = area.height() * (0.25 if placed else 1.0)
        return area.adjusted(0, 0, 0, -below), QRectF(area.left(), area.bottom() - below, area.width(), below)

    @staticmethod
    def _sizes(cell: QRectF) -> tuple[int, int]:
        """Return the heights of a head's title and of its advice, px."""
        return max(18, min(44, int(cell.height() * 0.07))), max(16, min(32, int(cell.height() * 0.055)))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw the heads."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for number, cell in self.cells().items():
            self._paint(painter, number, cell)

    def _paint(self, painter: QPainter, number: int, cell: QRectF) -> None:
        head, (title, advice) = self.heads[number], self._sizes(cell)
        frame = theme.LEVELS["good"][1] if head.target.met else theme.GRID
        theme.outline(painter, frame, 3 if head.target.met else 1)
        painter.drawRoundedRect(cell.adjusted(4, 4, -4, -4), 6, 6)
        self._paint_title(painter, head, number, QRectF(cell.left() + 14, cell.top() + 8, cell.width() - 28, title))
        if head.electrodes:
            area, _ = self._areas(number, cell)
            found = plan([each.name for each in head.electrodes], area, largest=LARGEST)
            if found.places:
                paint_head(painter, found)
            centres, radius = self.discs(number)
            for i, centre in centres.items():
                paint_electrode(painter, centre, radius, head.electrodes[i])
        foot = QRectF(cell.left() + 14, cell.bottom() - advice - 10, cell.width() - 28, advice)
        colour = theme.NOTICE if head.advice else theme.MUTED
        theme.write(
            painter,
            foot,
            head.advice,
            _fits(head.advice, foot, 0.72, bold=True, least=12),
            colour,
            align=theme.LEFT,
            bold=True,
            cut=theme.AT_END,
        )

    @staticmethod
    def _paint_title(painter: QPainter, head: HeadView, number: int, room: QRectF) -> None:
        symbol, colour = theme.LEVELS["good" if head.target.met else "warn"]
        state, name = f"{symbol} {head.headline}", f"{number + 1}  {head.name}"
        pixels = _fits(f"{state}   {name}", room, 0.7, bold=True, least=13)
        wide = min(QFontMetrics(theme.font(pixels, bold=True)).horizontalAdvance(state) + 8, 0.85 * room.width())
        right = QRectF(room.right() - wide, room.top(), wide, room.height())
        theme.write(painter, right, state, pixels, colour, align=theme.RIGHT, bold=True, cut=theme.AT_END)
        left = QRectF(room.left(), room.top(), room.width() - wide - 8, room.height())
        theme.write(painter, left, name, pixels, theme.TEXT, align=theme.LEFT, bold=True, cut=theme.IN_MIDDLE)


def _fitting(count: int, area: QRectF) -> float:
    """Return the largest radius at which so many discs fit into an area, in lines, px."""
    best = 6.0
    for lines in range(1, count + 1):
        each = math.ceil(count / lines)
        best = max(best, min(area.width() / each, area.height() / lines) / 2.2)
    return min(best, LARGEST)


def _in_lines(numbers: Sequence[int], area: QRectF, radius: float) -> dict[int, QPointF]:
    """Return the centres of discs that stand in lines in an area, px."""
    if not numbers:
        return {}
    each = max(1, min(len(numbers), int(area.width() / (2.2 * radius))))
    left = area.center().x() - 1.1 * radius * (each - 1)
    return {
        number: QPointF(left + 2.2 * radius * (i % each), area.top() + 1.1 * radius * (1 + 2 * (i // each)))
        for i, number in enumerate(numbers)
    }


def paint_electrode(painter: QPainter, centre: QPointF, radius: float, electrode: ElectrodeContact) -> None:
    """Draw an electrode: a disc, with a ring where fair, a square where bad, a dashed ring where it is not known."""
    fill, text = FILLS[electrode.verdict]
    painter.setBrush(theme.brush(fill))
    if electrode.verdict == "unknown":
        painter.setPen(theme.pen(theme.MUTED, 1.5, style=Qt.PenStyle.DashLine))
        painter.drawEllipse(centre, 0.92 * radius, 0.92 * radius)
    elif electrode.verdict == "bad":
        painter.setPen(theme.pen(theme.TEXT, max(1.0, radius / 16)))
        side = 0.9 * radius
        painter.drawRoundedRect(QRectF(centre.x() - side, centre.y() - side, 2 * side, 2 * side), 3, 3)
    else:
        wide = max(1.5, radius / 9) if electrode.verdict == "fair" else 1.0
        painter.setPen(theme.pen(theme.TEXT, wide))
        painter.drawEllipse(centre, 0.92 * radius, 0.92 * radius)
    box = QRectF(centre.x() - 0.78 * radius, centre.y() - radius, 1.56 * radius, 2 * radius)
    if radius < 7:
        return
    with_figure = radius >= WITH_FIGURE
    room = QRectF(box.left(), box.top() + (0.28 * radius if with_figure else 0), box.width(),
                  0.9 * radius if with_figure else box.height())  # fmt: skip
    theme.write(painter, room, electrode.name, _fits(electrode.name, room, bold=True), text, bold=True)
    if with_figure:
        below = QRectF(centre.x() - 0.66 * radius, centre.y() + 0.14 * radius, 1.32 * radius, 0.54 * radius)
        said = " ".join(filter(None, (SIGNS[electrode.verdict], number_of(electrode))))
        theme.write(painter, below, said, _fits(said, below), text)


def _fits(text: str, room: QRectF, of_height: float = 0.92, *, bold: bool = False, least: int = 7) -> int:
    """Return the largest letters with which a text fits into a room, px, but not smaller than the ``least``."""
    pixels = min(44, max(least, int(of_height * room.height())))
    while pixels > least and QFontMetrics(theme.font(pixels, bold=bold)).horizontalAdvance(text) > room.width():
        pixels -= 1
    return pixels


def contact_key() -> list[Entry]:
    """Return the key to the discs."""
    return [(partial(_sample, verdict), f"{SIGNS[verdict]} {words}") for verdict, words in WORDS.items()]


def _sample(verdict: Verdict, painter: QPainter, rect: QRectF) -> None:
    paint_electrode(painter, QPointF(rect.right() - 6, rect.center().y()), 6.5, ElectrodeContact("", verdict, math.nan))
