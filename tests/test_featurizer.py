"""The runtime of featurizers, with the real default model."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtaffect import featurizer as module
from rtaffect.errors import ArtifactError
from rtaffect.featurizer import (
    MANIFEST_KEY,
    Featurizer,
    cache_root,
    context_at,
    default_featurizer,
    embedded_asset,
    features_of,
    featurizer_for,
)


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
    assert (featurizer.size, featurizer.context_s, featurizer.sample_rate) == (288, 5.0, 16_000)
    assert featurizer.sha256 == hashlib.sha256(shared_path().read_bytes()).hexdigest()
    if "CUDAExecutionProvider" not in ort.get_available_providers():
        assert featurizer.provider == "CPUExecutionProvider"


def test_features_do_not_depend_on_threads_or_on_earlier_calls():
    featurizer, sound = shared(), noise(80_000)
    first = featurizer(sound)
    featurizer(noise(30_000, seed=1))
    np.testing.assert_array_equal(featurizer(sound), first)
    np.testing.assert_allclose(Featurizer.load(shared_path(), threads=2)(sound), first, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("n", [16_000, 80_000])
def test_silence_gives_finite_features(n):
    shared().warm_up()
    features = shared()(np.zeros(n, np.float32))
    assert features.shape == (288,)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()


@settings(max_examples=15, deadline=None)
@given(n=st.integers(16_000, 80_000), gain=st.sampled_from([1e-6, 1.0, 30.0]))
def test_any_length_and_level_gives_finite_features(n, gain):
    assert np.isfinite(shared()(np.float32(gain) * noise(n))).all()


@pytest.mark.parametrize(
    ("context", "message"),
    [
        (np.full(16_000, np.nan, np.float32), "NaN"),
        (np.full(16_000, np.inf, np.float32), "infinity"),
        (np.zeros(15_999, np.float32), "15999 samples, expected 16000 to 80000"),
        (np.zeros(80_001, np.float32), "80001 samples"),
        (np.zeros(16_000), "float64"),
        (np.zeros((1, 16_000), np.float32), r"\(1, 16000\)"),
    ],
)
def test_a_context_that_is_a_mistake_of_ours_raises(context, message):
    with pytest.raises(ValueError, match=message):
        shared()(context)


def test_features_of_a_sound_are_those_of_the_newest_five_seconds_of_each_step():
    sound = noise(7 * 16_000 + 9_000)
    features = features_of(sound, shared())
    assert features.shape == (7, 288)
    for k in range(1, 8):
        np.testing.assert_array_equal(features[k - 1], shared()(sound[max(0, k * 16_000 - 80_000) : k * 16_000]))


def test_features_are_causal_and_agree_with_a_short_buffer():
    sound, stop = noise(8 * 16_000), 6 * 16_000
    changed = sound.copy()
    changed[stop:] = 0.0
    np.testing.assert_array_equal(features_of(sound, shared())[:6], features_of(changed, shared())[:6])
    buffer = sound[stop - 5 * 16_000 : stop]
    whole = context_at(sound, stop, shared().manifest)
    np.testing.assert_array_equal(context_at(buffer, len(buffer), shared().manifest), whole)


def test_features_of_other_steps_and_short_sounds():
    assert features_of(noise(15_999), shared()).shape == (0, 288)
    assert features_of(noise(48_000), shared(), step_s=1.5).shape == (2, 288)
    with pytest.raises(ValueError, match=r"step_s is 0\.5"):
        features_of(noise(48_000), shared(), step_s=0.5)
    with pytest.raises(ValueError, match="stop is 9"):
        context_at(noise(8), 9, shared().manifest)


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
        ({"format_version": 2}, "format_version is 2"),
        ({"sample_rate": 8000}, "sample_rate is 8000"),
        ({"surprise": 1}, "surprise"),
        ({"source_sha256": "abc"}, "source_sha256 is 'abc'"),
        ({"hidden_size": 300}, "maps .*expected .*300"),
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


def test_the_default_is_built_once_and_rebuilt_when_damaged(tmp_path, monkeypatch):
    monkeypatch.setenv("RTAFFECT_CACHE", str(tmp_path))
    said: list[str] = []
    built = default_featurizer(said.append)
    (path,) = (tmp_path / "featurizers").iterdir()
    assert len(said) == 2
    assert default_featurizer(said.append).sha256 == built.sha256
    assert len(said) == 2
    path.write_bytes(path.read_bytes()[:1000])
    assert featurizer_for(None, progress=said.append).sha256 == built.sha256
    assert "replaced" in said[2]
    assert featurizer_for(path).sha256 == built.sha256


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

    monkeypatch.setattr(module.importlib.metadata, "distribution", missing)
    with pytest.raises(ArtifactError, match=r"moonshine-voice.*rtaffect\[embedded\]"):
        embedded_asset("two_cities.wav")


def test_importing_the_module_loads_no_runtime_and_finding_the_model_no_native_library():
    code = (
        "import sys, rtaffect.featurizer as f; f.embedded_asset('two_cities.wav');"
        "print([m for m in ('onnxruntime', 'onnx', 'torch', 'models', 'moonshine_voice') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
