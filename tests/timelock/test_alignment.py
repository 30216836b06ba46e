"""Time lock by captured sound, against truth that is known because the capture was made here."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
import soxr
from scipy.signal import butter, correlate, fftconvolve, sosfilt

from rtaffect.common.errors import SoundError
from rtaffect.simulation.sounds import compose, speech_from_wheel
from rtaffect.timelock.alignment import LOCK_CONFIDENCE, Aligner, Alignment
from rtaffect.timelock.sound_match import REACH, Matcher, OffsetLine, peak_of
from rtaffect.timelock.sound_search import FRAME, FRAMES_PER_S, HOP, SoundSearch, band_courses, band_power

RATE = 16_000
#: Session time of the first captured sample, s, and where in the stimulus that is, s.
FIRST, BEGIN = 50.0, 20.37


@functools.cache
def soundtrack(seed: int = 11, seconds: float = 150.0, voice: bool = True) -> np.ndarray:
    return compose(seed, seconds, speech=speech_from_wheel() if voice else None)


def pink(rng: np.random.Generator, n: int) -> np.ndarray:
    hertz = np.fft.rfftfreq(n, 1 / RATE)
    spectrum = (rng.standard_normal(len(hertz)) + 1j * rng.standard_normal(len(hertz))) / np.sqrt(np.maximum(hertz, 20))
    wave = np.fft.irfft(spectrum, n)
    return wave / wave.std()


def room(rng: np.random.Generator, rt60_s: float, direct_db: float) -> np.ndarray:
    """Impulse response: the direct sound, and noise that decays by 60 dB in ``rt60_s``, ``direct_db`` below it."""
    time = np.arange(round(rt60_s * RATE)) / RATE
    tail = rng.standard_normal(len(time)) * 10 ** (-3 * time / rt60_s) * (time > 0.002)
    response = tail * 10 ** (-direct_db / 20) / np.sqrt((tail**2).sum())
    response[0] = 1.0
    return response


def captured(
    sound: np.ndarray,
    *,
    seed: int = 0,
    white_db: float = math.inf,
    pink_db: float = math.inf,
    rt60_s: float = 0.0,
    direct_db: float = 0.0,
    lowpass_hz: float = 0.0,
    gain: float = 1.0,
    ppm: float = 0.0,
) -> np.ndarray:
    """``sound`` as a microphone in a room hears it; noise is that far below the sound's mean power, clipped at 1."""
    rng = np.random.default_rng(seed)
    wave = sound.astype(np.float64)
    if ppm:
        wave = soxr.resample(wave, RATE, RATE * (1 + ppm * 1e-6))
    level = wave.std()
    if rt60_s:
        wave = fftconvolve(wave, room(rng, rt60_s, direct_db))[: len(wave)]
        wave *= level / wave.std()
    if lowpass_hz:
        wave = sosfilt(butter(4, lowpass_hz, fs=RATE, output="sos"), wave)
    wave = wave + level * 10 ** (-white_db / 20) * rng.standard_normal(len(wave))
    wave += level * 10 ** (-pink_db / 20) * pink(rng, len(wave))
    return np.clip(gain * wave, -1, 1).astype(np.float32)


def follow(aligner: Aligner, sound: np.ndarray, first: float = FIRST, missing: tuple[int, ...] = ()) -> list[Alignment]:
    seconds = sound[: len(sound) // RATE * RATE].reshape(-1, RATE)
    return [aligner.step(None if k in missing else second, first + k) for k, second in enumerate(seconds)]


def locked(course: list[Alignment]) -> np.ndarray:
    return np.array([alignment.state == "locked" for alignment in course])


def errors(course: list[Alignment], truth: float | np.ndarray) -> np.ndarray:
    """Errors where locked, s; ``truth`` is the offset at each step."""
    offset = np.array([alignment.offset_s for alignment in course])
    return np.abs(offset - truth)[locked(course)]


def piece(start: float, stop: float, seed: int = 11) -> np.ndarray:
    return soundtrack(seed)[round(start * RATE) : round(stop * RATE)]


CONDITIONS = {
    "clean": {},
    "white noise, 0 dB": {"white_db": 0},
    "pink noise, 0 dB": {"pink_db": 0},
    "living room": {"rt60_s": 0.5, "pink_db": 20},
    "far in a hall": {"rt60_s": 0.8, "direct_db": -8, "pink_db": 20},
    "room and pink noise, 0 dB": {"rt60_s": 0.5, "direct_db": -3, "pink_db": 0},
    "gain .01": {"gain": 0.01, "white_db": 20},
    "gain 10, clipped": {"gain": 10, "white_db": 20},
    "low-pass 4 kHz": {"lowpass_hz": 4000, "white_db": 20},
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_it_locks_from_the_middle_and_stays_true(condition):
    course = follow(Aligner(soundtrack()), captured(piece(BEGIN, BEGIN + 50), **CONDITIONS[condition]))
    held = locked(course)
    first = int(np.argmax(held))
    assert held.any()
    assert first < 12
    assert errors(course, FIRST - BEGIN).max() < 2e-3
    assert held[first:].mean() > 0.8
    assert held[first:].all() or "noise" in condition
    assert {a.state for a in course[:first]} == {"searching"}
    assert course[first].confidence >= LOCK_CONFIDENCE
    assert all(0 <= a.confidence <= 1 for a in course)
    assert all(math.isnan(a.offset_s) and math.isnan(a.drift_ppm) and a.reason for a in course if a.state != "locked")


@pytest.mark.parametrize("ppm", [-100, 100])
def test_drift_is_followed(ppm):
    sound = captured(piece(0.5, 145), ppm=ppm, pink_db=5)
    course = follow(Aligner(soundtrack()), sound)
    end = 1.0 + np.arange(len(course))
    truth = FIRST + end - (0.5 + end / (1 + ppm * 1e-6))
    # A pause of the music below the noise may cost the lock for some seconds.
    assert locked(course)[10:].mean() > 0.95
    assert errors(course, truth).max() < 2e-3
    assert course[-1].drift_ppm == pytest.approx(ppm, abs=5)


@pytest.mark.parametrize("before_s", [3.3, 27.7])
def test_the_sound_may_begin_after_the_session(before_s):
    sound = np.concatenate([np.zeros(round(before_s * RATE), np.float32), piece(0, 20)])
    course = follow(Aligner(soundtrack()), captured(sound, pink_db=15))
    first = int(np.argmax(locked(course)))
    assert before_s < first + 1 < before_s + 8
    assert errors(course, FIRST + before_s).max() < 2e-3


def jump(at: float, by: float) -> tuple[list[np.ndarray], float]:
    return [piece(10, 10 + at), piece(10 + at + by, 40 + at + by)], FIRST - 10 - by


CHANGES = {
    "paused": lambda at: ([piece(10, 10 + at), np.zeros(15 * RATE), piece(10 + at, 35 + at)], FIRST - 10 + 15),
    "forward": lambda at: jump(at, 50.0),
    "back": lambda at: jump(at, -15.3),
    "skipped .3 s": lambda at: jump(at, 0.3),
    "skipped 50 ms": lambda at: jump(at, 0.05),
    "skipped back 20 ms": lambda at: jump(at, -0.02),
    "another soundtrack": lambda at: ([piece(10, 10 + at), soundtrack(12, 40.0, False)], math.nan),
    "speech": lambda at: ([piece(10, 10 + at), speech_from_wheel()[: 25 * RATE]], math.nan),
    "noise": lambda at: ([piece(10, 10 + at), 0.1 * pink(np.random.default_rng(1), 25 * RATE)], math.nan),
    "silence": lambda at: ([piece(10, 10 + at), np.zeros(25 * RATE)], math.nan),
}


@pytest.mark.parametrize("at", [20.06, 20.96])
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_noticed_within_5_s_and_what_comes_then_is_found(change, at):
    """The stimulus is without a voice where speech comes, which would be found rightly."""
    parts, after = CHANGES[change](at)
    stimulus = soundtrack() if change != "speech" else soundtrack(12, 150.0, False)
    if change == "speech":
        parts[0] = stimulus[10 * RATE : round((10 + at) * RATE)]
    course = follow(Aligner(stimulus), captured(np.concatenate(parts), white_db=40))
    held = locked(course)
    assert held[10:20].all()
    lost = next(k + 1 for k in range(20, len(held)) if not held[k])
    assert at < lost <= at + 5
    assert course[lost - 1].state == "lost"
    assert np.nanmax(errors(course[:20], FIRST - 10)) < 1e-3
    rest = course[lost:]
    if math.isnan(after):
        assert not locked(rest).any()
    else:
        assert locked(rest).any()
        assert errors(rest, after).max() < 2e-3
        assert rest[-1].state == "locked"


def tones(seconds: int, *hertz: float) -> np.ndarray:
    time = np.arange(seconds * RATE) / RATE
    return 0.1 * sum(np.sin(2 * np.pi * f * time) for f in hertz)


UNRELATED = {
    "soundtrack 13": lambda: soundtrack(13, 40.0, False),
    "soundtrack 14": lambda: soundtrack(14, 40.0, False),
    "soundtrack 15": lambda: soundtrack(15, 40.0, False),
    "speech": lambda: speech_from_wheel()[: 40 * RATE],
    "white noise": lambda: 0.1 * np.random.default_rng(2).standard_normal(30 * RATE),
    "pink noise": lambda: 0.1 * pink(np.random.default_rng(3), 30 * RATE),
    "mains hum": lambda: np.sign(tones(30, 50.0)) * 0.05,
    "chord": lambda: tones(30, 220.0, 277.182631, 329.627557, 440.0),
    "clicks": lambda: np.tile(np.r_[0.9, np.zeros(7999)], 60),
    "silence": lambda: np.zeros(20 * RATE),
}


@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize("sound", UNRELATED)
def test_an_unrelated_sound_is_never_locked_to(sound, noisy):
    heard = UNRELATED[sound]()
    course = follow(Aligner(soundtrack(12, 150.0, False)), captured(heard, pink_db=10 if noisy else math.inf))
    assert {a.state for a in course} == {"searching"}


def test_what_is_heard_several_times_is_not_locked_to_before_it_is_unique():
    bar = piece(30, 32.5)
    stimulus = np.concatenate([piece(0, 10), np.tile(bar, 12), piece(60, 80)])
    course = follow(Aligner(stimulus), captured(stimulus[15 * RATE :], white_db=30))
    held = locked(course)
    assert not held[:25].any()
    assert "several places" in course[20].reason
    assert held[-1]
    assert errors(course, FIRST - 15).max() < 2e-3


def test_a_lock_is_kept_through_what_is_heard_several_times():
    stimulus = np.concatenate([piece(20, 40), np.tile(piece(30, 32.5), 12)])
    course = follow(Aligner(stimulus), captured(stimulus, white_db=30))
    assert locked(course)[6:].all()
    assert errors(course, FIRST).max() < 2e-3


def test_missing_seconds_are_bridged_or_lose_the_lock():
    sound = captured(piece(BEGIN, BEGIN + 40), white_db=30)
    missing = (12, 13, 20, 21, 22, 23, 24)
    course = follow(Aligner(soundtrack()), sound, missing=missing)
    held = locked(course)
    assert held[6:23].all()
    assert [a.confidence for a in course[20:23]] == sorted((a.confidence for a in course[20:23]), reverse=True)
    assert course[23].state == "lost"
    assert held[30:].all()
    assert errors(course, FIRST - BEGIN).max() < 2e-3


def test_seconds_left_out_are_missing_seconds():
    sound = captured(piece(BEGIN, BEGIN + 30)).reshape(-1, RATE)
    message, untold = Aligner(soundtrack()), Aligner(soundtrack())
    for k, second in enumerate(sound):
        gone = k in (3, 14, 15)
        by_none = message.step(None if gone else second, float(k))
        if not gone:
            assert untold.step(second, float(k)) == by_none


def test_the_same_seconds_give_the_same_and_time_only_moves_it():
    sound = captured(piece(BEGIN, BEGIN + 20), pink_db=0)
    one, other, later = (follow(Aligner(soundtrack()), sound, first) for first in (0.0, 0.0, 4000.0))
    assert repr(one) == repr(other)
    assert locked(one).any()
    assert [a.state for a in later] == [a.state for a in one]
    moved = [b.offset_s - a.offset_s for a, b in zip(one, later, strict=True) if a.state == "locked"]
    np.testing.assert_allclose(moved, 4000.0, atol=1e-9)


def test_the_end_of_the_stimulus_loses_the_lock():
    sound = np.concatenate([piece(130, 150), np.zeros(10 * RATE)])
    course = follow(Aligner(soundtrack()), captured(sound, white_db=40))
    assert locked(course)[8:18].all()
    assert course[24].state == "lost"


@pytest.mark.parametrize("stimulus", [np.ones(4 * RATE, np.float32), np.zeros(20 * RATE, np.float32)])
def test_a_stimulus_that_cannot_be_recognised_is_refused(stimulus):
    with pytest.raises(SoundError, match=r"cannot be recognised.*give the"):
        Aligner(stimulus)


@pytest.mark.parametrize("stimulus", [np.ones((9 * RATE, 2), np.float32), np.full(9 * RATE, np.nan, np.float32)])
def test_a_stimulus_of_the_wrong_shape_or_with_nan_is_refused(stimulus):
    with pytest.raises(ValueError, match=r"the stimulus has shape .* mono at 16 kHz"):
        Aligner(stimulus)


def test_wrong_seconds_are_refused_and_change_nothing():
    aligner = Aligner(soundtrack())
    second = piece(20, 21)
    for wrong in (second[:-1], second[:, None], np.full(RATE, np.nan, np.float32)):
        with pytest.raises(ValueError, match="a second of sound has shape"):
            aligner.step(wrong, 7.0)
    with pytest.raises(ValueError, match="seconds begin at any time"):
        aligner.step(second, math.nan)
    aligner.step(second, 3.25)
    for when in (3.25, 2.25, 4.5, math.inf):
        with pytest.raises(ValueError, match=r"seconds begin at 3\.25 s and whole seconds after it, each once"):
            aligner.step(second, when)
    aligner.step(second, 4.25)


def test_the_search_is_the_normalised_correlation_at_all_places():
    """numpy's sum over every place, one after the other."""
    sound = soundtrack()[: 100 * RATE]
    time_courses = band_courses(band_power(sound, np.zeros(FRAME - HOP, np.float32)))
    heard = captured(piece(42.1, 48.1), pink_db=5)
    query = band_courses(band_power(heard, np.zeros(FRAME - HOP, np.float32)))
    padded = np.concatenate([np.zeros_like(query), time_courses, np.zeros_like(query)]).astype(np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(padded, len(query), axis=0)[: len(time_courses) + len(query)]
    energy = (windows**2).sum(axis=(1, 2))
    likeness = np.einsum("pbt,tb->p", windows, query) / np.sqrt(energy + 0.25 * energy.mean())
    found = SoundSearch(sound).find(query, 3)
    assert found[0] == int(np.argmax(likeness)) - len(query)
    assert abs(found[0] - 42.1 * FRAMES_PER_S) < 1.5
    assert len(set(found)) == 3


def test_the_match_is_where_the_correlation_of_white_sound_is():
    rng = np.random.default_rng(4)
    sound = rng.standard_normal(5 * RATE).astype(np.float32)
    second = sound[2 * RATE + 333 : 3 * RATE + 333] + 0.5 * rng.standard_normal(RATE).astype(np.float32)
    matcher = Matcher(sound)
    found = peak_of(matcher.evidence(matcher.spectrum(second), 2 * RATE))
    whole = correlate(sound[2 * RATE - REACH : 3 * RATE + REACH], second, "valid")
    assert abs(found.lag - (int(np.argmax(whole)) - REACH)) <= 2
    assert found.value > 1000
    assert found.second < 20


def test_chance_has_an_exponential_distribution_of_mean_1():
    rng = np.random.default_rng(5)
    matcher = Matcher(soundtrack())
    values = np.concatenate(
        [
            matcher.evidence(matcher.spectrum(rng.standard_normal(RATE).astype(np.float32)), k * RATE)
            for k in (25, 60, 90)
        ]
    )
    assert values.mean() == pytest.approx(1.0, abs=0.3)
    assert np.mean(values > 3) == pytest.approx(math.exp(-3), abs=0.03)


def test_the_line_is_the_straight_one_in_spite_of_wild_points():
    rng = np.random.default_rng(6)
    time = np.arange(60.0)
    offset = 3.0 + 80e-6 * time + 1e-4 * rng.standard_normal(60)
    offset[rng.permutation(60)[:10]] += 3e-3
    line = OffsetLine()
    for t, o in zip(time, offset, strict=True):
        line.add(t, o)
    assert line.at(60.0) == pytest.approx(3.0048, abs=4e-4)
    assert line.slope == pytest.approx(80e-6, abs=1e-5)
