"""Time is injected: the engine asks a clock, and never sleeps by itself.

All times are seconds on the LSL clock (``pylsl.local_clock``), float64.
"""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """What the engine needs of time."""

    def now(self) -> float:
        """Return the present time, s on the LSL clock."""

    def wait_until(self, deadline: float, stop: threading.Event) -> None:
        """Return at ``deadline`` (absolute, s), at once if it has passed, or as soon as ``stop`` is set."""


class LslClock:
    """The LSL clock of this computer, in real time."""

    def __init__(self) -> None:
        from pylsl import local_clock

        self._local_clock = local_clock

    def now(self) -> float:
        """Return the present LSL time, s."""
        return float(self._local_clock())

    def wait_until(self, deadline: float, stop: threading.Event) -> None:
        """Sleep until ``deadline`` or until ``stop`` is set."""
        while not stop.is_set() and (left := deadline - self.now()) > 0:
            stop.wait(left)


class PacedClock:
    """Recorded time from ``start`` (LSL time, s) on; ``speed``, > 0, is recorded seconds per real second."""

    def __init__(self, start: float, speed: float = 1.0) -> None:
        self._start, self._speed = start, speed
        self._real_start: float | None = None

    def now(self) -> float:
        """Return recorded time, s; it starts to pass at the first call."""
        real = time.monotonic()
        if self._real_start is None:
            self._real_start = real
        return self._start + (real - self._real_start) * self._speed

    def wait_until(self, deadline: float, stop: threading.Event) -> None:
        """Sleep until recorded time reaches ``deadline`` or until ``stop`` is set."""
        while not stop.is_set() and (left := (deadline - self.now()) / self._speed) > 0:
            stop.wait(left)


class InstantClock:
    """A clock that jumps to each deadline at once: replay as fast as possible, and tests."""

    def __init__(self, start: float) -> None:
        self._now = start

    def now(self) -> float:
        """Return the latest deadline waited for, s."""
        return self._now

    def wait_until(self, deadline: float, stop: threading.Event) -> None:
        """Set the time to ``deadline`` unless it has passed."""
        self._now = max(self._now, deadline)


def clock_of(origin: float, factor: float | None) -> Clock:
    """Return a clock that begins at ``origin`` (s) and runs ``factor`` times as fast as real time; None: at once."""
    return InstantClock(origin) if factor is None else PacedClock(origin, factor)
