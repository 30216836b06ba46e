"""The store of features: every layer from one pass, each sound once, whatever happens meanwhile."""

from __future__ import annotations

import functools
import subprocess
import sys

import numpy as np
import pytest

from calibration import features as module
from calibration.descriptors import descriptors_of
from calibration.features import FeatureStore, feature_sets
from models.moonshine import manifest_for
from rtaffect.predicted.feature_cache import FeatureKey, feature_folder
from rtaffect.predicted.featurizer import Featurizer, all_layers_for, default_featurizer, features_of

SETS = ("layer-0", "layer-1", "layer-2", "layer-3", "layer-4", "final")


def quiet(_: str) -> None:
    pass


@functools.cache
def everything() -> Featurizer:
    return all_layers_for(None, progress=quiet)


def sound(seconds: int = 6, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(seconds * 16_000)).astype(np.float32)


@pytest.fixture
def passes(monkeypatch) -> list[str]:
    """What was computed."""
    found: list[str] = []

    def by_model(heard: np.ndarray, featurizer: Featurizer) -> np.ndarray:
        found.append(featurizer.identity)
        return features_of(heard, featurizer)

    def by_formula(heard: np.ndarray) -> np.ndarray:
        found.append("lld")
        return descriptors_of(heard)

    monkeypatch.setattr(module, "features_of", by_model)
    monkeypatch.setattr(module, "descriptors_of", by_formula)
    return found


def test_feature_sets_are_named_after_their_layers():
    assert feature_sets(manifest_for(None)) == SETS
    assert feature_sets(manifest_for(5)) == ("final",)
    assert feature_sets(manifest_for(2)) == ("layer-2",)


def test_each_layer_is_what_its_own_featurizer_gives(tmp_path, passes):
    """Those of all layers within 1e-5 of the features' spread; documented is 1e-4."""
    found = FeatureStore(tmp_path).layers(sound(), everything())
    assert tuple(found) == SETS
    for layer, features in enumerate(found.values()):
        expected = features_of(sound(), default_featurizer(quiet, layer=layer))
        assert (features.dtype, features.shape) == (np.float32, (6, 288))
        np.testing.assert_allclose(features, expected, atol=1e-5 * expected.std(), rtol=0)
    assert passes == ["moonshine-tiny/all-layers"]


def test_a_sound_is_computed_once(tmp_path, passes):
    first = FeatureStore(tmp_path).layers(sound(), everything())
    again = FeatureStore(tmp_path).layers(sound(), everything())
    assert tuple(again) == SETS
    for name in SETS:
        np.testing.assert_array_equal(again[name], first[name])
    assert len(passes) == 1
    FeatureStore(tmp_path).layers(sound(seed=1), everything())
    assert len(passes) == 2


def test_a_featurizer_of_one_layer_gives_that(tmp_path):
    found = FeatureStore(tmp_path).layers(sound(), default_featurizer(quiet))
    assert tuple(found) == ("layer-2",)
    np.testing.assert_array_equal(found["layer-2"], features_of(sound(), default_featurizer(quiet)))


def test_descriptors_are_kept_too(tmp_path, passes):
    store = FeatureStore(tmp_path)
    for _ in range(2):
        np.testing.assert_array_equal(store.descriptors(sound()), descriptors_of(sound()))
    assert passes == ["lld"]


def test_elements_have_their_own_place():
    keys = [FeatureKey("0" * 64, "lld", "descriptors-2", element) for element in ("mix", "voice", "background")]
    assert len({key.file_name for key in keys}) == 3
    assert keys[0] == FeatureKey("0" * 64, "lld", "descriptors-2")


def test_what_is_damaged_or_lost_is_made_again(tmp_path, passes):
    store = FeatureStore(tmp_path)
    expected = store.layers(sound(), everything())
    one, other = sorted(tmp_path.iterdir())[:2]
    one.write_bytes(one.read_bytes()[:-1])
    other.unlink()
    kept = sorted(tmp_path.iterdir())[-1].stat().st_mtime_ns
    found = store.layers(sound(), everything())
    for name in SETS:
        np.testing.assert_array_equal(found[name], expected[name])
    assert len(passes) == 2
    assert sorted(tmp_path.iterdir())[-1].stat().st_mtime_ns == kept
    store.layers(sound(), everything())
    assert len(passes) == 2


def test_a_run_that_is_cut_off_goes_on_where_it_stopped(tmp_path, passes, monkeypatch):
    store, write = FeatureStore(tmp_path), module.write_features
    store.layers(sound(seed=1), everything())
    written: list[str] = []

    def stops(*arguments: object) -> None:
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append("one")
        write(*arguments)

    monkeypatch.setattr(module, "write_features", stops)
    with pytest.raises(KeyboardInterrupt):
        store.layers(sound(seed=2), everything())
    monkeypatch.setattr(module, "write_features", write)
    assert len(list(tmp_path.iterdir())) == 6 + 3
    for seed in (1, 2):
        store.layers(sound(seed=seed), everything())
    assert len(passes) == 3
    assert len(list(tmp_path.iterdir())) == 12


def test_processes_that_compute_the_same_at_the_same_time_leave_whole_files(tmp_path):
    everything()
    code = (
        "import sys, numpy as np; from pathlib import Path; from calibration.features import FeatureStore;"
        "from rtaffect.predicted.featurizer import all_layers_for;"
        "sound = (0.1 * np.random.default_rng(0).standard_normal(6 * 16_000)).astype(np.float32);"
        "FeatureStore(Path(sys.argv[1])).layers(sound, all_layers_for(None))"
    )
    children = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(2)]
    assert [child.wait(100) for child in children] == [0, 0]
    assert len(list(tmp_path.iterdir())) == 6
    np.testing.assert_array_equal(
        FeatureStore(tmp_path).layers(sound(), everything())["final"], features_of(sound(), everything())[:, 5]
    )


def test_the_store_is_in_the_users_cache_unless_named(tmp_path, monkeypatch):
    monkeypatch.setenv("RTAFFECT_CACHE", str(tmp_path))
    FeatureStore().descriptors(sound(1))
    assert len(list(feature_folder().iterdir())) == 1
