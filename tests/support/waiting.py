"""Waiting for what another thread or program does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

#: Nothing takes as long, however loaded the machine is, s; only a test that fails waits for it.
MOST_S = 60.0


def wait_for(condition: Callable[[], object], timeout: float = MOST_S) -> float:
    """Return the seconds until ``condition()`` holds; fails after ``timeout`` s."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < timeout, f"not within {timeout} s"
        time.sleep(0.002)
    return time.monotonic() - start


def no_other_threads(before: set[threading.Thread]) -> None:
    """Fail if a thread is left beside those ``before``; on a loaded machine one that was told to end may end later."""
    until = time.monotonic() + MOST_S
    while (left := set(threading.enumerate()) - before) and time.monotonic() < until:
        time.sleep(0.02)
    assert not left
