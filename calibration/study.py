"""A study: several people who heard the same sounds, as a folder on disk or straight from the simulator."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from pydantic import Field, ValidationError

from rtaffect.audio import read_sound
from rtaffect.errors import RecordingError
from rtaffect.listener import common_rows
from rtaffect.settings import Frozen
from rtaffect.simulation.study import StudySound
from rtaffect.sources.base import Source
from rtaffect.sources.xdf import XdfRecording, XdfSource

#: EEG that is taken in before a sound starts, so that the filters have settled, s.
LEAD_S = 10.0


class Study(Protocol):
    """What calibration needs of a study."""

    name: str
    synthetic: bool
    listeners: tuple[str, ...]

    def sounds(self) -> tuple[StudySound, ...]:
        """Return the sounds that the listeners heard."""

    def channels(self) -> tuple[str, ...]:
        """Return the channels that every listener has."""

    def eeg(self, listener: str, sound: StudySound) -> tuple[Source, float]:
        """Return a fresh source of a listener's EEG, and the LSL time at which they began to hear the sound (s)."""


class SoundEntry(Frozen):
    """One ``[[sound]]`` of ``study.toml``; with ``fit = false`` it gets a reference but no weights are fitted to it."""

    name: str
    file: str
    fit: bool = True


class ListenerEntry(Frozen):
    """One ``[[listener]]``; ``onset`` has, for each sound's name, the LSL time of the recording at which it began."""

    name: str
    file: str
    onset: dict[str, float]
    channels: tuple[str, ...] | None = None
    unit: str | None = None


class StudyManifest(Frozen):
    """What ``study.toml`` holds."""

    name: str
    synthetic: bool = False
    sound: tuple[SoundEntry, ...] = Field(min_length=1)
    listener: tuple[ListenerEntry, ...] = Field(min_length=1)


class FolderStudy:
    """A study on disk: ``study.toml`` beside the sounds and the XDF recordings that it names.

    Raises
    ------
    RecordingError
        If the manifest is missing or wrong, names a file that is not there, or there are fewer than three listeners.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        manifest = read_manifest(folder / "study.toml")
        self.name, self.synthetic = manifest.name, manifest.synthetic
        self._listeners = {entry.name: entry for entry in manifest.listener}
        self.listeners = tuple(self._listeners)
        self._check_files(manifest)
        self._sounds = tuple(StudySound(s.name, read_sound(folder / s.file)[0], s.fit) for s in manifest.sound)
        # One listener's recording is kept while its sounds are gone through.
        self._channels: tuple[str, ...] | None = None
        self._open = lru_cache(maxsize=1)(XdfRecording.open)

    def sounds(self) -> tuple[StudySound, ...]:
        """Return the sounds that the listeners heard."""
        return self._sounds

    def channels(self) -> tuple[str, ...]:
        """Return the channels that every listener has, in the first one's order."""
        if self._channels is None:
            self._channels = common_rows({name: self._source(name).info.channels for name in self.listeners}, None)
        return self._channels

    def eeg(self, listener: str, sound: StudySound) -> tuple[Source, float]:
        """Return a fresh source of a listener's EEG from shortly before the sound, and when they began to hear it."""
        source, onset = self._source(listener), self._listeners[listener].onset[sound.name]
        if not source.first <= onset <= source.last - sound.seconds + 1:
            raise RecordingError(
                f"{listener}: {sound.name} begins at {onset:.1f} s and lasts {sound.seconds} s, but the recording "
                f"{self._listeners[listener].file} spans {source.first:.1f} to {source.last:.1f} s; correct its onset "
                "in study.toml"
            )
        source.skip_to(onset - LEAD_S)
        return source, onset

    def _source(self, listener: str) -> XdfSource:
        entry = self._listeners[listener]
        recording = self._open(self._folder / entry.file)
        sources = recording.eeg_sources(channels=entry.channels, unit=entry.unit)
        if len(sources) > 1:
            names = ", ".join(s.info.name for s in sources)
            raise RecordingError(
                f"{listener}: {entry.file} holds {len(sources)} EEG streams ({names}); expected one per listener: "
                "export each to a file of its own"
            )
        return sources[0]

    def _check_files(self, manifest: StudyManifest) -> None:
        if len(manifest.listener) < 3:
            raise RecordingError(
                f"study {self.name!r} has {len(manifest.listener)} listeners; synchrony of one with the others needs "
                "at least 3: record more people"
            )
        entries: tuple[SoundEntry | ListenerEntry, ...] = (*manifest.sound, *manifest.listener)
        problems = [
            f"{entry.name}: no file {entry.file}" for entry in entries if not (self._folder / entry.file).is_file()
        ]
        problems += [
            f"{entry.name}: no onset for {sound.name}"
            for entry in manifest.listener
            for sound in manifest.sound
            if sound.name not in entry.onset
        ]
        if problems:
            raise RecordingError(
                f"study {self._folder}: {'; '.join(problems)}; correct study.toml or add what is missing"
            )


def read_manifest(path: Path) -> StudyManifest:
    """Read ``study.toml``; raises RecordingError if that is impossible."""
    try:
        return StudyManifest.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise RecordingError(
            f"no study in {path.parent}: {path.name} is not there; `rtaffect simulate --out DIR` writes an example"
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecordingError(f"{path} cannot be read ({error}); expected TOML in UTF-8: correct it") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise RecordingError(f"{path}: {where}: {first['msg']}; see docs/formats.md for the fields") from None
