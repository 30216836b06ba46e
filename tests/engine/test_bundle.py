"""Bundles come back bit for bit, and every kind of damage is refused in one line that names file and remedy."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save

from rtaffect.common.errors import ArtifactError
from rtaffect.common.settings import PredictionSettings, Settings
from rtaffect.engine.bundle import (
    Bundle,
    ElementsMade,
    FeaturizerIdentity,
    Manifest,
    Scores,
    Stimulus,
    bundle_sha256,
    load_bundle,
    save_bundle,
)
from rtaffect.observed.reference import Reference
from rtaffect.observed.spaces import ChannelSpace
from rtaffect.predicted.element_levels import SILENT_DB
from tests.support.damage import flipped, reseal
from tests.support.helpers import some_weights


def some_bundle() -> Bundle:
    rng = np.random.default_rng(0)
    groups = [rng.standard_normal((5, n, 2)) for n in (300, 500)]
    groups[0][:, 10:20, 1] = np.nan
    references = tuple(Reference.of(group) for group in groups)
    manifest = Manifest(
        name="test",
        created="2025-01-01T00:00:00+00:00",
        rtaffect="0.1.0",
        channels=("Fz", "Cz"),
        rows=("Fz", "Cz"),
        settings=Settings(prediction=PredictionSettings(n_components=3, lags_s=(0, 1, 3))),
        featurizer=FeaturizerIdentity(identity="bands/test", sha256="b" * 64, size=6),
        stimuli=tuple(
            Stimulus(name=n, sha256=h * 64, seconds=s, people=5, fitted=True)
            for n, h, s in [("a", "1", 3), ("b", "2", 5)]
        ),
        lags_s=(0, 1, 3),
        scores=Scores(r=(0.3, 0.123456789012345), r_mean=0.4, folds=2, steps=100, alpha=(1.0, 10.0)),
        synthetic=True,
        provenance={"study": "nowhere, or 'münchen'"},
    )
    return Bundle(manifest, some_weights(rng), references, ChannelSpace(("Fz", "Cz")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_bundle(some_bundle(), tmp_path / "my-bundle")
    return tmp_path / "my-bundle"


def test_a_bundle_comes_back_bit_for_bit(folder):
    made, found = some_bundle(), load_bundle(folder)
    for f in fields(made.weights):
        a, b = getattr(made.weights, f.name), getattr(found.weights, f.name)
        if f.name == "lags_s":
            assert a == b
        else:
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)
    assert len(found.references) == 2
    for a, b in zip(made.references, found.references, strict=True):
        for part in ("mean", "squares", "count"):
            assert getattr(a, part).dtype == getattr(b, part).dtype
            np.testing.assert_array_equal(getattr(a, part), getattr(b, part))
    assert found.manifest.model_copy(update={"tensors_sha256": "", "manifest_sha256": ""}) == made.manifest
    assert found.manifest.tensors_sha256 == hashlib.sha256((folder / "tensors.safetensors").read_bytes()).hexdigest()
    assert sorted(p.name for p in folder.iterdir()) == ["bundle.json", "tensors.safetensors"]


def test_views_and_other_orders_are_saved_as_they_look(tmp_path):
    bundle = some_bundle()
    first, second = bundle.references
    turned = replace(first, mean=first.mean.T.copy().T)
    save_bundle(Bundle(bundle.manifest, bundle.weights, (turned, second), bundle.space), tmp_path)
    np.testing.assert_array_equal(load_bundle(tmp_path).references[0].mean, first.mean)


def test_a_reference_is_found_by_its_sound(folder):
    bundle = load_bundle(folder)
    found = bundle.reference_for("2" * 64)
    assert found is not None
    np.testing.assert_array_equal(found.mean, some_bundle().references[1].mean)
    assert bundle.reference_for("3" * 64) is None


def test_the_hash_follows_every_part(folder):
    before = bundle_sha256(folder)
    save_bundle(some_bundle(), folder)
    assert bundle_sha256(folder) == before
    bundle = some_bundle()
    bundle.references[1].mean[0, 0] += 1e-6
    save_bundle(bundle, folder)
    assert bundle_sha256(folder) != before


def rewrite_json(folder: Path, change) -> None:
    path = folder / "bundle.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    reseal(path, content)


def rewrite_tensors(folder: Path, change) -> None:
    """Change tensors and let the manifest's hash agree, so that only the change itself can be noticed."""
    path = folder / "tensors.safetensors"
    tensors = load(path.read_bytes())
    change(tensors)
    data = save(tensors)
    path.write_bytes(data)
    rewrite_json(folder, lambda m: m.update(tensors_sha256=hashlib.sha256(data).hexdigest()))


def flip_byte(folder: Path) -> None:
    path = folder / "tensors.safetensors"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(bytes(data))


def truncate(folder: Path) -> None:
    path = folder / "tensors.safetensors"
    path.write_bytes(path.read_bytes()[:-1])


def not_safetensors(folder: Path) -> None:
    data = b"\x80\x04 a pickle"
    (folder / "tensors.safetensors").write_bytes(data)
    rewrite_json(folder, lambda m: m.update(tensors_sha256=hashlib.sha256(data).hexdigest()))


def spoil(name: str):
    def change(tensors: dict) -> None:
        tensors[name] = tensors[name].copy()
        tensors[name].flat[0] = np.nan

    return change


DAMAGE = {
    "no folder": (lambda f: [p.unlink() for p in f.iterdir()], "bundle.json is not there"),
    "no tensors": (lambda f: (f / "tensors.safetensors").unlink(), "tensors.safetensors"),
    "flipped byte": (flip_byte, "tensors.safetensors has sha256"),
    "truncated": (truncate, "tensors.safetensors has sha256"),
    "not safetensors": (not_safetensors, "tensors.safetensors is not safetensors"),
    "not JSON": (lambda f: (f / "bundle.json").write_text("{"), "bundle.json cannot be read"),
    "not UTF-8": (lambda f: (f / "bundle.json").write_bytes(b"\xff\xfe{}"), "bundle.json cannot be read"),
    "not an object": (lambda f: (f / "bundle.json").write_text("[1]"), "format None"),
    "later format": (lambda f: rewrite_json(f, lambda m: m.update(format=8)), "format 8.*reads formats 4 to 7"),
    "unknown key": (
        lambda f: rewrite_json(f, lambda m: m.update(colour="red")),
        "bundle.json: there is no field .colour.; expected one of",
    ),
    "unknown setting": (
        lambda f: rewrite_json(f, lambda m: m["settings"]["signal"].update(reference="average")),
        "bundle.json: settings.signal: there is no field .reference.",
    ),
    "impossible setting": (
        lambda f: rewrite_json(f, lambda m: m["settings"]["signal"].update(rate_hz=40)),
        "bundle.json: settings.signal",
    ),
    "missing key": (lambda f: rewrite_json(f, lambda m: m.pop("rows")), "bundle.json: rows"),
    "missing tensor": (
        lambda f: rewrite_tensors(f, lambda t: t.pop("weights.scaler_mean")),
        "tensor weights.scaler_mean is missing",
    ),
    "missing reference": (
        lambda f: rewrite_tensors(f, lambda t: t.pop("reference.1.squares")),
        "tensor reference.1.squares is missing",
    ),
    "wrong shape": (
        lambda f: rewrite_tensors(f, lambda t: t.update({"weights.intercept": np.zeros(3)})),
        r"weights.intercept has shape \(3,\), expected \(2,\)",
    ),
    "wrong dimensions": (
        lambda f: rewrite_tensors(f, lambda t: t.update({"reference.0.mean": np.zeros(2, np.float32)})),
        "reference.0.mean has shape",
    ),
    "rows of another montage": (
        lambda f: rewrite_json(f, lambda m: m.update(rows=["Fz", "Cz", "Pz"])),
        "other channels or rows than bundle.json",
    ),
    "lags of other weights": (
        lambda f: rewrite_json(f, lambda m: m.update(lags_s=[0, 1])),
        "weights.coefficients has shape",
    ),
    "NaN weight": (lambda f: rewrite_tensors(f, spoil("weights.coefficients")), "weights.coefficients holds values"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_refused_in_one_line(folder, kind):
    damage, expected = DAMAGE[kind]
    damage(folder)
    with pytest.raises(ArtifactError) as caught:
        load_bundle(folder)
    text = str(caught.value)
    assert re.search(expected, text), text
    assert "my-bundle" in text, "names the bundle"
    assert "rtaffect calibrate" in text, "names the remedy"
    assert "\n" not in text


def test_a_tensor_that_is_not_known_is_left_aside(folder):
    rewrite_tensors(folder, lambda t: t.update({"weights.later_invention": np.zeros(1)}))
    np.testing.assert_array_equal(load_bundle(folder).weights.intercept, some_bundle().weights.intercept)


@pytest.mark.parametrize("name", ["bundle.json", "tensors.safetensors"])
def test_every_flipped_bit_is_refused_in_one_line(folder, name):
    for place, bit in flipped(folder / name, 150):
        with pytest.raises(ArtifactError) as caught:
            load_bundle(folder)
        assert "\n" not in str(caught.value), (place, bit)
    load_bundle(folder)


def test_a_setting_that_was_changed_by_hand_is_noticed(folder):
    path = folder / "bundle.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"mains_hz": 50.0', '"mains_hz": 60.0'), encoding="utf-8")
    with pytest.raises(ArtifactError, match=r"bundle\.json is not as it was written"):
        load_bundle(folder)


def test_a_bundle_of_format_5_is_read_as_it_was(folder):
    """Its scores were pooled over sounds, and say so; components are of raw features, and predictions are the same."""
    path = folder / "bundle.json"
    content = json.loads(path.read_text(encoding="utf-8")) | {"format": 5, "manifest_sha256": "0" * 64}
    del content["scores"]["r_is"], content["settings"]["prediction"]["standardise"]
    text = json.dumps(content)
    path.write_text(text.replace("0" * 64, hashlib.sha256(text.encode()).hexdigest()), encoding="utf-8")
    found = load_bundle(folder)
    assert found.manifest.unsealed == ""
    assert found.manifest.scores.r_is == "pooled over sounds"
    assert not found.manifest.settings.prediction.standardise
    for name in ("pca_mean", "pca_components", "coefficients"):
        np.testing.assert_array_equal(getattr(found.weights, name), getattr(some_bundle().weights, name))
    save_bundle(found, folder)
    assert load_bundle(folder).manifest.scores.r_is == "pooled over sounds"


def test_a_bundle_of_format_4_is_read_and_said_to_be_unsealed(folder):
    path = folder / "bundle.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    del content["manifest_sha256"]
    path.write_text(json.dumps(content | {"format": 4}), encoding="utf-8")
    found = load_bundle(folder)
    assert "of format 4, whose bundle.json has no hash" in found.manifest.unsealed
    np.testing.assert_array_equal(found.weights.intercept, some_bundle().weights.intercept)
    save_bundle(found, folder)
    assert load_bundle(folder).manifest.unsealed == ""


def with_elements() -> Bundle:
    bundle, rng = some_bundle(), np.random.default_rng(4)
    made = ElementsMade(
        names=("voice", "background"), separator="dtln", separator_sha256="c" * 64, streams=True, silent_db=SILENT_DB
    )
    weights = {"voice": some_weights(rng), "background": some_weights(rng)}
    return replace(bundle, manifest=bundle.manifest.model_copy(update={"elements": made}), elements=weights)


def test_weights_of_elements_come_back_bit_for_bit(tmp_path: Path):
    written = with_elements()
    save_bundle(written, tmp_path)
    found = load_bundle(tmp_path)
    assert found.manifest.elements == written.manifest.elements
    for name, weights in written.elements.items():
        for field in fields(weights):
            np.testing.assert_array_equal(getattr(found.elements[name], field.name), getattr(weights, field.name))
    assert not load_bundle_of(some_bundle(), tmp_path / "plain").elements


def load_bundle_of(bundle: Bundle, folder: Path) -> Bundle:
    save_bundle(bundle, folder)
    return load_bundle(folder)


def test_elements_that_are_heard_by_another_rule_or_lack_weights_are_refused(tmp_path: Path):
    written = with_elements()
    other = written.manifest.model_copy(
        update={"elements": written.manifest.elements.model_copy(update={"silent_db": -50.0})}
    )
    save_bundle(replace(written, manifest=other), tmp_path / "rule")
    with pytest.raises(ArtifactError, match=r"heard from -50 dB .* takes -20 dB; make it anew"):
        load_bundle(tmp_path / "rule")
    save_bundle(replace(written, elements={"voice": written.elements["voice"]}), tmp_path / "lacks")
    with pytest.raises(ArtifactError, match=r"tensor elements.background.pca_mean is missing"):
        load_bundle(tmp_path / "lacks")
