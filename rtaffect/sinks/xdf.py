"""Writes XDF, the format of LabRecorder: https://github.com/sccn/xdf/wiki/Specifications."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

_FILE_HEADER, _STREAM_HEADER, _SAMPLES, _CLOCK_OFFSET, _STREAM_FOOTER = 1, 2, 3, 4, 6
_CHUNK_SAMPLES = 1024


@dataclass(frozen=True, slots=True)
class RecordedEeg:
    """One stream to be written: ``samples`` (n, channels) in ``unit`` at ``stamps`` (n,), s on the LSL clock."""

    name: str
    source_id: str
    rate: float
    channels: Sequence[str]
    unit: str
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
    with path.open("wb") as file:
        file.write(b"XDF:")
        _chunk(file, _FILE_HEADER, b'<?xml version="1.0"?><info><version>1.0</version></info>')
        for number, stream in enumerate(eeg, start=1):
            _write_eeg(file, number, stream)
        if markers is not None:
            _write_markers(file, len(eeg) + 1, markers)


def _write_eeg(file: BinaryIO, number: int, stream: RecordedEeg) -> None:
    channels = "".join(
        f"<channel><label>{escape(c)}</label><unit>{escape(stream.unit)}</unit><type>EEG</type></channel>"
        for c in stream.channels
    )
    _header(file, number, stream, kind="EEG", form="float32", description=f"<channels>{channels}</channels>")
    width = len(stream.channels)
    layout = np.dtype([("stamped", "u1"), ("stamp", "<f8"), ("values", "<f4", (width,))])
    for start in range(0, len(stream.stamps), _CHUNK_SAMPLES):
        part = slice(start, start + _CHUNK_SAMPLES)
        rows = np.empty(len(stream.stamps[part]), layout)
        rows["stamped"], rows["stamp"], rows["values"] = 8, stream.stamps[part], stream.samples[part]
        _chunk(file, _SAMPLES, struct.pack("<IBI", number, 4, len(rows)) + rows.tobytes())
    _close(file, number, list(stream.stamps))


def _write_markers(file: BinaryIO, number: int, markers: RecordedMarkers) -> None:
    stream = RecordedEeg(markers.name, markers.name, 0.0, ("marker",), "", np.empty((0, 1)), np.empty(0))
    _header(file, number, stream, kind="Markers", form="string", description="")
    for text, stamp in zip(markers.texts, markers.stamps, strict=True):
        data = text.encode()
        sample = struct.pack("<Bd", 8, stamp) + struct.pack("<BI", 4, len(data)) + data
        _chunk(file, _SAMPLES, struct.pack("<IBI", number, 4, 1) + sample)
    _close(file, number, markers.stamps)


def _header(file: BinaryIO, number: int, stream: RecordedEeg, *, kind: str, form: str, description: str) -> None:
    xml = (
        f'<?xml version="1.0"?><info><name>{escape(stream.name)}</name><type>{kind}</type>'
        f"<channel_count>{len(stream.channels)}</channel_count><nominal_srate>{stream.rate:g}</nominal_srate>"
        f"<channel_format>{form}</channel_format><source_id>{escape(stream.source_id)}</source_id>"
        f"<desc>{description}</desc></info>"
    )
    _chunk(file, _STREAM_HEADER, struct.pack("<I", number) + xml.encode())


def _close(file: BinaryIO, number: int, stamps: Sequence[float]) -> None:
    """Write the clock offset, which is zero on one clock, and the footer."""
    first, last = (stamps[0], stamps[-1]) if len(stamps) else (0.0, 0.0)
    for when in (first, last):
        _chunk(file, _CLOCK_OFFSET, struct.pack("<Idd", number, when, 0.0))
    xml = (
        f'<?xml version="1.0"?><info><first_timestamp>{first!r}</first_timestamp>'
        f"<last_timestamp>{last!r}</last_timestamp><sample_count>{len(stamps)}</sample_count></info>"
    )
    _chunk(file, _STREAM_FOOTER, struct.pack("<I", number) + xml.encode())


def _chunk(file: BinaryIO, tag: int, content: bytes) -> None:
    file.write(struct.pack("<BIH", 4, len(content) + 2, tag) + content)
