"""What is shown when a session with a protocol has ended: three numbers, one picture, and what comes next."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from PySide6.QtCore import QEventLoop, QProcess, Qt, QUrl, Signal
from PySide6.QtGui import QCloseEvent, QDesktopServices, QKeySequence, QShortcut
from PySide6.QtWidgets import QFrame, QMainWindow, QWidget

from rtaffect.start.day import REPORT
from rtaffect.start.outcome import Outcome
from rtaffect.view.parts import theme
from rtaffect.view.parts.application import discard, interrupt_closes, without_a_window
from rtaffect.view.parts.layouts import column, row
from rtaffect.view.parts.screens import show_fitting
from rtaffect.view.parts.so_far_plot import SoFarPlot

#: What the operator wants next; None: to leave.
Next = Literal["next", "back"]
_MAIN: Final = "from rtaffect.cli import main; main()"


class SummaryWindow(QMainWindow):
    """The summary of a session.

    Parameters
    ----------
    outcome : Outcome
        How it went.
    code : str
        The next participant's code; empty where it is not known.
    command : sequence of str
        The program that makes the report, and its first arguments; the folder and the file follow.

    Attributes
    ----------
    wanted : "next", "back" or None
        What was pressed, before the window closed.
    """

    closed = Signal()

    def __init__(
        self, outcome: Outcome, code: str, command: Sequence[str] = (sys.executable, "-c", _MAIN, "report")
    ) -> None:
        super().__init__()
        self.wanted: Next | None = None
        self._outcome, self._command = outcome, tuple(command)
        self._making: QProcess | None = None
        self.setWindowTitle(f"rtaffect \N{EN DASH} {outcome.folder.name}")
        self.setStyleSheet(theme.style_sheet("display", "start"))
        self._build(code)
        keys = ((self.make_report, "R"), (self._next, "N"), (self._back, "B"), (self.close, "Escape"))
        for act, key in (*keys, (self.close, "Ctrl+W")):
            QShortcut(QKeySequence(key), self, act)
        self.next_button.setFocus()

    def _build(self, code: str) -> None:
        o = self._outcome
        who = o.participant or "no code"
        title = theme.label(f"Session of {who}: {o.outcome or 'no end is recorded'}", 20, bold=True)
        where = theme.label(str(o.folder), 12, theme.MUTED)
        self.numbers = [_number(*each) for each in o.numbers]
        told = f"{o.words[:1].upper()}{o.words[1:]}."
        self.words = theme.label(told, 14, bold=o.found.beyond)
        self.words.setWordWrap(True)
        self.plot = SoFarPlot()
        self.plot.show_course(o.time, o.mean, o.low, o.high)
        self.plot.show_whole(float(o.time[-1]) if len(o.time) else 0.0)
        self.message = theme.label("", 12, theme.NOTICE)
        self.report_button = theme.button("Report  R", "make the session's report and open it")
        self.next_button = theme.button(
            f"Next participant{f' {code}' if code else ''}  N", "the same set-up for the next participant"
        )
        self.back_button = theme.button("Back to the start  B", "back to the start window")
        self.next_button.setObjectName("go")
        acts = ((self.report_button, self.make_report), (self.next_button, self._next), (self.back_button, self._back))
        for each, act in acts:
            each.clicked.connect(act)
        body = QWidget()
        body.setObjectName("body")
        buttons = row((self.message, 1), self.report_button, self.next_button, self.back_button, spacing=10)
        figures = row(*((each, 1) for each in self.numbers), spacing=8)
        parts = (title, where, figures, self.words, (self.plot, 1), buttons)
        column(*parts, of=body, margins=(16, 12, 16, 12), spacing=10)
        self.setCentralWidget(body)
        self.setMinimumSize(900, 560)
        self.resize(1280, 720)

    def make_report(self) -> None:
        """Make the report in a process of its own, and open it; once is enough."""
        if self._making is not None:
            return
        file = self._outcome.folder / REPORT
        self._making = QProcess(self)
        self._making.finished.connect(lambda code: self._made(file, code))
        self._making.errorOccurred.connect(lambda _: self._made(file, -1))
        theme.set_text(self.message, "making the report\N{HORIZONTAL ELLIPSIS}")
        program, *first = self._command
        self._making.start(program, [*first, str(self._outcome.folder), "--out", str(file)])

    def _made(self, file: Path, code: int) -> None:
        making, self._making = self._making, None
        if making is None:
            return
        if code == 0 and file.is_file():
            theme.set_text(self.message, f"the report is {file}")
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(file)))
            return
        said = bytes(making.readAllStandardError().data()).decode("utf-8", "replace").strip().splitlines()
        theme.set_text(self.message, said[-1] if said else f"the report could not be made (status {code})")

    def _next(self) -> None:
        self.wanted = "next"
        self.close()

    def _back(self) -> None:
        self.wanted = "back"
        self.close()

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """End what makes the report."""
        if (making := self._making) is not None:
            self._making = None
            making.kill()
            making.waitForFinished(2000)
        super().closeEvent(event)
        self.closed.emit()


def _number(what: str, number: str, more: str) -> QFrame:
    """Return a card with a number."""
    card = QFrame()
    card.setObjectName("card")
    value = theme.label(number, 30, bold=True)
    value.setAlignment(Qt.AlignmentFlag.AlignLeft)
    card.setAccessibleName(f"{what}: {number}, {more}")
    column(theme.label(what, 13, theme.MUTED), value, theme.label(more, 12, theme.MUTED), of=card,
           margins=(14, 8, 14, 8), spacing=2)  # fmt: skip
    return card


def run_summary(outcome: Outcome, code: str) -> Next | None:
    """Show the summary until something is pressed or the window is closed; call it in the main thread."""
    with without_a_window():
        window, loop = SummaryWindow(outcome, code), QEventLoop()
        window.closed.connect(loop.quit)
        with interrupt_closes(window):
            show_fitting(window)
            loop.exec()
    wanted = window.wanted
    discard(window)
    return wanted
