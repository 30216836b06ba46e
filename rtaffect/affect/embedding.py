"""The embedding of the newest seconds of sound: by the bundle's own model, or the mean of a featurizer's vectors.

Both are causal and go second by second: session, replay, training and library give the same of the same sound.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Protocol

import numpy as np

from rtaffect.affect.encoder import Encoder
from rtaffect.common.arrays import Float32Array
from rtaffect.predicted.featurizer import Featurizer
from rtaffect.predicted.manifest import NEWEST_S, SAMPLE_RATE

_SECOND = NEWEST_S * SAMPLE_RATE


class EmbeddingStream(Protocol):
    """One pass over a sound."""

    def push(self, second: Float32Array) -> None:
        """Take in the next second, float32 (16000,), mono at 16 kHz in about -1..1, finite."""

    def reset(self) -> None:
        """Forget all sound, as after a gap."""

    @property
    def ready(self) -> bool:
        """Whether there was enough sound."""

    def embedding(self) -> Float32Array:
        """Return the embedding (E,) of the newest seconds; ValueError unless it is ready."""


class SoundEmbedder(Protocol):
    """What embeds sound."""

    @property
    def size(self) -> int:
        """Length of an embedding, E."""

    def stream(self) -> EmbeddingStream:
        """Return a new pass over a sound."""


class FileEmbedder:
    """An embedding by the model in a bundle.

    Parameters
    ----------
    path, content
        Of the ONNX file.
    seconds
        Of sound that it takes, s.
    size
        Length of what it gives.
    threads
        Of the processor.

    Raises
    ------
    ArtifactError
        If the model is another one.
    """

    def __init__(self, path: Path, content: bytes, seconds: int, size: int, threads: int = 1) -> None:
        self.size, self._seconds = size, seconds
        self._encoder = Encoder(path, content, {"audio": (seconds * SAMPLE_RATE,)}, {"embedding": (size,)}, threads)

    def stream(self) -> EmbeddingStream:
        """Return a new pass over a sound."""
        return _Newest(self._encoder, self._seconds)


class _Newest:
    """The newest seconds, which the model is given all at once."""

    def __init__(self, encoder: Encoder, seconds: int) -> None:
        self._encoder = encoder
        self._kept: deque[Float32Array] = deque(maxlen=seconds)

    def push(self, second: Float32Array) -> None:
        _require_second(second)
        self._kept.append(second)

    def reset(self) -> None:
        self._kept.clear()

    @property
    def ready(self) -> bool:
        return len(self._kept) == self._kept.maxlen

    def embedding(self) -> Float32Array:
        _require_ready(self)
        return self._encoder({"audio": np.concatenate(self._kept)})["embedding"]


class FeaturizerEmbedder:
    """An embedding that is the mean of a featurizer's vectors over the newest ``seconds`` s."""

    def __init__(self, featurizer: Featurizer, seconds: int) -> None:
        self._featurizer, self._seconds = featurizer, seconds

    @property
    def size(self) -> int:
        """Length of an embedding."""
        return self._featurizer.size

    def stream(self) -> EmbeddingStream:
        """Return a new pass over a sound."""
        return _Mean(self._featurizer, self._seconds)


class _Mean:
    """A featurizer's pass, and its newest vectors."""

    def __init__(self, featurizer: Featurizer, seconds: int) -> None:
        self._stream = featurizer.stream()
        self._kept: deque[Float32Array] = deque(maxlen=seconds)

    def push(self, second: Float32Array) -> None:
        self._kept.append(self._stream.step(second))

    def reset(self) -> None:
        self._stream.reset()
        self._kept.clear()

    @property
    def ready(self) -> bool:
        return len(self._kept) == self._kept.maxlen

    def embedding(self) -> Float32Array:
        _require_ready(self)
        return np.asarray(np.mean(np.stack(self._kept), axis=0, dtype=np.float64), np.float32)


def embeddings_of(sound: Float32Array, embedder: SoundEmbedder, every: int = 1) -> Float32Array:
    """Return the embeddings of a whole sound, as a session computes them second by second.

    Parameters
    ----------
    sound
        float32 (n,), mono at 16 kHz; the last part of a second is left.
    embedder
        What embeds it.
    every
        Of so many seconds only the last is embedded, s.

    Returns
    -------
    float32 (floor(n / 16000), E): row k - 1 is at k s; NaN while there is not enough sound, and in between.
    """
    count, stream = len(sound) // _SECOND, embedder.stream()
    found = np.full((count, embedder.size), np.nan, np.float32)
    for number, second in enumerate(np.asarray(sound[: count * _SECOND], np.float32).reshape(count, _SECOND), 1):
        stream.push(second)
        if stream.ready and number % every == 0:
            found[number - 1] = stream.embedding()
    return found


def _require_second(second: Float32Array) -> None:
    if second.dtype != np.float32 or second.shape != (_SECOND,):
        raise ValueError(f"the sound is {second.dtype} {second.shape}, expected float32 ({_SECOND},)")


def _require_ready(stream: EmbeddingStream) -> None:
    if not stream.ready:
        raise ValueError("there is not enough sound for an embedding yet")
