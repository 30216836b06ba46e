"""Writes XDF, the format of LabRecorder, chunk by chunk: https://github.com/sccn/xdf/wiki/Specifications."""

from __future__ import annotations

import errno
import os
import re
import struct
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Self
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.files import new_file
from rtaffect.sources.channel_plan import DTYPES
from rtaffect.stream.source import StreamHeader

_FILE_HEADER, _STREAM_HEADER, _SAMPLES, _CLOCK_OFFSET, _BOUNDARY, _STREAM_FOOTER = range(1, 7)
_MAGIC = b"XDF:"
_BOUNDARY_UUID = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")
_DECLARATION = '<?xml version="1.0"?>'
#: So much is handed to the system at once, bytes.
_BATCH_BYTES = 4 << 20
#: What XML 1.0 has no place for.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
#: A file system that cannot be asked to write through (some network and FUSE ones) says one of these.
_NO_SYNC = (errno.EINVAL, errno.ENOTSUP)


def count(n: int) -> bytes:
    """Return ``n`` as an integer of variable length: 1, 4 or 8 bytes after one that says how many."""
    if n < 1 << 8:
        return struct.pack("<BB", 1, n)
    return struct.pack("<BI", 4, n) if n < 1 << 32 else struct.pack("<BQ", 8, n)


def _chunk(tag: int, *parts: bytes) -> bytes:
    return b"".join((count(sum(map(len, parts)) + 2), struct.pack("<H", tag), *parts))


@dataclass(slots=True)
class _Stream:
    """A stream of the file: how its samples are laid out, and what its footer will say."""

    number: bytes
    channels: int
    layout: np.dtype[Any] | None
    samples: int = 0
    first: float = 0.0
    last: float = 0.0
    offsets: list[tuple[float, float]] = field(default_factory=list)


class XdfWriter:
    """Appends to one XDF file; what is given is pending until :meth:`flush` writes it.

    A file ends after a whole chunk whatever happens: what a full disk took of a chunk is cut off again, and the chunk
    stays pending. One thread calls all methods.

    Parameters
    ----------
    path
        The file, which must not exist.
    replace
        Overwrite a file that exists.

    Raises
    ------
    OSError
        If the file cannot be made.

    Attributes
    ----------
    size : int
        Bytes of whole chunks in the file.
    pending_bytes : int
        Bytes to be written yet.
    """

    def __init__(self, path: Path, *, replace: bool = False) -> None:
        self._file: BinaryIO = path.open("w+b", buffering=0) if replace else new_file(path, buffering=0)
        self.size = self.pending_bytes = 0
        # What a file must begin with: its own header and those of its streams.
        self._heads: list[bytes] = []
        self._streams: dict[int, _Stream] = {}
        self._pending: deque[bytes] = deque()
        # Written, but perhaps not on the disk: kept until fsync says so.
        self._unsynced: deque[bytes] = deque()
        self._torn = False
        self._begin(_MAGIC + _chunk(_FILE_HEADER, f"{_DECLARATION}<info><version>1.0</version></info>".encode()))

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def stream(self, header: StreamHeader) -> int:
        """Begin a stream and return its number in the file; raises ValueError for an unknown format."""
        number = len(self._streams) + 1
        stream = _Stream(struct.pack("<I", number), len(header.labels), sample_layout(header))
        self._streams[number] = stream
        self._begin(_chunk(_STREAM_HEADER, stream.number, header_xml(header).encode()))
        return number

    def samples(self, number: int, stamps: NDArray[np.float64], values: NDArray[Any]) -> None:
        """Add ``values`` (n, channels) with their ``stamps`` (n,), s, to stream ``number``; ValueError if of text."""
        stream = self._streams[number]
        if stream.layout is None:
            raise ValueError(f"stream {number} carries texts, not numbers")
        rows = np.empty(len(stamps), stream.layout)
        rows["bytes"], rows["stamp"], rows["values"] = 8, stamps, values
        self._add(stream, stamps, rows.tobytes())

    def texts(self, number: int, stamps: Sequence[float] | NDArray[np.float64], texts: Sequence[str]) -> None:
        """Add ``texts`` (n) with their ``stamps`` (n), s, to stream ``number``; ValueError if not one of one text."""
        stream = self._streams[number]
        if stream.layout is not None or stream.channels != 1:
            raise ValueError(f"stream {number} does not carry one text a sample")
        parts = []
        for stamp, text in zip(stamps, texts, strict=True):
            data = text.encode("utf-8", "replace")
            parts.append(struct.pack("<Bd", 8, stamp) + count(len(data)) + data)
        self._add(stream, stamps, b"".join(parts))

    def _add(self, stream: _Stream, stamps: Sequence[float] | NDArray[np.float64], content: bytes) -> None:
        if not len(stamps):
            return
        if not stream.samples:
            stream.first = float(stamps[0])
        stream.samples, stream.last = stream.samples + len(stamps), float(stamps[-1])
        self._put(_chunk(_SAMPLES, stream.number, count(len(stamps)), content))

    def offset(self, number: int, time: float, value: float) -> None:
        """Add to stream ``number`` that at ``time`` on its sender's clock ``value`` was to be added, s."""
        stream = self._streams[number]
        stream.offsets.append((time, value))
        self._put(_chunk(_CLOCK_OFFSET, stream.number, struct.pack("<dd", time, value)))

    def boundary(self) -> None:
        """Add a place from which a reader finds its way again after damage; once in about ten seconds."""
        self._put(_chunk(_BOUNDARY, _BOUNDARY_UUID))

    def written(self, number: int) -> tuple[int, int]:
        """Return how many samples and clock offsets stream ``number`` has been given."""
        stream = self._streams[number]
        return stream.samples, len(stream.offsets)

    def _begin(self, head: bytes) -> None:
        self._heads.append(head)
        self._put(head)

    def _put(self, chunk: bytes) -> None:
        self._pending.append(chunk)
        self.pending_bytes += len(chunk)

    def flush(self) -> None:
        """Hand all that is pending to the system: it outlives this process.

        Raises
        ------
        OSError
            If the system does not take it all. The rest stays pending.
        """
        self._mend()
        while self._pending:
            batch: list[bytes] = []
            length = 0
            for chunk in self._pending:
                if batch and length + len(chunk) > _BATCH_BYTES:
                    break
                batch.append(chunk)
                length += len(chunk)
            data, done = memoryview(b"".join(batch)), 0
            try:
                while done < length:
                    done += os.write(self._file.fileno(), data[done:])
            finally:
                self._note_written(done)

    def _note_written(self, done: int) -> None:
        """Note that the file has ``done`` bytes more, and cut off what is not a whole chunk."""
        while self._pending and len(self._pending[0]) <= done:
            chunk = self._pending.popleft()
            self._unsynced.append(chunk)
            done -= len(chunk)
            self.size += len(chunk)
            self.pending_bytes -= len(chunk)
        if done:
            self._torn = True
            self._mend()

    def _mend(self) -> None:
        """Cut off what follows the last whole chunk."""
        if self._torn:
            self._file.truncate(self.size)
            self._file.seek(self.size)
            self._torn = False

    def sync(self) -> None:
        """Have the system put what was written on the disk: it outlives a loss of power.

        Raises
        ------
        OSError
            If it cannot. What was written since the last time is pending again.
        """
        if not self._unsynced:
            return
        try:
            _put_on_disk(self._file)
        except OSError:
            self._take_back()
            raise
        self._unsynced.clear()

    def _take_back(self) -> None:
        back = sum(map(len, self._unsynced))
        self._pending.extendleft(reversed(self._unsynced))
        self._unsynced.clear()
        self.size -= back
        self.pending_bytes += back
        self._torn = True
        self._mend()

    @property
    def descriptor(self) -> int:
        """Of the open file."""
        return self._file.fileno()

    def move_to(self, path: Path) -> None:
        """Go on in a new file, with all that was written so far, be the old one removed or not.

        Where the old one cannot be read, as of a disk that is gone, the new one begins with the streams' headers and
        what is not known to be on that disk.

        Raises
        ------
        OSError
            If the new file cannot be made or written; the old one is gone on with.
        """
        new = new_file(path, buffering=0)
        try:
            whole = self._copy_into(new)
        except OSError:
            new.close()
            path.unlink()
            self._torn = True
            raise
        with suppress(OSError):
            self._file.close()
        self._file, self._torn = new, False
        if not whole:
            self.size = 0
            there = {id(chunk) for chunk in (*self._pending, *self._unsynced)}
            again = [*(head for head in self._heads if id(head) not in there), *self._unsynced]
            self._pending.extendleft(reversed(again))
            self.pending_bytes += sum(map(len, again))
        self._unsynced.clear()

    def _copy_into(self, new: BinaryIO) -> bool:
        """Copy the whole chunks of the file; return whether they could be read, else ``new`` is empty."""
        left = self.size
        try:
            self._file.seek(0)
        except OSError:
            return left == 0
        while left:
            try:
                piece = self._file.read(min(left, _BATCH_BYTES))
            except OSError:
                piece = b""
            if not piece:
                new.truncate(0)
                new.seek(0)
                return False
            left -= len(piece)
            rest = memoryview(piece)
            while rest:
                rest = rest[new.write(rest) or 0 :]
        _put_on_disk(new)
        return True

    def close(self) -> None:
        """Write the footers and all that is pending, and close the file; may be called twice.

        Raises
        ------
        OSError
            If not all could be written; the file is closed all the same.
        """
        if self._file.closed:
            return
        for stream in self._streams.values():
            self._put(_chunk(_STREAM_FOOTER, stream.number, _footer_xml(stream).encode()))
        try:
            self.flush()
            self.sync()
        finally:
            self._file.close()


def _put_on_disk(file: BinaryIO) -> None:
    """Have the system put what was written on the disk, where it can be asked to; raises OSError."""
    try:
        os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise


def sample_layout(header: StreamHeader) -> np.dtype[Any] | None:
    """Return how one sample lies in the file, None for texts; raises ValueError for an unknown format."""
    if header.format == "string":
        return None
    if header.format not in DTYPES:
        raise ValueError(f"stream {header.name!r} has format {header.format!r}, expected string, {', '.join(DTYPES)}")
    values = DTYPES[header.format].newbyteorder("<")
    return np.dtype([("bytes", "u1"), ("stamp", "<f8"), ("values", values, (len(header.labels),))])


def header_xml(header: StreamHeader) -> str:
    """Return the XML that describes a stream: its own where it brings one that can be read."""
    if header.xml:
        try:
            ET.fromstring(header.xml)
            return header.xml
        except ET.ParseError:
            # A name with a control character, as LSL passes it on, would make the whole file unreadable.
            pass
    channels = "".join(
        f"<channel>{_element('label', label)}{_element('unit', unit)}{_element('type', kind)}</channel>"
        for label, unit, kind in zip(header.labels, header.units, header.types, strict=True)
    )
    fields = (
        _element("name", header.name),
        _element("type", header.type),
        _element("channel_count", str(len(header.labels))),
        _element("channel_format", header.format),
        _element("nominal_srate", repr(float(header.rate))),
        _element("source_id", header.source_id),
        _element("hostname", header.host),
    )
    return f"{_DECLARATION}<info>{''.join(fields)}<desc><channels>{channels}</channels></desc></info>"


def _element(tag: str, text: str) -> str:
    return f"<{tag}>{escape(_NOT_XML.sub('', text))}</{tag}>"


def _footer_xml(stream: _Stream) -> str:
    offsets = "".join(f"<offset><time>{t!r}</time><value>{v!r}</value></offset>" for t, v in stream.offsets)
    return (
        f"{_DECLARATION}<info><writer>rtaffect</writer><first_timestamp>{stream.first!r}</first_timestamp>"
        f"<last_timestamp>{stream.last!r}</last_timestamp><sample_count>{stream.samples}</sample_count>"
        f"<clock_offsets>{offsets}</clock_offsets></info>"
    )
