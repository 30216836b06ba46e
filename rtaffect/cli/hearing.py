"""What is heard in a live session, and what tells where in a known stimulus that is."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rtaffect.alignment import Aligner
from rtaffect.cli.assemble import Sound, describe_stimulus
from rtaffect.errors import SettingsError
from rtaffect.markers import onset_so_far
from rtaffect.sources.base import Source
from rtaffect.sources.lsl import LslSource
from rtaffect.sources.lsl_markers import LslMarkers
from rtaffect.sources.lsl_streams import find_stream
from rtaffect.sources.selection import ANY_MARKERS, Query
from rtaffect.sources.sound_card import SoundCardSource
from rtaffect.sources.sound_file import SoundFileSource
from rtaffect.stimulus import KnownOnset, MarkerOnset, SoundOnset, TimeLock


@dataclass(frozen=True, slots=True)
class Heard:
    """The options of ``live`` that say what people hear.

    Raises
    ------
    SettingsError
        If they do not go together.
    StreamError
        If the marker has no name.
    """

    audio: Path | None
    mic: str | None
    audio_stream: str | None
    stimulus: Path | None
    onset_marker: str | None
    markers: str | None

    def __post_init__(self) -> None:
        if sum(given is not None for given in (self.audio, self.mic, self.audio_stream)) > 1:
            raise SettingsError("--audio, --mic and --audio-stream exclude each other; give the one that people hear")
        if self.stimulus is not None and self.audio is not None:
            raise SettingsError(
                "--stimulus and --audio exclude each other: --audio FILE is played by rtaffect, --stimulus FILE by "
                "another program"
            )
        if self.onset_marker is not None:
            onset_so_far([], self.onset_marker)
            if self.stimulus is None:
                raise SettingsError("--onset-marker says when --stimulus FILE begins; give that file, too")
        elif self.markers is not None:
            raise SettingsError("--markers is where --onset-marker TEXT comes from; give that text, too")
        elif self.stimulus is not None and self.mic is None and self.audio_stream is None:
            raise SettingsError(
                "--stimulus FILE is played by another program: say how to tell when, by --onset-marker TEXT, or by "
                "--mic or --audio-stream, in which it is found"
            )

    @property
    def file(self) -> Path | None:
        """The file that people hear, whoever plays it."""
        return self.audio if self.audio is not None else self.stimulus

    @property
    def locked_by(self) -> str:
        """What tells where in the file people are, in words."""
        if self.audio is not None:
            return "playing it"
        return "sound" if self.onset_marker is None else f"marker {self.onset_marker!r}"


class Ears:
    """The sound of a session, and the stimulus if it is known, before the session's zero is.

    Parameters
    ----------
    heard
        What people hear.
    wait
        How long to look for streams, s.
    cleanup
        Ends listening for markers, which begins at once.

    Raises
    ------
    SoundError, StreamError
        If something is not there or cannot be used.

    Attributes
    ----------
    file : SoundFileSource or None
        The known stimulus.
    source : Source or None
        What the session hears: a sound device, a stream, or else the file.
    """

    def __init__(self, heard: Heard, wait: float, cleanup: ExitStack) -> None:
        self._heard = heard
        self.file = SoundFileSource.open(heard.file) if heard.file is not None else None
        captured = _captured(heard, wait)
        self.source = captured or self.file
        self._markers = _markers(heard, wait, cleanup)
        aligned = self.file is not None and captured is not None and self._markers is None
        self._aligner = Aligner(self.file.sound) if self.file is not None and aligned else None

    def sound(self, origin: float) -> Sound | None:
        """Return the sound of the session whose zero is ``origin``, s on the LSL clock."""
        if self.source is None or self.file is None:
            return Sound(self.source) if self.source is not None else None
        return Sound.known(self.source, self.file.info.source_id, self._lock(self.file, origin))

    def _lock(self, file: SoundFileSource, origin: float) -> TimeLock:
        if self._aligner is not None:
            return SoundOnset(self._aligner)
        if self._markers is not None and self._heard.onset_marker is not None:
            laid = file if self.source is file else None
            return MarkerOnset(self._markers, self._heard.onset_marker, origin, laid)
        file.onset = origin
        return KnownOnset(0.0)

    def describe(self) -> dict[str, object]:
        """Return what ``session.json`` says of it."""
        path, file = self._heard.file, self.file
        known = describe_stimulus(path, file, self._heard.locked_by) if path is not None and file is not None else None
        return {"sound": self.source.info.name if self.source is not None else None, "stimulus": known}


def _captured(heard: Heard, wait: float) -> Source | None:
    if heard.mic is not None:
        return SoundCardSource(device_of(heard.mic))
    if heard.audio_stream is not None:
        return LslSource(find_stream(Query.parse(heard.audio_stream), timeout=wait), kind="audio")
    return None


def _markers(heard: Heard, wait: float, cleanup: ExitStack) -> LslMarkers | None:
    if heard.onset_marker is None:
        return None
    query = ANY_MARKERS if heard.markers is None else Query.parse(heard.markers)
    markers = LslMarkers(find_stream(query, timeout=wait))
    cleanup.callback(markers.stop)
    markers.start()
    return markers


def device_of(text: str | None) -> int | str | None:
    """Return a sound device's index or the part of its name, None for the default one."""
    return int(text) if text and text.isdigit() else text or None
