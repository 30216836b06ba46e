"""Lists to choose from, drawn and opened so that no entry is cut."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QPaintEvent, QWheelEvent
from PySide6.QtWidgets import (
    QComboBox,
    QSizePolicy,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionComboBox,
    QStylePainter,
)

from rtaffect.view.parts import theme

#: What an entry of a list has beside its text, px.
_BESIDE: Final = 24


class Picker(QComboBox):
    """A list to choose from; ``instead`` of its entry stands why it cannot be used."""

    def __init__(self) -> None:
        super().__init__()
        self.instead = ""
        self.setFont(theme.font(12))
        self.view().setFont(theme.font(12))
        self.view().setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        # The style sheet says how high its entries are.
        self.setItemDelegate(QStyledItemDelegate(self))
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(6)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def showPopup(self) -> None:  # noqa: N802
        """Show the list as wide as its longest entry and as high as its entries, as far as the screen has room."""
        super().showPopup()
        view, room = self.view(), self.screen().availableGeometry()
        popup = view.window()
        if not self.count() or popup is self.window():
            return
        longest = max(view.fontMetrics().horizontalAdvance(text) for text in map(self.itemText, range(self.count())))
        beside = view.verticalScrollBar().sizeHint().width() if self.count() > self.maxVisibleItems() else 0
        rows = range(min(self.count(), self.maxVisibleItems()))
        heights = [max(view.sizeHintForRow(n), view.visualRect(self.model().index(n, 0)).height()) for n in rows]
        frame = popup.size() - view.viewport().size()
        width = min(max(longest + _BESIDE + beside + frame.width(), self.width()), room.width())
        height = min(sum(heights) + frame.height(), room.height())
        at = QRect(popup.pos(), QSize(width, height))
        below, above = self.mapToGlobal(self.rect().bottomLeft()).y() + 1, self.mapToGlobal(self.rect().topLeft()).y()
        at.moveTop(below if below + height <= room.bottom() + 1 else max(room.top(), above - height))
        at.moveLeft(max(room.left(), min(at.left(), room.right() + 1 - width)))
        popup.setGeometry(at)
        view.scrollTo(view.currentIndex())

    def paintEvent(self, _: QPaintEvent) -> None:  # noqa: N802
        """Draw the entry, cut short with an ellipsis where there is too little room, and the sign of a list."""
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        room = self.width() - 30
        text = self.instead or option.currentText
        option.currentText = self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, room)
        painter = QStylePainter(self)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
        painter.setFont(theme.font(10))
        painter.setPen(theme.colour(theme.MUTED))
        sign = self.rect().adjusted(self.width() - 22, 0, -4, 0)
        painter.drawText(sign, Qt.AlignmentFlag.AlignCenter, "\N{BLACK DOWN-POINTING TRIANGLE}")

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802
        """Change nothing by a wheel that was meant for something else."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()
