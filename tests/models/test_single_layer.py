"""One layer cut out of a file of all layers is that layer, and carries nothing of the others."""

from __future__ import annotations

import functools
import tomllib
from pathlib import Path

import numpy as np
import onnx
import pytest

from models import moonshine
from models.encoder import Design
from models.export import export
from models.single_layer import single_layer
from rtaffect.common.errors import ArtifactError, SettingsError
from rtaffect.predicted.featurizer import Featurizer, default_featurizer, features_of
from tests.support.speech_oracle import KINDS, LAYERS, encoder, sound


def quiet(_: str) -> None:
    pass


DESIGNS = {
    "causal": Design("causal", None, context_s=4, lookahead=5),
    "windowed": Design("windowed", None, context_s=3),
    "int8": Design("causal", None, context_s=3, precision="int8"),
    "fp16": Design("windowed", None, context_s=3, precision="fp16"),
}


@functools.cache
def all_layers(folder: Path, family: str, large: bool, design: str) -> Path:
    path = folder / f"{family}-{large}-{design}.onnx"
    export(encoder(family, large)[1], DESIGNS[design], path, progress=quiet)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("featurizers")


@pytest.mark.parametrize("design", ["causal", "windowed"])
@pytest.mark.parametrize(("family", "large"), KINDS)
def test_its_features_are_the_layers_row(folder, tmp_path, family, large, design):
    source = all_layers(folder, family, large, design)
    expected = features_of(sound(8), Featurizer.load(source))
    for layer in range(LAYERS):
        found = Featurizer.load(single_layer(source, layer, tmp_path / "one.onnx", quiet))
        np.testing.assert_allclose(features_of(sound(8), found), expected[:, layer], atol=2e-6)


@pytest.mark.parametrize("design", ["int8", "fp16"])
def test_small_weights_are_cut_alike(folder, tmp_path, design):
    source = all_layers(folder, "hubert", False, design)
    expected = features_of(sound(5), Featurizer.load(source))
    found = Featurizer.load(single_layer(source, 1, tmp_path / "one.onnx", quiet))
    np.testing.assert_allclose(features_of(sound(5), found), expected[:, 1], atol=2e-6)


@pytest.mark.parametrize("design", ["causal", "windowed"])
def test_it_is_what_an_export_of_the_layer_gives(folder, tmp_path, design):
    source, checkpoint = all_layers(folder, "wavlm", True, design), encoder("wavlm", True)[1]
    whole = DESIGNS[design]
    for layer in (0, LAYERS - 1):
        cut = Featurizer.load(single_layer(source, layer, tmp_path / "cut.onnx", quiet))
        manifest = export(
            checkpoint,
            Design(whole.mode, layer, whole.context_s, whole.lookahead),
            tmp_path / "exported.onnx",
            progress=quiet,
        )
        exported = Featurizer.load(tmp_path / "exported.onnx")
        assert cut.manifest == exported.manifest == manifest
        np.testing.assert_allclose(features_of(sound(6), cut), features_of(sound(6), exported), atol=5e-5)
        table = tomllib.loads((tmp_path / "cut.toml").read_text(encoding="utf-8"))
        assert table == manifest.model_dump(mode="json", exclude_none=True)


def test_later_layers_and_their_state_are_left_out(folder, tmp_path):
    source = all_layers(folder, "hubert", False, "causal")
    path = single_layer(source, 0, tmp_path / "one.onnx", quiet)
    names = {name for node in onnx.load(path).graph.node for name in (*node.input, *node.output)}
    weights = {weight.name for weight in onnx.load(path).graph.initializer}
    assert not any(name.startswith("encoder.layers.1") for name in names | weights)
    assert weights <= names
    assert {part.name for part in Featurizer.load(path).manifest.state} == {
        "audio", "moments", "frames", "key_0", "value_0",
    }  # fmt: skip
    assert path.stat().st_size < source.stat().st_size


def test_the_same_file_gives_the_same_bytes_and_stays_as_it_is(folder, tmp_path):
    source = all_layers(folder, "hubert", False, "causal")
    before = source.read_bytes()
    one, two = (single_layer(source, 1, tmp_path / f"{name}.onnx", quiet).read_bytes() for name in "ab")
    assert one == two
    assert source.read_bytes() == before


def test_figures_of_another_layer_are_not_kept(folder, tmp_path):
    from models.export import Report
    from rtaffect.predicted.manifest import Fidelity

    figure = Fidelity(mode="causal", context_s=4, lookahead=5, r=0.5, r_low=0.4, cka=0.6)
    source = tmp_path / "all.onnx"
    export(encoder("hubert", False)[1], DESIGNS["causal"], source, Report((figure,), "x.wav"), quiet)
    manifest = Featurizer.load(single_layer(source, 1, tmp_path / "one.onnx", quiet)).manifest
    assert (manifest.fidelity, manifest.fidelity_sound) == ((), "")
    assert (manifest.layer, manifest.paper_layer) == (1, 9)


def test_of_the_default_model_it_is_the_file_that_sessions_run(tmp_path):
    """Byte for byte, so that a bundle made with the one is accepted with the other."""
    source = moonshine.build(tmp_path / "all.onnx", None, quiet)
    for given in (None, source):
        path = single_layer(given, 2, tmp_path / "one.onnx", quiet)
        assert Featurizer.load(path).sha256 == default_featurizer(quiet).sha256


@pytest.mark.parametrize("layer", [-1, 3])
def test_a_layer_that_does_not_exist_is_refused(folder, tmp_path, layer):
    with pytest.raises(SettingsError, match=f"--layer {layer}: hubert-base has the layers 0 to 2"):
        single_layer(all_layers(folder, "hubert", False, "causal"), layer, tmp_path / "one.onnx", quiet)


def test_what_does_not_hold_all_layers_is_refused(folder, tmp_path):
    source = all_layers(folder, "hubert", False, "causal")
    one = single_layer(source, 1, tmp_path / "one.onnx", quiet)
    with pytest.raises(ArtifactError, match=r"gives layer-1 alone.*--layers all"):
        single_layer(one, 0, tmp_path / "other.onnx", quiet)
    with pytest.raises(ArtifactError, match=r"nothing\.onnx: .*No such file"):
        single_layer(tmp_path / "nothing.onnx", 0, tmp_path / "other.onnx", quiet)
    model = onnx.load(source)
    for node in model.graph.node:
        if "features" in node.output:
            node.op_type = "Abs"
    onnx.save(model, tmp_path / "foreign.onnx")
    with pytest.raises(ArtifactError, match="not joined as rtaffect export does it"):
        single_layer(tmp_path / "foreign.onnx", 0, tmp_path / "other.onnx", quiet)
    assert not (tmp_path / "other.onnx").exists()
