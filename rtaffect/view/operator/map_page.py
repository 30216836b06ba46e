"""The page of the brain or the scalp: a map, the switches of what it shows, its scale and its key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QFrame, QHBoxLayout, QPushButton, QStackedLayout, QWidget

from rtaffect.engine.feedback import Feedback
from rtaffect.present.maps import (
    LEAST_LIMIT,
    LEVELS,
    QUANTITIES,
    Level,
    MapState,
    Place,
    Quantity,
    areas,
    grown_limit,
    has_both_elements,
    has_zones,
    place_of_rows,
    regions_of,
    resolve_map,
)
from rtaffect.present.number_text import signed
from rtaffect.present.sections import row_hint, row_remark, row_title
from rtaffect.present.session_state import ViewState
from rtaffect.view.operator.brain import BrainMap
from rtaffect.view.operator.map_key import Band, ColourBar, map_key
from rtaffect.view.operator.scalp import ScalpMap
from rtaffect.view.parts import theme
from rtaffect.view.parts.layouts import column, row
from rtaffect.view.parts.plot_key import Key

TITLES: dict[Place, str] = {"brain": "Brain", "scalp": "Scalp", "nowhere": "Map"}
NOWHERE = "These rows have no place on a head: see the list and the curves."
QUANTITY_KEYS: dict[Quantity, str] = {"observed": "O", "predicted": "P", "difference": "D", "elements": "E"}

Choice = TypeVar("Choice", Quantity, Level)


class MapPage(QFrame):
    """Values of all rows on the cortex or on the scalp; ``chosen`` is emitted with a row that was clicked."""

    chosen = Signal(int)

    def __init__(self, zones: Mapping[str, Sequence[str]]) -> None:
        super().__init__()
        self.setObjectName("card")
        self._zones = zones
        self._state: ViewState | None = None
        self._limits: dict[Quantity, float] = dict.fromkeys(QUANTITIES, LEAST_LIMIT)
        self._rows: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
        self.quantity: Quantity = "observed"
        self.level: Level = "zones"
        self.place: Place = "brain"
        self.brain, self.scalp = BrainMap(), ScalpMap()
        self.nowhere = theme.label(NOWHERE, 13, theme.MUTED)
        self.nowhere.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.bar, self.key = ColourBar(), Key(map_key("brain", "observed"))
        self.selection = theme.ElidedLabel("no values yet", 12, theme.TEXT)
        self._build()
        for widget in (self.brain, self.scalp):
            widget.chosen.connect(self.chosen)

    def _build(self) -> None:
        self.controls, self.levels, self.foot, stack = QWidget(), QWidget(), QWidget(), QWidget()
        top = row(of=self.controls, spacing=4)
        levels = row(of=self.levels, margins=(6, 0, 0, 0), spacing=4)
        quantities = {
            name: (f"{name.capitalize()}  {QUANTITY_KEYS[name]}", f"show {name} values") for name in QUANTITIES
        }
        quantities["elements"] = (quantities["elements"][0], "show which element predicts each region now")
        self.buttons = self._switch(top, "Show", quantities, self.show_quantity)
        by_level = {name: (f"{name}  Z", f"colour {name}") for name in LEVELS}
        self.level_buttons = self._switch(levels, "of", by_level, self.show_level)
        self.buttons[self.quantity].setChecked(True)
        self.buttons["elements"].setVisible(False)
        self.level_buttons[self.level].setChecked(True)
        top.addWidget(self.levels)
        top.addStretch(1)
        self.stack = QStackedLayout(stack)
        self.stack.setContentsMargins(0, 0, 0, 0)
        for widget in (self.brain, self.scalp, self.nowhere):
            self.stack.addWidget(widget)
        row((self.bar, 2), (self.key, 3, Qt.AlignmentFlag.AlignVCenter), of=self.foot, spacing=14)
        column(self.controls, self.selection, (stack, 1), self.foot, of=self, margins=(10, 8, 10, 6), spacing=6)

    def _switch(
        self,
        layout: QHBoxLayout,
        caption: str,
        words: Mapping[Choice, tuple[str, str]],
        choose: Callable[[Choice], None],
    ) -> dict[Choice, QPushButton]:
        """Add buttons of which one is down, by what they choose; ``words`` are their text and name."""
        layout.addWidget(theme.label(caption, 12, theme.MUTED))
        group = QButtonGroup(self)
        buttons: dict[Choice, QPushButton] = {}
        for number, (choice, said) in enumerate(words.items()):
            button = buttons[choice] = theme.button(*said)
            button.setCheckable(True)
            group.addButton(button, number)
            layout.addWidget(button)
        group.idClicked.connect(lambda number: choose(list(words)[number]))
        return buttons

    @staticmethod
    def title_of(state: ViewState) -> str:
        """Return what the page's tab says."""
        return TITLES[place_of_rows(state.latest.row_kinds)] if state.latest is not None else TITLES["brain"]

    def show_quantity(self, quantity: Quantity) -> None:
        """Colour by another quantity; elements only where both are predicted from."""
        if quantity == "elements" and not self._compares:
            return
        self.quantity = quantity
        self.buttons[quantity].setChecked(True)
        self._draw()

    @property
    def _compares(self) -> bool:
        latest = self._state.latest if self._state is not None else None
        return latest is not None and has_both_elements(latest)

    def switch_level(self) -> None:
        """Colour zones in place of single regions, or the other way round."""
        self.show_level("regions" if self.level == "zones" else "zones")

    def show_level(self, level: Level) -> None:
        """Colour zones or single regions."""
        self.level = level
        self.level_buttons[level].setChecked(True)
        self._draw()

    def show_state(self, state: ViewState) -> None:
        """Draw the newest step."""
        self._state = state
        self._draw()

    def _draw(self) -> None:
        state, latest = self._state, self._state.latest if self._state is not None else None
        if state is None or latest is None:
            self.foot.setVisible(True)
            return
        if (latest.row_kinds, latest.rows) != self._rows:
            self._rows = (latest.row_kinds, latest.rows)
            self._limits = dict.fromkeys(QUANTITIES, LEAST_LIMIT)
        if self.quantity == "elements" and not self._compares:
            self.quantity = "observed"
            self.buttons["observed"].setChecked(True)
        self.buttons["elements"].setVisible(self._compares)
        self.place = place_of_rows(latest.row_kinds)
        drawn = resolve_map(latest, self.quantity)
        limit = self._limits[self.quantity] = grown_limit(drawn, self._limits[self.quantity])
        self._show_controls(latest)
        if self.place == "brain":
            level: Level = self.level if has_zones(latest, self._zones) else "regions"
            shown = areas(latest, level, self._zones)
            self.brain.show_map(latest, drawn, shown, limit, regions_of(latest, state.selected, self._zones))
        elif self.place == "scalp":
            self.scalp.show_map(latest, drawn, limit, state.selected)
        self.bar.show_scale(self.quantity, limit, _band(latest, drawn), float(drawn.values[state.selected]))
        self.key.show_entries(map_key(self.place, self.quantity))
        self.selection.set_words(describe_row(latest, state.selected))
        shown_map = self.brain if self.place == "brain" else self.scalp
        shown_map.setAccessibleDescription(f"{row_hint(latest, state.selected)}\n{self.selection.words}")

    def _show_controls(self, latest: Feedback) -> None:
        widgets = {"brain": self.brain, "scalp": self.scalp, "nowhere": self.nowhere}
        self.stack.setCurrentWidget(widgets[self.place])
        for widget in (self.controls, self.foot):
            widget.setVisible(self.place != "nowhere")
        self.levels.setVisible(self.place == "brain" and has_zones(latest, self._zones))


def _band(latest: Feedback, drawn: MapState) -> Band | None:
    """Return the median null band of the rows in colour, None where there is none or another quantity is shown."""
    plain = np.array([look == "plain" for look in drawn.looks], np.bool_) & np.isfinite(latest.null_low)
    if drawn.quantity != "observed" or not plain.any():
        return None
    return float(np.median(latest.null_low[plain])), float(np.median(latest.null_high[plain]))


def describe_row(latest: Feedback, row: int) -> str:
    """Return the chosen row's values in one line."""
    values = (latest.observed[row], latest.null_low[row], latest.null_high[row])
    forecast = (latest.predicted[row], latest.predicted_low[row], latest.predicted_high[row])
    remark = row_remark(latest, row)
    title = f"{row_title(latest, row)} {remark}" if remark else row_title(latest, row)
    observed = f"observed {_with_range(*values, 'null band')}"
    each = [
        f", by the {e.element} {signed(float(e.predicted[row]))}" if np.isfinite(e.predicted[row]) else f", {e.reason}"
        for e in latest.elements
    ]
    return f"{title}: {observed}, predicted {_with_range(*forecast, 'interval')}{''.join(each)}"


def _with_range(value: float, low: float, high: float, name: str) -> str:
    if not np.isfinite(value):
        return "n/a"
    known = np.isfinite(low) and np.isfinite(high)
    return f"{signed(value)} ({name} {signed(low)} to {signed(high)})" if known else signed(value)
