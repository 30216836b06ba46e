"""The frames of an MP3 file: how many there are, whatever its header says, and a stream with a header that is right.

What decodes MP3 believes the header's count of frames, and without one guesses it from the first frame's bit rate. So
a file that is broken off, joined of two, or of a varying bit rate without a header would be read short, or with what
is not there. Here the frames are followed one by one. Formats: ISO/IEC 11172-3 and 13818-3 (frames); Gabriel Bouvigne,
*MP3 Infotag*, for the header called Xing or Info and LAME's delay and padding in it.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from rtaffect.common.errors import SoundError
from rtaffect.stream.spliced_file import Stretch

#: kbit/s of layer III, by the index in the frame's header; 0 is free.
_KBITS_1: Final = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBITS_2: Final = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES: Final = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
#: A first frame is looked for in so many bytes, beyond tags.
_SEARCHED: Final = 1 << 16
#: So many frames in a row are no accident.
_IN_A_ROW: Final = 4
#: Index of a bit rate whose frames have room for a header.
_ROOMY: Final = {3: 9, 2: 9, 0: 8}
_HAS_COUNT, _HAS_BYTES = 1, 2
#: What may stand in a header, by its flags, and how long it is; LAME's part follows, with the delays in its middle.
_FIELDS: Final = ((_HAS_COUNT, 4), (_HAS_BYTES, 4), (4, 100), (8, 4))
_LAME_DELAYS: Final = 21
#: What a decoder of layer III delays by, samples.
_DECODER: Final = 529


class _Kind(NamedTuple):
    """What all frames of a sound have in common."""

    version: int
    rate: int
    mono: bool

    @property
    def samples(self) -> int:
        return 1152 if self.version == 3 else 576

    @property
    def side(self) -> int:
        """Bytes between a frame's header and its content."""
        return (17 if self.mono else 32) if self.version == 3 else (9 if self.mono else 17)


class _Frame(NamedTuple):
    kind: _Kind
    length: int


@dataclass(frozen=True, slots=True)
class Mp3Frames:
    """What an MP3 file holds.

    ``stretches`` are to be decoded, None for the file as it is; ``said`` is how many samples its header says, None if
    it says nothing; ``notes`` is what is to be known beside that.
    """

    stretches: list[Stretch] | None
    said: int | None
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Walk:
    """Where the frames are, and what else was met."""

    kind: _Kind
    first: int
    head: bytes
    stretches: list[tuple[int, int]]
    frames: int = 0
    left_out: int = 0
    cut: bool = False
    other_at: int | None = None


def follow_frames(path: Path) -> Mp3Frames | None:
    """Return what an MP3 file holds; None if it is none, or of another layer.

    Raises
    ------
    SoundError
        If its rate or its number of channels changes within.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        first = _first_frame(data)
        if first is None:
            return None
        walk = _walk(data, *first)
        if walk.other_at is not None:
            at = walk.frames * walk.kind.samples / walk.kind.rate
            raise SoundError(
                f"{path}: its sound changes its rate or its number of channels at {at:.1f} s; expected one of each: "
                "convert it to WAV"
            )
        return _described(path.name, data, walk) if walk.stretches else None


def _frame(data: mmap.mmap, at: int) -> _Frame | None:
    """Return the frame of layer III whose header is at a place, None if there is none."""
    head = data[at : at + 4]
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return None
    version, index, rate = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or index in (0, 15) or rate == 3:
        return None
    kind = _Kind(version, _RATES[version][rate], head[3] >> 6 == 3)
    return _Frame(kind, _length(kind, head[2]))


def _length(kind: _Kind, third: int) -> int:
    """Return how long a frame is, bytes, by the third byte of its header."""
    kbits = (_KBITS_1 if kind.version == 3 else _KBITS_2)[third >> 4]
    return kind.samples // 8 * kbits * 1000 // kind.rate + (third >> 1 & 1)


def _row(data: mmap.mmap, at: int, kind: _Kind | None = None) -> _Frame | None:
    """Return the frame at a place if others of its kind follow it, or nothing does."""
    first = _frame(data, at)
    if first is None or (kind is not None and first.kind != kind):
        return None
    for _ in range(_IN_A_ROW - 1):
        at += each.length if (each := _frame(data, at)) else 0
        following = _frame(data, at)
        if following is None or following.kind != first.kind:
            return first if at >= len(data) - 4 or _tag(data, at) else None
    return first


def _tag(data: mmap.mmap, at: int) -> int:
    """Return how long what stands at a place, and is a tag and no sound, is; 0 if it is none."""
    head = data[at : at + 32]
    if head[:3] == b"ID3" and len(head) >= 10:
        size = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(reversed(head[6:10])))
        return 10 + size + (10 if head[5] & 0x10 else 0)
    if head[:3] == b"TAG":
        return 128
    if head[:8] == b"APETAGEX" and len(head) == 32:
        size, flags = struct.unpack_from("<I", head, 12)[0], struct.unpack_from("<I", head, 20)[0]
        return int(size) + 32 if flags & 0x20000000 else 32
    return 0


def _first_frame(data: mmap.mmap) -> tuple[int, _Frame] | None:
    at = 0
    while length := _tag(data, at):
        at += length
    for place in range(at, min(at + _SEARCHED, len(data))):
        if data[place] == 0xFF and (found := _row(data, place)):
            return place, found
    return None


def _walk(data: mmap.mmap, at: int, first: _Frame) -> _Walk:
    walk = _Walk(first.kind, at, data[at : at + 4], [])
    begin = at
    while at < len(data):
        frame = _frame(data, at)
        if frame is not None and frame.kind == walk.kind:
            if at + frame.length > len(data):
                walk.cut = True
                break
            walk.frames, at = walk.frames + 1, at + frame.length
            continue
        _append(walk.stretches, begin, at)
        if frame is not None and _row(data, at) is not None:
            walk.other_at = at
            return walk
        at = begin = _resume(data, at, walk)
    _append(walk.stretches, begin, at)
    return walk


def _append(stretches: list[tuple[int, int]], begin: int, stop: int) -> None:
    if stop > begin:
        stretches.append((begin, stop))


def _resume(data: mmap.mmap, at: int, walk: _Walk) -> int:
    """Return where frames go on after a place at which there is none; what is between is a tag, or left out."""
    while length := _tag(data, at):
        at += length
    start, place = at, data.find(b"\xff", at)
    while place >= 0:
        if _row(data, place, walk.kind) is not None:
            walk.left_out += place - start
            return place
        place = data.find(b"\xff", place + 1)
    return len(data)


def _described(name: str, data: mmap.mmap, walk: _Walk) -> Mp3Frames:
    """Return the stream with a header that has the true count, and what is to be known of it."""
    header, said = _header(data, walk)
    count = walk.frames - (1 if header is not None else 0)
    notes = []
    if walk.cut and (said is None or said <= count):
        notes.append(f"{name} ends within a frame, as when it is cut short: copy it again if it should be longer")
    if walk.left_out:
        notes.append(
            f"{name}: {walk.left_out} bytes within are no sound and are left out; what follows may be displaced: copy "
            "it again"
        )
    samples = None
    if header is not None and said is not None:
        samples = said * walk.kind.samples - sum(_delays(header, 4 + walk.kind.side))
    if said == count and len(walk.stretches) == 1:
        return Mp3Frames(None, samples, tuple(notes))
    begin, stop = walk.stretches[0]
    first = (begin + len(header or b""), stop)
    return Mp3Frames([_right_header(walk, header, count, said), first, *walk.stretches[1:]], samples, tuple(notes))


def _header(data: mmap.mmap, walk: _Walk) -> tuple[bytes | None, int | None]:
    """Return the first frame, if it is a header and no sound, and the count of frames that it says."""
    frame = data[walk.first : walk.first + _length(walk.kind, walk.head[2])]
    at = 4 + walk.kind.side
    if len(frame) < at + 16:
        return None, None
    if _counts(frame, at):
        flags, count = struct.unpack_from(">II", frame, at + 4)
        return frame, count if flags & _HAS_COUNT else None
    # The header of Fraunhofer's encoder.
    if frame[36:40] == b"VBRI" and len(frame) >= 54:
        return frame, int(struct.unpack_from(">I", frame, 50)[0])
    return None, None


def _counts(frame: bytes, at: int) -> bool:
    return frame[at : at + 4] in (b"Xing", b"Info")


def _lame(header: bytes, at: int) -> int:
    """Return where LAME's delay and padding, 12 bits each, are in a header whose name is at ``at``; 0 if nowhere."""
    flags = struct.unpack_from(">I", header, at + 4)[0]
    place = int(at + 8 + sum(length for flag, length in _FIELDS if flags & flag))
    known = header[place : place + 4] in (b"LAME", b"Lavf", b"Lavc", b"L3.9", b"GOGO")
    return place + _LAME_DELAYS if known and place + _LAME_DELAYS + 3 <= len(header) else 0


def _delays(header: bytes, at: int) -> tuple[int, int]:
    """Return how many samples are put before and after a sound, by its header."""
    if not _counts(header, at) or not (place := _lame(header, at)):
        return 0, 0
    packed = int.from_bytes(header[place : place + 3], "big")
    return packed >> 12, packed & 0xFFF


def _right_header(walk: _Walk, header: bytes | None, count: int, said: int | None) -> bytes:
    """Return a header with this count of frames: the file's own where it has such a count, else a new one."""
    at = 4 + walk.kind.side
    flags = struct.unpack_from(">I", header, at + 4)[0] if header is not None and _counts(header, at) else 0
    if header is None or not flags & _HAS_COUNT:
        return _new_header(walk, count)
    right = bytearray(header)
    struct.pack_into(">I", right, at + 8, count)
    if flags & _HAS_BYTES:
        struct.pack_into(">I", right, at + 12, sum(stop - begin for begin, stop in walk.stretches))
    # What the last frame held beyond the sound is not known of another last frame; the delay at the begin is.
    if said != count and (place := _lame(header, at)):
        right[place + 1 : place + 3] = bytes([right[place + 1] & 0xF0, 0])
    return bytes(right)


def _new_header(walk: _Walk, count: int) -> bytes:
    """Return a header after which no sample is taken away, as players do with files that have none.

    Decoders take away their own delay where there is a header; so a silent frame of just that length goes first.
    """
    head = bytearray(walk.head)
    # No checksum, no padding, and room.
    head[1] |= 1
    head[2] = _ROOMY[walk.kind.version] << 4 | head[2] & 0x0C
    silent = bytes(head).ljust(_length(walk.kind, head[2]), b"\0")
    frame, at = bytearray(silent), 4 + walk.kind.side
    struct.pack_into(">4sII9s", frame, at, b"Info", _HAS_COUNT, count + 1, b"LAME3.100")
    frame[at + 12 + _LAME_DELAYS : at + 15 + _LAME_DELAYS] = (walk.kind.samples - _DECODER << 12).to_bytes(3, "big")
    return bytes(frame) + silent
