"""One turn a second: what came in since the last step goes in, one frozen Feedback comes out."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import FloatArray
from rtaffect.common.settings import STEP_S, Settings
from rtaffect.common.threads import one_thread
from rtaffect.engine.feedback import Feedback
from rtaffect.observed.observer import GroupObserver, ReferenceObserver
from rtaffect.observed.participant import Participant
from rtaffect.observed.response import Response
from rtaffect.observed.spaces import Space
from rtaffect.observed.synchrony import Observation
from rtaffect.predicted.prediction import Prediction, Predictor
from rtaffect.predicted.sound_input import SoundInput
from rtaffect.stream.source import Source
from rtaffect.timelock.alignment import Alignment
from rtaffect.timelock.stimulus import TimeLock

#: Why a session without a sound predicts nothing, in words.
NO_SOUND: Final = "no sound to predict from"

Against = Literal["reference", "group", "nothing"]
#: Mean responses (time, M * k) by stimulus.
References = Mapping[str, NDArray[np.float32]]


class Compared(NamedTuple):
    """An observation, what the people were compared with, and why there is no value."""

    observation: Observation
    against: Against
    reason: str = ""


class Engine:
    """Turns samples into Feedback, step by step; owns all state between steps and knows no clock.

    Parameters
    ----------
    people
        Headsets, one per person.
    space
        What the rows are.
    settings
        The analysis.
    origin
        LSL time of the session's zero, s. Step k ends at ``origin + k * STEP_S``.
    sound, sound_input, predictor
        The sound, how it is read, and what predicts from it; all three or none.
    lock
        What tells where in a known stimulus the session is.
    references
        By stimulus as ``lock`` names it, a group's mean response (time, M * k), as people's responses are, at the
        settings' ``rate_hz``: what people are compared with while ``lock``, which they need, says where. Without any
        they are compared with each other.
    """

    def __init__(
        self,
        people: Sequence[Source],
        space: Space,
        settings: Settings,
        origin: float,
        *,
        sound: Source | None = None,
        sound_input: SoundInput | None = None,
        predictor: Predictor | None = None,
        lock: TimeLock | None = None,
        references: References = MappingProxyType({}),
    ) -> None:
        if references and lock is None:
            raise ValueError("a reference needs a lock: what tells when its stimulus began")
        self.space, self.origin, self.settings = space, origin, settings
        self.sources = [*people, *([sound] if sound is not None else [])]
        partial = space.kind != "channels"
        self._participants = [Participant(p, space.channels, settings, origin, partial=partial) for p in people]
        self._responses = [Response(space, settings) for _ in people]
        self._sound_input, self._predictor, self._lock = sound_input, predictor, lock
        self._references = references
        self._observer, self._against = self._observer_for(next(iter(references.values()), None))
        self._step = 0

    def _observer_for(
        self, reference: NDArray[np.float32] | None
    ) -> tuple[ReferenceObserver | GroupObserver | None, Against]:
        people, rate, how = len(self._responses), self.settings.signal.rate_hz, self.settings.synchrony
        layout = self._responses[0].layout if people else self.space.layout
        if reference is not None:
            return ReferenceObserver(people, reference, None, rate, how, layout=layout), "reference"
        if people > 1:
            return GroupObserver(people, rate, how, layout=layout), "group"
        return None, "nothing"

    @property
    def people(self) -> tuple[str, ...]:
        """Names of the headsets."""
        return tuple(participant.name for participant in self._participants)

    @property
    def lookahead_s(self) -> float:
        """How much later than a step's end the samples must reach for it to be complete, s."""
        ahead = [participant.lookahead_s for participant in self._participants]
        return max([*ahead, self._sound_input.lookahead_s if self._sound_input else 0.0])

    def end_of(self, step: int) -> float:
        """Return the LSL time at which ``step`` ends, s."""
        return self.origin + step * STEP_S

    @one_thread()
    def step(self, now: float) -> Feedback:
        """Make the next step with the samples that have come; ``now`` (LSL time, s) is for the ages only."""
        self._step += 1
        step = self._step
        spent: dict[str, float] = {}
        with _timed(spent, "eeg"):
            second = np.stack([self._respond(person, step) for person in range(len(self._participants))])
        with _timed(spent, "features"):
            feature = self._hear(step)
        with _timed(spent, "alignment"):
            alignment = self._align()
        with _timed(spent, "prediction"):
            prediction = self._predictor(feature) if self._predictor and feature is not None else None
        with _timed(spent, "synchrony"):
            compared = self._observe(step, second, alignment)
        return self._feedback(now, prediction or _no_prediction(len(self.space.rows)), compared, alignment, spent)

    def _respond(self, person: int, step: int) -> FloatArray:
        participant = self._participants[person]
        participant.advance(step)
        return self._responses[person](participant.window(step, STEP_S))

    def _hear(self, step: int) -> FloatArray | None:
        if self._sound_input is None:
            return None
        self._sound_input.advance(step)
        return self._sound_input.feature(step)

    def _align(self) -> Alignment | None:
        if self._lock is None:
            return None
        return self._lock.step(self._sound_input.heard if self._sound_input is not None else ())

    def _observe(self, step: int, second: FloatArray, alignment: Alignment | None) -> Compared:
        window = self.settings.synchrony.window_s
        reference = self._references.get(self._lock.stimulus) if self._lock is not None else None
        if isinstance(self._observer, ReferenceObserver) and alignment is not None and alignment.state == "locked":
            if reference is None:
                self._observer(second)
                return self._nothing("the bundle has no reference for this sound")
            self._observer.place(round(alignment.offset_s * self.settings.signal.rate_hz), reference)
        observation = self._observer(second) if self._observer is not None else None
        if step < window:
            return self._nothing(f"the first window fills in {window - step} s")
        if withheld := self._withheld(step, alignment):
            return self._nothing(withheld)
        if observation is not None:
            return Compared(observation, self._against)
        if self._observer is None:
            return self._nothing("one headset and no reference for this sound: nothing to compare with")
        return self._nothing("the window is not inside the sound that the reference group heard")

    def _withheld(self, step: int, alignment: Alignment | None) -> str:
        """Return why no window may be compared with the reference now; empty where one may."""
        if self._against != "reference" or alignment is None or self._lock is None:
            return ""
        if alignment.state != "locked":
            return alignment.reason
        held, window = step * STEP_S - self._lock.since, self.settings.synchrony.window_s
        if held >= window:
            return ""
        return f"the sound has been aligned for {held:g} s of the {window} s that are compared"

    def _nothing(self, reason: str) -> Compared:
        return Compared(_no_observation(len(self._participants), len(self.space.rows)), "nothing", reason)

    def _feedback(
        self,
        now: float,
        p: Prediction,
        compared: Compared,
        alignment: Alignment | None,
        spent: dict[str, float],
    ) -> Feedback:
        o, step, window_s = compared.observation, self._step, self.settings.synchrony.window_s
        quality = np.array([participant.quality(step, window_s) for participant in self._participants])
        warnings = [alignment.reason if alignment else "", self._poor(quality)]
        reasons = [compared.reason, *warnings, *self._why_not(o, p, compared.reason)]
        whole = np.isfinite(o.mean) & np.isfinite(o.low) & (np.isfinite(p.value) | (self._predictor is None))
        return Feedback(
            step=step,
            time=float(step * STEP_S),
            lsl_time=self.end_of(step),
            rows=self.space.rows,
            row_kinds=self.space.row_kinds,
            specificity=self.space.specificity,
            mean_of=self.space.mean_of,
            channels=self.space.channels,
            people=self.people,
            predicted=p.value,
            predicted_low=p.low,
            predicted_high=p.high,
            predicted_mean=p.overall,
            predicted_mean_low=p.overall_low,
            predicted_mean_high=p.overall_high,
            observed=o.mean,
            observed_each=o.each,
            null_low=o.low,
            null_high=o.high,
            observed_mean=o.overall,
            null_mean_low=o.overall_low,
            null_mean_high=o.overall_high,
            quality=quality,
            trusted=whole & self.space.resolved & (not any(warnings)),
            observed_against=compared.against,
            reason="; ".join(dict.fromkeys(filter(None, reasons))),
            sources=tuple(s.status(now) for s in self.sources),
            alignment=alignment,
            stage_s=spent,
        )

    def _poor(self, quality: FloatArray) -> str:
        """Return whose channels are too often bad for rows that are made of all of them; empty where none are."""
        if self.space.kind == "channels":
            return ""
        least = self.settings.synchrony.min_good
        poor = [p.name for p, q in zip(self._participants, quality, strict=True) if q.mean() < least]
        return f"{', '.join(poor)}: less than {least:.0%} of the channels are good" if poor else ""

    def _why_not(self, observation: Observation, prediction: Prediction, given: str) -> list[str]:
        """Return in words why values are missing that the observation itself gave no reason for."""
        reasons = [participant.unit_warning for participant in self._participants]
        if self._predictor is None:
            reasons.append(NO_SOUND)
        elif np.isnan(prediction.value).all():
            reasons.append("prediction waits for enough sound without a gap")
        elif self._sound_input is not None and self._sound_input.warming_up:
            reasons.append("the featurizer has not heard a whole context yet")
        if np.isfinite(observation.mean).any() and np.isnan(observation.low).all():
            reasons.append("the null band waits for more data")
        elif np.isnan(observation.mean).all() and not given:
            reasons.append("too little good EEG in the window")
        return reasons


def _no_observation(people: int, rows: int) -> Observation:
    nothing = np.full(rows, np.nan)
    return Observation(np.full((people, rows), np.nan), nothing, nothing, nothing, math.nan, math.nan, math.nan)


def _no_prediction(rows: int) -> Prediction:
    nothing = np.full(rows, np.nan)
    return Prediction(nothing, nothing, nothing, math.nan, math.nan, math.nan)


@contextmanager
def _timed(spent: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    spent[stage] = time.perf_counter() - start
