"""What the texts of single fields mean."""

from __future__ import annotations

import math
import os
from pathlib import Path

from rtaffect.common.errors import SettingsError


def path_of(text: str) -> Path:
    """Return the path that a field means, absolute, with '~' for the user's own folder.

    Quotation marks around it, as Windows' Explorer copies them, are no part of it.
    """
    return Path(os.path.abspath(os.path.expanduser(text.strip().strip('"'))))


def number_of(text: str, what: str, expected: str, *, least: float = -math.inf, above: float = -math.inf) -> float:
    """Return the number that a field means.

    Raises
    ------
    SettingsError
        If it is none, or below ``least``, or not above ``above``; ``expected`` says what it has to be.
    """
    try:
        value = float(text.strip().replace(",", "."))
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= least and value > above):
        raise SettingsError(f"{what} {text.strip()!r} is not possible; expected {expected}")
    return value


def rate_in(text: str) -> float | None:
    """Return the rate that replaces the declared one, Hz, or None; SettingsError if it is no rate."""
    if not text.strip():
        return None
    return number_of(text, "Rate", "a number of Hz above 0, as in 250", above=0.0)


def start_in(text: str) -> float | None:
    """Return when a sound file began, s after the recording's start, or None; SettingsError if it is no time."""
    return number_of(text, "Began at", "seconds after the recording's start, as in 12.5") if text.strip() else None


def mains_in(text: str) -> float | None:
    """Return the mains frequency, Hz, or None for the default; SettingsError if it is none."""
    if not text.strip():
        return None
    return number_of(text, "Mains", "50 or 60 (Hz), or 0 for no notch", least=0.0)


def seconds_in(text: str) -> int | None:
    """Return after how many seconds the session ends, or None; SettingsError if that is no whole number above 0."""
    return _whole(text, "End after", "a whole number of seconds, as in 600") if text.strip() else None


def threads_in(text: str) -> int:
    """Return the processor threads of the featurizer; SettingsError if that is no whole number above 0."""
    return _whole(text or "1", "Threads", "a whole number of processor threads, as in 1")


def _whole(text: str, what: str, expected: str) -> int:
    value = number_of(text, what, expected, least=1.0)
    if value != int(value):
        raise SettingsError(f"{what} {text.strip()!r} is not possible; expected {expected}")
    return int(value)
