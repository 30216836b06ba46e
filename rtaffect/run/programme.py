"""The sounds that a protocol plays, as a session's sound."""

from __future__ import annotations

from rtaffect.protocol.model import Protocol
from rtaffect.run.assemble import Sound
from rtaffect.run.stage import StageSound
from rtaffect.sources.programme import ProgrammeSource
from rtaffect.timelock.stimulus import PlannedOnsets


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
    def sound(self) -> Sound:
        """The sound of a session that hears nothing else."""
        return Sound(self.source, self.stimuli, self.lock)

    @property
    def stimuli(self) -> dict[str, str]:
        """The sounds' hashes, by the names that the lock gives them."""
        return {sound.sha256: sound.sha256 for sound in self.sounds.values()}

    @property
    def rate(self) -> float | None:
        """The rate of most of the files, Hz; None without any."""
        rates = [sound.rate for sound in self.sounds.values()]
        return max(rates, key=rates.count, default=None)
