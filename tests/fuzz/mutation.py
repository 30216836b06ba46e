"""Damages a file, by a seeded dice: bits, sizes, texts, numbers, nesting; the same dice does the same damage."""

from __future__ import annotations

import gzip
import random
import re
import struct
import zlib
from collections.abc import Callable

Mutation = Callable[[bytes, random.Random], bytes]

#: What stands in place of a number or word of a text.
NASTY = (
    b"nan", b"-nan", b"inf", b"-inf", b"-1", b"0", b"-0", b"1e12", b"1e308", b"1e400", b"-1e308", b"4000000000", b"4e9",
    b"9223372036854775807", b"18446744073709551616", b"9" * 40, b"9" * 5000, b"0.1e-320", b"1_000", b"0x7fffffff",
    b"", b" ", b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b"A" * 300, b"A" * 70_000,
    b"../../etc/passwd", b"1.5",
    b"/dev/zero", b"/dev/stdin", b"/proc/self/mem", b".", b"true", b"null", b"{}", b"[]", b"[[]]", b'""', b"1979-05-27",
    b"\xd9\xa1", b"\xc2\xb2", b"\t", b"\n", b"\r", b"\x1b[2J", b"%s%n", b"&#x0;", b"<a>", b"]]>", b"n/a", b"Infinity",
)  # fmt: skip
_SIZES = (0, 1, 2, 127, 128, 255, 256, 65_535, 65_536, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 4_000_000_000, 2**40, 2**63)
_FLOATS = (0.0, -1.0, float("nan"), float("inf"), -float("inf"), 1e12, 1e300, -1e300, 1e-300, 5e-324)
_TOKEN = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|[A-Za-z_][A-Za-z0-9_.-]*")
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_STRING = re.compile(rb'"[^"\n]*"')
#: No damaged file grows beyond this, bytes.
MOST_BYTES = 4_000_000


def flip(data: bytes, dice: random.Random) -> bytes:
    """Flip one to eight bits."""
    out = bytearray(data)
    for _ in range(dice.randint(1, 8) if out else 0):
        out[dice.randrange(len(out))] ^= 1 << dice.randrange(8)
    return bytes(out)


def truncate(data: bytes, dice: random.Random) -> bytes:
    """Leave off the end, or the begin."""
    at = dice.randint(0, len(data))
    return data[:at] if dice.random() < 0.85 else data[at:]


def splice(data: bytes, dice: random.Random) -> bytes:
    """Put a piece of the file somewhere else, over what is there or between."""
    if not data:
        return data
    start = dice.randrange(len(data))
    piece = data[start : start + dice.choice((1, 4, 16, 256, 4096))]
    at = dice.randint(0, len(data))
    return data[:at] + piece + data[at + (len(piece) if dice.random() < 0.5 else 0) :]


def cut(data: bytes, dice: random.Random) -> bytes:
    """Take a piece out."""
    at = dice.randint(0, len(data))
    return data[:at] + data[at + dice.choice((1, 2, 4, 8, 64, 1024)) :]


def fill(data: bytes, dice: random.Random) -> bytes:
    """Overwrite a piece with one byte."""
    at, size = dice.randint(0, len(data)), dice.choice((1, 4, 8, 64, 1024))
    return data[:at] + bytes([dice.choice((0, 255, 32, 9, 10, 65))]) * len(data[at : at + size]) + data[at + size :]


def size_field(data: bytes, dice: random.Random) -> bytes:
    """Write a telling whole or floating-point number over some bytes, mostly near the begin, where headers are."""
    if not data:
        return data
    at = dice.randrange(min(len(data), dice.choice((16, 64, 512, 1 << 30))))
    width = dice.choice((1, 2, 4, 8))
    if width == 8 and dice.random() < 0.4:
        written = struct.pack(dice.choice("<>") + "d", dice.choice(_FLOATS))
    else:
        written = (dice.choice(_SIZES) % 256**width).to_bytes(width, dice.choice(("little", "big")))
    return data[:at] + written + data[at + width :]


def _replace(data: bytes, dice: random.Random, pattern: re.Pattern[bytes], new: bytes) -> bytes:
    # In large files only a stretch is looked at: it is found again and again.
    start = dice.randrange(max(1, len(data) - 20_000))
    start = 0 if dice.random() < 0.5 else start
    found = list(pattern.finditer(data, start, start + 20_000))
    if not found:
        return data
    hit = dice.choice(found)
    return data[: hit.start()] + new + data[hit.end() :]


def token(data: bytes, dice: random.Random) -> bytes:
    """Put something nasty in place of a word or number."""
    return _replace(data, dice, _TOKEN if dice.random() < 0.5 else _NUMBER, dice.choice(NASTY))


def text(data: bytes, dice: random.Random) -> bytes:
    """Put something nasty in place of what stands between quotes, or something without quotes."""
    new = dice.choice(NASTY)
    return _replace(data, dice, _STRING, new if dice.random() < 0.3 else b'"' + new + b'"')


def nest(data: bytes, dice: random.Random) -> bytes:
    """Nest a value so deeply that a parser that calls itself runs out of stack."""
    depth = dice.choice((3, 60, 1000, 20_000, 200_000))
    opened, closed = dice.choice(((b"[", b"]"), (b'{"a":', b"}"), (b"<a>", b"</a>"), (b"{a=", b"}")))
    return _replace(data, dice, _TOKEN, opened * depth + b"1" + (closed * depth if dice.random() < 0.7 else b""))


def line(data: bytes, dice: random.Random) -> bytes:
    """Leave out, repeat, move or widen a line."""
    lines = data.split(b"\n")
    at = dice.randrange(len(lines))
    kind = dice.randrange(5)
    if kind == 0:
        del lines[at]
    elif kind == 1:
        lines[at:at] = [lines[at]] * dice.choice((1, 2, 500))
    elif kind == 2:
        lines.insert(dice.randint(0, len(lines)), lines.pop(at))
    elif kind == 3:
        lines[at] += dice.choice((b"\t", b"\tx", b",", b";")) * dice.choice((1, 3, 1000))
    else:
        lines[at] = lines[at].replace(dice.choice((b"\t", b"=", b":", b",")), b"", 1)
    return b"\n".join(lines)


def cell(data: bytes, dice: random.Random) -> bytes:
    """Put something nasty into one cell of a table, mostly a number."""
    lines = data.split(b"\n")
    at = dice.randrange(len(lines))
    cells = lines[at].split(b"\t")
    cells[dice.randrange(len(cells))] = dice.choice(NASTY[:24] if dice.random() < 0.7 else NASTY)
    lines[at] = b"\t".join(cells)
    return b"\n".join(lines)


def bomb(_: bytes, dice: random.Random) -> bytes:
    """Return a gzip of very many equal bytes, after what may be a magic number."""
    packer = zlib.compressobj(9, wbits=31)
    parts = [packer.compress(dice.choice((b"XDF:", b"", b"OggS", b"\0")))]
    block = bytes([dice.choice((0, 1, 32, 255))]) * (1 << 20)
    parts += [packer.compress(block) for _ in range(dice.choice((64, 512)))]
    return b"".join([*parts, packer.flush()])


def packed(data: bytes, _: random.Random) -> bytes:
    """Return the file gzipped."""
    return gzip.compress(data, 1)


def chunk_of_xdf(data: bytes, dice: random.Random) -> bytes:
    """Damage the content of one chunk of an XDF file and give it its right length again."""
    places, at = [], 4
    while at < len(data) and data[at] in (1, 4, 8):
        length = int.from_bytes(data[at + 1 : at + 1 + data[at]], "little")
        places.append((at, at + 1 + data[at], at + 1 + data[at] + length))
        at = places[-1][2]
    if not places:
        return data
    begin, inside, end = dice.choice(places if dice.random() < 0.5 else places[:8])
    content = dice.choice((token, text, flip, size_field, cut, fill, nest, truncate))(data[inside:end], dice)
    return data[:begin] + b"\x04" + len(content).to_bytes(4, "little") + content + data[end:]


_BYTES: tuple[Mutation, ...] = (flip, truncate, splice, cut, fill, size_field, size_field)
_TEXTS: tuple[Mutation, ...] = (token, token, token, text, text, line, line, nest, flip, truncate, cut, fill)
_OF_SUFFIX: dict[str, tuple[Mutation, ...]] = {
    ".xdf": (*_BYTES, *(chunk_of_xdf,) * 8, packed),
    ".tsv": (cell, cell, cell, cell, *_TEXTS),
    ".csv": _TEXTS,
    ".toml": _TEXTS,
    ".json": _TEXTS,
    ".xml": _TEXTS,
    ".vhdr": _TEXTS,
    ".vmrk": _TEXTS,
    ".log": _TEXTS,
    ".txt": _TEXTS,
    ".safetensors": (*_BYTES, token, text, nest),
}


def damaged(data: bytes, suffix: str, dice: random.Random) -> bytes:
    """Return ``data`` of a file with that ending after one to four kinds of damage."""
    if dice.random() < 0.003:
        return bomb(data, dice)
    kinds = _OF_SUFFIX.get(suffix, (*_BYTES, token))
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        data = dice.choice(kinds)(data, dice)[:MOST_BYTES]
    return data
