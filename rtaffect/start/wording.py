"""Messages in the words of the window: fields by their labels, where the command line names options."""

from __future__ import annotations

from typing import Final

from rtaffect.common.errors import RtaffectError, with_labels
from rtaffect.plan.session_plan import SETTINGS

_LABELS: Final = {each.setting.option: each.setting.name for each in SETTINGS if each.setting.label}
_CHOICES: Final = {each.setting.option: each.choice for each in SETTINGS}


def in_window(message: RtaffectError | str) -> str:
    """Return ``message`` on one line, with the window's fields where it refers to settings."""
    text = message.message if isinstance(message, RtaffectError) else message
    words = " ".join(with_labels(text, _LABELS).split())
    first, blank, _ = words.partition(" ")
    # A name of a file or stream at the beginning stays as it is.
    return words[0].upper() + words[1:] if blank and first.isascii() and first.isalpha() and first.islower() else words


def choice_of(field: str, otherwise: str = "") -> str:
    """Return the name among the window's choices of the setting whose option is ``field``."""
    return _CHOICES.get(field, otherwise)
