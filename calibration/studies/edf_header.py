"""What an EDF or BDF file says of its channels, and when its records began, which mne does not tell.

The fields are those of Kemp et al., *Electroencephalography and Clinical Neurophysiology* 82, 1992, and of EDF+ (2003).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from rtaffect.common.errors import RecordingError

_FIXED, _CHANNEL = 256, 256
#: Where a channel's fields lie, as (offset, width) in bytes per channel.
_LABEL, _UNIT, _SAMPLES = (0, 16), (96, 8), (216, 8)
_ANNOTATIONS: Final = ("EDF Annotations", "BDF Annotations")
#: When a record began, s: what its first list of annotations begins with.
_BEGUN: Final = re.compile(rb"\s*([+-]\d+(?:\.\d*)?)\x14")
#: A record that begins later than the one before it ends, by more than this, s, or samples, comes after a hole.
_HOLE_S, _HOLE_SAMPLES = 0.01, 1.5


@dataclass(frozen=True, slots=True)
class EdfHeader:
    """Label and unit of each channel, and its samples in each record of ``record_s`` s; ``size`` is the header's, B.

    ``interrupted`` is whether the file is declared as a recording with interruptions (EDF+D).
    """

    labels: tuple[str, ...]
    units: tuple[str, ...]
    interrupted: bool
    samples: tuple[int, ...]
    record_s: float
    size: int
    sample_bytes: int


def read_edf_header(path: Path) -> EdfHeader:
    """Read the header of an EDF or BDF file; raises RecordingError if that is impossible."""
    try:
        with path.open("rb") as file:
            fixed = file.read(_FIXED)
            count = int(fixed[252:256])
            channels = file.read(count * _CHANNEL)
    except (OSError, ValueError) as error:
        reason = _reason(path, error)
        raise RecordingError(f"{path} has no header of an EDF or BDF file ({reason}): export it again") from None
    if len(channels) < count * _CHANNEL:
        raise RecordingError(f"{path} ends within its header; expected {count} channels and samples: copy it again")

    def field(at: tuple[int, int]) -> tuple[str, ...]:
        offset, width = at
        starts = range(offset * count, (offset + width) * count, width)
        return tuple(channels[i : i + width].decode("latin-1").split("\0")[0].strip() for i in starts)

    _refuse_other_name(path, fixed[0] == 0xFF)
    try:
        samples, record_s = tuple(map(int, field(_SAMPLES))), float(fixed[244:252])
    except ValueError as error:
        raise RecordingError(f"{path} has a damaged header ({error}): export it again") from None
    interrupted = fixed[192:197] in {b"EDF+D", b"BDF+D"}
    size = _FIXED + count * _CHANNEL
    return EdfHeader(field(_LABEL), field(_UNIT), interrupted, samples, record_s, size, 3 if fixed[0] == 0xFF else 2)


def _refuse_other_name(path: Path, is_bdf: bool) -> None:
    """Refuse BDF that is called EDF, or the other way round: their samples have other sizes."""
    named, found = path.suffix.upper(), ".BDF" if is_bdf else ".EDF"
    if named != found:
        raise RecordingError(
            f"{path} is {found[1:]} under the name of {named[1:]}; expected an ending that says what it is: rename it "
            f"to {path.with_suffix(found.lower()).name}"
        )


def _reason(path: Path, error: Exception) -> str:
    if path.is_dir():
        return "it is a folder"
    try:
        if not path.stat().st_size:
            return "the file is empty"
    except OSError:
        return getattr(error, "strerror", None) or str(error)
    return "it is another kind of file" if isinstance(error, ValueError) else " ".join(str(error).split())


def record_starts(path: Path, header: EdfHeader) -> list[tuple[int, float]]:
    """Return the records that come after a hole, and when they began, s from the first record's begin.

    Record 0, at 0 s, is always the first of them. EDF+ writes when each record began before its annotations; files
    without annotations, or without such times, go on.

    Raises
    ------
    RecordingError
        If the records' times go back, or the file is declared to have interruptions and nothing says where.
    """
    begun = _begun(path, header)
    known = np.flatnonzero(np.isfinite(begun))
    if len(known) < 2 or np.ptp(begun[known]) == 0 or header.record_s <= 0:
        if header.interrupted:
            raise RecordingError(
                f"{path} has interruptions (EDF+D), and nothing in it says where; expected a recording that goes on, "
                "or one file for each part: export it so"
            )
        return [(0, 0.0)]
    rate = max((each for each in header.samples), default=1) / header.record_s
    jumps = np.diff(begun[known]) - np.diff(known) * header.record_s
    least = max(_HOLE_S, _HOLE_SAMPLES / rate)
    if (back := np.flatnonzero(jumps < -least)).size:
        raise RecordingError(
            f"{path}: the times of its records go back at {begun[known[back[0]]] - begun[known[0]]:.1f} s; expected "
            "one recording, from its begin to its end: export it again"
        )
    found = [(0, 0.0)]
    for number in np.flatnonzero(jumps > least).tolist():
        record = int(known[number + 1])
        found.append((record, float(begun[record] - begun[known[0]] + known[0] * header.record_s)))
    return found


def _begun(path: Path, header: EdfHeader) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return when each record began, s, NaN where that is not said; empty without annotations."""
    texts = [i for i, label in enumerate(header.labels) if label in _ANNOTATIONS]
    record = sum(header.samples) * header.sample_bytes
    count = (path.stat().st_size - header.size) // record if record > 0 else 0
    if not texts or count < 1:
        return np.empty(0)
    first = sum(header.samples[: texts[0]]) * header.sample_bytes
    length = min(header.samples[texts[0]] * header.sample_bytes, 64)
    begun = np.full(count, math.nan)
    with path.open("rb") as file:
        for number in range(count):
            file.seek(header.size + number * record + first)
            if said := _BEGUN.match(file.read(length)):
                begun[number] = float(said[1])
    return begun
