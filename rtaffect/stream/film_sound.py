"""The sound of a film, and sound in the containers of films: MP4, M4A, MOV, Matroska, WebM, AAC and others.

PyAV (the libraries of FFmpeg) reads them; it is an extra, since most sessions hear WAV, FLAC, OGG or MP3.

Sample 0 is the presentation's time 0: where the first of picture and sound begins, as players show it. What an encoder
put before the sound (AAC's and Opus's priming) is taken away as the container says (edit lists, codec delay); a sound
that begins later than the picture has silence before it, and where a stretch is missing there is silence as long.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from rtaffect.common.arrays import Float32Array
from rtaffect.common.errors import SoundError

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer

#: Endings of films, and of sounds in films' containers.
FILM_ENDINGS: Final = frozenset(
    {".mp4", ".m4v", ".m4a", ".m4b", ".mov", ".3gp", ".aac", ".mkv", ".mka", ".webm", ".avi", ".ogv", ".flv"}
    | {".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".wma", ".asf"}
)
#: What films begin with, by where that stands.
_BEGINNINGS: Final = (
    *((4, each, "MP4, M4A or MOV") for each in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")),
    (0, b"\x1a\x45\xdf\xa3", "Matroska or WebM"),
    (8, b"AVI ", "AVI"),
    (0, b"\x30\x26\xb2\x75", "Windows Media"),
    (0, b"FLV", "FLV"),
    (0, b"\x00\x00\x01\xba", "an MPEG film"),
)
#: Stamps of films are rounded, as to ms in Matroska: samples that are off by less go on without a break, s.
_ROUNDED_S: Final = 0.02
#: No more than this is without sound in all, s: stamps that leave out more are damaged.
_LONGEST_S: Final = 600.0
#: What a film says of its length is right to this, s.
_SHORT_S: Final = 0.5
_MISSING: Final = (
    '{path}: {what} is read by PyAV, which is not installed; pip install "rtaffect[film]", or convert it to WAV'
)


def film_content(head: bytes) -> str:
    """Return what a file is that begins with ``head`` (some 4 kB), if PyAV has to read it; else ''."""
    for at, content, what in _BEGINNINGS:
        if head.startswith(content, at):
            return what
    # The layer bits, which tell MP3 from AAC, are zero.
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return "AAC"
    if head.startswith(b"OggS") and b"\x80theora" in head:
        return "an OGG film"
    return "an MPEG film" if head[:1] == b"\x47" == head[188:189] else ""


class FilmSound:
    """The sound track of a film that is marked as its default, else the first.

    Parameters
    ----------
    path
        The film.
    what
        What it is, for messages.

    Attributes
    ----------
    rate : float
        Hz.
    channels : int
        How many.
    notes : list of str
        What is to be known, one line each; complete once all blocks have been read.

    Raises
    ------
    SoundError
        If PyAV is not installed, the file cannot be read, or it has no sound.
    """

    def __init__(self, path: Path, what: str = "a film") -> None:
        try:
            import av
        except ImportError:
            raise SoundError(_MISSING.format(path=path, what=what)) from None
        self._path, self._failures = path, (av.error.FFmpegError, ValueError)
        self.notes: list[str] = []
        try:
            self._container: InputContainer = av.open(str(path))
        except (*self._failures, OSError) as error:
            raise self._unreadable(error) from None
        try:
            self._track = self._chosen()
            self._seen, self._damaged = 0.0, 0
            self._frames = self._decoded()
            first = next(self._frames, None)
            if first is None:
                raise SoundError(f"{path}: its sound track is empty; expected at least one sample: export it again")
        except BaseException:
            self._container.close()
            raise
        self._first = first
        self.rate, self.channels = float(first.sample_rate), len(first.layout.channels)
        self._zero = self._begin()

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def blocks(self) -> Iterator[Float32Array]:
        """Yield the sound from time 0 on, once: float32 (n, channels), full scale +-1."""
        written = silent = lead = 0
        for frame in self._all_frames():
            samples = self._samples_of(frame)
            gap = self._gap(frame, written)
            if gap > 0:
                silent, lead = silent + gap, lead if written else gap
                self._refuse_jump(silent, written)
                yield np.zeros((gap, self.channels), np.float32)
            elif gap < 0:
                samples = samples[-gap:]
            written += max(gap, 0) + len(samples)
            if len(samples):
                yield samples
        self._tell(written, silent - lead)

    def _chosen(self) -> AudioStream:
        import av

        tracks = self._container.streams.audio
        if not len(self._container.streams):
            raise self._unreadable(ValueError("nothing in it says what it holds, as when it is cut short"))
        if not tracks:
            raise SoundError(f"{self._path}: it has no sound track; expected one: choose a film with sound")
        marked = [each for each in tracks if each.disposition & av.stream.Disposition.default]
        chosen = (marked or tracks)[0]
        if len(tracks) > 1:
            language = "" if chosen.language in (None, "und") else chosen.language
            said = ", ".join(filter(None, (language, chosen.metadata.get("title"))))
            which = f"number {tracks.index(chosen) + 1}{f' ({said})' if said else ''}"
            self.notes.append(f"{self._path.name} has {len(tracks)} sound tracks; {which} is used")
        return chosen

    def _decoded(self) -> Iterator[AudioFrame]:
        """Yield the frames of the track; those that are damaged are counted."""
        pictures = [each for each in self._container.streams.video if not self._is_cover(each)]
        packets = self._container.demux([self._track, *pictures])
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                if packet.pts is not None and packet.time_base is not None:
                    self._seen = max(self._seen, float((packet.pts + (packet.duration or 0)) * packet.time_base))
                if packet.stream_index == self._track.index:
                    yield from packet.decode()  # type: ignore[misc]
            except self._failures as error:
                if isinstance(error, EOFError):
                    return
                self._damaged += 1

    @staticmethod
    def _is_cover(stream: object) -> bool:
        import av

        return bool(stream.disposition & av.stream.Disposition.attached_pic)  # type: ignore[attr-defined]

    def _begin(self) -> Fraction:
        """Return the stamp of the presentation's time 0, s."""
        streams = [*self._container.streams.audio, *self._container.streams.video]
        starts = [
            each.start_time * each.time_base
            for each in streams
            if each.start_time is not None and each.time_base is not None and not self._is_cover(each)
        ]
        return min(starts, default=self._stamp(self._first) or Fraction(0))

    @staticmethod
    def _stamp(frame: AudioFrame) -> Fraction | None:
        return None if frame.pts is None or frame.time_base is None else frame.pts * frame.time_base

    def _all_frames(self) -> Iterator[AudioFrame]:
        yield self._first
        yield from self._frames

    def _gap(self, frame: AudioFrame, written: int) -> int:
        """Return how many samples are missing before a frame; negative: so many of it are there already."""
        stamp = self._stamp(frame)
        if stamp is None:
            return 0
        gap = round((stamp - self._zero) * Fraction(self.rate)) - written
        return gap if not written or abs(gap) > _ROUNDED_S * self.rate else 0

    def _refuse_jump(self, silent: int, written: int) -> None:
        if silent > _LONGEST_S * self.rate:
            raise SoundError(
                f"{self._path}: by its stamps its sound goes on {silent / self.rate:.0f} s later at "
                f"{written / self.rate:.1f} s; expected at most {_LONGEST_S:.0f} s without sound: convert it to WAV"
            )

    def _samples_of(self, frame: AudioFrame) -> Float32Array:
        """Return a frame's samples (n, channels), full scale +-1."""
        if frame.sample_rate != self.rate or len(frame.layout.channels) != self.channels:
            raise SoundError(
                f"{self._path}: its sound changes from {self.rate:g} Hz and {self.channels} channels to "
                f"{frame.sample_rate} Hz and {len(frame.layout.channels)}; expected one of each: convert it to WAV"
            )
        values = frame.to_ndarray()
        samples = values.T if frame.format.is_planar else values.reshape(-1, self.channels)
        if samples.dtype == np.uint8:
            return np.asarray((samples.astype(np.float32) - 128) / 128)
        if samples.dtype.kind == "i":
            return np.asarray(samples / 2.0 ** (8 * samples.dtype.itemsize - 1), np.float32)
        return np.ascontiguousarray(samples, np.float32)

    def _tell(self, written: int, silent: int) -> None:
        """Note what was found while reading."""
        name = self._path.name
        if silent:
            self.notes.append(f"{name}: {silent / self.rate:.2f} s of its sound are missing; there is silence instead")
        if self._damaged:
            self.notes.append(f"{name}: {self._damaged} pieces of its sound are damaged; there is silence instead")
        # Microseconds, as FFmpeg has it.
        said = (self._container.duration or 0) / 1e6
        length = max(written / self.rate, self._seen - float(self._zero))
        if said > length + _SHORT_S and self._track.start_time is not None:
            self.notes.append(
                f"{name} is cut short: it says {said:.2f} s, and {length:.2f} s are there, which are used; copy it "
                "again if it should be longer"
            )

    def _unreadable(self, error: Exception) -> SoundError:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
        return SoundError(
            f"{self._path}: not a film or sound that can be read ({reason}); expected a whole MP4, M4A, Matroska, WebM "
            "or AAC: copy it again, or convert its sound to WAV"
        )
