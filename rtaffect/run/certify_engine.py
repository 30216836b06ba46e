"""The engine of a session that is certified: what each of its steps read, and when, is kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pylsl import local_clock

from rtaffect.common.arrays import Float32Array, FloatArray
from rtaffect.common.settings import Settings
from rtaffect.engine.engine import Engine
from rtaffect.engine.feedback import Feedback
from rtaffect.observed.signal_path import SignalPath
from rtaffect.observed.spaces import ChannelSpace
from rtaffect.outputs.sound_player import SoundPlayer
from rtaffect.predicted.featurizer import Featurizer
from rtaffect.predicted.sound_input import SoundInput
from rtaffect.stream.source import Source


@dataclass(frozen=True, slots=True)
class StepSeen:
    """What was noted of a step: its Feedback, when it was due, begun and made, and its newest EEG, s (LSL clock).

    ``newest`` is the time of the newest EEG sample that could enter it, of the headset that is latest; ``player_lag_s``
    is where the player says that the sound is against its place, ``player_zero`` when its device's first frame left, s.
    """

    feedback: Feedback
    due: float
    begun: float
    made: float
    newest: float
    player_lag_s: float
    player_zero: float


class Listener:
    """Stands for a featurizer where the sound is only listened to: it has the same second, and makes nothing of it."""

    size, seconds, warming_up = 1, 0, False

    def stream(self) -> Listener:
        """Return itself."""
        return self

    def reset(self) -> None:
        """Do nothing: it knows nothing of before."""

    def step(self, second: Float32Array) -> Float32Array:
        """Return one zero for a second (16000,)."""
        return np.zeros(1, np.float32)


class CertifiedEngine(Engine):
    """The session's engine, from which is kept what each step read of EEG and sound, and when.

    Attributes
    ----------
    seen : list of StepSeen
        By step.
    eeg : list of FloatArray
        By step, its second as it was compared, the mean over channels (people, rate_hz), V.
    sound : dict of int to Float32Array
        By number of the second, from 1, the sound (16000,) that a featurizer would have been given.
    late_seconds : int
        Seconds of sound that came too late for their own step.
    """

    def __init__(
        self,
        people: Sequence[Source],
        settings: Settings,
        origin: float,
        sound: Source | None,
        featurizer: Featurizer | None = None,
    ) -> None:
        reads: Any = featurizer or Listener()
        self._heard = SoundInput(sound, reads, origin) if sound is not None else None
        space = ChannelSpace(people[0].info.channels, settings.signal.average_reference)
        super().__init__(people, space, settings, origin, sound=sound, sound_input=self._heard)
        # Until when after a step's end samples of EEG enter it, s.
        self._ahead_s = SignalPath(settings.signal, people[0].info.rate, 1).lookahead_s
        self._headsets = people
        self.player: SoundPlayer | None = None
        self.on_step: Callable[[int], None] = lambda step: None
        self.seen: list[StepSeen] = []
        self.eeg: list[FloatArray] = []
        self.sound: dict[int, Float32Array] = {}
        self.late_seconds = 0

    def prepare(self, present: Callable[[], float]) -> None:
        """Do what can be done for the next step, once it is noted what the one before had read."""
        self.note()
        super().prepare(present)

    def step(self, now: float, **told: Any) -> Feedback:
        """Make the next step, and note when that was."""
        self.note()
        begun = local_clock()
        newest = min(person.buffer.newest for person in self._headsets)
        feedback = super().step(now, **told)
        made, due = local_clock(), feedback.lsl_time + self.lookahead_s
        said = (self.player.lag_s, self.player.device_zero) if self.player is not None else (math.nan, math.nan)
        newest = min(newest, feedback.lsl_time + self._ahead_s)
        self.seen.append(StepSeen(feedback, due, begun, made, newest, *said))
        return feedback

    def note(self) -> None:
        """Note what the newest step read, if that is not done: its values have left, and did not wait for this."""
        if len(self.eeg) == len(self.seen):
            return
        step = self.seen[-1].feedback.step
        with np.errstate(all="ignore"):
            self.eeg.append(np.stack([_mean(self.second(person)) for person in range(len(self._headsets))]))
        for second in self._heard.heard if self._heard is not None else ():
            self.late_seconds += second.number != step
            if second.sound is not None:
                self.sound[second.number] = second.sound
        self.on_step(step)


def _mean(second: FloatArray) -> FloatArray:
    """Return the mean (n,) over the channels of ``second`` (n, channels) that are there throughout, NaN without any."""
    there = np.isfinite(second).all(axis=0)
    return second[:, there].mean(axis=1) if there.any() else np.full(len(second), np.nan)
