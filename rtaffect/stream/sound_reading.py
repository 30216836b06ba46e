"""Sound files block by block, to their very end: what is there counts, not what a header says of it.

WAV, FLAC, OGG, MP3, AIFF and others are read by libsndfile; films, and sound in their containers, by PyAV. Whatever
says how long a sound is, or reads one, reads it from here; so all agree.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from io import RawIOBase
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import numpy as np
import soundfile

from rtaffect.common.arrays import Float32Array
from rtaffect.common.errors import SoundError
from rtaffect.common.reading import path_problem, why
from rtaffect.stream.film_sound import FILM_ENDINGS, FilmSound, film_content
from rtaffect.stream.limits import LEAST_SOUND_RATE, MOST_LEVEL, MOST_RATE
from rtaffect.stream.mp3_frames import follow_frames
from rtaffect.stream.sound_container import contained
from rtaffect.stream.spliced_file import SplicedFile, Stretch

_BLOCK_FRAMES: Final = 1 << 16
#: A sound's head is looked at for what it is, bytes.
_HEAD: Final = 4096
_NO_SOUND: Final = (
    "{path}: not a sound that can be read ({reason}); expected WAV, FLAC, OGG or MP3: convert it, for example to WAV"
)


class SoundReading(Protocol):
    """An open sound: ``rate`` (Hz), ``channels``, and ``notes`` on it, which are complete once all has been read."""

    rate: float
    channels: int
    notes: list[str]

    def blocks(self) -> Iterator[Float32Array]:
        """Yield the sound once: float32 (n, channels), full scale +-1, finite."""

    def close(self) -> None:
        """Close the file."""


@contextmanager
def open_sound(path: Path) -> Iterator[SoundReading]:
    """Open a sound file, or the sound of a film.

    Parameters
    ----------
    path
        WAV, FLAC, OGG, MP3, AIFF and what else libsndfile reads; with the extra ``film`` also MP4, M4A, MOV, Matroska,
        WebM, AAC and what else PyAV reads.

    Raises
    ------
    SoundError
        If the file is missing or no sound; later, while blocks are read, if it holds NaN or infinite samples, or
        changes its rate or its number of channels.
    """
    head = _head(path)
    what = film_content(head)
    reading: SoundReading
    if what:
        reading = FilmSound(path, what)
    else:
        try:
            reading = _FileSound(path, head)
        except soundfile.LibsndfileError as error:
            reading = _other_sound(path, error)
    try:
        yield _Checked(path, reading)
    finally:
        reading.close()


class SoundLength(NamedTuple):
    """How long a sound lasts, s, and what is to be known of its file, one line each."""

    seconds: float
    notes: tuple[str, ...]


#: What was found by reading files to their end, by what they were then.
_LENGTHS: Final[dict[tuple[Path, int, int], SoundLength]] = {}


def sound_length(path: Path) -> SoundLength:
    """Return how long a sound lasts, by decoding it; raises SoundError. It is kept while the file is as it was."""
    _head(path)
    if (found := _LENGTHS.get(_as_it_is(path))) is None:
        with open_sound(path) as sound:
            seconds = sum(len(block) for block in sound.blocks()) / sound.rate
            found = SoundLength(seconds, tuple(sound.notes))
    return found


def _as_it_is(path: Path) -> tuple[Path, int, int]:
    about = path.stat()
    return path.absolute(), about.st_size, about.st_mtime_ns


class _Checked:
    """Another reading, of which rate and samples are checked, and whose length is kept when it has come to its end."""

    def __init__(self, path: Path, reading: SoundReading) -> None:
        self._path, self._key, self._reading = path, _as_it_is(path), reading
        self.rate, self.channels, self.notes = reading.rate, reading.channels, reading.notes
        if not LEAST_SOUND_RATE <= self.rate <= MOST_RATE:
            raise SoundError(
                f"{path}: the sound's rate is {self.rate:g} Hz; expected {LEAST_SOUND_RATE:g} to {MOST_RATE:g} Hz: "
                "its header is damaged, or it is no sound; export it again"
            )

    def blocks(self) -> Iterator[Float32Array]:
        """Yield the sound once."""
        count = 0
        for block in self._reading.blocks():
            count += len(block)
            yield self._checked(block)
        _LENGTHS[self._key] = SoundLength(count / self.rate, tuple(self.notes))

    def close(self) -> None:
        """Close the file."""
        self._reading.close()

    def _checked(self, block: Float32Array) -> Float32Array:
        level = float(np.abs(block).max(initial=0.0))
        if not math.isfinite(level):
            raise SoundError(
                f"{self._path}: the sound holds NaN or infinite samples; expected finite ones: export it again, as "
                "16-bit WAV"
            )
        if level > MOST_LEVEL:
            raise SoundError(
                f"{self._path}: the sound's samples reach {level:.3g}; expected full scale to be 1: its numbers were "
                "not scaled, or it is damaged; export it again, as 16-bit WAV"
            )
        return block


def read_samples(path: Path) -> tuple[Float32Array, float]:
    """Return the samples (n, channels) of a sound, full scale +-1, and their rate, Hz; raises SoundError."""
    with open_sound(path) as sound:
        blocks = list(sound.blocks())
        if not blocks:
            raise SoundError(f"{path}: the sound is empty; expected at least one sample: export it again")
        return np.concatenate(blocks), sound.rate


def _head(path: Path) -> bytes:
    """Return what a file begins with; SoundError if it is missing, no file, or empty."""
    if wrong := path_problem(path):
        raise SoundError(f"{path!s:.80}: {wrong}: correct the path")
    if path.is_dir():
        raise SoundError(f"{path}: a folder; expected a sound (WAV, FLAC, OGG, MP3): name the file in it")
    if not path.is_file():
        raise SoundError(f"{path}: no such file; expected a sound (WAV, FLAC, OGG, MP3): check the path")
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise SoundError(
            f"{path} cannot be read ({why(error)}); expected a sound: ask for the right to read it, or copy it again"
        ) from None
    if not head:
        raise SoundError(f"{path}: the file is empty (0 bytes); expected a sound: copy or export it again")
    if not any(head) and len(head) == path.stat().st_size:
        raise SoundError(f"{path}: the file holds nothing but zeros; expected a sound: copy it again")
    return head


def _other_sound(path: Path, error: soundfile.LibsndfileError) -> SoundReading:
    """Open what libsndfile cannot; what is no sound to PyAV either is told by libsndfile's words."""
    try:
        return FilmSound(path)
    except SoundError as other:
        if path.suffix.lower() in FILM_ENDINGS:
            raise other from None
    reason = error.error_string.rstrip(".") or "its format is damaged or not known"
    raise SoundError(_NO_SOUND.format(path=path, reason=reason)) from None


class _StraightFile(soundfile.SoundFile):  # type: ignore[misc]
    """Read from its begin to its end, without ever seeking, which fails in some files that are cut short."""

    def seekable(self) -> bool:
        """Return that it is not."""
        return False


class _FileSound:
    """A sound file that libsndfile reads, as :class:`SoundReading`; LibsndfileError if it cannot be opened."""

    def __init__(self, path: Path, head: bytes) -> None:
        self._path, self.notes = path, list[str]()
        #: How much of what the header says is there, and how many frames it says.
        self._share, self._said = 1.0, 0
        #: What is decoded one after another, None for the whole file.
        self._parts = self._parts_of(head)
        self._open, self._file = self._opened(self._parts[0])
        self.rate, self.channels = float(self._file.samplerate), int(self._file.channels)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        if self._open is not None:
            self._open.close()

    def blocks(self) -> Iterator[Float32Array]:
        """Yield the sound once."""
        count = 0
        for number, part in enumerate(self._parts):
            if number:
                self.close()
                self._open, self._file = self._opened(part)
                self._refuse_change(count)
            for block in self._straight():
                count += len(block)
                yield block
        self._tell(count)

    def _parts_of(self, head: bytes) -> tuple[list[Stretch] | None, ...]:
        """Return what is decoded one after another, None for the whole file, and note what is known of it by now."""
        found = contained(self._path)
        self._share, self._said = found.share, found.said or 0
        self.notes += found.notes
        if found.parts:
            return found.parts
        if head[:4] in (b"RIFF", b"FORM", b"OggS", b"fLaC"):
            return (None,)
        frames = follow_frames(self._path)
        if frames is None:
            return (None,)
        self._said = frames.said or 0
        self.notes += frames.notes
        return (frames.stretches,)

    def _opened(self, part: list[Stretch] | None) -> tuple[RawIOBase | None, soundfile.SoundFile]:
        if part is None:
            return None, _StraightFile(self._path)
        spliced = SplicedFile(self._path, part)
        try:
            return spliced, _StraightFile(spliced)
        except BaseException:
            spliced.close()
            raise

    def _straight(self) -> Iterator[Float32Array]:
        """Yield a part to its end, or to where it cannot be read on."""
        while True:
            # What is not NaN afterwards was read, also where it then fails.
            block = np.full((_BLOCK_FRAMES, self.channels), np.nan, np.float32)
            try:
                block = block[: len(self._file.read(out=block))]
            except soundfile.LibsndfileError:
                yield block[: int(np.isnan(block).any(axis=1).argmax())]
                return
            if not len(block):
                return
            yield block

    def _refuse_change(self, count: int) -> None:
        if (self._file.samplerate, self._file.channels) != (self.rate, self.channels):
            raise SoundError(
                f"{self._path}: its sound changes from {self.rate:g} Hz and {self.channels} channels to "
                f"{self._file.samplerate} Hz and {self._file.channels} at {count / self.rate:.1f} s; expected one of "
                "each: convert it to WAV"
            )

    def _tell(self, count: int) -> None:
        """Note a sound of ``count`` frames of which its header says something else."""
        name, said = self._path.name, self._said or round(count / self._share)
        lengths = f"it says {said / self.rate:.2f} s, and {count / self.rate:.2f} s are there, which are used"
        if said > count:
            self.notes.append(f"{name} is cut short or damaged: {lengths}; copy it again if it should be longer")
        elif said < count:
            self.notes.append(
                f"{name} was joined of several sounds, or its header is wrong: {lengths}; players may differ by .1 s "
                "after a joint: convert it to WAV, and let people hear that"
            )
