"""A study of rated excerpts: one table with a row for each, and in it ratings, features, split and films."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.studies.manifest import MANIFEST, ExcerptsEntry, read_manifest
from calibration.studies.tables import ABSENT, number, read_table
from rtaffect.common.errors import RecordingError
from rtaffect.common.words import listed

Array = NDArray[np.float64]

#: Fewer excerpts in the training or the test part cannot be judged.
LEAST_EXCERPTS = 20
TRAIN, TEST = "train", "test"


@dataclass(frozen=True, slots=True, eq=False)
class ExcerptStudy:
    """Rated excerpts. N of them, R ratings.

    Attributes
    ----------
    name, synthetic
        As in ``study.toml``.
    excerpts
        N names.
    ratings, values
        R names, and (N, R) float64 in the ratings' own unit.
    sound_names, sound
        Names of given features of the sound, and (N, F).
    picture_names, picture
        The same of the picture, (N, V); there may be none.
    files
        N sound files to compute features of; none where these are given.
    test
        (N,) which excerpts are held out by the given split; None where there is no split.
    groups
        (N,) which film each is from, counted from 0; None where that is not told.
    """

    name: str
    synthetic: bool
    excerpts: tuple[str, ...]
    ratings: tuple[str, ...]
    values: Array
    sound_names: tuple[str, ...]
    sound: Array
    picture_names: tuple[str, ...]
    picture: Array
    files: tuple[Path, ...]
    test: NDArray[np.bool_] | None
    groups: NDArray[np.intp] | None


def has_excerpts(folder: Path) -> bool:
    """Return whether a folder's ``study.toml`` tells of rated excerpts; False also if there is none."""
    return (folder / MANIFEST).is_file() and read_manifest(folder / MANIFEST).excerpts is not None


def read_excerpts(folder: Path) -> ExcerptStudy:
    """Return the study of excerpts in a folder.

    Raises
    ------
    RecordingError
        If its description or its table is wrong, in one line with the remedy.
    """
    manifest = read_manifest(folder / MANIFEST)
    entry = manifest.excerpts
    if entry is None:
        raise RecordingError(f"{folder / MANIFEST} has no [excerpts]; add it, or [[sound]] for whole sounds")
    if manifest.sound or manifest.listener or manifest.bids is not None:
        raise RecordingError(
            f"{folder / MANIFEST} has [excerpts] beside sounds, listeners or [bids]; expected excerpts alone: leave "
            "one of them out"
        )
    table = _Table(folder / entry.table)
    _check_parts(table, entry)
    names = table.texts(entry.excerpt)
    if len(set(names)) < len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise RecordingError(f"{table.path}: excerpt {twice} is there twice; expected each once: leave one out")
    study = ExcerptStudy(
        name=manifest.name,
        synthetic=manifest.synthetic,
        excerpts=names,
        ratings=entry.ratings,
        values=table.numbers(entry.ratings),
        sound_names=entry.sound,
        sound=table.numbers(entry.sound),
        picture_names=entry.picture,
        picture=table.numbers(entry.picture),
        files=_files(folder, table, entry),
        test=None if entry.split is None else _split(table, entry.split),
        groups=None if entry.group is None else _groups(table.texts(entry.group)),
    )
    _check_size(study, table)
    return study


class _Table:
    """A table of text that is asked for its columns by name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names, self._rows = read_table(path)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a column's cells."""
        at = self._index(name)
        return tuple(row[at] for row in self._rows)

    def numbers(self, names: Sequence[str]) -> Array:
        """Return columns as numbers (rows, columns)."""
        found = np.empty((len(self._rows), len(names)))
        for column, name in enumerate(names):
            for row, cell in enumerate(self.texts(name)):
                value = None if cell.casefold() in ABSENT else number(cell)
                if value is None or not np.isfinite(value):
                    raise RecordingError(
                        f"{self.path}: {name} of row {row + 2} is {cell!r}; expected a finite number: correct it, or "
                        "leave the excerpt out"
                    )
                found[row, column] = value
        return found

    def _index(self, name: str) -> int:
        if name not in self.names:
            raise RecordingError(
                f"{self.path} has no column {name}; it has {listed(self.names, 12)}: name one of these in [excerpts]"
            )
        return self.names.index(name)


def _check_parts(table: _Table, entry: ExcerptsEntry) -> None:
    if not entry.ratings:
        raise RecordingError("[excerpts] ratings is empty; expected the columns that were rated, such as ['arousal']")
    if bool(entry.sound) == (entry.file is not None):
        given = "both sound and file" if entry.sound else "neither sound nor file"
        raise RecordingError(
            f"[excerpts] has {given}; expected sound, the columns with features of the sound, or file, the column with "
            "the sound files whose features are to be computed"
        )
    used = [*entry.ratings, *entry.sound, *entry.picture, *(n for n in (entry.split, entry.group, entry.file) if n)]
    if twice := [name for i, name in enumerate(used) if name in used[:i]]:
        raise RecordingError(f"[excerpts]: column {twice[0]} is used twice; expected one use of each: leave one out")
    if not len(table.texts(entry.excerpt)):
        raise RecordingError(f"{table.path} has no row; expected one for each excerpt")


def _files(folder: Path, table: _Table, entry: ExcerptsEntry) -> tuple[Path, ...]:
    if entry.file is None:
        return ()
    files = tuple(folder / name for name in table.texts(entry.file))
    if missing := [path.name for path in files if not path.is_file()]:
        raise RecordingError(f"{table.path}: no file {listed(missing)}; correct column {entry.file}, or add it")
    return files


def _split(table: _Table, column: str) -> NDArray[np.bool_]:
    cells = [cell.casefold() for cell in table.texts(column)]
    for row, cell in enumerate(cells):
        if cell not in {TRAIN, TEST}:
            raise RecordingError(
                f"{table.path}: {column} of row {row + 2} is {cell!r}; expected {TRAIN} or {TEST} (what a validation "
                f"part is for, inner folds of {TRAIN} do)"
            )
    return np.array([cell == TEST for cell in cells])


def _groups(cells: Sequence[str]) -> NDArray[np.intp]:
    order = {name: i for i, name in enumerate(dict.fromkeys(cells))}
    return np.array([order[cell] for cell in cells], np.intp)


def _check_size(study: ExcerptStudy, table: _Table) -> None:
    held = len(study.excerpts) if study.test is None else int(study.test.sum())
    trained = len(study.excerpts) if study.test is None else int((~study.test).sum())
    for count, part in ((trained, TRAIN), (held, TEST)):
        if count < LEAST_EXCERPTS:
            where = f" of {part}" if study.test is not None else ""
            raise RecordingError(f"{table.path} has {count} excerpts{where}; expected at least {LEAST_EXCERPTS}")
    if study.groups is not None and study.groups.max() < 1:
        raise RecordingError(
            f"{table.path}: all excerpts are of one film; expected two or more, or no [excerpts] group"
        )
    if study.test is not None and study.groups is not None:
        both = np.intersect1d(study.groups[study.test], study.groups[~study.test])
        if len(both):
            example = study.excerpts[int(np.flatnonzero(study.groups == both[0])[0])]
            raise RecordingError(
                f"{table.path}: {len(both)} films are in both parts of the split, such as that of {example}; expected "
                "each film in one: correct the split, or what is held out has been seen"
            )
    flat = [name for name, column in zip(study.ratings, study.values.T, strict=True) if column.std() == 0]
    if flat:
        raise RecordingError(
            f"{table.path}: {', '.join(flat)} is the same for all excerpts; expected ratings that vary"
        )
