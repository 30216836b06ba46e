"""What an ONNX file refers to outside of itself, found without the package onnx: its hash cannot cover that.

An ONNX model is a message of Protocol Buffers (https://protobuf.dev/programming-guides/encoding/), with the numbers of
fields in https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

#: Kinds of value on the wire: variable length, 8 bytes, length and content, 4 bytes.
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
#: Of TensorProto: where data are that are not in the file, and whether they are (1: outside).
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
_DEEPEST: Final = 50

#: By message and number of field, the message that the field holds.
_INSIDE: Final[Mapping[str, Mapping[int, str]]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}


def refers_outside(content: bytes) -> bool:
    """Return whether an ONNX model has weights in other files.

    Raises
    ------
    ValueError
        If ``content`` is no such message.
    """
    return _outside(memoryview(content), "model", 0)


def _outside(content: memoryview, message: str, depth: int) -> bool:
    if depth > _DEEPEST:
        raise ValueError("it is nested too deeply")
    inside = _INSIDE[message]
    for number, value in _fields(content):
        if message == "tensor" and (number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value != 0)):
            return True
        if number in inside:
            if not isinstance(value, memoryview):
                raise ValueError(f"field {number} of a {message} is no message")
            if _outside(value, inside[number], depth + 1):
                return True
    return False


def _fields(content: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield the number and value of each field of a message; of numbers with a fixed width the value is 0."""
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(content, at)
            yield number, value
            continue
        if kind == _LENGTH:
            size, at = _varint(content, at)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"a value of kind {kind}")
        if number == 0 or at + size > len(content):
            raise ValueError("a value that is longer than the file")
        yield number, content[at : at + size] if kind == _LENGTH else 0
        at += size


def _varint(content: memoryview, at: int) -> tuple[int, int]:
    """Return the number of variable length at ``at``, and where the next value begins."""
    value = 0
    for place in range(10):
        if at + place >= len(content):
            break
        byte = content[at + place]
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    raise ValueError("a number that does not end")
