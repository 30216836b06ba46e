"""Tables of a study: one row a second of covariates, and of ratings in place of listeners."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calibration.study import FolderStudy, ratings_of
from rtaffect.common.errors import RecordingError
from tests.support.helpers import small_study
from tests.support.study_files import SOUND_S, edit, write_sounds, write_study, write_table


def columns(seed: int, names: tuple[str, ...] = ("flow", "faces"), seconds: int = SOUND_S) -> dict[str, list[float]]:
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal(seconds).tolist() for name in names}


def rated(folder: Path) -> Path:
    """A study without listeners."""
    write_sounds(folder / "sounds")
    lines = ['name = "rated"']
    for number in (1, 2):
        write_table(folder / "ratings" / f"{number}.tsv", columns(number, ("arousal", "valence")))
        lines += ["[[sound]]", f'name = "story-{number}"', f'file = "sounds/story-{number}.wav"']
        lines += [f'rating = "ratings/{number}.tsv"']
    (folder / "study.toml").write_text("\n".join(lines), encoding="utf-8")
    return folder


def with_covariates(folder: Path) -> Path:
    write_study(folder)
    for number in (1, 2):
        write_table(folder / "seen" / f"{number}.tsv", columns(number))
        edit(folder, f'story-{number}.wav"', f'story-{number}.wav"\ncovariates = "seen/{number}.tsv"')
    return folder


def refusal(folder: Path) -> str:
    with pytest.raises(RecordingError) as caught:
        FolderStudy(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_covariates_come_by_sound_and_name(tmp_path):
    study = FolderStudy(with_covariates(tmp_path))
    for number, sound in enumerate(study.sounds(), start=1):
        names, values = study.covariates(sound)
        assert names == ("flow", "faces")
        np.testing.assert_allclose(values, np.column_stack(list(columns(number).values())))
    assert study.rating_names == ()
    assert ratings_of(study, study.sounds()[0]) is None


def test_a_study_without_tables_has_none(tmp_path):
    study = FolderStudy(write_study(tmp_path))
    assert study.covariates(study.sounds()[0]) is None
    assert study.ratings(study.sounds()[0]) is None
    synthetic = small_study()
    assert ratings_of(synthetic, synthetic.sounds()[0]) is None


def test_a_sound_that_is_not_fitted_needs_no_table(tmp_path):
    folder = with_covariates(tmp_path)
    edit(folder, 'covariates = "seen/2.tsv"', "fit = false")
    study = FolderStudy(folder)
    assert study.covariates(study.sounds()[1]) is None
    assert study.covariates(study.sounds()[0]) is not None


def test_what_is_longer_is_cut_and_the_time_is_no_covariate(tmp_path):
    folder = with_covariates(tmp_path)
    for number in (1, 2):
        write_table(folder / "seen" / f"{number}.tsv", {"Time": range(20), **columns(number, seconds=20)})
    names, values = FolderStudy(folder).covariates(FolderStudy(folder).sounds()[0])
    assert names == ("flow", "faces")
    assert values.shape == (SOUND_S, 2)


def test_ratings_need_no_listeners(tmp_path):
    study = FolderStudy(rated(tmp_path))
    assert study.listeners == ()
    assert study.channels() == ()
    assert study.rating_names == ("arousal", "valence")
    values = ratings_of(study, study.sounds()[1])
    np.testing.assert_allclose(values, np.column_stack(list(columns(2, ("arousal", "valence")).values())))


def test_ratings_may_have_gaps(tmp_path):
    folder = rated(tmp_path)
    table = columns(1, ("arousal", "valence"))
    table["arousal"][:3] = ["n/a", "NaN", ""]
    write_table(folder / "ratings" / "1.tsv", table)
    values = FolderStudy(folder).ratings(FolderStudy(folder).sounds()[0])
    assert np.isnan(values[:3, 0]).all()
    assert np.isfinite(values).sum() == 2 * SOUND_S - 3


def replaced(value: object, row: int = 4) -> dict[str, list]:
    table = columns(1)
    table["faces"][row] = value
    return table


COVARIATE_FAULTS = {
    "absent": (
        replaced("n/a"),
        "1.tsv: faces has no value in row 6 (1 are missing); expected a number for every second",
    ),
    "not a number": (replaced("NaN"), "faces has no value in row 6"),
    "infinite": (replaced("inf"), "faces in row 6 is 'inf'; expected a finite number: correct it"),
    "text": (replaced("many"), "faces in row 6 is 'many'; expected a finite number"),
    "too short": (columns(1, seconds=13), "1.tsv has 13 rows; expected at least 14, one for each second of the sound"),
    "other columns": (
        columns(1, ("flow", "hands")),
        "2.tsv has the columns flow, faces; expected flow, hands, as in 1.tsv",
    ),
    "a column twice": ({"flow": range(14), "Flow": range(14)}, "two columns are called flow"),
    "no header": (
        {"0.5": range(14), "1": range(14)},
        r"begins with '0.5\t1'; expected a header that names each column",
    ),
    "only the time": ({"time": range(14)}, "has no column beside time; expected at least one quantity"),
    "other times": (
        {"time": np.arange(14) / 2, **columns(1)},
        "column time does not rise by 1 from row to row; expected one row a second",
    ),
    "empty": ({}, "begins with 'nothing'; expected a header"),
}


@pytest.mark.parametrize("kind", COVARIATE_FAULTS)
def test_a_fault_of_a_table_is_named_in_one_line(tmp_path, kind):
    table, expected = COVARIATE_FAULTS[kind]
    folder = with_covariates(tmp_path)
    path = folder / "seen" / "1.tsv"
    write_table(path, table) if table else path.write_text("")
    assert expected in refusal(folder)


def test_a_row_of_another_length_and_a_foreign_encoding_are_refused(tmp_path):
    folder = with_covariates(tmp_path)
    path = folder / "seen" / "1.tsv"
    path.write_text(path.read_text(encoding="utf-8") + "1.0\n", encoding="utf-8")
    assert "1.tsv: row 16 has 1 cells; expected 2, as in the header, with tabs between them" in refusal(folder)
    path.write_bytes("größe\n1\n".encode("latin-1"))
    assert "1.tsv cannot be read" in refusal(folder)
    path.unlink()
    assert "story-1: no file seen/1.tsv; correct study.toml or add it" in refusal(folder)


def test_an_empty_row_is_a_second_without_values_and_moves_no_other(tmp_path):
    folder = rated(tmp_path)
    path = folder / "ratings" / "1.tsv"
    lines = path.read_text(encoding="utf-8").splitlines()
    known = FolderStudy(folder).ratings(FolderStudy(folder).sounds()[0])
    path.write_text("\n".join([*lines[:4], "", *lines[5:]]) + "\n\n", encoding="utf-8")
    found = FolderStudy(folder).ratings(FolderStudy(folder).sounds()[0])
    assert np.isnan(found[3]).all()
    np.testing.assert_array_equal(np.delete(found, 3, axis=0), np.delete(known, 3, axis=0))
    folder = with_covariates(tmp_path / "seen")
    path = folder / "seen" / "1.tsv"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([*lines[:4], "", *lines[5:]]), encoding="utf-8")
    assert "flow has no value in row 5" in refusal(folder)


def test_all_or_no_fitted_sounds_have_a_table(tmp_path):
    folder = with_covariates(tmp_path / "a")
    edit(folder, 'covariates = "seen/2.tsv"', "")
    assert "story-2: no covariates table, but other sounds have one; expected it for every sound that" in refusal(
        folder
    )
    folder = rated(tmp_path / "b")
    edit(folder, 'rating = "ratings/1.tsv"', "")
    text = refusal(folder)
    assert "story-1: no rating table, but other sounds have one" in text
    edit(folder, 'rating = "ratings/2.tsv"', "")
    assert "0 listeners, but synchrony of one with the others needs at least 3: record more people, or give" in refusal(
        folder
    )
