"""One turn a second: what came in since the last step goes in, one frozen Feedback comes out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rtaffect.affect.reader import AffectReader
from rtaffect.common.arrays import FloatArray
from rtaffect.common.settings import STEP_S, Settings
from rtaffect.common.threads import one_thread
from rtaffect.engine.affecting import Affecting
from rtaffect.engine.element_stage import ElementStage, Predicted
from rtaffect.engine.feedback import Feedback
from rtaffect.engine.found import Against, Compared, Found, Made, feedback_of, timed
from rtaffect.engine.hearing import Hearing
from rtaffect.engine.measuring import Measuring
from rtaffect.engine.pace import Pace
from rtaffect.engine.patience import PATIENCE_S
from rtaffect.engine.rated import Rated
from rtaffect.engine.reasons import (
    NO_BUNDLE,
    NO_SOUND,
    not_compared,
    of_observation,
    of_people,
    of_prediction,
    poor,
)
from rtaffect.engine.scale import UNKNOWN_SIZE, for_people, people_here
from rtaffect.engine.taken import RecordedDoubts, arrivals, taken_until
from rtaffect.engine.trust import Trust, doubts_about, doubts_of, judge, with_lateness
from rtaffect.observed.observer import GroupObserver, ReferenceObserver
from rtaffect.observed.response import Response
from rtaffect.observed.spaces import Space
from rtaffect.observed.synchrony import Observation
from rtaffect.predicted.element_prediction import ElementPrediction
from rtaffect.predicted.kept_sound import KeptSound
from rtaffect.predicted.prediction import Prediction, Predictor
from rtaffect.predicted.sound_input import SoundInput
from rtaffect.stream.doubt import Doubts
from rtaffect.stream.source import Source
from rtaffect.stream.status import SourceStatus
from rtaffect.timelock.alignment import Alignment
from rtaffect.timelock.stimulus import TimeLock

#: Mean responses (time, M * k) by stimulus.
References = Mapping[str, NDArray[np.float32]]
#: A step that is made later than this after it could be, s, is of the past: its values are marked late.
LATE_S: Final = 1.0


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
        The sound, and where something predicts from it, how it is read and what does.
    lock
        What tells where in a known stimulus the session is.
    references
        By stimulus as ``lock`` names it, a group's mean response (time, M * k), as people's responses are, at the
        settings' ``rate_hz``: what people are compared with while ``lock``, which they need, says where. Without any
        they are compared with each other.
    recorded
        What was in doubt at each step of a session that is replayed, where it is recorded: it holds in place of what
        is found now, so that the same values are withheld again.
    late_s
        A step that is made later than this after it could be, s, is marked late; inf where none can be.
    measures
        What is measured beside synchrony.
    fitted_people
        Of how many people, per row (R,), the synchrony was that ``predictor`` was fitted to; NaN where not known.
        Among people who are compared with each other it is needed: predictions are brought to their number.
    rated
        Where rows are ratings, what is predicted of them and what the participant says.
    affect
        What reads affect beside synchrony.
    elements
        What predicts from voice and background alone; None where nothing does.

    Attributes
    ----------
    place : Doubts
        Times at which a sound is not heard when it seems to be, s on the LSL clock: told by whoever plays it.
    pace : Pace
        Leaves the featurizer out where steps cannot keep up.
    """

    def __init__(
        self,
        people: Sequence[Source],
        space: Space,
        settings: Settings,
        origin: float,
        *,
        sound: Source | None = None,
        sound_input: SoundInput | KeptSound | None = None,
        predictor: Predictor | None = None,
        lock: TimeLock | None = None,
        references: References = MappingProxyType({}),
        recorded: RecordedDoubts | None = None,
        late_s: float = LATE_S,
        measures: Measuring | None = None,
        fitted_people: FloatArray | None = None,
        rated: Rated | None = None,
        affect: AffectReader | None = None,
        elements: ElementStage | None = None,
    ) -> None:
        if references and lock is None:
            raise ValueError("a reference needs a lock: what tells when its stimulus began")
        self.space, self.origin, self.settings = space, origin, settings
        self.measures, self._hears, self.rated = measures or Measuring(), sound is not None, rated
        beside = (*self.measures.sources, *(rated.sources if rated is not None else ()))
        self.sources = [*people, *beside, *([sound] if sound is not None else [])]
        self._participants = self.measures.participants(people, space, settings, origin)
        self._responses = [Response(space, settings) for _ in people]
        self.affect = Affecting(affect, self._participants, space, settings, hears=self._hears)
        self._sound_input, self._predictor, self._lock = sound_input, predictor, lock
        self._references, self.elements = references, elements
        self._observer, self._against = self._observer_for(next(iter(references.values()), None))
        self._fitted = np.full(len(space.rows), np.nan) if fitted_people is None else fitted_people
        # Among people present nothing is predicted where it is not known for how many the weights are.
        sized = self._against != "group" or bool(np.isfinite(self._fitted).any())
        self._unsized = UNKNOWN_SIZE if predictor is not None and not sized else ""
        self._recorded, self._late_s = recorded, late_s
        self.place, self.pace = Doubts(), Pace(late_s)
        self._hearing = Hearing(sound_input, self.affect, self.pace) if sound_input is not None else None
        # Which seconds of the window were used of each person, oldest first, and which of them were forgotten since.
        self._used = np.zeros((len(people), settings.synchrony.window_s), np.bool_)
        self._forgotten = self._used.copy()
        self._step = 0

    def _observer_for(
        self, reference: NDArray[np.float32] | None
    ) -> tuple[ReferenceObserver | GroupObserver | None, Against]:
        people, rate, how = len(self._responses), self.settings.signal.rate_hz, self.settings.synchrony
        layout = self._responses[0].layout if people else self.space.layout
        if reference is not None:
            return ReferenceObserver(people, reference, None, rate, how, layout=layout), "reference"
        if people > 1 and self.rated is None:
            return GroupObserver(people, rate, how, layout=layout), "group"
        return None, "nothing"

    @property
    def _predicts(self) -> bool:
        return self._predictor is not None and not self._unsized

    @property
    def people(self) -> tuple[str, ...]:
        """Names of the headsets."""
        return tuple(participant.name for participant in self._participants)

    @property
    def lookahead_s(self) -> float:
        """How much later than a step's end the samples must reach for it to be complete, s."""
        ahead = [self.affect.lookahead_s, *(participant.lookahead_s for participant in self._participants)]
        return max([*ahead, self._sound_input.lookahead_s if self._sound_input else 0.0])

    def second(self, person: int) -> FloatArray:
        """Return the newest step's second of a person's EEG (n, channels), V, as it was compared; NaN where bad."""
        return self._participants[person].window(self._step, STEP_S)

    def end_of(self, step: int) -> float:
        """Return the LSL time at which ``step`` ends, s."""
        return self.origin + step * STEP_S

    def needs(self, step: int) -> tuple[float, ...]:
        """Return for each of the sources until when its samples must reach for ``step``, s on the LSL clock."""
        ahead = [max(each.lookahead_s, self.affect.lookahead_s) for each in self._participants]
        ahead += [0.0] * len(self.measures.sources)
        ahead += self.rated.needs if self.rated is not None else ()
        if self._hears:
            ahead.append(self._sound_input.lookahead_s if self._sound_input else 0.0)
        return tuple(self.end_of(step) + each for each in ahead)

    @one_thread()
    def prepare(self, present: Callable[[], float]) -> None:
        """Do what can be done for the next step with the samples that have come so far; what it finds is the same.

        ``present`` tells what time it is: by it is known how long the featurizer takes.
        """
        step = self._step + 1
        for participant in self._participants:
            participant.prepare(step)
        self.affect.prepare(step)
        if self._hearing is not None:
            self._hearing.early(step, self.end_of(step), present)

    @one_thread()
    def step(
        self,
        now: float,
        *,
        behind_s: float = 0.0,
        waited_s: float = 0.0,
        present: Callable[[], float] | None = None,
    ) -> Feedback:
        """Make the next step with the samples that have come.

        ``now`` (LSL time, s) tells how old they are, ``behind_s`` for how long the step could not be begun because
        others were being made, ``waited_s`` for how long it waited for samples, which is not late, and ``present``
        what time it is when the values are there: by it they are late or not. Without it no time passes meanwhile.
        """
        self._step += 1
        step, clock = self._step, present or (lambda: now)
        spent: dict[str, float] = {}
        status = tuple(source.status(now) for source in self.sources)
        with timed(spent, "eeg"):
            before = taken_until(step, self._recorded)
            second = np.array([self._respond(each, step, before) for each in range(len(self._participants))])
            self.affect.advance(step, before)
        feature, parts, alignment = self._listen(behind_s, clock, spent, before)
        # After all parts that may find something in this very step.
        trust = self._judge(status)
        second[trust.missing] = np.nan
        with timed(spent, "prediction"):
            prediction = self._predictor(feature) if self._predictor and feature is not None else None
        with timed(spent, "synchrony"):
            if self.rated is None:
                compared = self._observe(step, second, alignment, trust)
            else:
                compared = self.rated.observed(step, trust, len(self._participants), before)
        with timed(spent, "measures"):
            seconds = np.array([self.second(person) for person in range(len(self._participants))])
            measures, trust = self.measures(seconds, trust, step, self.end_of(step), before)
        affect = self.affect(step, trust, self.people, spent)
        size = people_here(self._observer, compared.observation.each, self._responses, self.settings.synchrony)
        predicted, elements = self._predicted(prediction, parts, trust, size)
        if self._recorded is None:
            made = clock() - max(0.0, waited_s - PATIENCE_S)
            trust = with_lateness(trust, self.end_of(step), made - self.lookahead_s, self._late_s)
        heard = [self._sound_input] if self._sound_input is not None else []
        ways = (self._participants, self.affect.paths)
        there = arrivals(ways, status, step, self._recorded, [*self.measures.takers, *heard])
        if self.rated is not None and self._recorded is None:
            there += self.rated.late(step, status)
        trust = replace(trust, doubts=(*trust.doubts, *there))
        found = Found(predicted, compared, alignment, trust, status, measures, affect, spent, elements)
        return self._feedback(found, size)

    def _listen(
        self, behind_s: float, clock: Callable[[], float], spent: dict[str, float], before: Mapping[str, float]
    ) -> tuple[FloatArray | None, Sequence[Predicted], Alignment | None]:
        """Return the newest second's features, those of its voice and background, and where in the stimulus it is."""
        left_out = self._leaves_out(behind_s)
        feature, hearing_s = None, 0.0
        with timed(spent, "features"):
            if self._hearing is not None:
                feature, hearing_s = self._hearing.step(self._step, clock, before, left_out=left_out)
        with timed(spent, "alignment"):
            alignment = self._align()
        parts: Sequence[Predicted] = ()
        if self.elements is not None:
            with timed(spent, "elements"):
                begun, heard = clock(), self._sound_input.heard if self._sound_input is not None else ()
                parts = self.elements(self._step, heard, alignment, self._lock, left_out=left_out)
            spent["features"] += spent.pop("elements")
            hearing_s += clock() - begun
        if self._sound_input is not None and self._sound_input.given:
            self.pace.spent(hearing_s)
        return feature, parts, alignment

    def _predicted(
        self, prediction: Prediction | None, parts: Sequence[Predicted], trust: Trust, size: FloatArray
    ) -> tuple[Prediction, tuple[ElementPrediction, ...]]:
        """Return what is predicted for as many people as are compared with each other, and from each element."""
        if prediction is None or not trust.prediction:
            prediction = Prediction.nothing(len(self.space.rows))
        if self.rated is not None:
            prediction = self.rated.predicted(prediction, trust)
        scaled = partial(for_people, self._observer, self._fitted, size, self._responses)
        elements = self.elements.judged(parts, trust, scaled) if self.elements is not None else ()
        return scaled(prediction), elements

    def _judge(self, status: Sequence[SourceStatus]) -> Trust:
        """Ask every part for its doubts, and decide what may be relied on."""
        self._used = np.roll(self._used, -1, axis=1)
        self._forgotten = np.roll(self._forgotten, -1, axis=1)
        self._used[:, -1:] = self._forgotten[:, -1:] = False
        end = self.end_of(self._step)
        if self._recorded is not None:
            doubts = [doubt for doubt in self._recorded.get(self._step, ()) if doubt.about != "arrival"]
        else:
            first = end - max(self._used.shape[1] * STEP_S, self._sound_s)
            doubts = [d for s, at in zip(self.sources, status, strict=True) for d in doubts_of(s, at, first, end)]
            doubts += doubts_about("place", self.place, first, end)
            if self._lock is not None:
                doubts += doubts_about("stimulus", self._lock.doubts, first, end)
            if self._sound_input is not None:
                name = self.sources[-1].info.name
                doubts += (replace(d, about="sound", part=name) for d in self.pace.doubts.within(first, end))
        trust = judge(doubts, self.people, self._used, end, self._sound_s)
        self._used[:, -1:] = ~trust.missing[:, None]
        return trust

    @property
    def _sound_s(self) -> float:
        """How much sound a prediction rests on, s."""
        return max(float(self._predictor.memory_s) if self._predictor is not None else 0.0, self.affect.sound_s)

    def _leaves_out(self, behind_s: float) -> bool:
        """Return whether the featurizer is not given the newest second, as steps are behind or as they were then."""
        if self._sound_input is None:
            return False
        end = self.end_of(self._step)
        if self._recorded is None:
            return not self.pace.allows(end, behind_s)
        doubts, middle = self._recorded.get(self._step, ()), end - STEP_S / 2
        return any(doubt.reason == "behind" and doubt.since <= middle < doubt.until for doubt in doubts)

    def _respond(self, person: int, step: int, before: Mapping[str, float]) -> FloatArray:
        participant = self._participants[person]
        participant.advance(step, before.get(participant.name, math.inf))
        return self._responses[person](participant.window(step, STEP_S))

    def _align(self) -> Alignment | None:
        if self._lock is None:
            return None
        return self._lock.step(self._sound_input.heard if self._sound_input is not None else ())

    def _observe(self, step: int, second: FloatArray, alignment: Alignment | None, trust: Trust) -> Compared:
        window = self.settings.synchrony.window_s
        reference = self._references.get(self._lock.stimulus) if self._lock is not None else None
        if isinstance(self._observer, ReferenceObserver) and alignment is not None and alignment.state == "locked":
            if reference is None:
                self._observer(second)
                return self._nothing("the bundle has no reference for this sound")
            self._observer.place(round(alignment.offset_s * self.settings.signal.rate_hz), reference)
        if self._observer is not None and (trust.foreign & ~self._forgotten).any():
            self._observer.forget(trust.foreign)
            self._forgotten |= trust.foreign
        withheld = trust.withheld if trust.withheld.any() else None
        observation = self._observer(second, withheld) if self._observer is not None else None
        if step < window:
            return self._nothing(f"the first window fills in {window - step} s")
        held_s = step * STEP_S - self._lock.since if self._lock is not None else 0.0
        if why := not_compared(self._against, trust, alignment, held_s, window):
            return self._nothing(why)
        if observation is not None:
            return Compared(observation, self._against)
        if self._observer is None:
            return self._nothing("one headset and no reference for this sound: nothing to compare with")
        return self._nothing("the window is not inside the sound that the reference group heard")

    def _nothing(self, reason: str) -> Compared:
        return Compared(Observation.nothing(len(self._participants), len(self.space.rows)), "nothing", reason)

    def _feedback(self, found: Found, size: FloatArray) -> Feedback:
        p, compared, alignment, trust, *_ = found
        o, step, window_s, rated = compared.observation, self._step, self.settings.synchrony.window_s, self.rated
        people, channels = len(self._participants), len(self.space.channels)
        quality = np.array([participant.quality(step, window_s) for participant in self._participants])
        quality = quality.reshape(people, channels)
        bad = poor(self._participants, quality, self.space.kind, self.settings.synchrony.min_good)
        warnings = [alignment.reason if alignment else "", bad]
        changed = self._observer.notice if self._observer and np.isfinite(o.low).any() else ""
        reasons = [*trust.reasons, compared.reason, *warnings, changed, *self._why_not(compared, p)]
        there = np.isfinite(o.mean) & np.isfinite(o.low) if rated is None else rated.there(o.mean)
        whole = there & (np.isfinite(p.value) | (not self._predicts))
        counted = size[self.space.layout.counted]
        made = Made(
            space=self.space,
            people=self.people,
            quality=quality,
            step=step,
            end=self.end_of(step),
            trusted=whole & self.space.resolved & (not any(warnings)) & (not trust.late),
            reason="; ".join(dict.fromkeys(filter(None, reasons))),
            group_size=float(counted.mean()) if counted.size else math.nan,
            rating=None if rated is None else rated.scale,
        )
        return feedback_of(found, made)

    def _why_not(self, compared: Compared, prediction: Prediction) -> list[str]:
        """Return in words why values are missing that what was compared gave no reason for."""
        unpredicted = self._unsized or (NO_BUNDLE if self._hears else NO_SOUND)
        reasons = of_people(self._participants)
        reasons.append(of_prediction(prediction, self._sound_input) if self._predicts else unpredicted)
        return [*reasons, *([of_observation(compared.observation, compared.reason)] if self.rated is None else [])]
