"""A checkpoint of TensorFlow is read without TensorFlow, and what is damaged is refused in one line."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from models.tf_checkpoint import named, read_checkpoint
from rtaffect.common.errors import ArtifactError

MAGIC = 0xDB4775248B80FB57


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def block(entries: list[tuple[bytes, bytes]]) -> bytes:
    """A block of a table, its keys given by what they share with the one before."""
    out, last = b"", b""
    for key, value in entries:
        shared = next((n for n, (a, b) in enumerate(zip(key, last, strict=False)) if a != b), min(len(key), len(last)))
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        last = key
    return out + struct.pack("<II", 0, 1)


def entry(shape: tuple[int, ...], offset: int, size: int, kind: int = 1) -> bytes:
    dims = b"".join(b"\x12" + varint(len(d)) + d for d in (b"\x08" + varint(n) for n in shape))
    return (
        b"\x08"
        + varint(kind)
        + b"\x12"
        + varint(len(dims))
        + dims
        + b"\x20"
        + varint(offset)
        + b"\x28"
        + varint(size)
        + b"\x35"
        + b"\0\0\0\0"
    )


def checkpoint(variables: dict[str, np.ndarray]) -> tuple[bytes, bytes]:
    data, entries = b"", [(b"", b"\x08\x01")]
    for name, values in sorted(variables.items()):
        entries.append((name.encode(), entry(values.shape, len(data), values.nbytes)))
        data += values.astype("<f4").tobytes()
    # Two blocks of data, so that the index has several entries.
    table, handles = b"", []
    for part in (entries[:2], entries[2:]):
        content = block(part)
        handles.append((part[-1][0] + b"~", varint(len(table)) + varint(len(content))))
        table += content + b"\0" + b"\0\0\0\0"
    index = block(handles)
    footer = varint(0) + varint(0) + varint(len(table)) + varint(len(index))
    return table + index + b"\0\0\0\0\0" + footer.ljust(40, b"\0") + struct.pack("<Q", MAGIC), data


@pytest.fixture
def variables() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {f"conv/{n}/kernel": rng.normal(size=(n + 1, 200)).astype(np.float32) for n in range(4)}


def test_variables_come_back_with_their_names_and_shapes(variables: dict[str, np.ndarray]) -> None:
    found = read_checkpoint(*checkpoint(variables), "made up")
    assert list(found) == sorted(variables)
    for name, values in variables.items():
        np.testing.assert_array_equal(found[name], values)
    np.testing.assert_array_equal(named(found, "conv/2/kernel", (3, 200)), variables["conv/2/kernel"])
    with pytest.raises(ArtifactError, match=r"'conv/2/kernel' has the shape \(3, 200\); expected one of shape \(3,\)"):
        named(found, "conv/2/kernel", (3,))
    with pytest.raises(ArtifactError, match="'bias' is missing"):
        named(found, "bias", (3,))


def test_what_is_damaged_is_refused_or_read_and_never_raises_otherwise(variables: dict[str, np.ndarray]) -> None:
    table, data = checkpoint(variables)
    with pytest.raises(ArtifactError, match="made up: damaged, or no checkpoint"):
        read_checkpoint(table[:-1], data, "made up")
    with pytest.raises(ArtifactError, match="lies outside"):
        read_checkpoint(table, data[:-4], "made up")
    with pytest.raises(ArtifactError):
        read_checkpoint(b"", data, "made up")
    refused = 0
    for place in range(len(table)):
        for bit in (1, 128):
            changed = bytearray(table)
            changed[place] ^= bit
            try:
                read_checkpoint(bytes(changed), data, "made up")
            except ArtifactError:
                refused += 1
    assert refused > len(table) / 2
