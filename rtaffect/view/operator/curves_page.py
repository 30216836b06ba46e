"""The first page: courses of the mean and of the chosen row, and below them quality and sources."""

from __future__ import annotations

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QWidget

from rtaffect.present.sections import row_hint, row_remark, row_title
from rtaffect.present.session_state import ViewState, beside_title
from rtaffect.view.operator.quality import QualityPanel
from rtaffect.view.operator.status import SourcePanel
from rtaffect.view.parts import theme
from rtaffect.view.parts.layouts import column, row
from rtaffect.view.parts.plot_key import Key, rating_key, time_course_key
from rtaffect.view.parts.plots import TimeCoursePlot

#: Between the parts, px.
SPACING = 8
#: Least height of the lower panels, px; in a small window they can be scrolled.
LEAST_LOWER = 104
NULL_HINT = "The null band is the spread of observed synchrony when the time lock is broken."


def lower_height(people: int, sources: int, page: int, room: int) -> int:
    """Return the height of the lower panels, px: all their lines, but at most a third of the page's and ``room``."""
    line = 18 if page < 660 else 24
    lines = max(92 + line * people, 62 + 19 * sources)
    return max(LEAST_LOWER, min(lines, page // 3, room))


class CurvesPage(QWidget):
    """Predicted and observed synchrony over the last minutes."""

    def __init__(self, smooth_steps: int) -> None:
        super().__init__()
        self.key = Key(time_course_key(smooth_steps), NULL_HINT)
        self.mean_plot, self.row_plot = TimeCoursePlot("Mean over rows"), TimeCoursePlot("Chosen row")
        self.quality, self.sources = QualityPanel(), SourcePanel()
        self._people, self._sources = 4, 5
        self.lower_panels = QWidget()
        row((self.quality, 1), self.sources, of=self.lower_panels, spacing=SPACING)
        column(self.key, (self.mean_plot, 10), (self.row_plot, 10), self.lower_panels, of=self, spacing=SPACING)
        for plot in (self.mean_plot, self.row_plot):
            plot.setMinimumHeight(124)

    @property
    def plots(self) -> tuple[TimeCoursePlot, TimeCoursePlot]:
        """Return both plots."""
        return self.mean_plot, self.row_plot

    def show_state(self, state: ViewState) -> None:
        """Draw the shown time and the newest step."""
        rows = {each.element: (each.time, each.row) for each in state.elements}
        means = {each.element: (each.time, each.mean) for each in state.elements}
        for plot, course, elements in zip(self.plots, (state.mean, state.row), (means, rows), strict=True):
            plot.show_time_course(course, elements)
            plot.show_marks(state.marks)
        said = {each.element: each.words for each in state.elements}
        rated = state.latest is not None and state.latest.rating is not None
        steps = state.smooth_steps
        self.key.show_entries(rating_key(steps) if rated else time_course_key(steps, said))
        if state.latest is None:
            return
        self.key.setToolTip("" if rated else NULL_HINT)
        self.mean_plot.setVisible(not rated or len(state.latest.rows) > 1)
        self.quality.setVisible(not rated or bool(state.latest.people))
        theme.set_text(self.mean_plot.heading, beside_title(state))
        theme.set_text(self.row_plot.heading, row_title(state.latest, state.selected))
        self.row_plot.heading.setToolTip(row_hint(state.latest, state.selected))
        self.row_plot.remark.set_words(row_remark(state.latest, state.selected))
        self.quality.show_step(state.latest, state.selected)
        self._people, self._sources = len(state.latest.people), len(state.latest.sources)
        self._fit()

    def show_time(self, state: ViewState, elapsed_s: float) -> None:
        """Move the plots along and let ages grow, ``elapsed_s`` seconds after the newest step."""
        self.sources.show_time(state, elapsed_s)
        for plot in self.plots:
            plot.show_time(state, elapsed_s)

    def _fit(self) -> None:
        plots = sum(plot.minimumHeight() for plot in self.plots)
        room = self.height() - plots - self.key.height() - 3 * SPACING
        height = lower_height(self._people, self._sources, self.height(), room)
        if height != self.lower_panels.height():
            self.lower_panels.setFixedHeight(height)
        self.sources.fit_window(self.window().width())

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Give the panels their share of the new size."""
        super().resizeEvent(event)
        self._fit()
