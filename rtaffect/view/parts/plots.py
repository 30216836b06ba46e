"""Time courses: one plot for the mean over rows, one for the chosen row, and the key to both."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pyqtgraph as pg

from rtaffect.common.arrays import FloatArray
from rtaffect.predicted.feature_cache import Element
from rtaffect.present.session_state import correlation_limits, rating_limits
from rtaffect.present.time_courses import TimeCourse
from rtaffect.view.parts import theme
from rtaffect.view.parts.plot_key import ELEMENT_LINES
from rtaffect.view.parts.time_plot import TimePlot, band, band_path, line


class TimeCoursePlot(TimePlot):
    """Predicted and observed synchrony, or a rating, of one course over session time."""

    def __init__(self, heading: str) -> None:
        super().__init__(heading, "synchrony (r)")
        self.null_band, self.interval = band(theme.NULL, 0.26), band(theme.PREDICTED, 0.26)
        self.zero: Any = pg.InfiniteLine(0.0, angle=0, pen=theme.plot_pen(theme.FAINT))
        self.inside: Any = pg.ScatterPlotItem(size=5, pen=theme.plot_pen(theme.OBSERVED, 1, 0.55), brush=None)
        self.outside: Any = pg.ScatterPlotItem(size=5, pen=None, brush=theme.brush(theme.OBSERVED, 0.75))
        self.predicted, self.smoothed = line(theme.PREDICTED, 2), line(theme.OBSERVED, 3)
        self.elements: dict[Element, Any] = {
            element: line(colour, 2, style) for element, (colour, style) in ELEMENT_LINES.items()
        }
        self.add_items(
            self.null_band, self.interval, self.zero, self.inside, self.outside, self.predicted, self.smoothed,
            *self.elements.values(),
        )  # fmt: skip

    def show_time_course(
        self, course: TimeCourse, elements: Mapping[Element, tuple[FloatArray, FloatArray]] = MappingProxyType({})
    ) -> None:
        """Draw ``course``, and what ``elements`` predict: time (s) and values (T,). Called when data have changed."""
        for element, curve in self.elements.items():
            curve.setData(*elements.get(element, (np.empty(0), np.empty(0))))
        rating = course.rating
        self.name_values("synchrony (r)" if rating is None else "rating", of_correlations=rating is None)
        self.zero.setValue(0.0 if rating is None else rating.middle)
        self.null_band.setPath(band_path(course.time, course.null_low, course.null_high))
        self.interval.setPath(band_path(course.time, course.predicted_low, course.predicted_high))
        self.predicted.setData(course.time, course.predicted)
        self.smoothed.setData(course.time, course.smoothed)
        inside, finite = course.inside_null, np.isfinite(course.observed)
        self.inside.setData(course.time[inside], course.observed[inside])
        self.outside.setData(course.time[finite & ~inside], course.observed[finite & ~inside])
        shown = (course.predicted_low, course.predicted_high, course.observed, course.null_low, course.null_high)
        drawn = (*shown, *(values for _, values in elements.values()))
        self.show_limits(*(correlation_limits(*drawn) if rating is None else rating_limits(rating)))
        theme.set_text(self.note, f"predicted against observed: {course.agreement.text}")
        self.empty.setVisible(not (finite.any() or np.isfinite(course.predicted).any()))
