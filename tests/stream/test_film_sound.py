"""The sound of a film begins where the film begins, whatever the container does with the encoder's priming."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from rtaffect.common.errors import SoundError
from rtaffect.sources.sound_file import SoundFileSource
from rtaffect.stream.audio import read_whole_sound
from rtaffect.stream.sound_reading import open_sound, sound_length
from tests.support.films import film

RATE = 48_000
#: When a click is in the sound, s.
CLICK = 1.0


def clicked(channels: int = 1) -> np.ndarray:
    """Return 2 s of silence with a burst."""
    samples = np.zeros((2 * RATE, channels))
    at = round(CLICK * RATE)
    samples[at : at + 2400] = 0.5 * np.random.default_rng(0).standard_normal((2400, channels)).clip(-1.5, 1.5)
    return samples


def heard_at(path) -> tuple[float, list[str]]:
    """Return when the burst begins, s, and what is told."""
    with open_sound(path) as sound:
        samples = np.concatenate(list(sound.blocks()))
        return float(np.argmax(np.abs(samples[:, 0]) > 0.2)) / sound.rate, sound.notes


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("a.m4a", {"picture": False}),
        ("a.mp4", {}),
        ("a.mkv", {}),
        ("a.webm", {"codec": "libopus"}),
        ("a.mkv", {"codec": "flac"}),
        ("a.mov", {"codec": "pcm_s16le"}),
        ("a.mp4", {"sound_at": 0.5}),
        ("a.mkv", {"sound_at": 0.5}),
        ("a.webm", {"codec": "libopus", "sound_at": 0.5}),
        ("a.mkv", {"picture_at": 0.4}),
        ("a.wav", {}),
    ],
)
def test_the_sound_is_where_it_is_in_the_film(tmp_path, name, how):
    """Also under a name that says something else: the content counts."""
    path = tmp_path / name
    film(path.with_suffix(".mkv") if name == "a.wav" else path, clicked(), RATE, **how)
    if name == "a.wav":
        path.with_suffix(".mkv").rename(path)
    found, notes = heard_at(path)
    assert found == pytest.approx(CLICK + how.get("sound_at", 0.0), abs=0.003)
    assert notes == []
    assert sound_length(path).seconds == pytest.approx(2 + how.get("sound_at", 0.0), abs=0.06)


def test_a_film_is_a_sound_wherever_one_is_taken(tmp_path):
    film(tmp_path / "a.mp4", clicked(2), RATE)
    source = SoundFileSource.open(tmp_path / "a.mp4")
    assert source.duration_s == pytest.approx(2.0, abs=0.05)
    assert np.argmax(np.abs(source.sound) > 0.1) / 16_000 == pytest.approx(CLICK, abs=0.003)


def test_of_several_tracks_the_first_is_heard_and_that_is_told(tmp_path):
    film(tmp_path / "a.mkv", clicked(), RATE, tracks=2, codec="flac")
    with open_sound(tmp_path / "a.mkv") as sound:
        loud = max(float(np.abs(block).max()) for block in sound.blocks())
    assert loud == pytest.approx(np.abs(clicked()).max(), abs=1e-3)
    assert sound.notes == ["a.mkv has 2 sound tracks; number 1 is used"]


def test_a_film_that_is_cut_short_says_so(tmp_path):
    film(tmp_path / "a.mkv", np.tile(clicked(), (2, 1)), RATE)
    data = (tmp_path / "a.mkv").read_bytes()
    (tmp_path / "a.mkv").write_bytes(data[: len(data) * 6 // 10])
    found = read_whole_sound(tmp_path / "a.mkv")
    assert 1.0 < len(found.samples) / 16_000 < 3.2
    assert "cut short: it says 4.0" in found.notes[0]
    film(tmp_path / "a.mp4", clicked(), RATE)
    data = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(data[: len(data) * 6 // 10])
    with pytest.raises(SoundError, match=r"a.mp4: not a film or sound that can be read .*expected a whole MP4"):
        read_whole_sound(tmp_path / "a.mp4")


def test_a_film_without_sound_is_refused(tmp_path):
    film(tmp_path / "a.mp4", clicked()[:RATE], RATE, tracks=0)
    with pytest.raises(SoundError, match=r"a.mp4: it has no sound track; expected one"):
        sound_length(tmp_path / "a.mp4")


def test_without_pyav_the_remedy_is_named(tmp_path, monkeypatch):
    film(tmp_path / "a.m4a", clicked(), RATE, picture=False)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(SoundError, match=r'a.m4a: MP4, M4A or MOV is read by PyAV.*pip install "rtaffect\[film\]"'):
        sound_length(tmp_path / "a.m4a")
