"""A table of lines, of which one is selected and none is written in."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget

from rtaffect.view.parts import theme


class LineTable(QTableWidget):
    """A table of lines.

    Parameters
    ----------
    heads, widths
        What stands above each column, and how wide it is, px; the column number ``stretched`` takes what is left.
    line_px
        How high a line is, px.
    """

    def __init__(self, heads: Sequence[str], widths: Sequence[int], *, stretched: int, line_px: int) -> None:
        super().__init__(0, len(heads))
        self.setFont(theme.font(12))
        self.setHorizontalHeaderLabels(list(heads))
        header = self.horizontalHeader()
        header.setFont(theme.font(11))
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setHighlightSections(False)
        header.setMinimumSectionSize(24)
        for number, width in enumerate(widths):
            self.setColumnWidth(number, width)
        header.setSectionResizeMode(stretched, QHeaderView.ResizeMode.Stretch)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(line_px)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
