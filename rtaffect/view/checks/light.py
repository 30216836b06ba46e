"""The window of the light check: which stream, screen, corner and size; and what the photodiode saw."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QDoubleSpinBox, QFormLayout, QLineEdit, QMainWindow, QWidget

from rtaffect.checks.light_check import (
    CORNERS,
    LEAST_SIZE,
    MOST_SIZE,
    LightCheckPlan,
    LightRun,
    explain,
    keep,
    seconds_of,
)
from rtaffect.common.errors import RtaffectError, at_terminal
from rtaffect.common.worker import Worker
from rtaffect.plan.kept_checks import KeptChecks, LightCheck
from rtaffect.view.checks.square import Square
from rtaffect.view.parts import theme
from rtaffect.view.parts.application import discard
from rtaffect.view.parts.layouts import column, row
from rtaffect.view.parts.picker import Picker
from rtaffect.view.parts.screens import list_screens

#: Milliseconds between two looks at what is going on.
TICK_MS = 50


class LightCheckWindow(QMainWindow):
    """The choices of a light check, the button that begins it, and what it found, by keys alone or by the mouse.

    Return flashes, Esc ends the flashing, or closes. What was found is kept at once, unless it was simulated.

    Parameters
    ----------
    plan
        What stands in the fields at first.

    Attributes
    ----------
    found : LightCheck or None
        What was found last.
    """

    closed = Signal()

    def __init__(self, plan: LightCheckPlan) -> None:
        super().__init__()
        self._plan = plan
        self.found: LightCheck | None = None
        self.square: Square | None = None
        self._run: LightRun | None = None
        self._opened: LightRun | str | None = None
        self._asked = plan
        self._worker = Worker("light check", self._open)
        self.setWindowTitle("rtaffect \N{EN DASH} light check")
        self.setStyleSheet(theme.style_sheet("display", "start", "checks"))
        self._build()
        for act, *keys in ((self.begin, "Return", "Enter"), (self._leave, "Escape"), (self.close, "Ctrl+W")):
            for key in keys:
                QShortcut(QKeySequence(key), self, act)
        self.stream_field.setFocus()
        self.timer = QTimer(self)
        self.timer.timeout.connect(self.tick)
        self.timer.start(TICK_MS)

    def _build(self) -> None:
        plan, kept = self._plan, KeptChecks()
        self.stream_field, self.channel_field = QLineEdit(plan.stream or ""), QLineEdit(plan.channel or "")
        self.stream_field.setPlaceholderText("name of its LSL stream, or source_id=..., type=...")
        self.channel_field.setPlaceholderText("its name or number, if the stream has several")
        if plan.simulate_ms is not None:
            self.stream_field.setEnabled(False)
            self.channel_field.setEnabled(False)
            self.stream_field.setText(f"simulated, {plan.simulate_ms:g} ms late")
        self.screen_field, self.corner_field = Picker(), Picker()
        self.screen_field.addItem("a small window, to try it", None)
        for there in list_screens():
            self.screen_field.addItem(there.describe, there.index)
        self.screen_field.setCurrentIndex(max(0, self.screen_field.findData(plan.screen)))
        self.corner_field.addItems(CORNERS)
        self.corner_field.setCurrentText(plan.corner)
        self.size_field = QDoubleSpinBox()
        self.size_field.setRange(LEAST_SIZE, MOST_SIZE)
        self.size_field.setSingleStep(0.01)
        self.size_field.setValue(plan.size)
        form = QFormLayout()
        fields: tuple[tuple[str, QWidget], ...] = (
            ("Photodiode's &stream", self.stream_field),
            ("C&hannel", self.channel_field),
            ("S&creen", self.screen_field),
            ("Corne&r", self.corner_field),
            ("Si&de of the square, of the screen's shorter side", self.size_field),
        )
        for text, field in fields:
            field.setAccessibleName(text.replace("&", ""))
            form.addRow(text, field)
        self._rest(form, kept.note)

    def _rest(self, form: QFormLayout, note: str) -> None:
        """Build what stands below the fields."""
        plan = self._plan
        self.words, self.message = theme.label("", 14), theme.label(note, 13, theme.NOTICE)
        for each in (self.words, self.message):
            each.setWordWrap(True)
        self.go = theme.button("Flash  Return", "flash the square and see when the photodiode sees it")
        self.go.setObjectName("go")
        self.go.clicked.connect(self.begin)
        hint = (
            f"Put the photodiode on the square. {plan.flashes} flashes take {seconds_of(plan)} s; Esc ends them. "
            "People who may have photosensitive epilepsy should not look on."
        )
        told = theme.label(hint, 12, theme.MUTED)
        told.setWordWrap(True)
        body = QWidget()
        body.setObjectName("body")
        title = theme.label("Light check", 20, bold=True)
        buttons = row((QWidget(), 1), self.go, spacing=10)
        column(title, form, told, self.words, self.message, (QWidget(), 1), buttons, of=body,
               margins=(20, 16, 20, 16), spacing=12)  # fmt: skip
        self.setCentralWidget(body)
        self.setMinimumSize(760, 440)
        self.resize(900, 480)

    def chosen(self) -> LightCheckPlan:
        """Return what stands in the fields."""
        return replace(
            self._plan,
            stream=(self.stream_field.text().strip() or None) if self._plan.simulate_ms is None else None,
            channel=(self.channel_field.text().strip() or None) if self._plan.simulate_ms is None else None,
            screen=self.screen_field.currentData(),
            corner=CORNERS[self.corner_field.currentIndex()],
            size=self.size_field.value(),
        )

    def begin(self) -> None:
        """Find the stream, and then flash."""
        if self._worker.running or self._run is not None:
            return
        self._asked, self._opened = self.chosen(), None
        theme.set_text(self.message, "")
        theme.set_text(self.words, "looking for the photodiode's stream\N{HORIZONTAL ELLIPSIS}")
        self.go.setEnabled(False)
        self._worker.start()

    def _open(self) -> None:
        """Find and open the stream; on the worker's thread."""
        try:
            self._opened = LightRun.start(self._asked)
        except RtaffectError as error:
            self._opened = at_terminal(error.message)

    def tick(self) -> None:
        """Show what is going on."""
        if self._worker.running and (opened := self._opened) is not None:
            self._worker.stop()
            self._opened = None
            if isinstance(opened, str):
                self._say(opened)
            else:
                self._flash(opened)
        if self._run is not None:
            theme.set_text(self.words, self._run.said)

    def _flash(self, run: LightRun) -> None:
        try:
            self.square = Square(run)
        except RtaffectError as error:
            run.close()
            self._say(error.message)
            return
        self._run = run
        self.square.ended.connect(self._end)
        self.square.begin()

    def _end(self) -> None:
        run, square = self._run, self.square
        if run is None or square is None:
            return
        whole, shown = run.over, square.shown_on()
        self._run = self.square = None
        QTimer.singleShot(0, self, lambda: discard(square))
        if not whole:
            run.close()
            self._say("the flashing was ended before its end: nothing was found")
            return
        self.found = run.result(shown)
        run.close()
        trouble = keep(self.found) if self._plan.simulate_ms is None else "simulated: it is not kept"
        self._say(trouble, "\n".join(explain(self.found)))

    def _say(self, message: str, words: str = "") -> None:
        theme.set_text(self.message, message)
        theme.set_text(self.words, words)
        self.go.setEnabled(True)
        self.stream_field.setFocus()

    def _leave(self) -> None:
        if self.square is not None:
            self.square.close()
        else:
            self.close()

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """End the flashing, and let go of the stream."""
        self.timer.stop()
        if self.square is not None:
            self.square.close()
        self._worker.stop()
        if isinstance(self._opened, LightRun):
            self._opened.close()
        super().closeEvent(event)
        self.closed.emit()
