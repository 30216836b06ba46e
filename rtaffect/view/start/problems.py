"""What still prevents the start, one line each, and the button that starts."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QWidget

from rtaffect.start.problem import Problem
from rtaffect.start.start_presenter import StartState
from rtaffect.view.parts import theme
from rtaffect.view.parts.layouts import column, row
from rtaffect.view.start.widgets import button

_SIGNS = {"stop": theme.LEVELS["bad"], "wait": theme.LEVELS["idle"], "note": theme.LEVELS["warn"]}
_NONE = Problem("", "Nothing prevents the start", "note")
#: Heights of the lines together, px.
LEAST, MOST = 104, 170


class Lines(QListWidget):
    """A list that leaves the space bar to who shows it."""

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Move by arrows and letters."""
        if event.key() == Qt.Key.Key_Space:
            event.ignore()
        else:
            super().keyPressEvent(event)


class Verdict(QWidget):
    """The lines and the button; ``wanted`` is sent with the field and stream of a line that is clicked or entered."""

    wanted = Signal(str, str)

    def __init__(self) -> None:
        super().__init__()
        self.list = Lines()
        self.list.setObjectName("problems")
        self.list.setFont(theme.font(12))
        self.list.setWordWrap(True)
        self.list.setMinimumHeight(LEAST)
        self.list.setMaximumHeight(MOST)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setAccessibleName("what prevents the start")
        self.list.itemClicked.connect(self._go)
        self.start = button("S&tart", "Start the session (Enter)")
        self.start.setObjectName("start")
        self.start.setFont(theme.font(16, bold=True))
        self.start.setFixedSize(150, 56)
        self.check = button("Check contact", "Whether the electrodes of the ticked headsets touch (Ctrl+K)")
        self.check.setFixedWidth(150)
        self.hint = theme.label("", 12, theme.MUTED)
        self.hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        row((self.list, 1), column(self.check, self.start, self.hint, spacing=4), of=self, spacing=10)

    @property
    def lines(self) -> list[str]:
        """What the lines say, for people and tests."""
        return [self.list.item(row).text() for row in range(self.list.count())]

    def show_state(self, state: StartState) -> None:
        """Show the lines, and whether the session can be started."""
        stops = sum(line.kind == "stop" for line in state.lines)
        self.start.setEnabled(state.may_start)
        self.check.setVisible(state.choices.mode == "live")
        several = "s" if stops > 1 else ""
        otherwise = "Enter" if state.may_start else "one moment"
        theme.set_text(self.hint, f"{stops} thing{several} to mend" if stops else otherwise)
        shown = state.lines if stops or not state.may_start else (_NONE, *state.lines)
        at = self.list.currentRow()
        self.list.clear()
        for line in shown:
            self.list.addItem(_item(line))
        self.list.setCurrentRow(min(at, self.list.count() - 1))

    def enter(self) -> bool:
        """Go to the field of the selected line, if the list has the focus; return whether it has."""
        item = self.list.currentItem()
        if self.list.hasFocus() and item is not None and item.data(Qt.ItemDataRole.UserRole):
            self._go(item)
            return True
        return False

    def _go(self, item: QListWidgetItem) -> None:
        self.wanted.emit(item.data(Qt.ItemDataRole.UserRole), item.data(Qt.ItemDataRole.UserRole + 1))

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Go to the field of the selected line by the space bar."""
        if event.key() != Qt.Key.Key_Space or not self.enter():
            super().keyPressEvent(event)


def _item(line: Problem) -> QListWidgetItem:
    symbol, name = _SIGNS[line.kind] if line.where else theme.LEVELS["good"]
    item = QListWidgetItem(f"{symbol}  {line.text}")
    item.setForeground(theme.colour(name if line.kind == "stop" or not line.where else theme.TEXT))
    item.setData(Qt.ItemDataRole.UserRole, line.where)
    item.setData(Qt.ItemDataRole.UserRole + 1, line.uid)
    item.setToolTip(line.text)
    return item
