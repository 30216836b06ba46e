"""Writes small XDF files with known truth, whole or cut: https://github.com/sccn/xdf/wiki/Specifications."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

FILE_HEADER, STREAM_HEADER, SAMPLES, CLOCK_OFFSET, BOUNDARY, STREAM_FOOTER = range(1, 7)
BOUNDARY_UUID = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")
NUMPY_FORMATS = {"float32": "<f4", "double64": "<f8", "int8": "<i1", "int16": "<i2", "int32": "<i4", "int64": "<i8"}


@dataclass
class FakeStream:
    """A stream to be written: ``values`` (n, channels) or a list of texts, ``offsets`` as (sender time, offset)."""

    values: Any
    stamps: NDArray[np.float64]
    name: str = "ANT"
    type: str = "EEG"
    rate: float = 100.0
    format: str = "float32"
    labels: Sequence[str] = ()
    unit: str | Sequence[str] = "microvolts"
    kinds: Sequence[str] = ()
    source_id: str = ""
    host: str = "lab"
    offsets: Sequence[tuple[float, float]] = ()
    channels: int = field(init=False)

    def __post_init__(self) -> None:
        self.channels = 1 if self.format == "string" else np.shape(self.values)[1]


@dataclass
class Image:
    """The bytes of a file, and for each chunk of samples (end in the file, stream, samples of it written by then)."""

    data: bytes
    marks: list[tuple[int, int, int]]

    def samples_before(self, cut: int, stream: int) -> int:
        """Return how many samples of a stream lie in whole chunks before byte ``cut``."""
        return max((n for end, of, n in self.marks if of == stream and end <= cut), default=0)


def chunk(tag: int, content: bytes) -> bytes:
    """Return one chunk with its length, in as few bytes as the format allows."""
    length = len(content) + 2
    width = 1 if length < 256 else 4
    return bytes([width]) + length.to_bytes(width, "little") + struct.pack("<H", tag) + content


def count(n: int) -> bytes:
    """Return an integer of variable length."""
    return bytes([1, n]) if n < 256 else bytes([4]) + struct.pack("<I", n)


def stream_header(stream: FakeStream) -> str:
    """Return the stream's XML header as LabRecorder writes it."""
    desc = ""
    if stream.labels:
        units = [stream.unit] * stream.channels if isinstance(stream.unit, str) else stream.unit
        kinds = stream.kinds or [""] * stream.channels
        fields = [
            zip(("label", "unit", "type"), each, strict=True) for each in zip(stream.labels, units, kinds, strict=True)
        ]
        each = "".join(f"<channel>{''.join(f'<{k}>{escape(v)}</{k}>' for k, v in of if v)}</channel>" for of in fields)
        desc = f"<channels>{each}</channels>"
    source = f"<source_id>{escape(stream.source_id)}</source_id>" if stream.source_id else ""
    return (
        f'<?xml version="1.0"?><info><name>{escape(stream.name)}</name><type>{escape(stream.type)}</type>'
        f"<channel_count>{stream.channels}</channel_count><nominal_srate>{stream.rate}</nominal_srate>"
        f"<channel_format>{stream.format}</channel_format>{source}<hostname>{escape(stream.host)}</hostname>"
        f"<desc>{desc}</desc></info>"
    )


def samples(stream: FakeStream, first: int, stop: int) -> bytes:
    """Return the content of a chunk of samples, each with its stamp."""
    parts = [count(stop - first)]
    for i in range(first, stop):
        parts.append(b"\x08" + struct.pack("<d", stream.stamps[i]))
        if stream.format == "string":
            text = stream.values[i].encode()
            parts.append(count(len(text)) + text)
        else:
            parts.append(np.asarray(stream.values[i]).astype(NUMPY_FORMATS[stream.format]).tobytes())
    return b"".join(parts)


def image(streams: Sequence[FakeStream], per_chunk: int = 25, footer: bool = True) -> Image:
    """Return the file of ``streams``: their chunks in turn, each offset in its place among them."""
    data = bytearray(b"XDF:" + chunk(FILE_HEADER, b'<?xml version="1.0"?><info><version>1.0</version></info>'))
    marks = []
    ids = [struct.pack("<I", k + 1) for k in range(len(streams))]
    for stream, number in zip(streams, ids, strict=True):
        data += chunk(STREAM_HEADER, number + stream_header(stream).encode())
    turns = max((-(-len(s.stamps) // per_chunk) for s in streams), default=0) + 1
    for turn in range(turns):
        for k, (stream, number) in enumerate(zip(streams, ids, strict=True)):
            n = len(stream.offsets)
            for time, value in stream.offsets[turn * n // turns : (turn + 1) * n // turns]:
                data += chunk(CLOCK_OFFSET, number + struct.pack("<dd", time, value))
            first, stop = turn * per_chunk, min((turn + 1) * per_chunk, len(stream.stamps))
            if first < stop:
                data += chunk(SAMPLES, number + samples(stream, first, stop))
                marks.append((len(data), k, stop))
        if turn % 4 == 3:
            data += chunk(BOUNDARY, BOUNDARY_UUID)
    if footer:
        for stream, number in zip(streams, ids, strict=True):
            data += chunk(
                STREAM_FOOTER, number + f"<info><sample_count>{len(stream.stamps)}</sample_count></info>".encode()
            )
    return Image(bytes(data), marks)
