"""Which channels of a study are good for too few of its listeners to be rows: one that is good for nobody has no value.

A step of the regression needs a value of every row; so such a channel would take the steps from all others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from rtaffect.common.arrays import BoolArray, FloatArray
from rtaffect.common.settings import STEP_S, Settings

#: Synchrony is of at least so many people.
_LEAST_PEOPLE: Final = 2
#: A row has a value in at least this part of the seconds of each sound in which others have one.
LEAST_SHARE: Final = 0.5


def good_seconds(channels: FloatArray, settings: Settings) -> BoolArray:
    """Return in which seconds (S, C) a person's clean channels (time, C) were good: NaN marks what was bad."""
    seconds = STEP_S * settings.signal.rate_hz
    whole = channels[: len(channels) // seconds * seconds]
    return np.asarray(np.isfinite(whole.reshape(-1, seconds, channels.shape[1])).any(axis=1))


def shares(counts: Sequence[np.ndarray]) -> FloatArray:
    """Return for each channel (C,) the least part, over sounds, of the seconds in which two people have it good.

    Parameters
    ----------
    counts
        For each sound (S, C), in how many listeners each channel was good. Seconds in which no channel is good in two
        of them do not count, nor do sounds without any other.
    """
    least = np.ones(counts[0].shape[1] if counts else 0)
    for each in counts:
        enough = each >= _LEAST_PEOPLE
        used = enough.any(axis=1)
        if used.any():
            least = np.minimum(least, enough[used].mean(axis=0))
    return least


def poor_channels(channels: Sequence[str], counts: Sequence[np.ndarray]) -> Mapping[str, float]:
    """Return the channels that cannot be rows, and in which part of the seconds they could (:func:`shares`)."""
    found = zip(channels, shares(counts).tolist(), strict=True) if counts else ()
    return {name: share for name, share in found if share < LEAST_SHARE}


def told_poor(poor: Mapping[str, float]) -> list[str]:
    """Return what is said of channels that are left out, one line each."""
    return [
        f"{name} is left out: it was good in two or more listeners in {share:.0%} of the seconds, expected at least "
        f"{LEAST_SHARE:.0%}; the other rows keep their steps"
        for name, share in poor.items()
    ]
