"""Which peripheral signal a channel carries, told from its type and its name: the one place where that is decided."""

from __future__ import annotations

import re
from typing import Final, Literal, get_args

#: Electrodermal activity, electrocardiogram, pulse by light, breathing.
BodyKind = Literal["eda", "ecg", "ppg", "respiration"]
BODY_KINDS: Final[tuple[BodyKind, ...]] = get_args(BodyKind)

#: What senders declare as a type, and words of a name that say it by themselves; in lower case.
_TEXTS: Final[dict[BodyKind, str]] = {
    "eda": "eda gsr scr scl electrodermal",
    "ecg": "ecg ekg",
    "ppg": "ppg bvp pleth plethysmogram",
    "respiration": "resp respiration breathing",
}
_WORDS: Final[dict[str, BodyKind]] = {word: kind for kind, words in _TEXTS.items() for word in words.split()}
_WORD: Final = re.compile(r"[a-z]+")


def body_kind(label: str, declared: str = "", stream: str = "") -> BodyKind | None:
    """Return which signal a channel carries; None for any other.

    Parameters
    ----------
    label, declared
        Its name and its type. A type other than EEG decides; else a word of the name does.
    stream
        Type of its stream, for channels that say nothing themselves.
    """
    told = declared.strip().lower()
    if told and told != "eeg":
        return _WORDS.get(told)
    named = next((_WORDS[word] for word in _WORD.findall(label.lower()) if word in _WORDS), None)
    return named or (_WORDS.get(stream.strip().lower()) if not told else None)
