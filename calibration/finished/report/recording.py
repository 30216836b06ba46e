"""What ``recording.xdf`` tells of its streams: samples, rates, gaps, clocks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import FloatArray
from rtaffect.sources.xdf_file import RecordedStream, read_xdf

MARKERS: Final = "rtaffect-markers"
#: A pause is a gap if it is longer than this many intervals and this long, s.
_GAP_INTERVALS, _GAP_S = 2.5, 0.02
#: A drift is told of streams that last this long, s.
_LEAST_DRIFT_S = 30.0


@dataclass(frozen=True, slots=True)
class StreamReport:
    """What the report says of one recorded stream; times in s, NaN or None where there is nothing to say.

    ``rate`` is that of the stamps without the gaps, ``drift_ppm`` by how much it exceeds the nominal one. ``gaps``
    are pauses, ``lost_s`` long together; ``back`` counts stamps before the one before. ``offset_ms`` is the median
    of the measured offsets to this computer's clock, ``offset_range_ms`` their range, ``offset_drift_ppm`` their slope.
    """

    name: str
    type: str
    channels: int
    samples: int
    seconds: float
    nominal: float
    rate: float | None
    drift_ppm: float | None
    gaps: int
    lost_s: float
    longest_s: float
    back: int
    resets: int | None
    offsets: int
    offset_ms: float | None
    offset_range_ms: float | None
    offset_drift_ppm: float | None


def stream_facts(path: Path) -> tuple[tuple[StreamReport, ...], tuple[tuple[str, float], ...], list[str]]:
    """Return the streams of a recording, its own markers with their times (s on the LSL clock), and what is wrong.

    Raises
    ------
    RecordingError
        If it is missing, not an XDF, or holds no stream that can be read.
    """
    streams, notes = read_xdf(path)
    markers = tuple(
        (text, float(stamp))
        for stream in streams
        if stream.header.name == MARKERS
        for text, stamp in zip(stream.texts, stream.stamps, strict=False)
    )
    return tuple(facts_of(stream) for stream in streams), markers, notes


def facts_of(stream: RecordedStream) -> StreamReport:
    """Return what one stream's stamps tell."""
    stamps, nominal = stream.stamps, stream.header.rate
    steps = np.diff(stamps)
    regular = nominal > 0 and len(steps) > 1
    gap = steps > max(_GAP_INTERVALS / nominal, _GAP_S) if regular else np.zeros(len(steps), np.bool_)
    lost = steps[gap] - 1 / nominal if regular else np.empty(0)
    seconds = float(stamps.max() - stamps.min()) if len(stamps) else 0.0
    rate = _rate(stamps, gap) if regular else None
    measured = rate is not None and seconds >= _LEAST_DRIFT_S
    return StreamReport(
        stream.header.name, stream.header.type, stream.header.channels, len(stamps), seconds, nominal, rate,
        1e6 * (rate / nominal - 1) if measured and rate is not None else None,
        int(gap.sum()), float(lost.sum()), float(lost.max(initial=0.0)), int((steps < 0).sum()),
        None if stream.segments is None else len(stream.segments), len(stream.clock_values), *_offsets(stream),
    )  # fmt: skip


def _rate(stamps: FloatArray, gap: NDArray[np.bool_]) -> float | None:
    """Return the rate by least squares within the stretches between gaps and jumps, pooled."""
    ends = np.flatnonzero(gap | (np.diff(stamps) < 0)) + 1
    top = bottom = 0.0
    for part in np.split(stamps, ends):
        if len(part) > 2:
            count = np.arange(len(part)) - (len(part) - 1) / 2
            top += float(count @ count)
            bottom += float(count @ part)
    return top / bottom if bottom > 0 else None


def _offsets(stream: RecordedStream) -> tuple[float | None, float | None, float | None]:
    values, times = stream.clock_values, stream.clock_times
    if not len(values):
        return None, None, None
    drift = None
    if len(values) > 2 and np.ptp(times) >= _LEAST_DRIFT_S:
        centred = times - times.mean()
        drift = 1e6 * float(centred @ values / (centred @ centred))
    return 1e3 * float(np.median(values)), 1e3 * float(np.ptp(values)), drift
