"""A study of affect as arrays: EEG features, sound embeddings and ratings of each second of each hearing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtaffect.affect.settings import DIMENSIONS, AffectSettings
from rtaffect.common.arrays import Float32Array, FloatArray
from rtaffect.common.errors import RecordingError


class Scale(NamedTuple):
    """A scale of ratings: its ends, and the middle, which parts low from high."""

    low: float
    middle: float
    high: float

    def unit(self, ratings: FloatArray) -> FloatArray:
        """Return ratings on -1 to 1: ``low`` is -1, ``middle`` 0, ``high`` 1, straight between; NaN stays NaN."""
        ratings = np.asarray(ratings, np.float64) - self.middle
        below, above = self.middle - self.low, self.high - self.middle
        return np.asarray(np.where(ratings < 0, ratings / below, ratings / above))


@dataclass(frozen=True, slots=True, eq=False)
class AffectStudy:
    """What a model of affect is trained and tested on: N items, one for each second of a person's hearing of a sound.

    Attributes
    ----------
    eeg
        float32 (N, T, C, F), nats: differential entropy of each of the T seconds that end with the item's, oldest
        first, by channel and band; less the same of the person's rest where ``settings.baseline`` says so. Not
        normalised. 0 where ``mask`` is False, never NaN.
    mask
        bool (N, T, C): where the EEG counts; False for gaps, bad channels, filters that have not settled, and seconds
        before the hearing began.
    sound
        float32 (N, E): embedding of the newest ``settings.sound_s`` of the sound at the item's end; not normalised.
    person, stimulus
        int64 (N,): places in ``people`` and ``stimuli``.
    second
        int64 (N,): the second of the sound, from 1, at whose end the item is.
    valence, arousal
        float64 (N,), -1 to 1 of the scale, 0 its middle; NaN where not rated.
    people, stimuli, channels
        Names.
    settings
        How features were computed.
    scale
        Of the ratings as they were given.
    rated
        ``stimulus``: a person's one rating of a stimulus stands at each of its seconds, so that scores must count
        hearings, not seconds; ``second``: a course of ratings.
    raters
        ``own``: each person's ratings are theirs; ``shared``: all who heard a stimulus have the same ratings, from
        its raters' mean.
    embedding, embedding_sha256
        Identity and file hash of what embedded the sound.
    synthetic
        Whether people and ratings were simulated.
    notes
        What is to be known of the data, a line each.
    name
        Of the study.
    """

    eeg: Float32Array
    mask: NDArray[np.bool_]
    sound: Float32Array
    person: NDArray[np.int64]
    stimulus: NDArray[np.int64]
    second: NDArray[np.int64]
    valence: FloatArray
    arousal: FloatArray
    people: tuple[str, ...]
    stimuli: tuple[str, ...]
    channels: tuple[str, ...]
    settings: AffectSettings
    scale: Scale
    rated: Literal["stimulus", "second"] = "stimulus"
    raters: Literal["own", "shared"] = "own"
    embedding: str = ""
    embedding_sha256: str = ""
    synthetic: bool = False
    notes: tuple[str, ...] = ()
    name: str = ""

    def __post_init__(self) -> None:
        count, steps, channels, bands = self.eeg.shape
        given = {
            "mask": (self.mask, (count, steps, channels)),
            **{key: (getattr(self, key), (count,)) for key in ("person", "stimulus", "second", *DIMENSIONS)},
        }
        wrong = [f"{key} has the shape {value.shape}" for key, (value, shape) in given.items() if value.shape != shape]
        if len(self.sound) != count or self.sound.ndim != 2:
            wrong.append(f"sound has the shape {self.sound.shape}")
        if channels != len(self.channels):
            wrong.append(f"there are {len(self.channels)} names of channels")
        if wrong:
            raise ValueError(f"eeg is ({count}, {steps}, {channels}, {bands}), but {'; '.join(wrong)}")

    def __len__(self) -> int:
        return len(self.eeg)

    @property
    def ratings(self) -> FloatArray:
        """Valence and arousal (N, 2), -1 to 1; NaN where not rated."""
        return np.stack([self.valence, self.arousal], axis=1)

    @property
    def classes(self) -> FloatArray:
        """Whether valence and arousal are high (N, 2): 1 above the scale's middle, 0 below, NaN on it or unrated.

        A rating on the middle says neither, so that it takes part in no classification; it does in regression.
        """
        ratings = self.ratings
        return np.where(ratings > 0, 1.0, np.where(ratings < 0, 0.0, np.nan))

    @property
    def hearing(self) -> NDArray[np.int64]:
        """Which hearing each item is of (N,): the same number for one person and stimulus, from 0."""
        pairs = self.person * max(1, len(self.stimuli)) + self.stimulus
        return np.asarray(np.unique(pairs, return_inverse=True)[1].reshape(-1), np.int64)

    def take(self, items: NDArray[np.int64] | NDArray[np.bool_] | Sequence[int]) -> AffectStudy:
        """Return a study of these items alone, with all names as they are."""
        chosen = np.asarray(items)
        own = {each.name: getattr(self, each.name) for each in fields(self)}
        count = len(self)
        arrays = {k: v[chosen] for k, v in own.items() if isinstance(v, np.ndarray) and len(v) == count}
        return replace(self, **arrays)

    def usable(self) -> AffectStudy:
        """Return the items that have a rating, and EEG of which ``settings.min_good`` counts, as in a session.

        Raises
        ------
        RecordingError
            If there is none.
        """
        rated = np.isfinite(self.ratings).any(axis=1)
        there: NDArray[np.bool_] = rated & (self.mask.mean(axis=(1, 2)) >= self.settings.min_good)
        if not there.any():
            raise RecordingError(
                f"study {self.name}: no second has both a rating and enough good EEG; expected ratings of valence or "
                f"arousal, and {self.settings.min_good:.0%} of the channels good: `rtaffect affect STUDY --check` says "
                "what is wrong"
            )
        return self.take(there)
