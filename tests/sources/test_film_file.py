"""Films of every kind: frames with their numbers and times, upright and square, and what is refused."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from rtaffect.common.errors import FilmError
from rtaffect.sources.film_file import FilmReader, inspect_film
from tests.support.counted_films import counter, make_film, number_in


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("plain.mkv", {}),
        ("usual.mp4", {"codec": "libx264", "sound_codec": "aac"}),
        ("web.webm", {"codec": "libvpx", "sound_codec": "libopus"}),
        ("old.avi", {}),
        ("odd.mkv", {"size": (322, 178)}),
    ],
)
def test_frames_have_their_numbers_and_times(tmp_path: Path, name: str, options: dict[str, object]) -> None:
    path = make_film(tmp_path / name, 0.8, **options)
    info = inspect_film(path)
    assert (info.width, info.height) == options.get("size", (320, 180))
    assert (info.frames, info.rate, info.even, info.damage) == (20, pytest.approx(25), True, "")
    assert info.picture_s == pytest.approx(0.8, abs=0.05)
    with FilmReader(path) as reader:
        frames = list(reader)
    assert [f.number for f in frames] == list(range(20)) == [number_in(f.picture) for f in frames]
    np.testing.assert_allclose([f.time for f in frames], np.arange(20) / 25, atol=0.001)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("plain.mkv", {}),
        ("usual.mp4", {"codec": "libx264", "sound_codec": "aac"}),
        ("web.webm", {"codec": "libvpx", "sound_codec": "libopus"}),
        ("old.avi", {}),
        ("stream.ts", {"codec": "libx264", "sound_codec": "aac"}),
    ],
)
def test_one_that_begins_in_the_midst_has_the_very_frames_from_there(
    tmp_path: Path, name: str, options: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a frame that needs no other, where the file tells of one: it is not decoded from its beginning."""
    path = make_film(tmp_path / name, 12.0, size=(160, 90), **options)
    with FilmReader(path) as reader:
        every = [(f.number, f.time, number_in(f.picture)) for f in reader]
    decoded: list[int] = []
    counted = FilmReader._counted

    def count(self: FilmReader, sought: bool) -> Iterator[tuple[int, float, object]]:
        for found in counted(self, sought):
            decoded.append(found[0])
            yield found

    monkeypatch.setattr(FilmReader, "_counted", count)
    for begin in (0.02, 7.0, 11.0, 11.97, 60.0):
        decoded.clear()
        with FilmReader(path, from_s=begin) as reader:
            found = [(f.number, f.time, number_in(f.picture)) for f in reader]
        seen = [frame for frame in every if frame[1] <= begin][-1:]
        assert found == seen + [frame for frame in every if frame[1] > begin]
        if name != "stream.ts" and 11 <= begin < 60:
            assert len(decoded) <= 52


def test_uneven_times_are_kept(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.3, 0.31, 1.2, 1.9]
    path = make_film(tmp_path / "uneven.mkv", 2.0, times=times)
    assert not inspect_film(path).even
    with FilmReader(path) as reader:
        assert [f.time for f in reader] == pytest.approx(times, abs=0.001)


@pytest.mark.parametrize("degrees", [90, 180, -90])
def test_a_turned_picture_is_upright(tmp_path: Path, degrees: int) -> None:
    """The numbers of ffmpeg 5.1, which turns pictures by itself, were compared: they are the same to the last bit."""
    path = make_film(tmp_path / "turned.mp4", 0.4, rotation=degrees, sound_codec="aac")
    with FilmReader(path, pixels="rgb24") as reader:
        picture = next(iter(reader)).picture
    upright = np.rot90(counter(0, 320, 180), degrees // 90)
    assert picture.shape == upright.shape
    assert np.abs(picture.astype(int) - upright).mean() < 12


def test_oblong_pixels_are_squared_and_large_pictures_made_smaller(tmp_path: Path) -> None:
    path = make_film(tmp_path / "wide.mkv", 0.4, aspect=Fraction(2, 1))
    assert (inspect_film(path).width, inspect_film(path).height) == (640, 180)
    large = make_film(tmp_path / "large.mkv", 0.04, size=(3840, 2160))
    with FilmReader(large, (1920, 1080), enlarge=True) as reader:
        picture = next(iter(reader)).picture
    assert picture.shape == (1080, 1920, 4)
    small = make_film(tmp_path / "small.mkv", 0.2)
    for enlarge, shape in ((True, (360, 640, 4)), (False, (180, 320, 4))):
        with FilmReader(small, (640, 400), enlarge=enlarge) as reader:
            assert next(iter(reader)).picture.shape == shape


def test_what_is_broken_off_says_so(tmp_path: Path) -> None:
    path = make_film(tmp_path / "whole.mkv", 4.0)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert "it says that it lasts 4.0 s, and ends at 2" in inspect_film(path).damage
    damaged = bytearray(content)
    damaged[len(content) // 2 : len(content) // 2 + 3000] = bytes(3000)
    path.write_bytes(damaged)
    with FilmReader(path) as reader:
        frames = list(reader)
    assert frames[-1].number >= 80, "what is behind the damage is there"
    assert frames[-1].time == pytest.approx(3.96, abs=0.001)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("still.mkv", {"sound": False}, "has no sound track"),
        ("dark.mkv", {"picture": False}, "has no picture, only audio"),
        ("dots.mkv", {"size": (8, 8)}, "has a picture of 8 x 8 pixels"),
    ],
)
def test_what_cannot_be_a_film_is_refused(tmp_path: Path, name: str, options: dict[str, object], message: str) -> None:
    path = make_film(tmp_path / name, 0.4, **options)
    with pytest.raises(FilmError, match=message):
        inspect_film(path)


def test_a_picture_in_an_unknown_form_is_refused(tmp_path: Path) -> None:
    """The name of its codec is damaged."""
    path = make_film(tmp_path / "a.mkv", 0.4)
    content = path.read_bytes()
    at = content.index(b"V_")
    path.write_bytes(content[: at + 2] + b"X" + content[at + 3 :])
    with pytest.raises(FilmError, match="has a picture in a form that is not known here"):
        inspect_film(path)


def test_other_files_and_missing_ones_are_refused(tmp_path: Path) -> None:
    noise = tmp_path / "noise.mp4"
    noise.write_bytes(bytes(range(256)) * 40)
    for path, message in (
        (noise, "not a film that can be read"),
        (tmp_path / "none.mp4", "is not there"),
        (tmp_path, "is not there"),
        (tmp_path / "a\0b", "NUL"),
    ):
        with pytest.raises(FilmError, match=message):
            inspect_film(path)


def test_frames_without_times_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import av

    path = make_film(tmp_path / "timeless.mkv", 0.4)
    monkeypatch.setattr("rtaffect.sources.film_file.open_film", lambda path: _Timeless(av.open(str(path))))
    with pytest.raises(FilmError, match="genpts"):
        inspect_film(path)


class _Timeless:
    """A container whose packets say no times."""

    def __init__(self, container: object) -> None:
        self._container = container

    def __enter__(self) -> _Timeless:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def __getattr__(self, name: str) -> object:
        return getattr(self._container, name)

    def demux(self, *streams: object):
        for packet in self._container.demux(*streams):
            packet.pts = None
            yield packet


def test_without_pyav_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: object, **kwargs: object) -> object:
        if name == "av":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(FilmError, match=r"rtaffect\[film\]"):
        inspect_film(tmp_path / "any.mp4")
