"""Looks through the chunks of an XDF file before they are read, so that none takes more memory than it holds bytes for.

What a chunk of samples says of their number decides how much memory its reader takes, whatever there is of them. What
cannot be read is left out and told: one stream's header that is none does not cost the others theirs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from rtaffect.sources.xdf_headers import BYTES, Described, described, is_xml, text_of

MAGIC: Final = b"XDF:"
BOUNDARY: Final = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")
_FILE, _HEADER, _SAMPLES, _OFFSET, _FOOTER = 1, 2, 3, 4, 6
#: Tags of chunks that belong to a stream, whose number comes first.
_OF_STREAM: Final = frozenset({_HEADER, _SAMPLES, _OFFSET, _FOOTER})
#: Bytes of a number, and of a measured clock offset after it.
_NUMBER, _MEASURED = 4, 16
_WIDTHS: Final = (1, 4, 8)


class _Chunk(NamedTuple):
    """Where a chunk begins and ends in the file, where its content begins, and its tag."""

    begin: int
    content: int
    end: int
    tag: int


def whole_chunks(data: bytes) -> tuple[bytes, list[str]]:
    """Return an XDF file's ``data`` without chunks that do not hold what they say, and what was left out.

    Raises
    ------
    RecordingError
        If a stream says that it has more channels, or is faster, than any is.
    """
    sieve, kept, at = _Sieve(data), [data[: len(MAGIC)]], len(MAGIC)
    for chunk in _chunks(data):
        if chunk.begin > at:
            sieve.remarks.append(f"the {chunk.begin - at} bytes from byte {at} on are damaged and left out")
        kept.append(sieve(chunk))
        at = chunk.end
    if at < len(data):
        sieve.remarks.append(f"the last {len(data) - at} bytes are damaged and left out")
    return b"".join(kept) if sieve.changed or sieve.remarks else data, sieve.remarks


class _Sieve:
    """Gives each chunk as it is to be read, nothing for one that is left out."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._streams: dict[bytes, Described] = {}
        self._told: set[bytes] = set()
        self.remarks: list[str] = []
        self.changed = False

    def __call__(self, chunk: _Chunk) -> bytes:
        whole = self._data[chunk.begin : chunk.end]
        if chunk.tag not in _OF_STREAM:
            # Nothing in the file's own header is used, and one that is no XML would end the reading.
            sound = chunk.tag != _FILE or is_xml(self._data[chunk.content : chunk.end])
            return whole if sound else self._leave_out()
        number = self._data[chunk.content : chunk.content + _NUMBER]
        if len(number) < _NUMBER or chunk.content + _NUMBER > chunk.end:
            self.remarks.append(f"the chunk at byte {chunk.begin} is damaged and left out")
            return b""
        if chunk.tag == _HEADER:
            return self._header(number, whole, chunk)
        if number not in self._streams:
            return self._tell(number, "it has no header")
        return self._samples(number, whole, chunk) if chunk.tag == _SAMPLES else self._other(whole, chunk)

    def _other(self, whole: bytes, chunk: _Chunk) -> bytes:
        if chunk.tag == _OFFSET and chunk.end - chunk.content != _NUMBER + _MEASURED:
            self.remarks.append(f"the clock offset at byte {chunk.begin} is damaged and left out")
            return b""
        return whole

    def _leave_out(self) -> bytes:
        self.changed = True
        return b""

    def _tell(self, number: bytes, why: str) -> bytes:
        """Leave out a chunk of a stream that cannot be read, and say so once."""
        if number not in self._told:
            self._told.add(number)
            self.remarks.append(f"stream {int.from_bytes(number, 'little')} is left out: {why}")
        return self._leave_out()

    def _header(self, number: bytes, whole: bytes, chunk: _Chunk) -> bytes:
        of = int.from_bytes(number, "little")
        if number in self._streams:
            self.remarks.append(f"a second header of stream {of} is left out, at byte {chunk.begin}")
            return b""
        found = described(of, self._data[chunk.content + _NUMBER : chunk.end])
        if isinstance(found, str):
            return self._tell(number, found)
        self._streams[number] = found
        return self._rewritten(whole, chunk, number + found.xml)

    def _rewritten(self, whole: bytes, chunk: _Chunk, content: bytes) -> bytes:
        if content == self._data[chunk.content : chunk.end]:
            return whole
        self.changed = True
        body = chunk.tag.to_bytes(2, "little") + content
        return b"\x08" + len(body).to_bytes(8, "little") + body

    def _samples(self, number: bytes, whole: bytes, chunk: _Chunk) -> bytes:
        stream, content = self._streams[number], memoryview(self._data)[chunk.content + _NUMBER : chunk.end]
        if stream.format != "string":
            if _numbers_are_whole(content, stream.channels * BYTES[stream.format]):
                return whole
        elif (texts := _whole_texts(content, stream.channels)) is not None:
            return self._rewritten(whole, chunk, number + texts)
        self.remarks.append(f"the samples at byte {chunk.begin} are damaged and left out")
        return b""


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


def _whole_texts(content: memoryview, channels: int) -> bytes | None:
    """Return a chunk of texts, all in UTF-8; None if it is not as many as it says, to its very end."""
    count, at = _number(content, 0)
    if count is None or count > len(content) - at:
        return None
    kept, begin, changed = [], 0, False
    for _ in range(count):
        at += 9 if at < len(content) and content[at] else 1
        for _ in range(channels):
            length, start = _number(content, at)
            if length is None or start + length > len(content):
                return None
            raw = bytes(content[start : start + length])
            text = text_of(raw).encode()
            if text != raw:
                changed = True
                kept += [bytes(content[begin:at]), b"\x04" + len(text).to_bytes(4, "little") + text]
                begin = start + length
            at = start + length
    if at != len(content):
        return None
    return b"".join([*kept, bytes(content[begin:])]) if changed else bytes(content)


def _numbers_are_whole(content: memoryview, width: int) -> bool:
    """Return whether a chunk is as many samples of ``width`` bytes as it says, each after its stamp or a zero."""
    count, at = _number(content, 0)
    if count is None or count > len(content) - at:
        return False
    content, stamped = content[at:], 9 + width
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
