"""What a recorded stream of markers says, whatever its values are: texts or numbers, in one channel or several."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import FloatArray
from rtaffect.sources.xdf_file import RecordedStream
from rtaffect.stream.limits import cut
from rtaffect.stream.markers import Marker


def markers_of(recorded: RecordedStream, stamps: FloatArray) -> tuple[Marker, ...]:
    """Return the markers of a stream whose samples have the times ``stamps`` (n,), s, on the recorder's clock.

    Each channel that says something is a marker of its own: several at the same time have several texts. A number is
    the text that it is written with, 111 and not 111.0. In a stream with a regular rate, which has a number in every
    sample, the samples in which a number changes are markers.
    """
    if recorded.header.format == "string":
        rows = recorded.cells or [(text,) for text in recorded.texts]
        # An only channel may be empty: that is then what was sent.
        said = [(at, text) for at, row in enumerate(rows) for text in row if text.strip() or len(row) == 1]
    else:
        said = _numbers(recorded.values, changes=recorded.header.rate > 0)
    return tuple(Marker.sent(cut(text)[0], float(stamps[at])) for at, text in said)


def _numbers(values: NDArray[np.generic], *, changes: bool) -> list[tuple[int, str]]:
    """Return number of the sample and text of each value of (n, channels) that is a marker."""
    marks = np.isfinite(values.astype(np.float64))
    if changes and len(values):
        marks[1:] &= values[1:] != values[:-1]
        # What stands there from the beginning came before it.
        marks[0] = False
    return [(int(at), _text(values[at, channel])) for at, channel in np.argwhere(marks)]


def _text(value: np.generic) -> str:
    """Return a number as it is written: whole ones without a point, others with as many digits as they have."""
    number = float(value)
    if isinstance(value, np.integer) or (number.is_integer() and abs(number) < 1e15):
        return str(int(value))
    return str(value)
