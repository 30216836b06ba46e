"""Values at electrodes, seen from above: one disc each and nothing made up between them.

Rows are correlations, not potentials: there is no field to be drawn between two electrodes.
"""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainter, QPaintEvent

from rtaffect.engine.feedback import Feedback
from rtaffect.present.maps import MapState
from rtaffect.view.operator.brain import fill_of, paint_distrust
from rtaffect.view.operator.row_map import RowMap
from rtaffect.view.parts import theme
from rtaffect.view.parts.head_plan import NAMED_FROM, HeadPlan, at, paint_head, paint_name, plan

#: Width of the column of channels that have no known place, and height of its lines, px.
BESIDE, LINE = 170.0, 26.0
#: From this part of the colour scale on a name is written dark.
BRIGHT = 0.45


class ScalpMap(RowMap):
    """The head with a disc for each channel."""

    def __init__(self) -> None:
        super().__init__("map of the scalp: one disc for each channel")
        self._selected = -1

    def show_map(self, latest: Feedback, state: MapState, limit: float, selected: int) -> None:
        """Draw ``state``; the row ``selected`` is ringed."""
        self._latest, self._state, self._limit, self._selected = latest, state, limit, selected
        self.update()

    def places(self) -> tuple[HeadPlan, dict[int, QRectF]]:
        """Return the plan of the channels with a known place, and the lines of the others, by row, px."""
        rows = self._latest.rows if self._latest is not None else ()
        area = QRectF(self.rect()).adjusted(6, 6, -6, -6)
        found = plan(rows, area)
        others = [row for row in range(len(rows)) if row not in found.places]
        if not others:
            return found, {}
        each = min(LINE, (area.height() - 20) / len(others))
        top = area.top() + 20
        lines = {
            row: QRectF(area.right() - BESIDE, top + number * each, BESIDE, each) for number, row in enumerate(others)
        }
        return plan(rows, area.adjusted(0, 0, -BESIDE, 0)), lines

    def row_at(self, place: QPointF) -> int | None:
        """Return the row at a place, px."""
        found, lines = self.places()
        row = at(found, place)
        return row if row is not None else next((r for r, box in lines.items() if box.contains(place)), None)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw the head, the discs, and the channels beside it."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        found, lines = self.places()
        if found.places or self._latest is None:
            paint_head(painter, found)
        if self._latest is None or self._state is None:
            return
        for row, centre in found.places.items():
            self._paint_disc(painter, self._state, row, centre, found.disc)
            if found.disc >= NAMED_FROM:
                self._paint_name(painter, row, centre, found.disc)
        if lines:
            self._paint_beside(painter, self._latest, self._state, lines)

    def _paint_disc(self, painter: QPainter, state: MapState, row: int, centre: QPointF, disc: float) -> None:
        look, ring = state.looks[row], max(2.5, 0.28 * disc)
        colour = fill_of(look, float(state.values[row]), self._limit)
        if row == self._selected:
            theme.outline(painter, theme.TEXT, 2)
            painter.drawEllipse(centre, disc + 3, disc + 3)
        if self._hollow(state, row):
            painter.setPen(theme.pen(colour, ring))
            painter.setBrush(theme.brush(theme.BACKGROUND))
            painter.drawEllipse(centre, disc - ring / 2, disc - ring / 2)
        else:
            painter.setPen(theme.pen(theme.FAINT if look == "absent" else theme.BACKGROUND))
            painter.setBrush(theme.brush(colour))
            painter.drawEllipse(centre, disc, disc)
        if look == "untrusted" and disc < NAMED_FROM:
            paint_distrust(painter, centre)

    @staticmethod
    def _hollow(state: MapState, row: int) -> bool:
        """Return whether the value lies inside its band: where there is one, and the row is drawn in colour."""
        return state.quantity != "predicted" and state.looks[row] in ("plain", "unresolved") and not state.marked[row]

    def _paint_name(self, painter: QPainter, row: int, centre: QPointF, disc: float) -> None:
        if self._state is None or self._latest is None:
            return
        state, name = self._state, self._latest.rows[row]
        coloured = state.looks[row] == "plain" and not self._hollow(state, row)
        bright = coloured and abs(float(state.values[row])) > BRIGHT * self._limit
        distrusted = f"{name} \N{MULTIPLICATION SIGN}" if state.looks[row] == "untrusted" else name
        paint_name(painter, centre, disc, distrusted, theme.BACKGROUND if bright else theme.TEXT)

    def _paint_beside(self, painter: QPainter, latest: Feedback, state: MapState, lines: dict[int, QRectF]) -> None:
        painter.setFont(theme.font(11))
        painter.setPen(theme.pen(theme.MUTED))
        first = next(iter(lines.values()))
        painter.drawText(QPointF(first.left(), first.top() - 6), "without a known place")
        for row, box in lines.items():
            disc = min(9.0, box.height() / 2 - 1)
            centre = QPointF(box.left() + 12, box.center().y())
            self._paint_disc(painter, state, row, centre, disc)
            if box.height() < 10:
                continue
            room, pixels = box.adjusted(28, 0, 0, 0), 11 if box.height() > 14 else 9
            name = theme.MUTED if state.looks[row] == "untrusted" else theme.TEXT
            theme.write(painter, room, latest.rows[row], pixels, name, align=theme.LEFT, cut=theme.IN_MIDDLE)
