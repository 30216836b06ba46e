"""Parts of the start window: fields bound to one choice each, cards, lines of words, and their style."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QFrame,
    QGridLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QWidget,
)

from rtaffect.start.choices import Choices
from rtaffect.start.fields import caption_of, help_of
from rtaffect.start.table import Line
from rtaffect.view.parts import theme
from rtaffect.view.parts.layouts import column, row
from rtaffect.view.parts.picker import Picker

#: Takes changed choices by their names.
Choose = Callable[..., None]


class Card(QFrame):
    """A titled frame; rows of a caption and a field each go into its grid, which ``fills`` it or stands at its top."""

    def __init__(self, title: str, *, heading: QWidget | None = None, fills: bool = False) -> None:
        super().__init__()
        self.setObjectName("card")
        self.title = caption(title, 13, bold=True)
        self.body = QWidget()
        self.grid = QGridLayout(self.body)
        self.grid.setContentsMargins(0, 0, 0, 0)
        self.grid.setHorizontalSpacing(6)
        self.grid.setVerticalSpacing(4)
        self.grid.setColumnStretch(1, 1)
        if not fills:
            self.grid.setColumnMinimumWidth(0, 72)
            self.grid.setRowStretch(99, 1)
        self._rows = 0
        self.message = theme.label("", 12, theme.MUTED)
        self.message.setWordWrap(True)
        self.message.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self.message.setVisible(False)
        if heading is not None:
            self.title.setBuddy(heading)
        self.top = row(self.title, (heading, 1) if heading is not None else None, spacing=10)
        column(self.top, (self.message, 1), (self.body, 1), of=self, margins=(10, 6, 10, 8), spacing=5)

    def add(self, choice: str, field: QWidget, text: str = "") -> QLabel:
        """Add a row for a choice and return its caption: that of the choice's setting, or ``text``."""
        label = caption_for(choice, field, text)
        self.grid.addWidget(label, self._rows, 0)
        self.grid.addWidget(field, self._rows, 1)
        self._rows += 1
        return label

    def add_wide(self, field: QWidget) -> None:
        """Add a row without a caption."""
        self.grid.addWidget(field, self._rows, 0, 1, 2)
        self._rows += 1

    def show_choices(self, choices: Choices) -> None:
        """Show what is chosen in all fields of the card."""
        for field in bound_fields(self).values():
            field.show_choice(choices)

    def tell(self, text: str) -> None:
        """Show ``text`` instead of the fields; '' shows the fields."""
        theme.set_text(self.message, text)
        self.message.setVisible(bool(text))
        self.body.setVisible(not text)


def caption(text: str, pixels: int = 12, *, bold: bool = False) -> QLabel:
    """Return the caption of a field; a letter after '&' goes to it with Alt."""
    return theme.label(text, pixels, theme.TEXT if bold else theme.MUTED, bold=bold)


def caption_for(choice: str, field: QWidget, text: str = "") -> QLabel:
    """Return the caption of the field for a choice, with what the choice is as its tool tip."""
    label = caption(text or caption_of(choice))
    label.setToolTip(help_of(choice))
    # A field of several parts takes no focus itself, and Alt would lead nowhere.
    label.setBuddy(field.focusProxy() or field)
    return label


class Text(QLineEdit):
    """A line of text that is the choice ``field``; of one that is too long, the beginning is seen, or the ``end``."""

    def __init__(self, choose: Choose, field: str, hint: str = "", *, end: bool = False) -> None:
        super().__init__()
        self.choice, self.hint, self._end = field, hint, end
        self.setFont(theme.font(12))
        self.setPlaceholderText(hint)
        self.setAccessibleName(field.replace("_", " "))
        self.setMinimumWidth(40)
        self.textChanged.connect(lambda text: choose(**{field: text}))

    def show_choice(self, choices: Choices) -> None:
        """Show what is chosen, where it is not what stands here."""
        text = str(getattr(choices, self.choice))
        if text != self.text():
            with QSignalBlocker(self):
                self.setText(text)
            self.setCursorPosition(len(text) if self._end else 0)
        if self.toolTip() != text:
            self.setToolTip(text)


class PathText(QWidget):
    """A path that is the choice ``field``, typed or browsed for.

    ``kinds`` are pairs of a button's text and a function that asks for a path, given the parent and where to begin.
    """

    def __init__(self, choose: Choose, field: str, hint: str, kinds: Sequence[tuple[str, str, Browse]]) -> None:
        super().__init__()
        self.text = Text(choose, field, hint, end=True)
        self.setFocusProxy(self.text)
        self.buttons = [button(sign, name) for sign, name, _ in kinds]
        for each, (sign, _, browse) in zip(self.buttons, kinds, strict=True):
            each.setObjectName("browse" if len(sign) < 3 else "")
            each.clicked.connect(lambda _=False, ask=browse: self._browse(ask))
        row((self.text, 1), *self.buttons, of=self, spacing=4)

    def _browse(self, ask: Browse) -> None:
        chosen = ask(self, self.text.text())
        if chosen:
            self.text.setText(str(Path(chosen)))


Browse = Callable[[QWidget, str], str]


def for_file(title: str, kinds: str) -> Browse:
    """Return what asks for a file of ``kinds``, as in 'Sound (*.wav *.flac)'."""
    every = f"{kinds};;All files (*)"
    return lambda parent, start: QFileDialog.getOpenFileName(parent.window(), title, start, every)[0]


def for_folder(title: str) -> Browse:
    """Return what asks for a folder."""
    return lambda parent, start: QFileDialog.getExistingDirectory(parent.window(), title, start)


class Pick(Picker):
    """A list whose entry is the choice ``field``."""

    def __init__(self, choose: Choose, field: str, options: Iterable[tuple[Any, str]] = ()) -> None:
        super().__init__()
        self.choice = field
        self._options: list[tuple[Any, str]] = []
        self.setAccessibleName(field.replace("_", " "))
        self.set_options(options)
        self.currentIndexChanged.connect(lambda at: choose(**{field: self._options[at][0]}) if at >= 0 else None)

    def set_options(self, options: Iterable[tuple[Any, str]]) -> None:
        """Offer pairs of a value and what is said of it; the present value stays chosen where it is still there."""
        wanted = list(options)
        if wanted == self._options:
            return
        held = self._options[self.currentIndex()][0] if self.currentIndex() >= 0 else None
        with QSignalBlocker(self):
            self.clear()
            self._options = wanted
            self.addItems([text for _, text in wanted])
            values = [value for value, _ in wanted]
            self.setCurrentIndex(values.index(held) if held in values else -1)

    def show_choice(self, choices: Choices) -> None:
        """Show what is chosen; what is not offered is added, and said to be missing."""
        value = getattr(choices, self.choice)
        values = [each for each, _ in self._options]
        if value not in values:
            self.set_options([*self._options, (value, self.missing(value))])
            values.append(value)
        with QSignalBlocker(self):
            self.setCurrentIndex(values.index(value))
        if self.toolTip() != self.currentText():
            self.setToolTip(self.currentText())

    def missing(self, value: Any) -> str:
        """Return what is said of a value that is not offered."""
        return f"{value} (not there now)"


class TickBox(QCheckBox):
    """A box that is the choice ``field``; ``text`` where that is no setting of its own."""

    def __init__(self, choose: Choose, field: str, text: str = "") -> None:
        super().__init__(text or caption_of(field))
        self.choice = field
        self.setToolTip(help_of(field))
        self.setFont(theme.font(12))
        self.toggled.connect(lambda on: choose(**{field: on}))

    def show_choice(self, choices: Choices) -> None:
        """Show what is chosen."""
        with QSignalBlocker(self):
            self.setChecked(bool(getattr(choices, self.choice)))


Bound = Text | Pick | TickBox


def bound_fields(parent: QWidget) -> dict[str, Bound]:
    """Return the fields within ``parent`` by the choices that they are."""
    return {field.choice: field for field in parent.findChildren(QWidget) if isinstance(field, Bound)}


def enable(field: Bound, why_not: str, *, held: bool = False) -> None:
    """Let a field be used, or not where ``why_not`` says why, which is then its tool tip, and its hint where it can be.

    What is ``held`` in a field can be taken out of it in any case.
    """
    parent = field.parentWidget()
    whole = parent if isinstance(parent, PathText) else field
    whole.setEnabled(not why_not or held)
    field.setAccessibleDescription(why_not)
    if why_not:
        field.setToolTip(why_not[0].upper() + why_not[1:])
    if isinstance(field, Text):
        field.setPlaceholderText(why_not or field.hint)
    elif isinstance(field, Pick):
        field.instead = "" if whole.isEnabled() else why_not
        field.update()


class Words(QLabel):
    """Lines of words, each with a symbol where it is good or bad news."""

    def __init__(self) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setFont(theme.font(12))
        self.setWordWrap(True)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.NoTextInteraction)
        theme.set_colour(self, theme.MUTED)
        self.lines: tuple[Line, ...] = ()

    def show_lines(self, lines: tuple[Line, ...]) -> None:
        """Show ``lines``, unless they are shown already."""
        if lines != self.lines:
            self.lines = lines
            self.setText("<br>".join(_rich(line) for line in lines))
        if self.isHidden() == bool(lines):
            self.setVisible(bool(lines))


def _rich(line: Line) -> str:
    text = line.text.replace("&", "&amp;").replace("<", "&lt;")
    if line.mark is None:
        return text
    symbol, colour = theme.LEVELS[line.mark]
    return f'<span style="color:{colour}">{symbol}</span> {text}'


def button(text: str, name: str = "", *, checkable: bool = False) -> QPushButton:
    """Return a button of the window's typeface."""
    found = QPushButton(text)
    found.setFont(theme.font(12))
    found.setCheckable(checkable)
    if name:
        found.setAccessibleName(name)
        found.setToolTip(name)
    return found
