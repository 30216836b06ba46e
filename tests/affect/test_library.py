"""The library of sounds: embedded once, what cannot be read told one by one."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from rtaffect.affect.embedding import FeaturizerEmbedder, embeddings_of
from rtaffect.affect.library import direction_of, open_library
from rtaffect.affect.loaded import load_affect
from rtaffect.common.errors import SettingsError
from tests.support.affect import write_tiny_bundle
from tests.support.helpers import BandFeaturizer, quiet


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.setenv("RTAFFECT_CACHE", str(tmp_path / "cache"))
    return load_affect(write_tiny_bundle(tmp_path / "bundle", ("Fz", "Cz")), quiet)


def write(path, seconds: float, seed: int) -> np.ndarray:
    path.parent.mkdir(exist_ok=True, parents=True)
    rng = np.random.default_rng(seed)
    samples = (rng.uniform(0.01, 0.2) * rng.standard_normal(round(seconds * 16_000))).astype(np.float32)
    soundfile.write(path, samples, 16_000, subtype="FLOAT")
    return samples


def test_a_library_is_embedded_once_and_what_cannot_be_read_is_told(tmp_path, model, monkeypatch):
    folder, notes = tmp_path / "sounds", []
    samples = {name: write(folder / name, 7.5, seed) for seed, name in enumerate(["a.wav", "more/b.wav", "c.wav"])}
    write(folder / "short.wav", 2.0, 9)
    (folder / "notes.txt").write_text("no sound")
    (folder / ".hidden").write_text("not looked at")
    found = open_library(folder, model, quiet, notes.append)
    assert found.names == ("a.wav", "c.wav", "more/b.wav")
    assert len(notes) == 2
    assert any("short.wav is left out: it lasts 2.0 s, and the bundle embeds 3 s at a time" in n for n in notes)
    assert any("notes.txt is left out" in n for n in notes)
    assert not any("\n" in n for n in notes)
    parts = np.stack([samples["c.wav"][k * 48_000 : (k + 1) * 48_000] for k in range(2)])
    embedded = np.abs(parts.reshape(2, 8, -1)).mean(2)
    np.testing.assert_allclose(found.directions[1], direction_of(model.shared_of_sounds(embedded)), atol=1e-4)
    monkeypatch.setattr(type(model.embedder), "stream", None)
    again = open_library(folder, model, quiet, quiet)
    np.testing.assert_array_equal(again.directions, found.directions)


def test_what_is_kept_and_damaged_is_made_again(tmp_path, model):
    write(tmp_path / "sounds" / "a.wav", 4, 0)
    found = open_library(tmp_path / "sounds", model, quiet, quiet)
    (kept,) = (tmp_path / "cache").rglob("*.safetensors")
    kept.write_bytes(b"damaged")
    np.testing.assert_array_equal(open_library(tmp_path / "sounds", model, quiet, quiet).directions, found.directions)


def test_a_folder_without_sounds_is_refused(tmp_path, model):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SettingsError, match="there is no sound in it"):
        open_library(tmp_path / "empty", model, quiet, quiet)
    with pytest.raises(SettingsError, match="it is no folder"):
        open_library(tmp_path / "none", model, quiet, quiet)


def test_a_featurizers_vectors_are_averaged_over_the_newest_seconds():
    rng, featurizer = np.random.default_rng(0), BandFeaturizer()
    sound = (0.1 * rng.standard_normal(6 * 16_000 + 50)).astype(np.float32)
    stream = featurizer.stream()
    each = np.stack([stream.step(second) for second in sound[: 6 * 16_000].reshape(6, -1)])
    found = embeddings_of(sound, FeaturizerEmbedder(featurizer, 3))
    assert np.isnan(found[:2]).all()
    for last in range(2, 6):
        np.testing.assert_allclose(found[last], each[last - 2 : last + 1].mean(0), rtol=1e-6)
