"""What is always said at the foot: health of the session, the newest step, and why values are missing."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QHelpEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QLineEdit, QToolTip, QWidget

from rtaffect.present.health import HealthItem
from rtaffect.present.session_state import ViewState, describe_notices, describe_step
from rtaffect.view.parts import theme
from rtaffect.view.parts.layouts import column, row

NOTICE_LINE = 17
#: Beside a marker that is being written.
MARKER_HINT = "Return sends it with that moment's time, Esc leaves"
#: Height of the health line, room between its figures, and how much of a figure is never cut, px.
LINE, APART, SHORT = 18, 18.0, 150.0


class HealthLine(QWidget):
    """All figures side by side; a long one is cut where there is too little room, and its hint says all."""

    def __init__(self) -> None:
        super().__init__()
        self._items: tuple[HealthItem, ...] = ()
        self.setFont(theme.font(12))
        self.setFixedHeight(LINE)
        self.setAccessibleName("health of the session")

    @property
    def words(self) -> list[str]:
        """What the figures say, for people and tests."""
        return [_words(item) for item in self._items]

    def show_items(self, items: tuple[HealthItem, ...]) -> None:
        """Say ``items``; a figure that is to be looked at has a mark and a colour."""
        if items != self._items:
            self._items = items
            self.setAccessibleDescription(", ".join(self.words))
            self.update()

    def places(self) -> list[QRectF]:
        """Return the place of each figure, px; where all do not fit, the long ones share what is left."""
        widths = [self.fontMetrics().horizontalAdvance(words) + 2.0 for words in self.words]
        over = sum(widths) + APART * max(len(widths) - 1, 0) - self.width()
        # Long ones give what they have beyond SHORT; if that is not enough, all give their part.
        long = [max(0.0, width - SHORT) for width in widths]
        cut = min(1.0, max(0.0, over) / max(sum(long), 1.0))
        widths = [width - cut * beyond for width, beyond in zip(widths, long, strict=True)]
        part = 1 - max(0.0, over - sum(long)) / max(sum(widths), 1.0)
        found, x = [], 0.0
        for width in widths:
            shown = max(0.0, part * width)
            found.append(QRectF(x, 0, shown, self.height()))
            x += shown + APART
        return found

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Write the figures."""
        painter = QPainter(self)
        for item, place in zip(self._items, self.places(), strict=True):
            ill = item.level in ("warn", "bad")
            name = theme.LEVELS[item.level][1] if ill else theme.MUTED
            words = painter.fontMetrics().elidedText(_words(item), theme.AT_END, int(place.width()) + 1)
            theme.write(painter, place.adjusted(0, 0, 4, 0), words, name=name, align=theme.LEFT)

    def event(self, event: QEvent) -> bool:
        """Explain the figure under the pointer."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            for item, place in zip(self._items, self.places(), strict=True):
                if place.contains(QPointF(event.pos())):
                    QToolTip.showText(event.globalPos(), f"{item.label} {item.text}\n{item.hint}", self)
                    return True
        return super().event(event)


def _words(item: HealthItem) -> str:
    ill = item.level in ("warn", "bad")
    return f"{theme.LEVELS[item.level][0]} {item.label} {item.text}" if ill else f"{item.label} {item.text}"


class MarkerBar(QFrame):
    """Where a marker's text is written, or a note's; ``written`` is emitted with it.

    A marker has the time at which it is sent, a note that at which it was begun: then was what it tells of.
    """

    written = Signal(str)

    def __init__(self, caption: str = "Marker", hint: str = MARKER_HINT) -> None:
        super().__init__()
        self.setObjectName("card")
        self.setVisible(False)
        self.text = QLineEdit()
        self.text.setFont(theme.font(13))
        self.text.setMaxLength(120)
        self.text.setAccessibleName(f"text of the {caption.lower()}")
        self.text.returnPressed.connect(self._send)
        named, told = theme.label(caption, 13, bold=True), theme.label(hint, 12, theme.MUTED)
        row(named, (self.text, 1), told, of=self, margins=(10, 5, 10, 5), spacing=10)

    def ask(self) -> None:
        """Let a text be written; the last one is there to be sent again."""
        self.setVisible(True)
        self.text.selectAll()
        self.text.setFocus()

    def cancel(self) -> bool:
        """Leave without a marker; return whether one was being written."""
        was = not self.isHidden()
        self.setVisible(False)
        return was

    def _send(self) -> None:
        text = " ".join(self.text.text().split())
        self.setVisible(False)
        if text:
            self.written.emit(text)


class Footer(QWidget):
    """Health in one line; under it the newest step, and why values are missing."""

    def __init__(self, keys: Sequence[str] = ()) -> None:
        super().__init__()
        self.health = HealthLine()
        self.step = theme.label("", 12, theme.MUTED)
        self.keys = theme.label("    ".join((*keys, "F1 keys")), 12, theme.MUTED)
        self.notices = theme.label("", 12, theme.NOTICE)
        self.notices.setWordWrap(True)
        self.notices.setFixedHeight(NOTICE_LINE)
        self.notices.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        first = row((self.health, 1), self.keys, spacing=18)
        second = row((self.step, 0, Qt.AlignmentFlag.AlignTop), (self.notices, 1), spacing=16)
        column(first, second, of=self, margins=(6, 0, 6, 0), spacing=2)

    def show_step(self, state: ViewState, trouble: str = "") -> None:
        """Describe the newest step; ``trouble`` is what the recording reports."""
        theme.set_text(self.step, describe_step(state.latest))
        notices = "   \N{MIDDLE DOT}   ".join(text for text in (trouble, describe_notices(state.latest)) if text)
        theme.set_text(self.notices, f"\N{WHITE UP-POINTING TRIANGLE} {notices}" if notices else "")
        self.notices.setToolTip(notices)
        self._fit_notices()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Fit the notices into the new width."""
        super().resizeEvent(event)
        self._fit_notices()

    def _fit_notices(self) -> None:
        needed = self.notices.fontMetrics().horizontalAdvance(self.notices.text())
        # A second line only where it is needed; what exceeds two lines is in the tool tip.
        room = self.width() - self.step.sizeHint().width() - 40
        self.notices.setFixedHeight(NOTICE_LINE if needed < room else 2 * NOTICE_LINE)
