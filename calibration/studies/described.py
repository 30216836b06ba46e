"""What a recording's channels are: by a BIDS ``channels.tsv``, else by the file, else by their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from calibration.studies.tables import ABSENT, read_table
from rtaffect.common.channel_kinds import Kind, kind_of
from rtaffect.common.errors import RecordingError
from rtaffect.common.montage import place_of


@dataclass(frozen=True, slots=True)
class ChannelTable:
    """Rows of a ``channels.tsv`` by the channels' place: type and unit ('' where it says none), and who is bad."""

    types: dict[str, str]
    units: dict[str, str]
    bad: frozenset[str]


def read_channel_table(path: Path, labels: Sequence[str]) -> ChannelTable:
    """Read the ``channels.tsv`` of a recording with channels ``labels``.

    Raises
    ------
    RecordingError
        If it cannot be read, has no column ``name``, or names none of the channels.
    """
    header, rows = read_table(path)
    if "name" not in header:
        raise RecordingError(
            f"{path} has the columns {', '.join(header)}; expected name, type, units and status: correct it"
        )

    def column(name: str) -> dict[str, str]:
        if name not in header:
            return {}
        cells = {place_of(row[header.index("name")]): row[header.index(name)] for row in rows}
        return {place: "" if cell.casefold() in ABSENT else cell for place, cell in cells.items()}

    if not {place_of(label) for label in labels} & set(column("name")):
        raise RecordingError(
            f"{path} names none of the recording's channels ({', '.join(labels)}); expected these in its column name: "
            "correct it"
        )
    bad = frozenset(place for place, status in column("status").items() if status.casefold() == "bad")
    return ChannelTable(column("type"), column("units"), bad)


def kinds_of(
    labels: Sequence[str], types: Sequence[str], units: Sequence[str], table: ChannelTable | None
) -> tuple[Kind, ...]:
    """Return what each channel carries.

    Parameters
    ----------
    labels, types, units
        What the recording says; formats that know no types call all of them EEG.
    table
        What says more, if there is one: somebody wrote it who knows.
    """
    return tuple(
        _kind(label, declared, unit, table.types.get(place_of(label), "") if table else "")
        for label, declared, unit in zip(labels, types, units, strict=True)
    )


def _kind(label: str, declared: str, unit: str, described: str) -> Kind:
    if described:
        return "eeg" if described.casefold() == "eeg" else kind_of(label, described, unit)
    return kind_of(label, declared, unit)
