"""When each step was due, begun, made, sent and seen: what a session tells of its own lateness."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Self

from rtaffect.engine.feedback import Feedback

#: Where a value leaves: to other programs, to the operator's eyes, and to the participant's.
Exit = Literal["lsl", "painted", "seen"]

#: Steps that are kept until they are taken.
_MOST_KEPT: Final = 3600


@dataclass(slots=True)
class StepTiming:
    """The times of one step, s on the LSL clock; NaN for what did not happen.

    Attributes
    ----------
    step : int
        Its number.
    end : float
        End of its window, which is the time of its values.
    due, begun, made : float
        When it could be begun, when its computing began, and when its values were there.
    eeg_age_s, sound_age_s : float
        Age of the newest sample when computing began, of the headset that is latest, and of the sound.
    eeg_source : str
        The name of that headset.
    late : bool
        Whether its values are marked late.
    stage_s : mapping of str to float
        What its computing took, by stage.
    left : dict of Exit to float
        When its values left, by where.
    """

    step: int
    end: float
    due: float
    begun: float
    made: float
    eeg_age_s: float = math.nan
    eeg_source: str = ""
    sound_age_s: float = math.nan
    late: bool = False
    stage_s: Mapping[str, float] = field(default_factory=dict)
    left: dict[Exit, float] = field(default_factory=dict)

    @classmethod
    def of(cls, feedback: Feedback, due: float, begun: float, made: float) -> Self:
        """Return the timing of a step that was just made."""
        headsets = [s for s in feedback.sources if s.kind == "eeg" and math.isfinite(s.age_s)]
        latest = max(headsets, key=lambda source: source.age_s, default=None)
        sound = (s.age_s for s in feedback.sources if s.kind == "audio")
        return cls(
            step=feedback.step,
            end=feedback.lsl_time,
            due=due,
            begun=begun,
            made=made,
            eeg_age_s=latest.age_s if latest is not None else math.nan,
            eeg_source=latest.name if latest is not None else "",
            sound_age_s=next(sound, math.nan),
            late=any(doubt.reason == "late" for doubt in feedback.doubts),
            stage_s=feedback.stage_s,
        )

    def age(self, way: Exit) -> float:
        """Return how old the values were when they left, s after their window's end; NaN if they did not."""
        return self.left.get(way, math.nan) - self.end


class Timings:
    """The timings of the newest steps: told by the engine's thread and the display's, taken by who writes them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[int, StepTiming] = {}

    def add(self, timing: StepTiming) -> None:
        """Take a step that was just made."""
        with self._lock:
            self._kept[timing.step] = timing
            while len(self._kept) > _MOST_KEPT:
                del self._kept[next(iter(self._kept))]

    def note(self, way: Exit, step: int, now: float) -> float:
        """Take that a step's values left at ``now`` (s); return their age, NaN where that is known already or too old.

        Only the first time counts: what is painted again is not new.
        """
        with self._lock:
            timing = self._kept.get(step)
            if timing is None or way in timing.left:
                return math.nan
            timing.left[way] = now
            return timing.age(way)

    def take(self, before: float = math.inf) -> list[StepTiming]:
        """Return the steps with a number below ``before``, in order, and forget them."""
        with self._lock:
            taken = [step for step in self._kept if step < before]
            return [self._kept.pop(step) for step in taken]
