"""How well each electrode touches, second by second: a contact index of what the signal path measures anyway.

Where a device sends impedance or contact quality for each electrode, that is what is told. Elsewhere the index is

    index = min over k of score_k(x_k),   each score falling from 1 to 0 between two limits,

of these x_k, over the newest ``window_s`` seconds (5):

- *mains*: the mains' root mean square before it is notched out, over the headset's median signal (1 to 30 Hz), on a
  logarithmic scale: what an electrode picks up of it grows with the imbalance of impedances (Huhta & Webster, *IEEE
  Trans. Biomed. Eng.* 20, 1973);
- *drift*: the standard deviation of the seconds' means of the raw signal, so of what is below some .5 Hz, on a
  logarithmic scale: the half-cell potential of an electrode that moves or has not settled;
- *flat* or *loud*: the share of seconds that are neither, by the limits of :class:`SignalSettings`;
- *noise*: the highest absolute correlation r with another electrode, over twice as long, which is below .4 where
  contact is lost (criterion and limit of Bigdely-Shamlo et al., *The PREP pipeline*, Front. Neuroinform. 9:16, 2015).
  Beside the reference an electrode has so little of the head that its own small noise keeps r low; so what it does not
  share counts by its size against the headset's median: r' = sqrt(1 - (1 - r^2) min(1, (size / median)^2)), which is r
  for an electrode of the usual size and above;
- *power*: how far its log power is from the others' median, in robust spreads (the same, deviation criterion).

The last two need 8 electrodes, and others that do correlate. Two electrodes are *bridged*, and both have index 0, where
the variance of their difference is a small part of that of the median pair (electrical distance: Tenke & Kayser, *Clin.
Neurophysiol.* 112, 2001; Alschuler et al., *ibid.* 125, 2014, whose limit is 3 %).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import BoolArray, FloatArray
from rtaffect.common.contact_settings import ContactSettings
from rtaffect.common.settings import STEP_S, SignalSettings
from rtaffect.observed.channel_quality import LEAST_CHANNELS, LEAST_SPREAD, NORMAL
from rtaffect.stream.reported import Reported, ReportedChannel

Verdict = Literal["good", "fair", "bad", "unknown"]
#: What says so: an index of the signal, or what the device sends of itself.
By = Literal["signal", "impedance", "quality"]
#: So many seconds must have been judged before there is an index, s.
LEAST_S: Final = 3
#: What stays within so many times ``flat_v`` for a second stands still.
_STILL: Final = 4.0
#: A correlation is of so many seconds at least, s.
_CORRELATED_S: Final = 5


@dataclass(frozen=True, slots=True)
class ElectrodeContact:
    """One electrode: ``index`` in [0, 1], NaN where not known, ``kohm`` where impedance is sent, else NaN.

    ``why`` is what is wrong, in a word or two; '' where nothing is, or it is not known.
    """

    name: str
    verdict: Verdict
    index: float
    why: str = ""
    kohm: float = np.nan
    by: By = "signal"

    @property
    def value(self) -> str:
        """The impedance in kOhm or the index, as it is shown; '' where neither is known."""
        if np.isfinite(self.kohm):
            return f"{self.kohm:.0f} kOhm"
        return f"{self.index:.2f}" if np.isfinite(self.index) else ""


@dataclass(frozen=True, slots=True)
class HeadsetContact:
    """All electrodes of one headset at one second, whose end is ``time``, s on the LSL clock."""

    headset: str
    time: float
    electrodes: tuple[ElectrodeContact, ...]

    @property
    def good(self) -> int:
        """How many electrodes are good."""
        return sum(each.verdict == "good" for each in self.electrodes)

    @property
    def all_by(self) -> str:
        """What is wrong with three quarters of the electrodes alike, '' for nothing: then reference or ground is."""
        bad = [each.why for each in self.electrodes if each.verdict in ("fair", "bad")]
        most = max(set(bad), key=bad.count, default="")
        alike = bad.count(most) >= max(2, 0.75 * len(self.electrodes))
        return most if alike and most in (MAINS, DRIFT, FLAT, LOUD) else ""


MAINS, DRIFT, FLAT, LOUD, NOISE, POWER = "mains", "drift", "flat", "loud", "noise", "power"


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What the index is of, for each electrode (channels,); NaN where not known.

    ``mains`` over the median signal, ``drift``, V, the shares of seconds that are ``flat`` and ``loud``, the highest
    ``correlation`` with another, ``odd`` power in spreads, and with which other it is ``bridged`` (-1: none).
    """

    mains: FloatArray
    drift: FloatArray
    flat: FloatArray
    loud: FloatArray
    correlation: FloatArray
    odd: FloatArray
    bridged: NDArray[np.intp]


def contact_index(found: Measured, settings: ContactSettings) -> tuple[FloatArray, tuple[str, ...]]:
    """Return the contact index (channels,), NaN where nothing is known, and what it is lowest by."""
    s, useful = settings, 1.0 - found.flat - found.loud
    scores = {
        MAINS: _falling(np.log(np.maximum(found.mains, 1e-12)), np.log(s.mains_good), np.log(s.mains_bad)),
        DRIFT: _falling(np.log(np.maximum(found.drift, 1e-12)), np.log(s.drift_good_v), np.log(s.drift_bad_v)),
        # A rail that is left for a moment is flat in one second and loud in the next: no second of it is of use.
        FLAT: np.where(found.flat >= found.loud, useful, 1.0),
        LOUD: np.where(found.flat < found.loud, useful, 1.0),
        NOISE: 1.0 - _falling(found.correlation, s.correlation_bad, s.correlation_good),
        POWER: _falling(found.odd, s.odd_good, s.odd_bad),
    }
    table = np.array(list(scores.values()))
    known = np.isfinite(found.flat)
    lowest = np.where(np.isfinite(table), table, np.inf).argmin(axis=0)
    index = np.where(known, np.where(np.isfinite(table), table, np.inf).min(axis=0), np.nan)
    names = list(scores)
    return np.where(known & (found.bridged >= 0), 0.0, index), tuple(names[i] for i in lowest)


def _falling(x: FloatArray, good: float, bad: float) -> FloatArray:
    """Return 1 where ``x`` is ``good`` or less, 0 from ``bad`` on, a straight line between; NaN where it is NaN."""
    return np.clip((bad - x) / (bad - good), 0.0, 1.0)


class RawMeter:
    """What the raw signal of each second tells, however it is cut into pieces.

    Parameters
    ----------
    rate
        Rate of the samples, Hz.
    channels
        Number of channels.
    """

    def __init__(self, rate: float, channels: int) -> None:
        self._least, self._channels = 0.5 * rate, channels
        self._seconds: dict[int, FloatArray] = {}

    def add(self, raw: NDArray[np.floating], gated: NDArray[np.floating], times: FloatArray) -> None:
        """Take samples (n, channels), V, as they came and as the gate left them, at ``times`` (n,), s, which rise."""
        if not len(times):
            return
        seconds = np.floor(times).astype(np.int64)
        came, there = np.isfinite(raw), np.isfinite(gated)
        x = np.where(there, gated, 0.0).astype(np.float64)
        high, low = np.where(came, raw, -np.inf), np.where(came, raw, np.inf)
        for number in np.unique(seconds):
            here = seconds == number
            before = self._seconds.get(int(number), _nothing(self._channels))
            sums = np.stack([each[here].sum(axis=0) for each in (x, there, came)])
            highest = np.maximum(before[3], high[here].max(axis=0))
            self._seconds[int(number)] = np.stack(
                [*(before[:3] + sums), highest, np.minimum(before[4], low[here].min(axis=0))]
            )

    def take(self, second: int) -> tuple[FloatArray, BoolArray, FloatArray]:
        """Return means, whether some was gated, and ranges of the second from ``second`` s on, (channels,) each.

        Means, V, are of what the gate left, NaN where less than half is there; gated is only told of a second that
        came; ranges, V, are of what came, NaN where nothing did. The second is then forgotten with those before it.
        """
        total, left, came, high, low = self._seconds.get(second, _nothing(self._channels))
        self._seconds = {at: each for at, each in self._seconds.items() if at > second}
        mean = total / np.where(left > self._least, left, np.nan)
        wide = np.where(came > 0, high, np.nan) - np.where(came > 0, low, np.nan)
        return mean, (came > self._least) & (left < came), wide


def _nothing(channels: int) -> FloatArray:
    return np.repeat([[0.0], [0.0], [0.0], [-np.inf], [np.inf]], channels, axis=1)


class ContactMeter:
    """Measures the contact of one headset's electrodes, second by second, of what its signal path has.

    Parameters
    ----------
    headset, channels
        Its name, and those of its electrodes.
    rate
        Rate of its raw samples, Hz.
    signal, settings
        The signal path's limits, and those of the check.
    """

    def __init__(
        self, headset: str, channels: Sequence[str], rate: float, signal: SignalSettings, settings: ContactSettings
    ) -> None:
        self._headset, self._channels = headset, tuple(channels)
        self._signal, self.settings = signal, settings
        self.raw = RawMeter(rate, len(channels))
        self._seconds: deque[FloatArray] = deque(maxlen=settings.window_s)

    @property
    def recent_s(self) -> int:
        """So much clean signal it looks at, s."""
        return 2 * self.settings.window_s

    def __call__(self, number: int, end: float, recent: FloatArray, mains: FloatArray) -> HeadsetContact:
        """Return the contact at the end of a second.

        Parameters
        ----------
        number, end
            The second's number, from 1, and its end, s on the LSL clock.
        recent
            (n, channels), V: the newest ``recent_s`` of the clean signal on the grid; NaN where missing.
        mains
            (channels,), V: the mains' root mean square in that second before it was removed.
        """
        second = recent[-self._signal.rate_hz :]
        there = np.isfinite(second)
        count = there.sum(axis=0)
        power = (np.where(there, second, 0.0) ** 2).sum(axis=0) / np.maximum(count, 1)
        spread = np.where(2 * count >= len(second), np.sqrt(power), np.nan)
        level, gated, wide = self.raw.take((number - 1) * STEP_S)
        still, lost = gated & (wide < _STILL * self._signal.flat_v), gated & ~np.isfinite(spread)
        # What stands still, or jumps so that nothing is left of it, is gated before it is filtered.
        spread = np.where(still, 0.0, np.where(lost, np.inf, spread))
        self._seconds.append(np.stack([spread, mains, level]))
        index, why = contact_index(self.measure(recent), self.settings)
        return HeadsetContact(self._headset, end, tuple(self._electrode(i, index[i], why[i]) for i in range(len(why))))

    def measure(self, recent: FloatArray) -> Measured:
        """Return what the index is of, of the seconds so far and the ``recent`` clean signal (n, channels), V."""
        seconds = np.stack(self._seconds)
        spread, mains, level = seconds[:, 0], seconds[:, 1], seconds[:, 2]
        known = ~np.isnan(spread)
        judged = np.where(known.sum(axis=0) >= LEAST_S, known.sum(axis=0), np.nan)
        flat = (known & (spread <= self._signal.flat_v)).sum(axis=0) / judged
        loud = (known & (spread >= self._signal.loud_v)).sum(axis=0) / judged
        size = _median(np.where(np.isfinite(spread), spread, np.nan))
        alive = np.isfinite(size) & (size > self._signal.flat_v)
        typical = float(np.median(size[alive])) if alive.any() else self._signal.flat_v
        correlation, self._bridges = self._correlated(recent, alive)
        unshared = (1 - correlation**2) * np.minimum(1.0, (size / typical) ** 2)
        correlation = np.sqrt(np.clip(1 - unshared, 0.0, 1.0))
        return Measured(
            _median(mains) / typical, _deviation(level), flat, loud, correlation, _odd(size, alive), self._bridges
        )

    def _correlated(self, recent: FloatArray, alive: BoolArray) -> tuple[FloatArray, NDArray[np.intp]]:
        """Return each electrode's highest correlation with another, and which other it is bridged with (-1: none)."""
        highest, bridged = np.full(len(alive), np.nan), np.full(len(alive), -1, np.intp)
        there = alive & (np.isfinite(recent).mean(axis=0) > 0.5 * _CORRELATED_S / self.recent_s)
        whole = np.isfinite(recent[:, there]).all(axis=1)
        if there.sum() < LEAST_CHANNELS or whole.sum() < _CORRELATED_S * self._signal.rate_hz:
            return highest, bridged
        covariance = np.cov(recent[np.ix_(whole, there)], rowvar=False)
        variance = np.diag(covariance)
        r = np.abs(covariance) / np.sqrt(np.outer(variance, variance))
        np.fill_diagonal(r, 0.0)
        # Where nobody correlates with anybody, a montage is sparse, and that tells nothing.
        if np.median(r.max(axis=0)) > self.settings.correlation_good:
            highest[there] = r.max(axis=0)
        apart = variance[:, None] + variance - 2 * covariance
        off = ~np.eye(len(apart), dtype=np.bool_)
        np.fill_diagonal(apart, np.inf)
        limit = self.settings.bridged * float(np.median(apart[off]))
        numbers = np.flatnonzero(there)
        bridged[there] = np.where(apart.min(axis=0) < limit, numbers[apart.argmin(axis=0)], -1)
        return highest, bridged

    def _electrode(self, i: int, index: float, why: str) -> ElectrodeContact:
        verdict = verdict_of(index, self.settings)
        if self._bridges[i] >= 0 and verdict == "bad":
            why = f"bridged with {self._channels[self._bridges[i]]}"
        return ElectrodeContact(self._channels[i], verdict, float(index), why if verdict in ("fair", "bad") else "")


def with_reported(
    found: HeadsetContact, reported: Reported | None, end: float, settings: ContactSettings
) -> HeadsetContact:
    """Return the contact of a headset with what its device says itself, as of ``end``, s, in place of the index.

    Where it says nothing of an electrode, or what cannot be, the index stays.
    """
    if reported is None:
        return found
    told = {
        channel.electrode: _told(channel, float(value), settings)
        for channel, value in zip(reported.channels, reported.at(end), strict=True)
    }
    electrodes = ((told.get(each.name) or each, each) for each in found.electrodes)
    return replace(found, electrodes=tuple(by if by.verdict != "unknown" else own for by, own in electrodes))


def _told(channel: ReportedChannel, value: float, settings: ContactSettings) -> ElectrodeContact:
    """Return what a device says of one electrode."""
    if channel.means == "impedance":
        verdict = verdict_of_kohm(value, settings)
        why = "impedance" if verdict in ("fair", "bad") else ""
        return ElectrodeContact(channel.electrode, verdict, np.nan, why, value, "impedance")
    known = 0.0 <= value <= 1.0
    verdict = "unknown" if not known else "good" if value >= channel.good else "bad" if value < channel.bad else "fair"
    why = "quality" if verdict in ("fair", "bad") else ""
    return ElectrodeContact(channel.electrode, verdict, value if known else np.nan, why, by="quality")


def verdict_of(index: float, settings: ContactSettings) -> Verdict:
    """Return what an index in [0, 1] means; 'unknown' for NaN."""
    if not np.isfinite(index):
        return "unknown"
    return "good" if index >= settings.good_from else "bad" if index < settings.bad_below else "fair"


def verdict_of_kohm(kohm: float, settings: ContactSettings) -> Verdict:
    """Return what an impedance, kOhm, means; 'unknown' for what is no impedance."""
    if not (np.isfinite(kohm) and kohm > 0):
        return "unknown"
    return "good" if kohm <= settings.good_kohm else "bad" if kohm >= settings.bad_kohm else "fair"


def _median(values: FloatArray) -> FloatArray:
    """Return the median (channels,) of what is there of ``values`` (n, channels); NaN where nothing is."""
    found = np.full(values.shape[1], np.nan)
    some = np.isfinite(values).any(axis=0)
    found[some] = np.nanmedian(values[:, some], axis=0)
    return found


def _deviation(levels: FloatArray) -> FloatArray:
    """Return the standard deviation (channels,) over seconds (n, channels); NaN of fewer than three."""
    found = np.full(levels.shape[1], np.nan)
    some = np.isfinite(levels).sum(axis=0) >= LEAST_S
    found[some] = np.nanstd(levels[:, some], axis=0)
    return found


def _odd(size: FloatArray, alive: BoolArray) -> FloatArray:
    """Return how far log power is from the median of those ``alive``, in robust spreads; NaN for few electrodes."""
    odd = np.full(len(size), np.nan)
    if alive.sum() >= LEAST_CHANNELS:
        power = 2 * np.log(size[alive])
        off = np.abs(power - np.median(power))
        odd[alive] = off / max(NORMAL * float(np.median(off)), LEAST_SPREAD)
    return odd
