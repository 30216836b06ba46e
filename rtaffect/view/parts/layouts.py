"""Rows and columns of widgets: each in one call."""

from __future__ import annotations

from typing import TypeVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QLayout, QScrollArea, QVBoxLayout, QWidget

#: A widget or a layout, with its stretch and its alignment where it has any; None takes the room that is left.
Part = QWidget | QLayout | None | tuple[QWidget | QLayout, int] | tuple[QWidget, int, Qt.AlignmentFlag]
Margins = tuple[int, int, int, int]
Box = TypeVar("Box", bound=QBoxLayout)


def row(*parts: Part, of: QWidget | None = None, margins: Margins = (0, 0, 0, 0), spacing: int = -1) -> QHBoxLayout:
    """Return ``parts`` from left to right, px; it is the layout ``of`` a widget, or part of another one.

    Without a ``spacing`` of its own it has that of the layout that it is part of.
    """
    return _filled(QHBoxLayout(), parts, of, margins, spacing)


def column(*parts: Part, of: QWidget | None = None, margins: Margins = (0, 0, 0, 0), spacing: int = -1) -> QVBoxLayout:
    """Return ``parts`` from top to bottom; see :func:`row`."""
    return _filled(QVBoxLayout(), parts, of, margins, spacing)


def _filled(layout: Box, parts: tuple[Part, ...], of: QWidget | None, margins: Margins, spacing: int) -> Box:
    if of is not None:
        of.setLayout(layout)
    layout.setContentsMargins(*margins)
    layout.setSpacing(spacing)
    for part in parts:
        given = part if isinstance(part, tuple) else (part,)
        if given[0] is None:
            layout.addStretch(1)
        elif isinstance(given[0], QLayout):
            layout.addLayout(*given)
        else:
            layout.addWidget(*given)
    return layout


def scrolled(widget: QWidget) -> QScrollArea:
    """Return an area in which ``widget`` is scrolled upright where it is too high; keys do not lead there."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(widget)
    return area
