"""The plot of synchrony beyond its null, over a whole session."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyqtgraph as pg

from rtaffect.common.arrays import FloatArray
from rtaffect.present.session_state import ViewState
from rtaffect.view.parts import theme
from rtaffect.view.parts.time_plot import TimePlot, band, band_path, line

#: The axis reaches as far as this at least, and at most.
_NARROW: Final = 0.05
_WIDE: Final = 1.0
#: Ticks need so much room, px: the plot may be as high as the window.
TICK_ROOM: Final = 48


class SoFarPlot(TimePlot):
    """The mean so far, over the whole session, and where chance stays."""

    def __init__(self) -> None:
        super().__init__("Mean beyond the null, over the session so far", "correlation", tick_room=TICK_ROOM)
        self.chance = band(theme.NULL, 0.26)
        self.zero: Any = pg.InfiniteLine(0.0, angle=0, pen=theme.plot_pen(theme.FAINT))
        self.mean = line(theme.OBSERVED, 3)
        self.add_items(self.chance, self.zero, self.mean)
        self.name_values("correlation beyond the null", of_correlations=False)
        self.show_limits(-0.2, 0.2)

    def show_course(self, time: FloatArray, mean: FloatArray, low: FloatArray, high: FloatArray) -> None:
        """Draw courses (T,); the area's beginning, which is wide, may be cut."""
        self.chance.setPath(band_path(time, low, high))
        self.mean.setData(time, mean)
        there = np.isfinite(mean)
        late = np.abs(high[there])[-max(1, int(there.sum()) // 2) :]
        reach = 1.15 * max([_NARROW, *np.abs(mean[there]).tolist(), *late.tolist()])
        self.show_limits(-min(reach, _WIDE), min(reach, _WIDE))
        self.empty.setVisible(not there.any())

    def show_time(self, state: ViewState, elapsed_s: float) -> None:
        """Show all of the session, and 'now'."""
        whole = state.latest.time if state.latest is not None else 0.0
        self.show_span(state, elapsed_s, whole)

    def show_whole(self, seconds: float) -> None:
        """Show a finished session of so many seconds."""
        self.plot.setXRange(0.0, max(seconds, 60.0), padding=0)
        self.space_time(max(seconds, 60.0))
        self.now_line.setVisible(False)
