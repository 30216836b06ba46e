"""The day's sessions over the start window: done, with their quality, and planned."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractItemView, QFrame, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from rtaffect.start.choices import Choices
from rtaffect.start.day import day_of
from rtaffect.view.parts import theme
from rtaffect.view.parts.layouts import column, row

_KEYS = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape)
_HEAD = ("participant", "begun", "ended", "quality", "folder")


class _List(QTableWidget):
    """Takes Return and Esc before the window has them; ``taken`` and ``left`` are emitted."""

    taken = Signal()
    left = Signal()

    def event(self, event: QEvent) -> bool:
        """Let the keys come here."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride and event.key() in _KEYS:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Take a line, or leave."""
        if event.key() in _KEYS:
            (self.left if event.key() == Qt.Key.Key_Escape else self.taken).emit()
        else:
            super().keyPressEvent(event)


class DayPanel(QFrame):
    """A list over its window, filled anew each time it is shown; ``chosen`` is emitted with a planned code.

    Return or a double click on a planned participant takes that code; Esc closes the list.
    """

    chosen = Signal(str)

    def __init__(self, parent: QWidget, choices: Callable[[], Choices]) -> None:
        super().__init__(parent)
        self._choices, self._over = choices, parent
        self.setObjectName("help")
        self.setVisible(False)
        self.setAccessibleName("sessions of the day")
        self.title = theme.label("", 16, bold=True)
        self.trouble = theme.label("", 12, theme.NOTICE)
        self.table = _List(0, len(_HEAD))
        self.table.setHorizontalHeaderLabels(list(_HEAD))
        self.table.verticalHeader().setVisible(False)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setTabKeyNavigation(False)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.table.horizontalHeader().setStretchLastSection(True)
        self.table.cellDoubleClicked.connect(lambda *_: self.take())
        hint = theme.label("Return takes a planned participant's code, Esc closes the list", 12, theme.MUTED)
        head = row(self.title, (self.trouble, 1), spacing=16)
        column(head, (self.table, 1), hint, of=self, margins=(18, 14, 18, 14), spacing=8)
        self.table.taken.connect(self.take)
        self.table.left.connect(self.hide)

    def switch(self) -> None:
        """Show the list as it is now, or hide it."""
        if self.isVisible():
            self.hide()
            return
        today = dt.date.today()
        lines, trouble = day_of(self._choices(), today)
        done = sum(line.state == "done" for line in lines)
        theme.set_text(self.title, f"{today:%A, %d %B}: {done} done, {len(lines) - done} planned")
        theme.set_text(self.trouble, trouble)
        self.table.setRowCount(len(lines))
        for number, line in enumerate(lines):
            name = line.folder.name if line.folder is not None else ""
            texts = (line.participant or "no code", line.begun or "planned", line.outcome, line.quality, name)
            for place, text in enumerate(texts):
                item = QTableWidgetItem(text)
                item.setData(Qt.ItemDataRole.UserRole, line)
                self.table.setItem(number, place, item)
        first = next((i for i, line in enumerate(lines) if line.state == "planned"), 0)
        if lines:
            self.table.selectRow(first)
        self.place()
        self.setVisible(True)
        self.raise_()
        self.table.setFocus()

    def take(self) -> None:
        """Take the code of the chosen line, if that is planned."""
        item = self.table.item(self.table.currentRow(), 0)
        line = item.data(Qt.ItemDataRole.UserRole) if item is not None else None
        if line is not None and line.state == "planned":
            self.hide()
            self.chosen.emit(line.participant)

    def place(self) -> None:
        """Stand in the middle of the window."""
        room = self._over.rect()
        self.resize(round(room.width() * 0.8), round(room.height() * 0.7))
        self.move(room.center() - self.rect().center())
