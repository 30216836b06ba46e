"""What people hear, whoever plays it, as a session's sound."""

from __future__ import annotations

from rtaffect.protocol.model import Protocol
from rtaffect.run.assemble import Sound
from rtaffect.run.stage import StageSound
from rtaffect.sources.programme import ProgrammeSource
from rtaffect.sources.sound_file import SoundFileSource
from rtaffect.stream.source import Source
from rtaffect.timelock.alignment import Aligner
from rtaffect.timelock.stimulus import KnownOnset, MarkerOnset, MarkerSource, PlannedOnsets, SoundOnset, TimeLock


class Programme:
    """The sounds that a protocol plays: what brings them to the engine, and what tells where in them the session is.

    Raises
    ------
    SoundError
        If one cannot be read.
    """

    def __init__(self, protocol: Protocol) -> None:
        paths = dict.fromkeys(block.sound for block in protocol.blocks if block.sound is not None)
        self.sounds = {path: StageSound.read(path) for path in paths}
        self.source, self.lock = ProgrammeSource(), PlannedOnsets()

    @classmethod
    def of(cls, protocol: Protocol) -> Programme | None:
        """Return the programme of a protocol; None where it plays nothing. Raises SoundError as the class does."""
        return cls(protocol) if any(block.sound is not None for block in protocol.blocks) else None

    @property
    def stimuli(self) -> dict[str, str]:
        """The sounds' hashes, by the names that the lock gives them."""
        return {sound.sha256: sound.sha256 for sound in self.sounds.values()}

    @property
    def rate(self) -> float | None:
        """The rate of most of the files, Hz; None without any."""
        rates = [sound.rate for sound in self.sounds.values()]
        return max(rates, key=rates.count, default=None)


class SessionSound:
    """What a session hears, and where in a known stimulus that is, before the session's zero is known.

    Parameters
    ----------
    file
        The known stimulus, None without one.
    captured
        What is listened to; None where nothing is but the file, or the programme.
    marker
        What brings markers, and the one that says when the file begins; without it, it is found in what is captured,
        or begins at the session's zero.
    programme
        What the protocol plays, in place of a file.

    Raises
    ------
    SoundError
        If the file is to be found in what is captured, and cannot be recognised.
    """

    def __init__(
        self,
        file: SoundFileSource | None,
        captured: Source | None = None,
        marker: tuple[MarkerSource, str] | None = None,
        programme: Programme | None = None,
    ) -> None:
        self.file, self.marker, self.programme = file, marker, programme
        self.source: Source | None = captured or (programme.source if programme is not None else file)
        found = file is not None and captured is not None and marker is None
        self._aligner = Aligner(file.sound) if file is not None and found else None

    def sound(self, origin: float) -> Sound | None:
        """Return the sound of the session whose zero is ``origin``, s on the LSL clock; None where it hears nothing."""
        if self.source is None:
            return None
        if self.programme is not None:
            return Sound(self.source, self.programme.stimuli, self.programme.lock)
        if self.file is None:
            return Sound(self.source)
        return Sound.known(self.source, self.file.info.source_id, self._lock(self.file, origin))

    def _lock(self, file: SoundFileSource, origin: float) -> TimeLock:
        if self._aligner is not None:
            return SoundOnset(self._aligner, origin)
        if self.marker is not None:
            return MarkerOnset(*self.marker, origin, file if self.source is file else None)
        file.onset = origin
        return KnownOnset(0.0)
