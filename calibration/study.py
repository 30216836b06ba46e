"""A study: several people who heard the same sounds, as a folder on disk or straight from the simulator."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from calibration.studies.layout import Layout, RecordingFile, gathered, shown
from calibration.studies.manifest import ALL_EEG, Channels, read_layout
from calibration.studies.raters import Raters, ratings_in, scale_of
from calibration.studies.recording import TAIL_S, Recording, heard_in, open_recording
from calibration.studies.tables import covariates_in
from rtaffect.common.channel_kinds import told
from rtaffect.common.errors import RecordingError
from rtaffect.common.montage import common_rows
from rtaffect.common.rating_scale import RatingScale
from rtaffect.stream.audio import StudySound, read_whole_sound
from rtaffect.stream.source import Source

#: So many of a study's problems are named when it is refused; ``check`` names all.
_NAMED = 5


class Study(Protocol):
    """What calibration needs of a study."""

    name: str
    synthetic: bool
    listeners: tuple[str, ...]

    def sounds(self) -> tuple[StudySound, ...]:
        """Return the sounds that the listeners heard."""

    def channels(self) -> tuple[str, ...]:
        """Return the channels that every listener has."""

    def hears(self, listener: str, sound: StudySound) -> bool:
        """Return whether a listener heard the sound; who did not has no part in it."""

    def eeg(self, listener: str, sound: StudySound) -> tuple[Source, float]:
        """Return a fresh source of a listener's EEG, and when, on its clock, they began to hear the sound (s)."""


class Rest(NamedTuple):
    """A stretch of rest: when it began on its source's own clock, s, its whole seconds, and how to get the source.

    ``stamp`` tells it from any other.
    """

    stamp: str
    onset: float
    seconds: int
    source: Callable[[], Source]


class FolderStudy:
    """A study on disk: ``study.toml`` beside the files that it names, or a BIDS dataset.

    ``channels`` are chosen in every recording.

    Raises
    ------
    RecordingError
        If its description is missing or wrong, names a file that is not there, there are fewer than three listeners
        (and no ratings), or a table does not fit its sound.
    """

    def __init__(self, folder: Path, channels: Channels = ALL_EEG) -> None:
        self._layout = layout = read_layout(folder, channels)
        if layout.problems:
            more = len(layout.problems) - _NAMED
            rest = f"; and {more} more, which `calibrate --check` lists" if more > 0 else ""
            raise RecordingError(f"study {folder}: {'; '.join(layout.problems[:_NAMED])}{rest}")
        self.name, self.synthetic, self.listeners = layout.name, layout.synthetic, layout.listeners
        sounds = {s.name: read_whole_sound(s.path) for s in layout.sounds}
        self._notes = (*layout.notes, *(f"{name}: {note}" for name, sound in sounds.items() for note in sound.notes))
        self._told: dict[str, list[str]] = {}
        self._sounds = tuple(StudySound(s.name, sounds[s.name].samples, s.fit) for s in layout.sounds)
        seconds = {s.name: s.seconds for s in self._sounds}
        self._covariates = covariates_in(layout.sounds, seconds)
        self._ratings = ratings_in(layout.sounds, seconds, layout.ratings)
        self.rating_names = next((r.names for r in self._ratings.values()), ())
        self._channels: tuple[str, ...] | None = None
        # One listener's recording is kept while its sounds are gone through.
        self._opened: tuple[RecordingFile, Recording] | None = None

    @property
    def layout(self) -> Layout:
        """Its files."""
        return self._layout

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be known of its files, as far as they have been read by now, one line each."""
        return (*self._notes, *gathered(self._told))

    def sounds(self) -> tuple[StudySound, ...]:
        """Return the sounds that the listeners heard."""
        return self._sounds

    def channels(self) -> tuple[str, ...]:
        """Return the channels that every listener has, in the first one's order; none where there are only ratings."""
        if self._channels is None:
            recordings = self._layout.recordings
            montages, left_out = {}, {}
            for file in recordings:
                opened, label = self._open(file), self._layout.label(file)
                montages[label], left_out[label] = opened.channels, opened.left_out
            self._notes = (*self._notes, *told(left_out))
            self._channels = common_rows(montages, None) if montages else ()
        return self._channels

    def hears(self, listener: str, sound: StudySound) -> bool:
        """Return whether a listener heard the sound."""
        return self._layout.hears(listener, sound.name)

    def eeg(self, listener: str, sound: StudySound) -> tuple[Source, float]:
        """Return a fresh source of a listener's EEG from shortly before the sound, and when they began to hear it.

        The time is on the source's own clock: LSL time for XDF, else s from the recording's first sample.
        """
        file = self._layout.heard(listener, sound.name)
        return heard_in(file, self._open(file), sound.name, sound.seconds)

    def rests(self, listener: str, lead_s: float) -> Iterator[Rest]:
        """Yield each stretch in which a listener rested; sources begin ``lead_s`` before, or with the recording.

        RecordingError if the recording is interrupted in one.
        """
        for file in self._layout.recordings:
            for start, stop in file.rest if file.listener == listener else ():
                recording = self._open(file)
                begin, end = max(start, recording.first), min(stop, recording.last + 1 / recording.rate)
                if any(begin < at < end for at in recording.breaks):
                    raise RecordingError(
                        f"{listener}: {file.path.name} was interrupted in the rest from {start:g} to {stop:g} s; "
                        "expected a rest that goes on: name its parts before and after"
                    )
                if (seconds := math.floor(end - begin + 1e-6)) > 0:
                    source = partial(recording.source, begin - lead_s, begin + seconds + TAIL_S)
                    yield Rest(f"{_stamp(file)} {start} {stop}", begin, seconds, source)

    def file(self, listener: str, sound: StudySound) -> str:
        """Return the recording in which a listener hears the sound, as messages name it."""
        return shown(self._layout.heard(listener, sound.name).path, self._layout.folder)

    def sound_file(self, sound: StudySound) -> Path:
        """Return the file of a sound."""
        return next(each.path for each in self._layout.sounds if each.name == sound.name)

    def stamp(self, listener: str, sound: StudySound) -> str:
        """Return what tells a listener's EEG during a sound from any other: its file as it is now, and the onset."""
        return _stamp(self._layout.heard(listener, sound.name))

    def ratings(self, sound: StudySound) -> NDArray[np.float64] | None:
        """Return ratings of a sound (steps, columns), named by ``rating_names``, NaN where missing; None if none.

        Of several raters the mean.
        """
        found = self._ratings.get(sound.name)
        return None if found is None else found.mean()

    def raters(self, sound: StudySound) -> Raters | None:
        """Return what each rater of a sound said; None if it has no ratings."""
        return self._ratings.get(sound.name)

    @property
    def tells_scale(self) -> bool:
        """Whether the study itself says on which scale its ratings are."""
        return self._layout.ratings is not None

    def rating_scale(self) -> RatingScale:
        """Return the scale of the ratings: what the study tells, else the least and the most that raters gave."""
        return self._layout.ratings or scale_of(self._ratings.values())

    def covariates(self, sound: StudySound) -> tuple[tuple[str, ...], NDArray[np.float64]] | None:
        """Return names and values (steps, columns) of a sound's covariates, none missing; None if there are none."""
        return self._covariates.get(sound.name)

    def _open(self, file: RecordingFile) -> Recording:
        if self._opened is None or self._opened[0] is not file:
            self._opened = None
            self._opened = file, (opened := open_recording(file))
            label = self._layout.label(file)
            for line in opened.warnings:
                if label not in (owners := self._told.setdefault(line, [])):
                    owners.append(label)
        return self._opened[1]


def _stamp(file: RecordingFile) -> str:
    about = file.path.stat()
    return f"{file.path.resolve()} {about.st_size} {about.st_mtime_ns} {file}"


def ratings_of(study: Study, sound: StudySound) -> NDArray[np.float64] | None:
    """Return the ratings of a sound (steps, columns), NaN where missing; None if the study has none."""
    return study.ratings(sound) if isinstance(study, FolderStudy) else None
