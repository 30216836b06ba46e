"""Pitch, rate and level are changed as asked, resonances are not; shares of words and prosody are those planted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.signal import lfilter

from bench.prosody import WARM_UP_S, at_words, moved, shares
from rtaffect.common.errors import SoundError
from rtaffect.simulation.prosody import CHANGES, Change, said, variants, write_variants
from rtaffect.stream.audio import SAMPLE_RATE, read_sound

F0, FORMANT, SECONDS = 120.0, 800.0, 5


def voice(seconds: float = SECONDS) -> np.ndarray:
    """A steady vowel: pulses at 120 Hz through one resonance at 800 Hz."""
    pulses = np.zeros(round(seconds * SAMPLE_RATE))
    pulses[np.round(np.arange(0, len(pulses) - 1, SAMPLE_RATE / F0)).astype(int)] = 1.0
    radius = np.exp(-np.pi * 120.0 / SAMPLE_RATE)
    sound = lfilter([1.0], [1.0, -2 * radius * np.cos(2 * np.pi * FORMANT / SAMPLE_RATE), radius**2], pulses)
    return (0.3 * sound / np.abs(sound).max()).astype(np.float32)


def pitch_of(sound: np.ndarray) -> float:
    """The lag at which the middle second is most like itself, as a frequency."""
    middle = sound[len(sound) // 2 :][:SAMPLE_RATE].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(middle, 4 * SAMPLE_RATE)) ** 2
    like = np.fft.irfft(spectrum)
    low, high = SAMPLE_RATE // 300, SAMPLE_RATE // 60
    return SAMPLE_RATE / (low + int(np.argmax(like[low:high])))


def resonance_of(sound: np.ndarray) -> float:
    """The centre of the spectrum's power, Hz."""
    middle = sound[len(sound) // 2 :][:SAMPLE_RATE].astype(np.float64)
    power = np.abs(np.fft.rfft(middle * np.hanning(len(middle)))) ** 2
    frequency = np.fft.rfftfreq(len(middle), 1 / SAMPLE_RATE)
    inside = (frequency > 300) & (frequency < 2000)
    return float((power[inside] * frequency[inside]).sum() / power[inside].sum())


def test_each_thing_is_changed_alone() -> None:
    pytest.importorskip("parselmouth")
    speech = voice()
    plain = said(speech, Change("none"))
    assert pitch_of(plain) == pytest.approx(F0, rel=0.01)
    for change in CHANGES[1:]:
        made = said(speech, change)
        assert len(made) == round(len(speech) / change.rate)
        assert pitch_of(made) == pytest.approx(F0 * 2 ** (change.pitch / 12), rel=0.02), change.name
        assert resonance_of(made) == pytest.approx(resonance_of(plain), rel=0.08), change.name
        level = 20 * np.log10(made[8000:-8000].std() / plain[8000:-8000].std())
        if change.of in ("rate", "level"):
            assert level == pytest.approx(change.level, abs=0.5), change.name


def test_all_variants_stay_within_full_scale_by_one_gain() -> None:
    pytest.importorskip("parselmouth")
    loud = voice() * np.float32(3.0)
    made = variants(loud)
    assert max(np.abs(each).max() for each in made.values()) < 1.0
    plain, louder = made[CHANGES[0]], made[CHANGES[-1]]
    power = [float((each.astype(np.float64) ** 2).sum()) for each in (plain, louder)]
    assert 10 * np.log10(power[1] / power[0]) == pytest.approx(6.0, abs=1e-4)


def test_what_is_made_is_the_same_each_time() -> None:
    """Praat draws pulses at random: without a seed a change of level is one of 5.99 or 6.01 dB."""
    pytest.importorskip("parselmouth")
    speech = voice()
    np.testing.assert_array_equal(said(speech, CHANGES[0]), said(speech, CHANGES[0]))


def test_a_study_of_prosody_is_files_and_a_table(tmp_path: Path) -> None:
    pytest.importorskip("parselmouth")
    assert write_variants({"vowel": voice()}, tmp_path / "study") == 7
    lines = (tmp_path / "study" / "prosody.tsv").read_text(encoding="utf-8").splitlines()
    assert lines[0].split("\t") == ["file", "speech", "changed", "pitch_semitones", "rate", "level_db"]
    assert [line.split("\t")[0] for line in lines[1:4]] == [
        "vowel_as-it-is.wav", "vowel_pitch--4.wav", "vowel_pitch-+4.wav",
    ]  # fmt: skip
    sound, _ = read_sound(tmp_path / "study" / "sounds" / lines[4].split("\t")[0])
    assert len(sound) == round(SECONDS * SAMPLE_RATE / 0.8)


def test_no_voice_and_too_little_are_refused() -> None:
    pytest.importorskip("parselmouth")
    with pytest.raises(SoundError, match=r"speech of 1\.0 s, expected 4 s or more"):
        said(voice(1.0), CHANGES[0])
    with pytest.raises(SoundError, match="no voice was found"):
        said(np.zeros(5 * SAMPLE_RATE, np.float32), CHANGES[0])


def test_shares_are_what_was_planted() -> None:
    rng = np.random.default_rng(0)
    words, ways = rng.standard_normal((300, 1, 40)), rng.standard_normal((1, 7, 40))
    ways -= ways.mean(axis=1, keepdims=True)
    rest = rng.standard_normal((300, 7, 40))
    found = shares(2.0 * words + 1.0 * ways + 0.5 * rest)
    planted = np.array([4.0, float((ways**2).mean()), 0.25])
    np.testing.assert_allclose(found, planted / planted.sum(), atol=0.02)
    assert shares(words + np.zeros((1, 7, 1)))[0] == pytest.approx(1.0)


def test_moves_are_told_in_distances_between_words() -> None:
    rng = np.random.default_rng(1)
    table = np.repeat(rng.standard_normal((400, 1, 30)), len(CHANGES), axis=1)
    other = rng.standard_normal((400, 30))
    for i, change in enumerate(CHANGES):
        if change.of == "pitch":
            table[:, i] = other
    found = moved(table, CHANGES)
    assert found["pitch"] == pytest.approx(1.0, abs=0.1), "as far as another word"
    assert (found["rate"], found["level"]) == (0.0, 0.0)


@pytest.mark.parametrize("rate", [0.8, 1.0, 1.25])
def test_the_same_words_are_found_at_another_rate(rate: float) -> None:
    """Features that tell the time of the words: the mean over the second that a row is of."""
    ends = np.arange(1, round(30 / rate))
    features = ((ends - 0.5) * rate)[:, None]
    np.testing.assert_allclose(at_words(features, rate, 10)[:, 0], np.arange(WARM_UP_S, WARM_UP_S + 10) + 0.5)
