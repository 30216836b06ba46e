"""Takes streams of sound out of a recording: all other chunks of the XDF file stay as they are, byte for byte."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final
from xml.etree import ElementTree as ET

from rtaffect.common.errors import RecordingError
from rtaffect.common.files import PRIVATE, replacing
from rtaffect.common.reading import why
from rtaffect.common.text import clean

_MAGIC: Final = b"XDF:"
_STREAM_HEADER: Final = 2
#: Chunks that begin with the number of their stream: header, samples, clock offset, footer.
_OF_STREAM: Final = (2, 3, 4, 6)


@dataclass(slots=True)
class RemovedStream:
    """A stream of sound in a recording, and how much of the file is its, bytes."""

    number: int
    name: str
    type: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class _Chunk:
    """A whole chunk: its bytes, its tag, and the number of its stream, 0 for none."""

    content: bytes
    tag: int
    stream: int


def sound_streams(path: Path, names: tuple[str, ...] = ()) -> list[RemovedStream]:
    """Return the streams of sound in a recording: those of type Audio, and those that are called as ``names``.

    Raises
    ------
    RecordingError
        If it cannot be read, or is no XDF file (one that is not compressed).
    """
    found: dict[int, RemovedStream] = {}
    for chunk in _chunks(path):
        if chunk.tag == _STREAM_HEADER:
            name, kind = _described(chunk.content)
            if kind.casefold() == "audio" or name in names:
                found[chunk.stream] = RemovedStream(chunk.stream, name, kind)
        if chunk.stream in found:
            found[chunk.stream].size += len(chunk.content)
    return list(found.values())


def without_streams(path: Path, numbers: frozenset[int]) -> None:
    """Replace a recording by itself without the streams of these numbers.

    What follows the last whole chunk of a file that is cut short is left out: it may be sound.

    Raises
    ------
    RecordingError
        If it cannot be read.
    OSError
        If it cannot be written.
    """
    with replacing(path, PRIVATE) as part, part.open("wb") as file:
        file.write(_MAGIC)
        for chunk in _chunks(path):
            if chunk.stream not in numbers:
                file.write(chunk.content)


def _chunks(path: Path) -> Iterator[_Chunk]:
    try:
        with path.open("rb") as file:
            if file.read(4) != _MAGIC:
                raise RecordingError(f"recording {path} is no XDF file as rtaffect writes it; nothing was removed")
            while (chunk := _next(file, path)) is not None:
                yield chunk
    except OSError as error:
        raise RecordingError(f"recording {path} cannot be read ({why(error)}); nothing was removed") from None


def _next(file: BinaryIO, path: Path) -> _Chunk | None:
    """Return the next whole chunk, None at the end or where the file is cut short."""
    begin = file.read(1)
    if not begin:
        return None
    size = file.read(begin[0]) if begin[0] in (1, 4, 8) else b""
    length = int.from_bytes(size, "little")
    if not size or (len(size) == begin[0] and length < 2):
        raise RecordingError(
            f"recording {path} is damaged at byte {file.tell() - 1}; what follows may be sound: copy it again"
        )
    left = path.stat().st_size - file.tell()
    if len(size) < begin[0] or length > left:
        return None
    content = file.read(length)
    (tag,) = struct.unpack_from("<H", content)
    stream = struct.unpack_from("<I", content, 2)[0] if tag in _OF_STREAM and length >= 6 else 0
    return _Chunk(begin + size + content, tag, stream)


def _described(chunk: bytes) -> tuple[str, str]:
    """Return name and type of a stream by the chunk that describes it."""
    text = chunk[1 + chunk[0] + 6 :]
    try:
        info = ET.fromstring(text)
    except ET.ParseError:
        return "", ""
    return clean(info.findtext("name") or ""), clean(info.findtext("type") or "")
