"""The page that asks whether there is synchrony at all: its mean over the session so far, and what chance gives."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyqtgraph as pg
from PySide6.QtWidgets import QWidget

from rtaffect.common.so_far import LEAST_WINDOWS
from rtaffect.present.session_state import ViewState
from rtaffect.present.so_far_state import SoFarState
from rtaffect.view.parts import theme
from rtaffect.view.parts.layouts import column
from rtaffect.view.parts.time_plot import TimePlot, band, band_path, line

EXPLAINED: Final = (
    "Observed synchrony of each step, mean over rows, less the centre of its null band, averaged over all steps so far "
    "that have a trusted value; blocks for practice do not count. By chance: without any synchrony the mean ever "
    "leaves the grey area in 5 % of sessions at most, however often it is looked at; it narrows as the session goes "
    "on. No prediction has a part in it. The session's report has the same figure."
)
#: The axis reaches as far as this at least, and at most.
_NARROW, _WIDE = 0.05, 1.0


class SoFarPlot(TimePlot):
    """The mean so far, over the whole session."""

    def __init__(self) -> None:
        super().__init__("Mean beyond the null, over the session so far", "correlation")
        self.chance = band(theme.NULL, 0.26)
        self.zero: Any = pg.InfiniteLine(0.0, angle=0, pen=theme.plot_pen(theme.FAINT))
        self.mean = line(theme.OBSERVED, 3)
        self.add_items(self.chance, self.zero, self.mean)
        self.name_values("correlation beyond the null", of_correlations=False)
        self.show_limits(-0.2, 0.2)

    def show_so_far(self, shown: SoFarState) -> None:
        """Draw it; the area's beginning, which is wide, may be cut."""
        self.chance.setPath(band_path(shown.time, shown.low, shown.high))
        self.mean.setData(shown.time, shown.mean)
        there = np.isfinite(shown.mean)
        late = np.abs(shown.high[there])[-max(1, int(there.sum()) // 2) :]
        reach = 1.15 * max([_NARROW, *np.abs(shown.mean[there]).tolist(), *late.tolist()])
        self.show_limits(-min(reach, _WIDE), min(reach, _WIDE))
        self.empty.setVisible(not there.any())

    def show_time(self, state: ViewState, elapsed_s: float) -> None:
        """Show all of the session, and 'now'."""
        whole = state.latest.time if state.latest is not None else 0.0
        self.show_span(state, elapsed_s, whole)


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
        self.plot.show_so_far(state.so_far)
        self.plot.show_marks(state.marks)

    def show_time(self, state: ViewState, elapsed_s: float) -> None:
        """Move 'now' on."""
        self.plot.show_time(state, elapsed_s)
