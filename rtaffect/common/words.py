"""Numbers in words, as screens, reports and the terminal print them."""

from __future__ import annotations


def minutes(seconds: float) -> str:
    """Return a time as minutes and seconds, to the nearest second: 1:05, and 75:00 beyond an hour."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"
