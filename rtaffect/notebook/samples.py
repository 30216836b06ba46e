"""Samples as a program gives them to a session, whole or in chunks: made arrays, and checked as they come."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.errors import SettingsError

#: Who has had no value for so long from the beginning is told of, s.
SILENT_S: Final = 10.0


class CheckedEeg:
    """Makes a chunk of EEG an array, and warns once where it has begun with seconds without any finite value.

    Parameters
    ----------
    what
        What it is called.
    channels, rate
        Their names, and the samples per second, Hz.
    """

    def __init__(self, what: str, channels: tuple[str, ...], rate: float) -> None:
        self._what, self._channels, self._most, self._nothing = what, channels, round(SILENT_S * rate), 0

    def __call__(self, chunk: object) -> NDArray[Any]:
        """Return a chunk (samples, channels); raises SettingsError if it is none."""
        samples = _samples(self._what, chunk, self._channels)
        if self._nothing >= 0:
            self._nothing = -1 if np.isfinite(samples).any() else self._nothing + len(samples)
        if self._nothing >= self._most:
            self._nothing = -1
            warnings.warn(
                f"{self._what} has had no finite value in its first {SILENT_S:g} s: nothing is observed of that "
                "person; NaN is for a sample that is missing",
                stacklevel=2,
            )
        return samples


def chunks_of(content: object) -> NDArray[Any] | Iterator[object]:
    """Return an array as it is, a list of numbers as an array, and all else that can be iterated as chunks."""
    if isinstance(content, np.ndarray):
        return content
    if hasattr(content, "__array__"):
        return np.asarray(content)
    if isinstance(content, list | tuple) and not any(isinstance(each, np.ndarray) for each in content):
        try:
            return np.asarray(content)
        except ValueError:
            raise SettingsError("the samples' lines differ in length", "an array, or chunks of arrays") from None
    if isinstance(content, Iterable) and not isinstance(content, str | bytes):
        return iter(content)
    raise SettingsError(f"{type(content).__name__} is no EEG and no sound", "an array, or an iterable of arrays")


def numbers_of(what: str, chunk: object) -> NDArray[Any]:
    """Return ``chunk``, which is called ``what``, as an array of numbers; raises SettingsError if it is none."""
    samples = array_of(what, chunk)
    if samples.dtype.kind not in "fiu":
        raise SettingsError(f"{what} has {samples.dtype} values", "numbers")
    return samples


def array_of(what: str, chunk: object) -> NDArray[Any]:
    """Return ``chunk``, which is called ``what``, as an array; raises SettingsError if it is none."""
    try:
        return np.asarray(chunk)
    except ValueError:
        raise SettingsError(f"{what} has lines of different lengths", "an array") from None


def _samples(what: str, chunk: object, channels: tuple[str, ...]) -> NDArray[Any]:
    """Return a chunk of EEG (n, channels); NaN is a missing sample, and so is what has no end."""
    samples, count = numbers_of(what, chunk), len(channels)
    if samples.ndim != 2 or samples.shape[1] != count:
        turned = samples.ndim == 2 and samples.shape[0] == count
        raise SettingsError(
            f"{what} has the shape {samples.shape}",
            f"(samples, channels) of {count} channels ({', '.join(channels[:4])}{', ...' if count > 4 else ''})",
            "transpose it" if turned else "",
        )
    if samples.dtype.kind != "f":
        return samples.astype(np.float64)
    return samples if np.isfinite(samples).all() else np.where(np.isfinite(samples), samples, np.nan)
