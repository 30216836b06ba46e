"""A clock whose time passes only where it is waited for or told to, so that lateness can be tested without waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable


class HandClock:
    """Time that passes by hand; ``on_tick`` is called with the present time whenever it has."""

    def __init__(self, start: float) -> None:
        self.time = start
        self.on_tick: Callable[[float], None] = lambda now: None

    def now(self) -> float:
        """Return the present time, s."""
        return self.time

    def pass_by(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        self.time += seconds
        self.on_tick(self.time)

    def wait_until(self, deadline: float, stop: threading.Event) -> None:
        """Let time pass until ``deadline``, s."""
        if deadline > self.time:
            self.pass_by(deadline - self.time)
