"""What watchers of the page are sent: the newest events, once for all of them, so that no watcher costs memory."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Final

#: Steps that are kept for who comes later, and what all of them may take, bytes: the oldest are left out.
MOST_STEPS: Final = 300
MOST_BYTES: Final = 8 << 20
#: A watcher gets about so much at once, bytes: one on a slow line is let go only where not even that gets through.
_AT_ONCE: Final = 1 << 16


def event(kind: str, content: Mapping[str, object]) -> bytes:
    """Return a server-sent event (HTML Standard, 9.2): its kind, and JSON in one line.

    Raises
    ------
    ValueError
        If a number in it is absent or without end: JSON has none such.
    """
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return f"event: {kind}\ndata: {text}\n\n".encode("utf-8", "replace")


def beat() -> bytes:
    """Return the event that says when it was made, s on this computer's monotonic clock: so delays are found."""
    return event("beat", {"made": time.monotonic()})


class PageFeed:
    """Events by number; from any thread, and whoever puts one never waits for a watcher.

    Steps are kept as they come, the newest ``MOST_STEPS`` of them; of all else the newest of each kind.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._steps: deque[tuple[int, bytes]] = deque()
        self._newest: dict[str, tuple[int, bytes]] = {}
        self._bytes = self._count = 0
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether nothing more comes."""
        return self._closed

    def put(self, kind: str, content: Mapping[str, object], *, keep: bool = False) -> None:
        """Let an event be sent: in place of the last one of its kind, or beside it if all are to be kept (steps)."""
        data = event(kind, content)
        with self._changed:
            self._count += 1
            if keep:
                self._steps.append((self._count, data))
                self._bytes += len(data)
                while len(self._steps) > MOST_STEPS or (self._bytes > MOST_BYTES and len(self._steps) > 1):
                    self._bytes -= len(self._steps.popleft()[1])
            else:
                self._newest[kind] = (self._count, data)
            self._changed.notify_all()

    def close(self) -> None:
        """Let watchers go when they have all."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def after(self, number: int, timeout: float) -> tuple[int, bytes]:
        """Return events later than ``number`` in their order, and the number of the last of them.

        There are none after ``timeout`` s without any, and once it is closed. What was kept no longer is left out.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._count > number or self._closed, timeout)
            later = sorted(each for each in (*self._steps, *self._newest.values()) if each[0] > number)
        parts, size = [], 0
        for count, data in later:
            if size and size + len(data) > _AT_ONCE:
                break
            number, size = count, size + len(data)
            parts.append(data)
        return number, b"".join(parts)
