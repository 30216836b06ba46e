"""Soundtracks that the package composes itself, so that a demonstration needs no recording of anybody's.

A soundtrack is a row of sections of 5 to 20 s of differing kind (a quiet pad, a groove, a solo line, tension, a
climax, a voice), with short silences between some. Each kind sets the level of six layers: chords, bass, melody,
percussion, wind (filtered noise) and voice. Notes lie on the grid of one tempo; the layers are written for the whole
length at once and mixed by the levels.

All is computed in float64 from PCG64's uniform numbers and rounded to 16 bits at the end, so that one seed gives the
same samples on every platform.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from rtaffect.common.arrays import FloatArray
from rtaffect.predicted.featurizer import embedded_asset
from rtaffect.stream.audio import read_sound

LAYERS: Final = ("chords", "bass", "melody", "percussion", "wind", "voice")
PEAK: Final = 0.9

_SECTION_S: Final = (5.0, 20.0)
_SILENCE_S: Final = (1.5, 3.5)
_SILENCE_PROBABILITY: Final = 0.25
_RAMP_S: Final = 0.4
_VOICE_RMS: Final = 0.09
_FULL_SCALE: Final = 32_767
_SCALES: Final = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 3, 5, 7, 9, 10))
_PROGRESSION: Final = (0, 5, 3, 4, 0, 2, 5, 4, 1, 4, 0, 3)


@dataclass(frozen=True)
class _Kind:
    """What a kind of section sounds like: levels in the order of LAYERS, brightness of the tones (0 to 1)."""

    levels: tuple[float, float, float, float, float, float]
    brightness: float


_KINDS: Final = {
    "silence": _Kind((0.0, 0.0, 0.0, 0.0, 0.0, 0.0), 0.3),
    "pad": _Kind((0.30, 0.15, 0.0, 0.0, 0.05, 0.0), 0.25),
    "solo": _Kind((0.06, 0.0, 0.5, 0.0, 0.0, 0.0), 0.5),
    "groove": _Kind((0.25, 0.55, 0.15, 0.6, 0.0, 0.0), 0.5),
    "drums": _Kind((0.0, 0.1, 0.0, 1.0, 0.0, 0.0), 0.3),
    "tension": _Kind((0.10, 0.45, 0.0, 0.10, 0.7, 0.0), 0.7),
    "climax": _Kind((0.6, 0.6, 0.5, 0.9, 0.25, 0.0), 0.8),
    "voice": _Kind((0.06, 0.0, 0.0, 0.0, 0.0, 2.0), 0.2),
    "voice over groove": _Kind((0.12, 0.25, 0.0, 0.25, 0.0, 2.0), 0.35),
}


@dataclass(frozen=True)
class _Section:
    """A stretch of the soundtrack (s); its level goes from ``rise[0]`` to ``rise[1]``."""

    kind: str
    start: float
    stop: float
    rise: tuple[float, float]
    transpose: int


@dataclass(frozen=True)
class _Score:
    """Notes, as MIDI numbers: three per bar, a root per bar, a line in quavers and which of them sound."""

    beat_s: float
    triads: list[NDArray[np.int64]]
    roots: NDArray[np.int64]
    line: NDArray[np.int64]
    sounding: NDArray[np.bool_]


def compose(
    seed: int, seconds: float, rate: int = 16_000, speech: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Compose a soundtrack.

    Parameters
    ----------
    seed
        Another seed, another soundtrack.
    seconds
        Length, s, positive.
    rate
        Sample rate, Hz, at least 16 000.
    speech
        float32 (m,), mono at ``rate``: a voice that speaks during some sections, from its beginning and over again.
        Without it no section has a voice.

    Returns
    -------
    float32 (round(seconds * rate),), peak at most 0.9, on the 16-bit grid.
    """
    n = round(seconds * rate)
    if n < 1 or rate < 16_000:
        raise ValueError(f"seconds is {seconds}, rate is {rate} Hz; expected seconds > 0, rate >= 16000 Hz")
    rng = np.random.default_rng(seed)
    sections = _sections(rng, seconds, voice=speech is not None)
    time = np.arange(n) / rate
    score = _score(rng, sections, seconds)
    rise, brightness, levels = _control_tracks(sections, time)
    mix = _tonal_layers(score, time, brightness, levels)
    mix += levels[3] * _percussion(rng, time, score.beat_s)
    mix += levels[4] * _wind(rng, n, rate)
    mix *= rise
    if speech is not None:
        mix += levels[5] * _voice(sections, speech, n, rate)
    return _to_sixteen_bits(mix)


def speech_from_wheel() -> NDArray[np.float32]:
    """Return the reading of Dickens that comes with the default model: float32 (n,), mono at 16 kHz, 44 s.

    ArtifactError, with the remedy, if the package ``moonshine-voice`` is not installed.
    """
    sound, _ = read_sound(embedded_asset("two_cities.wav"))
    return sound


def _sections(rng: np.random.Generator, seconds: float, *, voice: bool) -> list[_Section]:
    """Draw sections until ``seconds`` are filled: the kinds come in rounds, each kind once a round, shuffled."""
    names = [name for name in _KINDS if name != "silence" and (voice or not name.startswith("voice"))]
    sections: list[_Section] = []
    start = 0.0
    left: list[str] = []
    while start < seconds:
        if not left:
            left = [names[i] for i in np.argsort(rng.random(len(names)))]
        kind = left.pop()
        length = _between(rng, *_SECTION_S)
        edges = (_between(rng, 0.15, 1.0), _between(rng, 0.15, 1.0))
        sections.append(_Section(kind, start, start + length, edges, int(rng.integers(-5, 6))))
        start += length
        if rng.random() < _SILENCE_PROBABILITY:
            length = _between(rng, *_SILENCE_S)
            sections.append(_Section("silence", start, start + length, (1.0, 1.0), 0))
            start += length
    return sections


def _score(rng: np.random.Generator, sections: list[_Section], seconds: float) -> _Score:
    """Draw tempo, scale, harmony and melody; each section is moved to a key of its own."""
    beat_s = 60.0 / _between(rng, 70.0, 120.0)
    scale, key = _SCALES[int(rng.integers(len(_SCALES)))], int(rng.integers(12))
    bars, quavers = (math.floor(seconds / slot_s) + 1 for slot_s in (4 * beat_s, beat_s / 2))
    starts = np.array([section.start for section in sections])
    keys = key + np.array([section.transpose for section in sections])

    def keys_of(slots: int, slot_s: float) -> NDArray[np.int64]:
        return np.asarray(keys[np.searchsorted(starts, np.arange(slots) * slot_s, side="right") - 1])

    bar_keys = keys_of(bars, 4 * beat_s)
    degrees = np.array(_PROGRESSION)[(np.arange(bars) + int(rng.integers(12))) % len(_PROGRESSION)]
    steps = np.cumsum(rng.integers(-2, 3, quavers)) % 10
    return _Score(
        beat_s=beat_s,
        triads=[48 + bar_keys + _pitches(scale, degrees + third) for third in (0, 2, 4)],
        roots=36 + bar_keys + _pitches(scale, degrees),
        line=60 + keys_of(quavers, beat_s / 2) + _pitches(scale, steps),
        sounding=rng.random(quavers) < 0.7,
    )


def _control_tracks(sections: list[_Section], time: FloatArray) -> tuple[FloatArray, FloatArray, list[FloatArray]]:
    """Return swell, brightness and the level of each layer, each (n,), with short ramps from section to section."""
    knots = np.array([edge for s in sections for edge in (s.start + _RAMP_S, s.stop)])

    def track(values: list[tuple[float, float]]) -> FloatArray:
        return np.asarray(np.interp(time, knots, np.array(values).ravel()))

    kinds = [_KINDS[section.kind] for section in sections]
    levels = [track([(kind.levels[i], kind.levels[i]) for kind in kinds]) for i in range(len(LAYERS))]
    brightness = track([(kind.brightness, kind.brightness) for kind in kinds])
    return track([section.rise for section in sections]), brightness, levels


def _tonal_layers(score: _Score, time: FloatArray, brightness: FloatArray, levels: list[FloatArray]) -> FloatArray:
    """Return chords, bass and melody at their levels, (n,): a triad per bar, a root per beat, a line of quavers."""
    bar, in_bar = _grid(time, 4 * score.beat_s)
    _, in_beat = _grid(time, score.beat_s)
    quaver, in_quaver = _grid(time, score.beat_s / 2)
    chords = np.zeros_like(time)
    for notes in score.triads:
        chords += _tone(_hertz(notes)[bar], time, brightness, harmonics=4)
    chords *= levels[0] * _pluck(in_bar, 0.15, 6 * score.beat_s)
    bass = _tone(_hertz(score.roots)[bar], time, brightness, harmonics=4)
    bass *= levels[1] * _pluck(in_beat, 0.01, 0.35)
    melody = _tone(_hertz(score.line)[quaver], time, brightness, harmonics=5)
    melody *= levels[2] * score.sounding[quaver] * _pluck(in_quaver, 0.01, 0.25)
    chords += bass
    chords += melody
    return chords


def _pluck(since: FloatArray, attack_s: float, decay_s: float) -> FloatArray:
    """Return the envelope of a note, ``since`` seconds after it began."""
    envelope = np.exp(since * (-1 / decay_s))
    envelope -= np.exp(since * (-1 / attack_s - 1 / decay_s))
    return envelope


def _percussion(rng: np.random.Generator, time: FloatArray, beat_s: float) -> FloatArray:
    """Return drums, (n,): a falling sine on the beats, noise on the off-beats and short noise in semiquavers."""
    slot, since = _grid(time, beat_s / 4)
    place = np.arange(slot[-1] + 1) % 16
    kick = (place % 8 == 0) | (rng.random(len(place)) < 0.08)
    snare = (place % 8 == 4) | (rng.random(len(place)) < 0.05)
    hat = np.where(rng.random(len(place)) < 0.75, 0.4 + 0.6 * (place % 4 == 0), 0.0)
    noise = rng.random(len(time)) * 2 - 1
    thump = np.sin(2 * np.pi * (50 * since + 4 * (1 - np.exp(-since / 0.03)))) * np.exp(-since / 0.08)
    hiss = np.diff(noise, prepend=0.0)
    drums: FloatArray = kick[slot] * thump
    drums += 0.5 * snare[slot] * np.exp(-since / 0.06) * noise
    drums += 0.2 * hat[slot] * np.exp(-since / 0.02) * hiss
    return drums


def _wind(rng: np.random.Generator, n: int, rate: int) -> FloatArray:
    """Return noise between 250 and 1800 Hz that heaves slowly, (n,)."""
    noise = rng.random(n) * 2 - 1
    band = sosfilt(butter(2, (250.0, 1800.0), "bandpass", fs=rate, output="sos"), noise)
    heave = np.interp(np.arange(n) / rate, np.arange(n // rate + 2), 0.3 + 0.7 * rng.random(n // rate + 2))
    return np.asarray(band * heave)


def _voice(sections: list[_Section], speech: NDArray[np.float32], n: int, rate: int) -> FloatArray:
    """Return the speech laid into the sections with a voice, each going on where the one before ended, (n,)."""
    if speech.ndim != 1 or not len(speech):
        raise ValueError(f"speech has shape {speech.shape}, expected (m,) with m > 0")
    level = math.sqrt(float(np.mean(np.square(speech, dtype=np.float64)))) or 1.0
    voice = np.zeros(n)
    position = 0
    for section in sections:
        if not section.kind.startswith("voice"):
            continue
        start, stop = (min(n, round(edge * rate)) for edge in (section.start, section.stop))
        taken = (position + np.arange(stop - start)) % len(speech)
        voice[start:stop] = speech[taken] * (_VOICE_RMS / level)
        position += stop - start
    return voice


def _tone(hertz: FloatArray, time: FloatArray, brightness: FloatArray, harmonics: int) -> FloatArray:
    """Return a tone of the given frequency track, (n,), harmonic k at ``brightness ** (k - 1)``.

    The harmonics follow from sin(k x) = 2 cos(x) sin((k - 1) x) - sin((k - 2) x).
    """
    turns = np.cumsum(hertz) * (time[1] if len(time) > 1 else 0.0)
    angle = 2 * np.pi * (turns - np.floor(turns))
    twice_cosine = 2 * np.cos(angle)
    before, now = np.zeros_like(angle), np.sin(angle)
    total, weight = now.copy(), brightness.copy()
    for _ in range(harmonics - 1):
        before, now = now, twice_cosine * now - before
        total += weight * now
        weight *= brightness
    return total


def _grid(time: FloatArray, slot_s: float) -> tuple[NDArray[np.int64], FloatArray]:
    """Return the index of the slot of each time and the time since the slot began (s), both (n,)."""
    slot = (time / slot_s).astype(np.int64)
    return slot, time - slot * slot_s


def _pitches(scale: tuple[int, ...], degrees: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return semitones above the key note of degrees of a scale of seven, counted from 0."""
    return np.array(scale)[degrees % 7] + 12 * (degrees // 7)


def _hertz(notes: NDArray[np.int64]) -> FloatArray:
    """Return the frequencies of MIDI notes in equal temperament, A4 = 69 = 440 Hz.

    They are rounded to 1 uHz: a power's last bit differs between platforms and would add up over minutes of phase.
    """
    return np.round(440.0 * 2.0 ** ((notes - 69) / 12), 6)


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    return low + (high - low) * float(rng.random())


def _to_sixteen_bits(mix: FloatArray) -> NDArray[np.float32]:
    """Scale to the peak and round to multiples of 1 / 32767: differences in the last bits of sines disappear."""
    peak = float(np.max(np.abs(mix)))
    gain = PEAK / peak if peak > 0 else 0.0
    return (np.rint(mix * (gain * _FULL_SCALE)) / _FULL_SCALE).astype(np.float32)
