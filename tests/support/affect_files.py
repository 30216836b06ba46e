"""Small studies of affect on disk, and an embedding that costs nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calibration.affect.embedder import Embedding
from rtaffect.affect.bundle import EmbeddingIdentity
from rtaffect.affect.embedding import EmbeddingStream
from rtaffect.common.arrays import Float32Array
from rtaffect.simulation.affect import AffectiveSettings
from rtaffect.simulation.affect_study import AffectStudySettings, SyntheticAffectStudy

SMALL = AffectStudySettings(people=3, stimuli=4, seconds=8, rest_s=24)


class Plain:
    """Level and mean crossing of the newest three seconds."""

    size = 2

    def stream(self) -> EmbeddingStream:
        return _PlainStream()


class _PlainStream:
    def __init__(self) -> None:
        self._kept: list[Float32Array] = []

    def push(self, second: Float32Array) -> None:
        self._kept = [*self._kept[-2:], second]

    def reset(self) -> None:
        self._kept = []

    @property
    def ready(self) -> bool:
        return len(self._kept) == 3

    def embedding(self) -> Float32Array:
        sound = np.concatenate(self._kept)
        crossings = np.mean(np.diff(np.sign(sound)) != 0)
        return np.array([np.log10(np.mean(sound**2) + 1e-9), crossings], np.float32)


def plain() -> Embedding:
    return Embedding(Plain(), EmbeddingIdentity(kind="file", identity="plain", sha256="0" * 64, size=2), 3, None)


def write_study(folder: Path, **changes: object) -> Path:
    """Write a small study and return its folder; ``eeg`` may hold changes of people's EEG."""
    eeg = AffectiveSettings(**dict(changes.pop("eeg", {})))  # type: ignore[call-overload]
    SyntheticAffectStudy(SMALL.model_copy(update={**changes, "eeg": eeg})).write(folder, lambda _: None)
    return folder
