"""All rows at the newest step: a list to choose from, in sections where the rows are of several kinds."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QListWidget, QListWidgetItem, QWidget

from rtaffect.engine.feedback import Feedback
from rtaffect.observed.operator import LEAST_SPECIFICITY
from rtaffect.present.measure_state import value_text
from rtaffect.present.number_text import correlation_text
from rtaffect.present.sections import HEADINGS, list_lines, percent, resolved, row_hint, section_hint
from rtaffect.view.operator.row_lines import ROW, RowDelegate, Scale, diamond, paint_cross, paint_hatching
from rtaffect.view.parts import theme
from rtaffect.view.parts.layouts import column

SMALLEST_LINE, TALLEST_LINE = 20, 34

#: Width of the panel, and where rows show how much of their power is their own: then also in a wide window.
WIDTH, WIDTH_WITH_SHARES, WIDEST = 330, 350, 396

#: Width of a window from which on it is wide.
WIDE_WINDOW = 1500

SHARE_HINT = "own share: how much of a row's estimated power is its own with this montage"


class RowAxis(QWidget):
    """The axis over the list, aligned with its tracks."""

    def __init__(self, scale: Scale, lines: QWidget) -> None:
        super().__init__()
        self._scale, self._lines = scale, lines
        self.setFont(theme.font(11))
        self.setFixedHeight(34)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw the labels and a tick at each round value."""
        painter = QPainter(self)
        painter.setPen(theme.pen(theme.MUTED))
        width = self._lines.width()
        left, right = self._scale.track(width)
        rated = self._scale.rating is not None
        theme.write(painter, QRectF(left, 0, right - left, 15), "rating" if rated else "synchrony (r)")
        if self._scale.shares_width:
            room = QRectF(0, 0, self._scale.names_width + self._scale.shares_width, 15)
            theme.write(painter, room, "own share", align=theme.RIGHT)
        rating = self._scale.rating
        ends = ("low", "middle", "high") if rating is not None and rating.each else ()
        for number, tick in enumerate(self._scale.ticks.tolist()):
            x = self._scale.x(tick, width)
            text = value_text(tick) if rated else correlation_text(tick)
            theme.write(painter, QRectF(x - 20, 15, 40, 14), ends[number] if ends else text)
            painter.drawLine(QPointF(x, 30), QPointF(x, 33))


class RowKey(QWidget):
    """The key to the list; a third line where there are rows that the montage does not tell apart."""

    def __init__(self) -> None:
        super().__init__()
        self.unresolved = self.rated = False
        self.setFont(theme.font(11))
        self.setFixedHeight(34)

    def show_step(self, latest: Feedback) -> None:
        """Explain the marks that the rows of ``latest`` can have."""
        self.rated = latest.rating is not None
        self.unresolved = not resolved(latest).all()
        self.setFixedHeight(51 if self.unresolved else 34)
        self.setToolTip(SHARE_HINT if (latest.specificity < 1).any() else "")

    @property
    def entries(self) -> tuple[tuple[float, float, str], ...]:
        """Where each entry's text begins, px, and the text."""
        if self.rated:
            return ((28.0, 1.0, "predicted"), (116.0, 1.0, "own rating"), (116.0, 18.0, "grey: not trusted now"))
        always = (
            (28.0, 1.0, "predicted"),
            (116.0, 1.0, "observed"),
            (210.0, 1.0, "in the null band"),
            (28.0, 18.0, "null band"),
            (116.0, 18.0, "grey: not trusted now"),
        )
        hatched = (28.0, 35.0, f"own share below {percent(LEAST_SPECIFICITY)}: not told apart")
        return (*always, hatched) if self.unresolved else always

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw the marks and their names."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme.solid(painter, theme.PREDICTED)
        painter.drawPolygon(diamond(16, 8))
        theme.outline(painter, theme.OBSERVED, 1.5)
        if not self.rated:
            painter.drawEllipse(QPointF(200, 8), 4, 4)
        painter.setBrush(theme.brush(theme.OBSERVED))
        painter.drawEllipse(QPointF(106, 8), 4, 4)
        if not self.rated:
            painter.fillRect(QRectF(9, 20, 14, 11), theme.colour(theme.NULL, 0.35))
        paint_cross(painter, QPointF(106, 25.5))
        if self.unresolved:
            paint_hatching(painter, QRectF(9, 37, 14, 11))
        painter.setPen(theme.pen(theme.MUTED))
        for x, y, text in self.entries:
            theme.write(painter, QRectF(x, y, self.width() - x, 15), text, align=theme.LEFT)


class RowList(QListWidget):
    """A list that says when its size has changed, and whose keys lead to rows only."""

    resized = Signal()

    def moveCursor(  # noqa: N802
        self, action: QListWidget.CursorAction, modifiers: Qt.KeyboardModifier
    ) -> QModelIndex:
        """Return where a key leads: Qt passes over headings, but for the one at the top."""
        found = super().moveCursor(action, modifiers)
        heading = found.isValid() and found.data(ROW) is None
        return found.siblingAtRow(found.row() + 1) if heading else found

    def keyboardSearch(self, search: str) -> None:  # noqa: N802
        """Let letters alone: in this window they are keys of their own."""

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Say so."""
        super().resizeEvent(event)
        self.resized.emit()


class RowPanel(QFrame):
    """The list of rows; ``chosen`` is emitted with the row's index when another row is chosen."""

    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("card")
        self.setFixedWidth(WIDTH)
        self.heading = theme.label("Rows at the newest step", 13, bold=True)
        self.lines: tuple[int | str, ...] = ()
        self._hints: list[str] = []
        self.scale, self.key = Scale(), RowKey()
        self.delegate = RowDelegate(self.scale)
        self._build_list()
        self.axis = RowAxis(self.scale, self.list.viewport())
        self.axis.setVisible(False)
        self.empty = theme.label("rows come with the first step", 12, theme.MUTED)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.heading.setContentsMargins(8, 0, 0, 0)
        parts = (self.heading, self.key, self.axis, (self.empty, 1), (self.list, 1))
        column(*parts, of=self, margins=(2, 6, 2, 6), spacing=2)

    def _build_list(self) -> None:
        self.list = RowList()
        self.list.resized.connect(self._fit_lines)
        self.list.setVisible(False)
        self.list.setItemDelegate(self.delegate)
        self.list.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setAccessibleName("rows")
        self.list.currentRowChanged.connect(self._choose)

    def show_step(self, latest: Feedback, selected: int) -> None:
        """Draw the newest step; the list is built anew only when its rows are others."""
        self.delegate.show_step(latest)
        self._fit_scale()
        hints = [row_hint(latest, row) for row in range(len(latest.rows))]
        if hints != self._hints:
            self._hints = hints
            self._fill(latest)
        if self._row_at(self.list.currentRow()) != selected:
            self.list.blockSignals(True)
            self.list.setCurrentRow(self.lines.index(selected))
            self.list.blockSignals(False)
            self._reveal()
        self.list.viewport().update()
        if self.empty.isVisibleTo(self):
            self.empty.setVisible(False)
            self.axis.setVisible(True)
            self.list.setVisible(True)
            self.list.setFocus()
        self.axis.update()

    def _fill(self, latest: Feedback) -> None:
        """Build the list anew, without a current line."""
        self.lines = list_lines(latest.row_kinds)
        self.list.blockSignals(True)
        self.list.clear()
        for line in self.lines:
            item = QListWidgetItem()
            if isinstance(line, int):
                item.setText(latest.rows[line])
                item.setToolTip(self._hints[line])
                item.setData(ROW, line)
            else:
                item.setText(HEADINGS[line])
                item.setToolTip(section_hint(line))
                item.setFlags(Qt.ItemFlag.NoItemFlags)
            self.list.addItem(item)
        self.list.blockSignals(False)
        self.key.show_step(latest)
        self._fit_lines()

    def fit_window(self, width: int) -> None:
        """Take the width that suits a window of ``width``, px; long names have more room in a wide one."""
        with_shares = WIDEST if width >= WIDE_WINDOW else WIDTH_WITH_SHARES
        self.setFixedWidth(with_shares if self.scale.shares_width else WIDTH)
        self.scale.wider = with_shares - WIDTH_WITH_SHARES
        self._fit_scale()

    def _fit_scale(self) -> None:
        if self.delegate.latest is not None:
            self.scale.fit(self.delegate.latest, QFontMetrics(theme.font(12, bold=True)))

    def _fit_lines(self) -> None:
        """Let the lines share the height."""
        room = self.list.viewport().height() // max(self.list.count(), 1)
        self.delegate.height = min(max(room, SMALLEST_LINE), TALLEST_LINE)
        self.list.scheduleDelayedItemsLayout()

    def _reveal(self) -> None:
        """Scroll to the current line, and to the heading over it where it is the first of its section."""
        line = self.list.currentRow()
        if line > 0 and self._row_at(line - 1) is None:
            self.list.scrollToItem(self.list.item(line - 1))
        self.list.scrollToItem(self.list.item(line))

    def _row_at(self, line: int) -> int | None:
        """Return the index of the row in a line of the list, None where there is no row."""
        found = self.lines[line] if 0 <= line < len(self.lines) else None
        return found if isinstance(found, int) else None

    def _choose(self, line: int) -> None:
        row = self._row_at(line)
        if row is not None:
            self._reveal()
            self.chosen.emit(row)
