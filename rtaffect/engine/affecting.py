"""What is told of affect beside synchrony at each step, by the same trust."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from rtaffect.affect.reader import AffectReader, Described, Relied
from rtaffect.affect.values import AffectValues
from rtaffect.common.arrays import FloatArray
from rtaffect.common.settings import Settings
from rtaffect.engine.found import timed
from rtaffect.engine.trust import Trust
from rtaffect.observed.participant import Participant
from rtaffect.observed.spaces import Space
from rtaffect.predicted.kept_sound import KeptSound
from rtaffect.predicted.sound_input import HeardSecond, SoundInput

_NO_SOUND: Final = "there is no sound"


class Affecting:
    """What is told of affect; or nothing.

    Parameters
    ----------
    reader
        Reads it; None for nothing.
    participants, space, settings
        The EEG's way to synchrony, which affect goes, too, where it is the very same.
    hears
        Whether there is a sound.
    """

    def __init__(
        self,
        reader: AffectReader | None,
        participants: Sequence[Participant],
        space: Space,
        settings: Settings,
        *,
        hears: bool,
    ) -> None:
        self.reader, self._hears = reader, hears
        self._window_s, self._step = settings.synchrony.window_s, 0
        if reader is not None:
            # Where other channels may be missing, they are judged by what is there.
            reader.share(participants, settings, space.channels if space.kind == "channels" else ())

    @property
    def described(self) -> Described | None:
        """What is known of it before the first value; None for nothing."""
        return self.reader.described if self.reader is not None else None

    @property
    def reach_s(self) -> int | None:
        """How far back its values reach, s; None for nothing."""
        return self.reader.described.reach_s if self.reader is not None else None

    @property
    def paths(self) -> Sequence[Participant]:
        """The EEG's second ways, in people's order; none where there is one for both."""
        return self.reader.paths if self.reader is not None else ()

    @property
    def lookahead_s(self) -> float:
        """How much later than a step the samples must reach, s."""
        return self.reader.lookahead_s if self.reader is not None else 0.0

    @property
    def sound_s(self) -> float:
        """How much sound a value rests on, s."""
        return self.reader.sound_s if self.reader is not None and self._hears else 0.0

    @property
    def wants_rest(self) -> bool:
        """Whether people's own rest is subtracted."""
        return self.reader is not None and self.reader.settings.baseline == "rest"

    def baselines(self) -> dict[str, FloatArray]:
        """Return people's rests (C, F), nats, that nothing can change any more, by their names."""
        return self.reader.baselines(self._step, self._window_s) if self.reader is not None else {}

    def rests(self, resting: bool) -> None:
        """Say whether people rest in the next second."""
        if self.reader is not None:
            self.reader.resting = resting

    def prepare(self, step: int) -> None:
        """Take in what has come so far of seconds 1 to ``step``."""
        if self.reader is not None:
            self.reader.prepare(step)

    def advance(self, step: int, before: Mapping[str, float]) -> None:
        """Take in all samples of seconds 1 to ``step``, up to ``before`` (s, LSL clock) where that says."""
        if self.reader is not None:
            self.reader.advance(step, before)

    def hear_early(self, second: HeardSecond) -> None:
        """Take in a second of sound before the step at which it is heard."""
        if self.reader is not None:
            self.reader.hear_early(second)

    def hear(self, sound: SoundInput | KeptSound | None, *, left_out: bool) -> None:
        """Take in what was heard at a step."""
        if self.reader is not None and sound is not None:
            self.reader.hear(sound.heard, left_out=left_out)

    def __call__(
        self, step: int, trust: Trust, people: Sequence[str], spent: dict[str, float]
    ) -> tuple[AffectValues, ...]:
        """Return everybody's affect at ``step``, and note in ``spent`` how long that takes, s."""
        self._step = step
        if self.reader is None:
            return ()
        said = tuple(_words(trust, "person", part=name) or "the EEG cannot be relied on" for name in people)
        sound = "" if trust.prediction else _words(trust, "sound", "place") or "the sound cannot be relied on"
        relied = Relied(trust.missing, trust.withheld, trust.foreign, said, sound if self._hears else _NO_SOUND)
        with timed(spent, "affect"):
            return self.reader.step(step, relied)


def _words(trust: Trust, *about: str, part: str | None = None) -> str:
    """Return what is in doubt ``about`` something, of a ``part`` or of any, each once."""
    found = (d.words for d in trust.doubts if d.about in about and part in (None, d.part))
    return "; ".join(dict.fromkeys(found))
