"""What ``recording.xdf`` tells of its streams: samples, rates, gaps, clocks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from rtaffect.sources.clock_offsets import correct
from rtaffect.sources.xdf_file import RecordedStream, read_xdf
from rtaffect.stream.buffer import RATE_TOLERANCE, Block, SampleBuffer
from rtaffect.stream.limits import LEAST_RATE, size_trouble

MARKERS: Final = "rtaffect-markers"
#: A drift is told of streams that last this long, s.
_LEAST_DRIFT_S = 30.0


@dataclass(frozen=True, slots=True)
class StreamReport:
    """What the report says of one recorded stream; times in s, NaN or None where there is nothing to say.

    Rate, gaps and jumps back are by the timebase that the session itself had: stamps that come in bunches, as over
    Bluetooth, are no gaps. ``rate`` is that between the gaps, ``drift_ppm`` by how much it exceeds the nominal one;
    ``gaps`` are ``lost_s`` long together; ``back`` counts places where the clock went back. ``offset_ms`` is the median
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
    """Return what one stream tells: of regular ones, what the session's own buffer makes of their stamps."""
    header, stamps = stream.header, stream.stamps
    regular = header.rate >= LEAST_RATE and len(stamps) > 2 and not size_trouble(header.channels, header.rate)
    timed = _timed(stream) if regular else Timed((), (), None)
    seconds = float(stamps.max() - stamps.min()) if len(stamps) else 0.0
    lost = [jump for jump in timed.jumps if jump > 0]
    measured = timed.rate is not None and seconds >= _LEAST_DRIFT_S
    return StreamReport(
        header.name, header.type, header.channels, len(stamps), seconds, header.rate, timed.rate,
        1e6 * (timed.rate / header.rate - 1) if measured and timed.rate is not None else None,
        len(lost), float(sum(lost)), max(lost, default=0.0), len(timed.jumps) - len(lost),
        None if stream.segments is None else len(stream.segments), len(stream.clock_values), *_offsets(stream),
    )  # fmt: skip


class Timed(NamedTuple):
    """A stream by the session's timebase: its even stretches (first and last number and time, s), jumps and rate."""

    stretches: tuple[tuple[int, float, int, float], ...]
    jumps: tuple[float, ...]
    rate: float | None


def _timed(stream: RecordedStream) -> Timed:
    """Bring the stamps through the buffer that a session has, second by second."""
    rate, count = stream.header.rate, len(stream.stamps)
    corrected = correct(stream.stamps, stream.clock_times, stream.clock_values, stream.segments)
    own = corrected.resets if stream.segments is None else [segment.sample for segment in stream.segments]
    begins = sorted(begin for begin in set(own) if 0 < begin < count)
    turns = sorted({*range(0, count, max(1, round(rate))), *begins, count})
    buffer, seen, jumps, even = SampleBuffer(rate, 1, seconds=2.0), 0, list[float](), _Even()
    for at, stop in pairwise(turns):
        if at in begins:
            buffer.begin_segment()
        buffer.push(np.zeros((stop - at, 1), np.float32), corrected.stamps[at:stop])
        even.add(buffer.read(at, math.inf, early=True))
        seen, holes = buffer.holes_since(seen)
        jumps += [hole.jump_s for hole in holes]
    return Timed(tuple(even.stretches), tuple(jumps), _rate(even.stretches, rate, buffer.measured_rate))


class _Even:
    """Gathers the even stretches between breaks: the number and time (s) of the first and of the last sample."""

    def __init__(self) -> None:
        self.stretches: list[tuple[int, float, int, float]] = []

    def add(self, block: Block) -> None:
        """Take the next samples."""
        for begin, end in pairwise([*sorted({0, *block.breaks}), len(block.times)]):
            before = self.stretches.pop() if self.stretches and begin not in block.breaks else None
            first, since = before[:2] if before else (block.first + begin, float(block.times[begin]))
            self.stretches.append((first, since, block.first + end - 1, float(block.times[end - 1])))


def _rate(stretches: Sequence[tuple[int, float, int, float]], nominal: float, delivered: float) -> float | None:
    """Return the rate within the even stretches, weighed by their length; that which is ``delivered`` if it is another.

    Another is one that differs by so much that the session calls it wrong.
    """
    if math.isfinite(delivered) and abs(delivered / nominal - 1.0) > RATE_TOLERANCE:
        return delivered
    long = [(last - first, after - before) for first, before, last, after in stretches if last - first > nominal]
    seconds = sum(lasting for _, lasting in long)
    return sum(samples for samples, _ in long) / seconds if seconds > 0 else None


def _offsets(stream: RecordedStream) -> tuple[float | None, float | None, float | None]:
    values, times = stream.clock_values, stream.clock_times
    if not len(values):
        return None, None, None
    drift = None
    if len(values) > 2 and np.ptp(times) >= _LEAST_DRIFT_S:
        centred = times - times.mean()
        drift = 1e6 * float(centred @ values / (centred @ centred))
    return 1e3 * float(np.median(values)), 1e3 * float(np.ptp(values)), drift
