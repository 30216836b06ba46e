"""What the header of an EDF or BDF file says of its channels; mne, which reads the samples, does not tell all of it.

The fields are those of Kemp et al., *Electroencephalography and Clinical Neurophysiology* 82, 1992, and of EDF+ (2003).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rtaffect.common.errors import RecordingError

_FIXED, _CHANNEL = 256, 256
#: Where a channel's fields lie, as (offset, width) in bytes per channel.
_LABEL, _UNIT = (0, 16), (96, 8)


@dataclass(frozen=True, slots=True)
class EdfHeader:
    """Label and unit of each channel; whether the recording has interruptions (EDF+D)."""

    labels: tuple[str, ...]
    units: tuple[str, ...]
    interrupted: bool


def read_edf_header(path: Path) -> EdfHeader:
    """Read the header of an EDF or BDF file; raises RecordingError if that is impossible."""
    try:
        with path.open("rb") as file:
            fixed = file.read(_FIXED)
            count = int(fixed[252:256])
            channels = file.read(count * _CHANNEL)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise RecordingError(f"{path} has no header of an EDF or BDF file ({reason}): export it again") from None
    if len(channels) < count * _CHANNEL:
        raise RecordingError(f"{path} ends within its header; expected {count} channels and samples: copy it again")

    def field(at: tuple[int, int]) -> tuple[str, ...]:
        offset, width = at
        starts = range(offset * count, (offset + width) * count, width)
        return tuple(channels[i : i + width].decode("latin-1").split("\0")[0].strip() for i in starts)

    return EdfHeader(field(_LABEL), field(_UNIT), fixed[192:197] in {b"EDF+D", b"BDF+D"})
