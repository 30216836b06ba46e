"""Messages that name options of the command line, in the words of the window."""

from __future__ import annotations

import re
from typing import Final

#: The window's field for each option of the command line.
_FIELDS: Final = {
    "channels": "Channel names",
    "unit": "Unit",
    "rate": "Rate",
    "eeg": "EEG streams",
    "audio": "Sound",
    "audio-stream": "Sound",
    "mic": "Sound",
    "stimulus": "Stimulus",
    "onset-marker": "Begins at marker",
    "markers": "of stream",
    "bundle": "Bundle",
    "featurizer": "Featurizer",
    "settings": "Settings",
    "head": "Operator",
    "against": "Compare with",
    "mains": "Mains",
    "out": "Folder",
    "speed": "Speed",
    "protocol": "Protocol",
    "allocation": "Allocation",
}
_EXAMPLE: Final = re.compile(r"as in --([a-z][a-z-]*) (\S+?)(?=[;,.)]?(?:\s|$))")
_OPTION: Final = re.compile(r"(with |under |by |pass )?--([a-z][a-z-]*)((?: [A-Z][A-Z,.]*\b)?)")
_LISTED: Final = re.compile(r"\s*\(rtaffect devices lists what is there\)")


def in_window(message: str) -> str:
    """Return ``message`` on one line, with the window's fields where it names options: '--unit' is the field Unit."""
    parts = _LISTED.sub("", " ".join(message.split())).split("`")
    # Between backticks stands a command to be typed as it is.
    wording = "`".join(_reworded(part) if number % 2 == 0 else part for number, part in enumerate(parts))
    # A name of a file or stream at the beginning stays as it is.
    return wording[0].upper() + wording[1:] if re.match(r"[a-z]+ ", wording) else wording


def _reworded(text: str) -> str:
    return _OPTION.sub(_field, _EXAMPLE.sub(_example, text))


def _example(match: re.Match[str]) -> str:
    return f"under '{_FIELDS[match[1]]}', as in {match[2]}" if match[1] in _FIELDS else match[0]


def _field(match: re.Match[str]) -> str:
    before, option, value = match[1] or "", match[2], match[3]
    if option not in _FIELDS:
        return match[0]
    if before == "pass ":
        return f"name it under '{_FIELDS[option]}'"
    if not match.start():
        return f"{_FIELDS[option]}{value if value.islower() else ''}"
    return f"under '{_FIELDS[option]}'" if before else f"'{_FIELDS[option]}'{value if value.islower() else ''}"


def listed(names: tuple[str, ...] | list[str], most: int = 4) -> str:
    """Return names with commas, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def duration(seconds: float) -> str:
    """Return a duration in words: 45 s, 12 min, 3 h 20 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 2880 else f"{minutes / 1440:.0f} days"


def size(count: float) -> str:
    """Return bytes in words: 640 MB, 12.3 GB."""
    if count < 1e9:
        return f"{count / 1e6:.0f} MB"
    return f"{count / 1e9:.1f} GB" if count < 1e11 else f"{count / 1e9:.0f} GB"
