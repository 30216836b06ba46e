"""What a program has in memory as a session: EEG and sound in arrays, or in chunks as they are made."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

from rtaffect.common.clock import clock_of
from rtaffect.common.errors import SettingsError
from rtaffect.common.settings import STEP_S
from rtaffect.plan.session_plan import SessionPlan
from rtaffect.predicted.featurizer import Progress
from rtaffect.run.assemble import Sound
from rtaffect.run.recognised import about_headsets, describe_headset
from rtaffect.run.session_sources import Beginning, SessionSources
from rtaffect.sources.chunks import ChunkSource
from rtaffect.sources.sound_file import SoundFileSource
from rtaffect.timelock.stimulus import KnownOnset


@dataclass(kw_only=True)
class MemorySources(SessionSources):
    """What a session in memory is made of.

    Attributes
    ----------
    sound
        A known sound, whose onset is known; or chunks of one that is not; None without any.
    start
        Time of the first sample of the EEG, s.
    begun
        When the known sound began, s after that.
    factor
        Session seconds in a second; None: as fast as possible.
    """

    sound: SoundFileSource | ChunkSource | None
    start: float
    begun: float
    factor: float | None

    @classmethod
    def of(
        cls,
        plan: SessionPlan,
        people: Mapping[str, ChunkSource],
        sound: SoundFileSource | ChunkSource | None,
        *,
        start: float,
        begun: float,
        factor: float | None,
    ) -> Self:
        """Return the session's sources; raises SettingsError if a known sound ends before the EEG begins."""
        if isinstance(sound, SoundFileSource) and begun <= -sound.duration_s:
            raise SettingsError(
                f"sound_start is {begun:g} s, and the sound lasts {sound.duration_s:.1f} s: it ends before the EEG "
                "begins",
                "the seconds from the EEG's first sample to the sound's",
            )
        return cls(
            plan=plan,
            analysis=plan.analysis,
            title="rtaffect session",
            people=list(people.values()),
            hears=sound is not None,
            notes=about_headsets(list(people.values())),
            sound=sound,
            start=start,
            begun=begun,
            factor=factor,
        )

    def ended(self, steps: int) -> str:
        """Return that there was too little EEG for any step."""
        return "" if steps else f"the EEG ends before its first step is whole: expected {STEP_S} s of samples or more"

    def begin(self, cleanup: ExitStack, progress: Progress) -> Beginning:
        """Begin with the EEG; where a sound is known, a whole number of steps before it, as a replay does."""
        origin, sound = self.start, self.sound
        about: dict[str, object] = {"eeg": [describe_headset(person) for person in self.people]}
        heard = None if sound is None else Sound(sound)
        if isinstance(sound, SoundFileSource):
            lead = math.ceil(self.begun)
            sound.onset = onset = self.start + self.begun
            origin = onset - lead
            heard = Sound.known(sound, sound.info.source_id, KnownOnset(float(lead)))
        return Beginning(origin, clock_of(origin, self.factor), heard, about)
