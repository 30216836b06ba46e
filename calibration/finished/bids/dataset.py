"""The dataset as a whole: what is there already, its tables and texts, its sounds, and how new recordings get in."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from calibration.finished.bids.eeg import Entities
from calibration.finished.bids.tables import ABSENT, TEXTS, write_json, write_tsv
from calibration.studies.tables import read_table
from rtaffect import __version__
from rtaffect.common.errors import RecordingError
from rtaffect.common.files import sha256_of
from rtaffect.common.reading import read_json
from rtaffect.common.text import file_name

DESCRIPTION, PARTICIPANTS, STIMULI = "dataset_description.json", "participants.tsv", "stimuli"
#: The version of the standard whose schema the tests validate against.
BIDS_VERSION = "1.11.1"
#: Column of ``*_scans.tsv`` that tells which recording a file was made of.
SOURCE = "recording_sha256"
_PARTICIPANT_COLUMNS = ("participant_id", "age", "sex", "handedness")


@dataclass(frozen=True, slots=True)
class Scan:
    """One line of ``*_scans.tsv``: a recording, when it was made (or None) and the hash of what it was made of."""

    entities: Entities
    acquired: str | None
    source: str


@dataclass(slots=True)
class Dataset:
    """A dataset that is there, or is not yet.

    Attributes
    ----------
    root
        Its folder.
    there
        Whether it exists.
    recordings
        What its EEG recordings are called.
    sources
        Hashes of the recordings that they were made of, as far as it says.
    """

    root: Path
    there: bool = False
    recordings: list[Entities] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)

    @classmethod
    def open(cls, root: Path) -> Dataset:
        """Look at what is at ``root``.

        Raises
        ------
        RecordingError
            If something else than a dataset is there, or it cannot be read.
        """
        found = cls(root)
        if not root.exists() or (root.is_dir() and not any(root.iterdir())):
            return found
        try:
            read_json(root / DESCRIPTION)
        except (OSError, ValueError) as error:
            raise RecordingError(
                f"--out {root} is there but is no BIDS dataset ({DESCRIPTION}: {error}); name a new folder, or a "
                "dataset"
            ) from None
        found.there = True
        found.recordings = [_entities(path) for path in sorted(root.glob("sub-*/**/eeg/*_eeg.json"))]
        for path in sorted(root.glob("sub-*/**/*_scans.tsv")):
            names, rows = read_table(path)
            if SOURCE in names:
                found.sources.update((row[names.index(SOURCE)], row[names.index("filename")]) for row in rows)
        return found


class Stimuli:
    """The dataset's sounds: each content once, whatever it is called.

    Parameters
    ----------
    there
        The folder of sounds that the dataset has already.
    new
        The folder to which further ones are copied.
    """

    def __init__(self, there: Path, new: Path) -> None:
        self._new = new
        files = [path for path in sorted(there.rglob("*")) if path.is_file()]
        self._names = {sha256_of(path): path.relative_to(there).as_posix() for path in files}
        self._taken = {name.casefold() for name in self._names.values()}

    def add(self, path: Path) -> str:
        """Return the name of a sound in the dataset; it is copied unless its content is there."""
        sha256 = sha256_of(path)
        if sha256 not in self._names:
            name = file_name(path.name)
            if name.casefold() in self._taken:
                name = f"{Path(name).stem}_{sha256[:8]}{path.suffix}"
            self._new.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, self._new / name)
            self._names[sha256] = name
            self._taken.add(name.casefold())
        return self._names[sha256]


def write_tables(dataset: Dataset, part: Path, scans: Sequence[Scan]) -> None:
    """Write into ``part`` the tables of participants and recordings: those of the dataset with the new ones added.

    Raises
    ------
    RecordingError
        If one of the dataset's tables cannot be read.
    """
    people = dict.fromkeys(f"sub-{scan.entities.sub}" for scan in scans)
    rows = [{"participant_id": person} for person in people]
    _add_rows(dataset, part, Path(PARTICIPANTS), _PARTICIPANT_COLUMNS, rows)
    tables: dict[Path, list[dict[str, str]]] = {}
    for scan in scans:
        entities = scan.entities
        path = entities.folder.parent / f"sub-{entities.sub}_ses-{entities.ses}_scans.tsv"
        row = {"filename": f"eeg/{entities.name}_eeg.vhdr", SOURCE: scan.source}
        tables.setdefault(path, []).append(row | ({"acq_time": scan.acquired} if scan.acquired else {}))
    for path, new in tables.items():
        _add_rows(dataset, part, path, ("filename", *(("acq_time",) if "acq_time" in new[0] else ()), SOURCE), new)


def write_texts(dataset: Dataset, part: Path, name: str, authors: Sequence[str], licence: str | None) -> None:
    """Write into ``part`` what tells of the dataset as a whole; in one that is there only what it lacks."""
    about: dict[str, Any] = {"Name": name, "BIDSVersion": BIDS_VERSION, "DatasetType": "raw"}
    if authors:
        about["Authors"] = list(authors)
    if licence:
        about["License"] = licence
    made = {"Name": "rtaffect", "Version": __version__, "Description": "export-bids: from session folders"}
    write_json(part / DESCRIPTION, about | {"GeneratedBy": [made]})
    for file in ("participants.json", "scans.json"):
        shutil.copyfile(TEXTS / file, part / file)
    for file in (DESCRIPTION, "participants.json", "scans.json"):
        if (dataset.root / file).exists():
            (part / file).unlink()
    if not any(dataset.root.glob("README*")):
        readme = (TEXTS / "README.txt").read_text(encoding="utf-8").format(name=name)
        (part / "README.md").write_text(readme, encoding="utf-8", newline="\n")


def move_in(part: Path, dataset: Dataset) -> None:
    """Make ``part`` the dataset, or move its files into the one that is there: tables last.

    Raises
    ------
    RecordingError
        If a new file would replace one that is no table, or the disk fails.
    """
    try:
        if not dataset.there:
            if dataset.root.exists():
                dataset.root.rmdir()
            part.replace(dataset.root)
            return
        files = [path.relative_to(part) for path in sorted(part.rglob("*")) if path.is_file()]
        tables = [file for file in files if file.name == PARTICIPANTS or file.name.endswith("_scans.tsv")]
        others = [file for file in files if file not in tables]
        if taken := [file for file in others if (dataset.root / file).exists()]:
            raise RecordingError(
                f"{dataset.root / taken[0]} is there already, and nothing is overwritten; export again"
            )
        for file in (*others, *sorted(tables, key=lambda file: file.name == PARTICIPANTS)):
            (dataset.root / file).parent.mkdir(parents=True, exist_ok=True)
            os.replace(part / file, dataset.root / file)
    except OSError as error:
        raise RecordingError(f"dataset {dataset.root} cannot be written ({error.strerror}); check the disk") from None


def _add_rows(dataset: Dataset, part: Path, file: Path, columns: Sequence[str], rows: Iterable[dict[str, str]]) -> None:
    """Write into ``part`` a table of the dataset with ``rows`` added, whose first column tells which are there."""
    names, there = list(columns), list[list[str]]()
    if (dataset.root / file).exists():
        found, there = read_table(dataset.root / file)
        names = list(found)
    key = columns[0]
    if key not in names:
        raise RecordingError(f"{dataset.root / file} has no column {key}; expected BIDS: correct it")
    known = {row[names.index(key)] for row in there}
    new = [[row.get(name, ABSENT) for name in names] for row in rows if row[key] not in known]
    write_tsv(part / file, names, [*there, *new])


def _entities(path: Path) -> Entities:
    """Return what a file is called; what its name does not say is empty."""
    said = dict(part.split("-", 1) for part in path.name.split("_")[:-1] if "-" in part)
    return Entities(*(said.get(key, "") for key in ("sub", "ses", "task", "run")))
