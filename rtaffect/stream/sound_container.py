"""Where the samples are in a sound file, whatever its header says of their length: WAV, AIFF, AU, W64, CAF, OGG, FLAC.

A program that streams its sound, or ended early, leaves a length of 0, or one that stands for 'not known'; a file that
was copied in part says more than there is. Layouts: Microsoft, *Multiple Channel Audio Data and WAVE Files*; EBU Tech
3306 (RF64); Apple, *AIFF-C* and *Core Audio Format*; Sun, *.au*; Sonic Foundry, *Wave 64*; RFC 3533 (OGG pages);
RFC 9639 (FLAC).
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from rtaffect.stream.spliced_file import Stretch, patched

#: Lengths that stand for one that is not known; some programs round theirs to a block.
_UNKNOWN: Final = ((0x7FFFF000, 0x80001000), (0xFFFFF000, 0x100000000), (1 << 63, 1 << 64))
_W64: Final = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"


class _Form(NamedTuple):
    """A container of chunks: where they begin, how a chunk's head is laid out, and which of them holds the samples."""

    begin: int
    name: int
    length: struct.Struct
    samples: bytes
    #: Whether a chunk's length is that of its head too, and to how many bytes chunks are filled up.
    with_head: bool = False
    filled: int = 2


_LITTLE, _BIG = struct.Struct("<I"), struct.Struct(">I")
_FORMS: Final = {
    b"RIFF": _Form(12, 4, _LITTLE, b"data"),
    b"RIFX": _Form(12, 4, _BIG, b"data"),
    b"RF64": _Form(12, 4, _LITTLE, b"data"),
    b"FORM": _Form(12, 4, _BIG, b"SSND"),
    b"caff": _Form(8, 4, struct.Struct(">Q"), b"data", filled=1),
    b"riff": _Form(40, 16, struct.Struct("<Q"), b"data", with_head=True, filled=8),
}


@dataclass(frozen=True, slots=True)
class Contained:
    """What a sound file holds.

    ``parts`` are to be decoded one after another, each as stretches of the file; empty for the file as it is.
    ``share`` is how much of what the header says is there, 1 for all of it; ``said`` how many samples it says, where it
    counts them.
    """

    parts: tuple[list[Stretch], ...] = ()
    share: float = 1.0
    said: int | None = None
    notes: tuple[str, ...] = ()


def contained(path: Path) -> Contained:
    """Return what a sound file holds; nothing of note for formats that are not looked into."""
    size = path.stat().st_size
    if size < 44:
        return Contained()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        magic = data[:4]
        if magic == b"OggS":
            return _ogg(path.name, data)
        if magic == b"fLaC":
            return _flac(path.name, data)
        if magic in (b".snd", b"dns."):
            return _au(data, _BIG if magic == b".snd" else _LITTLE)
        form = _FORMS.get(magic)
        if form is None or (magic == b"riff" and data[:16] != _W64):
            return Contained()
        return _chunks(path.name, data, form)


def _is_unknown(length: int) -> bool:
    return any(low <= length < high for low, high in _UNKNOWN)


def _chunks(name: str, data: mmap.mmap, form: _Form) -> Contained:
    """Look for the chunk of the samples, and mend its length where the file has fewer bytes, or it is not known."""
    at = form.begin
    head = form.name + form.length.size
    long = _ds64(data) if data[:4] == b"RF64" else None
    while at + head <= len(data):
        said = length = int(form.length.unpack_from(data, at + form.name)[0])
        here = data[at : at + len(form.samples)] == form.samples
        if here and long is not None and length == 0xFFFFFFFF:
            said = length = long[1]
        if form.with_head:
            length = max(0, length - head)
        there = len(data) - at - head
        if here:
            place, width = at + form.name, form.length
            if long is not None and said == long[1]:
                place, width = long[0], struct.Struct("<Q")
            return _samples(name, data, form, _Samples(place, width, at + head, length, there, _is_unknown(said)))
        at += head + length + -length % form.filled
    return Contained()


def _ds64(data: mmap.mmap) -> tuple[int, int] | None:
    """Return where RF64 says the length of its samples, and that length."""
    return (28, int(struct.unpack_from("<Q", data, 28)[0])) if data[12:16] == b"ds64" else None


class _Samples(NamedTuple):
    """Where and how the length of the samples is written, where they begin, how many bytes are said, and can be."""

    place: int
    width: struct.Struct
    begin: int
    length: int
    there: int
    unknown: bool


def _samples(name: str, data: mmap.mmap, form: _Form, found: _Samples) -> Contained:
    length, there = found.length, found.there
    streamed = found.unknown or (length == 0 and there > 0 and not _chunk_follows(data, found.begin, form))
    if not streamed and length <= there:
        return _whole(name, data, form, found.begin + length)
    held = there + (form.name + form.length.size if form.with_head else 0)
    most = 256**found.width.size - 1
    part = patched(len(data), {found.place: found.width.pack(min(held, most))})
    return Contained((part,), 1.0 if streamed or not length else there / length)


def _chunk_follows(data: mmap.mmap, at: int, form: _Form) -> bool:
    """Return whether a chunk stands at a place: a name in letters, and a length that fits into the file."""
    name = data[at : at + 4]
    if len(name) < 4 or not all(32 <= byte < 127 for byte in name):
        return False
    if at + form.name + form.length.size > len(data):
        return False
    return int(form.length.unpack_from(data, at + form.name)[0]) <= len(data) - at


def _whole(name: str, data: mmap.mmap, form: _Form, end: int) -> Contained:
    """Say what follows samples that are all there: another sound, or more than the header knows of."""
    end += -end % form.filled
    if data[end : end + 4] == data[:4] and end + form.begin < len(data):
        note = f"{name} holds another sound after its first; players take the first, which is used: export them as one"
        return Contained(([(0, end)],), notes=(note,))
    rest = len(data) - end
    # What follows would be taken for sound.
    parts: tuple[list[Stretch], ...] = ([(0, end)],) if form.with_head and rest > 0 else ()
    if rest > max(4096, len(data) // 20) and not _chunk_follows(data, end, form):
        note = (
            f"{name} has {rest} bytes after the end of its sound as its header has it; they are not used: export it "
            "again if it should be longer"
        )
        return Contained(parts, notes=(note,))
    return Contained(parts)


def _au(data: mmap.mmap, word: struct.Struct) -> Contained:
    begin, length = word.unpack_from(data, 4)[0], word.unpack_from(data, 8)[0]
    there = len(data) - begin
    return Contained(share=there / length if 0 < there < length and not _is_unknown(length) else 1.0)


def _flac(name: str, data: mmap.mmap) -> Contained:
    """Take the count of samples out of the header: without one, FLAC is read to its end."""
    said = (data[21] & 0x0F) << 32 | int(_BIG.unpack_from(data, 22)[0])
    again = data.find(b"fLaC\0\0\0\x22", 42)
    note = f"{name} holds another sound after its first; players take the first, which is used: export them as one"
    part = patched(again if again > 0 else len(data), {21: bytes([data[21] & 0xF0, 0, 0, 0, 0])})
    return Contained((part,), said=said or None, notes=(note,) if again > 0 else ())


def _ogg(name: str, data: mmap.mmap) -> Contained:
    """Part an OGG file where a sound ends and another begins (chained), and see whether the last is whole."""
    at, begins, was_begin, ended = 0, [0], True, False
    while at >= 0 and at + 27 <= len(data):
        if data[at : at + 4] != b"OggS":
            at = data.find(b"OggS", at)
            continue
        is_begin, segments = bool(data[at + 5] & 2), data[at + 26]
        if is_begin and not was_begin:
            begins.append(at)
        was_begin, ended = is_begin, bool(data[at + 5] & 4)
        at += 27 + segments + sum(data[at + 27 : at + 27 + segments])
    notes = []
    if len(begins) > 1:
        notes.append(f"{name} holds {len(begins)} sounds one after another; all are used, joined")
    if not ended or at > len(data):
        text = "ends without the mark of its end, as when it is cut short: copy it again if it should be longer"
        notes.append(f"{name} {text}")
    parts: list[list[Stretch]] = [[(begin, end)] for begin, end in zip(begins, [*begins[1:], len(data)], strict=True)]
    return Contained(tuple(parts) if len(parts) > 1 else (), notes=tuple(notes))
