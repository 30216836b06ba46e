"""Looks through a FIF or EEGLAB file before mne reads it, since a damaged one can take all memory, never end, or crash.

Of both only the frame is followed: pieces that say what they are and how long they are. Nothing may reach beyond what
holds it, and nothing may lead back. FIF: a file is a row of tags (kind, type, size, next; each 4 bytes, big-endian).
EEGLAB: a MAT-file of version 5 (MathWorks, *MAT-File Format*, 2023), elements of type, size and content.
"""

from __future__ import annotations

import math
import mmap
import struct
import zlib
from pathlib import Path
from typing import Final, NamedTuple

from rtaffect.common.errors import RecordingError
from rtaffect.common.reading import read_bytes, why

#: What is packed holds at most so many times its bytes, or so many bytes.
MOST_UNPACKED, LEAST_BYTES = 100, 64_000_000

_FIF_TAG: Final = struct.Struct(">iIii")
#: The first tag's kind: what made the file.
_FIF_BEGIN: Final = struct.pack(">i", 100)
#: Bytes of one value of each type that a MAT-file's numbers and texts are stored as.
_VALUES: Final = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8, 16: 1, 17: 2, 18: 4}
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCT, _OBJECT, _SPARSE, _FUNCTION = 1, 2, 3, 5, 16
_NUMERIC: Final = frozenset({4, *range(6, 16)})
_DEEPEST = 32


def check_file(path: Path) -> None:
    """Refuse a damaged file of these formats; others pass.

    Raises
    ------
    RecordingError
        With what is wrong.
    """
    if not path.name.lower().endswith((".fif", ".fif.gz", ".set")):
        return
    try:
        if not path.is_file():
            raise ValueError("it is no file")
        # Mapped, not read: it may be larger than the memory.
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if data[:4] == _FIF_BEGIN:
                _check_fif(data)
                return
        content = read_bytes(path, None)
        if content[:2] == b"\x1f\x8b":
            _check_fif(_inflated(content, 31))
        # Version 7.3 is another format, which its own library checks.
        elif content[:10] != b"MATLAB 7.3":
            _check_mat(memoryview(content))
    except (OSError, ValueError, struct.error, zlib.error) as error:
        raise RecordingError(
            f"{path} cannot be read ({why(error)}); expected a whole file: copy or export it again"
        ) from None


def _inflated(data: bytes | memoryview, kind: int) -> bytes:
    """Return unpacked content; ValueError if it is more than any packed recording is."""
    unpacker, most = zlib.decompressobj(wbits=kind), max(LEAST_BYTES, MOST_UNPACKED * len(data))
    content = unpacker.decompress(data, most)
    if len(content) == most:
        raise ValueError(f"it unpacks to more than {most} bytes")
    return content


def _check_fif(data: bytes | mmap.mmap) -> None:
    if data[:4] != _FIF_BEGIN:
        raise ValueError("it does not begin as FIF does")
    at = 0
    while at + _FIF_TAG.size <= len(data):
        _, _, size, following = _FIF_TAG.unpack_from(data, at)
        end = at + _FIF_TAG.size + size
        if size < 0 or end > len(data):
            raise ValueError(f"the tag at byte {at} reaches beyond the file")
        if following < 0:
            return
        if 0 < following < end:
            raise ValueError(f"the tag at byte {at} leads back")
        at = following or end


class _Element(NamedTuple):
    kind: int
    content: memoryview
    end: int


def _element(data: memoryview, at: int, order: str) -> _Element:
    """Return the element at a place, and where the next one is; ValueError if it reaches beyond what holds it."""
    kind, size = struct.unpack_from(f"{order}II", data, at)
    if kind >> 16:
        # Small ones have their size in the upper half, and four bytes of content at most.
        kind, size, begin = kind & 0xFFFF, kind >> 16, at + 4
        end = at + 8
        if size > 4:
            raise ValueError("a small element is larger than four bytes")
    else:
        begin = at + 8
        end = begin + size + (0 if kind == _COMPRESSED else -size % 8)
    if begin + size > len(data):
        raise ValueError("an element reaches beyond what holds it")
    return _Element(kind, data[begin : begin + size], min(end, len(data)))


def _check_mat(data: memoryview) -> None:
    order = {b"IM": "<", b"MI": ">"}.get(bytes(data[126:128]))
    if order is None:
        raise ValueError("it begins neither as FIF nor as a MAT-file of version 5")
    at = 128
    while at < len(data):
        element = _element(data, at, order)
        if element.kind == _COMPRESSED:
            inside = memoryview(_inflated(element.content, 15))
            element = _element(inside, 0, order)._replace(end=element.end)
        if element.kind != _MATRIX:
            raise ValueError(f"a variable has the type {element.kind}")
        _check_matrix(element.content, order, 0)
        at = element.end


def _check_matrix(data: memoryview, order: str, depth: int) -> None:
    if depth > _DEEPEST:
        raise ValueError("its values are nested too deeply")
    if len(data):
        _check_array(data, order, depth)


def _check_array(data: memoryview, order: str, depth: int) -> None:
    kind, is_complex, count, at = _head(data, order)
    if kind in _NUMERIC:
        for _ in range(2 if is_complex else 1):
            at = _check_values(data, at, order, count)
    elif kind in (_CELL, _STRUCT, _OBJECT):
        if kind == _OBJECT:
            at = _element(data, at, order).end
        if kind != _CELL:
            fields, at = _fields(data, at, order)
            count *= fields
        _check_children(data, at, order, depth, count)
    elif kind not in (_SPARSE, _FUNCTION):
        raise ValueError(f"an array has the class {kind}, which no EEGLAB file has")


def _head(data: memoryview, order: str) -> tuple[int, bool, int, int]:
    """Return an array's class, whether it is complex, of how many values its shape is, and where they are."""
    flags = _element(data, 0, order)
    if flags.kind != 6 or len(flags.content) != 8:
        raise ValueError("an array has no flags")
    word = struct.unpack_from(f"{order}I", flags.content)[0]
    kind, is_complex = word & 0xFF, bool(word & 0x800)
    shape = _element(data, flags.end, order)
    if shape.kind != 5 or not 8 <= len(shape.content) <= 128 or len(shape.content) % 4:
        raise ValueError("an array has no shape")
    dims = struct.unpack(f"{order}{len(shape.content) // 4}i", shape.content)
    if min(dims) < 0:
        raise ValueError(f"an array has the shape {dims}")
    name = _element(data, shape.end, order)
    if name.kind not in (1, 2, 16):
        raise ValueError("an array has no name")
    return kind, is_complex, math.prod(dims), name.end


def _check_values(data: memoryview, at: int, order: str, count: int) -> int:
    """Refuse numbers or texts of an array of ``count`` that are not so many; return where the next element is."""
    values = _element(data, at, order)
    if values.kind not in _VALUES or len(values.content) % _VALUES[values.kind]:
        raise ValueError(f"values have the type {values.kind}")
    # A text in UTF-8 has fewer letters than bytes; no other differs.
    found = len(values.content) // _VALUES[values.kind]
    if found != count and not (values.kind in (16, 17, 18) and found >= count):
        raise ValueError(f"an array has {found} values; its shape says {count}")
    return values.end


def _fields(data: memoryview, at: int, order: str) -> tuple[int, int]:
    """Return how many fields a struct has, and where its first part is."""
    width = _element(data, at, order)
    if width.kind != 5 or len(width.content) != 4:
        raise ValueError("a struct has no names")
    length = struct.unpack(f"{order}i", width.content)[0]
    names = _element(data, width.end, order)
    if not 0 < length <= 256 or names.kind != 1 or len(names.content) % length:
        raise ValueError("a struct has no names")
    return len(names.content) // length, names.end


def _check_children(data: memoryview, at: int, order: str, depth: int, count: int) -> None:
    """Refuse a cell or struct whose shape is of more parts than it has bytes for, or one of whose parts is damaged."""
    if count * 8 > len(data):
        raise ValueError(f"{count} parts are said to be in {len(data)} bytes")
    for _ in range(count):
        child = _element(data, at, order)
        if child.kind != _MATRIX:
            raise ValueError(f"a part has the type {child.kind}")
        _check_matrix(child.content, order, depth + 1)
        at = child.end
