"""Blocks that name a film: what they play and show, how long they last, and what is wrong with them."""

from __future__ import annotations

import re
from pathlib import Path

from click.testing import CliRunner

from rtaffect.cli import cli
from rtaffect.protocol.reading import inspect_protocol, read_protocol
from tests.support.counted_films import make_film
from tests.support.protocol_files import write_protocol


def block(name: str, **more: object) -> dict[str, object]:
    return {"kind": "listen", "name": name[:5], "film": name, **more}


def test_a_film_block_plays_and_shows_it(tmp_path: Path) -> None:
    film = make_film(tmp_path / "films" / "a.mkv", 3.4) if (tmp_path / "films").mkdir() is None else None
    protocol = read_protocol(write_protocol(tmp_path / "p.toml", [block("films/a.mkv")], rule=None))
    (only,) = protocol.blocks
    assert protocol.shows_film
    assert (only.sound, only.picture, only.seconds) == (film, film, 4)
    other = write_protocol(tmp_path / "q.toml", [{"kind": "listen", "name": "A", "stimulus": "films/a.mkv"}], rule=None)
    (heard,) = read_protocol(other).blocks
    assert (heard.sound, heard.picture) == (film, None), "its sound alone"


def test_a_picture_that_outlasts_its_sound_makes_the_block_as_long(tmp_path: Path) -> None:
    make_film(tmp_path / "a.mkv", 3.0, times=[0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    (only,) = read_protocol(write_protocol(tmp_path / "p.toml", [block("a.mkv")], rule=None)).blocks
    assert only.seconds == 6
    assert 5.0 < only.picture_s <= 6.0


def test_films_that_do_not_serve(tmp_path: Path) -> None:
    make_film(tmp_path / "dark.mkv", 3.0, picture=False)
    make_film(tmp_path / "still.mkv", 3.0, sound=False)
    (tmp_path / "noise.mp4").write_bytes(bytes(range(256)) * 40)
    broken = make_film(tmp_path / "half.mkv", 6.0)
    broken.write_bytes(broken.read_bytes()[: broken.stat().st_size // 2])
    make_film(tmp_path / "good.mkv", 3.0)
    names = ("dark.mkv", "still.mkv", "noise.mp4", "half.mkv", "gone.mp4", "good.mkv")
    _, problems = inspect_protocol(write_protocol(tmp_path / "p.toml", [block(name) for name in names], rule=None))
    expected = (
        r"block 1: film .*dark.mkv has no picture",
        r"block 2: film .*still.mkv has no sound track",
        r"block 3: film .*noise.mp4: not a film that can be read",
        r"block 4: film .*half.mkv seems to be broken off: it says that it lasts 6.0 s, and ends at",
        r"block 5: film .*gone.mp4 is not there",
    )
    assert len(problems) == 5
    for problem, words in zip(problems, expected, strict=True):
        assert re.search(words, problem), problem


def test_the_check_says_what_is_to_be_known_of_a_film(tmp_path: Path) -> None:
    make_film(tmp_path / "a.mkv", 5.0, times=[0.0, 0.04, 0.3, 1.0, 3.2])
    file = write_protocol(tmp_path / "p.toml", [block("a.mkv")], rule=None)
    result = CliRunner().invoke(cli, ["protocol", "check", str(file)])
    assert result.exit_code == 0, result.output
    assert "a.mkv: 320 x 180, " in result.output
    assert "frames of uneven length" in result.output
    assert "its picture ends 1.8 s before its sound" in result.output


def test_what_a_film_does_not_go_with(tmp_path: Path) -> None:
    make_film(tmp_path / "a.mkv", 3.0)
    for blocks, words in (
        ([block("a.mkv", stimulus="b.wav")], "film and stimulus: a film has a sound of its own"),
        ([block("a.mkv", kind="rest", duration_s=5)], "film: a block of rest shows nothing"),
    ):
        _, problems = inspect_protocol(write_protocol(tmp_path / "p.toml", blocks, rule=None))
        assert len(problems) == 1
        assert words in problems[0]
