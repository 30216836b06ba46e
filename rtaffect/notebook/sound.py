"""Features of a sound, as a live session and calibration compute them."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import Float32Array, FloatArray
from rtaffect.common.errors import SoundError
from rtaffect.notebook.given import number_of
from rtaffect.predicted.featurizer import Featurizer, features_of
from rtaffect.stream.audio import SAMPLE_RATE, SoundResampler, read_sound
from rtaffect.stream.limits import size_trouble

#: Beyond this samples are no full-scale sound but, for example, 16-bit integers turned into floats.
_LOUDEST: Final = 8.0
#: A sound of more channels than this, and than it has samples, lies the wrong way round.
_MOST_CHANNELS: Final = 64


class SoundFeatures(NamedTuple):
    """Features of a sound, S seconds of it.

    Attributes
    ----------
    seconds : (S,) float64
        End of each second, s after the sound's start: 1, 2, ...
    features : (S, size) float32
        Mean over that second of the layer's hidden states; (S, layers, size) from a featurizer of all layers.
    """

    seconds: FloatArray
    features: Float32Array


def sound_features(
    sound: str | Path | NDArray[np.floating], featurizer: Featurizer, *, rate: float = SAMPLE_RATE
) -> SoundFeatures:
    """Return the features of each whole second of a sound, computed causally, second by second.

    Parameters
    ----------
    sound
        Path of a sound file, or float samples (n,) or (n, channels), full scale +-1.
    featurizer
        From :func:`load_featurizer`.
    rate
        Samples per second, where ``sound`` has samples, Hz; a file says its own.

    Raises
    ------
    SoundError
        If it cannot be read, is no sound, holds values that are not finite, or is shorter than a second.
    """
    samples = read_sound(Path(sound))[0] if isinstance(sound, str | Path) else resampled(sound, rate)
    if len(samples) < SAMPLE_RATE:
        raise SoundError(f"the sound lasts {len(samples) / SAMPLE_RATE:.4g} s; features need at least 1 s: give more")
    features = features_of(samples, featurizer)
    return SoundFeatures(np.arange(1.0, len(features) + 1), features)


def check_sound_rate(what: str, rate: float) -> None:
    """Refuse a ``rate`` (Hz) that no sound has."""
    number = number_of(f"the rate of {what}", rate, "a positive number, Hz, as in 44100")
    if number <= 0:
        raise SoundError(f"{what}'s rate is {rate} Hz; expected a positive number, as in rate=44100")
    if trouble := size_trouble(1, number):
        raise SoundError(f"{what} {trouble}: give its own rate")


def check_loudness(what: str, samples: NDArray[np.floating]) -> None:
    """Refuse ``samples`` that are no full-scale sound."""
    if samples.size and (loudest := float(np.abs(samples).max())) > _LOUDEST:
        raise SoundError(f"{what} reaches {loudest:g}; expected full scale +-1: divide it by its full scale")


def resampled(samples: NDArray[np.floating], rate: float) -> Float32Array:
    """Return ``samples`` (n,) or (n, channels) at ``rate`` Hz as a sound file of them is read: mono at 16 kHz."""
    samples = np.asarray(samples)
    if samples.dtype.kind != "f" or samples.ndim not in (1, 2) or 0 in samples.shape:
        raise SoundError(
            f"the sound is {samples.dtype} {samples.shape}; expected float samples (n,) or (n, channels) within +-1: "
            "divide integers by their full scale"
        )
    if samples.ndim == 2 and samples.shape[1] > max(_MOST_CHANNELS, samples.shape[0]):
        raise SoundError(f"the sound has the shape {samples.shape}; expected (samples, channels): transpose it")
    check_sound_rate("the sound", rate)
    if not np.isfinite(samples).all():
        raise SoundError("the sound holds NaN or infinite samples; expected finite ones: cut the gaps out")
    check_loudness("the sound", samples)
    resampler = SoundResampler(rate)
    return np.concatenate([resampler.push(samples), resampler.flush()])
