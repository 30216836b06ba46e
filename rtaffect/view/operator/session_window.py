"""The operator's window: repaints by its own timer, reads frozen states, and never holds the engine up."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import Unpack

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import QMainWindow, QStackedWidget, QTabBar, QWidget

from rtaffect.present.health import describe_health
from rtaffect.present.keys import BINDINGS, MARKER_KEYS
from rtaffect.present.maps import QUANTITIES, Quantity
from rtaffect.present.session_presenter import Presenter
from rtaffect.present.session_state import ViewState
from rtaffect.present.window_options import OperatorCalls, WindowOptions
from rtaffect.record.recorder import RecordingStatus
from rtaffect.view.operator.agreement_page import AgreementPage
from rtaffect.view.operator.contact_page import ContactPage
from rtaffect.view.operator.curves_page import SPACING, CurvesPage
from rtaffect.view.operator.foot import Footer, MarkerBar
from rtaffect.view.operator.help import HelpPanel
from rtaffect.view.operator.map_page import MapPage
from rtaffect.view.operator.marks_bar import MarksBar
from rtaffect.view.operator.measures_page import MeasuresPage
from rtaffect.view.operator.pages import CONTACT, MAP, MEASURES, PAGES, PLANE, SO_FAR, Courses, Page
from rtaffect.view.operator.plane_page import PlanePage
from rtaffect.view.operator.protocol_strip import ProtocolStrip
from rtaffect.view.operator.rows import RowPanel
from rtaffect.view.operator.signals_page import SignalsPage
from rtaffect.view.operator.so_far_page import SoFarPage
from rtaffect.view.operator.status import Header
from rtaffect.view.parts import theme
from rtaffect.view.parts.layouts import column, row

#: Milliseconds between repaints: 40 a second, so that 30 remain when the machine is busy.
REPAINT_MS = 25
#: Beside a note that is being written.
NOTE_HINT = "Return keeps it with the time of the key, Esc leaves"
#: Over and under all, px.
MARGIN = 6
#: The recording is asked how it is, and the health line is written, so often, s.
ASK_S, HEALTH_S = 1.0, 0.1


class SessionWindow(QMainWindow):
    """All that the operator of a running session needs.

    Parameters
    ----------
    presenter : Presenter
        Fed by the engine's thread.
    **options
        :class:`rtaffect.present.window_options.WindowOptions`.
    """

    closed = Signal()

    def __init__(self, presenter: Presenter, **options: Unpack[WindowOptions]) -> None:
        super().__init__()
        self._presenter, self._on_close, self._now = presenter, options["on_close"], options["now"]
        self._poll, self._on_marker = options.get("poll"), options.get("on_marker")
        self._on_go, self._on_skip = options.get("on_go"), options.get("on_skip")
        self._recording, self._notices = options.get("recording"), options.get("notices")
        self._sources, title = options.get("sources", ()), options.get("title", "")
        self._on_take, self._on_next_offer = options.get("on_take"), options.get("on_next_offer")
        given: dict[str, object] = {
            "go": self._on_go,
            "skip": self._on_skip,
            "marker": self._on_marker,
            "quick": self._on_marker,
        }
        self._operator = calls = options.get("operator", OperatorCalls())
        given |= {"take": self._on_take, "next-offer": self._on_next_offer}
        given |= {"pause": calls.pause, "repeat": calls.repeat, "note": calls.note}
        self._without = frozenset(action for action, call in given.items() if call is None)
        self._seconds_after_end = options.get("seconds_after_end")
        self._close_called, self._plane_first = False, options.get("plane_first", False)
        self._opened = self._now()
        self._ended_at: float | None = None
        self._state: ViewState = presenter.state()
        self._drawn: dict[int, int] = {}
        self._recorded: RecordingStatus | None = None
        self._elsewhere = ""
        self._noticed: tuple[str, ...] = ()
        self._asked_at = self._said_at = float("-inf")
        self.setWindowTitle(f"rtaffect \N{EN DASH} {title}" if title and title != "rtaffect" else "rtaffect")
        self.setStyleSheet(theme.style_sheet("display"))
        self.header, self.rows = Header(title), RowPanel()
        hints = {"marker": "M marker", "note": "T note"}
        self.footer = Footer([words for action, words in hints.items() if action not in self._without])
        self.curves, self.map = CurvesPage(self._state.smooth_steps), MapPage(options.get("zones") or {})
        self.signals, self.agreement = SignalsPage(self._sources), AgreementPage(self._state.smooth_steps)
        self.measures, self.plane, self.so_far = MeasuresPage(self._sources), PlanePage(), SoFarPage()
        self.contact = ContactPage(options.get("contact"))
        may = {f"can_{action}": action not in self._without for action in ("go", "skip", "pause", "repeat")}
        self.protocol = ProtocolStrip(**may, blinded=options.get("blinded", False))
        self.marker, self.note = MarkerBar(), MarkerBar("Note", NOTE_HINT)
        self.marks, self._noted_at = MarksBar(calls.marks if calls.mark is not None else ()), 0.0
        self._build(options.get("banner"))
        self._connect()
        self._show_data()
        # It says each step's number, and is always there: when it is painted, the step is on the screen.
        self.footer.step.installEventFilter(self)
        self.timer = QTimer(self)
        self.timer.setTimerType(Qt.TimerType.PreciseTimer)
        self.timer.timeout.connect(self.tick)
        self.timer.start(REPAINT_MS)

    def _build(self, banner: str | None) -> None:
        self.banner = theme.label(banner or "", 13, theme.NOTICE, bold=True)
        self.banner.setObjectName("banner")
        self.banner.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.banner.setVisible(bool(banner))
        self.tabs, self.pages = QTabBar(), QStackedWidget()
        self.tabs.setFont(theme.font(13))
        self.tabs.setExpanding(False)
        self.tabs.setDrawBase(False)
        self.tabs.setAccessibleName("pages")
        for number, (name, page) in enumerate(zip(PAGES, self._pages, strict=True), start=1):
            self.tabs.addTab(f"{number}  {name}")
            self.pages.addWidget(page)
        for number in (MEASURES, PLANE, CONTACT):
            self.tabs.setTabVisible(number, False)
        middle = row(self.rows, (column(self.tabs, (self.pages, 1), spacing=6), 1), spacing=SPACING)
        above, below = (self.header, self.banner, self.protocol), (self.marks, self.marker, self.note, self.footer)
        body = QWidget()
        body.setObjectName("body")
        column(*above, (middle, 1), *below, of=body, margins=(10, MARGIN, 10, MARGIN), spacing=SPACING)
        self.setCentralWidget(body)
        self.help = HelpPanel(self, self._without, self.marks.marks)
        self.setMinimumSize(1180, 660)
        self.resize(1280, 720)

    @property
    def _pages(self) -> tuple[Page, ...]:
        return self.curves, self.map, self.signals, self.agreement, self.measures, self.plane, self.so_far, self.contact

    def _connect(self) -> None:
        self.rows.chosen.connect(self._choose)
        self.map.chosen.connect(self._choose)
        self.measures.chosen.connect(self._choose_measure)
        self.plane.person_chosen.connect(self._choose_affect)
        self.tabs.currentChanged.connect(self.show_page)
        self.marker.written.connect(self._mark)
        self.note.written.connect(self._write_note)
        self.marks.marked.connect(self._set_mark)
        self.marks.bind(self)
        strip = self.protocol
        calls = {strip.went: self._on_go, strip.skipped: self._on_skip}
        calls |= {strip.paused: self._operator.pause, strip.repeated: self._operator.repeat}
        for signal, call in calls.items():
            if call is not None:
                signal.connect(call)
        actions, taken = self._actions(), [key for key, _ in self.marks.marks]
        for binding in chain(*BINDINGS.values()):
            for key in binding.keys:
                action = partial(self._mark, key) if key in MARKER_KEYS else actions[binding.action]
                if binding.action not in self._without and key not in taken:
                    QShortcut(QKeySequence(key), self, action)

    def _actions(self) -> dict[str, Callable[[], object]]:
        """Return what each action of the table of keys does."""
        strip = self.protocol
        pages = {f"page-{n}": partial(self._to_page, n - 1) for n in range(1, len(PAGES) + 1)}
        return {
            **pages,
            **{quantity: partial(self._show_on_map, quantity) for quantity in QUANTITIES},
            "go": self.protocol.go,
            "skip": lambda: self.protocol.skip(self._now()),
            "pause": strip.pause,
            "repeat": lambda: strip.repeat(self._now()),
            "marker": self.marker.ask,
            "note": self._ask_note,
            "quick": lambda: None,
            "level": self.map.switch_level,
            "raw": self._show_raw,
            "person": self._next_person,
            "larger": lambda: self.signals.scale(-1),
            "smaller": lambda: self.signals.scale(1),
            "automatic": lambda: self.signals.scale(0),
            "take": partial(self._on_offer, self._on_take),
            "next-offer": partial(self._on_offer, self._on_next_offer),
            "help": self.help.switch,
            "cancel": self._cancel,
            "close": self.close,
        }

    @property
    def elapsed_s(self) -> float:
        """Seconds since the newest step, or since the window was opened where there is none.

        They stand still once the session has ended.
        """
        now = self._now() if self._ended_at is None else self._ended_at
        since = self._opened if self._state.latest is None else self._state.latest.lsl_time
        return max(0.0, now - since)

    def tick(self) -> None:
        """One turn of the display: the time always, the data of the shown page only when they have changed."""
        self._ask_whether_ended()
        if self._presenter.revision != self._state.revision:
            self._state = self._presenter.state()
            self._show_data()
        state, elapsed = self._state, self.elapsed_s
        self.header.show_time(state, elapsed)
        page = self.pages.currentIndex()
        timed: dict[int, Courses] = {0: self.curves, 3: self.agreement, PLANE: self.plane, SO_FAR: self.so_far}
        if page in timed:
            timed[page].show_time(state, elapsed)
        elif page == 2 and self._ended_at is None:
            self.signals.show_time(self._now())
        elif page == MEASURES:
            self.measures.show_time(state, elapsed, self._now())
        elif page == CONTACT and self._ended_at is None:
            self.contact.show_time(self._now())
        self._show_protocol(elapsed)
        self._show_health(elapsed)

    def _to_page(self, page: int) -> None:
        if self.tabs.isTabVisible(page):
            self.tabs.setCurrentIndex(page)

    def show_page(self, page: int) -> None:
        """Show a page by its number, from 0."""
        self.tabs.setCurrentIndex(page)
        self.pages.setCurrentIndex(page)
        self._draw_page()

    def _show_data(self) -> None:
        self.footer.show_step(self._state, self._trouble)
        if self._state.latest is not None:
            self.rows.show_step(self._state.latest, self._state.selected)
            self.rows.fit_window(self.width())
        rated = self._state.latest is not None and self._state.latest.rating is not None
        there = {MAP: not rated, MEASURES: self._state.measures is not None, PLANE: self._state.plane is not None}
        there |= {SO_FAR: not rated, CONTACT: self.contact.contact is not None}
        for number, wanted in there.items():
            if wanted != self.tabs.isTabVisible(number):
                self.tabs.setTabVisible(number, wanted)
        if self._plane_first and there[PLANE]:
            self._plane_first = False
            self.show_page(PLANE)
        self._draw_page()

    def _draw_page(self) -> None:
        """Draw the shown page, unless it shows this state already."""
        page = self.pages.currentIndex()
        if self._drawn.get(page) == self._state.revision:
            return
        self._drawn[page] = self._state.revision
        self._pages[page].show_state(self._state)
        self.tabs.setTabText(1, f"2  {self.map.title_of(self._state)}")

    def _show_protocol(self, elapsed: float) -> None:
        state = self._state
        behind = 0 if state.latest is None or state.protocol is None else state.latest.step - state.protocol.step
        since = 0.0 if self._ended_at is not None else elapsed + max(0, behind) * state.step_s
        self.protocol.show_protocol(state.protocol, state.blocks, since, self._now())

    def _show_health(self, elapsed: float) -> None:
        now = self._now()
        if not 0 <= now - self._asked_at < ASK_S:
            self._asked_at = now
            self._ask()
        if 0 <= now - self._said_at < HEALTH_S:
            return
        self._said_at = now
        over = self._ended_at is not None
        ages = {} if over else {source.info.name: now - source.buffer.newest for source in self._sources}
        self.footer.health.show_items(describe_health(self._state, elapsed, self._recorded, ages))

    def _ask(self) -> None:
        """Ask how the recording is, and what is to be noticed beside the session's devices."""
        before = self._trouble
        self._recorded = self._recording() if self._recording is not None else None
        self._noticed = tuple(self._notices()) if self._notices is not None and self._ended_at is None else ()
        if self._trouble != before:
            self.footer.show_step(self._state, self._trouble)

    def _on_offer(self, call: Callable[[], object] | None) -> None:
        if call is not None:
            call()
            self._ask()

    @property
    def _trouble(self) -> str:
        """What is wrong outside the steps: with the recording, the participant's view, and other devices."""
        recording = self._recorded.trouble if self._recorded is not None else ""
        each = (f"recording: {recording}" if recording else "", self._elsewhere, *self._noticed)
        return "   \N{MIDDLE DOT}   ".join(text for text in each if text)

    def show_trouble(self, text: str) -> None:
        """Say what is wrong with another part of the session; empty when it is over."""
        self._elsewhere = text
        self.footer.show_step(self._state, self._trouble)

    def _choose(self, row: int) -> None:
        self._presenter.select(row)
        self.tick()

    def _choose_measure(self, row: int) -> None:
        self._presenter.select_measure(row)
        self.tick()

    def _choose_affect(self, person: int) -> None:
        self._presenter.select_affect(person)
        self.tick()

    def _show_on_map(self, quantity: Quantity) -> None:
        # The page knows the newest step only once it is shown.
        self.show_page(1)
        self.map.show_quantity(quantity)

    def _show_raw(self) -> None:
        self.signals.switch_raw()
        self.show_page(2)

    def _next_person(self) -> None:
        (self.contact.heads if self.pages.currentIndex() == CONTACT else self.signals).next_person()

    def _mark(self, text: str) -> None:
        """Give a marker away, and draw it at the present session time."""
        if self._on_marker is None:
            return
        self._on_marker(text)
        self._draw_mark(text, self._now())

    def _set_mark(self, name: str) -> None:
        """Set one of the protocol's marks, now."""
        if self._operator.mark is not None and self._ended_at is None:
            self._operator.mark(name, self._now())
            self._draw_mark(name, self._now())

    def _ask_note(self) -> None:
        """Let a note be written, of this moment."""
        self._noted_at = self._now()
        self.marker.cancel()
        self.note.text.clear()
        self.note.ask()

    def _write_note(self, text: str) -> None:
        if self._operator.note is not None:
            self._operator.note(text, self._noted_at)
            self._draw_mark(text, self._noted_at)

    def _draw_mark(self, text: str, at: float) -> None:
        """Draw a mark at ``at``, s on the LSL clock, and give the keys back to the list."""
        latest = self._state.latest
        if latest is not None:
            self._presenter.mark(latest.time + at - latest.lsl_time, text)
        self.rows.list.setFocus()

    def _cancel(self) -> None:
        """Leave what is open: the newest first."""
        if self.marker.cancel() or self.note.cancel():
            self.rows.list.setFocus()
        elif not self.protocol.cancel() and self.help.isVisible():
            self.help.switch()

    def _ask_whether_ended(self) -> None:
        if self._ended_at is not None:
            return
        text = self._poll() if self._poll is not None else None
        if text is not None:
            if text.lower().startswith("fault"):
                self._presenter.fail(text.partition(":")[2].strip() or text)
            else:
                self._presenter.end(text)
        state = self._presenter.state() if text is not None else self._state
        if state.ended is not None or state.fault is not None:
            self._ended_at = self._now()
            if self._seconds_after_end is not None:
                QTimer.singleShot(round(1000 * self._seconds_after_end), self, self.close)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Note when a step is painted."""
        if event.type() == QEvent.Type.Paint and self._state.latest is not None:
            self._presenter.painted(self._state.latest.step)
        return super().eventFilter(watched, event)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Keep the list of keys in the middle."""
        super().resizeEvent(event)
        self.rows.fit_window(self.width())
        self.help.place()

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """Stop repainting and tell the session, once."""
        self.timer.stop()
        if not self._close_called:
            self._close_called = True
            self._on_close()
        super().closeEvent(event)
        self.closed.emit()
