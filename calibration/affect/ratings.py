"""Ratings of valence and arousal of a study: of each person's hearing of a stimulus, once or second by second."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np

from calibration.affect.study import Scale
from calibration.studies.bids import DESCRIPTION
from calibration.studies.layout import RecordingFile
from calibration.studies.manifest import MANIFEST, AffectEntry, read_manifest
from calibration.studies.tables import ABSENT, number, read_table
from calibration.study import FolderStudy
from rtaffect.affect.settings import DIMENSIONS
from rtaffect.common.arrays import FloatArray
from rtaffect.common.errors import RecordingError
from rtaffect.common.words import listed

#: What a table's columns with people and stimuli are called.
LISTENER_COLUMNS: Final = ("listener", "participant", "participant_id")
SOUND_COLUMNS: Final = ("sound", "stimulus", "stim_file")
#: What is missing of a pair of ratings.
_NOTHING: Final = np.full(len(DIMENSIONS), np.nan)
_REMEDY: Final = (
    "give a table of each stimulus as [affect] ratings in study.toml, or ratings of each second as sound.rating"
)


@dataclass(frozen=True, slots=True)
class Ratings:
    """Ratings in their own unit.

    ``values`` has valence and arousal of each listener and sound: (2,) of the whole, or (seconds, 2) of each second;
    NaN where missing. Who has none of a sound is not in it.
    """

    values: Mapping[tuple[str, str], FloatArray]
    scale: Scale
    rated: Literal["stimulus", "second"]
    raters: Literal["own", "shared"]

    def over(self, listener: str, sound: str, seconds: Sequence[int]) -> FloatArray:
        """Return valence and arousal (N, 2), -1 to 1 of the scale, at these seconds, from 1; NaN where missing."""
        found = self.values.get((listener, sound), _NOTHING)
        rows = found[np.asarray(seconds) - 1] if found.ndim == 2 else np.tile(found, (len(seconds), 1))
        return self.scale.unit(rows)


def affect_entry(folder: Path) -> AffectEntry:
    """Return what the study in ``folder`` says of its ratings, the defaults where it says nothing."""
    if not (folder / MANIFEST).is_file() and (folder / DESCRIPTION).is_file():
        return AffectEntry()
    return read_manifest(folder / MANIFEST).affect or AffectEntry()


def read_ratings(study: FolderStudy, entry: AffectEntry) -> Ratings:
    """Return the ratings of a study.

    Those of the table that ``entry`` names; else of each second, of the sounds' tables; else those in the rows of
    events of a BIDS dataset with which stimuli begin.

    Raises
    ------
    RecordingError
        If there are none, or they cannot be used.
    """
    ratings = _of_table(study, entry) or _of_seconds(study, entry) or _of_events(study, entry)
    if ratings is None:
        raise RecordingError(
            f"study {study.name}: no ratings of {entry.valence} and {entry.arousal}; {_REMEDY}, or rename the columns "
            "that [affect] names"
        )
    if wrong := [*unusable(ratings)]:
        raise RecordingError(f"study {study.name}: {'; '.join(wrong)}")
    return ratings


def unusable(ratings: Ratings) -> Iterator[str]:
    """Yield why ratings cannot be used: beyond their scale, none of a dimension, or all on one side of the middle."""
    low, middle, high = ratings.scale
    for column, name in enumerate(DIMENSIONS):
        beyond = [
            f"{sound} by {listener}" if ratings.raters == "own" else sound
            for (listener, sound), values in ratings.values.items()
            if ((values[..., column] < low) | (values[..., column] > high)).any()
        ]
        if beyond:
            yield (
                f"{name} of {listed(list(dict.fromkeys(beyond)))} is beyond the scale of {low:g} to {high:g}: correct "
                "affect.scale in study.toml (lowest, middle, highest), or the rating"
            )
        every = np.concatenate([values[..., column].reshape(-1) for values in ratings.values.values()])
        every = every[np.isfinite(every)]
        above, below = (every > middle).any(), (every < middle).any()
        if len(every) and not (above and below):
            where = "above" if above else "below" if below else "on"
            yield (
                f"every rating of {name} is {where} the middle of the scale ({middle:g}): there is one class only; "
                "expected some to either side: correct affect.scale, or add stimuli"
            )
    if not any(np.isfinite(values).any() for values in ratings.values.values()):
        yield f"no rating is a number; {_REMEDY}"


def _of_table(study: FolderStudy, entry: AffectEntry) -> Ratings | None:
    """Return the ratings of the table of stimuli, if the study names one."""
    if entry.ratings is None:
        return None
    path = study.layout.folder / entry.ratings
    if not path.exists():
        raise RecordingError(f"study {study.name}: no file {entry.ratings}; correct affect.ratings in study.toml")
    header, rows = read_table(path)
    sound_at, listener_at = _column(header, SOUND_COLUMNS), _column(header, LISTENER_COLUMNS)
    at = [header.index(name) if name in header else -1 for name in (entry.valence, entry.arousal)]
    if sound_at is None or max(at) < 0:
        raise RecordingError(
            f"{path} has the columns {', '.join(header)}; expected sound, {entry.valence} and {entry.arousal}, and "
            "listener unless everybody's are the same: rename them"
        )
    names = _names(study)
    found: dict[tuple[str, str], FloatArray] = {}
    for row in rows:
        sound = _known(path, row[sound_at], names, "sound")
        listeners = study.listeners
        if listener_at is not None:
            people = {name.removeprefix("sub-"): name for name in study.listeners}
            listeners = (_known(path, row[listener_at].removeprefix("sub-"), people, "listener"),)
        for listener in listeners:
            if (listener, sound) in found:
                raise RecordingError(f"{path} rates {sound} twice, by {listener}; expected one row of each: correct it")
            found[listener, sound] = np.array([_value(path, header, row, column) for column in at])
    return Ratings(found, Scale(*entry.scale), "stimulus", "shared" if listener_at is None else "own")


def _of_seconds(study: FolderStudy, entry: AffectEntry) -> Ratings | None:
    """Return the ratings of each second, if the sounds have such; raters who are all listeners rate for themselves."""
    found: dict[tuple[str, str], FloatArray] = {}
    own = all(set(study.listeners) <= set(s.rating) for s in study.layout.sounds if s.rating)
    for sound in study.sounds():
        raters = study.raters(sound)
        if raters is None:
            continue
        places = [raters.names.index(name) if name in raters.names else -1 for name in (entry.valence, entry.arousal)]
        if max(places) < 0:
            return None
        for listener in study.listeners:
            values = raters.values[raters.raters.index(listener)] if own else raters.mean()
            found[listener, sound.name] = _columns(values, places)
    return Ratings(found, Scale(*entry.scale), "second", "own" if own else "shared") if found else None


def _columns(values: FloatArray, places: Sequence[int]) -> FloatArray:
    """Return the columns (steps, places) of ``values``; NaN where a place is -1."""
    absent = np.full(len(values), np.nan)
    return np.stack([values[:, place] if place >= 0 else absent for place in places], axis=1)


def _of_events(study: FolderStudy, entry: AffectEntry) -> Ratings | None:
    """Return the ratings that stand in the events of a BIDS dataset, in the row with which a stimulus begins."""
    found: dict[tuple[str, str], FloatArray] = {}
    for file in study.layout.recordings:
        for sound, values in _in_events(file, entry):
            found[file.listener, sound] = values
    return Ratings(found, Scale(*entry.scale), "stimulus", "own") if found else None


def _in_events(file: RecordingFile, entry: AffectEntry) -> Iterator[tuple[str, FloatArray]]:
    if file.onsets_in.suffix != ".tsv":
        return
    header, rows = read_table(file.onsets_in)
    at = [header.index(name) if name in header else -1 for name in (entry.valence, entry.arousal)]
    if max(at) < 0 or not {"onset", "stim_file"} <= set(header):
        return
    for row in rows:
        if row[header.index("stim_file")].casefold() in ABSENT:
            continue
        onset = number(row[header.index("onset")])
        for sound, begun in file.onset.items():
            if onset == begun:
                yield sound, np.array([_value(file.onsets_in, header, row, column) for column in at])


def _column(header: Sequence[str], names: Sequence[str]) -> int | None:
    return next((header.index(name) for name in names if name in header), None)


def _names(study: FolderStudy) -> dict[str, str]:
    """Return the sounds' names by all that a table may call them: the name, the file's, and that without ending."""
    found: dict[str, str] = {}
    for sound in study.layout.sounds:
        found |= dict.fromkeys((sound.path.name, sound.path.stem, sound.name), sound.name)
    return found


def _known(path: Path, name: str, names: Mapping[str, str], what: str) -> str:
    if name not in names:
        known = listed(list(dict.fromkeys(names.values())))
        raise RecordingError(
            f"{path} rates the {what} {name!r:.60}, which the study does not have ({known}): correct it"
        )
    return names[name]


def _value(path: Path, header: Sequence[str], row: Sequence[str], column: int) -> float:
    if column < 0 or row[column].casefold() in ABSENT:
        return np.nan
    value = number(row[column])
    if value is None or not np.isfinite(value):
        raise RecordingError(f"{path}: {header[column]} is {row[column]!r:.40}; expected a number: correct it")
    return value
