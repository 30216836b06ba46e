"""The bundle: what calibration writes and a session loads, as JSON and safetensors in one folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from rtaffect.common.errors import ArtifactError
from rtaffect.common.files import sha256_of, write_whole
from rtaffect.common.mistakes import first_problem
from rtaffect.common.rating_scale import RatingScale
from rtaffect.common.reading import json_content, read_text, why
from rtaffect.common.settings import Frozen, Settings
from rtaffect.observed.operator_file import from_bytes, to_bytes
from rtaffect.observed.reference import Reference, StoredReferences, names_of
from rtaffect.observed.response import Response
from rtaffect.observed.spaces import ChannelSpace, ComponentSpace, Kind, RatingSpace, RegionSpace, Space
from rtaffect.predicted.element_levels import SILENT_DB
from rtaffect.predicted.feature_cache import Element
from rtaffect.predicted.prediction import Weights

FORMAT: Final = 7
#: Formats that are read: 4 had no hash of ``bundle.json`` itself, 4 and 5 scores that were pooled over sounds, and none
#: before 7 weights of elements, or the scale of ratings.
_READ: Final = (4, 5, 6, 7)
#: From this one on ``bundle.json`` has its own hash.
_SEALED: Final = 5
#: What stands in place of that hash where it is taken.
_NO_HASH: Final = "0" * 64
#: A featurizer that lies in the bundle's folder, if it is not the default model's.
FEATURIZER_FILE: Final = "featurizer.onnx"
#: A separator that lies there, if it is none that can be built by its name.
SEPARATOR_FILE: Final = "separator.onnx"
_REMAKE = "make it anew with `rtaffect calibrate STUDY --out BUNDLE`"


class FeaturizerIdentity(Frozen):
    """Which featurizer the weights belong to."""

    identity: str
    sha256: str
    size: int


class ElementsMade(Frozen):
    """Of which elements a bundle has weights, what took the sounds apart, and from which level an element is heard.

    ``streams`` says whether that separator can do so as sound comes; ``silent_db`` is
    :data:`rtaffect.predicted.element_levels.SILENT_DB` as it was, and ``voice_db`` from where on a voice is, by its
    separator, dB against the sound.
    """

    names: tuple[Literal["voice", "background"], ...]
    separator: str
    separator_sha256: str
    streams: bool
    silent_db: float
    voice_db: float = Field(SILENT_DB, ge=-60, le=0)


class Stimulus(Frozen):
    """One sound that the reference group heard.

    ``sha256`` is of its samples (:func:`rtaffect.stream.audio.sound_sha256`), ``people`` how many heard it, ``fitted``
    whether the weights were fitted on it.
    """

    name: str
    sha256: str
    seconds: float
    people: int
    fitted: bool


class Scores(Frozen):
    """How well held-out steps were predicted: Pearson r of predicted and observed, per row and for their mean.

    ``r_is`` says over what: within sounds, each about its own means, so that only the course within sounds counts; or
    pooled over sounds, as before format 6, where also how sounds differ from each other counts. None where a row has
    nothing to be judged by.
    """

    r: tuple[float | None, ...]
    r_mean: float | None
    r_is: Literal["within sounds", "pooled over sounds"] = "pooled over sounds"
    folds: int
    steps: int
    alpha: tuple[float, ...]


class Manifest(Frozen):
    """What ``bundle.json`` holds.

    ``channels`` are those that the space reads, ``rows`` what it makes of them, ``report`` all numbers of the
    calibration's report, for other programs. ``rating`` is the scale of ratings, where rows are such.
    ``manifest_sha256`` is the hash of ``bundle.json`` with 64 zeros in its own place; empty in files of format 4, which
    are not sealed.
    """

    format: Literal[4, 5, 6, 7] = FORMAT
    name: str
    created: str
    rtaffect: str
    space: Kind = "channels"
    channels: tuple[str, ...]
    rows: tuple[str, ...]
    settings: Settings
    featurizer: FeaturizerIdentity
    stimuli: tuple[Stimulus, ...]
    lags_s: tuple[int, ...]
    elements: ElementsMade | None = None
    scores: Scores
    synthetic: bool
    provenance: dict[str, str]
    tensors_sha256: str = ""
    manifest_sha256: str = ""
    report: dict[str, Any] = Field(default_factory=dict)
    rating: RatingScale | None = None

    @property
    def unsealed(self) -> str:
        """Why a change of ``bundle.json`` would not be noticed, in words; empty where it would."""
        if self.format >= _SEALED:
            return ""
        return (
            f"bundle {self.name} is of format {self.format}, whose bundle.json has no hash: a damaged setting would "
            "not be noticed; calibrate anew to have it sealed"
        )


@dataclass(frozen=True, slots=True)
class Bundle:
    """A loaded bundle.

    ``references[i]`` is the group's response to ``manifest.stimuli[i]``, at ``settings.signal.rate_hz``. ``elements``
    are the weights of voice and background alone, those of ``manifest.elements``.
    """

    manifest: Manifest
    weights: Weights
    references: Sequence[Reference]
    space: Space
    elements: Mapping[Element, Weights] = field(default_factory=dict)

    def reference_for(self, sound_sha256: str) -> Reference | None:
        """Return the reference of the stimulus with that hash, or None."""
        if not self.references:
            return None
        for number, stimulus in enumerate(self.manifest.stimuli):
            if stimulus.sha256 == sound_sha256:
                return self.references[number]
        return None


def save_bundle(bundle: Bundle, folder: Path) -> Manifest:
    """Write ``bundle`` into ``folder`` (made if absent) and return its manifest with the hashes of both files."""
    sets = {"weights": bundle.weights} | {_prefix(name): weights for name, weights in bundle.elements.items()}
    tensors = {
        f"{prefix}.{f.name}": np.ascontiguousarray(getattr(weights, f.name))
        for prefix, weights in sets.items()
        for f in fields(Weights)
        if f.name != "lags_s"
    }
    for number, reference in enumerate(bundle.references):
        parts = (reference.mean, reference.squares, reference.count)
        tensors |= {n: np.ascontiguousarray(part) for n, part in zip(names_of(number), parts, strict=True)}
    tensors |= _space_arrays(bundle.space)
    data = save(tensors)
    hashes = {"format": FORMAT, "tensors_sha256": sha256_of(data), "manifest_sha256": _NO_HASH}
    manifest = bundle.manifest.model_copy(update=hashes)
    manifest = manifest.model_copy(update={"manifest_sha256": sha256_of(manifest.model_dump_json(indent=2))})
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "tensors.safetensors", data)
    write_whole(folder / "bundle.json", manifest.model_dump_json(indent=2))
    return manifest


def load_bundle(folder: Path) -> Bundle:
    """Read and check the bundle in ``folder``.

    Raises
    ------
    ArtifactError
        If it is missing, damaged, of another format, or its parts do not fit each other.
    """
    manifest = load_manifest(folder)
    path = folder / "tensors.safetensors"
    try:
        found = sha256_of(path)
    except OSError as error:
        raise ArtifactError(f"bundle {folder}: cannot read {path.name} ({error.strerror}); {_REMAKE}") from None
    if found != manifest.tensors_sha256:
        raise ArtifactError(
            f"bundle {folder}: {path.name} has sha256 {found[:12]}..., but bundle.json expects "
            f"{manifest.tensors_sha256[:12]}...; the file is damaged or of another bundle: {_REMAKE}"
        )
    try:
        return _assemble(folder, manifest, safe_open(path, framework="np"))
    except SafetensorError as error:
        raise ArtifactError(f"bundle {folder}: {path.name} is not safetensors ({error}); {_REMAKE}") from None


def bundle_sha256(folder: Path) -> str:
    """Return the hash that identifies the bundle: that of its ``bundle.json``, which holds the tensors' hash."""
    return sha256_of(folder / "bundle.json")


def _space_arrays(space: Space) -> dict[str, NDArray[Any]]:
    if isinstance(space, RegionSpace):
        return {"space.operator": np.frombuffer(to_bytes(space.operator), np.uint8)}
    if isinstance(space, ComponentSpace):
        return {
            "space.filters": np.ascontiguousarray(space.filters),
            "space.covariance": np.ascontiguousarray(space.covariance),
        }
    return {}


def _load_space(manifest: Manifest, tensors: dict[str, NDArray[Any]], where: str) -> Space:
    """Return the bundle's space; ArtifactError if its parts are missing or make other rows than the manifest names."""
    space: Space
    try:
        if manifest.space == "regions":
            space = RegionSpace(from_bytes(tensors["space.operator"].tobytes(), f"{where}: space.operator"))
        elif manifest.space == "components":
            space = ComponentSpace(manifest.channels, tensors["space.filters"], tensors["space.covariance"])
        elif manifest.space == "ratings":
            space = RatingSpace(manifest.rows)
        else:
            space = ChannelSpace(manifest.channels, manifest.settings.signal.average_reference)
    except KeyError as error:
        raise ArtifactError(f"{where}: tensor {error.args[0]} is missing; {_REMAKE}") from None
    if (space.channels, space.rows) != (manifest.channels, manifest.rows):
        raise ArtifactError(f"{where}: its space has other channels or rows than bundle.json names; {_REMAKE}")
    return space


def load_manifest(folder: Path) -> Manifest:
    """Read and check what the bundle in ``folder`` says of itself; raises ArtifactError if it cannot be used."""
    path = folder / "bundle.json"
    try:
        text = read_text(path)
        content = json_content(text)
    except FileNotFoundError:
        raise ArtifactError(f"no bundle in {path.parent}: {path.name} is not there; {_REMAKE}") from None
    except (OSError, ValueError) as error:
        raise ArtifactError(f"bundle {path.parent}: {path.name} cannot be read ({why(error)}); {_REMAKE}") from None
    version = content.get("format") if isinstance(content, dict) else None
    if version not in _READ:
        raise ArtifactError(
            f"bundle {path.parent} has format {version!r:.40}, but this rtaffect reads formats {_READ[0]} to "
            f"{FORMAT}; {_REMAKE}"
        )
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        raise ArtifactError(f"bundle {path.parent}: {path.name}: {first_problem(error, Manifest)}; {_REMAKE}") from None
    _check_seal(manifest, text, path)
    _check_elements(manifest, path)
    if manifest.space == "ratings" and manifest.rating is None:
        raise ArtifactError(
            f"bundle {path.parent} predicts ratings and does not say on which scale, as before format 7; {_REMAKE}"
        )
    return manifest


def _check_elements(manifest: Manifest, path: Path) -> None:
    """Refuse weights of elements that were fitted by another rule of what is heard, or twice."""
    made = manifest.elements
    if made is not None and (made.silent_db != SILENT_DB or len(set(made.names)) < len(made.names)):
        raise ArtifactError(
            f"bundle {path.parent}: its elements {', '.join(made.names)} are heard from {made.silent_db:g} dB of the "
            f"sound on, but this rtaffect takes {SILENT_DB:g} dB; {_REMAKE}"
        )


def _check_seal(manifest: Manifest, text: str, path: Path) -> None:
    """Refuse a ``bundle.json`` that is not as it was written; one of format 4 has no hash to tell."""
    sealed = manifest.manifest_sha256
    whole = text.count(sealed) == 1 and sha256_of(text.replace(sealed, _NO_HASH)) == sealed if sealed else False
    if whole if manifest.format >= _SEALED else not sealed:
        return
    raise ArtifactError(
        f"bundle {path.parent}: {path.name} is not as it was written: its manifest_sha256 does not fit; the file is "
        f"damaged or was changed: {_REMAKE}"
    )


def _assemble(folder: Path, manifest: Manifest, file: Any) -> Bundle:
    """Return the bundle whose tensors are in ``file``, which is open; its references are not read yet."""
    held = set(file.keys())
    tensors = {name: file.get_tensor(name) for name in held if not name.startswith("reference.")}
    space = _load_space(manifest, tensors, f"bundle {folder}")
    shapes = _expected_shapes(manifest, space)
    for name, shape in shapes.items():
        if name not in held:
            raise ArtifactError(f"bundle {folder}: tensor {name} is missing; {_REMAKE}")
        found = tuple(file.get_slice(name).get_shape())
        if len(found) != len(shape) or any(w not in (None, f) for f, w in zip(found, shape, strict=True)):
            raise ArtifactError(f"bundle {folder}: tensor {name} has shape {found}, expected {shape}; {_REMAKE}")
        if name.startswith(("weights.", "elements.")) and not np.isfinite(tensors[name]).all():
            raise ArtifactError(f"bundle {folder}: tensor {name} holds values that are not finite; {_REMAKE}")
    weights = _weights("weights", tensors, manifest)
    elements = {name: _weights(_prefix(name), tensors, manifest) for name in _elements(manifest)}
    stored = sum(name.startswith("reference.") for name in shapes) // len(names_of(0))
    return Bundle(manifest, weights, StoredReferences(file, stored), space, elements)


def _elements(manifest: Manifest) -> tuple[Element, ...]:
    return manifest.elements.names if manifest.elements is not None else ()


def _prefix(element: Element) -> str:
    return f"elements.{element}"


def _weights(prefix: str, tensors: Mapping[str, NDArray[Any]], manifest: Manifest) -> Weights:
    """Return the weights whose tensors have that prefix."""
    arrays = {f.name: tensors[f"{prefix}.{f.name}"] for f in fields(Weights) if f.name != "lags_s"}
    return Weights(**arrays, lags_s=manifest.lags_s)


def _weight_shapes(manifest: Manifest) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield names and shapes of the tensors of the weights, those of elements among them."""
    rows, size = len(manifest.rows), manifest.featurizer.size
    components, lags = manifest.settings.prediction.n_components, len(manifest.lags_s)
    for prefix in ("weights", *map(_prefix, _elements(manifest))):
        yield f"{prefix}.pca_mean", (size,)
        yield f"{prefix}.pca_components", (components, size)
        yield f"{prefix}.scaler_mean", (components,)
        yield f"{prefix}.scaler_scale", (components,)
        yield f"{prefix}.coefficients", (lags * components, rows)
        yield f"{prefix}.intercept", (rows,)
        yield f"{prefix}.residual_low", (rows + 1,)
        yield f"{prefix}.residual_high", (rows + 1,)


def _expected_shapes(manifest: Manifest, space: Space) -> dict[str, tuple[int | None, ...]]:
    """Return the shape of every tensor; None where any length will do."""
    measured, k = space.layout.measured, Response(space, manifest.settings).layout.k
    widths = (measured * k, measured, measured)
    heard = range(len(manifest.stimuli)) if space.channels else range(0)
    return dict(_weight_shapes(manifest)) | {
        name: (None, width) for i in heard for name, width in zip(names_of(i), widths, strict=True)
    }
