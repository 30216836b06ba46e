"""What is told of a person's affect at a step: frozen, with a reason where there is no value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

#: What a value was made from: the person's EEG, the sound that they heard, or both.
AffectSource = Literal["eeg", "sound", "both"]
SOURCES: Final[tuple[AffectSource, ...]] = ("eeg", "sound", "both")


@dataclass(frozen=True, slots=True)
class AffectEstimate:
    """Valence and arousal from one source; NaN where there is no value.

    Attributes
    ----------
    valence, arousal : float in -1..1
        The rating, from the lowest to the highest of the scale; 0 is its middle.
    valence_high, arousal_high : float in 0..1
        Calibrated probability that the rating is above the scale's middle.
    novelty : float
        How far this moment is from what the model was trained on, in units of the limit: beyond 1 there is no value.
        Of both it is the larger one.
    reason : str
        Why there is no value, in words; empty where there is one.
    """

    valence: float = math.nan
    arousal: float = math.nan
    valence_high: float = math.nan
    arousal_high: float = math.nan
    novelty: float = math.nan
    reason: str = ""

    @property
    def there(self) -> bool:
        """Whether there are values."""
        return not self.reason and math.isfinite(self.valence) and math.isfinite(self.arousal)


@dataclass(frozen=True, slots=True)
class NearSound:
    """A sound of the library, and the cosine of the angle between it and a person's EEG in the shared space."""

    name: str
    similarity: float


@dataclass(frozen=True, slots=True)
class AffectValues:
    """A person's affect at a step.

    Attributes
    ----------
    person : str
        Name of the headset; empty where nobody wears one and only the sound is told of.
    eeg, sound, both : AffectEstimate
        What each tells.
    nearest : tuple of NearSound
        The sounds of the library that are nearest to the person's EEG, the nearest first; empty without a value from
        the EEG, or without a library.
    baseline_s : float
        How much of the person's rest has been measured, s; NaN where none is needed.
    baseline_wanted_s : float
        How much is needed, s; NaN where none is.
    """

    person: str
    eeg: AffectEstimate = AffectEstimate()
    sound: AffectEstimate = AffectEstimate()
    both: AffectEstimate = AffectEstimate()
    nearest: tuple[NearSound, ...] = ()
    baseline_s: float = math.nan
    baseline_wanted_s: float = math.nan

    def estimate(self, source: AffectSource) -> AffectEstimate:
        """Return what ``source`` tells."""
        return {"eeg": self.eeg, "sound": self.sound, "both": self.both}[source]
