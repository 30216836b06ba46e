"""The command ``export``: files that load and say what they are, and one line for each mistake."""

from __future__ import annotations

import csv
import json
import re
import shutil
import tomllib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import soundfile
from click.testing import CliRunner

from models.encoder import Design
from models.export import export, frozen_statistics
from models.fidelity import agreement, designs_to_compare, measure, plot
from rtaffect.cli import cli
from rtaffect.common.errors import ArtifactError, RtaffectError
from rtaffect.predicted.featurizer import Featurizer, all_layers_for, features_of, featurizer_for
from rtaffect.predicted.manifest import MANIFEST_KEY
from rtaffect.simulation.study import StudySettings, SyntheticStudy
from tests.support.speech_oracle import LAYERS, encoder, hidden_states, sound


def quiet(_: str) -> None:
    pass


def run(*arguments: object) -> str:
    """What ``rtaffect export`` prints; raises what it raises."""
    result = CliRunner().invoke(cli, ["export", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def refused(*arguments: object) -> str:
    with pytest.raises(RtaffectError) as caught:
        run(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_another_width_of_the_positional_convolution_is_refused(tmp_path, folder):
    copy = tmp_path / "other"
    shutil.copytree(folder, copy)
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"num_conv_pos_embeddings": 64}))
    message = refused("--model", copy, "--layer", 1, "--fidelity", "none", "--out", tmp_path / "a.onnx")
    assert "num_conv_pos_embeddings is 64" in message
    assert "expected 128" in message


@pytest.fixture
def folder() -> Path:
    return encoder("hubert", False)[1].folder


def test_the_file_and_the_table_beside_it_say_what_it_is(tmp_path, folder):
    out = tmp_path / "hubert.onnx"
    said = run(
        "--model", folder, "--layer", 1, "--context", 4, "--lookahead", 5, "--precision", "int8",
        "--fidelity", "none", "--out", out,
    )  # fmt: skip
    featurizer = Featurizer.load(out)
    manifest = featurizer.manifest
    assert (manifest.family, manifest.name, manifest.source) == ("hubert", "hubert-base", "local folder hubert-base")
    assert (manifest.layer, manifest.paper_layer, manifest.n_layers, manifest.hidden_size) == (1, 9, LAYERS, 32)
    assert (manifest.mode, manifest.context_s, manifest.lookahead) == ("causal", 4, 5)
    assert (manifest.precision, manifest.normalisation, manifest.statistics) == ("int8", "running", {})
    assert manifest.source_sha256 == encoder("hubert", False)[1].sha256
    assert {part.name for part in manifest.state} == {
        "audio",
        "moments",
        "frames",
        "key_0",
        "value_0",
        "key_1",
        "value_1",
    }
    table = tomllib.loads(out.with_suffix(".toml").read_text(encoding="utf-8"))
    assert table == manifest.model_dump(mode="json", exclude_none=True)
    assert featurizer.sha256 in said
    assert "of each 1 s here" in said
    assert features_of(sound(5), featurizer).shape == (5, 32)


def test_the_same_checkpoint_gives_the_same_bytes(tmp_path):
    checkpoint = encoder("wav2vec2", True)[1]
    for name in ("a.onnx", "b.onnx"):
        export(checkpoint, Design("causal", 1), tmp_path / name, progress=quiet)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.onnx", "a.toml", "b.onnx", "b.toml"]


def test_all_layers_make_a_calibration_graph(tmp_path, folder):
    run("--model", folder, "--layers", "all", "--fidelity", "none", "--out", tmp_path / "all.onnx")
    featurizer = Featurizer.load(tmp_path / "all.onnx")
    assert featurizer.identity == "hubert-base/all-layers"
    assert features_of(sound(3), featurizer).shape == (3, LAYERS, 32)
    with pytest.raises(ArtifactError, match=r"all 3 layers at once.*--model .*all\.onnx --layer K"):
        featurizer_for(tmp_path / "all.onnx")
    assert all_layers_for(tmp_path / "all.onnx").sha256 == featurizer.sha256


def test_one_layer_can_be_cut_out_of_that(tmp_path, folder):
    whole, one = tmp_path / "all.onnx", tmp_path / "one.onnx"
    run("--model", folder, "--layers", "all", "--fidelity", "none", "--out", whole)
    said = run("--model", whole, "--layer", 1, "--out", one)
    featurizer = featurizer_for(one)
    assert featurizer.identity == "hubert-base/layer-1"
    assert featurizer.sha256 in said
    np.testing.assert_allclose(
        features_of(sound(3), featurizer), features_of(sound(3), all_layers_for(whole))[:, 1], atol=2e-6
    )
    with pytest.raises(ArtifactError, match=r"gives layer-1 alone.*--layers all"):
        all_layers_for(one)
    for options in (["--layers", "all"], ["--layer", 1, "--mode", "causal"], ["--layer", 1, "--fidelity", "none"]):
        assert "one can be cut, nothing else" in refused("--model", whole, *options, "--out", tmp_path / "two.onnx")


def test_reference_sound_freezes_the_statistics(tmp_path, folder):
    paths = [tmp_path / "one.wav", tmp_path / "two.flac"]
    for seed, path in enumerate(paths):
        soundfile.write(path, sound(3, seed), 16_000, subtype="PCM_24")
    options = ("--layer", 0, "--fidelity", "none", "--out", tmp_path / "f.onnx")
    run("--model", folder, "--norm-audio", paths[0], "--norm-audio", paths[1], *options)
    manifest = Featurizer.load(tmp_path / "f.onnx").manifest
    assert manifest.normalisation == "frozen"
    np.testing.assert_allclose(manifest.statistics["moments"], frozen_statistics(paths), rtol=1e-12)
    run("--model", folder, "--statistics", "frozen", *options)
    shipped = Featurizer.load(tmp_path / "f.onnx").manifest.statistics["moments"]
    np.testing.assert_allclose(shipped, frozen_statistics(()), rtol=1e-12)


def test_the_embedded_model_can_be_exported_at_another_layer(tmp_path):
    run("--model", "moonshine-tiny", "--layer", 4, "--mode", "windowed", "--out", tmp_path / "m.onnx")
    assert Featurizer.load(tmp_path / "m.onnx").identity == "moonshine-tiny/layer-4"


def test_the_embedded_model_can_be_exported_with_all_layers(tmp_path):
    run("--model", "moonshine-tiny", "--layers", "all", "--out", tmp_path / "m.onnx")
    assert all_layers_for(tmp_path / "m.onnx").identity == "moonshine-tiny/all-layers"


# --- fidelity --------------------------------------------------------------------------------------------------------


def test_agreement_tells_equal_turned_and_unrelated_frames_apart():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4000, 6))
    assert agreement(x, 3 * x + 1) == (1.0, 1.0, 1.0)
    turned, _ = np.linalg.qr(rng.standard_normal((6, 6)))
    r, r_low, cka = agreement(x, x @ turned)
    assert r_low < r < 0.95
    assert cka == pytest.approx(1.0, abs=1e-3)
    r, _, cka = agreement(x, rng.standard_normal((4000, 6)))
    assert abs(r) < 0.05
    assert cka < 0.01


def test_a_window_of_the_whole_clip_is_the_whole_clip():
    """With a context as long as the clip and its own statistics, only what was still to come is missing."""
    heard = sound(6)
    checkpoint = encoder("wav2vec2", True)[1]
    (long, short) = measure(
        checkpoint, [Design("windowed", 1, context_s=6), Design("windowed", 1, context_s=2)], heard, quiet
    )
    assert short.r < long.r < 1
    assert long.cka > 0.9


def test_whole_clip_frames_are_the_librarys():
    from models.fidelity import whole_clip_frames

    heard = sound(3)
    for family, large in (("wavlm", True), ("wav2vec2", False)):
        model, checkpoint = encoder(family, large)
        for layer in (0, LAYERS - 1):
            expected = hidden_states(model, heard, layer, heard)
            np.testing.assert_allclose(whole_clip_frames(checkpoint, heard, layer), expected, atol=5e-5)


def test_the_report_is_in_the_manifest_and_drawn(tmp_path, folder):
    heard = tmp_path / "heard.wav"
    soundfile.write(heard, sound(12), 16_000)
    said = run("--model", folder, "--layer", 1, "--fidelity-audio", heard, "--out", tmp_path / "f.onnx")
    manifest = Featurizer.load(tmp_path / "f.onnx").manifest
    assert manifest.fidelity_sound == "heard.wav"
    designs = designs_to_compare(Design("causal", 1))
    assert len(designs) == 9
    assert [(f.mode, f.context_s, f.lookahead) for f in manifest.fidelity] == [
        (d.mode, d.context_s, d.lookahead) for d in designs
    ]
    assert all(0 < f.r_low <= f.r < 1 and 0 < f.cka < 1 for f in manifest.fidelity)
    assert f"r {manifest.fidelity[0].r:.3f}" in said
    assert (tmp_path / "f.fidelity.png").read_bytes().startswith(b"\x89PNG")


# --- mistakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--layer", 3], r"--layer 3: hubert-base has the layers 0 to 2"),
        (["--layer", -1], r"--layer -1: hubert-base has the layers 0 to 2"),
        ([], r"either --layer K, counted from 0, or --layers all"),
        (["--layer", 1, "--layers", "all"], r"either --layer K"),
        (["--layer", 1, "--context", 1], r"--context 1: expected 2 to 60 s"),
        (["--layer", 1, "--context", 100], r"--context 100: expected 2 to 60 s"),
        (["--layer", 1, "--lookahead", 49], r"--lookahead 49: expected 0 to 48 frames of 20 ms"),
        (["--layer", 1, "--lookahead", 4, "--mode", "windowed"], r"windowed mode sees the whole context"),
        (["--layer", 1, "--norm-audio", "no.wav"], r"no\.wav"),
        (["--layer", 1, "--out", "f.pt"], r"--out f\.pt: expected a name that ends in \.onnx"),
        (["--layer", 1, "--out", "/dev/null/f.onnx"], r"/dev/null is a file"),
    ],
)
def test_a_mistake_gets_one_line(tmp_path, folder, options, message):
    out = [] if "--out" in options else ["--out", tmp_path / "f.onnx"]
    assert re.search(message, refused("--model", folder, "--fidelity", "none", *options, *out))
    assert not (tmp_path / "f.onnx").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--mode", "causal", "--layer", 1], "moonshine-tiny exists as windowed only"),
        (["--mode", "windowed", "--layer", 1, "--context", 8], "exists as 5 only"),
        (["--mode", "windowed", "--layer", 6], "0 to 5"),
    ],
)
def test_what_the_embedded_model_cannot_be_is_said(tmp_path, options, message):
    assert message in refused("--model", "moonshine-tiny", *options, "--out", tmp_path / "f.onnx")


def test_an_older_or_damaged_file_is_refused_in_one_line(tmp_path, folder):
    out = tmp_path / "f.onnx"
    run("--model", folder, "--layer", 0, "--fidelity", "none", "--out", out)
    model = onnx.load(out)
    manifest = Featurizer.load(out).manifest
    older = manifest.model_dump_json().replace('"format_version":2', '"format_version":1')
    lacking = manifest.model_copy(update={"state": manifest.state[1:]}).model_dump_json()
    for text, message in ((older, "format_version = 1"), (lacking, r"state\.audio"), ("", "without manifest|whole")):
        onnx.helper.set_model_props(model, {MANIFEST_KEY: text} if text else {})
        onnx.save(model, tmp_path / "changed.onnx")
        with pytest.raises(ArtifactError, match=message) as caught:
            Featurizer.load(tmp_path / "changed.onnx")
        assert "\n" not in str(caught.value)
    out.write_bytes(out.read_bytes()[:2000])
    with pytest.raises(ArtifactError, match="damaged"):
        Featurizer.load(out)


# --- in sessions -----------------------------------------------------------------------------------------------------


def test_a_session_predicts_with_an_exported_featurizer(tmp_path, folder, monkeypatch):
    """From checkpoint to feedback: export, calibrate on a study, replay one of its listeners."""
    monkeypatch.setenv("RTAFFECT_CACHE", str(tmp_path / "cache"))
    out, study, bundle = tmp_path / "f.onnx", tmp_path / "study", tmp_path / "bundle"
    run("--model", folder, "--layer", 1, "--fidelity", "none", "--out", out)
    size = StudySettings(listeners=3, sounds=3, sound_s=45, spare_s=30)
    SyntheticStudy(size, featurizer_for(out), quiet).write(study, quiet)
    fitted = CliRunner().invoke(
        cli,
        ["calibrate", str(study), "--featurizer", str(out), "--out", str(bundle), "--quick"],
        catch_exceptions=False,
    )
    assert "hubert-base/layer-1" in fitted.output
    recording, heard = study / "eeg" / "listener-01.xdf", study / "sounds" / "soundtrack-01.wav"
    replayed = [
        "replay", str(recording), "--audio", str(heard), "--audio-start", "15", "--bundle", str(bundle),
        "--speed", "max", "--headless", "--seconds", "30", "--out", str(tmp_path / "session"),
    ]  # fmt: skip
    with pytest.raises(ArtifactError, match="calibrated with featurizer hubert-base/layer-1"):
        CliRunner().invoke(cli, replayed, catch_exceptions=False)
    done = CliRunner().invoke(cli, [*replayed, "--featurizer", str(out)], catch_exceptions=False)
    assert "featurizer hubert-base/layer-1 takes 0.0" in done.output
    with (tmp_path / "session" / "feedback.tsv").open(encoding="utf-8", newline="") as file:
        means = [line for line in csv.DictReader(file, delimiter="\t") if line["row"] == "mean"]
    assert len(means) == 30
    assert all(np.isfinite(float(line["predicted"])) for line in means[26:])


def test_the_plot_of_fidelity_makes_the_folder_that_the_featurizer_goes_into(tmp_path: Path) -> None:
    """It is drawn first, after minutes of work."""
    found = SimpleNamespace(mode="windowed", lookahead=0, context_s=10, r=0.9, r_low=0.8, cka=0.9)
    plot([found], "a title", tmp_path / "featurizers" / "new.fidelity.png")  # type: ignore[list-item]
    assert (tmp_path / "featurizers" / "new.fidelity.png").stat().st_size > 1000
