"""How long sounds must be for nested cross-validation: what ``--check`` says, a fit refuses, and the guide tells.

With three sounds or more each is left out in turn, inside the outer folds too. A single one is cut into blocks, and
what an outer fold leaves of it is cut into blocks again where it hangs together; of two, the one that is not left out
is. Blocks are a window and the longest lag apart, and steps without a whole window or without old features are lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count

import numpy as np

from calibration.ridge import BLOCKS, folds
from rtaffect.common.errors import SettingsError
from rtaffect.common.settings import Settings


def least_seconds(settings: Settings, sounds: int = 1) -> int:
    """Return the least length, s, of one sound alone, or of each of two; with more sounds nothing is cut."""
    if sounds > 2:
        return 1
    _, gap, _ = _lengths_of(settings)
    return next(n for n in count(BLOCKS * 2 * gap) if _are_enough([n] * sounds, settings))


def refuse_short(seconds: Mapping[str, int], settings: Settings) -> None:
    """Raise SettingsError if sounds of these lengths (s), by their names, cannot be cut into nested folds."""
    lengths = list(seconds.values())
    if len(lengths) > 2 or _are_enough(lengths, settings):
        return
    needed = least_seconds(settings, len(lengths))
    short = [f"{name} ({length} s)" for name, length in seconds.items() if length < needed]
    remedy = "or a second sound" if len(lengths) == 1 else "or a third sound"
    many = "one sound alone" if len(lengths) == 1 else "each of two sounds"
    raise SettingsError(
        f"{' and '.join(short)}: {many} is cut into {BLOCKS} blocks, and what a fold leaves of it into {BLOCKS} again, "
        f"{_lengths_of(settings)[1]} s apart; give at least {needed} s {remedy}"
    )


def _lengths_of(settings: Settings) -> tuple[int, int, int]:
    """Return the longest lag, the distance of blocks, and how many steps at a sound's beginning have no value, s."""
    longest, window = settings.prediction.lags_s[-1], settings.synchrony.window_s
    return longest, window + longest, max(window - 1, longest)


def _are_enough(lengths: Sequence[int], settings: Settings) -> bool:
    longest, gap, lost = _lengths_of(settings)
    if len(lengths) == 1 and lengths[0] < BLOCKS * 2 * gap:
        return False
    for train, _ in folds(lengths, gap):
        ends = np.cumsum(lengths)
        breaks = np.flatnonzero((np.diff(train) > 1) | np.isin(train[1:], ends))
        runs = np.split(train, breaks + 1)
        starts = {0, *ends.tolist()}
        parts = [len(run) - (lost if int(run[0]) in starts else longest) for run in runs]
        parts = [part for part in parts if part > 0]
        if not parts or (len(parts) == 1 and parts[0] < BLOCKS * 2 * gap):
            return False
    return True
