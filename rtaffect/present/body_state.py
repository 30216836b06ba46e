"""Traces of peripheral signals as they are drawn, each on its own scale. No Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rtaffect.common.arrays import FloatArray
from rtaffect.stream.body import body_of
from rtaffect.stream.source import Source

#: Shown time, s; and so many points of a trace are drawn at most.
SECONDS, MOST_POINTS = 30.0, 600


@dataclass(frozen=True, slots=True, eq=False)
class BodyLane:
    """One signal: ``age`` (n,), s before now, and ``values`` (n,) in ``unit``, NaN where there is none."""

    person: str
    name: str
    unit: str
    age: FloatArray
    values: FloatArray

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the largest value that is shown, apart from each other; NaN without any."""
        there = self.values[np.isfinite(self.values)]
        if not there.size:
            return np.nan, np.nan
        low, high = float(there.min()), float(there.max())
        apart = (high - low) or abs(high) or 1.0
        return low - 0.05 * apart, high + 0.05 * apart


def body_lanes(sources: Sequence[Source], now: float) -> list[BodyLane]:
    """Return the peripheral signals of all ``sources`` in the last half minute before ``now``, s on the LSL clock."""
    lanes = []
    for source in sources:
        if (body := body_of(source)) is None:
            continue
        times, samples = body.buffer.tail(SECONDS + 1.0)
        shown = times > now - SECONDS
        every = max(1, int(np.ceil(shown.sum() / MOST_POINTS)))
        times, samples = times[shown][::every], samples[shown][::every]
        # A hole is no line.
        holes = np.flatnonzero(np.diff(times) > max(2.5 * every / body.buffer.rate, 0.05)) + 1
        times = np.insert(times, holes, times[holes - 1] if len(holes) else [])
        values = np.insert(samples.astype(np.float64), holes, np.nan, axis=0)
        lanes += [
            BodyLane(source.info.name, channel.name, channel.unit, now - times, np.asarray(values[:, column]))
            for column, channel in enumerate(body.channels)
        ]
    return lanes
