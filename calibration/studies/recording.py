"""A listener's recording, whatever its format: what it spans, and sources of its EEG."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from calibration.studies.layout import RecordingFile
from calibration.studies.mne_file import PIECE_S, MneFile, Piece
from rtaffect.common.errors import RecordingError, StreamError
from rtaffect.sources.xdf import XdfRecording, XdfSource
from rtaffect.stream.source import Source

#: EEG that is taken in before a sound starts, so that the filters have settled, s.
LEAD_S = 10.0
#: EEG that is taken in after a sound ends, for what looks ahead, s.
TAIL_S = 2.0
_XDF = (".xdf", ".xdfz", ".xdf.gz")


class XdfFile:
    """An XDF recording with one stream of EEG, as :class:`calibration.studies.mne_file.MneFile`; times are LSL times.

    Raises
    ------
    RecordingError
        If it cannot be read, or holds more or fewer streams.
    StreamError
        If names or units of the stream are missing or wrong.
    """

    #: Interruptions show in the samples' times.
    breaks: tuple[float, ...] = ()
    holes: tuple[tuple[float, float], ...] = ()
    bad: tuple[str, ...] = ()

    def __init__(self, file: RecordingFile) -> None:
        if file.described is not None:
            raise RecordingError(
                f"{file.listener}: {file.path.name} is XDF, whose streams describe their channels; listener.described "
                "is for other formats: take it out of study.toml"
            )
        self._file, self._recording = file, XdfRecording.open(file.path)
        whole = self._whole()
        self.rate, self.channels = whole.info.rate, whole.info.channels
        self.first, self.last = whole.first, whole.last
        self.warnings = self._recording.warnings
        self.left_out = whole.info.about.left_out

    def source(self, start: float, stop: float) -> Source:
        """Return a fresh source of the EEG from ``start`` (s) to the end."""
        source = self._whole()
        source.skip_to(start)
        return source

    def pieces(self) -> Iterator[Piece]:
        """Yield the whole recording, some seconds at a time."""
        source, cursor = self._whole(), 0
        # Not in even pieces of time: stamps may lie years apart.
        while math.isfinite(due := source.next_due):
            source.advance(due + PIECE_S)
            block = source.buffer.read(cursor, np.inf)
            cursor = block.stop
            yield block.times, block.samples

    def _whole(self) -> XdfSource:
        sources = self._recording.eeg_sources(**self._file.given)
        if len(sources) > 1:
            names = ", ".join(s.info.name for s in sources)
            raise RecordingError(
                f"{self._file.listener}: {self._file.path.name} holds {len(sources)} EEG streams ({names}); expected "
                "one per listener: export each to a file of its own"
            )
        return sources[0]


#: What a study needs of a recording.
Recording = XdfFile | MneFile


def open_recording(file: RecordingFile) -> Recording:
    """Open a recording, by the ending of its name; raises RecordingError if it cannot be used."""
    try:
        return XdfFile(file) if file.path.name.lower().endswith(_XDF) else MneFile(file)
    except StreamError as error:
        raise RecordingError(
            f"{file.listener}: {file.path.name}: {error} (in study.toml: listener.channels, listener.unit)"
        ) from error


def out_of_place(file: RecordingFile, recording: Recording, sound: str, seconds: int) -> str | None:
    """Return what is wrong with where a sound of ``seconds`` s lies in a recording, in one line; None if nothing."""
    onset = file.onset[sound]
    if not recording.first <= onset <= recording.last - seconds + 1:
        return (
            f"{file.listener}: {sound} begins at {onset:.1f} s and lasts {seconds} s, but the recording "
            f"{file.path.name} spans {recording.first:.1f} to {recording.last:.1f} s; correct its onset in "
            f"{file.onsets_in.name}"
        )
    inside = [f"was interrupted at {at:.1f} s" for at in recording.breaks if onset < at < onset + seconds]
    inside += [
        f"has no samples from {begin:.1f} to {end:.1f} s"
        for begin, end in recording.holes
        if begin < onset + seconds and onset < end
    ]
    if inside:
        return (
            f"{file.listener}: {file.path.name} {inside[0]}, while {sound} was heard "
            f"({onset:.1f} to {onset + seconds:.1f} s); expected a recording that goes on: leave the listener or the "
            "sound out"
        )
    return None


def heard_in(file: RecordingFile, recording: Recording, sound: str, seconds: int) -> tuple[Source, float]:
    """Return a fresh source of the EEG from shortly before a sound of ``seconds`` s, and the time at which that began.

    Raises
    ------
    RecordingError
        If the sound lies beyond the recording, or the recording is interrupted in it.
    """
    if wrong := out_of_place(file, recording, sound, seconds):
        raise RecordingError(wrong)
    onset = file.onset[sound]
    begins = (*recording.breaks, *(end for _, end in recording.holes))
    start = max([onset - LEAD_S, *(at for at in begins if at <= onset)])
    return recording.source(start, onset + seconds + TAIL_S), onset
