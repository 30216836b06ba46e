"""Features of a study's EEG, by the code of a session: the signal path, the judgement of channels, band entropies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtaffect import __version__
from rtaffect.affect.band_entropy import features_of
from rtaffect.affect.baseline import RestBaseline
from rtaffect.affect.settings import AffectSettings
from rtaffect.common.arrays import Float32Array, FloatArray
from rtaffect.common.errors import NotKeptError, RecordingError
from rtaffect.common.files import sha256_of
from rtaffect.common.kept import read_array, write_array
from rtaffect.observed.response import clean_channels
from rtaffect.predicted.featurizer import Progress, cache_root
from rtaffect.stream.source import Source

#: EEG that is taken in before what counts, s: in it the filters of the signal and of the bands settle.
LEAD_S: Final = 5
#: What features follow from among the settings.
_OF_FEATURES: Final = ("signal", "quality", "bands")
_SHOWN: Final = 48


class Features(NamedTuple):
    """Band entropies ``values`` (seconds, C, F) float64, nats, NaN where ``mask`` (seconds, C) is False."""

    values: FloatArray
    mask: NDArray[np.bool_]

    def last(self, seconds: int) -> Features:
        """Return the last ``seconds``."""
        return self.part(len(self.values) - seconds, seconds)

    def part(self, first: int, seconds: int) -> Features:
        """Return ``seconds`` from the one numbered ``first``, from 0."""
        return Features(self.values[first : first + seconds], self.mask[first : first + seconds])


def eeg_features(  # noqa: PLR0917 - a stretch of a recording, and how it is analysed
    source: Source, onset: float, seconds: int, channels: Sequence[str], settings: AffectSettings, lead_s: int = LEAD_S
) -> Features:
    """Return the features of a stretch of a recording, and of ``lead_s`` before it, as a session has them.

    Parameters
    ----------
    source
        A recorded source that nothing was taken from yet; it begins ``lead_s`` before the stretch, or more.
    onset, seconds
        When the stretch began, s on the source's clock, and how long it is.
    channels, settings
        Which channels, and how they are analysed.
    lead_s
        Whole seconds before the stretch that are analysed, too, s. What the recording lacks of them is masked.

    Returns
    -------
    Of ``lead_s + seconds`` seconds.
    """
    clean = clean_channels(source, onset - lead_s, lead_s + seconds, channels, settings.analysis)
    return Features(*features_of(clean, settings))


def kept_features(
    stamp: str, channels: Sequence[str], settings: AffectSettings, make: Callable[[], Features], progress: Progress
) -> Features:
    """Return features from the cache, or make them and keep them there.

    Parameters
    ----------
    stamp
        What tells the stretch of a recording from any other.
    channels, settings
        Which channels, and how they are analysed.
    make
        Computes them.
    progress
        Told if what was kept is damaged.
    """
    about = (__version__, stamp, *channels, *(settings.model_dump_json(include={key}) for key in _OF_FEATURES))
    path = cache_root() / "affect" / f"{sha256_of(chr(0).join(about))[:_SHOWN]}.npy"
    values = read_array(path)
    if values is None:
        if path.exists():
            progress(f"the features that were kept in {path.name} are damaged: they are computed again")
        values = make().values
        try:
            write_array(path, values)
        except OSError as error:
            raise NotKeptError(
                f"{path} cannot be written ({error.strerror}); name another cache in the variable RTAFFECT_CACHE"
            ) from None
    return Features(values, np.asarray(np.isfinite(values).all(axis=2), np.bool_))


def rest_mean(rests: Iterable[Features], settings: AffectSettings, who: str) -> FloatArray:
    """Return a person's mean features at rest (C, F), nats, NaN for channels that were bad in too much of it.

    Parameters
    ----------
    rests
        Of each stretch of rest.
    settings
        How much rest is wanted, and how much of it must be good.
    who
        The person, as a message calls them.

    Raises
    ------
    RecordingError
        If there is too little.
    """
    baseline, step = RestBaseline(settings.baseline_s, settings.baseline_least), 0
    for rest in rests:
        for values, mask in zip(*rest, strict=True):
            step += 1
            baseline.take(step, values, mask, resting=True)
    least = settings.baseline_least * settings.baseline_s
    mean = baseline.mean() if baseline.measured_s >= least else np.empty((0, 0))
    if not np.isfinite(mean).any():
        raise RecordingError(
            f"{who}: {baseline.measured_s} s of rest with good EEG, expected {least:g} s or more for a baseline: name "
            "when they rested (listener.rest or affect.rest_before_s in study.toml), or train with baseline = none"
        )
    return mean


def sequences(features: Features, baseline: FloatArray | None, ends: Sequence[int], length: int) -> tuple[
    Float32Array, NDArray[np.bool_]
]:  # fmt: skip
    """Return the ``length`` seconds (N, length, C, F) that end with each of ``ends``, from 1, and their mask.

    Less ``baseline`` (C, F), where there is one; channels without any are masked. 0 where masked.
    """
    values, mask = features
    if baseline is not None:
        values = values - baseline
    mask = mask & np.isfinite(values).all(axis=2)
    rows = np.asarray(ends)[:, None] + np.arange(-length, 0)
    there = mask[rows]
    return np.where(there[..., None], values[rows], 0.0).astype(np.float32), there
