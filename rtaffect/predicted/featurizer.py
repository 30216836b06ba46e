"""Featurizers: features of the newest second of sound, computed by an ONNX model through onnxruntime.

A featurizer file is an ONNX model that carries a manifest (``manifest.py``) among its metadata. It takes
``audio``, the newest second of sound, and its state, and gives ``features`` and what is added to the state. Live
session, replay and calibration all run it as a :class:`FeatureStream` from the start of the sound, second by second,
so that their features cannot differ.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from platformdirs import user_cache_path

from rtaffect.common.arrays import Float32Array
from rtaffect.common.cache import seal_beside, wrong_beside
from rtaffect.common.errors import ArtifactError
from rtaffect.common.files import sha256_of
from rtaffect.common.offline import offline_module
from rtaffect.predicted.embedded import MOONSHINE, EmbeddedModel, named_model
from rtaffect.predicted.feature_stream import FeatureStream
from rtaffect.predicted.featurizer_file import (
    CPU,
    check_signature,
    failures_to_run,
    featurizer_content,
    onnxruntime_or_remedy,
    open_inference_session,
    read_manifest,
)
from rtaffect.predicted.manifest import NEWEST_S, SAMPLE_RATE, FeaturizerManifest

DEFAULT: Final = MOONSHINE
DEFAULT_LAYER: Final = DEFAULT.middle
#: Threads for work with no session beside it, where nothing else needs the cores.
ALL_CORES: Final = os.cpu_count() or 1
#: A featurizer that takes more of each second than this leaves too little for the rest, s.
TOO_SLOW_S: Final = 0.7

_CUDA: Final = "CUDAExecutionProvider"

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
        content = featurizer_content(path)
        ort = onnxruntime_or_remedy()
        on_cpu = cls._opened(path, content, threads, CPU)
        if _CUDA not in ort.get_available_providers():
            return on_cpu
        on_gpu = cls._opened(path, content, threads, _CUDA)
        if on_gpu.provider != _CUDA:
            progress("The GPU cannot be used (CUDA 13 and cuDNN 9 are needed): the featurizer runs on the processor")
            return on_cpu
        failures: tuple[type[Exception], ...] = (ArtifactError, *failures_to_run())
        try:
            gpu_s = on_gpu.cost_s()
        except failures as error:
            reason = (str(error).splitlines() or [""])[0]
            progress(f"The GPU cannot run the featurizer, which runs on the processor: {reason:.200}")
            return on_cpu
        cpu_s = on_cpu.cost_s()
        if gpu_s > cpu_s:
            progress(f"The GPU takes {gpu_s:.3f} s a step, the processor {cpu_s:.3f} s: the featurizer runs there")
            return on_cpu
        return on_gpu

    @classmethod
    def _opened(cls, path: Path, content: bytes, threads: int, provider: str) -> Self:
        session = open_inference_session(path, content, threads, provider)
        manifest = read_manifest(session, path)
        check_signature(session, manifest, path)
        return cls(session, manifest, sha256_of(content), threads)

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


def features_of(sound: Float32Array, featurizer: Featurizer, over: threading.Event | None = None) -> Float32Array:
    """Return the features of each second of a whole sound, causally, exactly as a live session computes them.

    Parameters
    ----------
    sound
        float32 (n,), mono at 16 kHz.
    featurizer
        Several threads may use one at the same time.
    over
        Once it is set, the work is left off: concurrent.futures.CancelledError.

    Returns
    -------
    float32 (floor(n / 16000), size): row k - 1 is the step at time k s. (steps, n_layers, size) for all layers.
    """
    stream, count = featurizer.stream(), len(sound) // SAMPLE_RATE
    features = np.empty((count, *featurizer.manifest.features_shape), np.float32)
    for row, second in zip(features, sound[: count * SAMPLE_RATE].reshape(count, SAMPLE_RATE), strict=True):
        if over is not None and over.is_set():
            raise CancelledError
        row[:] = stream.step(second)
    return features


def featurizer_for(path: Path | None, threads: int = 1, progress: Progress = print) -> Featurizer:
    """Load the featurizer of one layer at ``path``, or an embedded one.

    Parameters
    ----------
    path
        A file, or the name of an embedded model or of a layer of it (:mod:`rtaffect.predicted.embedded`), the middle
        one where it names none; None for the default model's.
    threads, progress
        As for :meth:`Featurizer.load`.
    """
    if path is None:
        return default_featurizer(progress, threads)
    if named := named_model(path):
        model, layer = named
        return embedded_featurizer(model, model.middle if layer is None else layer, progress, threads)
    featurizer = Featurizer.load(path, threads, progress)
    if featurizer.manifest.layer is None:
        raise ArtifactError(
            f"{path}: gives all {featurizer.manifest.n_layers} layers at once, to compare them; expected one: cut it "
            f"out with rtaffect export --model {path} --layer K --out FILE"
        )
    return featurizer


def all_layers_for(path: Path | None, threads: int = 1, progress: Progress = print) -> Featurizer:
    """Load the featurizer of all layers at ``path``, or that of an embedded model: named, or by None the default."""
    featurizer = layers_for(path, threads, progress)
    if featurizer.manifest.layer is not None:
        raise ArtifactError(
            f"{path}: gives {featurizer.manifest.feature_set} alone; expected all layers at once: export with "
            "--layers all"
        )
    return featurizer


def layers_for(path: Path | None, threads: int = 1, progress: Progress = print) -> Featurizer:
    """Load the featurizer at ``path``, of all layers or of one; an embedded model gives all unless one is named."""
    if path is None:
        return default_featurizer(progress, threads, layer=None)
    if named := named_model(path):
        return embedded_featurizer(*named, progress, threads)
    return Featurizer.load(path, threads, progress)


def default_featurizer(progress: Progress = print, threads: int = 1, layer: int | None = DEFAULT_LAYER) -> Featurizer:
    """Load the default model's featurizer, see :func:`embedded_featurizer`."""
    return embedded_featurizer(DEFAULT, layer, progress, threads)


def embedded_featurizer(
    model: EmbeddedModel, layer: int | None, progress: Progress = print, threads: int = 1
) -> Featurizer:
    """Load an embedded model's featurizer from the user's cache; build it first where it is missing or damaged.

    ``layer`` counts from 0, None takes all layers at once. The cache is ``featurizers`` in the user's cache folder of
    rtaffect; the variable RTAFFECT_CACHE names another one.
    """
    path = cached_path(model, layer)
    if path.exists():
        onnxruntime_or_remedy()
        try:
            found = Featurizer.load(path, threads, progress)
            if not (wrong := wrong_beside(path, found.sha256)):
                return found
            progress(f"The cached featurizer is replaced: {path}: {wrong}")
        except ArtifactError as error:
            progress(f"The cached featurizer is replaced: {error}")
    # Named by a string because rtaffect does not import the exporters: only the first use needs them.
    module, _, function = model.builder.partition(":")
    getattr(offline_module(module), function or "build")(path, layer=layer, progress=progress)
    seal_beside(path)
    return Featurizer.load(path, threads, progress)


def cached_path(model: EmbeddedModel, layer: int | None) -> Path:
    """Return where the featurizer of a layer of an embedded model, or with None of all, is kept once it is built."""
    what = "all-layers" if layer is None else f"layer-{layer}"
    return cache_root() / "featurizers" / f"{model.name}-{what}.onnx"


def cache_root() -> Path:
    """Return the folder for what can be built again: RTAFFECT_CACHE, or the user's cache folder of rtaffect."""
    override = os.environ.get("RTAFFECT_CACHE")
    return Path(override) if override else user_cache_path("rtaffect")


def embedded_asset(name: str) -> Path:
    """Return the path of a file among the assets of the default model's package, which has sounds of a voice too."""
    return DEFAULT.asset(name)
