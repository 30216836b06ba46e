"""Covariates of a film's picture against what was drawn into it, and in a study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from calibration.picture import NAMES, picture_covariates
from calibration.studies.layout import SoundFile
from calibration.studies.tables import covariates_in
from rtaffect.cli import cli
from rtaffect.common.errors import FilmError
from rtaffect.stream.sound_reading import sound_length
from tests.support.counted_films import make_film


def drawn(number: int, width: int, height: int) -> np.ndarray:
    """Seconds: dark; bright; halves; halves whose edge moves; five shots."""
    second, part = divmod(number, 25)
    picture = np.zeros((height, width, 3), np.uint8)
    if second == 0:
        picture[:] = 50
    elif second == 1:
        picture[:] = 200
    elif second in (2, 3):
        edge = width // 4 + (8 * part if second == 3 else 0)
        picture[:, edge:] = 255
    else:
        picture[:, :: 1 + part // 5] = 40 + 200 * (part // 5 % 2)
    return picture


def test_each_second_has_what_was_drawn(tmp_path: Path) -> None:
    values = picture_covariates(make_film(tmp_path / "drawn.mkv", 5.0, draw=drawn))
    found = dict(zip(NAMES, values.T, strict=True))
    assert values.shape == (5, 4)
    assert found["luminance"][:3] == pytest.approx([50 / 255, 200 / 255, 0.75], abs=0.02)
    assert found["contrast"][:3] == pytest.approx([0.0, 0.0, (0.75 * 0.25) ** 0.5], abs=0.02)
    # An edge that goes on by 1/40 of the width: so many pixels change by full scale, 24 times.
    assert found["motion"][3] == pytest.approx(24 / 40, rel=0.15)
    assert found["motion"][:3] == pytest.approx([0.0, 0.0, 0.0], abs=0.002)
    assert found["cuts"].tolist() == [0, 1, 1, 0, 5]


def test_uneven_frames_count_by_their_time_and_a_picture_that_ends_stays(tmp_path: Path) -> None:
    def grey(number: int, width: int, height: int) -> np.ndarray:
        return np.full((height, width, 3), 100 + 100 * number, np.uint8)

    path = make_film(tmp_path / "slides.mkv", 4.0, times=[0.5, 1.25], draw=grey)
    luminance = picture_covariates(path)[:, 0]
    first, second = 100 / 255, 200 / 255
    expected = [first / 2, 0.25 * first + 0.75 * second, second, second]
    assert luminance == pytest.approx(expected, abs=0.02), "black before it begins"


def test_the_command_writes_a_table_that_a_study_takes(tmp_path: Path) -> None:
    film, out = make_film(tmp_path / "a.mkv", 3.0), tmp_path / "a.tsv"
    result = CliRunner().invoke(cli, ["covariates", str(film), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "3 s, " in result.output
    sound = SoundFile("a", film, True, out)
    names, values = covariates_in([sound], {"a": int(sound_length(film).seconds)})["a"]
    assert names == NAMES
    np.testing.assert_allclose(values, picture_covariates(film), rtol=1e-5, atol=1e-6)
    with pytest.raises(FilmError, match="has no picture"):
        picture_covariates(make_film(tmp_path / "dark.mkv", 3.0, picture=False))
