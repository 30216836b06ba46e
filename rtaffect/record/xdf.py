"""Writes a whole recording at once, as the simulation makes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtaffect.record.xdf_writer import XdfWriter
from rtaffect.stream.source import StreamHeader

_CHUNK_SAMPLES = 1024
_CHUNKS_BETWEEN_BOUNDARIES = 16


@dataclass(frozen=True, slots=True)
class WholeStream:
    """One stream to be written: ``content`` as its header says, ``stamps`` (n,), s on the LSL clock.

    The content is samples (n, channels), or the n texts of a stream of markers.
    """

    header: StreamHeader
    content: NDArray[np.floating] | Sequence[str]
    stamps: NDArray[np.float64] | Sequence[float]


def write_xdf(path: Path, streams: Sequence[WholeStream]) -> None:
    """Write a whole recording, all of it on one clock: with an offset of zero at its first and last stamp."""
    with XdfWriter(path, replace=True) as writer:
        for stream in streams:
            number = writer.stream(stream.header)
            for stamp in stream.stamps[:1]:
                writer.offset(number, float(stamp), 0.0)
            _write_content(writer, number, stream)
            for stamp in stream.stamps[1:][-1:]:
                writer.offset(number, float(stamp), 0.0)


def _write_content(writer: XdfWriter, number: int, stream: WholeStream) -> None:
    if not isinstance(stream.content, np.ndarray):
        writer.texts(number, stream.stamps, stream.content)
        return
    stamps = np.asarray(stream.stamps, np.float64)
    for turn, start in enumerate(range(0, len(stamps), _CHUNK_SAMPLES), start=1):
        part = slice(start, start + _CHUNK_SAMPLES)
        writer.samples(number, stamps[part], stream.content[part])
        if not turn % _CHUNKS_BETWEEN_BOUNDARIES:
            writer.boundary()
            writer.flush()
