"""Reads an XDF file, whole or damaged, into plain typed streams; interprets nothing."""

from __future__ import annotations

import io
import logging
import struct
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import ParseError

import numpy as np
import pyxdf
from numpy.typing import NDArray

from rtaffect.common.errors import RecordingError
from rtaffect.common.reading import json_content, path_problem, read_bytes
from rtaffect.common.words import size
from rtaffect.sources.clock_offsets import Segment
from rtaffect.sources.xdf_chunks import BOUNDARY, MAGIC, whole_chunks
from rtaffect.stream.source import StreamHeader

#: The stream in which a recording by rtaffect says where the others began anew, and its type.
SEGMENTS, SEGMENTS_TYPE = "rtaffect-segments", "Log"

#: A gzipped recording unpacks to no more than so many times its size, or so many bytes: EEG packs to a half or a third.
_MOST_UNPACKED, _LEAST_BYTES = 100, 64_000_000
#: How files begin that are given the ending of an XDF by mistake, and what they are.
_OTHERS: Final = (
    (b"PK\x03\x04", "a zip archive: unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it"),
    (b"Rar!", "a RAR archive: unpack it"),
    (b"BZh", "packed by bzip2: unpack it"),
    (b"\xfd7zXZ", "packed by xz: unpack it"),
    (b"\x28\xb5\x2f\xfd", "packed by zstd: unpack it"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the recording itself: get it by git lfs pull"),
    (b"<!DOCTYPE html", "a web page, as after a download that failed"),
    (b"<html", "a web page, as after a download that failed"),
    (b"<?xml", "XML"),
    (b"\x00\x00\x00\x64\x00\x00\x00\x1f", "a FIF file of MNE: give it the ending .fif, and a study takes it"),
    (b"0       ", "an EDF file: give it the ending .edf, and a study takes it"),
    (b"\xffBIOSEMI", "a BDF file: give it the ending .bdf, and a study takes it"),
    (b"Brain Vision", "a header of BrainVision: give it the ending .vhdr, and a study takes it"),
    (b"\x89HDF", "an HDF5 file, as Matlab writes since 7.3"),
    (b"MATLAB 5.0", "a file of Matlab"),
    (b"RIFF", "a RIFF file, as WAV sounds are"),
    (b"%PDF", "a PDF document"),
)
#: pyxdf (1.17) reads lengths into a buffer that all threads share: one file at a time, else all of them seem damaged.
PYXDF: Final = threading.Lock()
#: What pyxdf raises on a file whose chunks are complete but whose content is not as the format demands.
_PYXDF_ERRORS = (
    OSError, EOFError, struct.error, ParseError, LookupError, ValueError, TypeError, AttributeError, OverflowError,
    MemoryError, RuntimeError,
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class RecordedStream:
    """One stream as the file has it.

    ``number`` is that in the file. ``stamps`` (n,) float64 are s on the sender's clock; ``values`` (n, channels) have
    the file's own number type and are empty for text streams, whose ``texts`` (n,) are the first channel's; those of
    several channels have all of them in ``cells`` (n, channels).
    ``clock_times`` and ``clock_values`` (m,) float64 are s, see :mod:`rtaffect.sources.clock_offsets`. ``segments`` are
    the places where it began anew, None in recordings that do not say.
    """

    number: int
    header: StreamHeader
    stamps: NDArray[np.float64]
    values: NDArray[Any]
    clock_times: NDArray[np.float64]
    clock_values: NDArray[np.float64]
    texts: tuple[str, ...] = ()
    segments: tuple[Segment, ...] | None = None
    cells: tuple[tuple[str, ...], ...] = ()


def read_xdf(path: Path) -> tuple[list[RecordedStream], list[str]]:
    """Return the streams of an XDF file (gzipped or not) and what is wrong with it, one line each.

    Raises
    ------
    RecordingError
        If the file is missing, not an XDF, or holds no stream that can be read.
    """
    data, notes = _content(path)
    stop, cut_short = _complete(data)
    if cut_short:
        notes.append(
            f"recording {path} is cut short: the last piece is incomplete and only the {stop} bytes before it "
            f"of {len(data)} are used; the samples after that are lost"
        )
        data = data[:stop]
    try:
        streams, remarks = _parse(data, path)
    except RecordingError:
        if stop >= len(data):
            raise
        streams, remarks = _parse(data[:stop], path)
        notes.append(
            f"recording {path} is damaged: only the {stop} bytes before the damage of {len(data)} are used; the "
            "samples after that are lost"
        )
    notes += [f"recording {path}: {remark}" for remark in remarks]
    if not streams and remarks:
        raise RecordingError(
            f"recording {path} is damaged ({remarks[0]}) and holds no stream that can be read; expected an XDF file as "
            "LabRecorder writes it. Copy it again from the computer that recorded it."
        )
    if not streams:
        raise RecordingError(
            f"recording {path} holds no stream; expected at least one. Record again with the streams selected "
            "in LabRecorder."
        )
    return streams, notes


def _content(path: Path) -> tuple[bytes, list[str]]:
    if not path_problem(path) and not path.exists():
        raise RecordingError(f"recording {path} does not exist; expected an XDF file. Check the path.")
    try:
        data, notes = read_bytes(path, None), list[str]()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise RecordingError(
            f"recording {path} cannot be read ({reason}); expected a readable XDF file. Check the path and its "
            "permissions."
        ) from error
    if data[:2] == b"\x1f\x8b":
        unpacker, most = zlib.decompressobj(wbits=31), max(_LEAST_BYTES, _MOST_UNPACKED * len(data))
        try:
            data = unpacker.decompress(data, most)
        except zlib.error as error:
            raise RecordingError(
                f"recording {path} is gzip but damaged ({error}); expected a gzipped XDF file. Copy it again."
            ) from error
        if len(data) == most:
            raise RecordingError(
                f"recording {path} unpacks to more than {size(most)}, which no recording of its size does; expected a "
                "gzipped XDF file. Copy it again."
            )
        if not unpacker.eof:
            notes.append(f"recording {path} is cut short: its compression does not end")
    if data[:4] != MAGIC:
        raise RecordingError(
            f"recording {path} is {_what(data)}; expected an XDF file, which starts with {MAGIC!r}. Name a file that "
            "LabRecorder or rtaffect wrote."
        )
    return data, notes


def _what(data: bytes) -> str:
    """Return in words what a file that is no XDF seems to be."""
    if not data:
        return "empty"
    for begins, what in _OTHERS:
        if data.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(begins) or data.startswith(begins):
            return what
    return f"no XDF file: it starts with {data[:4]!r}"


def _complete(data: bytes) -> tuple[int, bool]:
    """Walk the chunks (length, tag, content): return how many bytes are whole ones, and whether the last is cut short.

    Damage in the middle is not a cut: then boundary chunks follow, from which pyxdf finds its way again.
    """
    at = len(MAGIC)
    while at < len(data):
        width = data[at]
        length = int.from_bytes(data[at + 1 : at + 1 + width], "little")
        end = at + 1 + width + length
        if width not in (1, 4, 8) or length < 2:
            return at, False
        if end > len(data):
            return at, data.find(BOUNDARY, at) < 0
        at = end
    return at, False


def _parse(data: bytes, path: Path) -> tuple[list[RecordedStream], list[str]]:
    data, damage = whole_chunks(data)
    with PYXDF, _pyxdf_remarks() as remarks, np.errstate(all="ignore"):
        remarks.extend(damage)
        try:
            found, _ = pyxdf.load_xdf(io.BytesIO(data), synchronize_clocks=False, dejitter_timestamps=False)
            # Numbers of samples are only good where none is missing.
            marked = None if remarks else _segments(found, remarks)
            found = [each for each in found if not _is_segments(each)]
            streams = [_stream(each, marked) for each in found]
        except _PYXDF_ERRORS as error:
            raise RecordingError(
                f"recording {path} is damaged ({' '.join(str(error).split()) or type(error).__name__}); expected an "
                "XDF file as LabRecorder writes it. Copy it again from the computer that recorded it."
            ) from error
    for each, stream in zip(found, streams, strict=True):
        if lost := len(each["time_stamps"]) - len(stream.stamps):
            remarks.append(
                f"stream {stream.header.name!r}: {lost} samples whose stamps are no finite numbers are left out"
            )
    return streams, remarks


@contextmanager
def _pyxdf_remarks() -> Iterator[list[str]]:
    """Collect what pyxdf logs as a warning or worse, and keep it off the terminal."""
    remarks: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            remark = " ".join(record.getMessage().split())
            if remark not in remarks:
                remarks.append(remark)

    logger, collector = logging.getLogger("pyxdf"), Collector(logging.WARNING)
    propagated, logger.propagate = logger.propagate, False
    logger.addHandler(collector)
    try:
        yield remarks
    finally:
        logger.removeHandler(collector)
        logger.propagate = propagated


def _is_segments(found: dict[str, Any]) -> bool:
    info = found["info"]
    return (_text(info, "name"), _text(info, "type"), _text(info, "channel_format")) == (
        SEGMENTS, SEGMENTS_TYPE, "string"
    )  # fmt: skip


def _segments(found: Sequence[dict[str, Any]], remarks: list[str]) -> dict[int, list[Segment]] | None:
    """Return the segments of each stream by its number, None where the recording does not say."""
    logs = [each for each in found if _is_segments(each)]
    if not logs:
        return None
    marked: dict[int, list[Segment]] = {}
    try:
        for (line,) in logs[0]["time_series"]:
            mark = json_content(line)
            clock = None if mark["clock"] is None else int(mark["clock"])
            marked.setdefault(int(mark["stream_id"]), []).append(Segment(int(mark["sample"]), clock))
    except (ValueError, LookupError, TypeError, OverflowError):
        remarks.append(f"stream {SEGMENTS!r} is damaged: where others began anew is found by their stamps")
        return None
    return marked


def _stream(found: dict[str, Any], marked: dict[int, list[Segment]] | None) -> RecordedStream:
    info, number = found["info"], int(found["info"]["stream_id"])
    header = StreamHeader(
        _text(info, "name"), _text(info, "type"), float(_text(info, "nominal_srate")), _text(info, "channel_format"),
        ("",) * int(_text(info, "channel_count")), source_id=_text(info, "source_id"), host=_text(info, "hostname"),
        maker=_maker(info),
    ).described(_described_channels(info))  # fmt: skip
    text = header.format == "string"
    stamps, clock = np.asarray(found["time_stamps"], np.float64), _clock_offsets(found)
    finite = np.isfinite(stamps)
    return RecordedStream(
        number=number,
        header=header,
        stamps=stamps[finite],
        values=np.empty((int(finite.sum()), 0)) if text else np.asarray(found["time_series"])[finite],
        clock_times=clock[:, 0],
        clock_values=clock[:, 1],
        texts=_texts(found["time_series"], finite) if text else (),
        cells=_cells(found["time_series"], finite) if text and header.channels > 1 else (),
        segments=None if marked is None else tuple(_within(s, finite, len(clock)) for s in marked.get(number, ())),
    )


def _within(segment: Segment, finite: NDArray[np.bool_], measurements: int) -> Segment:
    """Return ``segment`` among the samples that are ``finite`` (n,), and in a damaged file among those there are."""
    clock = None if segment.clock is None else min(segment.clock, measurements)
    return Segment(int(np.count_nonzero(finite[: max(segment.sample, 0)])), clock)


def _texts(samples: Sequence[Sequence[str]], finite: NDArray[np.bool_]) -> tuple[str, ...]:
    """Return the first channel's text of the samples that are ``finite`` (n,)."""
    return tuple("".join(sample[:1]) for sample, used in zip(samples, finite, strict=True) if used)


def _cells(samples: Sequence[Sequence[str]], finite: NDArray[np.bool_]) -> tuple[tuple[str, ...], ...]:
    """Return all channels' texts of the samples that are ``finite`` (n,)."""
    return tuple(tuple(sample) for sample, used in zip(samples, finite, strict=True) if used)


def _clock_offsets(found: dict[str, Any]) -> NDArray[np.float64]:
    """Return the times and values (m, 2) of the measurements that are finite, s."""
    clock = np.column_stack([found["clock_times"], found["clock_values"]]).astype(np.float64)
    return clock[np.isfinite(clock).all(axis=1)]


def _described_channels(info: Any) -> list[dict[str, str]]:
    """Return label, unit and type of each channel that the description has."""
    node = info
    for key in ("desc", "channels"):
        inside = node.get(key) if isinstance(node, dict) else None
        node = inside[0] if inside else None
    channels = (node.get("channel") or []) if isinstance(node, dict) else []
    # Some programs name a channel under another key (Mentalab's).
    said = [{key: _text(each, key) for key in ("label", "unit", "type", "name")} for each in channels]
    return [each | {"label": each["label"] or each["name"]} for each in said]


def _maker(info: Any) -> str:
    """Return who makes the device by its description, '' where that is not said."""
    described = info.get("desc")
    node = described[0] if described else None
    acquisition = node.get("acquisition") if isinstance(node, dict) else None
    return _text(node, "manufacturer") or _text(acquisition[0] if acquisition else None, "manufacturer")


def _text(node: Any, key: str) -> str:
    """Return the text of the element ``key``, '' where there is none."""
    inside = node.get(key) if isinstance(node, dict) else None
    return inside[0] if inside and isinstance(inside[0], str) else ""
