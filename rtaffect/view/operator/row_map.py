"""What the brain and the scalp have in common: a map of rows that a click chooses and the pointer names."""

from __future__ import annotations

from abc import abstractmethod

from PySide6.QtCore import QEvent, QPointF, Signal
from PySide6.QtGui import QHelpEvent, QMouseEvent
from PySide6.QtWidgets import QToolTip, QWidget

from rtaffect.engine.feedback import Feedback
from rtaffect.present.maps import MapState, row_words


class RowMap(QWidget):
    """A map of the newest step's rows; ``chosen`` is emitted with the row that was clicked."""

    chosen = Signal(int)

    def __init__(self, name: str) -> None:
        super().__init__()
        self._latest: Feedback | None = None
        self._state: MapState | None = None
        self._limit = 1.0
        self.setMinimumSize(300, 200)
        self.setAccessibleName(name)

    @abstractmethod
    def row_at(self, place: QPointF) -> int | None:
        """Return the row at a place, px."""

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Choose the row under the pointer."""
        row = self.row_at(event.position())
        if row is not None:
            self.chosen.emit(row)

    def event(self, event: QEvent) -> bool:
        """Name the row under the pointer."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            row = self.row_at(QPointF(event.pos()))
            if row is not None and self._latest is not None and self._state is not None:
                QToolTip.showText(event.globalPos(), row_words(self._latest, row, self._state), self)
                return True
        return super().event(event)
