"""Raw traces of one headset: the last seconds of each of its channels, as its samples come."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from rtaffect.present.trace_state import SECONDS, SourceTraces, lane_text, stepped
from rtaffect.stream.source import Source
from rtaffect.view.operator.quality import POOR_BELOW
from rtaffect.view.parts import theme
from rtaffect.view.parts.traces import paint_names, paint_seconds, paint_traces

#: Room for names, for the scale on the right, and for the time axis, px.
NAMES, RIGHT, AXIS = 66.0, 14.0, 34.0
#: Columns of pixels over the shown time.
COLUMNS = 500


class TraceView(QWidget):
    """Draws the traces of the source that was last given."""

    def __init__(self) -> None:
        super().__init__()
        self._of: SourceTraces | None = None
        self._quality: Mapping[str, float] = {}
        self._by_hand = False
        self.setMinimumSize(300, 160)
        self.setAccessibleName("raw traces of the chosen headset")

    def show_source(self, source: Source | None) -> None:
        """Take another headset; the scale is found anew."""
        if source is not (self._of.source if self._of is not None else None):
            self._of = SourceTraces(source, COLUMNS) if source is not None else None
            self._by_hand = False
            self.update()

    def show_quality(self, quality: Mapping[str, float]) -> None:
        """Take how good each channel was in the last window."""
        self._quality = quality

    def take(self, now: float) -> None:
        """Read what is new at ``now``, s on the LSL clock, and draw."""
        if self._of is not None:
            self._of.take(now, keep_lane=self._by_hand)
            self.update()

    def scale(self, steps: int) -> None:
        """Make the traces smaller (``steps`` > 0) or larger; 0 lets the scale be found again."""
        self._by_hand = steps != 0
        if steps and self._of is not None:
            self._of.lane = stepped(self._of.lane, steps)
        self.update()

    @property
    def words(self) -> str:
        """Return what is shown and how large."""
        if self._of is None:
            return "raw traces: this headset's samples are not at hand"
        how = "set by + and \N{MINUS SIGN}, 0 finds it again" if self._by_hand else "+ and \N{MINUS SIGN} change it"
        return f"raw, last {SECONDS:g} s, each about its own line; from lane to lane {lane_text(self._of.lane)} ({how})"

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw the lanes, their names, the traces and the time axis."""
        painter = QPainter(self)
        area = QRectF(self.rect()).adjusted(NAMES, 4, -RIGHT, -AXIS)
        paint_seconds(painter, area, SECONDS, area.top())
        if self._of is None or not self._of.traces.known:
            words = "no samples now" if self._of is not None else "this headset's samples are not at hand"
            theme.write(painter, area, words, 13, theme.MUTED)
            return
        channels = self._of.source.info.channels
        poor = np.array([self._quality.get(name, 1.0) < POOR_BELOW for name in channels], np.bool_)
        paint_names(painter, area, channels, poor)
        paint_traces(painter, area, self._of.traces, self._of.lane, ((~poor, theme.TEXT), (poor, theme.POOR)))
