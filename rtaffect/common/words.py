"""Numbers and lists in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

#: A line about a stream: its quoted name, which may itself have a colon, and what is said of it.
_OF_STREAM: Final = re.compile(r"stream ('[^']*'|\"[^\"]*\"): (.*)", re.DOTALL)


def listed(names: Sequence[str], most: int = 4) -> str:
    """Return names with commas, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def together(said: Iterable[tuple[str, str]]) -> list[str]:
    """Return in lines what is said of whom, (who, what), as ``A: what``; the same of several is one line.

    What is said of nobody stands as it is. Lines stand where the first of them stood.
    """
    who: dict[str, list[str]] = {}
    for name, what in dict.fromkeys(said):
        who.setdefault(what, []).append(name)
    return [": ".join(filter(None, [listed([name for name in names if name], 8), what])) for what, names in who.items()]


def gathered(lines: Iterable[str]) -> list[str]:
    """Return lines as they are, but those that say the same of several streams, or people, as one line.

    They are such as ``stream 'A': what is said``, and ``A: what is said``.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for line in dict.fromkeys(lines):
        found = _OF_STREAM.fullmatch(line)
        name, colon, what = ("", "", line) if found else line.partition(": ")
        if found:
            groups.setdefault(("stream", found[2]), []).append(found[1])
        else:
            groups.setdefault(("", what) if colon else (line, ""), []).append(name)
    return [_gathered(kind, what, names) if what else kind for (kind, what), names in groups.items()]


def _gathered(kind: str, what: str, names: Sequence[str]) -> str:
    return f"{kind}{'s' if kind and len(names) > 1 else ''} {listed(names, 8)}: {what}".lstrip()


def duration(seconds: float) -> str:
    """Return a duration in words: 45 s, 12 min, 3 h 20 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    whole = round(seconds / 60)
    if whole < 90:
        return f"{whole} min"
    return f"{whole // 60} h {whole % 60} min" if whole < 2880 else f"{whole / 1440:.0f} days"


def often(count: float) -> str:
    """Return how often something was, in words: ``never``, ``once``, ``2 times``."""
    return {0: "never", 1: "once"}.get(round(count), f"{count:.0f} times")


def size(count: float) -> str:
    """Return bytes in words: 66 kB, 640 MB, 12.3 GB."""
    if count < 1e6:
        return f"{count / 1e3:.0f} kB" if count >= 1e3 else f"{count:.0f} bytes"
    if count < 1e9:
        return f"{count / 1e6:.0f} MB"
    return f"{count / 1e9:.1f} GB" if count < 1e11 else f"{count / 1e9:.0f} GB"


def minutes(seconds: float) -> str:
    """Return a time as minutes and seconds, to the nearest second: 1:05, and 75:00 beyond an hour."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"
