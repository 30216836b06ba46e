"""Features on disk: whole, of the right sound, and made again where they are damaged."""

from __future__ import annotations

import functools
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtaffect.common.errors import ArtifactError
from rtaffect.predicted import feature_cache as module
from rtaffect.predicted.feature_cache import (
    FeatureKey,
    cached_features_of,
    cached_features_of_each,
    feature_folder,
    read_features,
    write_features,
)
from rtaffect.predicted.featurizer import Featurizer, default_featurizer, features_of

KEY = FeatureKey("a" * 64, "layer-2", "b" * 64)
FEATURES = np.arange(12, dtype=np.float32).reshape(4, 3)


@functools.cache
def featurizer() -> Featurizer:
    return default_featurizer(lambda _: None)


def noise(seconds: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(seconds * 16_000)).astype(np.float32)


def test_what_was_written_is_read(tmp_path):
    assert read_features(tmp_path, KEY) is None
    write_features(tmp_path, KEY, FEATURES)
    found = read_features(tmp_path, KEY)
    assert found is not None
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, FEATURES)
    (path,) = tmp_path.iterdir()
    np.testing.assert_array_equal(np.load(path), FEATURES)


def test_every_part_of_the_key_tells_features_apart(tmp_path):
    others = [
        FeatureKey("c" * 64, KEY.feature_set, KEY.made_by),
        FeatureKey(KEY.sound, "final", KEY.made_by),
        FeatureKey(KEY.sound, KEY.feature_set, "descriptors-1"),
        FeatureKey(KEY.sound, KEY.feature_set, KEY.made_by, "voice"),
        FeatureKey(KEY.sound, KEY.feature_set, KEY.made_by, "background"),
    ]
    write_features(tmp_path, KEY, FEATURES)
    assert all(read_features(tmp_path, other) is None for other in others)
    assert len({key.file_name for key in (KEY, *others)}) == 6


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_damage_is_noticed(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    write_features(folder, KEY, FEATURES)
    path = folder / KEY.file_name
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1), "at")
    if data.draw(st.booleans(), "cut off"):
        content = content[:at]
    else:
        content[at] ^= data.draw(st.integers(1, 255), "changed bits")
    path.write_bytes(bytes(content))
    assert read_features(folder, KEY) is None


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ArtifactError, match=r"cannot be kept \(No space left.*RTAFFECT_CACHE"):
        write_features(tmp_path, KEY, FEATURES)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match=r"file.features: features cannot be kept.*RTAFFECT_CACHE"):
        write_features(tmp_path / "file" / "features", KEY, FEATURES)


def test_features_of_a_sound_are_computed_once_and_again_when_damaged(tmp_path, monkeypatch):
    monkeypatch.setenv("RTAFFECT_CACHE", str(tmp_path))
    calls: list[int] = []

    def counted(sound: np.ndarray, by: Featurizer, _: object) -> np.ndarray:
        calls.append(len(sound))
        return features_of(sound, by)

    monkeypatch.setattr(module, "features_of", counted)
    made = featurizer()
    expected = features_of(noise(3), made)
    for _ in range(2):
        found = cached_features_of(noise(3), made)
        assert found.dtype == np.float64
        np.testing.assert_array_equal(found, expected)
    assert len(calls) == 1
    (path,) = feature_folder().iterdir()
    assert Path(path).parent == tmp_path / "features"
    path.write_bytes(path.read_bytes()[:-1])
    np.testing.assert_array_equal(cached_features_of(noise(3), made), expected)
    assert len(calls) == 2
    cached_features_of(noise(3, seed=1), made)
    assert len(calls) == 3


def test_sounds_that_are_gone_through_at_once_have_the_features_of_each_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("RTAFFECT_CACHE", str(tmp_path))
    monkeypatch.setattr(module, "ALL_CORES", 3)
    sounds, told = {f"s{n}": noise(3 + n, n) for n in range(4)}, []
    used = set()

    def notes(sound, featurizer, over=None):
        used.add(threading.current_thread())
        return features_of(sound, featurizer, over)

    monkeypatch.setattr(module, "features_of", notes)
    found = cached_features_of_each(sounds, featurizer(), told.append)
    assert told == ["features of s0 (3 s)", "features of s1 (4 s)", "features of s2 (5 s)", "features of s3 (6 s)"]
    assert list(found) == list(sounds)
    assert len(used) == 3
    for name, sound in sounds.items():
        np.testing.assert_array_equal(found[name], features_of(sound, featurizer()))


def test_what_is_left_off_ends_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("RTAFFECT_CACHE", str(tmp_path))
    monkeypatch.setattr(module, "ALL_CORES", 2)
    sounds = {f"s{n}": noise(120, n) for n in range(2)}

    def stopped(text):
        raise KeyboardInterrupt

    begun = time.process_time()
    with pytest.raises(KeyboardInterrupt):
        cached_features_of_each(sounds, featurizer(), stopped)
    # All of both takes some 7 s of a processor.
    assert time.process_time() - begun < 1.5
