"""The runtime of featurizers, with the real default model."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtaffect.common.errors import ArtifactError
from rtaffect.predicted import featurizer as module
from rtaffect.predicted.feature_stream import FeatureStream
from rtaffect.predicted.featurizer import (
    Featurizer,
    cache_root,
    default_featurizer,
    embedded_asset,
    features_of,
    featurizer_for,
)
from rtaffect.predicted.manifest import MANIFEST_KEY, SAMPLE_RATE
from tests.support.damage import flipped

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
STATE = {"name": "audio", "dtype": "float32", "shape": [], "keep": 64_000, "made": [16_000, 16_000]}


def quiet(_: str) -> None:
    pass


@functools.cache
def shared() -> Featurizer:
    """The default featurizer, from the user's cache."""
    return default_featurizer(quiet)


@functools.cache
def shared_path() -> Path:
    shared()
    return cache_root() / "featurizers" / "moonshine-tiny-layer-2.onnx"


def noise(n: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


def with_manifest(path: Path, text: str | None) -> Path:
    """A copy of the featurizer with another manifest, or none."""
    model = onnx.load(shared_path())
    onnx.helper.set_model_props(model, {} if text is None else {MANIFEST_KEY: text})
    onnx.save(model, path)
    return path


def test_a_loaded_featurizer_says_what_it_is():
    featurizer = shared()
    assert featurizer.identity == "moonshine-tiny/layer-2"
    assert (featurizer.size, featurizer.manifest.context_s, featurizer.manifest.sample_rate) == (288, 5, 16_000)
    assert (featurizer.manifest.feature_set, featurizer.manifest.features_shape) == ("layer-2", (288,))
    assert featurizer.sha256 == hashlib.sha256(shared_path().read_bytes()).hexdigest()
    if "CUDAExecutionProvider" not in ort.get_available_providers():
        assert featurizer.provider == "CPUExecutionProvider"


def test_features_do_not_depend_on_threads_or_on_other_streams():
    sound = noise(7 * SAMPLE_RATE)
    first = features_of(sound, shared())
    stream, other = shared().stream(), shared().stream()
    for k, second in enumerate(sound.reshape(7, SAMPLE_RATE)):
        np.testing.assert_array_equal(stream.step(second), first[k])
        other.step(noise(SAMPLE_RATE, seed=k + 1))
    two_threads = Featurizer.load(shared_path(), threads=2)
    np.testing.assert_allclose(features_of(sound, two_threads), first, rtol=1e-4, atol=1e-4)


def test_silence_gives_finite_features():
    features = features_of(np.zeros(7 * SAMPLE_RATE, np.float32), shared())
    assert features.shape == (7, 288)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()


@settings(max_examples=15, deadline=None)
@given(silent=st.integers(0, 2 * SAMPLE_RATE), gains=st.lists(st.sampled_from([0.0, 1e-6, 1.0, 30.0]), min_size=1))
def test_any_level_gives_finite_features(silent, gains):
    sound = np.repeat(np.float32(gains[:6]), SAMPLE_RATE) * noise(len(gains[:6]) * SAMPLE_RATE)
    sound[:silent] = 0.0
    assert np.isfinite(features_of(sound, shared())).all()


def test_features_of_a_sound_are_those_of_the_newest_five_seconds_of_each_step():
    sound = noise(7 * SAMPLE_RATE + 9_000)
    features = features_of(sound, shared())
    assert features.shape == (7, 288)
    for k in range(1, 8):
        newest = sound[max(0, k - 5) * SAMPLE_RATE : k * SAMPLE_RATE]
        np.testing.assert_array_equal(features[k - 1], features_of(newest, shared())[-1])


def test_features_are_causal():
    sound, stop = noise(8 * SAMPLE_RATE), 6 * SAMPLE_RATE
    changed = sound.copy()
    changed[stop:] = 0.0
    np.testing.assert_array_equal(features_of(sound, shared())[:6], features_of(changed, shared())[:6])
    assert (features_of(sound, shared())[6:] != features_of(changed, shared())[6:]).any(axis=1).all()


def test_a_sound_of_less_than_a_second_has_no_features():
    assert features_of(noise(15_999), shared()).shape == (0, 288)
    assert features_of(noise(16_000), shared()).shape == (1, 288)


def test_the_cost_of_a_step_is_measured_with_a_whole_context(monkeypatch):
    """The first step, in which the model gets ready, does not count."""
    now, waits = [0.0], iter([9.0, 0.2, 0.1, 0.4])
    filled: list[bool] = []

    class Slow(FeatureStream):
        def step(self, second: np.ndarray) -> np.ndarray:
            filled.append(not self.warming_up)
            now[0] += next(waits)
            return super().step(second)

    monkeypatch.setattr(module, "FeatureStream", Slow)
    monkeypatch.setattr(module.time, "perf_counter", lambda: now[0])
    assert shared().cost_s() == pytest.approx(0.2)
    assert filled == [True] * 4


def test_what_a_step_costs_is_said_with_a_remedy_where_it_is_too_much():
    said = shared().describe_cost(0.123)
    assert "moonshine-tiny/layer-2 takes 0.12 s of each 1 s here" in said
    assert "too slow" not in said
    if shared().provider == CPU:
        assert "the processor, 1 thread(s)" in said
    assert "--mode causal, --precision int8 or a lower --layer" in shared().describe_cost(0.71)


class OnGpu(Featurizer):
    """A featurizer that says it runs on a GPU, at a cost from :attr:`cost`: no GPU can be had in tests."""

    provider = CUDA
    cost: float | Exception = 0.0

    def cost_s(self, steps: int = 3) -> float:
        if isinstance(self.cost, Exception):
            raise self.cost
        return self.cost


def pretend_gpu(monkeypatch: pytest.MonkeyPatch, on_gpu: type[Featurizer]) -> list[str]:
    """Let onnxruntime offer CUDA, and opening with it give an ``on_gpu``; return the list of providers asked for."""
    real, asked = Featurizer._opened.__func__, []

    def opened(cls: type[Featurizer], path: Path, sha256: str, threads: int, provider: str) -> Featurizer:
        asked.append(provider)
        return real(on_gpu if provider == CUDA else cls, path, sha256, threads, CPU)

    monkeypatch.setattr(ort, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(Featurizer, "_opened", classmethod(opened))
    return asked


def test_a_gpu_that_silently_falls_back_is_told(monkeypatch):
    path, said = shared_path(), []
    asked = pretend_gpu(monkeypatch, Featurizer)
    loaded = Featurizer.load(path, progress=said.append)
    assert loaded.provider == CPU
    assert asked == [CPU, CUDA]
    (line,) = said
    assert "GPU cannot be used" in line
    assert "CUDA 13 and cuDNN 9" in line
    assert "runs on the processor" in line
    assert np.isfinite(features_of(noise(SAMPLE_RATE), loaded)).all()


def test_a_gpu_that_is_slower_than_the_processor_is_not_used(monkeypatch):
    path, said = shared_path(), []
    monkeypatch.setattr(OnGpu, "cost", 1000.0)
    pretend_gpu(monkeypatch, OnGpu)
    loaded = Featurizer.load(path, progress=said.append)
    assert (type(loaded), loaded.provider) == (Featurizer, CPU)
    (line,) = said
    assert "The GPU takes 1000.000 s a step, the processor " in line


@pytest.mark.parametrize(
    "error",
    [
        ort.capi.onnxruntime_pybind11_state.RuntimeException("cuDNN has no kernel\nsecond line"),
        ort.capi.onnxruntime_pybind11_state.Fail("cuDNN has no kernel"),
        RuntimeError("cuDNN has no kernel"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_gpu_that_fails_at_the_first_step_is_not_used(monkeypatch, error):
    path, said = shared_path(), []
    monkeypatch.setattr(OnGpu, "cost", error)
    pretend_gpu(monkeypatch, OnGpu)
    loaded = Featurizer.load(path, progress=said.append)
    assert (type(loaded), loaded.provider) == (Featurizer, CPU)
    assert said == ["The GPU cannot run the featurizer, which runs on the processor: cuDNN has no kernel"]


def test_a_gpu_that_is_faster_is_used_in_silence(monkeypatch):
    path, said = shared_path(), []
    pretend_gpu(monkeypatch, OnGpu)
    assert isinstance(Featurizer.load(path, progress=said.append), OnGpu)
    assert said == []


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.9999])
def test_a_truncated_file_is_refused(tmp_path, kept):
    content = shared_path().read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ArtifactError, match=r"cut\.onnx.*(build|export)") as caught:
        Featurizer.load(path)
    assert "\n" not in str(caught.value)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(ArtifactError, match="cannot be read"):
        Featurizer.load(tmp_path / "none.onnx")
    text = tmp_path / "text.onnx"
    text.write_text("a text, not a model " * 50)
    with pytest.raises(ArtifactError, match="not an ONNX model"):
        Featurizer.load(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 1}, "format_version = 1"),
        ({"sample_rate": 8000}, "sample_rate = 8000"),
        ({"surprise": 1}, "surprise"),
        ({"source_sha256": "abc"}, "source_sha256 = 'abc'"),
        ({"context_s": 0}, "context_s = 0"),
        ({"mode": "both"}, "mode = 'both'"),
        ({"hidden_size": 300}, r"with features \(288,\), but its manifest says .*with \(300,\)"),
        ({"layer": None}, r"with features \(288,\), but its manifest says .*with \(6, 288\)"),
        ({"state": []}, r"maps \['audio', 'state.audio'\] to .*manifest says \['audio'\] to \['features'\]"),
        ({"state": [STATE | {"name": "other"}]}, r"manifest says .*'state.other'\] to \['features', 'new.other'\]"),
        ({"state": [STATE | {"name": "a b"}]}, r"state 1: name = 'a b'"),
        ({"state": [STATE | {"dtype": "int64"}]}, r"state 1: dtype = 'int64'"),
        ({"state": [STATE | {"keep": -1}]}, r"state 1: keep = -1"),
        ({"state": [STATE | {"shape": [3]}]}, r"state.audio is .*manifest says .*3"),
        ({"state": [STATE | {"dtype": "float64"}]}, r"state.audio is .*manifest says .*double"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(tmp_path, change, message):
    manifest = json.dumps(shared().manifest.model_dump() | change)
    with pytest.raises(ArtifactError, match=f"{message}.*export") as caught:
        Featurizer.load(with_manifest(tmp_path / "f.onnx", manifest))
    assert "\n" not in str(caught.value)


def test_a_missing_or_garbled_manifest_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match=r"without manifest.*rtaffect export"):
        Featurizer.load(with_manifest(tmp_path / "none.onnx", None))
    with pytest.raises(ArtifactError, match="JSON"):
        Featurizer.load(with_manifest(tmp_path / "garbled.onnx", "{"))


def test_names_that_are_no_text_are_refused(tmp_path):
    """onnxruntime opens such a model, and only who asks for its names learns of it."""
    path = with_manifest(tmp_path / "f.onnx", shared().manifest.model_dump_json())
    path.write_bytes(path.read_bytes().replace(b"new.audio", b"new.a\x80dio"))
    with pytest.raises(ArtifactError, match=r"f.onnx: damaged, or not an ONNX model.*build it again"):
        Featurizer.load(path)


def test_the_default_is_built_once_and_rebuilt_when_damaged(tmp_path, monkeypatch):
    monkeypatch.setenv("RTAFFECT_CACHE", str(tmp_path))
    said: list[str] = []
    built = default_featurizer(said.append)
    (path,) = (tmp_path / "featurizers").glob("*.onnx")
    assert len(said) == 2
    assert default_featurizer(said.append).sha256 == built.sha256
    assert len(said) == 2
    path.write_bytes(path.read_bytes()[:1000])
    assert featurizer_for(None, progress=said.append).sha256 == built.sha256
    assert "replaced" in said[2]
    assert featurizer_for(path).sha256 == built.sha256


def test_a_flipped_bit_of_the_cached_one_is_found(tmp_path, monkeypatch):
    """Whatever it does to the model: most flips change weights and no structure."""
    monkeypatch.setenv("RTAFFECT_CACHE", str(tmp_path))
    built = default_featurizer(quiet)
    (path,) = (tmp_path / "featurizers").glob("*.onnx")
    whole = path.read_bytes()
    builds = []
    monkeypatch.setattr(
        module, "offline_module", lambda _: SimpleNamespace(build=lambda to, **_: builds.append(to.write_bytes(whole)))
    )
    for place, bit in flipped(path, 3):
        said: list[str] = []
        assert default_featurizer(said.append).sha256 == built.sha256, (place, bit)
        assert "The cached featurizer is replaced" in said[0]
        assert "\n" not in said[0]
    assert len(builds) == 5


def with_outside_weights(model: onnx.ModelProto, where: str) -> None:
    """Let a tensor of the model lie in another file: among the weights, in a node, in a graph inside, in a function."""
    tensor = onnx.TensorProto(data_type=1, dims=[1], data_location=onnx.TensorProto.EXTERNAL, name="outside")
    tensor.external_data.add(key="location", value="../../etc/passwd")
    inner = onnx.helper.make_graph([], "inner", [], [], [tensor])
    node = onnx.helper.make_node("Constant", [], ["x"])
    if where == "weights":
        model.graph.initializer.append(tensor)
    elif where == "node":
        node.attribute.append(onnx.helper.make_attribute("value", tensor))
        model.graph.node.append(node)
    elif where == "inner graph":
        model.graph.node.append(onnx.helper.make_node("If", ["c"], ["y"], then_branch=inner))
    else:
        node.attribute.append(onnx.helper.make_attribute("value", tensor))
        model.functions.append(onnx.helper.make_function("d", "f", [], ["x"], [node], []))


@pytest.mark.parametrize("where", ["weights", "node", "inner graph", "function"])
def test_weights_in_other_files_are_refused(tmp_path, where):
    model = onnx.load(shared_path())
    with_outside_weights(model, where)
    path = tmp_path / "outside.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ArtifactError, match=r"weights in other files, which its hash does not cover") as caught:
        Featurizer.load(path)
    assert "\n" not in str(caught.value)


def test_the_cache_is_the_users_unless_named(tmp_path, monkeypatch):
    monkeypatch.setenv("RTAFFECT_CACHE", str(tmp_path))
    assert cache_root() == tmp_path
    monkeypatch.delenv("RTAFFECT_CACHE")
    assert "rtaffect" in str(cache_root())


def test_missing_onnxruntime_is_named_and_leaves_the_cache_alone(monkeypatch):
    before = shared_path().stat().st_mtime_ns
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ArtifactError, match=r"pip install \"rtaffect\[cpu\]\""):
        default_featurizer(quiet)
    assert shared_path().stat().st_mtime_ns == before


def test_a_missing_wheel_or_asset_is_named(monkeypatch):
    with pytest.raises(ArtifactError, match=r"has no nothing\.wav.*0\.0\.49.*rtaffect\[embedded\]"):
        embedded_asset("nothing.wav")

    def missing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    with pytest.raises(ArtifactError, match=r"moonshine-voice.*rtaffect\[embedded\]"):
        embedded_asset("two_cities.wav")


def test_importing_the_module_loads_no_runtime_and_finding_the_model_no_native_library():
    code = (
        "import sys, rtaffect.predicted.featurizer as f; f.embedded_asset('two_cities.wav');"
        "print([m for m in ('onnxruntime', 'onnx', 'torch', 'models', 'moonshine_voice') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
