"""Observed synchrony step by step: each step costs the new second, not the window.

A window's correlation follows from sums over its seconds, and a window that is displaced by whole seconds shares nine
of ten of its seconds with the one before. So each new second is multiplied once with the partner's seconds at every
lag, and what leaves the window is taken off again. The result is that of correlating whole windows.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import FloatArray
from rtaffect.common.correlation import JointSums, fisher_mean, fisher_z, pearson
from rtaffect.common.settings import SynchronySettings
from rtaffect.observed.reversal import reversed_sums
from rtaffect.observed.seconds import PlacedReference, Seconds
from rtaffect.observed.spectra import RESOLVED, spread_factors
from rtaffect.observed.synchrony import Observation, RowLayout, others_mean, summarise

#: What is said while most of the null's windows have other spectra than now.
CHANGED: Final = "the EEG has changed since the windows of the null band, as when eyes close: for about a minute it is "
#: The null is then of the newest window, or, where that is too short for a band, of windows of before all the same.
BY_WINDOW: Final = CHANGED + "that of the newest window alone"
BY_SPECTRA: Final = CHANGED + "an estimate from the spectra, and somewhat too narrow"
#: From this factor on, of what is compared now over the null's windows (median), that is said.
_MOST_ALIKE: Final = 1.25


class Observer:
    """Correlates people with a partner series, in place and displaced by whole seconds.

    Parameters
    ----------
    people, partner
        What is compared; the partner is one for all, or one for each.
    settings
        Window, least good fraction, and the null.
    layout
        How columns make rows.
    reach
        Furthest lags of displaced windows, s: partner later than the person, and earlier.
    mutual
        Whether the partners are the people themselves. In place each pair then enters the mean over people twice with
        the same value, displaced with two independent ones: that mean has twice the variance of the displaced ones,
        for any number of people, and the null band is widened accordingly.
    partners_each
        How many partners a person has: ``people`` and ``partner`` then hold all of the people with their first
        partners, all with their second ones, and so on, and what is found is averaged over them by Fisher z.
    """

    def __init__(
        self,
        people: Seconds,
        partner: Seconds,
        settings: SynchronySettings,
        layout: RowLayout,
        reach: tuple[int, int],
        *,
        mutual: bool,
        partners_each: int = 1,
    ) -> None:
        self._people, self._partner, self._settings, self._mutual = people, partner, settings, mutual
        self._layout, self._partners_each = layout, partners_each
        self._ahead, back = reach
        self._lags = np.arange(-self._ahead, back + 1)
        beyond = np.abs(self._lags) - settings.null_separation_s
        displaced = np.flatnonzero((beyond >= 0) & (beyond % settings.null_stride_s == 0))
        self._chosen = np.concatenate([[self._ahead], displaced])
        # Beside the joint sums, three of powers.
        sums = (len(JointSums._fields) + 3, people.people, people.rows, len(self._lags))
        self._kept, self._total = np.zeros((settings.window_s, *sums)), np.zeros(sums)
        self._turn = 0
        #: What is to be said of the null band of the newest observation; empty where it is as always.
        self.notice = ""

    def add(self, at: int) -> None:
        """Take in the people's newest second; ``at`` is the number of the partner's second at the same time."""
        slot = self._kept[self._turn % len(self._kept)]
        self._turn += 1
        self._total -= slot
        slot[:] = 0.0
        first, stop = max(self._partner.first, at - int(self._lags[-1])), min(self._partner.stop, at + self._ahead + 1)
        if first < stop:
            place = np.arange(at - first, at - stop, -1) + self._ahead
            for field, sums in zip(slot, self._sums(first, stop), strict=True):
                field[..., place] = sums
        self._total += slot

    def _sums(self, first: int, stop: int) -> tuple[FloatArray, ...]:
        """Return the sums of the people's newest second and each of the partner's, (people, rows, seconds).

        Over blocks, of which a missing one is zero in all of its numbers; where one is there in part, over samples.
        """
        people, partner, size = self._people, self._partner, self._people.block
        me = people.stop - 1, people.stop
        # (people, rows, blocks, 3): count, sum and sum of squares.
        mine = np.moveaxis(people.moments(*me)[..., 0, :], 0, -1) / size
        there, theirs, their_power = partner.moments(first, stop)
        ragged = people.ragged(*me) | partner.ragged(first, stop)
        power, other = people.power(*me), partner.power(first, stop)
        # Most of the time goes into reading what is kept of minutes: each part of it is read but once.
        count, my_sum, my_squares = np.moveaxis(there @ mine, -1, 0)
        here = mine[..., :1]
        found = (
            count,
            my_sum,
            (theirs @ here)[..., 0],
            my_squares,
            np.vecdot(partner.values(first, stop), people.values(*me)),
            (their_power @ here)[..., 0],
            np.vecdot(partner.powers(first, stop), people.powers(*me)),
            power * (other > 0),
            other * (power > 0),
        )
        if ragged.any():
            self._mend(found, ragged, first, stop)
        return found

    def _mend(self, found: tuple[FloatArray, ...], ragged: NDArray[np.bool_], first: int, stop: int) -> None:
        """Put the sums over samples in the place of those over blocks, for the ``ragged`` pairs of seconds."""
        person, row, second = np.nonzero(ragged)
        other = person if self._partner.people > 1 else 0 * person
        x = self._people.values(self._people.stop - 1, self._people.stop)[person, row, 0]
        here = self._people.there(self._people.stop - 1, self._people.stop)[person, row, 0]
        y = self._partner.values(first, stop)[other, row, second]
        there = self._partner.there(first, stop)[other, row, second]
        sums = [np.einsum("is,is->i", a, b, dtype=np.float64) for a, b in ((here, there), (x, there), (here, y))]
        sums += [np.einsum("is,is->i", a, b) for a, b in ((x * x, there), (x, y), (here, y * y))]
        for field, each in zip(found, sums, strict=False):
            field[person, row, second] = each

    def observe(self, at: int, withheld: NDArray[np.bool_] | None = None) -> Observation:
        """Return the observation of the window whose last second is the partner's second ``at``.

        People who are ``withheld`` (people,) have no value, and no part in the means.
        """
        window = self._settings.window_s
        least = math.ceil(self._settings.min_good * window * self._people.rate)
        last = at - self._lags[self._chosen]
        whole = (last - window + 1 >= self._partner.begin) & (last < self._partner.stop)
        *joint, common, one, other = self._total[..., self._chosen]
        found, mutual = pearson(JointSums(*joint), least, self._layout.k), self._mutual
        self.notice = ""
        if self._settings.signal in RESOLVED:
            # What is compared at other times spreads as it would with the spectra of now.
            factors = spread_factors(common, one, other, self._layout.k)
            found[..., 1:] = np.tanh(fisher_z(found) * factors)[..., 1:]
            there = whole[1:] & np.isfinite(found[..., 1:])
            if there.any() and float(np.median(factors[..., 1:][there])) > _MOST_ALIKE:
                whole_window = window >= self._settings.null_least and self._people.stop - window >= self._people.first
                self.notice = BY_WINDOW if whole_window else BY_SPECTRA
        if self.notice == BY_WINDOW:
            found, mutual = self._of_window(at, found[..., :1], np.stack([common, one, other])[..., :1], least), False
            whole = np.broadcast_to(whole[:1], found.shape[-1])
        values = np.where(whole, found, np.nan).transpose(0, 2, 1)
        if self._partners_each > 1:
            values = fisher_mean(values.reshape(self._partners_each, -1, *values.shape[1:]), axis=0)
        if withheld is not None:
            values[withheld] = np.nan
        circle = self.notice == BY_WINDOW
        return summarise(values, self._settings, self._layout, mutual=mutual, circle=circle)

    def _of_window(self, at: int, in_place: FloatArray, powers: FloatArray, least: int) -> FloatArray:
        """Return the correlation in place and those of the same window backwards (people, rows, 1 + turns)."""
        joint, backwards = reversed_sums(self._people, self._partner, at, self._settings.window_s)
        common, one, other = np.concatenate([powers, np.stack(backwards)], axis=-1)
        factors = spread_factors(common, one, other, self._layout.k)
        chance = np.tanh(fisher_z(pearson(joint, least, self._layout.k)) * factors[..., 1:])
        return np.concatenate([in_place, chance], axis=-1)


class ReferenceObserver:
    """Observes people against a stored reference, which may be laid elsewhere as the session goes on.

    Parameters
    ----------
    people
        Number of people.
    reference
        (time, M * k) at ``rate``; NaN where missing.
    onset
        When the reference starts, samples after the session's zero; None while that is not known.
    rate
        Samples per second.
    settings, layout
        How columns make rows, and rows are compared.
    """

    def __init__(
        self,
        people: int,
        reference: NDArray[np.floating],
        onset: int | None,
        rate: int,
        settings: SynchronySettings,
        *,
        layout: RowLayout,
    ) -> None:
        self._size, self._reference, self._rate = people, reference, rate
        self._settings, self._layout = settings, layout
        # What the window holds, to be compared anew where the reference is laid elsewhere.
        self._recent: deque[FloatArray] = deque(maxlen=settings.window_s)
        self._next = 0
        self._onset: int | None = None
        self._observer: Observer | None = None
        if onset is not None:
            self.place(onset)

    @property
    def notice(self) -> str:
        """What is to be said of the newest null band: where most of its windows had other spectra than now."""
        return "" if self._observer is None else self._observer.notice

    def place(self, onset: int, reference: NDArray[np.floating] | None = None) -> None:
        """Let the reference, or another one, start ``onset`` samples after the session's zero, for the whole window.

        The seconds of the window are taken in again: what is kept are sums over them, of each lag, so the displaced
        windows of the null follow, too.
        """
        if onset == self._onset and (reference is None or reference is self._reference):
            return
        if reference is not None:
            self._reference = reference
        self._onset, first = onset, self._next - len(self._recent)
        reach = self._settings.null_history_s - self._settings.window_s
        kept = self._settings.signal in RESOLVED
        self._placed = PlacedReference(self._reference, onset, self._rate, first, reach, spectra=kept)
        keep, columns = self._settings.window_s, self._reference.shape[1]
        self._people = Seconds(self._size, columns, self._rate, keep, first, spectra=kept)
        self._observer = Observer(
            self._people, self._placed.seconds, self._settings, self._layout, (reach, reach), mutual=False
        )
        for second in self._recent:
            self._add(second)

    def __call__(self, second: FloatArray, withheld: NDArray[np.bool_] | None = None) -> Observation | None:
        """Take in the next second (people, rate, M * k); return its observation, None outside the reference.

        People who are ``withheld`` (people,) have no value.
        """
        self._recent.append(second)
        self._next += 1
        if self._onset is None:
            return None
        at = self._add(second)
        if self._observer is None or not self._placed.covers(at, self._settings.window_s):
            return None
        return self._observer.observe(at, withheld)

    def forget(self, seconds: NDArray[np.bool_]) -> None:
        """Do nothing with ``seconds`` (people, window) that were in doubt: nobody is compared with these people."""

    def _add(self, second: FloatArray) -> int:
        at = self._placed.beside(self._people.stop)
        self._people.append(second)
        if self._observer is not None:
            self._observer.add(at)
        return at


class GroupObserver:
    """Observes people against the mean of the others who are here, or against each of them if settings say pairwise.

    So that no amplifier with a larger gain dominates that mean, each second of a person's row is divided by its root
    mean square over the last ``null_history_s`` seconds. The null follows the spectra of both sides, where ``spectra``
    says so: a second does not tell those of courses slower than that.
    """

    def __init__(
        self, people: int, rate: int, settings: SynchronySettings, *, layout: RowLayout, spectra: bool = True
    ) -> None:
        keep, self._window, self._k = settings.null_history_s, settings.window_s, layout.k
        columns, everybody = layout.measured * layout.k, np.arange(people)
        self._recent = np.zeros((keep, 2, people, columns))
        # Who is compared with whom; with the mean of the others, each once.
        self._who = self._with = everybody
        if settings.method == "pairwise":
            self._who = np.tile(everybody, people - 1)
            self._with = np.concatenate([np.roll(everybody, -turn) for turn in range(1, people)])
        self._pairwise = settings.method == "pairwise"
        self._rate, self._settings, self._layout = rate, settings, layout
        self._spectra = spectra and settings.signal in RESOLVED
        self._others = Seconds(len(self._who), columns, rate, keep, spectra=self._spectra)
        # What the window holds, to be compared anew where a part of it turns out not to be what it seemed.
        self._inside: deque[FloatArray] = deque(maxlen=self._window)
        # Of each second, by person and row, the sum over instants of 1 / others, and how many instants have others.
        self._company: deque[FloatArray] = deque(maxlen=self._window)
        self._begin()

    def __call__(self, second: FloatArray, withheld: NDArray[np.bool_] | None = None) -> Observation | None:
        """Take in the next second (people, rate, M * k); return its observation, None before the first window.

        People who are ``withheld`` (people,) have no value.
        """
        at = self._others.stop
        scaled = self._scaled(second, at)
        self._inside.append(scaled)
        self._company.append(self._others_there(scaled))
        self._others.append(self._partners(scaled))
        self._add(scaled, at)
        return self._observer.observe(at, withheld) if at + 1 >= self._window else None

    @property
    def notice(self) -> str:
        """What is to be said of the newest null band: where most of its windows had other spectra than now."""
        return self._observer.notice

    def company(self, has_value: NDArray[np.bool_]) -> FloatArray:
        """Return sums (2, M) over the window of 1 / others, and of instants, by which a group's size is told.

        ``has_value`` (people, M): whose are counted.
        """
        return np.asarray(np.where(has_value, np.sum(self._company, axis=0), 0.0).sum(axis=1))

    def _others_there(self, scaled: FloatArray) -> FloatArray:
        there = np.isfinite(scaled[:, :, :: self._k])
        others = there.sum(axis=0) - there
        each = np.minimum(others, 1) if self._pairwise else others
        counts = there & (others > 0)
        return np.stack([np.where(counts, 1.0 / np.maximum(each, 1), 0.0).sum(axis=1), counts.sum(axis=1)])

    def forget(self, seconds: NDArray[np.bool_]) -> None:
        """Let ``seconds`` (people, window), of a window's oldest first, be missing: they are not what they seemed.

        The newest of the window is still to come. The sums over the window are made anew, without them on either side.
        """
        first = self._others.stop - len(self._inside)
        for place, each in enumerate(self._inside):
            back = len(self._inside) - place
            gone = seconds[:, -1 - back] if back < seconds.shape[1] else np.zeros(len(seconds), np.bool_)
            if np.isfinite(each[gone]).any():
                self._inside[place] = scaled = np.where(gone[:, None, None], np.nan, each)
                self._company[place] = self._others_there(scaled)
                self._others.replace(first + place, self._partners(scaled))
        self._begin(first)
        for place, scaled in enumerate(self._inside):
            self._add(scaled, first + place)

    def _begin(self, first: int = 0) -> None:
        """Begin to sum up, from second ``first`` on."""
        pairs, people = len(self._who), self._recent.shape[2]
        self._people = Seconds(pairs, self._others.rows, self._rate, self._window, first, spectra=self._spectra)
        reach = (0, self._settings.null_history_s - self._window)
        self._observer = Observer(
            self._people, self._others, self._settings, self._layout, reach, mutual=True, partners_each=pairs // people
        )

    def _add(self, scaled: FloatArray, at: int) -> None:
        self._people.append(scaled[self._who])
        self._observer.add(at)

    def _partners(self, scaled: FloatArray) -> FloatArray:
        return scaled[self._with] if self._pairwise else others_mean(scaled)

    def _scaled(self, second: FloatArray, at: int) -> FloatArray:
        """Return a second (people, rate, M * k), each row divided by its recent root mean square."""
        there = np.isfinite(second)
        self._recent[at % len(self._recent)] = there.sum(axis=1), (np.where(there, second, 0.0) ** 2).sum(axis=1)
        count, total = self._recent.sum(axis=0)
        power = (total / np.maximum(count, 1)).reshape(len(second), -1, self._k).sum(axis=-1)
        scale = np.sqrt(power).repeat(self._k, axis=-1)
        return np.asarray(second / np.where(scale > 0, scale, 1.0)[:, None])
