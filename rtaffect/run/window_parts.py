"""What a session in a window needs beside the window: the zones of its rows, and an end to the engine's thread."""

from __future__ import annotations

import threading
from typing import Final

from rtaffect.observed.spaces import RegionSpace, Space

#: A thread is waited for in pieces of this length, s, so that signals are seen, and this long in a hurry.
_JOIN_S: Final = 0.2
_HURRY_S: Final = 1.0


def zones_of(space: Space) -> dict[str, tuple[str, ...]] | None:
    """Return each zone's regions, where rows are regions."""
    if not isinstance(space, RegionSpace):
        return None
    return {zone.name: tuple(zone.regions) for zone in space.operator.manifest.zones}


def join(thread: threading.Thread) -> None:
    """Wait for the engine's thread; where a signal asks again, no longer than files can wait."""
    try:
        while thread.is_alive():
            thread.join(_JOIN_S)
    except KeyboardInterrupt:
        thread.join(_HURRY_S)
