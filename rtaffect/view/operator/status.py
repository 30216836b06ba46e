"""State of the session and of each source, in words, with ages that grow while nothing arrives."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QWidget

from rtaffect.present.number_text import session_clock
from rtaffect.present.session_state import SourceText, ViewState, describe_source, resolve_headline, short_names
from rtaffect.view.parts import theme
from rtaffect.view.parts.layouts import column, row, scrolled

COLUMNS = ("source", "state", "newest", "gaps", "jumps", "overruns", "drift")

#: Width of the panel, px, and what a window narrower than WINDOW leaves it at least.
WIDTH, LEAST_WIDTH, WINDOW = 440, 416, 1280

#: Width of the longest name, px, and what is left of it where the other columns need the room.
NAME_WIDTH, LEAST_NAME = 124, 40


class Header(QWidget):
    """Name of the program and session, the state of the session, and the session clock."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.headline = theme.label("", 16, bold=True)
        self.detail = theme.ElidedLabel("", 13, theme.MUTED)
        self.clock = theme.label("0:00", 24, bold=True)
        self.age = theme.label("", 12, theme.MUTED)
        self.age.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.age.setFixedWidth(170)
        layout = row(theme.label("rtaffect", 20, bold=True), of=self, margins=(6, 0, 6, 0), spacing=14)
        if title and title != "rtaffect":
            layout.addWidget(theme.label(title, 13, theme.MUTED))
        layout.addSpacing(10)
        session = theme.label("session", 12, theme.MUTED)
        layout.addLayout(row(self.headline, (self.detail, 1), self.age, session, self.clock), 1)

    def show_time(self, state: ViewState, elapsed_s: float) -> None:
        """Say the state of the session, its time, and how old the newest step is."""
        headline, detail = resolve_headline(state, elapsed_s)
        symbol, name = theme.LEVELS[theme.HEADLINES[headline]]
        theme.set_text(self.headline, f"{symbol} {headline}")
        theme.set_colour(self.headline, name)
        self.detail.set_words(detail)
        if state.latest is None:
            theme.set_text(self.age, f"waiting {elapsed_s:.1f} s")
            return
        over = headline == "ended" or state.fault is not None
        theme.set_text(self.age, "" if over else f"newest step {elapsed_s:.1f} s ago")
        theme.set_text(self.clock, session_clock(state.latest.time + elapsed_s))


class SourcePanel(QFrame):
    """One line for each source."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("card")
        self._lines: list[list[QLabel]] = []
        self._name_width = NAME_WIDTH
        self._grid_widget = QWidget()
        self._grid = QGridLayout(self._grid_widget)
        self._grid.setContentsMargins(0, 0, 4, 0)
        self._grid.setHorizontalSpacing(8)
        self._grid.setVerticalSpacing(2)
        self._grid.setColumnStretch(1, 1)
        headings = [theme.label(text, 11, theme.MUTED) for text in COLUMNS]
        self._source = headings[0]
        for number, heading in enumerate(headings):
            self._grid.addWidget(heading, 0, number, _alignment(number))
        self.none = theme.label("no source has reported yet", 12, theme.MUTED)
        self._grid.addWidget(self.none, 1, 0, 1, len(COLUMNS))
        self._grid.setRowStretch(99, 1)
        self.area = scrolled(self._grid_widget)
        heading = theme.label("Sources", 13, bold=True)
        column(heading, (self.area, 1), of=self, margins=(10, 6, 6, 6), spacing=4)

    def fit_window(self, width: int) -> None:
        """Take the width that suits a window of ``width``, px."""
        self.setFixedWidth(max(LEAST_WIDTH, WIDTH - max(0, WINDOW - width)))

    def _fit_names(self) -> None:
        """Leave the names what the other columns do not need."""
        names = max((line[0].minimumSizeHint().width() for line in self._lines), default=0)
        others = self._grid.minimumSize().width() - max(names, self._source.minimumSizeHint().width())
        self._name_width = max(LEAST_NAME, min(NAME_WIDTH, self.area.viewport().width() - others))

    @property
    def lines(self) -> list[str]:
        """What the lines say, for people and tests."""
        return ["  ".join(cell.text() for cell in line) for line in self._lines]

    def show_time(self, state: ViewState, elapsed_s: float) -> None:
        """Say each source's state as of ``elapsed_s`` seconds after the newest step."""
        if state.latest is None:
            return
        texts = [describe_source(source, elapsed_s) for source in state.latest.sources]
        self._keep_lines(len(texts))
        self._fit_names()
        short = short_names([source.name for source in state.latest.sources if source.kind == "eeg"])
        for line, text in zip(self._lines, texts, strict=True):
            _fill(line, text, short.get(text.name, text.name), self._name_width)

    def _keep_lines(self, count: int) -> None:
        self.none.setVisible(count == 0)
        while len(self._lines) > count:
            for cell in self._lines.pop():
                self._grid.removeWidget(cell)
                cell.deleteLater()
        while len(self._lines) < count:
            line = [theme.label() for _ in COLUMNS]
            for number, cell in enumerate(line):
                self._grid.addWidget(cell, len(self._lines) + 1, number, _alignment(number))
            self._lines.append(line)


def _alignment(column: int) -> Qt.AlignmentFlag:
    return Qt.AlignmentFlag.AlignLeft if column < 2 else Qt.AlignmentFlag.AlignRight


def _fill(line: list[QLabel], text: SourceText, called: str, width: int) -> None:
    symbol, name = theme.LEVELS[text.level]
    elided = line[0].fontMetrics().elidedText(called, Qt.TextElideMode.ElideMiddle, width)
    shown = (elided, f"{symbol} {text.state}", text.age, text.gaps, text.clock_jumps, text.overruns, text.drift)
    for cell, words in zip(line, shown, strict=True):
        theme.set_text(cell, words)
    theme.set_colour(line[1], name)
    hint = f"{text.name}: {text.message}" if text.message else text.name
    if line[0].toolTip() != hint:
        line[0].setToolTip(hint)
