"""Begins in the midst of a film: at a frame that needs no other, of which it is known how many come before it."""

from __future__ import annotations

import math
from typing import Any, Final

#: The last frame that needs no other is sought, at first so much sooner than what is wanted, s.
_SOONER_S: Final = (0.0, 2.0, 20.0)


def seek(container: Any, stream: Any, time_s: float) -> bool:
    """Let ``container`` go on at a frame of ``stream`` that needs no other, and is not after ``time_s``, its own time.

    Returns whether there is one that can be found; where not, the container is to be opened again.
    """
    import av

    if stream.time_base is None:
        return False
    for sooner in _SOONER_S:
        wanted = math.floor((time_s - sooner) / stream.time_base)
        try:
            container.seek(wanted, stream=stream)
            packet = next(container.demux(stream), None)
            if packet is not None and packet.is_keyframe and packet.pts is not None and packet.pts <= wanted:
                container.seek(wanted, stream=stream)
                return True
        except av.FFmpegError:
            return False
    return False


def frames_before(container: Any, stream: Any, pts: int) -> int:
    """Return how many frames of ``stream`` come before the one with the time ``pts``, in its units.

    ``container`` is read from its beginning to there, and nothing decoded.
    """
    import av

    found = set[int]()
    try:
        for packet in container.demux(stream):
            if packet.dts is not None and packet.dts > pts:
                break
            if packet.pts is not None and packet.pts < pts:
                found.add(packet.pts)
    except av.FFmpegError:
        # What is broken there was no frame the first time either.
        pass
    return len(found)
