"""Where the electrodes of a montage are on the template: from a name, a list of channels, or a file of positions."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final

import numpy as np

from rtaffect.common.arrays import FloatArray
from rtaffect.common.errors import MontageError
from rtaffect.common.montage import STANDARD, known_name, known_names
from rtaffect.common.reading import path_problem, read_bytes
from rtaffect.observed.operator import LEAST_CHANNELS

_TEMPLATE: Final = "fsaverage_1005"
#: Files of positions that mne reads; tables (csv, tsv, txt) are read here.
_POSITION_FILES: Final = (".elc", ".sfp", ".bvef", ".loc", ".locs", ".eloc", ".csd", ".elp", ".hpts")
_TABLES: Final = (".txt", ".csv", ".tsv")
_NAME_HEADINGS: Final = ("name", "channel", "channels", "label", "labels", "electrode", "ch_name")
#: So many places must be known both in a file and on the template for the two to be brought together.
_LEAST_COMMON: Final = 4
#: Known places may on average be so far from the template's after that, m.
_MOST_APART_M: Final = 0.02
#: No place near a head has a greater number, be it in micrometres.
_MOST_COORDINATE: Final = 1e6


@dataclass(frozen=True)
class Montage:
    """Electrodes on the template head: ``positions`` (C, 3), m, in fsaverage's MRI frame."""

    name: str
    channels: tuple[str, ...]
    positions: FloatArray


@dataclass(frozen=True)
class Measured:
    """Electrodes in a frame and unit of their own; ``landmarks`` may have lpa, nasion and rpa."""

    positions: dict[str, FloatArray]
    landmarks: dict[str, FloatArray]


def montage_for(text: str) -> Montage:
    """Return the montage that ``--montage`` asks for.

    ``text`` is one of ours (``1020-19``, ``1010-32``, ``1010-64``), one of mne's, or a file: a list of channel names
    (one a line, or a table with a column ``name``), or positions (a table with x, y, z too, or a file that mne reads).

    Raises
    ------
    MontageError
        With one line, if there is no such montage, it is no such file, or channels are unknown.
    """
    if wrong := path_problem(text):
        raise MontageError(f"--montage {text:.60}: {wrong}; give a list of channels or a montage's name")
    path = Path(text).expanduser()
    if text in STANDARD:
        return _named(text, STANDARD[text], text)
    if path.is_file():
        return _from_file(path)
    if text in (names := _mne_names()):
        return _place(text, _mne_measured(text))
    if path.suffix.lower() in (*_TABLES, *_POSITION_FILES) or "/" in text or "\\" in text:
        raise MontageError(f"--montage {text}: there is no such file; give a list of channels or a montage's name")
    near = get_close_matches(text, (*STANDARD, *names), n=3, cutoff=0.4)
    raise MontageError(
        f"--montage {text}: neither a known montage nor a file; expected one of {', '.join(near or STANDARD)} or "
        "another of mne's, or a file with channel names or positions"
    )


def montage_of(name: str, channels: Sequence[str]) -> Montage:
    """Return the montage of named channels, on the template's places.

    Raises
    ------
    MontageError
        If a name is unknown, or two are the same place.
    """
    return _named(name, tuple(channels), name)


def template_positions() -> dict[str, FloatArray]:
    """Return the places of the 10-05 system (3,), m, in fsaverage's MRI frame."""
    return _mne_measured(_TEMPLATE).positions


def template_landmarks() -> FloatArray:
    """Return left ear point, nasion, right ear point (3, 3), m, as the template positions have them."""
    marks = _mne_measured(_TEMPLATE).landmarks
    return np.array([marks["lpa"], marks["nasion"], marks["rpa"]])


def similarity(source: FloatArray, target: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return matrix (3, 3) and shift (3,) that bring points (n, 3) nearest to others by turning, scaling and moving.

    Umeyama, *IEEE PAMI* 13 (1991), without reflections.
    """
    a, b = source - source.mean(axis=0), target - target.mean(axis=0)
    left, values, right = np.linalg.svd(b.T @ a)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    matrix: FloatArray = (left * signs) @ right * float((values * signs).sum() / np.square(a).sum())
    return matrix, target.mean(axis=0) - matrix @ source.mean(axis=0)


def _named(name: str, channels: tuple[str, ...], where: str) -> Montage:
    places = known_names(channels, where)
    if len(places) < LEAST_CHANNELS:
        raise MontageError(
            f"{where}: has {len(places)} channels; a space operator needs at least {LEAST_CHANNELS}: add channels"
        )
    table = template_positions()
    return Montage(name, places, np.array([table[place] for place in places]))


def _from_file(path: Path) -> Montage:
    if path.suffix.lower() in _POSITION_FILES:
        return _place(path.name, _read_positions(path))
    rows = _rows(path)
    heading = [cell.casefold() for cell in rows[0]] if rows else []
    column = next((heading.index(name) for name in _NAME_HEADINGS if name in heading), None)
    at, body = column or 0, rows[column is not None :]
    names = tuple(row[at] for row in body if at < len(row) and row[at])
    if not names:
        raise MontageError(f"{path}: has no channel names; expected one a line, or a table with a column `name`")
    if column is not None and {"x", "y", "z"} <= set(heading):
        return _place(path.name, _read_table(path, heading, column, body))
    return _named(path.name, names, str(path))


def _rows(path: Path) -> list[list[str]]:
    """Return the cells of a table whose columns are parted by tabs, semicolons or commas; # starts a comment line."""
    try:
        text = read_bytes(path).decode("utf-8-sig")
    except (OSError, ValueError):
        raise MontageError(
            f"{path}: is no montage; expected text with channel names, or positions "
            f"({', '.join((*_TABLES, *_POSITION_FILES))})"
        ) from None
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    parts = next((mark for mark in "\t;," if lines and mark in lines[0]), ",")
    try:
        return [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=parts)]
    except csv.Error as error:
        raise MontageError(f"{path}: is no table ({error}); check its quotes and columns") from None


def _read_table(path: Path, heading: list[str], column: int, rows: list[list[str]]) -> Measured:
    axes = [heading.index(axis) for axis in "xyz"]
    found: dict[str, FloatArray] = {}
    for row in rows:
        try:
            place = np.array([float(row[axis]) for axis in axes])
        except (ValueError, IndexError):
            continue
        if np.isfinite(place).all():
            found[row[column]] = place
    return _split(found, path)


def _read_positions(path: Path) -> Measured:
    import mne

    try:
        montage = mne.channels.read_custom_montage(path, verbose="ERROR")
    except Exception as error:
        # Whatever the parsers of other people's formats trip over, the file is not of that format.
        raise MontageError(
            f"{path}: is no montage that mne can read ({type(error).__name__}: {str(error).splitlines()[0]}); check "
            "the file, or give a list of channel names"
        ) from None
    return _measured(montage, path)


def _mne_names() -> tuple[str, ...]:
    import mne

    return tuple(mne.channels.get_builtin_montages())


def _mne_measured(name: str) -> Measured:
    import mne

    return _measured(mne.channels.make_standard_montage(name), Path(name))


def _measured(montage: object, path: Path) -> Measured:
    found = montage.get_positions()  # type: ignore[attr-defined]
    marks = {key: np.asarray(found[key], np.float64) for key in ("lpa", "nasion", "rpa") if found[key] is not None}
    measured = _split({name: np.asarray(place, np.float64) for name, place in found["ch_pos"].items()}, path)
    return Measured(measured.positions, measured.landmarks | marks)


def _split(found: dict[str, FloatArray], path: Path) -> Measured:
    """Part landmarks from electrodes."""
    called = {"lpa": "lpa", "rpa": "rpa", "nasion": "nasion", "nas": "nasion", "nz": "nasion"}
    marks = {called[name.casefold()]: place for name, place in found.items() if name.casefold() in called}
    rest = {name: place for name, place in found.items() if name.casefold() not in called}
    if len(rest) < LEAST_CHANNELS:
        raise MontageError(
            f"{path}: has {len(rest)} electrodes with positions; a space operator needs at least {LEAST_CHANNELS}"
        )
    return Measured(rest, marks)


def _place(name: str, measured: Measured) -> Montage:
    """Bring electrodes to the template by the places that both know, whatever their frame, unit and head size."""
    table = template_positions()
    if all(channel in table for channel in measured.positions) and name in _mne_names():
        return _named(name, tuple(measured.positions), name)
    marks = dict(zip(("lpa", "nasion", "rpa"), template_landmarks(), strict=True))
    pairs = [(measured.landmarks[key], marks[key]) for key in marks if key in measured.landmarks]
    pairs += [(place, table[at]) for ch, place in measured.positions.items() if (at := known_name(ch)) is not None]
    landmarks_alone = len(measured.landmarks) == 3
    if len(pairs) < _LEAST_COMMON and not landmarks_alone:
        raise MontageError(
            f"{name}: its positions cannot be brought to the head: {len(pairs)} of its places are known, but "
            f"{_LEAST_COMMON} are needed; add the landmarks lpa, nasion and rpa to the file, or name the electrodes by "
            "the 10-05 system"
        )
    theirs, ours = (np.array(points) for points in zip(*pairs, strict=True))
    if not (np.abs(theirs) < _MOST_COORDINATE).all():
        raise MontageError(f"{name}: a position is no place near a head; expected numbers of m, cm or mm: correct it")
    matrix, shift = similarity(theirs, ours)
    apart = float(np.linalg.norm(theirs @ matrix.T + shift - ours, axis=1).mean())
    if not apart < _MOST_APART_M:
        raise MontageError(
            f"{name}: its known places are {1e3 * apart:.0f} mm off those of the template head on average, more than "
            f"{1e3 * _MOST_APART_M:.0f} mm; axes or names are mixed up: correct the file"
        )
    places = np.array(list(measured.positions.values())) @ matrix.T + shift
    return Montage(name, tuple(known_name(ch) or ch for ch in measured.positions), places)
