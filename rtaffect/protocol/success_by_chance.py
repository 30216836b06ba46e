"""How often success comes by chance alone, where the threshold is a quantile of the baseline.

A threshold that is taken from few values lies anywhere, and with it the share of later values above it, even if nothing
has changed since the baseline. Successive values share most of their window and smoothing, so that a baseline of n
values is worth fewer independent ones, n_eff. Of those, the share above their median has the distribution
Beta((n_eff + 1) / 2, (n_eff + 1) / 2), as of the order statistics of independent values (David & Nagaraja, *Order
Statistics*, 2003). n_eff = n / (1 + 2 sum (1 - k/n) rho_k), rho_k being the correlation of being above the median at
two times, 2/pi arcsin of the values' own (Sheppard, *Phil. Trans. R. Soc.* A 192, 1899).

This is the noise of the windows alone. Synchrony itself varies more slowly: in truth it is a little worse.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from scipy.special import betaincinv

from rtaffect.common.words import minutes
from rtaffect.protocol.model import LEAST_VALUES, FeedbackRule, Protocol

#: The range that is told holds this share of sessions.
_SHARE: Final = 0.95
#: A range of success by chance that reaches no further than this to either side is told of no more.
ACCURACY: Final = 0.1
#: Baselines up to this length are looked at, s.
_LONGEST: Final = 6 * 3600


def effective_values(values: int, window_s: int, smoothing_s: int) -> float:
    """Return how many independent values so many successive ones of noise are worth, of those above their median.

    Parameters
    ----------
    values
        How many, one a second.
    window_s, smoothing_s
        Over how many seconds each is correlated and then averaged.
    """
    window, smooth = np.ones(window_s), np.ones(smoothing_s)
    shape = np.convolve(window, smooth)
    own = np.correlate(shape, shape, "full")[len(shape) - 1 :]
    lags = np.arange(1, min(len(own), values))
    rho = 2 / np.pi * np.arcsin(own[lags] / own[0])
    return float(values / (1 + 2 * ((1 - lags / values) * rho).sum()))


def success_range(values: int, window_s: int, smoothing_s: int) -> tuple[float, float]:
    """Return between which shares of steps success lies by chance in 95 % of sessions with so many ``values``."""
    shape = (effective_values(values, window_s, smoothing_s) + 1) / 2
    low = float(betaincinv(shape, shape, (1 - _SHARE) / 2))
    return low, 1 - low


def values_needed(accuracy: float, window_s: int, smoothing_s: int) -> int:
    """Return the fewest values of the baseline with which that range is 1/2 +- ``accuracy`` or less."""
    low, high = LEAST_VALUES, _LONGEST
    while low < high:
        middle = (low + high) // 2
        if success_range(middle, window_s, smoothing_s)[0] >= 0.5 - accuracy:
            high = middle
        else:
            low = middle + 1
    return low


def about_success(protocol: Protocol, window_s: int) -> Iterator[str]:
    """Yield what is to be known of success by chance with a protocol's rule; nothing where it is near one half."""
    rule, values = protocol.feedback, _baseline_values(protocol, window_s)
    if not any(block.kind == "feedback" for block in protocol.blocks) or protocol.knows_noise:
        return
    if rule.scale == "fixed" and rule.value == "observed":
        yield (
            "scale = fixed takes no account of the null band: how often noise is success depends on the people, the "
            "rows and the window; scale = null, or baseline from format = 2 on, know it"
        )
    if rule.scale != "baseline" or rule.threshold is not None or values is None or values < LEAST_VALUES:
        return
    values += _learnt(protocol, rule, window_s)
    low, high = success_range(values, window_s, rule.smoothing_s)
    if low >= 0.5 - ACCURACY:
        return
    format_2 = ", or write format = 2, whose scale knows the null band" if rule.value == "observed" else ""
    needed = values_needed(ACCURACY, window_s, rule.smoothing_s)
    yield (
        f"success by chance: the baseline's threshold rests on {values} values, about "
        f"{effective_values(values, window_s, rule.smoothing_s):.0f} independent ones, so with nothing changed success "
        f"will be anywhere from {low:.0%} to {high:.0%} of the steps (95 % of sessions); for {0.5 - ACCURACY:.0%} to "
        f"{0.5 + ACCURACY:.0%} let the baseline last {minutes(needed + window_s)}, or let the threshold go on learning "
        f'with feedback.learn_s = {max(0, needed - values)}, or follow with feedback.scale = "adaptive"{format_2}'
    )


def _baseline_values(protocol: Protocol, window_s: int) -> int | None:
    """Return how many values the baseline before the first block of feedback gives; None without such a block."""
    values = 0
    for block in protocol.blocks:
        if block.practice:
            continue
        if block.kind in ("feedback", "transfer"):
            return values
        if block.kind == "baseline" and block.seconds is not None:
            values += max(0, block.seconds - window_s)
    return None


def _learnt(protocol: Protocol, rule: FeedbackRule, window_s: int) -> int:
    """Return how many values of feedback the threshold is made of as well."""
    blocks = (block.seconds or 0 for block in protocol.blocks if block.kind == "feedback" and not block.practice)
    return min(rule.learn_s, sum(max(0, seconds - window_s) for seconds in blocks))
