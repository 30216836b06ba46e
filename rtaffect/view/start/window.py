"""The start window: all choices of a session on one page, checked while they are made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QButtonGroup, QFileDialog, QHBoxLayout, QMainWindow, QWidget

from rtaffect.common.errors import RtaffectError
from rtaffect.plan.session_plan import SessionPlan, read_plan, write_plan
from rtaffect.plan.setting import MODES
from rtaffect.start.choices import Choices, choices_of, plan_of
from rtaffect.start.memory import remember
from rtaffect.start.start_presenter import StartPresenter, StartState
from rtaffect.start.table import demo_lines, session_lines
from rtaffect.view.parts import theme
from rtaffect.view.parts.layouts import column, row
from rtaffect.view.parts.screens import list_screens
from rtaffect.view.start.cards import ProtocolCard, ResultsCard
from rtaffect.view.start.checks import Checks
from rtaffect.view.start.day import DayPanel
from rtaffect.view.start.eeg import DEMO_SPEEDS, SPEEDS, EegCard
from rtaffect.view.start.prediction import BundleCard
from rtaffect.view.start.problems import Verdict
from rtaffect.view.start.sound import SoundCard
from rtaffect.view.start.widgets import Pick, bound_fields, button

#: Milliseconds between two looks at what has changed; the signal and the level move with it.
TICK_MS = 50
SPACING = 6
_PLANS = "Sessions (*.toml);;All files (*)"


@dataclass(frozen=True, slots=True)
class Started:
    """What was started: the plan, the choices that made it, and where the plan is to be written, if anywhere.

    ``checks``: whether contact is checked first, from where the session is started if nothing else prevents that
    (``may_start``).
    """

    plan: SessionPlan
    choices: Choices
    plan_file: Path | None = None
    checks: bool = False
    may_start: bool = True


class StartWindow(QMainWindow):
    """All choices of a session, what prevents its start, and the button that starts it.

    Parameters
    ----------
    presenter : StartPresenter
        Watches network, files and devices; closed with the window.
    plan_file : Path or None
        The plan that the choices come from; named in the title.

    Attributes
    ----------
    started : Started or None
        Set when the session was started, before the window closes.
    """

    closed = Signal()

    def __init__(self, presenter: StartPresenter, plan_file: Path | None = None) -> None:
        super().__init__()
        self.presenter = presenter
        self.started: Started | None = None
        self._saved: Path | None = None
        self._shown: StartState | None = None
        self._said: str | None = None
        self._closing = False
        self._name(plan_file)
        self._build()
        self._keys()
        self.tick()
        self.modes.button(MODES.index(presenter.choices.mode)).setFocus()
        self.timer = QTimer(self)
        self.timer.timeout.connect(self.tick)
        self.timer.start(TICK_MS)

    def _name(self, plan_file: Path | None) -> None:
        self.setWindowTitle(f"rtaffect \N{EN DASH} {plan_file.name if plan_file else 'new session'}")

    def _build(self) -> None:
        self.setStyleSheet(theme.style_sheet("display", "start"))
        choose, presenter = self.presenter.choose, self.presenter
        self.eeg = EegCard(presenter)
        self.sound = SoundCard(choose, presenter.previews.room.look_again)
        self.bundle, self.protocol, self.results = BundleCard(choose), ProtocolCard(choose), ResultsCard(choose)
        self.verdict = Verdict()
        self.verdict.wanted.connect(self.go_to)
        self.verdict.start.clicked.connect(self.begin)
        self.verdict.check.clicked.connect(self.check_contact)
        self.message = theme.label("", 13, theme.NOTICE)
        self.message.setObjectName("banner")
        self.message.setWordWrap(True)
        body, header = QWidget(), self._header()
        body.setObjectName("body")
        lower = row(*((card, 1) for card in (self.sound, self.bundle, self.protocol, self.results)), spacing=SPACING)
        parts = (header, self.message, (self.eeg, 5), (lower, 4), (self.verdict, 1))
        column(*parts, of=body, margins=(10, SPACING, 10, 8), spacing=SPACING)
        self.setCentralWidget(body)
        self.setMinimumSize(1180, 660)
        self.resize(1280, 720)
        self.day = DayPanel(self, lambda: self.presenter.choices)
        self.day.chosen.connect(lambda code: self.presenter.choose(participant=code, session_code="", name=""))
        self.day_button.clicked.connect(self.day.switch)

    def _header(self) -> QHBoxLayout:
        self.modes = QButtonGroup(self)
        self.open_plan = button("&Open plan\N{HORIZONTAL ELLIPSIS}", "Take the choices of a session's plan (Ctrl+O)")
        self.save_plan = button("Sa&ve plan\N{HORIZONTAL ELLIPSIS}", "Write these choices as a plan (Ctrl+S)")
        self.open_plan.clicked.connect(self._ask_open)
        self.save_plan.clicked.connect(self._ask_save)
        self.checks = Checks(self, self.presenter, lambda: self.timer)
        self.day_button = button("Today\N{HORIZONTAL ELLIPSIS}", "The day's sessions, done and planned (Ctrl+T)")
        self.demo_speed = Pick(self.presenter.choose, "speed", DEMO_SPEEDS)
        self.demo_speed.setFixedWidth(220)
        layout = row(theme.label("rtaffect", 20, bold=True), spacing=SPACING)
        layout.addSpacing(14)
        for number, (mode, text) in enumerate(zip(MODES, ("&Live", "&Replay", "&Demo"), strict=True)):
            each = button(text, checkable=True)
            each.setFont(theme.font(13, bold=True))
            each.setMinimumWidth(84)
            self.modes.addButton(each, number)
            each.clicked.connect(lambda _=False, mode=mode: self.presenter.choose(mode=mode))
            layout.addWidget(each)
        layout.addSpacing(8)
        layout.addWidget(self.demo_speed)
        layout.addStretch(1)
        layout.addWidget(self.checks.sound)
        layout.addWidget(self.checks.light)
        layout.addWidget(self.day_button)
        layout.addWidget(self.open_plan)
        layout.addWidget(self.save_plan)
        return layout

    def _keys(self) -> None:
        by_act = ((self.begin, "Return", "Enter"), (self._ask_open, "Ctrl+O"), (self._ask_save, "Ctrl+S"))
        QShortcut(QKeySequence("Ctrl+T"), self, self.day.switch)
        QShortcut(QKeySequence("Ctrl+K"), self, self.check_contact)
        for act, *keys in (*by_act, (self.close, "Ctrl+W", "Ctrl+Q")):
            for key in keys:
                QShortcut(QKeySequence(key), self, act)

    def fields(self) -> dict[str, QWidget]:
        """Return the widget that mends each kind of problem."""
        speed = self.demo_speed if self.presenter.choices.mode == "demo" else self.eeg.speed
        others = {
            "mode": self.modes.buttons()[0],
            "streams": self.eeg.table,
            "boards": self.eeg.table,
            "headsets": self.eeg.scope,
        }
        return {**bound_fields(self), "speed": speed, **others}

    def tick(self) -> None:
        """One turn: what has changed is shown, and the signal and the level as they are now."""
        self.presenter.set_screens(list_screens())
        state = self.presenter.tick()
        if state is not self._shown:
            self._shown = state
            self._show(state)
        if self.presenter.said != self._said:
            self._said = self.presenter.said
            theme.set_text(self.message, self._said)
            self.message.setVisible(bool(self._said))
        if state.choices.mode != "demo":
            self.eeg.show_signal(state, *self.presenter.signal())
            self.sound.show_level(*self.presenter.previews.loudness())

    def _show(self, state: StartState) -> None:
        mode = state.choices.mode
        self.modes.button(MODES.index(mode)).setChecked(True)
        summaries = demo_lines(state.choices, state.found) if mode == "demo" else ("", "", "")
        if session := session_lines(state.choices, state.found):
            summaries = ("", *session, "")
        for card, text in zip((self.eeg, self.sound, self.bundle), summaries, strict=True):
            card.tell(text)
        self.eeg.count.setVisible(mode != "demo")
        self.sound.kind.setVisible(not summaries[1])
        self.demo_speed.setVisible(mode == "demo")
        self.eeg.speed.set_options(SPEEDS)
        self.demo_speed.show_choice(state.choices)
        for card in (self.eeg, self.sound, self.bundle, self.protocol, self.results):
            card.show_state(state)
        self.verdict.show_state(state)

    def go_to(self, where: str, uid: str = "") -> None:
        """Give the focus to the field that mends a problem, of the stream ``uid`` where it is of one."""
        self.presenter.show_of_stream(uid)
        self.tick()
        self.bundle.show_field(where)
        field = self.fields().get(where)
        if field is not None:
            field.setFocus(Qt.FocusReason.OtherFocusReason)

    def begin(self) -> None:
        """Start the session, if nothing prevents it; else go to the first thing that does."""
        if self.verdict.enter():
            return
        self.tick()
        state = self._shown
        if state is None or not state.may_start:
            stop = next((line for line in state.lines if line.kind == "stop"), None) if state else None
            if stop is not None:
                self.go_to(stop.where, stop.uid)
            return
        try:
            plan = plan_of(state.chosen)
        except RtaffectError as error:
            self.presenter.say(error)
            return
        self.started = Started(plan, state.choices, self._saved)
        self.close()

    def check_contact(self) -> None:
        """Leave for the contact check of the ticked headsets, from which the session can be started."""
        self.tick()
        state = self._shown
        if state is None or state.choices.mode != "live":
            return
        try:
            plan = plan_of(state.chosen)
        except RtaffectError as error:
            self.presenter.say(error)
            return
        self.started = Started(plan, state.choices, self._saved, checks=True, may_start=state.may_start)
        self.close()

    def _ask_open(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, "Open a session's plan", "", _PLANS)
        if chosen:
            self.read(Path(chosen))

    def read(self, path: Path) -> None:
        """Take the choices of the plan at ``path``; say so if it cannot be read."""
        try:
            self.presenter.take(choices_of(read_plan(path)))
        except RtaffectError as error:
            self.presenter.say(error)
            return
        self._saved = None
        self._name(path)

    def _ask_save(self) -> None:
        chosen, _ = QFileDialog.getSaveFileName(self, "Save this session's plan", "session.toml", _PLANS)
        if chosen:
            self.write(Path(chosen))

    def write(self, path: Path) -> None:
        """Write the plan to ``path``; say so if that is impossible."""
        try:
            write_plan(plan_of(self.presenter.tick().chosen), path)
        except RtaffectError as error:
            self.presenter.say(f"The plan is not saved: {error.message}")
            return
        self._saved = path
        self._name(path)

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """Remember the choices, stop all that is watched, and let go of all devices."""
        if not self._closing:
            self._closing = True
            self.checks.close()
            self.timer.stop()
            remember(self.presenter.choices)
            self.presenter.close()
        super().closeEvent(event)
        self.closed.emit()
