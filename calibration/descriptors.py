"""Twelve low-level acoustic descriptors of each second of a sound: the feature set ``lld``.

The paper (Pan et al., arXiv 2509.21381) compares layers of a speech model with twelve acoustic descriptors and gives
their number only. These are the kinds that openSMILE's eGeMAPS and librosa have in common (energy, spectral shape,
spectral change, pitch and voicing), and two rates of the envelope: that of syllables and beats, which cortex follows,
and roughness, which screams and alarms have and which arouses. RMS energy is left out: in speech and music it is a copy
of loudness (r .99). They are computed here because librosa brings numba and LLVM (212 MB) and 17 s of compilation;
``tests/calibration/test_descriptors.py`` compares with librosa where it is installed.

Clock. Row t follows from second t alone: 97 frames of 40 ms, one every 10 ms, the last of which ends with the second.
Nothing of the second before or after is seen, so nothing is carried along and no chunking can matter. A frame is
weighted by a Hann window, by which the first and last 10 ms of a second count less.

Mean over the second. A frame of power p counts as p / (p + p0), with p0 30 dB below the second's mean power: what the
pauses between words look like does not count. For the pitch it is the median over the voiced frames, since some are an
octave off. A second without sound has the value ``silence``, which lies amid those of speech and music; seconds below
about -90 dB re full scale approach it. Those that are no mean of frames (loudness, low energy, flux, modulation,
roughness) have their least value there.

An offset (DC) is taken away first. Above -90 dB a gain moves loudness and nothing else.

Sources. ITU-R BS.1770-4, 2015. Boersma, IFA Proceedings 17, 1993. Scheirer & Slaney, ICASSP 1997. Tzanetakis & Cook,
IEEE Trans. Speech Audio Process. 10, 2002. Peeters, *A large set of audio features*, CUIDADO report, IRCAM 2004. Arnal
et al., Current Biology 25, 2015. Eyben et al. (eGeMAPS), IEEE Trans. Affect. Comput. 7, 2016. Ding et al., Neurosci.
Biobehav. Rev. 81, 2017.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import freqz_sos
from scipy.signal.windows import hann

from rtaffect.common.arrays import Float32Array
from rtaffect.predicted.manifest import SAMPLE_RATE


class Descriptor(NamedTuple):
    """One descriptor; ``silence`` is its value in digital silence."""

    name: str
    unit: str
    silence: float
    meaning: str


DESCRIPTORS: Final = (
    Descriptor("loudness", "LUFS", -100.7, "level weighted as the ear does (ITU-R BS.1770-4, not gated), below 8 kHz"),
    Descriptor("low_energy", "0 to 1", 0.0, "frames below half the mean RMS (Scheirer & Slaney 1997): pauses"),
    Descriptor("centroid", "Hz", 1500.0, "centre of the magnitude spectrum (Peeters 2004): brightness"),
    Descriptor("spread", "Hz", 1500.0, "standard deviation of the magnitude spectrum about it (Peeters 2004)"),
    Descriptor("rolloff", "Hz", 3000.0, "below it lie 85 % of the magnitudes (Tzanetakis & Cook 2002)"),
    Descriptor("flatness", "dB", -20.0, "geometric over arithmetic mean of the power spectrum: tones to noise"),
    Descriptor("flux", "dB per 10 ms", 0.0, "mean rise of 40 mel bands, as in librosa's onset strength: onsets"),
    Descriptor("zero_crossings", "1/s", 1500.0, "changes of sign: pitch of tones, hiss of consonants"),
    Descriptor("pitch", "semitones above 27.5 Hz", 36.0, "fundamental at 75 to 1000 Hz (Boersma 1993), median"),
    Descriptor("harmonicity", "0 to 1", 0.0, "height of that peak in the autocorrelation: voice, tones"),
    Descriptor("modulation", "dB", -50.0, "share of the envelope's power at 3 to 16 Hz (Ding et al. 2017): syllables"),
    Descriptor(
        "roughness", "dB", -50.0, "share of it at 30 to 150 Hz (Arnal et al. 2015): screams, alarms, low voices"
    ),
)
#: To be raised with every change of a value: kept features are told apart by it.
VERSION: Final = 2

FRAME: Final = 640
HOP: Final = 160
N_FRAMES: Final = (SAMPLE_RATE - FRAME) // HOP + 1

#: Power of what counts as silence, re full scale: -100 dB.
_FLOOR = 1e-10
#: Power of a pause, re the mean of the second: -30 dB.
_PAUSE = 1e-3
#: Least weight of the silence value in a mean over frames, in frames.
_SILENCE_WEIGHT = 1e-3
#: Keeps zeros from divisions and logarithms.
_TINY = np.float32(1e-36)
_ROLLOFF = 0.85
#: What every bin has at least, re the mean of the bins: a tone reaches -60 dB, however short the window.
_PUREST = 1e-6
_MEL_BANDS = 40
#: Bands 60 dB below the loudest of the second count as that.
_MEL_RANGE = 1e-6
_PITCH_HZ = (75.0, 1000.0)
_REFERENCE_HZ = 27.5
#: As in Praat: what a peak needs to count as voiced, and what an octave down costs.
_VOICED, _OCTAVE_COST = 0.45, 0.01
#: Frames by which the silence value takes part in the median of the pitch: fewer voiced ones are no voice.
_STRAY = 5
#: Lags per sample: between whole ones the peak of a high voice is missed, and that of its octave below is not.
_FINER = 2
_RATES_HZ = {"modulation": (3, 16), "roughness": (30, 150)}
_LEAST_SHARE = 1e-5

_WINDOW = hann(FRAME, sym=False).astype(np.float32)
_FREQUENCIES = np.fft.rfftfreq(FRAME, 1 / SAMPLE_RATE).astype(np.float32)


def descriptors_of(sound: Float32Array) -> Float32Array:
    """Return the descriptors of each second of a sound.

    Parameters
    ----------
    sound
        float32 (n,), mono at 16 kHz, finite; ValueError if it is anything else.

    Returns
    -------
    float32 (floor(n / 16000), 12), finite: row k - 1 is the step at time k s. Columns in the order of
    :data:`DESCRIPTORS`, in their units.
    """
    if sound.dtype != np.float32 or sound.ndim != 1:
        raise ValueError(f"the sound is {sound.dtype} {sound.shape}, expected float32 (n,)")
    if not np.isfinite(sound).all():
        raise ValueError("the sound holds NaN or infinity: gaps must be cut out before")
    seconds = sound[: len(sound) // SAMPLE_RATE * SAMPLE_RATE].reshape(-1, SAMPLE_RATE)
    return np.array([_of_second(second) for second in seconds], np.float32).reshape(-1, len(DESCRIPTORS))


def _of_second(second: Float32Array) -> list[float]:
    """Return the descriptors of a second (16000,)."""
    x = second - second.mean()
    frames = sliding_window_view(x, FRAME)[::HOP]
    # A frame's own mean would be heard as a pitch. Twice the length is for the autocorrelation; every other bin is that
    # of the frame itself.
    leveled = (frames - (frames @ _WINDOW / _WINDOW.sum())[:, None]) * _WINDOW
    doubled = np.abs(scipy.fft.rfft(leveled, 2 * FRAME)) ** 2
    power = doubled[:, ::2] * _ONE_SIDED
    energy = power.sum(axis=1)
    mean = float(np.mean(energy))
    weight = energy / (energy + _PAUSE * mean + _TINY)
    absent = _SILENCE_WEIGHT + N_FRAMES * _FLOOR / (mean + float(_TINY))
    rms = np.sqrt(energy)
    found = {
        "loudness": -0.691 + 10 * np.log10(float(power.mean(axis=0) @ _EAR) + _FLOOR),
        "low_energy": float((rms < rms.mean() / 2).mean()),
        "flux": _flux(power) * mean / (mean + _FLOOR),
    }
    found |= _modulations(x)
    pitch, harmonicity = _pitch(doubled)
    of_frames = _shape(power) | {"zero_crossings": _zero_crossings(x), "harmonicity": harmonicity}
    found |= {name: _mean(values, weight, absent, _SILENCE[name]) for name, values in of_frames.items()}
    voiced = weight * (harmonicity > _VOICED)
    found["pitch"] = _median(np.append(pitch, _SILENCE["pitch"]), np.append(voiced, max(absent, _STRAY)))
    return [found[descriptor.name] for descriptor in DESCRIPTORS]


def _mean(values: Float32Array, weight: Float32Array, absent: float, silence: float) -> float:
    """Return the mean over frames of ``values`` (F,), in which ``silence`` has the weight ``absent``."""
    return float((values @ weight + absent * silence) / (weight.sum() + absent))


def _median(values: Float32Array, weight: Float32Array) -> float:
    """Return the value below which half of the weight lies."""
    order = np.argsort(values)
    so_far = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(so_far, so_far[-1] / 2)])


def _shape(power: Float32Array) -> dict[str, Float32Array]:
    """Return what describes the spectrum of each frame, (F,), from power (F, bins)."""
    magnitude = np.sqrt(power)
    total = magnitude.sum(axis=1) + _TINY
    centroid = magnitude @ _FREQUENCIES / total
    squares = magnitude @ _FREQUENCIES**2 / total
    reached = np.cumsum(magnitude, axis=1) >= _ROLLOFF * total[:, None]
    mean = power.mean(axis=1)
    logarithms = np.log(power + _PUREST * mean[:, None] + _TINY)
    return {
        "centroid": centroid,
        "spread": np.sqrt(np.maximum(squares - centroid**2, 0)),
        "rolloff": _FREQUENCIES[np.argmax(reached, axis=1)],
        "flatness": 10 / np.log(10) * (logarithms.mean(axis=1) - np.log(mean + _TINY)),
    }


def _flux(power: Float32Array) -> float:
    """Return the mean over bands and frames of the rise from one frame to the next, dB.

    Levels below the loudest band of the second by more than 60 dB count as that.
    """
    bands = power @ _MEL
    levels = 10 * np.log10(np.maximum(bands, _MEL_RANGE * bands.max() + _TINY))
    return float(np.maximum(np.diff(levels, axis=0), 0).mean())


def _zero_crossings(x: Float32Array) -> Float32Array:
    """Return the changes of sign per second in each frame, (F,), of a second (16000,)."""
    positive = x >= 0
    so_far = np.pad(np.cumsum(positive[1:] != positive[:-1], dtype=np.int32), (1, 0))
    counts = so_far[FRAME - 1 :: HOP] - so_far[: SAMPLE_RATE - FRAME + 1 : HOP]
    return np.asarray(counts * np.float32(SAMPLE_RATE / (FRAME - 1)), np.float32)


def _pitch(doubled: Float32Array) -> tuple[Float32Array, Float32Array]:
    """Return pitch, semitones above 27.5 Hz, and harmonicity of each frame, (F,) each.

    The highest peak of the autocorrelation divided by that of the window (Boersma 1993), at half lags; a peak at twice
    the lag must be higher by .01. Tops are those of parabolas; one above 1 counts as its inverse, as in Praat. Without
    a peak the harmonicity is 0.
    """
    rate = _FINER * SAMPLE_RATE
    shortest, longest = int(rate / _PITCH_HZ[1]), int(rate / _PITCH_HZ[0]) + 1
    raw = scipy.fft.irfft(doubled, _FINER * 2 * FRAME)[:, : longest + 2]
    r = raw / (raw[:, :1] + _TINY) / _WINDOW_CORRELATION[: longest + 2]
    before, at, after = (r[:, shortest + d : longest + 1 + d] for d in (-1, 0, 1))
    lags = np.arange(shortest, longest + 1, dtype=np.float32)
    peak = (at > before) & (at >= after)
    # In this order it is above 0 at every peak, however flat; 2 * at - before - after may round to 0.
    bend = np.where(peak, (at - before) + (at - after), np.float32(1))
    top = at + (after - before) ** 2 / (8 * bend)
    top /= np.maximum(top, 1) ** 2
    score = np.where(peak, top - _OCTAVE_COST * np.log2(lags), np.float32(-9))
    frame, lag = np.arange(len(r)), np.argmax(score, axis=1)
    shift = (after - before)[frame, lag] / (2 * bend[frame, lag])
    semitones = 12 * np.log2(rate / _REFERENCE_HZ / (lags[lag] + np.clip(shift, -0.5, 0.5)))
    height = np.where(peak[frame, lag], np.maximum(top[frame, lag], 0), np.float32(0))
    return np.asarray(semitones, np.float32), np.asarray(height, np.float32)


def _modulations(x: Float32Array) -> dict[str, float]:
    """Return the shares of the power of the Hilbert envelope at two ranges of rates, dB, at least -50.

    The envelope is Hann-weighted, so that the ends of the second, where the transform wraps around, do not count. By
    that weight a constant reaches up to 1 Hz.
    """
    spectrum = scipy.fft.rfft(x)
    analytic = np.zeros(SAMPLE_RATE, spectrum.dtype)
    analytic[: len(spectrum)] = 2 * spectrum
    envelope = np.abs(scipy.fft.ifft(analytic)) * _SECOND_WINDOW
    total = float(envelope @ envelope) + SAMPLE_RATE * _FLOOR
    power = 2 / SAMPLE_RATE * np.abs(scipy.fft.rfft(envelope)) ** 2
    shares = {name: float(power[low : high + 1].sum()) / total for name, (low, high) in _RATES_HZ.items()}
    return {name: float(10 * np.log10(share + _LEAST_SHARE)) for name, share in shares.items()}


def _ear() -> Float32Array:
    """Return the power gain of the K-weighting at each bin: the two filters of ITU-R BS.1770-4, annex 1, for 48 kHz."""
    head = (1.53512485958697, -2.69169618940638, 1.19839281085285, 1.0, -1.69065929318241, 0.73248077421585)
    high_pass = (1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621)
    _, response = freqz_sos(np.array([head, high_pass]), _FREQUENCIES, fs=48_000)
    return np.asarray(np.abs(response) ** 2, np.float32)


def _mel() -> Float32Array:
    """Return triangles (bins, bands), 1 at their centres, evenly spaced in mel = 2595 log10(1 + f / 700)."""
    most = 2595 * np.log10(1 + SAMPLE_RATE / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, most, _MEL_BANDS + 2) / 2595) - 1)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    f = _FREQUENCIES[:, None]
    return np.asarray(
        np.clip(np.minimum((f - low) / (centre - low), (high - f) / (high - centre)), 0, None), np.float32
    )


#: From squared magnitudes to a spectrum that sums to the frame's mean square.
_ONE_SIDED = np.full(FRAME // 2 + 1, 2 / FRAME / np.sum(_WINDOW**2), np.float32)
_ONE_SIDED[[0, -1]] /= 2
_EAR, _MEL = _ear(), _mel()
_WINDOW_CORRELATION = scipy.fft.irfft(np.abs(scipy.fft.rfft(_WINDOW, 2 * FRAME)) ** 2, _FINER * 2 * FRAME)
_WINDOW_CORRELATION /= _WINDOW_CORRELATION[0]
_SILENCE = {descriptor.name: descriptor.silence for descriptor in DESCRIPTORS}
_SECOND_WINDOW = hann(SAMPLE_RATE, sym=False).astype(np.float32)
