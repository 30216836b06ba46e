"""Texts from outside (streams, markers, files, names), made fit for one cell of a table and one line of a terminal."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

#: What stands for a character that cannot be shown.
REPLACED: Final = "\N{REPLACEMENT CHARACTER}"
#: A name that is longer is cut.
LONGEST: Final = 1000
#: Letters that are joined, and directions that a script needs by itself, are no control of ours.
_KEPT: Final = frozenset("\u200c\u200d")
#: What no file's name may have on some system.
_NOT_IN_NAMES: Final = re.compile(r'[<>:"/\\|?*]')
_LONGEST_NAME: Final = 120


def clean(text: str, longest: int = LONGEST) -> str:
    """Return a text on one line: blanks for tabs, line ends and other blanks, nothing that steers a terminal or hides.

    Escape sequences lose what begins them; marks that turn the direction of writing, and characters without a meaning,
    become U+FFFD. A text that is longer than ``longest`` is cut there and ends in an ellipsis. What is clean stays the
    very same.
    """
    if len(text) > longest:
        text = f"{text[: longest - 1]}…"
    return text if _is_clean(text) else " ".join("".join(map(_shown, text)).split())


def printable(text: str) -> str:
    """Return a text of several lines without what steers a terminal or hides; line ends stay."""
    return "".join(each if each == "\n" else _shown(each) for each in text) if not text.isprintable() else text


def _is_clean(text: str) -> bool:
    return text.isprintable() and "  " not in text and text == text.strip() and not text.startswith(" ")


def _shown(character: str) -> str:
    if character.isprintable() or character in _KEPT:
        return character
    if character.isspace() or unicodedata.category(character) in ("Zs", "Zl", "Zp"):
        return " "
    return REPLACED


def file_name(name: str) -> str:
    """Return a name under which a file can be kept anywhere: one part of a path, without what steers or hides.

    The ending stays where the name must be cut.
    """
    safe = _NOT_IN_NAMES.sub("_", clean(name).replace(REPLACED, "_")).strip(". ") or "file"
    if len(safe.encode()) <= _LONGEST_NAME:
        return safe
    stem, dot, ending = safe.rpartition(".")
    ending = f".{ending}" if dot and len(ending.encode()) <= 10 else ""
    kept = (stem or safe).encode()[: _LONGEST_NAME - len(ending.encode())]
    return kept.decode(errors="ignore") + ending
