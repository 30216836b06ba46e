"""Rated excerpts: what is read of them, and that sound, picture and both are judged as they should be."""

from __future__ import annotations

import json
import os
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from bench.liris import excerpts as liris_excerpts
from calibration.command import command
from calibration.excerpts.command import computed
from calibration.excerpts.model import Design, fold_of, held_out, parts_of, ridge
from calibration.excerpts.result import analyse_excerpts
from calibration.excerpts.study import ExcerptStudy, read_excerpts
from calibration.features import FeatureStore
from rtaffect.common.errors import RecordingError, SettingsError
from tests.support.study_files import write_table

MANIFEST = """name = "excerpts"
synthetic = true
[excerpts]
table = "excerpts.tsv"
ratings = ["arousal"]
sound = ["loudness", "pitch"]
picture = ["light"]
split = "split"
"""


def table(count: int = 120) -> dict[str, list]:
    """Arousal follows loudness and light, in films of ten excerpts."""
    rng = np.random.default_rng(0)
    loudness, pitch, light = rng.standard_normal((3, count))
    arousal = loudness + light + 0.7 * rng.standard_normal(count)
    return {
        "excerpt": [f"e{i:03d}" for i in range(count)],
        "arousal": arousal.tolist(), "loudness": loudness.tolist(), "pitch": pitch.tolist(), "light": light.tolist(),
        "split": ["test" if i % 20 < 10 else "train" for i in range(count)],
        "film": [f"film {i // 10}" for i in range(count)],
    }  # fmt: skip


def written(folder: Path, manifest: str = MANIFEST, **columns: list) -> Path:
    write_table(folder / "excerpts.tsv", table() | columns)
    (folder / "study.toml").write_text(manifest, encoding="utf-8")
    return folder


def refusal(folder: Path) -> str:
    with pytest.raises(RecordingError) as caught:
        read_excerpts(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_command_predicts_excerpts_and_writes_a_report(tmp_path):
    folder = written(tmp_path / "study", MANIFEST + 'group = "film"\n')
    done = CliRunner().invoke(command, [str(folder), "--out", str(tmp_path / "out"), "--draws", "39"])
    assert done.exit_code == 0, done.output
    assert "arousal from given features: held-out r of sound" in done.output
    numbers = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))
    ways = {way["way"]: way for way in numbers["results"][0]["ways"]}
    assert ways["both"]["r"] > max(ways["sound"]["r"], ways["picture"]["r"]) > 0.3
    assert ways["picture zeroed"]["r"] == pytest.approx(ways["sound"]["r"], abs=0.1)
    assert all(way["low"] < way["r"] < way["high"] for way in ways.values())
    assert numbers["held_out"] == 60
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "the paper's control" in page.replace("&#39;", "'")
    assert "window" not in page


def test_the_check_and_options_of_sounds(tmp_path):
    folder = written(tmp_path)
    checked = CliRunner().invoke(command, [str(folder), "--check"])
    assert checked.exit_code == 0
    assert "nothing wrong was found" in " ".join(checked.output.split())
    done = CliRunner().invoke(command, [str(folder), "--out", str(tmp_path / "o"), "--mains", "60"])
    with pytest.raises(SettingsError, match="--mains is for whole sounds and EEG"):
        raise done.exception


def test_ridge_is_that_of_its_penalty():
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((200, 3)), rng.standard_normal((200, 2))
    weights, intercept, alpha = ridge(x, y, fold_of(None, 200))
    for row in range(2):
        about = x - x.mean(axis=0)
        known = np.linalg.solve(
            about.T @ about + alpha[row] * 200 * np.eye(3), about.T @ (y[:, row] - y[:, row].mean())
        )
        np.testing.assert_allclose(weights[:, row], known, atol=1e-12)
        assert intercept[row] == pytest.approx(y[:, row].mean() - x.mean(axis=0) @ known)


def test_what_is_held_out_has_no_part_in_its_prediction():
    study = np.random.default_rng(2).standard_normal((100, 4))
    design, y = Design(study[:, :2], study[:, 2:3]), study[:, 3:]
    test = np.arange(100) >= 50
    before = held_out(design, y, [test], None)
    other = np.where(test[:, None], 1000.0, y)
    for way, predicted in held_out(design, other, [test], None).items():
        np.testing.assert_array_equal(predicted, before[way])
        assert np.isnan(predicted[:50]).all()


def test_a_column_that_hardly_varies_in_training_decides_nothing():
    rng = np.random.default_rng(3)
    sound = np.column_stack([rng.standard_normal(100), np.r_[np.zeros(50), 1e6 * rng.standard_normal(50)]])
    y = sound[:, :1] + 0.1 * rng.standard_normal((100, 1))
    found = held_out(Design(sound, np.empty((100, 0))), y, [np.arange(100) >= 50], None, ("sound",))["sound"]
    assert np.corrcoef(found[50:, 0], y[50:, 0])[0, 1] > 0.95


def test_films_stay_together_in_folds():
    films = np.repeat(np.arange(10), 7)
    folds = fold_of(films, 70)
    assert all(len(set(folds[films == film])) == 1 for film in range(10))
    assert len(set(folds)) == 5
    assert sum(map(np.count_nonzero, parts_of(None, films, 70))) == 70


def test_alike_neighbours_make_no_result():
    """Films differ in level, features and ratings alike, but have nothing to do with each other."""
    rng, found = np.random.default_rng(4), []
    for _ in range(30):
        level = np.repeat(rng.standard_normal((24, 2)), 10, axis=0)
        values = level + 0.3 * rng.standard_normal((240, 2))
        study = ExcerptStudy(
            "none", True, tuple(map(str, range(240))), ("arousal",), values[:, :1], ("x",), values[:, 1:], (),
            np.empty((240, 0)), (), np.arange(240) >= 120, None,
        )  # fmt: skip
        outcome = analyse_excerpts(study, {"x": study.sound}, lambda _: None, draws=39)
        found.append(outcome.results[0].ways[0].p <= 0.05)
    assert sum(found) <= 5, "nominal: 1.5 of 30"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"arousal": ["n/a", *[0.0] * 119]}, "arousal of row 2 is 'n/a'; expected a finite number"),
        ({"split": ["validation", *["train"] * 119]}, "split of row 2 is 'validation'; expected train or test"),
        ({"split": ["train"] * 115 + ["test"] * 5}, "has 5 excerpts of test; expected at least 20"),
        ({"excerpt": ["a", "a", *[f"e{i}" for i in range(118)]]}, "excerpt a is there twice"),
        ({"arousal": [1.0] * 120}, "arousal is the same for all excerpts"),
    ],
)
def test_bad_tables_are_refused_in_one_line(tmp_path, change, said):
    assert said in refusal(written(tmp_path, **change))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"loudness"', '"loud"', "has no column loud; it has excerpt, arousal"),
        ('sound = ["loudness", "pitch"]', "", "has neither sound nor file"),
        ('["light"]', '["pitch"]', "column pitch is used twice"),
        ('split = "split"', 'split = "split"\ngroup = "arousal"\n[[sound]]\nname="a"\nfile="b.wav"', "beside sounds"),
    ],
)
def test_bad_manifests_are_refused_in_one_line(tmp_path, old, new, said):
    assert said in refusal(written(tmp_path, MANIFEST.replace(old, new)))


def test_a_film_in_both_parts_is_refused(tmp_path):
    folder = written(tmp_path, MANIFEST + 'group = "film"\n', film=["one"] * 60 + ["two"] * 60)
    assert "2 films are in both parts of the split" in refusal(folder)


def test_features_of_sound_files_are_the_mean_over_their_seconds(tmp_path, monkeypatch):
    rng = np.random.default_rng(6)
    for i in range(24):
        soundfile.write(tmp_path / f"{i}.wav", 0.01 * (i + 1) * rng.standard_normal(32_000), 16_000)
    columns = {"excerpt": list(range(24)), "arousal": list(range(24)), "sound": [f"{i}.wav" for i in range(24)]}
    write_table(tmp_path / "excerpts.tsv", columns)
    manifest = 'name = "files"\n[excerpts]\ntable = "excerpts.tsv"\nratings = ["arousal"]\nfile = "sound"\n'
    (tmp_path / "study.toml").write_text(manifest, encoding="utf-8")
    monkeypatch.setattr(FeatureStore, "layers", lambda *given: {"layer-0": np.array([[given[1].std()], [0.0]])})
    monkeypatch.setattr("calibration.excerpts.command.feature_sets", lambda _: ("layer-0",))
    found = computed(read_excerpts(tmp_path), MagicMock(), lambda _: None)
    assert found["lld"].shape == (24, 12)
    np.testing.assert_allclose(found["layer-0"][:, 0], 0.005 * np.arange(1, 25), rtol=0.05)
    (tmp_path / "3.wav").unlink()
    assert "no file 3.wav" in refusal(tmp_path)


@pytest.mark.recordings
@pytest.mark.skipif("RTAFFECT_RECORDINGS" not in os.environ, reason="RTAFFECT_RECORDINGS is not set")
def test_the_known_result_of_the_rated_excerpts_is_met(tmp_path):
    given = Path(os.environ["RTAFFECT_RECORDINGS"]) / "liris-accede"
    if not given.is_dir():
        pytest.skip("no folder liris-accede among the recordings")
    arguments = [str(given / "annotations"), str(given / "features"), str(tmp_path)]
    assert CliRunner().invoke(liris_excerpts, arguments).exit_code == 0
    study = read_excerpts(tmp_path)
    outcome = analyse_excerpts(study, {"given features": study.sound}, lambda _: None, draws=19)
    result = next(each for each in outcome.results if each.rating == "arousal")
    known = {"sound": 0.180, "picture": 0.234, "both": 0.279, "picture zeroed": 0.178}
    for way, r in known.items():
        assert result.of(way).r == pytest.approx(r, abs=0.005)
