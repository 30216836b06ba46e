"""Time lock by captured sound: error and time to lock over conditions, and the cost of a step.

The alternative is the plain cross-correlation of the newest 6 s with the whole stimulus's waveform by FFT
(``scipy.signal.correlate``), as one would write it, in the same run. It needs no lock and gives no confidence.
"""

from __future__ import annotations

import math

import numpy as np
import soxr
from scipy.signal import butter, correlate, fftconvolve, sosfilt

from bench import Rows, interleaved, run
from rtaffect.simulation.sounds import compose, speech_from_wheel
from rtaffect.timelock.alignment import Aligner

RATE = 16_000
COMPARED_S = 6
CONDITIONS: dict[str, dict[str, float]] = {
    "clean": {},
    "white noise, 0 dB": {"white_db": 0},
    "white noise, -10 dB": {"white_db": -10},
    "pink noise, 0 dB": {"pink_db": 0},
    "room .5 s": {"rt60_s": 0.5, "pink_db": 20},
    "room .8 s, direct -8 dB": {"rt60_s": 0.8, "direct_db": -8, "pink_db": 20},
    "room .5 s, pink noise 0 dB": {"rt60_s": 0.5, "direct_db": -3, "pink_db": 0},
    "gain .01": {"gain": 0.01, "white_db": 20},
    "gain 10, clipped": {"gain": 10, "white_db": 20},
    "low-pass 4 kHz": {"lowpass_hz": 4000, "white_db": 20},
    "drift +100 ppm, pink noise 5 dB": {"ppm": 100, "pink_db": 5},
    "drift -100 ppm, pink noise 5 dB": {"ppm": -100, "pink_db": 5},
}


def captured(sound: np.ndarray, rng: np.random.Generator, **how: float) -> np.ndarray:
    """Return ``sound`` as a microphone in a room hears it; levels are against the sound's mean power."""
    wave = sound.astype(np.float64)
    if ppm := how.get("ppm"):
        wave = soxr.resample(wave, RATE, RATE * (1 + ppm * 1e-6))
    level = wave.std()
    if rt60_s := how.get("rt60_s"):
        time = np.arange(round(rt60_s * RATE)) / RATE
        tail = rng.standard_normal(len(time)) * 10 ** (-3 * time / rt60_s) * (time > 0.002)
        tail *= 10 ** (-how.get("direct_db", 0.0) / 20) / np.sqrt((tail**2).sum())
        tail[0] = 1.0
        wave = fftconvolve(wave, tail)[: len(wave)]
        wave *= level / wave.std()
    if lowpass_hz := how.get("lowpass_hz"):
        wave = sosfilt(butter(4, lowpass_hz, fs=RATE, output="sos"), wave)
    for name, slope in (("white_db", 0.0), ("pink_db", 0.5)):
        if name in how:
            hertz = np.fft.rfftfreq(len(wave), 1 / RATE)
            spectrum = rng.standard_normal(len(hertz)) + 1j * rng.standard_normal(len(hertz))
            noise = np.fft.irfft(spectrum / np.maximum(hertz, 20.0) ** slope, len(wave))
            wave = wave + noise * (level * 10 ** (-how[name] / 20) / noise.std())
    return np.clip(how.get("gain", 1.0) * wave, -1, 1).astype(np.float32)


def measure(quick: bool) -> Rows:
    """Return a row for each condition and, without ``quick``, for a stimulus of 2 h."""
    seconds, heard_s = (120, 30) if quick else (600, 120)
    stimulus = compose(1, seconds, speech=speech_from_wheel())
    names = ["clean", "pink noise, 0 dB"] if quick else list(CONDITIONS)
    rows = [_row(name, stimulus, heard_s, CONDITIONS[name], turns=1 if quick else 5) for name in names]
    if not quick:
        noise = np.random.default_rng(0).standard_normal(7200 * RATE, dtype=np.float32)
        film = 0.01 * noise + np.tile(stimulus, 12)
        rows.append(_row("2 h, pink noise, 0 dB", film, 60, {"pink_db": 0}, turns=3))
    return rows


def _row(name: str, stimulus: np.ndarray, heard_s: int, how: dict[str, float], *, turns: int) -> dict[str, object]:
    """Follow the stimulus from three places in it, and time a step of search, a step of tracking and theirs."""
    rng = np.random.default_rng(1)
    first, errors, held = [], [], []
    for start_s in np.linspace(0.37, len(stimulus) / RATE - heard_s - 2, 3):
        start = round(start_s * RATE)
        sound = captured(stimulus[start : start + (heard_s + 1) * RATE], rng, **how)
        aligner = Aligner(stimulus)
        course = [aligner.step(sound[k * RATE : (k + 1) * RATE], float(k)) for k in range(heard_s)]
        locked = [k for k, alignment in enumerate(course) if alignment.state == "locked"]
        first.append(locked[0] + 1 if locked else math.inf)
        held.append(len(locked) / max(1, heard_s - locked[0]) if locked else 0.0)
        end = 1.0 + np.array(locked)
        truth = end - (start / RATE + end / (1 + how.get("ppm", 0.0) * 1e-6))
        errors += list(np.abs(np.array([course[k].offset_s for k in locked]) - truth))
    search, track, theirs = _cost(stimulus, sound, aligner, heard_s, turns)
    return {
        "condition": name,
        "lock_s": float(np.median(first)),
        "worst_lock_s": float(max(first)),
        "held": float(np.mean(held)),
        "error_ms": 1e3 * float(np.median(errors)),
        "worst_ms": 1e3 * float(max(errors)),
        "search_ms": 1e3 * search,
        "track_ms": 1e3 * track,
        "theirs_ms": 1e3 * theirs,
        "ratio": theirs / search,
    }


def _cost(stimulus: np.ndarray, sound: np.ndarray, tracker: Aligner, heard_s: int, turns: int) -> list[float]:
    """Return the median seconds of a step that searches, one that tracks, and a plain cross-correlation."""
    rng = np.random.default_rng(2)
    unrelated = 0.1 * rng.standard_normal((30, RATE), dtype=np.float32)
    seeker = Aligner(stimulus)
    for k in range(20):
        seeker.step(unrelated[k], float(k))
    again = iter(range(20, 1000))
    later = iter(range(heard_s, heard_s + 1000))
    newest = sound[-COMPARED_S * RATE :]
    return interleaved(
        turns,
        lambda: seeker.step(unrelated[25], float(next(again))),
        lambda: tracker.step(sound[-RATE:], float(next(later))),
        lambda: int(np.argmax(correlate(stimulus, newest, "valid", method="fft"))),
    )


COLUMNS = (
    ("condition", "condition", ""), ("lock_s", "lock after, s", ".0f"), ("worst_lock_s", "at worst", ".0f"),
    ("held", "then locked", ".1%"), ("error_ms", "error, ms", ".2f"), ("worst_ms", "at worst", ".2f"),
    ("search_ms", "step, search, ms", ".1f"), ("track_ms", "step, track, ms", ".1f"),
    ("theirs_ms", "plain, ms", ".0f"), ("ratio", "plain / search", ".0f"),
)  # fmt: skip

if __name__ == "__main__":
    run("alignment", measure, COLUMNS, "stimulus of 10 min; 3 starts each, 2 min heard; steps come once a second")
