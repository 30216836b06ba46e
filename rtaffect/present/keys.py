"""What each key does: the table that the window binds and that its help shows. No Qt."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Binding:
    """``keys`` (as Qt names them) call the window's ``action``; ``words`` say what it does."""

    keys: tuple[str, ...]
    action: str
    words: str


#: Quick markers: the key's name is the marker's text.
MARKER_KEYS = ("F5", "F6", "F7", "F8")

BINDINGS: dict[str, tuple[Binding, ...]] = {
    "Protocol": (
        Binding(("Space",), "go", "go on: start the block that waits"),
        Binding(("N",), "skip", "skip the block: press twice"),
        Binding(("B",), "pause", "let the block stand still, or go on"),
        Binding(("Shift+B",), "repeat", "begin the block again: press twice"),
        Binding(("M",), "marker", "write a marker, Return sends it"),
        Binding(("T",), "note", "write a note of this moment, Return keeps it"),
        Binding(MARKER_KEYS, "quick", "send a marker with the key's name"),
    ),
    "Pages": (
        Binding(("1",), "page-1", "curves"),
        Binding(("2",), "page-2", "brain or scalp"),
        Binding(("3",), "page-3", "signals and sound"),
        Binding(("4",), "page-4", "agreement"),
        Binding(("5",), "page-5", "own measures, where there are any"),
        Binding(("6",), "page-6", "valence and arousal, where there are any"),
        Binding(("7",), "page-7", "is there synchrony at all, over the session so far"),
        Binding(("8",), "page-8", "the electrodes' contact, where it is measured"),
    ),
    "Brain or scalp": (
        Binding(("O",), "observed", "observed values"),
        Binding(("P",), "predicted", "predicted values"),
        Binding(("D",), "difference", "observed \N{MINUS SIGN} predicted"),
        Binding(("E",), "elements", "which element predicts more, voice or background"),
        Binding(("Z",), "level", "zones or single regions"),
    ),
    "Signals": (
        Binding(("R",), "raw", "raw traces"),
        Binding(("H",), "person", "next headset"),
        Binding(("+", "="), "larger", "traces larger"),
        Binding(("-",), "smaller", "traces smaller"),
        Binding(("0",), "automatic", "scale of the traces by itself"),
    ),
    "Headsets": (
        Binding(("A",), "take", "take the headset that is offered"),
        Binding(("Shift+A",), "next-offer", "show the next that is offered"),
    ),
    "Window": (
        Binding(("F1", "?"), "help", "this list"),
        Binding(("Escape",), "cancel", "leave a marker, a skip or this list"),
        Binding(("Ctrl+W", "Ctrl+Q"), "close", "end the session and close"),
    ),
}

#: What needs no binding of ours, but is a key all the same.
ALSO = (
    ("Arrows, Home, End", "choose a row"),
    ("Tab, Return", "go to a button, and press it"),
    ("F2, Shift+F2", "the tour of this window: next note, and the one before"),
)


def shown_keys(binding: Binding, taken: Collection[str] = ()) -> str:
    """Return the keys of a binding as the help shows them, less those that marks of the protocol have ``taken``."""
    if binding.keys == MARKER_KEYS and not any(key in taken for key in MARKER_KEYS):
        return f"{MARKER_KEYS[0]} to {MARKER_KEYS[-1]}"
    if binding.action == "close":
        return binding.keys[0]
    shown = [key for key in binding.keys if key != "=" and key not in taken]
    return " or ".join("Esc" if key == "Escape" else key for key in shown).replace("-", "\N{MINUS SIGN}")
