"""Peripheral signals of a person: ``*_recording-body_physio.tsv.gz`` and its sidecar."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from calibration.finished.bids.grid import Grid
from calibration.finished.bids.tables import ABSENT, write_json
from rtaffect.common.arrays import FloatArray
from rtaffect.common.body_kinds import BodyKind
from rtaffect.sources.xdf_file import RecordedStream
from rtaffect.stream.body import BodyChannel

#: What each is called by BIDS, its type there, and in words.
_NAMES: Final[dict[BodyKind, tuple[str, str, str]]] = {
    "eda": ("gsr", "GSR", "Electrodermal activity (galvanic skin response)"),
    "ecg": ("cardiac", "ECG", "Electrocardiogram"),
    "ppg": ("cardiac", "PPG", "Photoplethysmogram"),
    "respiration": ("respiratory", "RESP", "Respiration"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Signals:
    """Peripheral signals of one stream: ``values`` (channels, places) as sent, NaN where there are none."""

    channels: tuple[BodyChannel, ...]
    values: FloatArray
    grid: Grid


def signals_of(stream: RecordedStream, channels: Sequence[BodyChannel], grid: Grid) -> Signals | None:
    """Return the peripheral ``channels`` of a recorded stream on its grid; None without any."""
    if not channels:
        return None
    values = np.full((len(channels), grid.length), np.nan)
    columns = [channel.column for channel in channels]
    with np.errstate(invalid="ignore", over="ignore"):
        values[:, grid.places] = stream.values[: len(grid.places), columns].T.astype(np.float64)
    return Signals(tuple(channels), values, grid)


def write_physio(stem: Path, label: str, signals: Signals, eeg: Grid, task: str) -> None:
    """Write signals beside a recording, whose names begin with ``stem`` and whose places are ``eeg``'s."""
    table = stem.with_name(f"{stem.name}_recording-{label}_physio.tsv.gz")
    columns: dict[str, dict[str, Any]] = {}
    for channel in signals.channels:
        name, kind, words = _NAMES[channel.kind]
        number = sum(each.split("_")[0] == name for each in columns)
        said = {"Description": f"{words}: channel {channel.name} (type {kind})", "Units": channel.unit or "arbitrary"}
        columns[f"{name}_{number + 1}" if number else name] = said
    lines = ("\t".join(_cell(value) for value in place) + "\n" for place in signals.values.T)
    # Without the time of writing, so that the same signals are the same file.
    table.write_bytes(gzip.compress("".join(lines).encode(), mtime=0))
    write_json(
        table.with_name(table.name.removesuffix(".tsv.gz") + ".json"),
        {
            "TaskName": task,
            "SamplingFrequency": signals.grid.rate,
            "StartTime": round(eeg.onset(float(signals.grid.times[0])), 6),
            "Columns": list(columns),
            **columns,
        },
    )


def _cell(value: float) -> str:
    """Return a number with all digits of what was sent (32 bits)."""
    return f"{value:.9g}" if np.isfinite(value) else ABSENT
