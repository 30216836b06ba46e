"""The page that asks whether there is synchrony at all: its mean over the session so far, and what chance gives."""

from __future__ import annotations

from typing import Final

from PySide6.QtWidgets import QWidget

from rtaffect.common.so_far import LEAST_WINDOWS
from rtaffect.present.session_state import ViewState
from rtaffect.view.parts import theme
from rtaffect.view.parts.layouts import column
from rtaffect.view.parts.so_far_plot import SoFarPlot

EXPLAINED: Final = (
    "Observed synchrony of each step, mean over rows, less the centre of its null band, averaged over all steps so far "
    "that have a trusted value; blocks for practice do not count. By chance: without any synchrony the mean ever "
    "leaves the grey area in 5 % of sessions at most, however often it is looked at; it narrows as the session goes "
    "on. No prediction has a part in it. The session's report has the same figure."
)


class SoFarPage(QWidget):
    """The answer in words over its course."""

    def __init__(self) -> None:
        super().__init__()
        self.words = theme.label("", 18, bold=True)
        self.words.setWordWrap(True)
        self.plot = SoFarPlot()
        theme.set_text(self.plot.empty, f"the first {LEAST_WINDOWS} windows without shared data are still to come")
        self.explained = theme.label(EXPLAINED, 12, theme.MUTED)
        self.explained.setWordWrap(True)
        column(self.words, (self.plot, 1), self.explained, of=self, margins=(0, 0, 0, 0), spacing=8)

    def show_state(self, state: ViewState) -> None:
        """Draw the session so far."""
        if state.so_far is None:
            return
        told = state.so_far.words
        theme.set_text(self.words, told[:1].upper() + told[1:] + ".")
        theme.set_colour(self.words, theme.TEXT if state.so_far.found.beyond else theme.MUTED)
        shown = state.so_far
        self.plot.show_course(shown.time, shown.mean, shown.low, shown.high)
        self.plot.show_marks(state.marks)

    def show_time(self, state: ViewState, elapsed_s: float) -> None:
        """Move 'now' on."""
        self.plot.show_time(state, elapsed_s)
