"""Features of a sound are those of calibration, from a file or from samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtaffect import load_bundle, load_featurizer, sound_features
from rtaffect.common.errors import RtaffectError
from rtaffect.predicted.feature_cache import cached_features_of
from rtaffect.predicted.featurizer import Featurizer
from rtaffect.stream.audio import read_sound
from tests.support.helpers import BandFeaturizer, quiet


@pytest.fixture(scope="module")
def featurizer() -> Featurizer:
    return load_featurizer(progress=quiet)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two channels at 44.1 kHz, 3.5 s."""
    path = tmp_path_factory.mktemp("sound") / "noise.wav"
    noise = np.random.default_rng(1).uniform(-0.2, 0.2, (round(3.5 * 44100), 2))
    soundfile.write(path, noise, 44100, subtype="FLOAT")
    return path


def test_a_file_gives_what_calibration_uses(
    path: Path, featurizer: Featurizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds, features = sound_features(str(path), featurizer)
    np.testing.assert_array_equal(seconds, [1.0, 2.0, 3.0])
    assert features.shape == (3, featurizer.size)
    np.testing.assert_array_equal(features, sound_features(path, featurizer).features)
    assert features.dtype == np.float32
    assert featurizer.identity == "moonshine-tiny/layer-2"
    monkeypatch.setenv("RTAFFECT_CACHE", str(tmp_path))
    np.testing.assert_array_equal(features, cached_features_of(read_sound(path)[0], featurizer))


def test_samples_give_the_same_as_a_file_of_them(path: Path) -> None:
    samples, rate = soundfile.read(path, dtype="float32")
    found = sound_features(samples, BandFeaturizer(), rate=rate)
    np.testing.assert_array_equal(found.features, sound_features(path, BandFeaturizer()).features)


@pytest.mark.parametrize(
    ("sound", "options", "said"),
    [
        (np.zeros(15_999, np.float32), {}, "lasts 0.9999 s; features need at least 1 s"),
        (np.zeros(16_000, np.int16), {}, "divide integers by their full scale"),
        (np.zeros((2, 3, 4)), {}, "expected float samples"),
        (np.zeros(0), {}, "expected float samples"),
        (np.full(16_000, np.nan), {}, "NaN"),
        (np.full(16_000, 3e4), {}, r"reaches 30000; expected full scale"),
        (np.zeros(16_000), {"rate": -1.0}, "rate is -1.0 Hz"),
        ("none.wav", {}, "no such file"),
    ],
)
def test_a_mistake_is_one_line(sound: object, options: dict, said: str) -> None:
    with pytest.raises(RtaffectError, match=said) as error:
        sound_features(sound, BandFeaturizer(), **options)
    assert "\n" not in str(error.value)


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(RtaffectError, match="no bundle in"):
        load_bundle(str(tmp_path))
    with pytest.raises(RtaffectError, match="cannot be read"):
        load_featurizer(str(tmp_path / "none.onnx"))
