"""Whether a group is synchronised at all: inter-subject correlation over whole sounds, with chance and an interval.

Of every pair of listeners the responses of a row are correlated over a whole sound; the mean over pairs by Fisher z is
the inter-subject correlation (ISC: Hasson et al., *Science* 303, 2004; Nastase et al., *SCAN* 14, 2019).

*Chance* moves each listener's responses on their own, the same in all rows, so that everybody keeps their spectrum and
what their rows have in common, and nobody the time lock: by turning them round in the sound by any time (Kauppi et al.,
*Front. Neuroinform.* 4, 2010), and by random numbers added to the phases (Theiler et al., *Physica D* 58, 1992; Lerner
et al., *J. Neurosci.* 31, 2011). What is claimed holds against both: p is the larger of the two. Family-wise by the
largest of all rows and their mean in each draw (Nichols & Holmes, *Hum. Brain Mapp.* 15, 2002), each by its own spread.
Turned, what two people lack at the same time meets no more, so that chance is rather too wide.

*Interval.* Pairs share listeners: n (n - 1) / 2 of them are not as many measurements, and a listener drawn twice makes
a pair with themselves (Chen et al., *NeuroImage* 142, 2016). So whole listeners are left out in turn: the jackknife of
a mean over pairs (Arvesen, *Ann. Math. Stat.* 40, 1969), which has no such pairs, and whose variance is rather too
large than too small (Efron & Stein, *Ann. Stat.* 9, 1981).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft
from scipy.stats import t as student_t

from calibration.nulls import p_values
from rtaffect.common.arrays import BoolArray, FloatArray
from rtaffect.common.correlation import fisher_z
from rtaffect.common.drifts import drift_basis, left_of
from rtaffect.common.settings import DriftSettings
from rtaffect.common.threads import one_thread
from rtaffect.observed.synchrony import RowLayout

#: From this p value on, nothing is claimed.
LEVEL: Final = 0.05
#: With fewer draws no p value could be small enough to claim anything, or hardly.
LEAST_DRAWS: Final = 99
#: Random phases are drawn for the frequencies that hold this part of the variance of chance; it is scaled to the whole.
_SHARE: Final = 0.999
#: Spectra kept at once, bytes.
_BYTES: Final = 2**28
#: Draws whose phases are kept at once.
_DRAWS: Final = 250

#: A smaller share of the usual power than this is rounding.
_ROUNDING: Final = 1e-4
#: Unit vectors of all phases that are drawn.
_UNITS: Final = np.exp(2j * np.pi * np.arange(2**16) / 2**16).astype(np.complex64)

Float32 = NDArray[np.float32]
Spectra = NDArray[np.complex64]


@dataclass(frozen=True, slots=True, eq=False)
class GroupSynchrony:
    """Inter-subject correlation of a group. R rows, S sounds; the mean over rows that count comes last.

    Attributes
    ----------
    r, low, high : (R + 1,)
        Mean over pairs and sounds, and its 95 % interval over listeners; NaN where there is none.
    each : (S, R + 1)
        In each sound.
    chance : (R + 1,)
        What 95 % of draws stay below, of the kind of chance that is higher.
    p, p_family : (R + 1,)
        One-sided, against both kinds of chance: alone, and among the rows that count and their mean (of a row that does
        not count: among all rows).
    listeners : int
        Who make pairs.
    seconds : float
        Of all sounds.
    draws : int
        Of each kind of chance.
    counted : (R,)
        Which rows enter the mean.
    """

    r: FloatArray
    low: FloatArray
    high: FloatArray
    each: FloatArray
    chance: FloatArray
    p: FloatArray
    p_family: FloatArray
    listeners: int
    seconds: float
    draws: int
    counted: BoolArray

    @property
    def smallest_p(self) -> float:
        """The smallest family-wise p of the rows that count and of their mean; NaN if there is none."""
        family = self.p_family[np.append(self.counted, True)]
        return float(np.nanmin(family)) if np.isfinite(family).any() else float("nan")

    @property
    def synchronised(self) -> bool:
        """Whether the group is synchronised in any row that counts or in their mean."""
        return self.smallest_p < LEVEL


class _Frame(NamedTuple):
    """Responses (P, time, M * k) in which ``pairs`` are correlated; each counts by ``weight``."""

    group: FloatArray
    pairs: Sequence[tuple[int, int]]
    weight: float


class PairSums:
    """Gathers the correlations of all pairs, sound by sound, in place and moved.

    Parameters
    ----------
    layout
        How columns make rows.
    rate
        Of the responses, Hz.
    draws, seed
        Of each kind of chance, and of what random numbers.
    drift
        What is taken out of each response to a sound first: courses may merely trend.
    """

    def __init__(
        self,
        layout: RowLayout,
        rate: int,
        draws: int = 1000,
        seed: int = 0,
        drift: DriftSettings = DriftSettings(),  # noqa: B008 - it is frozen
    ) -> None:
        self._layout, self._rate, self._draws, self._drift = layout, rate, draws, drift
        self._rng = np.random.default_rng([seed, 15])
        self._seconds = 0.0
        self._sums: list[tuple[FloatArray, FloatArray]] = []
        self._moved = np.zeros((2, draws, layout.measured))

    @one_thread()
    def add(self, group: FloatArray) -> None:
        """Take the responses (P, time, M * k) of a sound, NaN where missing; all NaN for who did not hear it."""
        pairs = list(combinations(range(len(group)), 2))
        self._add(len(group), group.shape[1], [_Frame(group, pairs, 1.0)])

    @one_thread()
    def add_left_out(self, groups: Sequence[FloatArray]) -> None:
        """Take the same with rows that were fitted without each listener in turn: P times (P, time, M * k).

        A pair has the mean of its value in the rows that are without the one and in those without the other.
        """
        n = len(groups)
        frames = [_Frame(group, [(p, q) for q in range(n) if q != p], 0.5) for p, group in enumerate(groups)]
        self._add(n, groups[0].shape[1], frames)

    def found(self) -> GroupSynchrony:
        """Return what was gathered."""
        values, weights = (np.sum(part, axis=0) for part in zip(*self._sums, strict=True))
        total = weights.sum(axis=(0, 1))
        safe = np.where(total > 0, total, 1.0)
        z = self._rows(np.where(total > 0, values.sum(axis=(0, 1)) / safe, np.nan))
        moved = [self._rows(np.where(total > 0, kind / safe, np.nan)) for kind in self._moved]
        low, high = self._interval(z, values, weights)
        tests = [self._test(z, kind) for kind in moved]
        p, family = (np.max(np.stack(kinds), axis=0) for kinds in zip(*tests, strict=True))
        heard = weights.any(axis=(1, 2)) | weights.any(axis=(0, 2))
        return GroupSynchrony(
            r=np.tanh(z),
            low=np.tanh(low),
            high=np.tanh(high),
            each=np.tanh(np.stack([self._rows(_mean_of(v, w)) for v, w in self._sums])),
            chance=np.tanh(np.max([np.quantile(kind, 0.95, axis=0) for kind in moved], axis=0)),
            p=p,
            p_family=family,
            listeners=int(heard.sum()),
            seconds=self._seconds,
            draws=self._draws,
            counted=np.asarray(self._layout.counted),
        )

    def _rows(self, z: FloatArray) -> FloatArray:
        """Return Fisher z of measured rows (..., M) with averages and the mean over rows (..., R + 1)."""
        averages = [_mean(z[..., members]) for members in self._layout.averages]
        rows = np.concatenate([z, np.stack(averages, axis=-1)], axis=-1) if averages else z
        return np.concatenate([rows, _mean(rows[..., self._layout.counted])[..., None]], axis=-1)

    def _interval(self, z: FloatArray, values: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the ends of the jackknife's interval, from sums over pairs (P, P, M)."""
        without = []
        for person in range(len(weights)):
            if not (weights[person].any() or weights[:, person].any()):
                continue
            others = np.arange(len(weights)) != person
            left = np.ix_(others, others)
            without.append(self._rows(_mean_of(values[left], weights[left])))
        n = len(without)
        if n < 3:
            return np.full_like(z, np.nan), np.full_like(z, np.nan)
        each = np.stack(without)
        error = np.sqrt((n - 1) / n * ((each - each.mean(axis=0)) ** 2).sum(axis=0))
        reach = student_t.ppf(0.975, n - 1) * error
        return z - reach, z + reach

    def _test(self, z: FloatArray, moved: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return p (R + 1,) alone and family-wise, of values by their spread in chance."""
        spread = moved.std(axis=0)
        spread = np.where(spread > 0, spread, np.nan)
        value, chance = z / spread, moved / spread
        whole = p_values(value, chance)
        family = np.append(self._layout.counted, True)
        some = p_values(np.where(family, value, np.nan), chance)
        return whole.single, np.where(family, some.family, whole.family)

    def _add(self, people: int, time: int, frames: Sequence[_Frame]) -> None:
        values, weights = np.zeros((2, people, people, self._layout.measured))
        shifts = self._rng.integers(0, time, (self._draws, people))
        seed = int(self._rng.integers(2**62))
        for frame in frames:
            for rows in self._chunks(people, time):
                self._chunk(frame, rows, shifts, seed, values, weights)
        self._sums.append((values, weights))
        self._seconds += time / self._rate

    def _chunks(self, people: int, time: int) -> Iterator[slice]:
        """Yield the rows that are gone through together."""
        size = max(1, _BYTES // (4 * time * people * self._layout.k * 3))
        yield from (slice(a, min(a + size, self._layout.measured)) for a in range(0, self._layout.measured, size))

    def _chunk(  # noqa: PLR0917 - one sound's sums
        self, frame: _Frame, rows: slice, shifts: NDArray[np.intp], seed: int, values: FloatArray, weights: FloatArray
    ) -> None:
        k = self._layout.k
        basis = drift_basis(frame.group.shape[1], self._drift, 1 / self._rate)
        signals = _Signals(frame.group[:, :, rows.start * k : rows.stop * k], k, basis)
        for p, q in frame.pairs:
            if not (signals.heard[p] and signals.heard[q]):
                continue
            r, weight = signals.turned(p, q, np.append(0, shifts[:, q] - shifts[:, p]))
            z = weight * frame.weight * fisher_z(r)
            values[p, q, rows] += z[0]
            weights[p, q, rows] += weight * frame.weight
            self._moved[0][:, rows] += z[1:]
        for start in range(0, self._draws, _DRAWS):
            draws = slice(start, min(start + _DRAWS, self._draws))
            phases = _phases(len(frame.group), draws, signals.kept, seed)
            for p, q in frame.pairs:
                if signals.heard[p] and signals.heard[q]:
                    r, weight = signals.randomised(p, q, phases)
                    self._moved[1][draws, rows] += weight * frame.weight * fisher_z(r)


class _Signals:
    """Responses (P, time, M * k) of a sound with what correlations of them moved need.

    ``kept`` are the frequencies, as numbers, that hold nearly all of the variance of chance.
    """

    def __init__(self, group: FloatArray, k: int, basis: FloatArray) -> None:
        people, self._time, columns = group.shape
        finite: BoolArray = np.isfinite(group)
        present = np.asarray(finite.reshape(people, self._time, columns // k, k).all(axis=3))
        x = _without_drifts(np.where(present.repeat(k, axis=2), group, 0.0), present.repeat(k, axis=2), basis)
        self.heard = np.asarray(present.reshape(people, -1).any(axis=1))
        self._spectra = _by_part(x, k)
        power = (x * x).reshape(people, self._time, columns // k, k).sum(axis=3)
        self._power = power.sum(axis=1)
        self._gaps = not present[self.heard].all()
        if self._gaps:
            self._there, self._powers = _spectrum(present), _spectrum(power)
        self.kept, self._share = self._most_of_chance()

    def turned(self, p: int, q: int, turns: NDArray[np.intp]) -> tuple[FloatArray, FloatArray]:
        """Return Pearson's r (turns, M) of p and q with q turned against p, and the instants of both in place (M,).

        The first turn is none.
        """
        cross = np.sum([part[p] * part[q].conj() for part in self._spectra], axis=0)
        joint, both, usual = self._at(cross, turns), self._joint(p, q), np.sqrt(self._power[p] * self._power[q])
        if not self._gaps:
            return _ratio(joint, usual), np.where(usual > 0, both, 0.0)
        one = self._at(self._powers[p] * self._there[q].conj(), turns)
        other = self._at(self._there[p] * self._powers[q].conj(), turns)
        scale = np.sqrt(np.maximum(one, 0.0) * np.maximum(other, 0.0))
        # What transforms leave of nothing is no power.
        scale = np.where(scale > _ROUNDING * usual, scale, 0.0)
        return _ratio(joint, scale), np.where(scale[0] > 0, both, 0.0)

    def randomised(self, p: int, q: int, phases: Spectra) -> tuple[FloatArray, FloatArray]:
        """Return r (draws, M) with the phases of both moved, and the weight of the pair in place (M,)."""
        cross = np.sum([a[p][self.kept] * a[q][self.kept].conj() for a in self._spectra], axis=0)
        turn = phases[p] * phases[q].conj()
        joint = turn.real @ cross.real - turn.imag @ cross.imag
        scale = np.sqrt(self._power[p] * self._power[q])
        both = self._joint(p, q)
        # Gaps are smeared by new phases: as much data as there is of both in place tells how wide chance is.
        wider = np.sqrt(self._time / np.maximum(both, 1.0) / self._share)
        weight = np.where(scale > 0, both, 0.0)
        return np.clip(_ratio(2 / self._time * joint, scale) * wider, -1.0, 1.0), weight

    def _at(self, cross: Spectra, turns: NDArray[np.intp]) -> FloatArray:
        """Return the products (turns, M) of a cross-spectrum at some turns."""
        whole: Float32 = irfft(cross, self._time, axis=0)
        return np.asarray(whole[turns % self._time], np.float64)

    def _joint(self, p: int, q: int) -> FloatArray:
        """Return the instants (M,) at which both have a value."""
        if not self._gaps:
            return np.full(self._power.shape[1], float(self._time))
        products = self._there[p] * self._there[q].conj()
        twice = 2 * products.real.sum(axis=0) - products[0].real
        if self._time % 2 == 0:
            twice -= products[-1].real
        return np.asarray(np.rint(twice / self._time), np.float64)

    def _most_of_chance(self) -> tuple[NDArray[np.intp], FloatArray]:
        """Return the frequencies that hold most of the variance of chance, and what share of it in each row (M,)."""
        power = sum(np.square(np.abs(part[self.heard])) for part in self._spectra)
        mean = np.asarray(power, np.float64).mean(axis=0)
        # Neither the mean nor the last one of an even number has a phase to draw.
        mean[0] = 0.0
        if self._time % 2 == 0:
            mean[-1] = 0.0
        of_row = mean**2 / np.maximum((mean**2).sum(axis=0), np.finfo(np.float64).tiny)
        order = np.argsort(-of_row.mean(axis=1))
        held = np.cumsum(of_row.mean(axis=1)[order])
        kept = np.sort(order[: int(np.searchsorted(held, _SHARE * held[-1])) + 1])
        return kept, np.maximum(of_row[kept].sum(axis=0), 0.5)


def _phases(people: int, draws: slice, kept: NDArray[np.intp], seed: int) -> Spectra:
    """Return unit vectors (P, draws, frequencies) of random phases: the same for the same draws of the same sound."""
    rng = np.random.default_rng([seed, draws.start])
    places = rng.integers(0, len(_UNITS), (people, draws.stop - draws.start, len(kept)), np.uint16)
    return np.asarray(_UNITS[places])


def _by_part(x: FloatArray, k: int) -> list[Spectra]:
    """Return the spectra (P, frequencies, M) of each of the k parts of rows."""
    return [_spectrum(x[:, :, part::k]) for part in range(k)]


def _spectrum(values: NDArray[np.generic]) -> Spectra:
    return np.asarray(rfft(np.asarray(values, np.float32), axis=1), np.complex64)


def _without_drifts(x: FloatArray, present: BoolArray, basis: FloatArray) -> FloatArray:
    """Return ``x`` (P, time, columns) less its drifts, by least squares where it is ``present``; zero elsewhere."""
    left = next(iter(left_of(basis, _lines(present), [_lines(x)])))
    return np.moveaxis(left.reshape(x.shape[0], x.shape[2], x.shape[1]), 2, 1)


def _lines(x: NDArray[Any]) -> NDArray[Any]:
    """Return (P, time, columns) as lines (P * columns, time)."""
    return np.moveaxis(x, 1, 2).reshape(-1, x.shape[1])


def _ratio(joint: FloatArray, scale: FloatArray) -> FloatArray:
    there = scale > 0
    return np.clip(np.where(there, joint / np.where(there, scale, 1.0), 0.0), -1.0, 1.0)


def _mean_of(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the weighted mean (M,) over pairs (P, P, M); NaN where none has weight."""
    total = weights.sum(axis=(0, 1))
    return np.where(total > 0, values.sum(axis=(0, 1)) / np.where(total > 0, total, 1.0), np.nan)


def _mean(z: FloatArray) -> FloatArray:
    """Return the mean (...,) over the last axis of what is finite; NaN where nothing is."""
    present = np.isfinite(z)
    count = present.sum(axis=-1)
    return np.where(count > 0, np.where(present, z, 0.0).sum(axis=-1) / np.maximum(count, 1), np.nan)
