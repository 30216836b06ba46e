"""The part of the start window that says what predicts and what reads affect, on three pages."""

from __future__ import annotations

from typing import Final, Literal

from PySide6.QtWidgets import QWidget

from rtaffect.start.sense import why_not
from rtaffect.start.start_presenter import StartState
from rtaffect.start.table import affect_lines, bundle_lines
from rtaffect.view.parts import theme
from rtaffect.view.start.widgets import (
    Card,
    Choose,
    PathText,
    Pick,
    Text,
    Words,
    bound_fields,
    button,
    enable,
    for_file,
    for_folder,
)

AGAINST = (("auto", "reference or each other"), ("reference", "the reference group"), ("group", "each other"))
ELEMENTS = (("auto", "where the bundle can"), ("on", "always, or do not begin"), ("off", "never"))
MAINS = (("", "50 Hz"), ("60", "60 Hz"), ("0", "no notch"))
_MORE = "\N{HORIZONTAL ELLIPSIS}"

Page = Literal["bundle", "more", "affect"]
#: What is not on the first page.
_PAGES: Final[dict[str, Page]] = {
    **dict.fromkeys(("featurizer", "threads", "settings", "head", "measures", "measure_bands"), "more"),
    **dict.fromkeys(("affect", "library", "affect_rest_s", "elements", "rating", "rating_lag_s"), "affect"),
}


class BundleCard(Card):
    """The bundle, its summary, and with whom people are compared; what is rarely changed is on pages of its own."""

    def __init__(self, choose: Choose) -> None:
        self.more = button("More", "Featurizer, threads, and what holds without a bundle", checkable=True)
        self.affective = button("Affect", "Valence and arousal, voice and background, own rating", checkable=True)
        super().__init__("Prediction")
        self.top.addWidget(self.affective)
        self.top.addWidget(self.more)
        self.words, self.affect_words = Words(), Words()
        self._parts: dict[Page, list[QWidget]] = {"bundle": [], "more": [], "affect": []}
        self._told, self._live, self._mains_matters = "", True, False
        self._reasons: dict[str, str] = {}
        self._first(choose)
        self._second(choose)
        self._third(choose)
        for each, other in ((self.more, self.affective), (self.affective, self.more)):
            each.toggled.connect(lambda on, other=other: self._turn(other if on else None))
        self._turn()

    def _first(self, choose: Choose) -> None:
        ask = for_folder("Bundle (a folder)")
        self.bundle = PathText(choose, "bundle", "folder of a bundle", [(_MORE, "Choose a bundle", ask)])
        self.against, self.mains = Pick(choose, "against", AGAINST), Pick(choose, "mains", MAINS)
        self._pair("bundle", "bundle", self.bundle)
        self._pair("bundle", "against", self.against)
        self._mains = (self.add("mains", self.mains), self.mains)
        self.add_wide(self.words)

    def _second(self, choose: Choose) -> None:
        onnx = for_file("Featurizer", "ONNX files (*.onnx)")
        self.featurizer = PathText(choose, "featurizer", "the bundle's own", [(_MORE, "Choose a featurizer", onnx)])
        self.threads = Text(choose, "threads", "1")
        toml, npz = for_file("Settings", "TOML files (*.toml)"), for_file("Space operator", "Operators (*.safetensors)")
        self.settings = PathText(choose, "settings", "defaults", [(_MORE, "Choose settings", toml)])
        self.head = PathText(choose, "head", "rows are channels", [(_MORE, "Choose an operator", npz)])
        self.note = theme.label("Without a bundle:", 12, theme.MUTED)
        self._pair("more", "featurizer", self.featurizer)
        self._pair("more", "threads", self.threads)
        self.add_wide(self.note)
        self._parts["more"].append(self.note)
        self._pair("more", "settings", self.settings)
        self._pair("more", "head", self.head)
        self.measures = Text(choose, "measures", "none: plv, ccorr, imcoh, envcorr, FILE.py:CLASS")
        self.bands = Text(choose, "measure_bands", "8-12")
        self._pair("more", "measures", self.measures)
        self._pair("more", "measure_bands", self.bands)

    def _third(self, choose: Choose) -> None:
        bundle, sounds = for_folder("Bundle of affect (a folder)"), for_folder("Folder of sounds")
        self.affect = PathText(choose, "affect", "none; a folder, or demo", [(_MORE, "Choose a bundle", bundle)])
        self.library = PathText(choose, "library", "none; of sounds", [(_MORE, "Choose a folder", sounds)])
        self.rest = Text(choose, "affect_rest_s", "as the protocol says")
        self.elements = Pick(choose, "elements", ELEMENTS)
        self.rating = Text(choose, "rating", "none; slider, or a stream")
        self.lag = Text(choose, "rating_lag_s", "3")
        self._pair("affect", "affect", self.affect)
        self._pair("affect", "library", self.library)
        self._pair("affect", "affect_rest_s", self.rest)
        self.add_wide(self.affect_words)
        self._pair("affect", "elements", self.elements)
        # The demo's participant rates nothing.
        self._rated = [self.add("rating", self.rating), self.rating]
        self._rated += [self.add("rating_lag_s", self.lag), self.lag]

    def _pair(self, page: Page, choice: str, field: QWidget) -> None:
        self._parts[page] += [self.add(choice, field), field]

    @property
    def page(self) -> Page:
        """The page that is seen."""
        return "more" if self.more.isChecked() else "affect" if self.affective.isChecked() else "bundle"

    def tell(self, text: str) -> None:
        """Show ``text`` on the first page, which needs no choices then; '' shows its fields."""
        self._told = text
        if text:
            self.more.setChecked(False)
        self._turn()

    def _turn(self, other: QWidget | None = None) -> None:
        """Show the parts of the page; of its buttons the ``other`` one comes up."""
        if other is not None and (self.more.isChecked() and self.affective.isChecked()):
            (self.more if other is self.more else self.affective).setChecked(False)
            return
        page, told = self.page, bool(self._told)
        super().tell(self._told if page == "bundle" else "")
        self.more.setVisible(not told)
        for name, parts in self._parts.items():
            for part in parts:
                part.setVisible(name == page)
        self._show_some(page, told=told)
        self.words.setVisible(page == "bundle" and bool(self.words.lines))
        self.affect_words.setVisible(page == "affect" and bool(self.affect_words.lines))
        for each in (self.more, self.affective):
            each.setText("Back" if each.isChecked() else "More" if each is self.more else "Affect")

    def _show_some(self, page: str, *, told: bool) -> None:
        """Show what is on ``page`` at times only."""
        for part in self._mains:
            part.setVisible(page == "more" or (page == "bundle" and self._mains_matters))
        for rated in self._rated:
            rated.setVisible(page == "affect" and not told)

    def show_field(self, field: str) -> None:
        """Turn to the page that has ``field``."""
        if field in bound_fields(self):
            page = _PAGES.get(field, "bundle")
            self.more.setChecked(page == "more")
            self.affective.setChecked(page == "affect")

    def show_state(self, state: StartState) -> None:
        """Show the bundle and whether it fits, and which fields have no use now, and why."""
        self.show_choices(state.choices)
        self.words.show_lines(bundle_lines(state.real, state.found, state.people, state.fit))
        self.affect_words.show_lines(affect_lines(state.real, state.found))
        self._mains_matters = not state.real.bundle.strip() and state.found.bundle(state.real) is None
        self._turn()
        fields, blank = bound_fields(self), type(state.choices)()
        for name, why in why_not(state.real, state.found).items():
            # What stands in a field can be taken out of it, whether it has a use or not.
            held = getattr(state.choices, name) != getattr(blank, name)
            enable(fields[name], why, held=held)
