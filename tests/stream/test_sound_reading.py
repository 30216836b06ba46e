"""A sound is as long as what can be decoded of it, whatever its header says; and what is wrong with it is told."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtaffect.common.errors import SoundError
from rtaffect.stream.audio import SoundResampler, read_sound, read_whole_sound
from rtaffect.stream.sound_reading import open_sound, read_samples, sound_length
from tests.support.films import without_header

RATE = 44_100
SECONDS = 4.0


def noise(seconds: float = SECONDS, rate: int = RATE, seed: int = 0) -> np.ndarray:
    """Return noise that is faint for a third, so that a varying bit rate varies."""
    samples = 0.2 * np.random.default_rng(seed).standard_normal(round(seconds * rate)).astype(np.float32)
    samples[: len(samples) // 3] *= 1e-3
    return samples


def written(path: Path, seconds: float = SECONDS, rate: int = RATE, **how) -> bytes:
    soundfile.write(path, noise(seconds, rate), rate, **how)
    return path.read_bytes()


def read(path: Path) -> tuple[np.ndarray, list[str]]:
    with open_sound(path) as sound:
        return np.concatenate(list(sound.blocks()))[:, 0], sound.notes


FORMATS = [
    ("WAV", "PCM_16"),
    ("WAVEX", "PCM_16"),
    ("RF64", "PCM_16"),
    ("W64", "PCM_16"),
    ("AIFF", "PCM_16"),
    ("AU", "PCM_16"),
    ("CAF", "PCM_16"),
    ("FLAC", "PCM_16"),
    ("OGG", "VORBIS"),
    ("MP3", "MPEG_LAYER_III"),
]


@pytest.mark.parametrize(("form", "subtype"), FORMATS)
def test_a_whole_file_is_read_whole_and_one_that_is_cut_up_to_the_cut(tmp_path, form, subtype):
    path = tmp_path / "a.sound"
    data = written(path, format=form, subtype=subtype)
    whole, notes = read(path)
    assert (len(whole), notes) == (SECONDS * RATE, [])
    path.write_bytes(data + bytes(range(200)))
    assert len(read(path)[0]) == len(whole)
    path.write_bytes(data[: len(data) * 6 // 10])
    cut, notes = read(path)
    # Ogg's pages and varying bit rates make the cut fall elsewhere than at 60 %.
    assert 0.35 * len(whole) < len(cut) < 0.75 * len(whole)
    np.testing.assert_allclose(cut[:-2000], whole[: len(cut) - 2000], atol=1e-4)
    assert len(notes) == 1
    assert "cut short" in notes[0]
    if form != "OGG":
        assert "it says 4.00 s" in notes[0]
        assert f"{len(cut) / RATE:.2f} s are there" in notes[0]
    heard = read_whole_sound(path)
    assert heard.notes == tuple(notes) == sound_length(path).notes
    assert len(heard.samples) == pytest.approx(len(cut) / RATE * 16_000, abs=2)
    assert len(read_samples(path)[0]) == len(cut)


@pytest.mark.parametrize("length", [0, 0xFFFFFFFF, 0x7FFFF000, 0xFFFFFFFF - 44])
@pytest.mark.parametrize("riff", [0, 0xFFFFFFFF, None])
def test_a_wav_that_was_streamed_is_read_to_its_end(tmp_path, length, riff):
    path = tmp_path / "a.wav"
    data = bytearray(written(path, 1.0))
    if riff is not None:
        data[4:8] = struct.pack("<I", riff)
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", length)
    path.write_bytes(data)
    found, notes = read(path)
    np.testing.assert_allclose(found, noise(1.0), atol=1e-4)
    assert notes == []


def test_an_empty_wav_with_something_after_it_stays_empty(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(0), 16_000)
    path.write_bytes(path.read_bytes() + b"LIST" + struct.pack("<I", 8) + b"INFOxxxx")
    with pytest.raises(SoundError, match="the sound is empty"):
        read_whole_sound(path)


def test_a_flac_without_a_count_is_read_to_its_end(tmp_path):
    path = tmp_path / "a.flac"
    data = bytearray(written(path))
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    path.write_bytes(data)
    assert sound_length(path) == (SECONDS, ())


@pytest.mark.parametrize("mode", ["VARIABLE", "CONSTANT"])
def test_an_mp3_without_a_header_is_as_long_as_its_frames(tmp_path, mode):
    path = tmp_path / "a.mp3"
    data = written(path, bitrate_mode=mode)
    whole, _ = read(path)
    path.write_bytes(without_header(data))
    found, notes = read(path)
    # Nothing says how much the encoder put before the sound: players play that, too.
    frames = -(-(len(whole) + 1105) // 1152)
    assert frames * 1152 <= len(found) <= (frames + 1) * 1152
    np.testing.assert_allclose(found[1105 : 1105 + len(whole)][: 3 * RATE], whole[: 3 * RATE], atol=1e-5)
    assert notes == []
    if mode == "VARIABLE":
        assert soundfile.info(path).frames < 0.9 * len(whole)


def test_mp3_files_that_were_joined_are_read_to_the_end_of_the_last(tmp_path):
    path = tmp_path / "a.mp3"
    data = written(path)
    whole, _ = read(path)
    tag = b"ID3\x03\0\0\0\0\x07\x68" + bytes(1000)
    path.write_bytes(tag + data + tag + data + b"TAG" + b"x" * 125)
    found, notes = read(path)
    np.testing.assert_array_equal(found[: len(whole)], whole)
    assert 2 * SECONDS <= len(found) / RATE < 2 * SECONDS + 0.15
    assert "joined" in notes[0]
    soundfile.write(tmp_path / "b.mp3", noise(1.0, 16_000), 16_000)
    path.write_bytes(data + (tmp_path / "b.mp3").read_bytes())
    with pytest.raises(SoundError, match=r"a.mp3: its sound changes its rate .* at 4.1 s.*convert it to WAV"):
        read(path)


def test_of_a_damaged_mp3_it_is_told_what_is_left_out(tmp_path):
    path = tmp_path / "a.mp3"
    data = written(path, bitrate_mode="CONSTANT")
    path.write_bytes(data[:20_000] + b"\xaa" * 3000 + data[23_000:])
    found, notes = read(path)
    assert SECONDS - 0.4 < len(found) / RATE < SECONDS
    assert "bytes within are no sound and are left out" in notes[0]


def test_sounds_of_an_ogg_that_were_joined_follow_each_other(tmp_path):
    path = tmp_path / "a.ogg"
    data = written(path)
    whole, _ = read(path)
    path.write_bytes(data + data)
    found, notes = read(path)
    np.testing.assert_array_equal(found, np.concatenate([whole, whole]))
    assert "2 sounds one after another" in notes[0]
    other = tmp_path / "b.ogg"
    path.write_bytes(data + written(other, 1.0, 22_050))
    with pytest.raises(SoundError, match=r"its sound changes from 44100 Hz .* to 22050 Hz .* at 4.0 s"):
        read(path)


def test_of_two_wav_files_in_one_the_first_is_heard(tmp_path):
    path = tmp_path / "a.wav"
    data = written(path, 1.0)
    path.write_bytes(data + data)
    found, notes = read(path)
    assert len(found) == RATE
    assert "another sound after its first" in notes[0]


NO_SOUNDS = {
    "empty": (b"", r"the file is empty \(0 bytes\)"),
    "zeros": (bytes(3000), "nothing but zeros"),
    "text": (b"hello " * 99, "not a sound that can be read"),
    "picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9, "not a sound that can be read"),
    "a bit of MP3": (b"\xff\xfb\x90\x64" + bytes(40), "not a sound that can be read"),
}


@pytest.mark.parametrize("ending", [".wav", ".mp3", ".flac", ".ogg"])
@pytest.mark.parametrize("kind", NO_SOUNDS)
def test_what_is_no_sound_is_refused_in_one_line(tmp_path, kind, ending):
    content, expected = NO_SOUNDS[kind]
    path = tmp_path / f"a{ending}"
    path.write_bytes(content)
    with pytest.raises(SoundError, match=expected) as caught:
        sound_length(path)
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_sound(tmp_path):
    (tmp_path / "a.wav").mkdir()
    with pytest.raises(SoundError, match="a folder; expected a sound"):
        sound_length(tmp_path / "a.wav")


def test_a_length_is_found_anew_when_the_file_has_changed(tmp_path):
    path = tmp_path / "a.wav"
    written(path, 1.0)
    assert sound_length(path).seconds == 1.0
    written(path, 2.0)
    assert sound_length(path).seconds == 2.0


@pytest.mark.parametrize("rate", [20, 999, 400_000])
def test_a_sound_at_no_rate_of_sound_is_refused_before_it_is_read(tmp_path, rate):
    """A FLAC of 16 kB whose header says 20 Hz would be 37 minutes."""
    path = tmp_path / "slow.wav"
    soundfile.write(path, np.zeros(2000), rate)
    with pytest.raises(SoundError, match=f"slow.wav: the sound's rate is {rate} Hz; expected 1000 to 384000 Hz"):
        read_samples(path)
    with pytest.raises(SoundError, match="expected 1000 to 384000 Hz"):
        SoundResampler(rate)


@pytest.mark.parametrize("level", [3e4, 3e38])
def test_samples_far_beyond_full_scale_are_refused(tmp_path, level):
    """Numbers that were not scaled, or damaged ones, whose sum over channels overflows."""
    path = tmp_path / "loud.wav"
    soundfile.write(path, np.full((2000, 2), level), 16_000, subtype="FLOAT")
    with pytest.raises(SoundError, match=r"loud.wav: the sound's samples reach 3e\+\d\d; expected full scale to be 1"):
        read_sound(path)
    soundfile.write(path, np.full((2000, 2), 4.0), 16_000, subtype="FLOAT")
    assert read_sound(path)[0].max() == 4.0, "what merely goes beyond full scale is kept as it is"
