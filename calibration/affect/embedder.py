"""What embeds sound, by the name in the settings: musicnn, or the mean of a featurizer's vectors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from rtaffect.affect.bundle import EmbeddingIdentity
from rtaffect.affect.embedding import FeaturizerEmbedder, FileEmbedder, SoundEmbedder, embeddings_of
from rtaffect.affect.settings import AffectSettings
from rtaffect.common.arrays import Float32Array
from rtaffect.common.cache import seal_beside, wrong_beside
from rtaffect.common.errors import NotKeptError
from rtaffect.common.files import sha256_of
from rtaffect.common.kept import read_array, write_array
from rtaffect.common.offline import offline_module
from rtaffect.predicted.featurizer import Featurizer, Progress, cache_root, featurizer_for
from rtaffect.stream.audio import StudySound

#: Embeddings that are nets of their own, by name: the checkpoint of ``models.musicnn``.
NETS: Final = {"musicnn-msd": "MSD", "musicnn-mtt": "MTT"}
_SHOWN: Final = 24


@dataclass(frozen=True, slots=True)
class Embedding:
    """What embeds the newest ``seconds`` of sound, and the content of the net's file; None where it is a featurizer."""

    embedder: SoundEmbedder
    identity: EmbeddingIdentity
    seconds: int
    content: bytes | None

    def of(self, sound: StudySound) -> Float32Array:
        """Return the embeddings (seconds, E) of a sound, NaN while there is not enough of it; kept in the cache.

        Raises
        ------
        NotKeptError
            If they cannot be kept.
        """
        about = self.identity.kind, self.identity.sha256, str(self.seconds)
        name = f"{sound.sha256[:_SHOWN]}-{sha256_of(chr(0).join(about))[:_SHOWN]}.npy"
        path = cache_root() / "affect" / name
        found = read_array(path)
        if found is None or found.shape != (sound.seconds, self.embedder.size):
            found = embeddings_of(sound.samples, self.embedder)
            try:
                write_array(path, found)
            except OSError as error:
                raise NotKeptError(
                    f"{path} cannot be written ({error.strerror}); name another cache in the variable RTAFFECT_CACHE"
                ) from None
        return np.asarray(found, np.float32)

    def of_all(self, sounds: Iterable[StudySound], progress: Progress) -> dict[str, Float32Array]:
        """Return the embeddings of several sounds by name."""
        found = {}
        for sound in sounds:
            progress(f"embedding of {sound.name} ({sound.seconds} s)")
            found[sound.name] = self.of(sound)
        return found


def embedding_for(settings: AffectSettings, threads: int = 1, progress: Progress = print) -> Embedding:
    """Return what the settings name, built first where the user's cache lacks it.

    Raises
    ------
    ArtifactError, SettingsError
        If there is no such embedding, or it cannot be had.
    """
    seconds = int(settings.sound_s)
    if settings.embedding in NETS:
        path = _net(settings.embedding, progress)
        content = path.read_bytes()
        size = int(offline_module("models.musicnn").HIDDEN_SIZE)
        identity = EmbeddingIdentity(kind="file", identity=settings.embedding, sha256=sha256_of(content), size=size)
        return Embedding(FileEmbedder(path, content, seconds, size, threads), identity, seconds, content)
    return embedding_of(featurizer_for(Path(settings.embedding), threads, progress), settings)


def embedding_of(featurizer: Featurizer, settings: AffectSettings) -> Embedding:
    """Return the embedding that is the mean of a featurizer's vectors over the newest sound."""
    seconds = int(settings.sound_s)
    identity = EmbeddingIdentity(
        kind="featurizer",
        identity=featurizer.identity,
        sha256=featurizer.sha256,
        size=featurizer.size,
    )
    return Embedding(FeaturizerEmbedder(featurizer, seconds), identity, seconds, None)


def _net(name: str, progress: Progress) -> Path:
    """Return the file of a net in the cache, built if it is missing or damaged."""
    path = cache_root() / "embeddings" / f"{name}.onnx"
    if path.is_file() and not wrong_beside(path, sha256_of(path)):
        return path
    models = offline_module("models.musicnn")
    models.build_embedding(getattr(models, NETS[name]), path, progress)
    seal_beside(path)
    return path
