"""RingBuffer against rolling the whole buffer: one second of a stream in 20 ms chunks, then its newest second read."""

from __future__ import annotations

from itertools import product

import numpy as np

from bench import Rows, interleaved, run
from rtaffect.stream.ring import RingBuffer

CHUNK_S = 0.02


class RolledBuffer:
    """The newest samples at the end of one array, all moved by ``np.roll`` for each chunk, as mne-lsl does."""

    def __init__(self, capacity: int, columns: int) -> None:
        self._rows = np.zeros((capacity, columns), np.float32)

    def append(self, rows: np.ndarray) -> None:
        self._rows = np.roll(self._rows, -len(rows), axis=0)
        self._rows[-len(rows) :] = rows

    def newest(self, n: int) -> np.ndarray:
        return self._rows[-n:].copy()


def measure(quick: bool) -> Rows:
    """Return a row for each size."""
    sizes = [(8, 500, 10)] if quick else product((8, 64), (500, 1000), (10, 60))
    return [_compare(*size, turns=3 if quick else 15) for size in sizes]


def _compare(channels: int, rate: int, seconds: int, turns: int) -> dict[str, object]:
    rng = np.random.default_rng(0)
    chunks = np.split(rng.standard_normal((rate, channels)).astype(np.float32), round(1 / CHUNK_S))
    ring, rolled = RingBuffer(rate * seconds, channels), RolledBuffer(rate * seconds, channels)

    def by_ring() -> np.ndarray:
        for chunk in chunks:
            ring.append(chunk)
        return ring.read(ring.head - rate, ring.head)

    def by_roll() -> np.ndarray:
        for chunk in chunks:
            rolled.append(chunk)
        return rolled.newest(rate)

    if not np.array_equal(by_ring(), by_roll()):
        raise AssertionError("the two buffers do not hold the same samples")
    ours, theirs = interleaved(turns, by_ring, by_roll)
    return {
        "channels": channels,
        "rate_hz": rate,
        "buffer_s": seconds,
        "ring_us": 1e6 * ours,
        "roll_us": 1e6 * theirs,
        "ratio": theirs / ours,
    }


COLUMNS = (
    ("channels", "channels", "d"), ("rate_hz", "rate, Hz", "d"), ("buffer_s", "buffer, s", "d"),
    ("ring_us", "RingBuffer, us", ".0f"), ("roll_us", "np.roll, us", ".0f"), ("ratio", "np.roll / RingBuffer", ".1f"),
)  # fmt: skip

if __name__ == "__main__":
    run("ring", measure, COLUMNS, "per second of stream: 50 chunks of 20 ms written, the newest second read")
