"""Featurizers: features of the newest second of sound, computed by an ONNX model through onnxruntime.

A featurizer file is an ONNX model that carries a manifest (:mod:`rtaffect.manifest`) among its metadata. It takes
``audio``, the newest second of sound, and its state, and gives ``features`` and what is added to the state. Live
session, replay and calibration all run it as a :class:`FeatureStream` from the start of the sound, second by second,
so that their features cannot differ.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path
from pydantic import ValidationError

from rtaffect.errors import ArtifactError
from rtaffect.feature_stream import FeatureStream
from rtaffect.manifest import MANIFEST_KEY, NEWEST_S, SAMPLE_RATE, FeaturizerManifest, StatePart

DEFAULT_LAYER: Final = 2
#: Threads for work with no session beside it, where nothing else needs the cores.
ALL_CORES: Final = os.cpu_count() or 1
#: A featurizer that takes more of each second than this leaves too little for the rest, s.
TOO_SLOW_S: Final = 0.7

_DEFAULT_BUILDER: Final = "models.moonshine"
_EMBEDDED_WHEEL: Final = "moonshine-voice"
_CUDA: Final = "CUDAExecutionProvider"
_CPU: Final = "CPUExecutionProvider"

Float32Array = NDArray[np.float32]
Progress = Callable[[str], None]


class Featurizer:
    """A loaded featurizer, from :meth:`load`. Calls keep no state; :meth:`stream` gives what does."""

    def __init__(self, session: Any, manifest: FeaturizerManifest, sha256: str, threads: int) -> None:
        self._session = session
        self.manifest = manifest
        self.sha256 = sha256
        self.threads = threads

    @classmethod
    def load(cls, path: Path, threads: int = 1, progress: Progress = print) -> Self:
        """Read, check and open the featurizer file at ``path``.

        Where there is a CUDA GPU and the package onnxruntime-gpu, the model runs there; where that fails, or the
        processor is faster, it runs on the processor and ``progress`` is told.

        Parameters
        ----------
        path
            An ONNX file with a manifest, as written by the exporters; ArtifactError if it is anything else.
        threads
            Number of threads of one call. They sleep while idle, so that sound callback and display keep the cores.
        progress
            Called with one line of text where the processor stands in for the GPU.
        """
        sha256 = _sha256_of(path)
        ort = _onnxruntime()
        on_cpu = cls._opened(path, sha256, threads, _CPU)
        if _CUDA not in ort.get_available_providers():
            return on_cpu
        on_gpu = cls._opened(path, sha256, threads, _CUDA)
        if on_gpu.provider != _CUDA:
            progress("The GPU cannot be used (CUDA 13 and cuDNN 9 are needed): the featurizer runs on the processor")
            return on_cpu
        try:
            gpu_s = on_gpu.cost_s()
        except _failures_to_run() as error:
            reason = (str(error).splitlines() or [""])[0]
            progress(f"The GPU cannot run the featurizer, which runs on the processor: {reason:.200}")
            return on_cpu
        cpu_s = on_cpu.cost_s()
        if gpu_s > cpu_s:
            progress(f"The GPU takes {gpu_s:.3f} s a step, the processor {cpu_s:.3f} s: the featurizer runs there")
            return on_cpu
        return on_gpu

    @classmethod
    def _opened(cls, path: Path, sha256: str, threads: int, provider: str) -> Self:
        session = _open_session(path, threads, provider)
        manifest = _read_manifest(session, path)
        _check_signature(session, manifest, path)
        return cls(session, manifest, sha256, threads)

    @property
    def size(self) -> int:
        """Length of the feature vector."""
        return self.manifest.hidden_size

    @property
    def identity(self) -> str:
        """Short name of model and feature set, such as ``moonshine-tiny/layer-2``."""
        return f"{self.manifest.name}/{self.manifest.feature_set}"

    @property
    def provider(self) -> str:
        """The onnxruntime provider that is really active, whatever was asked for."""
        return str(self._session.get_providers()[0])

    def stream(self) -> FeatureStream:
        """Return a new pass over a sound."""
        return FeatureStream(self._session, self.manifest, "cuda" if self.provider == _CUDA else "cpu")

    def cost_s(self, steps: int = 3) -> float:
        """Return how long a step with a full context takes here, s: the median of ``steps`` after one to warm up."""
        stream, silence = self.stream(), np.zeros(SAMPLE_RATE, np.float32)
        stream.fill()
        spent = []
        for _ in range(steps + 1):
            begin = time.perf_counter()
            stream.step(silence)
            spent.append(time.perf_counter() - begin)
        return float(np.median(spent[1:]))

    def describe_cost(self, cost_s: float) -> str:
        """Say in words what a step costs, and what to do where that is too much."""
        where = "the GPU" if self.provider == _CUDA else f"the processor, {self.threads} thread(s)"
        text = f"featurizer {self.identity} takes {cost_s:.2f} s of each {NEWEST_S} s here ({where})"
        if cost_s > TOO_SLOW_S:
            text += "; too slow for a live session: export with --mode causal, --precision int8 or a lower --layer"
        return text


def features_of(sound: Float32Array, featurizer: Featurizer) -> Float32Array:
    """Return the features of each second of a whole sound, causally, exactly as a live session computes them.

    Parameters
    ----------
    sound
        float32 (n,), mono at 16 kHz.

    Returns
    -------
    float32 (floor(n / 16000), size): row k - 1 is the step at time k s. (steps, n_layers, size) for all layers.
    """
    stream, count = featurizer.stream(), len(sound) // SAMPLE_RATE
    features = np.empty((count, *featurizer.manifest.features_shape), np.float32)
    for row, second in zip(features, sound[: count * SAMPLE_RATE].reshape(count, SAMPLE_RATE), strict=True):
        row[:] = stream.step(second)
    return features


def featurizer_for(path: Path | None, threads: int = 1, progress: Progress = print) -> Featurizer:
    """Load the featurizer of one layer at ``path``, or the default one where ``path`` is None."""
    if path is None:
        return default_featurizer(progress, threads)
    featurizer = Featurizer.load(path, threads, progress)
    if featurizer.manifest.layer is None:
        raise ArtifactError(
            f"{path}: gives all {featurizer.manifest.n_layers} layers at once, to compare them; expected one: export "
            "with --layer K"
        )
    return featurizer


def default_featurizer(progress: Progress = print, threads: int = 1) -> Featurizer:
    """Load the default featurizer from the user's cache; build it first where it is missing or damaged.

    The cache is ``featurizers`` in the user's cache folder of rtaffect; the variable RTAFFECT_CACHE names another one.
    """
    path = cache_root() / "featurizers" / f"moonshine-tiny-layer-{DEFAULT_LAYER}.onnx"
    if path.exists():
        _onnxruntime()
        try:
            return Featurizer.load(path, threads, progress)
        except ArtifactError as error:
            progress(f"The cached featurizer is replaced: {error}")
    # Named by a string because rtaffect does not import the exporters: only the first use needs them.
    builder = importlib.import_module(_DEFAULT_BUILDER)
    builder.build(path, layer=DEFAULT_LAYER, progress=progress)
    return Featurizer.load(path, threads, progress)


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


def _failures_to_run() -> tuple[type[Exception], ...]:
    """Return what onnxruntime raises where a device lacks memory, a library or an operator."""
    native = _onnxruntime().capi.onnxruntime_pybind11_state
    return native.Fail, native.EPFail, native.RuntimeException, native.NotImplemented, RuntimeError


def _sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while part := file.read(1 << 20):
                digest.update(part)
    except OSError as error:
        raise ArtifactError(
            f"{path}: the featurizer cannot be read ({error.strerror}); build or name another one"
        ) from error
    return digest.hexdigest()


def _open_session(path: Path, threads: int, provider: str) -> Any:
    ort = _onnxruntime()
    native = ort.capi.onnxruntime_pybind11_state
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3
    damage = (native.Fail, native.InvalidArgument, native.InvalidGraph, native.InvalidProtobuf, native.NotImplemented)
    try:
        return ort.InferenceSession(str(path), options, providers=list(dict.fromkeys((provider, _CPU))))
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
    found = {value.name for value in session.get_inputs()}, {value.name for value in session.get_outputs()}
    expected = (
        {"audio", *(f"state.{part.name}" for part in manifest.state)},
        {"features", *(f"new.{part.name}" for part in manifest.state)},
    )
    shape: list[Any] = next((value.shape for value in session.get_outputs() if value.name == "features"), [])
    if found != expected or tuple(shape) != manifest.features_shape:
        raise ArtifactError(
            f"{path}: maps {sorted(found[0])} to {sorted(found[1])} with features {tuple(shape)}, but its manifest "
            f"says {sorted(expected[0])} to {sorted(expected[1])} with {manifest.features_shape}; export it again with "
            "rtaffect export"
        )
    for part in manifest.state:
        _check_state(session, part, path)


def _check_state(session: Any, part: StatePart, path: Path) -> None:
    wanted = "tensor(double)" if part.dtype == "float64" else "tensor(float)"
    names = f"state.{part.name}", f"new.{part.name}"
    for value in (*session.get_inputs(), *session.get_outputs()):
        if value.name not in names:
            continue
        row = tuple(value.shape[1:])
        known = all(size == given for size, given in zip(row, part.shape, strict=False) if isinstance(size, int))
        if value.type != wanted or len(row) != len(part.shape) or not known:
            raise ArtifactError(
                f"{path}: {value.name} is {value.type} with rows {row}, but its manifest says {wanted} with "
                f"{part.shape}; export it again with rtaffect export"
            )
