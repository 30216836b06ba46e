"""Marks of the operator that a protocol gives a key and a meaning."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, Literal

from pydantic import Field

from rtaffect.common.settings import Frozen

#: What is said of a key where no protocol gives it a meaning.
NO_MARKS: Final = "no key has a mark here: the session's protocol gives none by [[mark]]"
_LINE = r"^[^\x00-\x1f\x7f]+$"


class Mark(Frozen):
    """What the operator marks by one key, as that the participant moved."""

    key: Literal["F2", "F3", "F4", "F5", "F6", "F7", "F8", "F9", "F10", "F11", "F12"] = Field(
        description="The key, F2 to F12; no key twice"
    )
    name: str = Field(max_length=80, pattern=_LINE, description="What it marks; no name twice")

    def is_said_by(self, text: str) -> bool:
        """Return whether ``text``, as another program sends it, means this mark: by its name or key, in any case."""
        return text.strip().casefold() in (self.name.strip().casefold(), self.key.casefold())


def is_key(text: str) -> bool:
    """Return whether a text is the name of a function key, in any case."""
    return re.fullmatch(r"F\d+", text.strip(), re.IGNORECASE) is not None


def wrong_marks(marks: Sequence[Mark]) -> Iterator[str]:
    """Yield what is wrong with ``marks``: each must be told from the others by its key and by its name, in any case."""
    for name in (mark.name for mark in marks):
        if not name.isprintable() or not name.strip() or is_key(name):
            yield f"mark: name {name!r} is blank, cannot be shown, or is a key's; give it a text of its own"
    names = [mark.name.strip().casefold() for mark in marks]
    for field, each in (("key", [str(mark.key) for mark in marks]), ("name", names)):
        for twice in dict.fromkeys(text for text in each if each.count(text) > 1):
            yield f"mark: {field} '{twice}' is there twice: each once"
