"""A recorded rating that was sent when it changed, as a source of its course."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from rtaffect.common.arrays import FloatArray
from rtaffect.common.errors import StreamError
from rtaffect.sources.clock_offsets import Corrected
from rtaffect.sources.held import RATE_HZ, Held, even_header
from rtaffect.sources.rating_plan import plan_rating
from rtaffect.sources.xdf_file import RecordedStream
from rtaffect.sources.xdf_source import XdfSource
from rtaffect.stream.source import StreamInfo

#: A value holds while other streams have samples within this, s: what was said in a pause of all nobody knows.
_NEAR_S: Final = 1.0


def held_source(
    recorded: RecordedStream, corrected: Corrected, span: tuple[float, float], beside: Sequence[FloatArray]
) -> XdfSource:
    """Return the course of a recorded rating without a regular rate.

    Parameters
    ----------
    recorded, corrected
        The stream as the file has it, and its stamps on the recorder's clock.
    span
        From when to when the course reaches, s on the recorder's clock.
    beside
        Times, s, rising, of the samples of each of the other streams that are replayed; without any, there is no pause.

    Raises
    ------
    StreamError
        If it is no rating.
    """
    header = recorded.header
    if header.format == "string":
        raise StreamError(f"stream {header.name!r} holds text; expected numbers: choose another stream")
    plan = plan_rating(header)
    there = np.isfinite(corrected.stamps)
    held = Held(len(plan.names))
    with np.errstate(invalid="ignore", over="ignore"):
        held.take(corrected.stamps[there], plan.apply(recorded.values[there]))
    first, last = span
    stamps = first + np.arange(int((last - first) * RATE_HZ) + 1 if last >= first else 0) / RATE_HZ
    values = held.course(stamps)
    if beside:
        near = np.zeros(len(stamps), np.bool_)
        for times in beside:
            near |= np.searchsorted(times, stamps - _NEAR_S) < np.searchsorted(times, stamps + _NEAR_S)
        stamps, values = stamps[near], values[near]
    course = replace(
        recorded, header=even_header(header), stamps=stamps, values=values, segments=(),
        clock_times=np.zeros(1), clock_values=np.zeros(1),
    )  # fmt: skip
    info = StreamInfo(header.name, "rating", RATE_HZ, plan.names, "xdf", header.source_id, header.host)
    as_it_is = plan_rating(even_header(header))
    return XdfSource(info, course, Corrected(stamps, np.zeros(len(stamps), np.intp), ()), as_it_is)
