"""Looks through the chunks of an XDF file before they are read, so that none takes more memory than it holds bytes for.

What a chunk of samples says of their number decides how much memory its reader takes, whatever there is of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple
from xml.etree import ElementTree as ET

import numpy as np

from rtaffect.common.errors import RecordingError

#: No stream has more channels.
MOST_CHANNELS: Final = 10_000
#: No stream is faster, Hz.
MOST_RATE: Final = 10_000_000.0

MAGIC: Final = b"XDF:"
BOUNDARY: Final = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")
_HEADER, _SAMPLES = 2, 3
_BYTES: Final = {"float32": 4, "double64": 8, "int8": 1, "int16": 2, "int32": 4, "int64": 8}
_WIDTHS: Final = (1, 4, 8)


class _Chunk(NamedTuple):
    """Where a chunk begins and ends in the file, where its content begins, and its tag."""

    begin: int
    content: int
    end: int
    tag: int


class _Stream(NamedTuple):
    channels: int
    format: str


def whole_chunks(data: bytes) -> tuple[bytes, list[str]]:
    """Return an XDF file's ``data`` without chunks of samples that do not hold what they say, and what was left out.

    Raises
    ------
    RecordingError
        If a stream says that it has more channels, or is faster, than any is.
    """
    streams: dict[bytes, _Stream] = {}
    kept, remarks, at = [data[: len(MAGIC)]], [], len(MAGIC)
    for chunk in _chunks(data):
        number, content = data[chunk.content : chunk.content + 4], memoryview(data)[chunk.content + 4 : chunk.end]
        if chunk.begin > at:
            remarks.append(f"the {chunk.begin - at} bytes from byte {at} on are damaged and left out")
        if chunk.tag == _HEADER:
            streams[number] = _stream(bytes(content))
        if chunk.tag == _SAMPLES and number in streams and not _is_whole(content, streams[number]):
            remarks.append(f"the samples at byte {chunk.begin} are damaged and left out")
        else:
            kept.append(data[chunk.begin : chunk.end])
        at = chunk.end
    if at < len(data):
        remarks.append(f"the last {len(data) - at} bytes are damaged and left out")
    return (b"".join(kept), remarks) if remarks else (data, [])


def _chunks(data: bytes) -> Iterator[_Chunk]:
    """Yield the chunks; after damage those from the next boundary on."""
    at = len(MAGIC)
    while at < len(data):
        width = data[at]
        length = int.from_bytes(data[at + 1 : at + 1 + width], "little") if width in _WIDTHS else 0
        begin = at + 1 + width
        if length < 2 or begin + length > len(data):
            found = data.find(BOUNDARY, at)
            if found < 0:
                return
            # The boundary's own chunk is short: its length, in one byte, and its tag stand before it.
            at = found - 4 if data[max(at, found - 4) : found] == b"\x01\x12\x05\x00" else found + len(BOUNDARY)
            continue
        yield _Chunk(at, begin + 2, begin + length, int.from_bytes(data[begin : begin + 2], "little"))
        at = begin + length


def _stream(xml: bytes) -> _Stream:
    """Return what a header says of a stream's samples; what it does not say in numbers is found by what reads it."""
    try:
        root = ET.fromstring(xml.decode("utf-8", "replace"))
        name, kind = root.findtext("name") or "", root.findtext("channel_format") or ""
        channels, rate = int(root.findtext("channel_count") or ""), float(root.findtext("nominal_srate") or "")
    except (ET.ParseError, ValueError):
        return _Stream(0, "")
    if channels > MOST_CHANNELS or rate > MOST_RATE:
        raise RecordingError(
            f"stream {name!r:.80} says that it has {channels:.3g} channels at {rate:.3g} Hz; expected at most "
            f"{MOST_CHANNELS} and {MOST_RATE:.0f} Hz: the recording is damaged. Copy it again from the computer that "
            "recorded it."
        )
    return _Stream(channels, kind)


def _is_whole(content: memoryview, stream: _Stream) -> bool:
    """Return whether the content of a chunk of samples is as many samples as it says, to its very end."""
    count, at = _number(content, 0)
    if count is None or count > len(content) - at:
        return False
    if stream.format != "string":
        return _numbers_are_whole(content[at:], count, stream.channels * _BYTES.get(stream.format, 0))
    for _ in range(count):
        at += 9 if at < len(content) and content[at] else 1
        for _ in range(stream.channels):
            length, at = _number(content, at)
            if length is None:
                return False
            at += length
        if at > len(content):
            return False
    return at == len(content)


def _numbers_are_whole(content: memoryview, count: int, width: int) -> bool:
    """Return whether ``content`` is ``count`` samples of ``width`` bytes, each after its stamp or a zero for none."""
    stamped = 9 + width
    if len(content) == count * stamped:
        flags = np.frombuffer(content, np.uint8)[::stamped]
        if flags.all():
            return True
    at = 0
    for _ in range(count):
        if at >= len(content):
            return False
        at += width + (9 if content[at] else 1)
    return at == len(content)


def _number(content: memoryview, at: int) -> tuple[int | None, int]:
    """Return the integer of variable length at a place, None for none, and the place after it."""
    if at >= len(content) or content[at] not in _WIDTHS or at + 1 + content[at] > len(content):
        return None, at
    end = at + 1 + content[at]
    return int.from_bytes(content[at + 1 : end], "little"), end
