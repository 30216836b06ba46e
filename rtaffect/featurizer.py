"""Featurizers: one vector per step from the newest sound, computed by an ONNX model through onnxruntime.

A featurizer file is an ONNX model with one input ``audio``, float32 (1, n_samples), and one output ``features``,
float32 (hidden_size,), which carries a JSON manifest among its metadata. Live session, replay and calibration all take
their context through :func:`context_at` and call the same :class:`Featurizer`, so that their features cannot differ.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rtaffect.errors import ArtifactError

MANIFEST_KEY: Final = "rtaffect"
SAMPLE_RATE: Final = 16_000
DEFAULT_LAYER: Final = 2
#: Threads for work with no session beside it, where nothing else needs the cores.
ALL_CORES: Final = os.cpu_count() or 1
NEWEST_S: Final = 1.0

_DEFAULT_BUILDER: Final = "models.moonshine"
_EMBEDDED_WHEEL: Final = "moonshine-voice"
_PROVIDERS: Final = ("CUDAExecutionProvider", "CPUExecutionProvider")

Float32Array = NDArray[np.float32]
Progress = Callable[[str], None]


class FeaturizerManifest(BaseModel):
    """What a featurizer file says of itself.

    ``layer`` counts from 0 to ``n_layers`` - 1; ``frame_rate`` is in frames/s; ``pooled_frames`` newest frames are
    averaged. A ``windowed`` model sees the newest ``context_s`` seconds anew at each step and keeps no state.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal[1]
    family: str = Field(min_length=1)
    name: str = Field(min_length=1)
    source: str
    source_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    layer: int = Field(ge=0)
    n_layers: int = Field(ge=1)
    hidden_size: int = Field(ge=1)
    sample_rate: Literal[16000]
    frame_rate: float = Field(gt=0)
    pooled_frames: int = Field(ge=1)
    context_s: float = Field(ge=NEWEST_S)
    mode: Literal["windowed"]
    licence: str
    note: str = ""

    @property
    def feature_set(self) -> str:
        """The name of the feature set: ``final`` for the last layer, else ``layer-<k>``."""
        return "final" if self.layer == self.n_layers - 1 else f"layer-{self.layer}"

    @property
    def context_samples(self) -> int:
        """The longest context that the model sees, in samples."""
        return round(self.context_s * self.sample_rate)


class Featurizer:
    """A loaded featurizer, from :meth:`load`. Calls keep no state."""

    def __init__(self, session: Any, manifest: FeaturizerManifest, sha256: str) -> None:
        self._session = session
        self.manifest = manifest
        self.sha256 = sha256

    @classmethod
    def load(cls, path: Path, threads: int = 1) -> Self:
        """Read, check and open the featurizer file at ``path``.

        Parameters
        ----------
        path
            An ONNX file with a manifest, as written by the exporters; ArtifactError if it is anything else.
        threads
            Number of threads of one call. They sleep while idle, so that sound callback and display keep the cores.
        """
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ArtifactError(
                f"{path}: the featurizer cannot be read ({error.strerror}); build or name another one"
            ) from error
        session = _open_session(content, path, threads)
        manifest = _read_manifest(session, path)
        _check_signature(session, manifest, path)
        return cls(session, manifest, hashlib.sha256(content).hexdigest())

    @property
    def size(self) -> int:
        """Length of the feature vector."""
        return self.manifest.hidden_size

    @property
    def context_s(self) -> float:
        """The longest context that the model sees, s."""
        return self.manifest.context_s

    @property
    def sample_rate(self) -> int:
        """Rate of the sound that the model expects, Hz."""
        return self.manifest.sample_rate

    @property
    def identity(self) -> str:
        """Short name of model and feature set, such as ``moonshine-tiny/layer-2``."""
        return f"{self.manifest.name}/{self.manifest.feature_set}"

    @property
    def provider(self) -> str:
        """The onnxruntime provider that is really active, whatever was asked for."""
        return str(self._session.get_providers()[0])

    def warm_up(self) -> None:
        """Run once on a full context of silence, so that the first step costs no more than the others."""
        self(np.zeros(self.manifest.context_samples, np.float32))

    def __call__(self, context: Float32Array) -> Float32Array:
        """Return the features of the newest second.

        Parameters
        ----------
        context
            float32 (n,), mono sound at 16 kHz within about -1..1, newest sample last, finite; from 1 s to
            ``context_s`` long.

        Returns
        -------
        float32 (size,), always finite for finite sound, digital silence included.
        """
        _require_context(context, self.manifest)
        (features,) = self._session.run(["features"], {"audio": np.ascontiguousarray(context)[np.newaxis]})
        return np.asarray(features, dtype=np.float32)


def context_at(sound: Float32Array, stop: int, manifest: FeaturizerManifest) -> Float32Array:
    """Return what the featurizer sees at a step: the newest ``context_s`` of the sound before sample ``stop``.

    ``sound`` is float32 (n,), mono at 16 kHz, from its beginning or from any later sample that leaves the context
    whole; ``stop`` indexes it just after the step's newest sample. Returns a view, (min(stop, context_s * 16000),).
    """
    if not 0 < stop <= len(sound):
        raise ValueError(f"stop is {stop}, outside 1..{len(sound)}")
    return sound[max(0, stop - manifest.context_samples) : stop]


def features_of(sound: Float32Array, featurizer: Featurizer, step_s: float = 1.0) -> Float32Array:
    """Return the features of each step of a whole sound, causally, exactly as a live session computes them.

    Parameters
    ----------
    sound
        float32 (n,), mono at 16 kHz.
    step_s
        Time from step to step, at least 1 s: the first step comes when the first ``step_s`` have been heard.

    Returns
    -------
    float32 (floor(n / (16000 * step_s)), size): row k - 1 is the step at time ``k * step_s``.
    """
    if step_s < NEWEST_S:
        raise ValueError(f"step_s is {step_s} s: the features are those of the newest {NEWEST_S:g} s, so at least that")
    step = step_s * featurizer.sample_rate
    stops = [round(k * step) for k in range(1, int(len(sound) // step) + 1)]
    features = np.empty((len(stops), featurizer.size), np.float32)
    for row, stop in zip(features, stops, strict=True):
        row[:] = featurizer(context_at(sound, stop, featurizer.manifest))
    return features


def featurizer_for(path: Path | None, threads: int = 1, progress: Progress = print) -> Featurizer:
    """Load the featurizer at ``path``, or the default one where ``path`` is None."""
    return default_featurizer(progress, threads) if path is None else Featurizer.load(path, threads)


def default_featurizer(progress: Progress = print, threads: int = 1) -> Featurizer:
    """Load the default featurizer from the user's cache; build it first where it is missing or damaged.

    The cache is ``featurizers`` in the user's cache folder of rtaffect; the variable RTAFFECT_CACHE names another one.
    """
    path = cache_root() / "featurizers" / f"moonshine-tiny-layer-{DEFAULT_LAYER}.onnx"
    if path.exists():
        _onnxruntime()
        try:
            return Featurizer.load(path, threads)
        except ArtifactError as error:
            progress(f"The cached featurizer is replaced: {error}")
    # Named by a string because rtaffect does not import the exporters: only the first use needs them.
    builder = importlib.import_module(_DEFAULT_BUILDER)
    builder.build(path, layer=DEFAULT_LAYER, progress=progress)
    return Featurizer.load(path, threads)


def cache_root() -> Path:
    """Return the folder for what can be built again: RTAFFECT_CACHE, or the user's cache folder of rtaffect."""
    override = os.environ.get("RTAFFECT_CACHE")
    return Path(override) if override else user_cache_path("rtaffect")


def embedded_asset(name: str) -> Path:
    """Return the path of a file among the assets of the wheel that holds the default model.

    The wheel is found through its metadata and never imported: its package loads a native library.
    """
    remedy = 'pip install "rtaffect[embedded]"'
    try:
        wheel = importlib.metadata.distribution(_EMBEDDED_WHEEL)
    except importlib.metadata.PackageNotFoundError as error:
        raise ArtifactError(
            f"the default model and voice need the package {_EMBEDDED_WHEEL}, which is not installed; {remedy}"
        ) from error
    path = Path(str(wheel.locate_file(f"moonshine_voice/assets/{name}")))
    if not path.is_file():
        raise ArtifactError(
            f"{_EMBEDDED_WHEEL} {wheel.version} has no {name}; expected version 0.0.49, which has it: {remedy}"
        )
    return path


def _onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ArtifactError(
            'a featurizer needs onnxruntime, which is not installed; pip install "rtaffect[cpu]" '
            '(or "rtaffect[gpu]" with an NVIDIA GPU)'
        ) from error
    return onnxruntime


def _open_session(content: bytes, path: Path, threads: int) -> Any:
    ort = _onnxruntime()
    native = ort.capi.onnxruntime_pybind11_state
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3
    providers = [name for name in _PROVIDERS if name in ort.get_available_providers()]
    damage = (native.Fail, native.InvalidArgument, native.InvalidGraph, native.InvalidProtobuf, native.NotImplemented)
    try:
        return ort.InferenceSession(content, options, providers=providers)
    except damage as error:
        raise ArtifactError(
            f"{path}: damaged, or not an ONNX model that this onnxruntime ({ort.__version__}) can read; build it again"
        ) from error


def _read_manifest(session: Any, path: Path) -> FeaturizerManifest:
    text = session.get_modelmeta().custom_metadata_map.get(MANIFEST_KEY)
    if text is None:
        raise ArtifactError(
            f"{path}: an ONNX model without manifest, so not a featurizer; build it with rtaffect export"
        )
    try:
        return FeaturizerManifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise ArtifactError(
            f"{path}: its manifest does not fit this version of rtaffect: {field} is {first['input']!r:.60}: "
            f"{first['msg']}; export it again with rtaffect export"
        ) from error


def _check_signature(session: Any, manifest: FeaturizerManifest, path: Path) -> None:
    inputs = [(value.name, value.type) for value in session.get_inputs()]
    outputs = [(value.name, value.type, value.shape) for value in session.get_outputs()]
    expected = [("features", "tensor(float)", [manifest.hidden_size])]
    if inputs != [("audio", "tensor(float)")] or outputs != expected:
        raise ArtifactError(
            f"{path}: maps {inputs} to {outputs}, expected float32 'audio' (1, n) to float32 'features' "
            f"({manifest.hidden_size},); export it again with rtaffect export"
        )


def _require_context(context: Float32Array, manifest: FeaturizerManifest) -> None:
    shortest = round(NEWEST_S * manifest.sample_rate)
    if context.ndim != 1 or context.dtype != np.float32:
        raise ValueError(f"the context is {context.dtype} {context.shape}, expected float32 (n,)")
    if not shortest <= len(context) <= manifest.context_samples:
        raise ValueError(f"the context has {len(context)} samples, expected {shortest} to {manifest.context_samples}")
    if not np.isfinite(context).all():
        raise ValueError("the context holds NaN or infinity: gaps must be cleaned before")
