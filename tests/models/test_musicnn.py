"""musicnn's penultimate layer, against the net and the front end written down once more in numpy."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from models import catalogue, musicnn
from models.embedded import builder_of
from models.tf_checkpoint import read_checkpoint
from models.wheels import wheel_files
from rtaffect.common.errors import ArtifactError
from rtaffect.predicted.embedded import EMBEDDED, MUSICNN_MSD, named_model
from rtaffect.predicted.featurizer import Featurizer, cached_path, embedded_featurizer, features_of
from rtaffect.simulation.sounds import compose

CHECKPOINTS = (musicnn.MSD, musicnn.MTT)


def quiet(_: str) -> None:
    pass


@functools.cache
def variables(checkpoint: musicnn.Checkpoint) -> dict[str, np.ndarray]:
    index, data = wheel_files(musicnn.WHEEL, checkpoint.files, checkpoint.sha256, progress=quiet)
    return read_checkpoint(index, data, checkpoint.source)


@functools.cache
def featurizer(checkpoint: musicnn.Checkpoint) -> Featurizer:
    return Featurizer.load(musicnn.build(checkpoint, Path(tempfile.mkdtemp()) / "musicnn.onnx", progress=quiet))


@functools.cache
def music(seconds: int = 5) -> np.ndarray:
    return compose(3, seconds)


def mel_of(sound: np.ndarray) -> np.ndarray:
    """log10(10000 x + 1) of librosa's melspectrogram(sr=16000, n_fft=512, hop_length=256, n_mels=96), (frames, 96).

    By its definition: centred frames of mirrored sound, periodic Hann window, power, Slaney's scale and areas.
    """
    whole = np.pad(np.asarray(sound, np.float64), 256, mode="reflect")
    window = np.hanning(513)[:-1]
    frames = np.stack([whole[at : at + 512] * window for at in range(0, len(whole) - 511, 256)])
    power = np.abs(np.fft.rfft(frames)) ** 2

    def hertz(mel: float) -> float:
        return mel * 200 / 3 if mel < 15 else 1000 * 6.4 ** ((mel - 15) / 27)

    top = 15 + 27 * np.log(8000 / 1000) / np.log(6.4)
    edges = [hertz(mel) for mel in np.linspace(0, top, 98)]
    bins = np.fft.rfftfreq(512, 1 / 16_000)
    weights = [np.interp(bins, edges[i : i + 3], [0, 2 / (edges[i + 2] - edges[i]), 0]) for i in range(96)]
    return np.log10(10_000 * power @ np.stack(weights).T + 1)


def penultimate_of(mel: np.ndarray, v: dict[str, np.ndarray]) -> np.ndarray:
    """musicnn's ``models.py`` on one patch (frames, 96), step by step as it is written there, in float64."""

    def batch(x: np.ndarray, name: str) -> np.ndarray:
        gamma, beta, mean, variance = (
            v[f"{name}/{part}"].astype(np.float64) for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        return (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta

    def convolved(x: np.ndarray, name: str) -> np.ndarray:
        """ReLU of a 'valid' convolution of (time, width) with a kernel (a, b, 1, filters)."""
        kernel = v[f"{name}/kernel"].astype(np.float64)
        cut = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2])
        return np.maximum(0, np.tensordot(cut, kernel[:, :, 0], axes=2) + v[f"{name}/bias"])

    def padded(x: np.ndarray, before: int, after: int) -> np.ndarray:
        return np.pad(x, ((before, after), (0, 0)))

    x = batch(mel[..., None], "batch_normalization")[..., 0]
    front = [
        batch(convolved(padded(x, 3, 3), "conv2d"), "batch_normalization_1").max(axis=1),
        batch(convolved(padded(x, 3, 3), "conv2d_1"), "batch_normalization_2").max(axis=1),
        batch(convolved(padded(x, 63, 64), "conv2d_2"), "batch_normalization_3").max(axis=1),
        batch(convolved(padded(x, 31, 32), "conv2d_3"), "batch_normalization_4").max(axis=1),
        batch(convolved(padded(x, 15, 16), "conv2d_4"), "batch_normalization_5").max(axis=1),
    ]
    joined = np.concatenate(front, axis=1)
    one = batch(convolved(padded(joined, 3, 3), "conv2d_5"), "batch_normalization_6")[:, 0]
    two = batch(convolved(padded(one, 3, 3), "conv2d_6"), "batch_normalization_7")[:, 0] + one
    three = batch(convolved(padded(two, 3, 3), "conv2d_7"), "batch_normalization_8")[:, 0] + two
    every = np.concatenate([joined, one, two, three], axis=1)
    pooled = np.stack([every.max(axis=0), every.mean(axis=0)], axis=1).reshape(-1)
    dense = batch(pooled, "batch_normalization_9") @ v["dense/kernel"] + v["dense/bias"]
    return batch(np.maximum(0, dense), "batch_normalization_10")


def test_the_mel_bands_are_triangles_of_area_one_in_hertz():
    weights = musicnn.mel_weights()
    assert weights.shape == (96, 257)
    # A triangle that is wide against a bin of 31.25 Hz has the area 1.
    np.testing.assert_allclose(weights[60:].sum(axis=1) * 31.25, 1.0, atol=0.02)
    assert (np.diff(weights.argmax(axis=1)) >= 0).all()


@pytest.mark.parametrize("checkpoint", CHECKPOINTS, ids=lambda c: c.folder)
def test_a_patch_of_3_s_is_what_musicnn_gives(checkpoint):
    """187 frames, the last of a file of 3 s left out; and the net's weights are those of the checkpoint's 20 parts."""
    found = features_of(music()[:48_000], featurizer(checkpoint))[-1]
    mel = mel_of(music()[:48_000])
    assert mel.shape == (188, 96)
    expected = penultimate_of(mel[:187], variables(checkpoint))
    np.testing.assert_allclose(found, expected, atol=2e-5 * np.abs(expected).max(), rtol=0)
    assert np.ptp(expected) > 1


def test_the_first_seconds_are_of_what_there_is():
    found = features_of(music(), featurizer(musicnn.MSD))
    for second, frames in ((1, 62), (2, 125)):
        expected = penultimate_of(mel_of(music()[: second * 16_000])[:frames], variables(musicnn.MSD))
        np.testing.assert_allclose(found[second - 1], expected, atol=2e-5 * np.abs(expected).max(), rtol=0)


def test_only_the_newest_3_s_count_and_level_is_heard():
    found = features_of(music(), featurizer(musicnn.MSD))
    alone = features_of(music()[32_000:], featurizer(musicnn.MSD))
    np.testing.assert_array_equal(found[-1], alone[-1])
    quieter = features_of(0.1 * music(), featurizer(musicnn.MSD))
    assert np.abs(found - quieter)[2:].max() > 0.1


def test_silence_and_full_scale_are_finite():
    """musicnn itself rounds to 16 bits, in which mel bands of a loud sound overflow."""
    loud = np.sign(np.sin(2 * np.pi * 110 * np.arange(48_000) / 16_000)).astype(np.float32)
    assert mel_of(loud).max() > np.log10(65_504)
    for sound in (np.zeros(48_000, np.float32), loud):
        assert np.isfinite(features_of(sound, featurizer(musicnn.MSD))).all()


def test_the_two_checkpoints_differ():
    msd, mtt = (features_of(music()[:48_000], featurizer(c))[-1] for c in CHECKPOINTS)
    assert np.abs(msd - mtt).max() > 0.1


@pytest.mark.parametrize("checkpoint", CHECKPOINTS, ids=lambda c: c.folder)
def test_it_is_known_by_name_and_listed(checkpoint):
    manifest = featurizer(checkpoint).manifest
    known, builder = catalogue.find(manifest.name), builder_of(manifest)
    assert builder.model is EMBEDDED[manifest.name] is checkpoint.model
    assert (builder.mode, builder.context_s) == (manifest.mode, manifest.context_s)
    assert (known.family, known.licence, known.n_layers) == (manifest.family, manifest.licence, manifest.n_layers)
    assert known.hidden_size == manifest.hidden_size == 200
    assert builder.model.install in known.how_to_get
    assert named_model(Path(manifest.name)) == (checkpoint.model, None)
    assert manifest.licence == "ISC"
    assert manifest.source_sha256 == checkpoint.sha256


def test_by_its_name_it_is_built_into_the_cache(monkeypatch, tmp_path):
    index, data = (tmp_path / Path(name).name for name in musicnn.MSD.files)
    for path, content in zip(
        (index, data), wheel_files(musicnn.WHEEL, musicnn.MSD.files, musicnn.MSD.sha256, progress=quiet), strict=True
    ):
        path.write_bytes(content)
    monkeypatch.setenv("RTAFFECT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("models.wheels._cached", lambda wheel, progress: tmp_path)
    made = embedded_featurizer(MUSICNN_MSD, 0, quiet)
    assert cached_path(MUSICNN_MSD, 0).is_file()
    assert made.identity == "musicnn-msd/final"
    every = embedded_featurizer(MUSICNN_MSD, None, quiet)
    np.testing.assert_array_equal(features_of(music()[:16_000], every)[:, 0], features_of(music()[:16_000], made))


def test_whole_patches_side_by_side_are_the_same(tmp_path):
    path = musicnn.build_embedding(musicnn.MTT, tmp_path / "embedding.onnx", quiet)
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    patches = np.stack([music()[start : start + 48_000] for start in (0, 16_000, 32_000)])
    (found,) = session.run(["embedding"], {"audio": patches})
    expected = features_of(music(), featurizer(musicnn.MTT))[2:]
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max(), rtol=0)


def test_another_wheel_and_another_layer_are_refused(tmp_path):
    with pytest.raises(ArtifactError, match="has only layer 0"):
        musicnn.build(musicnn.MSD, tmp_path / "out.onnx", 1, quiet)
    with pytest.raises(ArtifactError, match=r"not the wheel musicnn==0\.1\.0"):
        musicnn.build(musicnn.MSD, tmp_path / "out.onnx", 0, quiet, source=tmp_path / "missing.whl")
    for name in musicnn.MTT.files:
        (tmp_path / Path(name).name).write_bytes(b"another")
    with pytest.raises(ArtifactError, match=r"sha256 of \.index"):
        musicnn.build(musicnn.MTT, tmp_path / "out.onnx", 0, quiet, source=tmp_path)
