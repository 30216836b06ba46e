"""The window of the contact check: a plan of each head that is read from two metres, and the way into the session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from PySide6.QtCore import QEventLoop, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QMainWindow, QWidget

from rtaffect.checks.contact_check import CheckState
from rtaffect.common.contact_settings import ContactSettings
from rtaffect.start.wording import in_window
from rtaffect.view.parts import theme
from rtaffect.view.parts.application import discard, interrupt_closes, without_a_window
from rtaffect.view.parts.contact_heads import ContactHeads, contact_key
from rtaffect.view.parts.layouts import column, row
from rtaffect.view.parts.plot_key import Key
from rtaffect.view.parts.screens import show_fitting

#: Milliseconds between two looks at the check.
TICK_MS = 200
KEYS = "1\N{EN DASH}9 one headset, H the next, 0 all"


class Watched(Protocol):
    """A check that runs on a thread of its own (:class:`rtaffect.checks.contact_check.ContactWatch`)."""

    limits: ContactSettings
    state: CheckState

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End it, and let go of the headsets."""


@dataclass(frozen=True, slots=True)
class ContactOutcome:
    """How a check ended: whether the session is to ``start``, and its last ``state``."""

    start: bool
    state: CheckState


class ContactWindow(QMainWindow):
    """The heads, the target, and the buttons.

    Parameters
    ----------
    watch
        The check; stopped when the window closes.
    starts
        Whether a session can be started from here.
    back
        What closing leads to, as the button says.

    Attributes
    ----------
    wanted : bool
        Whether the session is to start; set before the window closes.
    """

    closed = Signal()

    def __init__(self, watch: Watched, *, starts: bool = False, back: str = "Close") -> None:
        super().__init__()
        self.watch, self.wanted, self._starts = watch, False, starts
        self.setWindowTitle("rtaffect \N{EN DASH} contact check")
        self.setStyleSheet(theme.style_sheet("display", "start"))
        self.heads = ContactHeads()
        self.words = theme.label(watch.state.words, 22, bold=True)
        self.words.setWordWrap(True)
        self.key = Key(contact_key()).in_one_line()
        limits = watch.limits
        self.target = theme.ElidedLabel(
            f"Target: {100 * limits.share:.0f} % of the electrodes good for {limits.hold_s} s. Figure: index 0 to 100, "
            "or k: impedance, kOhm",
            13,
            theme.MUTED,
        )
        self.start_button = theme.button("Start session  S", "start the session")
        self.start_button.setObjectName("go")
        self.anyway_button = theme.button("Start anyway  Shift+S", "start the session though the target is not met")
        self.back_button = theme.button(f"{back}  Esc", "leave the check")
        for each, act in (
            (self.start_button, self.start), (self.anyway_button, self.start_anyway), (self.back_button, self.close),
        ):  # fmt: skip
            each.clicked.connect(act)
        self._build()
        self._keys()
        self.timer = QTimer(self)
        self.timer.timeout.connect(self.tick)
        self.timer.start(TICK_MS)
        self.tick()
        # No key that is pressed by chance may start a session.
        self.heads.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.heads.setFocus()

    def _build(self) -> None:
        body = QWidget()
        body.setObjectName("body")
        keys = theme.label(KEYS, 12, theme.MUTED)
        foot = row((self.target, 1), keys, self.anyway_button, self.start_button, self.back_button, spacing=10)
        for each in (self.start_button, self.anyway_button):
            each.setVisible(self._starts)
        parts = (row((self.words, 1), self.key), (self.heads, 1), foot)
        column(*parts, of=body, margins=(10, 6, 10, 8), spacing=6)
        self.setCentralWidget(body)
        self.setMinimumSize(900, 560)
        self.resize(1280, 720)

    def _keys(self) -> None:
        numbers = [(partial(self.heads.show_alone, number), str(number + 1)) for number in range(9)]
        acts: list[tuple[Callable[[], object], str]] = [
            *numbers,
            (self.start, "S"), (self.start_anyway, "Shift+S"), (self.close, "Escape"), (self.close, "Ctrl+W"),
            (self.heads.next_person, "H"), (lambda: self.heads.show_alone(None), "0"), (self.heads.turn_page, "PgDown"),
        ]  # fmt: skip
        for act, key in acts:
            QShortcut(QKeySequence(key), self, act)

    @property
    def state(self) -> CheckState:
        """The check as it is."""
        return self.watch.state

    def tick(self) -> None:
        """Show how the check is now."""
        state = self.watch.state
        self.heads.show_heads(state.heads)
        text, name = _said(state)
        theme.set_text(self.words, text)
        theme.set_colour(self.words, name)
        self.start_button.setEnabled(state.met)
        self.anyway_button.setEnabled(not state.met and bool(state.heads))

    def start(self) -> None:
        """Go on into the session, if every headset has met the target."""
        if self._starts and self.watch.state.met:
            self.wanted = True
            self.close()

    def start_anyway(self) -> None:
        """Go on into the session though the target is not met."""
        if self._starts and self.watch.state.heads:
            self.wanted = True
            self.close()

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """Stop looking."""
        self.timer.stop()
        super().closeEvent(event)
        self.closed.emit()


def _said(state: CheckState) -> tuple[str, str]:
    """Return what stands at the top, and its colour."""
    if state.failed:
        return in_window(state.failed), theme.POOR
    if state.words:
        return f"{state.words[:1].upper()}{state.words[1:]}\N{HORIZONTAL ELLIPSIS}", theme.MUTED
    met = sum(head.target.met for head in state.heads)
    if state.met:
        return f"{theme.LEVELS['good'][0]} Met: all electrodes that are needed have been good", theme.LEVELS["good"][1]
    several = f": {met} of {len(state.heads)} headsets have it" if len(state.heads) > 1 else ""
    return f"{theme.LEVELS['warn'][0]} Not met yet{several}", theme.LEVELS["warn"][1]


def run_contact(
    watch: Watched, *, starts: bool = False, back: str = "Close", seconds: float | None = None
) -> ContactOutcome:
    """Show the check until it is left, the session is to start, or ``seconds`` are over; call it in the main thread."""
    with without_a_window():
        loop = QEventLoop()
        window = ContactWindow(watch, starts=starts, back=back)
        window.closed.connect(loop.quit)
        if seconds is not None:
            QTimer.singleShot(round(1000 * seconds), window, window.close)
        watch.start()
        try:
            with interrupt_closes(window):
                show_fitting(window)
                window.activateWindow()
                loop.exec()
        finally:
            state = watch.state
            watch.stop()
    outcome = ContactOutcome(window.wanted, state)
    discard(window)
    return outcome
