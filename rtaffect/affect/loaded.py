"""A bundle of affect that is ready to run: its models opened and checked, its embedding of sound found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from rtaffect.affect.bundle import (
    EEG_FILE,
    EMBEDDING_FILE,
    SOUND_FILE,
    AffectBundle,
    affect_bundle_sha256,
    load_affect_bundle,
)
from rtaffect.affect.embedding import FeaturizerEmbedder, FileEmbedder, SoundEmbedder
from rtaffect.affect.encoder import Encoder
from rtaffect.affect.fusion import Heads
from rtaffect.affect.novelty import magnitude_of
from rtaffect.common.arrays import BoolArray, Float32Array, FloatArray
from rtaffect.common.errors import ArtifactError, under
from rtaffect.common.files import sha256_of
from rtaffect.predicted.embedded import embedded_of
from rtaffect.predicted.featurizer import Featurizer, Progress, embedded_featurizer, featurizer_for

#: A featurizer that lies in the bundle's folder, if it is none of the embedded ones.
FEATURIZER_FILE: Final = "featurizer.onnx"


@dataclass(frozen=True, slots=True, eq=False)
class LoadedAffect:
    """A bundle of affect, which lies in ``folder``, its encoders, and what embeds sound for it."""

    bundle: AffectBundle
    folder: Path
    eeg: Encoder
    sound: Encoder
    embedder: SoundEmbedder

    def describe(self) -> dict[str, object]:
        """Return what identifies it, for ``session.toml``."""
        manifest = self.bundle.manifest
        return {
            "affect": manifest.name,
            "affect_sha256": affect_bundle_sha256(self.folder),
            "affect_folder": str(self.folder),
            "synthetic_affect": manifest.synthetic,
            "affect_embedding": manifest.embedding.identity,
        }

    @property
    def models_sha256(self) -> str:
        """Hash of all that brings a sound to the shared space."""
        m = self.bundle.manifest
        parts = (m.embedding.sha256, m.files[SOUND_FILE], m.files["tensors.safetensors"], str(m.settings.sound_s))
        return sha256_of("\n".join(parts))

    def heads_of_eeg(self, features: FloatArray, mask: BoolArray) -> tuple[Heads, FloatArray]:
        """Return what the EEG encoder says of a sequence, and its vector (D,) in the shared space.

        Parameters
        ----------
        features
            (T, C, F) differential entropies, nats, less the person's rest where the bundle wants that.
        mask
            (T, C) which count; one at least.
        """
        tensors = self.bundle.tensors
        counts = mask[:, :, None]
        normalised = np.where(counts, (features - tensors.feature_mean) / tensors.feature_std, 0.0)
        found = self.eeg({"features": normalised, "mask": mask.astype(np.float32)})
        return self._heads(found, magnitude_of(normalised[None], mask[None]), eeg=True)

    def heads_of_sound(self, embedding: Float32Array) -> tuple[Heads, FloatArray]:
        """Return what the sound encoder says of an embedding (E,), and its vector (D,) in the shared space."""
        normalised = self._normalised(embedding)
        return self._heads(self.sound({"embedding": normalised}), magnitude_of(normalised[None]), eeg=False)

    def shared_of_sounds(self, embeddings: Float32Array) -> FloatArray:
        """Return the vectors (n, D) in the shared space of embeddings (n, E)."""
        return np.stack(
            [self.sound({"embedding": self._normalised(each)})["shared"].astype(np.float64) for each in embeddings]
        )

    def _normalised(self, embedding: Float32Array) -> FloatArray:
        tensors = self.bundle.tensors
        return np.asarray((embedding - tensors.embedding_mean) / tensors.embedding_std, np.float64)

    def _heads(self, found: dict[str, Float32Array], magnitude: FloatArray, *, eeg: bool) -> tuple[Heads, FloatArray]:
        tensors = self.bundle.tensors
        shared = found["shared"].astype(np.float64)
        novelty = tensors.eeg_novelty if eeg else tensors.sound_novelty
        with np.errstate(over="ignore", invalid="ignore"):
            distances = novelty.distances(shared[None], magnitude)[0]
            far = float((distances / novelty.limits).max())
        both = float(distances[0]), float(distances[1])
        return Heads(found["logits"].astype(np.float64), found["rating"].astype(np.float64), far, both), shared


def load_affect(
    folder: Path, progress: Progress, threads: int = 1, featurizer: Featurizer | Path | None = None
) -> LoadedAffect:
    """Load the bundle of affect in ``folder``.

    Parameters
    ----------
    folder
        As training wrote it.
    progress
        Is told what is being done.
    threads
        Of the processor, for each model.
    featurizer
        One that the session has already, or is given: it embeds sound if it is the one that the bundle was trained
        with.

    Raises
    ------
    ArtifactError
        If the bundle cannot be used, or what embeds sound for it is not there.
    """
    bundle = load_affect_bundle(folder)
    manifest = bundle.manifest
    settings, size, shared = manifest.settings, manifest.embedding.size, manifest.shared
    length, channels, bands = settings.sequence_s, len(manifest.channels), len(settings.bands)
    heads = {"shared": (shared,), "logits": (2,), "rating": (2,)}
    eeg = Encoder(
        folder / EEG_FILE,
        bundle.eeg,
        {"features": (length, channels, bands), "mask": (length, channels)},
        heads | {"attention": (length, channels)},
        threads,
    )
    sound = Encoder(folder / SOUND_FILE, bundle.sound, {"embedding": (size,)}, heads, threads)
    seconds = int(settings.sound_s)
    embedder: SoundEmbedder
    if bundle.embedding is not None:
        embedder = FileEmbedder(folder / EMBEDDING_FILE, bundle.embedding, seconds, size, threads)
    else:
        embedder = FeaturizerEmbedder(_featurizer(bundle, folder, progress, threads, featurizer), seconds)
    return LoadedAffect(bundle, folder, eeg, sound, embedder)


def _featurizer(
    bundle: AffectBundle, folder: Path, progress: Progress, threads: int, given: Featurizer | Path | None
) -> Featurizer:
    """Return the featurizer whose vectors the sound encoder reads: the given one, one beside it, or an embedded one."""
    wanted, beside = bundle.manifest.embedding, folder / FEATURIZER_FILE
    if isinstance(given, Path):
        given = featurizer_for(given, threads, progress)
    if given is not None and given.sha256 == wanted.sha256:
        return given
    if beside.is_file():
        found = featurizer_for(beside, threads, progress)
    elif embedded := embedded_of(wanted.identity):
        found = embedded_featurizer(*embedded, progress, threads)
    else:
        raise ArtifactError(
            f"bundle {folder} reads sound by the featurizer {wanted.identity}, which is not embedded; give its file "
            f"{under('featurizer')}, or put it into the bundle's folder as {FEATURIZER_FILE}"
        )
    if found.sha256 != wanted.sha256 or found.size != wanted.size:
        raise ArtifactError(
            f"bundle {folder} was trained with featurizer {wanted.identity} (sha256 {wanted.sha256[:12]}...), but "
            f"{found.identity} ({found.sha256[:12]}...) is there; give the right one {under('featurizer')}, or train "
            "anew"
        )
    return found
