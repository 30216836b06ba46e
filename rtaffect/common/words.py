"""Numbers and lists in words."""

from __future__ import annotations

from collections.abc import Sequence


def listed(names: Sequence[str], most: int = 4) -> str:
    """Return names with commas, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def duration(seconds: float) -> str:
    """Return a duration in words: 45 s, 12 min, 3 h 20 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    whole = round(seconds / 60)
    if whole < 90:
        return f"{whole} min"
    return f"{whole // 60} h {whole % 60} min" if whole < 2880 else f"{whole / 1440:.0f} days"


def size(count: float) -> str:
    """Return bytes in words: 640 MB, 12.3 GB."""
    if count < 1e9:
        return f"{count / 1e6:.0f} MB"
    return f"{count / 1e9:.1f} GB" if count < 1e11 else f"{count / 1e9:.0f} GB"


def minutes(seconds: float) -> str:
    """Return a time as minutes and seconds, to the nearest second: 1:05, and 75:00 beyond an hour."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"
