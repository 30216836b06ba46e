"""Reads the variables of a TensorFlow checkpoint without TensorFlow.

``PREFIX.index`` is a table of LevelDB (https://github.com/google/leveldb, doc/table_format.md) of entries
``BundleEntryProto`` (tensorflow/core/protobuf/tensor_bundle.proto): type, shape, place and size of each variable's
bytes in ``PREFIX.data-00000-of-00001``. Only what checkpoints of one file, without compression, hold is read: floats of
32 bits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.errors import ArtifactError

_FOOTER: Final = 48
_MAGIC: Final = 0xDB4775248B80FB57
#: A type and a checksum follow each block, bytes.
_TRAILER: Final = 5
_FLOAT: Final = 1


def read_checkpoint(table: bytes, content: bytes, name: str) -> dict[str, NDArray[np.float32]]:
    """Return the variables of a checkpoint by name; others than floats are left out.

    Parameters
    ----------
    table, content
        Of ``PREFIX.index`` and ``PREFIX.data-00000-of-00001``.
    name
        What messages call it.

    Raises
    ------
    ArtifactError
        If it is damaged or of another form.
    """
    found: dict[str, NDArray[np.float32]] = {}
    try:
        for key, value in _entries(table):
            entry = _fields(value)
            # The first entry, without a name, is the header.
            if not key or _whole(entry, 1) != _FLOAT:
                continue
            shape = tuple(_shape(entry))
            start, size = _whole(entry, 4), _whole(entry, 5)
            if _whole(entry, 3) or size != 4 * math.prod(shape) or start + size > len(content):
                raise ValueError(f"variable {key.decode()!r} of shape {shape} lies outside of its data")
            found[key.decode()] = np.frombuffer(content, "<f4", size // 4, start).reshape(shape)
    except (ValueError, IndexError) as error:
        raise ArtifactError(f"{name}: damaged, or no checkpoint of TensorFlow ({error})") from None
    return found


def _entries(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values of a table, in order."""
    if len(table) < _FOOTER or int.from_bytes(table[-8:], "little") != _MAGIC:
        raise ValueError("its last bytes are not those of a table")
    footer, at = table[-_FOOTER:], 0
    for _ in range(2):
        _, at = _varint(footer, at)
    begin, at = _varint(footer, at)
    size, _ = _varint(footer, at)
    for _, handle in _block(table, begin, size):
        start, at = _varint(handle, 0)
        yield from _block(table, start, _varint(handle, at)[0])


def _block(table: bytes, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values of a block, each key given by what it shares with the one before."""
    block = table[start : start + size]
    if len(table) < start + size + _TRAILER or len(block) < 4:
        raise ValueError("a block reaches beyond the end")
    if table[start + size] != 0:
        raise ValueError("its blocks are compressed")
    end = size - 4 - 4 * int.from_bytes(block[-4:], "little")
    at, key = 0, b""
    while at < end:
        shared, at = _varint(block, at)
        own, at = _varint(block, at)
        length, at = _varint(block, at)
        key = key[:shared] + block[at : at + own]
        yield key, block[at + own : at + own + length]
        at += own + length


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """Return the number at ``at``, seven bits a byte, and where the next thing is."""
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number has no end")


def _fields(message: bytes) -> list[tuple[int, int | bytes]]:
    """Return the fields of a protobuf message: numbers, and bytes for what is nested or fixed."""
    found: list[tuple[int, int | bytes]] = []
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, at = _varint(message, at)
            found.append((number, value))
            continue
        if kind == 2:
            size, at = _varint(message, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"a field has the kind {kind}")
        found.append((number, message[at : at + size]))
        at += size
    return found


def _whole(fields: list[tuple[int, int | bytes]], number: int) -> int:
    """Return a field that is a number, 0 where it is not given."""
    return next((value for field, value in fields if field == number and isinstance(value, int)), 0)


def _shape(fields: list[tuple[int, int | bytes]]) -> Iterator[int]:
    shape = next((value for field, value in fields if field == 2 and isinstance(value, bytes)), b"")
    for field, dimension in _fields(shape):
        if field == 2 and isinstance(dimension, bytes):
            yield _whole(_fields(dimension), 1)


def named(variables: Mapping[str, NDArray[np.float32]], name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return a variable of that name and shape; ArtifactError if there is none."""
    found = variables.get(name)
    if found is None or found.shape != shape:
        what = "is missing" if found is None else f"has the shape {found.shape}"
        raise ArtifactError(f"the checkpoint's variable {name!r} {what}; expected one of shape {shape}")
    return found
