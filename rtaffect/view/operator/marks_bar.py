"""The protocol's marks: a button for each, with its key."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QPushButton, QWidget

from rtaffect.view.parts import theme
from rtaffect.view.parts.layouts import row


class MarksBar(QWidget):
    """One button for each of ``marks`` (key, name); ``marked`` is emitted with the name of one that is set."""

    marked = Signal(str)

    def __init__(self, marks: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self.setVisible(bool(marks))
        self.setAccessibleName("marks of the protocol")
        self.buttons: list[QPushButton] = []
        for key, name in marks:
            button = theme.button(f"{name}  {key}", f"mark: {name}")
            button.clicked.connect(partial(self.marked.emit, name))
            self.buttons.append(button)
        self.marks = tuple(marks)
        caption = theme.label("Mark", 13, bold=True)
        row(caption, *self.buttons, (QWidget(), 1), of=self, margins=(10, 0, 10, 0), spacing=8)

    def bind(self, window: QWidget) -> None:
        """Let the marks' keys set them in a window."""
        for key, name in self.marks:
            QShortcut(QKeySequence(key), window, partial(self.marked.emit, name))
