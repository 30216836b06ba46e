"""Resampling is the same for every chunking and keeps time; sound files go through the same path."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from rtaffect.common.errors import SoundError
from rtaffect.stream.audio import SoundResampler, mono_of, read_sound, sound_sha256

RATES = [8_000, 16_000, 22_050, 44_100, 48_000, 96_000]


def noise(n: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    return (0.2 * np.random.default_rng(seed).standard_normal((n, channels))).astype(np.float32)


def resampled(sound: np.ndarray, rate: float, sizes: list[int]) -> np.ndarray:
    """The sound pushed in chunks of the sizes given, over and over."""
    resampler = SoundResampler(rate)
    parts, start, turn = [], 0, 0
    while start < len(sound):
        size = sizes[turn % len(sizes)]
        parts.append(resampler.push(sound[start : start + size]))
        start, turn = start + size, turn + 1
    return np.concatenate([*parts, resampler.flush()])


@settings(max_examples=30, deadline=None)
@given(rate=st.sampled_from(RATES), sizes=st.lists(st.integers(1, 5_000), min_size=1, max_size=8))
def test_any_chunking_gives_the_same_samples(rate, sizes):
    sound = noise(12_345, channels=2)
    whole = resampled(sound, rate, [len(sound)])
    np.testing.assert_array_equal(resampled(sound, rate, [*sizes, 0, 512]), whole)


@pytest.mark.parametrize("rate", RATES)
def test_streaming_equals_resampling_in_one_piece(rate):
    sound = noise(rate)
    expected = sound[:, 0] if rate == 16_000 else soxr.resample(sound[:, 0], rate, 16_000, quality="HQ")
    np.testing.assert_array_equal(resampled(sound, rate, [480]), expected)
    assert len(expected) == 16_000


@pytest.mark.parametrize("rate", RATES)
def test_output_is_in_time_with_the_input(rate):
    time = np.arange(2 * rate) / rate
    output = resampled(np.sin(2 * np.pi * 440 * time).astype(np.float32), rate, [441])
    expected = np.sin(2 * np.pi * 440 * np.arange(len(output)) / 16_000)
    middle = slice(4_000, 28_000)
    # 1e-4 of a 440 Hz sine is a delay of 36 ns: less than a thousandth of a sample.
    np.testing.assert_allclose(output[middle], expected[middle], atol=1e-4)


@pytest.mark.parametrize("rate", RATES)
def test_an_impulse_comes_out_at_its_time(rate):
    sound = np.zeros(rate, np.float32)
    sound[rate // 4] = 1.0
    assert np.argmax(np.abs(resampled(sound, rate, [333]))) == 4_000


@pytest.mark.parametrize(("rate", "limit_s"), [(8_000, 0.13), (44_100, 0.045), (48_000, 0.045), (96_000, 0.085)])
def test_output_lags_by_no_more_than_documented(rate, limit_s):
    resampler, sound, ready = SoundResampler(rate), noise(2 * rate), 0
    for start in range(0, len(sound), 64):
        ready += len(resampler.push(sound[start : start + 64]))
        assert (start + 64) / rate - ready / 16_000 < limit_s


def test_16_khz_passes_unchanged_as_a_copy():
    sound = noise(1_000)[:, 0]
    resampler = SoundResampler(16_000)
    output = resampler.push(sound)
    np.testing.assert_array_equal(output, sound)
    assert not np.shares_memory(output, sound)
    assert len(resampler.flush()) == 0


def test_channels_are_averaged():
    stereo = noise(500, channels=2)
    np.testing.assert_allclose(mono_of(stereo), stereo.mean(axis=1), atol=1e-7)
    np.testing.assert_array_equal(mono_of(stereo.astype(np.float64)[:, 0]), stereo[:, 0])


@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_mistakes_of_ours_raise(rate):
    resampler = SoundResampler(rate)
    with pytest.raises(ValueError, match="NaN"):
        resampler.push(np.array([0.0, np.nan], np.float32))
    with pytest.raises(ValueError, match="shape"):
        resampler.push(np.zeros((2, 2, 2), np.float32))
    assert len(resampler.push(np.zeros((0, 2), np.float32))) == 0
    resampler.flush()
    assert len(resampler.flush()) == 0
    with pytest.raises(ValueError, match="flushed"):
        resampler.push(np.zeros(4, np.float32))


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
def test_a_rate_that_cannot_be_is_refused(rate):
    with pytest.raises(SoundError, match="rate is"):
        SoundResampler(rate)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_a_file_is_read_as_a_stream_would_be(tmp_path, suffix):
    path = tmp_path / f"sound.{suffix}"
    soundfile.write(path, noise(100_000, channels=2), 44_100)
    sound, rate = read_sound(path)
    decoded, _ = soundfile.read(path, dtype="float32")
    assert rate == 44_100
    assert sound.dtype == np.float32
    np.testing.assert_array_equal(sound, resampled(decoded, 44_100, [4_410]))


def test_files_that_cannot_be_used_are_refused(tmp_path):
    with pytest.raises(SoundError, match=r"none\.wav: no such file"):
        read_sound(tmp_path / "none.wav")
    text = tmp_path / "text.wav"
    text.write_text("not a sound")
    with pytest.raises(SoundError, match=r"text\.wav: not a sound .*expected WAV"):
        read_sound(text)
    empty = tmp_path / "empty.wav"
    soundfile.write(empty, np.zeros(0, np.float32), 16_000)
    with pytest.raises(SoundError, match="empty"):
        read_sound(empty)
    damaged = tmp_path / "nan.wav"
    soundfile.write(damaged, np.array([0.0, np.nan, 0.0], np.float32), 16_000, subtype="FLOAT")
    with pytest.raises(SoundError, match="NaN"):
        read_sound(damaged)


def test_the_hash_names_the_sound_and_not_its_container(tmp_path):
    sound = np.rint(noise(8_000)[:, 0] * 32_767).astype(np.float32) / np.float32(32_767)
    soundfile.write(tmp_path / "a.wav", sound, 16_000, subtype="FLOAT")
    soundfile.write(tmp_path / "a.flac", sound, 16_000, subtype="PCM_24")
    hashes = {sound_sha256(read_sound(tmp_path / name)[0]) for name in ("a.wav", "a.flac")}
    assert hashes == {sound_sha256(sound)}
    assert sound_sha256(sound) != sound_sha256(sound[:-1])
    assert sound_sha256(np.array([2.0], np.float32)) == sound_sha256(np.array([1.0], np.float32))
