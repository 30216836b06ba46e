"""The bundle of affect: what training writes and a session loads, as JSON, safetensors and ONNX in one folder.

Files: ``affect.json``, ``tensors.safetensors``, ``eeg.onnx``, ``sound.onnx``, and ``embedding.onnx`` where the
embedding of sound is no featurizer of rtaffect. ONNX models, by the names of their inputs and outputs (B: any number of
moments):

- ``eeg.onnx``: ``features`` (B, T, C, F) float32, normalised, 0 where masked; ``mask`` (B, T, C) float32, 1 where it
  counts. Gives ``shared`` (B, D), ``logits`` (B, 2), ``rating`` (B, 2), ``attention`` (B, T, C), float32.
- ``sound.onnx``: ``embedding`` (B, E) float32, normalised. Gives ``shared``, ``logits``, ``rating``.
- ``embedding.onnx``: ``audio`` (B, sound_s * 16000) float32 in -1..1. Gives ``embedding`` (B, E) float32, raw.

Logits and ratings are of valence and arousal; a positive logit means above the scale's middle, ratings are in -1..1.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from pydantic import Field, ValidationError, model_validator
from safetensors import SafetensorError
from safetensors.numpy import load, save

from rtaffect.affect.novelty import NoveltyReference
from rtaffect.affect.settings import AffectSettings
from rtaffect.common.arrays import FloatArray
from rtaffect.common.errors import ArtifactError
from rtaffect.common.files import sha256_of, write_whole
from rtaffect.common.mistakes import first_problem
from rtaffect.common.reading import json_content, read_bytes, read_text, why
from rtaffect.common.settings import Frozen

FORMAT: Final = 1
JSON_FILE: Final = "affect.json"
TENSORS_FILE: Final = "tensors.safetensors"
EEG_FILE: Final = "eeg.onnx"
SOUND_FILE: Final = "sound.onnx"
EMBEDDING_FILE: Final = "embedding.onnx"
#: No file of a bundle is larger, bytes: the whole of one is held in memory.
MOST_FILE_BYTES: Final = 2_000_000_000
_NO_HASH: Final = "0" * 64
_REMAKE: Final = "make it anew with `rtaffect affect STUDY --out BUNDLE`"


class RatingScale(Frozen):
    """What people could answer: -1 of a rating is ``low``, 0 ``middle``, 1 ``high``."""

    low: float = 1.0
    middle: float = 5.0
    high: float = 9.0

    @model_validator(mode="after")
    def _rises(self) -> RatingScale:
        if not self.low < self.middle < self.high:
            raise ValueError(f"the scale {self.low:g}, {self.middle:g}, {self.high:g} must rise")
        return self


class EmbeddingIdentity(Frozen):
    """What makes the vector that the sound encoder reads.

    ``kind`` is ``file`` for ``embedding.onnx`` in the bundle, ``featurizer`` for one of rtaffect's featurizers, whose
    vectors of the newest ``sound_s`` seconds are averaged. ``identity`` names it, ``sha256`` is of its ONNX file.
    """

    kind: Literal["file", "featurizer"]
    identity: str = Field(min_length=1, max_length=200)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size: int = Field(ge=1, le=100_000)


class AffectManifest(Frozen):
    """What ``affect.json`` holds.

    ``channels`` are those that the EEG encoder reads, in order, ``shared`` the length D of vectors in the shared space.
    ``synthetic`` says that people or sounds were simulated. ``report`` holds all numbers of the training's report.
    ``files`` are the hashes of the other files by name; ``manifest_sha256`` is that of ``affect.json`` with 64 zeros in
    its own place. :func:`save_affect_bundle` fills both in.
    """

    format: Literal[1] = FORMAT
    name: str = Field(min_length=1, max_length=200)
    created: str
    rtaffect: str
    settings: AffectSettings = AffectSettings()
    channels: tuple[str, ...] = Field(min_length=1, max_length=1024)
    shared: int = Field(32, ge=1, le=4096)
    scale: RatingScale = RatingScale()
    embedding: EmbeddingIdentity
    synthetic: bool
    provenance: dict[str, str] = Field(default_factory=dict)
    report: dict[str, Any] = Field(default_factory=dict)
    files: dict[str, str] = Field(default_factory=dict)
    manifest_sha256: str = ""


@dataclass(frozen=True, slots=True)
class AffectTensors:
    """The numbers beside the models.

    Attributes
    ----------
    feature_mean, feature_std : (C, F) float64
        Of the EEG's features, after a person's rest was subtracted where the settings say so: (x - mean) / std goes in.
    embedding_mean, embedding_std : (E,) float64
        Of the embedding of sound.
    temperature : (3, 2) float64
        Of EEG, sound and both, for valence and arousal: logits are divided by it (Guo et al., ICML 2017).
    eeg_weight : (2,) float64 in 0..1
        Of both, how much the EEG counts, for valence and arousal; the sound counts the rest.
    eeg_lasting : (2,) float64
        How far a person may be for a while: limits of the medians of both distances of the EEG over some time.
    eeg_novelty, sound_novelty : NoveltyReference
        How far moments may be from the training set.
    """

    feature_mean: FloatArray
    feature_std: FloatArray
    embedding_mean: FloatArray
    embedding_std: FloatArray
    temperature: FloatArray
    eeg_weight: FloatArray
    eeg_lasting: FloatArray
    eeg_novelty: NoveltyReference
    sound_novelty: NoveltyReference


@dataclass(frozen=True, slots=True)
class AffectBundle:
    """A bundle of affect: its manifest, its numbers, and the content of its models' files.

    ``embedding`` is None where the embedding is a featurizer.
    """

    manifest: AffectManifest
    tensors: AffectTensors
    eeg: bytes
    sound: bytes
    embedding: bytes | None = None


def save_affect_bundle(bundle: AffectBundle, folder: Path) -> AffectManifest:
    """Write ``bundle`` into ``folder`` (made if absent) and return its manifest with all hashes.

    Raises
    ------
    ArtifactError
        If its parts do not fit each other.
    """
    arrays = {name: np.ascontiguousarray(array, np.float64) for name, array in _arrays(bundle.tensors).items()}
    _check_tensors(arrays, bundle.manifest, folder)
    content = {TENSORS_FILE: save(arrays), EEG_FILE: bundle.eeg, SOUND_FILE: bundle.sound}
    if (bundle.embedding is None) != (bundle.manifest.embedding.kind == "featurizer"):
        raise ArtifactError(f"bundle {folder}: {EMBEDDING_FILE} belongs to an embedding of kind 'file', and only there")
    if bundle.embedding is not None:
        content[EMBEDDING_FILE] = bundle.embedding
    hashes = {name: sha256_of(data) for name, data in content.items()}
    manifest = bundle.manifest.model_copy(update={"files": hashes, "manifest_sha256": _NO_HASH})
    manifest = manifest.model_copy(update={"manifest_sha256": sha256_of(manifest.model_dump_json(indent=2))})
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in content.items():
        write_whole(folder / name, data)
    write_whole(folder / JSON_FILE, manifest.model_dump_json(indent=2))
    return manifest


def load_affect_bundle(folder: Path) -> AffectBundle:
    """Read and check the bundle of affect in ``folder``.

    Raises
    ------
    ArtifactError
        If it is missing, damaged, of another format, or its parts do not fit each other.
    """
    manifest = _load_manifest(folder / JSON_FILE)
    of_file = manifest.embedding.kind == "file"
    wanted = {TENSORS_FILE, EEG_FILE, SOUND_FILE} | ({EMBEDDING_FILE} if of_file else set())
    if set(manifest.files) != wanted:
        raise ArtifactError(
            f"bundle {folder}: {JSON_FILE} names the files {', '.join(sorted(manifest.files))}; expected "
            f"{', '.join(sorted(wanted))}: {_REMAKE}"
        )
    content = {name: _content(folder / name, sha256) for name, sha256 in manifest.files.items()}
    if of_file and manifest.embedding.sha256 != manifest.files[EMBEDDING_FILE]:
        raise ArtifactError(
            f"bundle {folder}: {EMBEDDING_FILE} is not the embedding that it was trained with; {_REMAKE}"
        )
    try:
        arrays = load(content[TENSORS_FILE])
    except SafetensorError as error:
        raise ArtifactError(f"bundle {folder}: {TENSORS_FILE} is not safetensors ({error}); {_REMAKE}") from None
    _check_tensors(arrays, manifest, folder)
    tensors = _tensors(arrays)
    return AffectBundle(manifest, tensors, content[EEG_FILE], content[SOUND_FILE], content.get(EMBEDDING_FILE))


def affect_bundle_sha256(folder: Path) -> str:
    """Return the hash that identifies the bundle: that of its ``affect.json``, which holds those of its other files."""
    return sha256_of(folder / JSON_FILE)


_NOVELTY: Final = ("eeg_novelty", "sound_novelty")


def _arrays(tensors: AffectTensors) -> dict[str, FloatArray]:
    """Return all numbers by the names that they have in the file."""
    plain = {f.name: getattr(tensors, f.name) for f in fields(tensors) if f.name not in _NOVELTY}
    references = {
        f"{name}.{f.name}": getattr(getattr(tensors, name), f.name)
        for name in _NOVELTY
        for f in fields(NoveltyReference)
    }
    return plain | references


def _tensors(arrays: dict[str, FloatArray]) -> AffectTensors:
    references = {
        name: NoveltyReference(*(arrays[f"{name}.{f.name}"] for f in fields(NoveltyReference))) for name in _NOVELTY
    }
    return AffectTensors(**{n: a for n, a in arrays.items() if "." not in n}, **references)  # type: ignore[arg-type]


def _check_tensors(arrays: dict[str, FloatArray], manifest: AffectManifest, folder: Path) -> None:
    """Raise ArtifactError unless all numbers are there, of the shapes that the manifest makes them, and possible."""
    features, size, shared = (
        (len(manifest.channels), len(manifest.settings.bands)),
        manifest.embedding.size,
        manifest.shared,
    )
    shapes: dict[str, tuple[int, ...]] = {
        "feature_mean": features,
        "feature_std": features,
        "embedding_mean": (size,),
        "embedding_std": (size,),
        "temperature": (3, 2),
        "eeg_weight": (2,),
        "eeg_lasting": (2,),
    }
    for name in _NOVELTY:
        shapes |= {f"{name}.mean": (shared,), f"{name}.precision": (shared, shared), f"{name}.limits": (2,)}
    if set(arrays) != set(shapes):
        odd = ", ".join(sorted(set(arrays) ^ set(shapes)))
        raise ArtifactError(f"bundle {folder}: {TENSORS_FILE} lacks, or has too much: {odd:.200}; {_REMAKE}")
    for name, shape in shapes.items():
        array = arrays[name]
        if array.shape != shape or array.dtype != np.float64:
            raise ArtifactError(
                f"bundle {folder}: tensor {name} is {array.dtype} {array.shape}, expected float64 {shape}; {_REMAKE}"
            )
        if not np.isfinite(array).all():
            raise ArtifactError(f"bundle {folder}: tensor {name} holds values that are not finite; {_REMAKE}")
    above = ["feature_std", "embedding_std", "temperature", "eeg_lasting", *(f"{name}.limits" for name in _NOVELTY)]
    if wrong := [name for name in above if not (arrays[name] > 0).all()]:
        raise ArtifactError(f"bundle {folder}: tensor {wrong[0]} must be above 0 everywhere; {_REMAKE}")
    if not ((arrays["eeg_weight"] >= 0) & (arrays["eeg_weight"] <= 1)).all():
        raise ArtifactError(f"bundle {folder}: tensor eeg_weight must be from 0 to 1; {_REMAKE}")


def _load_manifest(path: Path) -> AffectManifest:
    try:
        text = read_text(path)
        content = json_content(text)
    except FileNotFoundError:
        other = (path.parent / "bundle.json").exists()
        hint = "; it is a bundle of synchrony: give it with --bundle" if other else f"; {_REMAKE}"
        raise ArtifactError(f"no bundle of affect in {path.parent}: {path.name} is not there{hint}") from None
    except (OSError, ValueError) as error:
        raise ArtifactError(f"bundle {path.parent}: {path.name} cannot be read ({why(error)}); {_REMAKE}") from None
    version = content.get("format") if isinstance(content, dict) else None
    if version != FORMAT:
        raise ArtifactError(
            f"bundle {path.parent} has format {version!r:.40}, but this rtaffect reads format {FORMAT}; {_REMAKE}"
        )
    try:
        manifest = AffectManifest.model_validate_json(text)
    except ValidationError as error:
        raise ArtifactError(
            f"bundle {path.parent}: {path.name}: {first_problem(error, AffectManifest)}; {_REMAKE}"
        ) from None
    sealed = manifest.manifest_sha256
    if not sealed or text.count(sealed) != 1 or sha256_of(text.replace(sealed, _NO_HASH)) != sealed:
        raise ArtifactError(
            f"bundle {path.parent}: {path.name} is not as it was written: its manifest_sha256 does not fit; the file "
            f"is damaged or was changed: {_REMAKE}"
        )
    return manifest


def _content(path: Path, sha256: str) -> bytes:
    """Return the content of a file of the bundle; ArtifactError if it is not the one that was written."""
    try:
        content = read_bytes(path, MOST_FILE_BYTES)
    except (OSError, ValueError) as error:
        raise ArtifactError(f"bundle {path.parent}: cannot read {path.name} ({error}); {_REMAKE}") from None
    if (found := sha256_of(content)) != sha256:
        raise ArtifactError(
            f"bundle {path.parent}: {path.name} has sha256 {found[:12]}..., but {JSON_FILE} expects {sha256[:12]}...; "
            f"the file is damaged or of another bundle: {_REMAKE}"
        )
    return content
