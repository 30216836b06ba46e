"""What a recording's channels are: by a BIDS ``channels.tsv``, else by the file, else by their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from calibration.studies.tables import ABSENT, read_table
from rtaffect.common.channel_kinds import Kind, kind_of
from rtaffect.common.errors import RecordingError
from rtaffect.common.montage import place_of
from rtaffect.common.words import listed


@dataclass(frozen=True, slots=True)
class ChannelTable:
    """Rows of a ``channels.tsv`` by the channels' place: type and unit ('' where it says none), and who is bad.

    ``note`` says where its names and the recording's do not fit, '' where they do.
    """

    types: dict[str, str]
    units: dict[str, str]
    bad: frozenset[str]
    note: str = ""


def read_channel_table(path: Path, labels: Sequence[str]) -> ChannelTable:
    """Read the ``channels.tsv`` of a recording with channels ``labels``.

    Raises
    ------
    RecordingError
        If it cannot be read, has no column ``name``, names none of the channels, or marks one as bad that is not there.
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

    names = column("name")
    held = {place_of(label) for label in labels}
    if not held & set(names):
        raise RecordingError(
            f"{path} names none of the recording's channels ({', '.join(labels)}); expected these in its column name: "
            "correct it"
        )
    bad = frozenset(place for place, status in column("status").items() if status.casefold() == "bad")
    if lost := [names[place] or place for place in names if place in bad and place not in held]:
        raise RecordingError(
            f"{path} marks {', '.join(lost)} as bad, and the recording has no such channel ({', '.join(labels)}); "
            "expected its names: correct them, so that the bad one is known"
        )
    return ChannelTable(column("type"), column("units"), bad, _misfit(path, names, labels))


def _misfit(path: Path, names: Mapping[str, str], labels: Sequence[str]) -> str:
    """Return which rows of a table are of no channel, and which channels have no row; '' for none."""
    held = {place_of(label) for label in labels}
    rows = [name or place for place, name in names.items() if place not in held]
    channels = [label for label in labels if place_of(label) not in names and kind_of(label, "", "") in {"eeg", "eog"}]
    said = [f"has rows for {listed(rows)}, which the recording does not have"] if rows else []
    said += [f"says nothing of {listed(channels)}"] if channels else []
    return f"{path.name} {' and '.join(said)}: correct its column name" if said else ""


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
