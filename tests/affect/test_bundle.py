"""Bundles of affect: as they were written, or refused in one line."""

from __future__ import annotations

import json

import numpy as np
import pytest

from rtaffect.affect.bundle import load_affect_bundle, save_affect_bundle
from rtaffect.affect.encoder import Encoder
from rtaffect.affect.loaded import load_affect
from rtaffect.common.errors import ArtifactError
from tests.support.affect import TinyWeights, eeg_model, sound_model, tiny_bundle, with_tensors, write_tiny_bundle
from tests.support.helpers import quiet

CHANNELS = ("Fz", "Cz", "Pz")


def refused(folder) -> str:
    with pytest.raises(ArtifactError) as caught:
        load_affect(folder, quiet)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_read_is_what_was_written(tmp_path):
    made = tiny_bundle(CHANNELS)
    manifest = save_affect_bundle(made, tmp_path / "b")
    found = load_affect_bundle(tmp_path / "b")
    assert found.manifest == manifest
    assert found.manifest.settings == made.manifest.settings
    assert (found.eeg, found.sound, found.embedding) == (made.eeg, made.sound, made.embedding)
    np.testing.assert_array_equal(found.tensors.temperature, made.tensors.temperature)
    np.testing.assert_array_equal(found.tensors.eeg_novelty.precision, made.tensors.eeg_novelty.precision)


@pytest.mark.parametrize("name", ["tensors.safetensors", "eeg.onnx", "sound.onnx", "embedding.onnx"])
def test_a_damaged_or_missing_file_is_refused(tmp_path, name):
    folder = write_tiny_bundle(tmp_path / "b", CHANNELS)
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    assert f"{name} has sha256" in refused(folder)
    (folder / name).unlink()
    assert f"cannot read {name}" in refused(folder)


def test_a_changed_manifest_is_refused(tmp_path):
    folder = write_tiny_bundle(tmp_path / "b", CHANNELS)
    path = folder / "affect.json"
    text = path.read_text()
    path.write_text(text.replace('"tiny"', '"tidy"'))
    assert "is not as it was written" in refused(folder)
    path.write_text(text.replace('"format": 1', '"format": 7'))
    assert "has format 7, but this rtaffect reads format 1" in refused(folder)
    path.write_text("{")
    assert "cannot be read" in refused(folder)
    path.unlink()
    assert "no bundle of affect" in refused(folder)
    (folder / "bundle.json").write_text(json.dumps({}))
    assert "it is a bundle of synchrony" in refused(folder)


def test_parts_that_do_not_fit_are_refused_when_written(tmp_path):
    made = tiny_bundle(CHANNELS)
    for changed, words in (
        ({"feature_std": np.ones((2, 4))}, "expected float64"),
        ({"temperature": np.zeros((3, 2))}, "above 0"),
        ({"eeg_weight": np.array([0.5, 1.5])}, "from 0 to 1"),
        ({"embedding_mean": np.full(8, np.nan)}, "not finite"),
    ):
        with pytest.raises(ArtifactError, match=words):
            save_affect_bundle(with_tensors(made, **changed), tmp_path / "b")


def test_a_model_that_takes_or_gives_something_else_is_refused(tmp_path):
    settings = tiny_bundle(CHANNELS).manifest.settings
    weights = TinyWeights.seeded(settings, 3)
    heads = {"shared": (4,), "logits": (2,), "rating": (2,)}
    with pytest.raises(ArtifactError, match="it maps embedding to"):
        Encoder(tmp_path / "x.onnx", sound_model(weights), {"features": (3,)}, heads)
    with pytest.raises(ArtifactError, match="cannot be run"):
        Encoder(tmp_path / "x.onnx", sound_model(weights), {"embedding": (5,)}, heads)
    with pytest.raises(ArtifactError, match="shared is float32"):
        Encoder(tmp_path / "x.onnx", sound_model(weights), {"embedding": (8,)}, heads | {"shared": (9,)})
    content = eeg_model(weights, settings, 3)
    with pytest.raises(ArtifactError, match="damaged"):
        Encoder(tmp_path / "x.onnx", content[: len(content) // 2], {"embedding": (8,)}, heads)
