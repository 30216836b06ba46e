"""How much later than they were painted flashes were seen by a photodiode: pure functions of its samples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.ndimage import median_filter, uniform_filter1d

from rtaffect.common.arrays import FloatArray
from rtaffect.run.certify_measure import gross_delay

#: Flashes are looked for up to so much later or earlier than they were painted, s.
FURTHEST_S: Final = 0.5
#: At least this part of the flashes has to be seen, and so many.
LEAST_SEEN: Final = 0.5
LEAST_FLASHES: Final = 6
#: A flash that is seen further than this beyond a period of the screen from most others was shown in another frame, s.
NEAR_S: Final = 0.02
#: The rate of the even grid that flashes are looked for on, Hz; more tells nothing of a screen.
_GRID_HZ: Final = 2000.0
#: A flash has at least this part of the usual height.
_LEAST_HEIGHT: Final = 0.5
#: What the light is before a flash, and in it, is taken from so long before its place, and after it, s.
_DARK_S, _BRIGHT_S = (-0.12, -0.04), (0.05, 0.15)
#: The edge is looked for so far around its place, s, and noise is smoothed over so long at most, s.
_EDGE_S, _SMOOTH_S = 0.06, 0.01
#: Noise that is still larger than this part of the height then hides the edges.
_MOST_NOISE: Final = 1 / 6
#: Light that wavers more than this part of its height is pulsed by the screen: it is taken over a period.
_PULSED: Final = 0.25
#: Slow changes of the light of the room, and of the amplifier, are taken out over so long, s.
_SLOW_S: Final = 2.5
#: Slow changes are looked at with so many values a second.
_SLOW_HZ: Final = 50.0


@dataclass(frozen=True, slots=True)
class Flash:
    """A flash, by when its white and then its black square was painted, s on the LSL clock."""

    white: float
    black: float


@dataclass(frozen=True, slots=True)
class Seen:
    """Where flashes were seen.

    Attributes
    ----------
    latencies_s
        By flash, how much later than painted its light had risen by half; NaN where it was missed.
    why
        Why nothing can be said; '' where they were seen.
    """

    latencies_s: FloatArray
    why: str = ""

    @property
    def missed(self) -> int:
        """Flashes that were not seen."""
        return int(np.isnan(self.latencies_s).sum())

    def percentile(self, percent: float) -> float:
        """Return a percentile of the latencies, s; NaN where nothing can be said."""
        return math.nan if self.why else float(np.nanpercentile(self.latencies_s, percent))


def flashes_seen(times: FloatArray, light: FloatArray, flashes: list[Flash], refresh_hz: float = 60.0) -> Seen:
    """Return where ``flashes`` are in ``light`` (n,), the photodiode's samples at ``times`` (n,), s on the LSL clock.

    Light may fall where there is more of it: that is found out. ``refresh_hz`` is of the screen.
    """
    nothing = np.full(len(flashes), np.nan)
    if why := _unfit(times, light, flashes):
        return Seen(nothing, why)
    first, last = flashes[0].white - 2 * FURTHEST_S, flashes[-1].black + 2 * FURTHEST_S
    inside = (times >= first) & (times <= last) & np.isfinite(light)
    at, light = times[inside], light[inside]
    rate = min(_GRID_HZ, (len(at) - 1) / (at[-1] - at[0]))
    grid = np.arange(at[0], at[-1], 1 / rate)
    level = _without_slow(np.interp(grid, at, light), rate)
    hole = np.diff(at, prepend=at[0]) > 3 / rate + 0.01
    level[np.interp(grid, at, np.convolve(hole, [1, 1], "same") > 0) > 0] = np.nan
    sign, place = _pattern(grid, _smooth(level, round(rate / refresh_hz)), flashes, rate)
    if not sign:
        return Seen(nothing, _NOT_THERE)
    found = _edges(grid, sign * level, flashes, place, 1 / refresh_hz)
    if found is None:
        return Seen(nothing, f"the flashes are not told from its noise; {_REMEDY}")
    middle = float(np.nanmedian(found)) if np.isfinite(found).any() else math.nan
    found[np.abs(found - middle) > NEAR_S + 1 / refresh_hz] = np.nan
    seen = int(np.isfinite(found).sum())
    if seen < max(LEAST_FLASHES, LEAST_SEEN * len(flashes)):
        return Seen(found, f"{seen} of {len(flashes)} flashes were seen at one place; {_REMEDY}")
    return Seen(found)


def _unfit(times: FloatArray, light: FloatArray, flashes: list[Flash]) -> str:
    """Return why flashes cannot be looked for in ``light``; '' where they can."""
    if len(flashes) < LEAST_FLASHES:
        return f"{len(flashes)} flashes were painted, expected {LEAST_FLASHES} or more; let it run to its end"
    known = np.isfinite(light) & (times >= flashes[0].white - FURTHEST_S) & (times <= flashes[-1].black + FURTHEST_S)
    at = times[known]
    if len(at) < 10 or at[0] > flashes[0].white or at[-1] < flashes[-1].black:
        return "the photodiode's stream does not cover the flashes; see that it is sent all the time"
    if np.ptp(light[known]) == 0:
        return f"its values never change (all are {light[known][0]:g}); choose the photodiode's channel"
    return ""


_REMEDY: Final = "put the photodiode on the square, make that larger, and keep other light away"
_NOT_THERE: Final = f"the pattern of the flashes is not in its light; {_REMEDY}, or choose its channel"


def _without_slow(level: FloatArray, rate: float) -> FloatArray:
    """Return ``level`` (n,) without its running median: flashes are the smaller part of each second."""
    step = max(1, round(rate / _SLOW_HZ))
    some = level[::step]
    wide = max(3, round(_SLOW_S * rate / step)) | 1
    slow = uniform_filter1d(median_filter(some, wide, mode="nearest"), wide, mode="nearest")
    return np.asarray(level - np.interp(np.arange(len(level)), np.arange(len(some)) * step, slow))


def _smooth(level: FloatArray, wide: int) -> FloatArray:
    """Return the mean of ``level`` (n,) over ``wide`` samples around each, without delay; NaN stays where it was."""
    smooth = uniform_filter1d(np.nan_to_num(level), max(1, wide | 1))
    return np.where(np.isfinite(level), smooth, np.nan)


def _pattern(grid: FloatArray, level: FloatArray, flashes: list[Flash], rate: float) -> tuple[int, float]:
    """Return whether light rises (1) or falls (-1) with the flashes, and how much later, s; 0 where neither."""
    painted = np.zeros(len(grid))
    for flash in flashes:
        painted[np.searchsorted(grid, flash.white) : np.searchsorted(grid, flash.black)] = 1.0
    most, known = round(FURTHEST_S * rate), np.nan_to_num(level)
    best, sign, place = 0.0, 0, math.nan
    # Turned over, the pattern is also somewhat like itself elsewhere: the better of both counts.
    for turned in (1, -1):
        delay = gross_delay(turned * level, painted, most)
        if math.isfinite(delay) and abs(delay) < most:
            alike = turned * float(known @ (np.roll(painted, int(delay)) - painted.mean()))
            if alike > best:
                best, sign, place = alike, turned, delay / rate
    return sign, place


def _edges(grid: FloatArray, level: FloatArray, flashes: list[Flash], place: float, period: float) -> FloatArray | None:
    """Return how much later than painted each flash has risen by half (k,), s, near ``place``; NaN where it has not.

    None where noise hides the edges.
    """
    step = float(grid[1] - grid[0])
    dark = [_piece(grid, level, flash.white + place, _DARK_S) for flash in flashes]
    bright = [_piece(grid, level, flash.white + place, _BRIGHT_S) for flash in flashes]
    low, high = np.array([_mean(piece) for piece in dark]), np.array([_mean(piece) for piece in bright])
    # Where up to half are missed it is of those that are seen.
    height = float(np.nanpercentile(high - low, 75))
    wide = _width(dark, bright, height, (step, period))
    if not wide:
        return None
    smooth = _smooth(level, wide)
    found = np.full(len(flashes), np.nan)
    for number, flash in enumerate(flashes):
        if not high[number] - low[number] >= _LEAST_HEIGHT * height:
            continue
        half = (low[number] + high[number]) / 2
        edge = _crossing(grid, smooth, half, flash.white + place)
        found[number] = edge - flash.white
    return found


def _mean(piece: FloatArray) -> float:
    return float(piece.mean()) if len(piece) else math.nan


def _width(dark: list[FloatArray], bright: list[FloatArray], height: float, steps: tuple[float, float]) -> int:
    """Return over how many samples the light is smoothed; 0 where noise hides the edges even so.

    ``steps`` are the distance of samples and the period of the screen, s.
    """
    step, period = steps
    noise = float(np.nanstd(np.concatenate([each - each.mean() for each in dark if len(each)] or [np.zeros(1)])))
    wavers = float(np.nanmedian([each.std() for each in bright if len(each)]))
    if wavers > _PULSED * height and wavers > 3 * noise:
        wide = round(period / step)
    else:
        # As wide as it takes for noise to be an eighth of the height.
        wide = min(round(_SMOOTH_S / step), math.ceil((8 * noise / max(height, 1e-30)) ** 2))
    return max(1, wide) if height > 0 and noise / math.sqrt(max(1, wide)) <= _MOST_NOISE * height else 0


def _piece(grid: FloatArray, level: FloatArray, at: float, span: tuple[float, float]) -> FloatArray:
    """Return ``level`` from ``span[0]`` to ``span[1]`` s after ``at``; empty where any of it is missing."""
    first, stop = np.searchsorted(grid, [at + span[0], at + span[1]])
    piece = level[first:stop]
    return piece if len(piece) and first > 0 and stop < len(grid) and np.isfinite(piece).all() else piece[:0]


def _crossing(grid: FloatArray, level: FloatArray, half: float, at: float) -> float:
    """Return when ``level`` rises through ``half`` near ``at``, s: the rise with most below before and above after."""
    first, stop = np.searchsorted(grid, [at - _EDGE_S, at + _EDGE_S])
    piece = level[first:stop]
    if len(piece) < 3 or not np.isfinite(piece).all():
        return math.nan
    above = piece >= half
    rises = np.flatnonzero(~above[:-1] & above[1:])
    if not len(rises):
        return math.nan
    before = np.cumsum(~above)[rises]
    after = (above.sum() - np.cumsum(above))[rises]
    best = int(rises[np.argmax(before + after)])
    share = (half - piece[best]) / (piece[best + 1] - piece[best])
    return float(grid[first + best] + share * (grid[1] - grid[0]))
