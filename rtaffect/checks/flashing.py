"""When the square on the participant's screen is white: planned, painted by whoever shows it, and kept."""

from __future__ import annotations

import bisect
import threading
from typing import Final

import numpy as np

from rtaffect.checks.flashes_seen import Flash

#: A flash lasts so long, s, and the next one begins so long after it began: never evenly, so that their pattern tells
#: where they are.
WHITE_S: Final = 0.2
LEAST_GAP_S, MOST_GAP_S = 0.5, 0.9
#: Dark goes first, s.
LEAD_S: Final = 1.5
#: Between two looks of what paints, s.
_LOOK_S: Final = 0.05


class Flashing:
    """The flashes of a check; asked by what paints the square, and by what stands for a photodiode, from any thread.

    Parameters
    ----------
    count
        How many there are.
    start
        When the dark before them begins, s on the LSL clock.
    """

    def __init__(self, count: int, start: float) -> None:
        gaps = np.random.default_rng(count).uniform(LEAST_GAP_S, MOST_GAP_S, count)
        begins = start + LEAD_S + np.concatenate([[0.0], np.cumsum(gaps)[:-1]])
        self._edges = [float(edge) for begin in begins for edge in (begin, begin + WHITE_S)]
        self._lock = threading.Lock()
        self._painted: list[tuple[float, bool]] = []
        self.count = count

    @property
    def end(self) -> float:
        """When the last one is over, s on the LSL clock."""
        return self._edges[-1]

    def white(self, now: float) -> bool:
        """Return whether the square is to be white at ``now``, s on the LSL clock."""
        return bisect.bisect_right(self._edges, now) % 2 == 1

    def wait_s(self, now: float) -> float:
        """Return how long it is until it changes, s, at most until the next look."""
        place = bisect.bisect_right(self._edges, now)
        return min(_LOOK_S, self._edges[place] - now) if place < len(self._edges) else _LOOK_S

    def painted(self, white: bool, at: float) -> None:
        """Take note that the square was painted at ``at``, s on the LSL clock."""
        with self._lock:
            if (self._painted[-1][1] if self._painted else False) != white:
                self._painted.append((at, white))

    def was(self, at: float) -> tuple[bool, int]:
        """Return whether the square was white at ``at``, by what was painted, and the number of its newest flash."""
        with self._lock:
            place = bisect.bisect_right(self._painted, at, key=lambda each: each[0])
            return (self._painted[place - 1][1] if place else False), (place - 1) // 2

    def flashes(self) -> list[Flash]:
        """Return the flashes that were painted whole, in order."""
        with self._lock:
            edges = list(self._painted)
        whites = [at for at, white in edges if white]
        blacks = [at for at, white in edges if not white]
        return [Flash(*each) for each in zip(whites, blacks, strict=False)]
