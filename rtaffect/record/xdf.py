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
class RecordedEeg:
    """One stream to be written: ``samples`` (n, channels) as its header says, ``stamps`` (n,), s on the LSL clock."""

    header: StreamHeader
    samples: NDArray[np.floating]
    stamps: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RecordedMarkers:
    """Marker texts and their times, s on the LSL clock."""

    name: str
    texts: Sequence[str]
    stamps: Sequence[float]


def write_xdf(path: Path, eeg: Sequence[RecordedEeg], markers: RecordedMarkers | None = None) -> None:
    """Write a whole recording, all of it on one clock."""
    with XdfWriter(path, replace=True) as writer:
        for stream in eeg:
            _write_eeg(writer, stream)
        if markers is not None:
            header = StreamHeader(markers.name, "Markers", 0.0, "string", ("marker",), source_id=markers.name)
            number = writer.stream(header)
            _one_clock(writer, number, markers.stamps[:1])
            writer.texts(number, markers.stamps, markers.texts)
            _one_clock(writer, number, markers.stamps[1:][-1:])


def _write_eeg(writer: XdfWriter, stream: RecordedEeg) -> None:
    number = writer.stream(stream.header)
    _one_clock(writer, number, stream.stamps[:1])
    for turn, start in enumerate(range(0, len(stream.stamps), _CHUNK_SAMPLES), start=1):
        part = slice(start, start + _CHUNK_SAMPLES)
        writer.samples(number, stream.stamps[part], stream.samples[part])
        if not turn % _CHUNKS_BETWEEN_BOUNDARIES:
            writer.boundary()
            writer.flush()
    _one_clock(writer, number, stream.stamps[1:][-1:])


def _one_clock(writer: XdfWriter, number: int, times: Sequence[float] | NDArray[np.float64]) -> None:
    """Write that stream ``number`` is on this computer's clock at ``times``, s: an offset of zero."""
    for time in times:
        writer.offset(number, float(time), 0.0)
