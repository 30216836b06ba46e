"""Bundles of affect with tiny models of seeded weights, whose sums numpy can do again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from rtaffect.affect.bundle import (
    AffectBundle,
    AffectManifest,
    AffectTensors,
    EmbeddingIdentity,
    save_affect_bundle,
)
from rtaffect.affect.novelty import NoveltyReference
from rtaffect.affect.settings import AffectSettings
from rtaffect.common.files import sha256_of

SHARED, EMBEDDED = 4, 8
DEFAULTS = AffectSettings()


@dataclass(frozen=True)
class TinyWeights:
    """What the models multiply by: EEG (T * C * F, D), sound (E, D), heads (D, 2) for logits and ratings."""

    eeg: np.ndarray
    sound: np.ndarray
    logits: np.ndarray
    rating: np.ndarray

    @classmethod
    def seeded(cls, settings: AffectSettings, channels: int, embedded: int = EMBEDDED, seed: int = 0) -> TinyWeights:
        rng = np.random.default_rng(seed)
        places = settings.sequence_s * channels * len(settings.bands)
        shapes = (places, SHARED), (embedded, SHARED), (SHARED, 2), (SHARED, 2)
        return cls(*((rng.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32) for shape in shapes))

    def heads(self, shared: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Logits and ratings (2,) of a vector (D,)."""
        return shared @ self.logits, np.tanh(shared @ self.rating)


def _model(nodes: Sequence, inputs: dict, outputs: dict, constants: dict[str, np.ndarray]) -> bytes:
    def values(of: dict) -> list:
        return [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["B", *shape]) for n, shape in of.items()]

    graph = helper.make_graph(
        nodes, "tiny", values(inputs), values(outputs), [numpy_helper.from_array(a, n) for n, a in constants.items()]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return model.SerializeToString()


_HEADS = (
    helper.make_node("MatMul", ["shared", "w.logits"], ["logits"]),
    helper.make_node("MatMul", ["shared", "w.rating"], ["turned"]),
    helper.make_node("Tanh", ["turned"], ["rating"]),
)
_GIVEN = {"shared": [SHARED], "logits": [2], "rating": [2]}


def eeg_model(weights: TinyWeights, settings: AffectSettings, channels: int) -> bytes:
    length, bands = settings.sequence_s, len(settings.bands)
    nodes = (
        helper.make_node("Unsqueeze", ["mask", "last"], ["wide"]),
        helper.make_node("Mul", ["features", "wide"], ["used"]),
        helper.make_node("Reshape", ["used", "flat"], ["row"]),
        helper.make_node("MatMul", ["row", "w.eeg"], ["shared"]),
        *_HEADS,
        helper.make_node("ReduceSum", ["mask", "both"], ["total"], keepdims=1),
        helper.make_node("Max", ["total", "one"], ["some"]),
        helper.make_node("Div", ["mask", "some"], ["attention"]),
    )
    constants = {
        "last": np.array([-1]), "flat": np.array([0, -1]), "both": np.array([1, 2]), "one": np.ones(1, np.float32),
        "w.eeg": weights.eeg, "w.logits": weights.logits, "w.rating": weights.rating,
    }  # fmt: skip
    inputs = {"features": [length, channels, bands], "mask": [length, channels]}
    return _model(nodes, inputs, _GIVEN | {"attention": [length, channels]}, constants)


def sound_model(weights: TinyWeights) -> bytes:
    nodes = (helper.make_node("MatMul", ["embedding", "w.sound"], ["shared"]), *_HEADS)
    constants = {"w.sound": weights.sound, "w.logits": weights.logits, "w.rating": weights.rating}
    return _model(nodes, {"embedding": [len(weights.sound)]}, _GIVEN, constants)


def embedding_model(seconds: int, size: int = EMBEDDED) -> bytes:
    """The mean absolute value of the sound in ``size`` parts."""
    nodes = (
        helper.make_node("Reshape", ["audio", "parts"], ["cut"]),
        helper.make_node("Abs", ["cut"], ["high"]),
        helper.make_node("ReduceMean", ["high", "axis"], ["embedding"], keepdims=0),
    )
    constants = {"parts": np.array([0, size, -1]), "axis": np.array([2])}
    return _model(nodes, {"audio": [seconds * 16_000]}, {"embedding": [size]}, constants)


def tiny_bundle(
    channels: Sequence[str],
    settings: AffectSettings = DEFAULTS,
    *,
    novelty: float = 1e6,
    seed: int = 0,
) -> AffectBundle:
    """A bundle whose own embedding is of the sound; ``novelty`` is the limit of all distances."""
    count, bands = len(channels), len(settings.bands)
    weights = TinyWeights.seeded(settings, count, seed=seed)
    embedding = embedding_model(int(settings.sound_s))
    rng = np.random.default_rng(seed + 1)
    reference = NoveltyReference(np.zeros(SHARED), np.eye(SHARED), np.full(2, novelty))
    mean = np.zeros((count, bands)) if settings.baseline == "rest" else np.full((count, bands), -11.0)
    tensors = AffectTensors(
        feature_mean=mean + 0.01 * rng.standard_normal((count, bands)),
        feature_std=rng.uniform(0.3, 0.6, (count, bands)),
        embedding_mean=np.full(EMBEDDED, 0.05),
        embedding_std=rng.uniform(0.02, 0.05, EMBEDDED),
        temperature=np.array([[1.5, 2.0], [1.2, 0.8], [1.1, 0.9]]),
        eeg_weight=np.array([0.25, 0.6]),
        eeg_lasting=np.full(2, novelty),
        eeg_novelty=reference,
        sound_novelty=reference,
    )
    manifest = AffectManifest(
        name="tiny",
        created="2026-01-01T00:00:00Z",
        rtaffect="0",
        settings=settings.model_copy(update={"embedding": "parts"}),
        channels=tuple(channels),
        shared=SHARED,
        embedding=EmbeddingIdentity(kind="file", identity="parts", sha256=sha256_of(embedding), size=EMBEDDED),
        synthetic=True,
    )
    return AffectBundle(manifest, tensors, eeg_model(weights, settings, count), sound_model(weights), embedding)


def write_tiny_bundle(folder: Path, channels: Sequence[str], settings: AffectSettings = DEFAULTS, **options):
    """Write a tiny bundle and return its folder."""
    save_affect_bundle(tiny_bundle(channels, settings, **options), folder)
    return folder


def without_rest(settings: AffectSettings = DEFAULTS) -> AffectSettings:
    return settings.model_copy(update={"baseline": "none"})


def with_tensors(bundle: AffectBundle, **changed: object) -> AffectBundle:
    return replace(bundle, tensors=replace(bundle.tensors, **changed))
