"""Numbers as they are shown. No Qt."""

from __future__ import annotations


def session_clock(seconds: float) -> str:
    """Return ``seconds`` as min:s or h:min:s."""
    whole = int(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def correlation_text(value: float) -> str:
    """Return a tick of a correlation axis, with a true minus sign."""
    return f"{round(value, 2) + 0.0:.1f}".replace("-", "\N{MINUS SIGN}")


def signed(value: float) -> str:
    """Return a correlation with two places and a true minus sign."""
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "\N{MINUS SIGN}")
