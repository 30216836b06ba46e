"""The catalogue is well formed, and the command shows it beside what is installed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from models import catalogue, featurizers, moonshine, wakehubert
from models.catalogue import CATALOGUE
from models.embedded import builder_of
from rtaffect.common.errors import ArtifactError
from rtaffect.predicted.embedded import EMBEDDED
from rtaffect.predicted.featurizer import Featurizer


def run(cache: Path, *arguments: str) -> Result:
    return CliRunner().invoke(
        featurizers.command, arguments, env={"COLUMNS": "400", "RTAFFECT_CACHE": str(cache)}, catch_exceptions=False
    )


def test_names_are_unique_and_revisions_are_commits():
    assert len({known.name for known in CATALOGUE}) == len(CATALOGUE)
    on_the_hub = [known.hub_name for known in CATALOGUE if known.hub_name]
    assert len(set(on_the_hub)) == len(on_the_hub)
    for known in CATALOGUE:
        assert known.revision is None or re.fullmatch("[0-9a-f]{40}", known.revision)
        assert known.hub_name is None or re.fullmatch(r"[\w.-]+/[\w.-]+", known.hub_name)
        assert known.licence
        assert known.note
        assert known.how_to_get


@pytest.mark.parametrize("name", ["wav2vec2-base", "facebook/wav2vec2-base", "FACEBOOK/wav2vec2-BASE"])
def test_an_encoder_is_found_by_either_name(name):
    assert catalogue.find(name) is CATALOGUE[0]


def test_an_unknown_name_is_not_found():
    assert catalogue.find("") is None
    assert catalogue.find("someone/else") is None


@pytest.mark.parametrize("module", [moonshine, wakehubert])
def test_an_embedded_encoder_is_the_one_that_is_built(module):
    manifest = module.manifest_for(2)
    known, builder = catalogue.find(manifest.name), builder_of(manifest)
    assert (builder.mode, builder.context_s) == (manifest.mode, manifest.context_s)
    assert builder.model is EMBEDDED[manifest.name]
    assert builder.model.n_layers == manifest.n_layers
    assert builder.model.install in known.how_to_get
    assert (known.family, known.licence) == (manifest.family, manifest.licence)
    assert (known.n_layers, known.hidden_size) == (manifest.n_layers, manifest.hidden_size)


class TestCommand:
    def test_an_empty_cache_says_what_can_be_had(self, tmp_path):
        result = run(tmp_path / "none")
        assert result.exit_code == 0, result.output
        assert "No featurizer is installed yet" in result.output
        for known in CATALOGUE:
            assert known.name in result.output
            assert known.how_to_get in result.output
            assert known.licence in result.output

    def test_files_of_the_cache_a_folder_and_a_path_are_shown(self, tmp_path):
        (tmp_path / "cache" / "featurizers").mkdir(parents=True)
        (tmp_path / "more").mkdir()
        built = moonshine.build(tmp_path / "cache" / "featurizers" / "m.onnx", 0, lambda _: None)
        (tmp_path / "more" / "broken.onnx").write_bytes(b"not a model")
        result = run(tmp_path / "cache", str(tmp_path / "gone.onnx"), "--folder", str(tmp_path / "more"))
        assert result.exit_code == 0, result.output
        (good,) = [line for line in result.output.splitlines() if "0 of 0-5" in line]
        for text in ("moonshine-tiny", Featurizer.load(built).sha256[:12], "MIT", "fp32"):
            assert text in good
        (broken,) = [line for line in result.output.splitlines() if "broken.onnx" in line]
        assert "build it again" in broken
        (gone,) = [line for line in result.output.splitlines() if "gone.onnx" in line]
        assert "cannot be read" in gone

    def test_a_file_is_listed_once(self, tmp_path, monkeypatch):
        monkeypatch.setenv("RTAFFECT_CACHE", str(tmp_path / "cache"))
        (tmp_path / "a.onnx").write_bytes(b"")
        found = featurizers.find_files([tmp_path / "a.onnx", tmp_path], [tmp_path])
        assert [path.name for path in found] == ["a.onnx"]

    def test_an_unusable_file_has_its_reason_in_one_line(self, tmp_path, monkeypatch):
        def refuse(_: Path) -> Featurizer:
            raise ArtifactError("too old\nand more")

        monkeypatch.setattr(featurizers.Featurizer, "load", refuse)
        row = featurizers.describe(tmp_path / "old.onnx")
        assert (row.name, row.problem) == ("old.onnx", "too old and more")
