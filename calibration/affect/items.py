"""Collects the items of a study of affect: each second of each hearing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from calibration.affect.eeg import Features, sequences
from calibration.affect.embedder import Embedding
from calibration.affect.ratings import Ratings
from calibration.affect.study import AffectStudy
from rtaffect.affect.settings import AffectSettings
from rtaffect.common.arrays import Float32Array, FloatArray
from rtaffect.common.errors import RecordingError


@dataclass(slots=True)
class Items:
    """Collects the items of a study, hearing by hearing.

    Parameters
    ----------
    settings
        Of the features.
    channels
        Names.
    embeddings
        Of each sound (seconds, E), NaN where there is not enough of it.
    """

    settings: AffectSettings
    channels: tuple[str, ...]
    embeddings: Mapping[str, Float32Array]
    _people: dict[str, int] = field(default_factory=dict)
    _stimuli: dict[str, int] = field(default_factory=dict)
    _parts: dict[str, list[NDArray[np.generic]]] = field(default_factory=dict)

    def add(self, listener: str, sound: str, features: Features, baseline: FloatArray | None, ratings: Ratings) -> None:
        """Add each second of a hearing that has a whole sequence and enough sound, from its ``features`` (seconds)."""
        embedding = self.embeddings[sound][: len(features.values)]
        first = max(self.settings.sequence_s, int(self.settings.sound_s))
        ends = [k for k in range(first, len(embedding) + 1) if np.isfinite(embedding[k - 1]).all()]
        if not ends:
            return
        eeg, mask = sequences(features, baseline, ends, self.settings.sequence_s)
        rated = ratings.over(listener, sound, ends)
        count = len(ends)
        part: dict[str, NDArray[np.generic]] = {
            "eeg": eeg,
            "mask": mask,
            "sound": embedding[np.array(ends) - 1],
            "person": np.full(count, self._people.setdefault(listener, len(self._people)), np.int64),
            "stimulus": np.full(count, self._stimuli.setdefault(sound, len(self._stimuli)), np.int64),
            "second": np.array(ends, np.int64),
            "valence": rated[:, 0],
            "arousal": rated[:, 1],
        }
        for key, values in part.items():
            self._parts.setdefault(key, []).append(values)

    def study(
        self,
        name: str,
        embedding: Embedding,
        ratings: Ratings,
        *,
        notes: Sequence[str] = (),
        synthetic: bool = False,
    ) -> AffectStudy:
        """Return all that was added; RecordingError if that is nothing."""
        if not self._parts:
            raise RecordingError(
                f"study {name}: no sound is as long as a sequence of {self.settings.sequence_s} s and "
                f"{self.settings.sound_s:g} s of sound: expected longer ones"
            )
        arrays = {key: np.concatenate(parts) for key, parts in self._parts.items()}
        return AffectStudy(
            **arrays,
            people=tuple(self._people),
            stimuli=tuple(self._stimuli),
            channels=self.channels,
            settings=self.settings,
            scale=ratings.scale,
            rated=ratings.rated,
            raters=ratings.raters,
            embedding=embedding.identity.identity,
            embedding_sha256=embedding.identity.sha256,
            synthetic=synthetic,
            notes=tuple(notes),
            name=name,
        )
