"""Music whose affect is known: valence and arousal set its mode, tempo, brightness, roughness and level.

What listeners' ratings follow, as reviews find it (Gabrielsson & Lindström, in *Handbook of Music and Emotion*, 2010;
Eerola, Friberg & Bresin, *Front. Psychol.* 4:487, 2013): arousal goes with tempo, level, brightness and how many notes
there are, valence with the mode, from Lydian to Phrygian, with consonance and with a light register. Each clip deviates
from that in its own way, so that no feature tells all.

All is computed in float64 from PCG64 and rounded to 16 bits, as :mod:`rtaffect.simulation.sounds`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import FloatArray
from rtaffect.stream.audio import SAMPLE_RATE

#: The modes from the darkest to the brightest, semitones above the key note.
_MODES: Final = (
    (0, 1, 3, 5, 7, 8, 10), (0, 2, 3, 5, 7, 8, 10), (0, 2, 3, 5, 7, 9, 10),
    (0, 2, 4, 5, 7, 9, 10), (0, 2, 4, 5, 7, 9, 11), (0, 2, 4, 6, 7, 9, 11),
)  # fmt: skip
_PROGRESSIONS: Final = ((0, 5, 3, 4), (0, 3, 4, 0), (0, 4, 5, 3), (5, 3, 0, 4))
#: Beats a minute and level (root mean square, dB of full scale) from the calmest to the most excited.
_TEMPO: Final = (56.0, 168.0)
_LEVEL_DB: Final = (-34.0, -14.0)
_HARMONICS: Final = 8
_FULL_SCALE: Final = 32_767
#: Standard deviation by which each of a clip's properties deviates from what its affect asks for, in units of affect.
_OWN: Final = 0.25


def affective_music(seed: int, valence: FloatArray, arousal: FloatArray) -> NDArray[np.float32]:
    """Compose a clip.

    Parameters
    ----------
    seed
        Another seed, another piece.
    valence, arousal
        (seconds,) in -1..1: the affect of each second. Mode and tempo follow their means, all else each second.

    Returns
    -------
    float32 (seconds * 16000,), mono, on the 16-bit grid.
    """
    rng, seconds = np.random.default_rng([seed, 11]), len(valence)
    own = _OWN * rng.standard_normal(8)
    time = np.arange(seconds * SAMPLE_RATE) / SAMPLE_RATE
    pleasant = [_track(valence + shift, time) for shift in own[:3]]
    excited = [_track(arousal + shift, time) for shift in own[3:6]]
    mode = _MODES[round(float(_between(0, len(_MODES) - 1, float(valence.mean()) + own[6])))]
    slow, fast = np.log(_TEMPO)
    beat_s = 60.0 / float(np.exp(_between(slow, fast, float(arousal.mean()) + own[7])))
    brightness = 0.25 + 0.6 * excited[0]
    mix = _tones(rng, time, beat_s, mode, brightness, pleasant[0])
    mix += 0.9 * excited[1] ** 2 * _drums(rng, time, beat_s)
    mix += 0.5 * (1 - pleasant[1]) ** 2 * _rough(mix, time, 33.0 + 12.0 * rng.random())
    mix += 0.05 * (1 - pleasant[2]) * excited[1] * np.diff(rng.standard_normal(len(time)), prepend=0.0)
    level = 10 ** (_between(*_LEVEL_DB, 2 * excited[2] - 1) / 20)
    mix *= level / np.sqrt(np.mean(mix**2))
    # A soft limiter: no sum of notes is cut off.
    return np.asarray(np.rint(np.tanh(mix) * _FULL_SCALE) / _FULL_SCALE, np.float32)


def _track(affect: FloatArray, time: FloatArray) -> FloatArray:
    """Return affect (seconds,) in -1..1 at each sample, 0 to 1."""
    middle = np.arange(len(affect)) + 0.5
    return np.asarray(np.interp(time, middle, np.clip(0.5 + 0.5 * affect, 0.0, 1.0)))


def _between(low: float, high: float, affect: FloatArray | float) -> FloatArray:
    return np.asarray(low + (high - low) * np.clip(0.5 + 0.5 * np.asarray(affect), 0.0, 1.0))


def _tones(  # noqa: PLR0917 - a score, and how it is played
    rng: np.random.Generator, time: FloatArray, beat_s: float, mode: tuple[int, ...], brightness: FloatArray,
    light: FloatArray,
) -> FloatArray:  # fmt: skip
    """Return chords, a bass and a line of quavers, (n,); a ``light`` register is higher."""
    key, steps = int(rng.integers(12)), _PROGRESSIONS[int(rng.integers(len(_PROGRESSIONS)))]
    bar, since_bar = _grid(time, 4 * beat_s)
    _, since_beat = _grid(time, beat_s)
    quaver, since_quaver = _grid(time, beat_s / 2)
    scale = np.array(mode)

    def hertz(degrees: NDArray[np.int64], octave: int) -> FloatArray:
        notes = key + octave + scale[degrees % 7] + 12 * (degrees // 7)
        return np.round(440.0 * 2.0 ** ((notes - 69) / 12), 6)

    roots = np.array(steps)[np.arange(bar[-1] + 1) % 4]
    line = np.clip(np.cumsum(rng.integers(-2, 3, quaver[-1] + 1)), -4, 9)
    begins = np.minimum(np.arange(len(line)) * beat_s / 2 * SAMPLE_RATE, len(time) - 1).astype(np.int64)
    sounding = rng.random(len(line)) < 0.45 + 0.5 * brightness[begins]
    mix = np.zeros_like(time)
    for third in (0, 2, 4):
        mix += 0.3 * _tone(hertz(roots + third, 48)[bar], time, brightness) * _pluck(since_bar, 0.08, 3 * beat_s)
    mix += 0.5 * _tone(hertz(roots, 36)[bar], time, 0.7 * brightness) * _pluck(since_beat, 0.01, 0.6 * beat_s)
    high = 60 + 12 * (float(light.mean()) > 0.5)
    played = sounding[quaver] * _pluck(since_quaver, 0.008, 0.5 * beat_s)
    return np.asarray(mix + 0.45 * _tone(hertz(line, high)[quaver], time, brightness) * played)


def _tone(hertz: FloatArray, time: FloatArray, brightness: FloatArray) -> FloatArray:
    """Return a tone of a frequency track, (n,), harmonic k at ``brightness ** (k - 1)``, none above 7 kHz."""
    turns = np.cumsum(hertz) / SAMPLE_RATE
    angle = 2 * np.pi * (turns - np.floor(turns))
    # sin(k x) = 2 cos(x) sin((k - 1) x) - sin((k - 2) x).
    twice_cosine = 2 * np.cos(angle)
    before, now = np.zeros_like(angle), np.sin(angle)
    total, weight = now.copy(), brightness.copy()
    for k in range(2, _HARMONICS + 1):
        before, now = now, twice_cosine * now - before
        total += np.where(k * hertz < 7000.0, weight, 0.0) * now
        weight *= brightness
    return total


def _drums(rng: np.random.Generator, time: FloatArray, beat_s: float) -> FloatArray:
    """Return drums, (n,): a falling sine on the beats, noise on every second, short noise in quavers."""
    slot, since = _grid(time, beat_s / 2)
    place = np.arange(slot[-1] + 1)
    kick, snare = place % 4 == 0, place % 4 == 2
    noise = rng.random(len(time)) * 2 - 1
    thump = np.sin(2 * np.pi * (50 * since + 4 * (1 - np.exp(-since / 0.03)))) * np.exp(-since / 0.08)
    hiss = np.diff(noise, prepend=0.0)
    drums = kick[slot] * thump + 0.5 * snare[slot] * np.exp(-since / 0.06) * noise
    return np.asarray(drums + 0.25 * np.exp(-since / 0.03) * hiss)


def _rough(mix: FloatArray, time: FloatArray, hertz: float) -> FloatArray:
    """Return what amplitude modulation at a rate that is heard as roughness adds to a sound (n,)."""
    return np.asarray(mix * np.sin(2 * np.pi * hertz * time))


def _pluck(since: FloatArray, attack_s: float, decay_s: float) -> FloatArray:
    """Return the envelope of a note, ``since`` seconds after it began."""
    return np.asarray((1 - np.exp(-since / attack_s)) * np.exp(-since / decay_s))


def _grid(time: FloatArray, slot_s: float) -> tuple[NDArray[np.int64], FloatArray]:
    """Return the number of the slot of each time, and the time since the slot began (s), both (n,)."""
    slot = (time / slot_s).astype(np.int64)
    return slot, time - slot * slot_s
