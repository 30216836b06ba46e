"""The list of keys, over the window."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QWidget

from rtaffect.present.keys import ALSO, BINDINGS, shown_keys
from rtaffect.view.parts import theme
from rtaffect.view.parts.layouts import column, row


class HelpPanel(QFrame):
    """All keys in two columns; hidden until it is asked for."""

    def __init__(self, parent: QWidget, without: Collection[str] = (), marks: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(parent)
        self._over = parent
        self.setObjectName("help")
        self.setVisible(False)
        self.setAccessibleName("keys")
        taken = [key for key, _ in marks]
        all_sections = [
            (name, [(shown_keys(b, taken), b.words) for b in bindings if b.action not in without])
            for name, bindings in BINDINGS.items()
        ]
        all_sections.insert(1, ("Marks", [(key, f"mark: {words}") for key, words in marks]))
        name, lines = all_sections[-1]
        sections = [(name, lines) for name, lines in (*all_sections[:-1], (name, [*ALSO, *lines])) if lines]
        self.lines = [line for _, each in sections for line in each]
        half = (len(sections) + 1) // 2
        column(
            theme.label("Keys", 16, bold=True),
            row((_column(sections[:half]), 1), (_column(sections[half:]), 1), spacing=40),
            theme.label("F1 or Esc closes this list. The session goes on behind it.", 12, theme.MUTED),
            of=self,
            margins=(22, 16, 22, 16),
            spacing=10,
        )

    def switch(self) -> None:
        """Show the list, or hide it."""
        self.setVisible(not self.isVisible())
        if self.isVisible():
            self.place()
            self.raise_()

    def place(self) -> None:
        """Stand in the middle of the window."""
        self.adjustSize()
        self.move(self._over.rect().center() - self.rect().center())


def _column(sections: list[tuple[str, list[tuple[str, str]]]]) -> QGridLayout:
    grid = QGridLayout()
    grid.setHorizontalSpacing(16)
    grid.setVerticalSpacing(4)
    line = 0
    for name, lines in sections:
        grid.addWidget(theme.label(name, 12, theme.MUTED, bold=True), line, 0, 1, 2)
        grid.setRowMinimumHeight(line, 26)
        for number, (keys, words) in enumerate(lines, start=line + 1):
            grid.addWidget(theme.label(keys, 13, bold=True), number, 0, Qt.AlignmentFlag.AlignLeft)
            grid.addWidget(theme.label(words, 13), number, 1, Qt.AlignmentFlag.AlignLeft)
        line += len(lines) + 1
    grid.setRowStretch(line, 1)
    return grid
