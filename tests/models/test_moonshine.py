"""The default featurizer is the named layer of the named model, and is refused when the source is another."""

from __future__ import annotations

import functools
import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from models import moonshine
from rtaffect.common.errors import ArtifactError
from rtaffect.predicted.featurizer import Featurizer, features_of


def quiet(_: str) -> None:
    pass


@functools.cache
def uncut_session() -> ort.InferenceSession:
    """The whole encoder with every layer's residual stream as an output: the independent oracle."""
    model = moonshine.encoder_graph(moonshine.verified_source())
    for layer in range(moonshine.N_LAYERS - 1):
        model.graph.output.append(onnx.ValueInfoProto(name=moonshine.layer_tensor(layer)))
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def hidden_states(sound: np.ndarray, layer: int) -> np.ndarray:
    """All frames of a layer, (frames, 288)."""
    feed = {"input_values": sound[np.newaxis], "attention_mask": np.ones((1, len(sound)), np.int64)}
    (states,) = uncut_session().run([moonshine.layer_tensor(layer)], feed)
    return states[0]


def noise(n: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


@pytest.mark.parametrize("layer", [0, 2, 5])
def test_features_are_the_mean_of_the_newest_frames_of_the_uncut_model(tmp_path, layer):
    """Of its newest five seconds, fewer while there are fewer."""
    featurizer = Featurizer.load(moonshine.build(tmp_path / "f.onnx", layer, quiet))
    stream, sound, warming_up = featurizer.stream(), noise(8 * 16_000, seed=layer), []
    for stop in range(16_000, len(sound) + 1, 16_000):
        states = hidden_states(sound[max(0, stop - 80_000) : stop], layer)
        features = stream.step(sound[stop - 16_000 : stop])
        np.testing.assert_allclose(features, states[-41:].mean(axis=0), rtol=1e-4, atol=1e-4)
        warming_up.append(stream.warming_up)
    assert warming_up == [True] * 4 + [False] * 4


def test_all_layers_from_one_pass_are_those_of_the_uncut_model_and_of_each_featurizer(tmp_path):
    """From the first second on; the single featurizers' to 1e-4 of each layer's spread."""
    featurizer = Featurizer.load(moonshine.build(tmp_path / "all.onnx", None, quiet))
    assert featurizer.identity == "moonshine-tiny/all-layers"
    assert featurizer.manifest.features_shape == (moonshine.N_LAYERS, moonshine.HIDDEN_SIZE)
    sound = noise(7 * 16_000, seed=3)
    found = features_of(sound, featurizer)
    for layer in range(moonshine.N_LAYERS):
        single = features_of(sound, Featurizer.load(moonshine.build(tmp_path / "one.onnx", layer, quiet)))
        np.testing.assert_allclose(found[:, layer], single, atol=1e-4 * single.std(), rtol=0)
        for second in (1, 7):
            heard = sound[max(0, second * 16_000 - 80_000) : second * 16_000]
            expected = hidden_states(heard, layer)[-41:].mean(axis=0)
            np.testing.assert_allclose(found[second - 1, layer], expected, rtol=1e-4, atol=1e-4)


def test_one_pass_for_all_layers_holds_every_layer_once(tmp_path):
    """So it costs what the last layer alone does, not six passes: the same multiplications."""

    def products(layer: int | None) -> int:
        nodes = onnx.load(moonshine.build(tmp_path / "f.onnx", layer, quiet)).graph.node
        return sum(node.op_type in {"MatMul", "Gemm", "Conv", "FusedMatMul"} for node in nodes)

    assert products(None) == products(5) > products(2) > products(0)


#: Samples that a frame depends on: of the three convolutions, each with its width and the stride of those before it.
RECEPTIVE_FIELD = 127 + (7 - 1) * 64 + (3 - 1) * 64 * 3


@pytest.mark.parametrize("n", [16_000, 16_384, 40_123, 79_999, 80_000])
def test_the_frame_grid_is_the_documented_one(n):
    frames = (n - RECEPTIVE_FIELD) // moonshine.FRAME_STRIDE + 1
    assert (moonshine.FRAME_STRIDE, RECEPTIVE_FIELD) == (384, 895)
    assert hidden_states(noise(n), 0).shape == (frames, moonshine.HIDDEN_SIZE)


def test_the_averaged_frames_of_a_full_context_are_those_centred_in_its_newest_second():
    frames = len(hidden_states(noise(80_000), 0))
    centres = moonshine.FRAME_STRIDE * np.arange(frames) + RECEPTIVE_FIELD // 2
    assert np.flatnonzero(centres >= 64_000).tolist() == list(range(frames - moonshine.POOLED_FRAMES, frames))


def test_the_manifest_says_what_the_model_is(tmp_path):
    featurizer = Featurizer.load(moonshine.build(tmp_path / "f.onnx", 5, quiet))
    manifest = featurizer.manifest
    assert featurizer.identity == "moonshine-tiny/final"
    assert manifest.source_sha256 == hashlib.sha256(moonshine.verified_source().read_bytes()).hexdigest()
    assert manifest.frame_rate == pytest.approx(41.667, abs=1e-3)
    assert (manifest.licence, manifest.mode, manifest.context_s) == ("MIT", "windowed", 5)
    assert (manifest.format_version, manifest.normalisation, manifest.lookahead) == (2, "context", 0)
    (sound,) = manifest.state
    assert (sound.name, sound.dtype, sound.keep, sound.made) == ("audio", "float32", 4 * 16_000, (16_000, 16_000))
    assert "supervised English" in manifest.note
    assert "not a self-supervised" in manifest.note


def test_the_graph_is_cut_after_the_layer(tmp_path):
    names = {
        name
        for node in onnx.load(moonshine.build(tmp_path / "f.onnx", 2, quiet)).graph.node
        for name in (*node.input, *node.output)
    }
    assert "/layers.2/Add_1_output_0" in names
    assert not any(name.startswith("/layers.3/mlp") for name in names)
    assert (tmp_path / "f.onnx").stat().st_size < 10e6


def test_processes_that_build_at_the_same_time_leave_one_whole_identical_file(tmp_path):
    target = tmp_path / "cache" / "f.onnx"
    code = f"from pathlib import Path; from models.moonshine import build; build(Path({str(target)!r}))"
    children = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [child.wait(60) for child in children] == [0, 0]
    alone = moonshine.build(tmp_path / "alone.onnx", progress=quiet)
    assert target.read_bytes() == alone.read_bytes()
    assert [path.name for path in target.parent.iterdir()] == ["f.onnx"]


def test_another_source_is_refused(tmp_path, monkeypatch):
    other = tmp_path / "encoder_model.ort"
    other.write_bytes(moonshine.verified_source().read_bytes()[:-1] + b"x")
    monkeypatch.setattr(moonshine, "embedded_asset", lambda _: other)
    with pytest.raises(ArtifactError, match=r"sha256 is .*expected 94e90a4654fc.*pip install"):
        moonshine.build(tmp_path / "f.onnx", progress=quiet)
    assert not (tmp_path / "f.onnx").exists()


def test_another_graph_is_refused():
    model = moonshine.encoder_graph(moonshine.verified_source())
    with pytest.raises(ArtifactError, match=r"/layers\.9/Add_1_output_0.*pip install"):
        moonshine.require_tensor(model, "/layers.9/Add_1_output_0")
    model.graph.input[0].name = "wave"
    with pytest.raises(ArtifactError, match=r"found \('wave', 'attention_mask'\)"):
        moonshine.require_tensor(model, moonshine.layer_tensor(2))


@pytest.mark.parametrize("layer", [-1, 6])
def test_a_layer_that_does_not_exist_is_refused(tmp_path, layer):
    with pytest.raises(ArtifactError, match=f"layer {layer}: .*0 to 5"):
        moonshine.build(tmp_path / "f.onnx", layer, quiet)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match="cannot be written"):
        moonshine.build(tmp_path / "file" / "f.onnx", progress=quiet)


def test_missing_packages_are_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ArtifactError, match=r"needs onnx; pip install \"rtaffect\[cpu,embedded\]\""):
        moonshine.build(Path(tmp_path / "f.onnx"), progress=quiet)
