"""Correlated components: spatial filters whose output is as alike as can be in all who hear the same sound.

Dmochowski et al., *Front. Hum. Neurosci.* 6:112, 2012; Parra, Haufe & Dmochowski, arXiv 1801.08881, 2018: R_b is the
covariance between people, summed over pairs of them, R_w that within them, and a filter w maximises w'R_b w / w'R_w w.
Shrinkage as in Cohen & Parra, *eNeuro* 3(6), 2016. Filters that have seen a person find synchrony in that person's
noise, so each is to be judged by filters that were fitted without them: :func:`leave_one_out`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.optimize import linear_sum_assignment

from rtaffect.common.errors import MontageError, RecordingError, SettingsError
from rtaffect.common.threads import one_thread, threads_for

Array = NDArray[np.float64]

#: Instants taken at once.
_CHUNK: Final = 4096
#: Directions with less than this share of the strongest one's variance are none: an average reference takes one away.
_RANK: Final = 1e-10
#: Power that is a smaller share of the power about zero is rounding: the signal is flat.
_FLAT: Final = 1e-20


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """Filters that make components of EEG, the most alike between people first; n components, C channels.

    Attributes
    ----------
    filters : (n, C) float64
        Times EEG (C, time): each component's course. It has unit variance for ``covariance``.
    forward : (C, n) float64
        What each component looks like over the channels, R_w W (W'R_w W)^-1 (Haufe et al., *NeuroImage* 87, 2014).
        The sign of a component is such that its largest entry is positive.
    isc : (n,) float64
        Inter-subject correlation in the data of the fit, w'R_b w / ((P - 1) w'R_w w); too good for those people.
    covariance : (C, C) float64
        R_w / P: the mean covariance within a person, the channels of each having a mean variance of 1; no eigenvalue is
        negative.
    """

    filters: Array
    forward: Array
    isc: Array
    covariance: Array


class Moments:
    """Sums up what correlated components need of a group's EEG, sound by sound; holds no EEG.

    Parameters
    ----------
    people, channels
        How many; the same for all sounds, in the same order. Memory goes with the square of their product.
    """

    def __init__(self, people: int, channels: int) -> None:
        self.people, self.channels = people, channels
        # Sums of products, and instants at which both are there, of (person, channel) with (person, channel).
        self._sums = np.zeros((people * channels, people * channels))
        self._counts = np.zeros((people * channels, people * channels))

    def add(self, group: Array) -> None:
        """Take in one sound.

        Each channel is centred, and each person divided by one number, the root mean square over what they have of
        this sound: no amplifier with a larger gain dominates, and the pattern over channels stays.

        Parameters
        ----------
        group
            (people, time, channels), V, on one time grid; NaN where missing or bad.
        """
        if group.ndim != 3 or group.shape[::2] != (self.people, self.channels):
            raise ValueError(f"the group is {group.shape}, expected ({self.people}, time, {self.channels})")
        each = [_centre_and_scale(person) for person in group]
        centre, scale = np.stack([c for c, _ in each]), np.array([s for _, s in each])
        for start in range(0, group.shape[1], _CHUNK):
            block = group[:, start : start + _CHUNK].transpose(1, 0, 2)
            value = ((block - centre) / scale[:, None]).reshape(len(block), -1)
            present = np.isfinite(value)
            value = np.where(present, value, 0.0)
            with threads_for(len(value) * len(self._sums) ** 2):
                self._sums += value.T @ value
                # Whole numbers: exact, as a chunk is shorter than 2^24.
                there = present.astype(np.float32)
                self._counts += there.T @ there

    def covariances(self, leave_out: int | None = None) -> tuple[Array, Array]:
        """Return the mean covariance within a person and that between two, each (channels, channels).

        A pair of channels is averaged over all people (or ordered pairs of them) and instants that have both: where a
        channel of one person is bad, their others still count.

        Parameters
        ----------
        leave_out
            Number of a person who does not count, from 0.

        Raises
        ------
        MontageError
            If too few people have a channel.
        """
        if leave_out is not None and not 0 <= leave_out < self.people:
            raise ValueError(f"cannot leave out person {leave_out} of {self.people}; they count from 0")
        counts = (np.arange(self.people) != leave_out).astype(np.float64)
        same = np.diag(counts)
        return self._mean(same), self._mean(np.outer(counts, counts) - same)

    def _mean(self, pairs: Array) -> Array:
        """Return the covariance (channels, channels) over ``pairs`` (people, people), 1 for those that count."""
        shape = (self.people, self.channels, self.people, self.channels)
        total = np.einsum("ij,icjd->cd", pairs, self._sums.reshape(shape))
        count = np.einsum("ij,icjd->cd", pairs, self._counts.reshape(shape))
        lacking = (count == 0).sum(axis=0)
        if lacking.any():
            raise MontageError(
                f"channel number {int(lacking.argmax())} (the first is 0) is missing or bad in too many of "
                f"{int((pairs.sum(axis=0) > 0).sum())} people: two of them must have it, and every other channel, at "
                "the same time; leave that channel out"
            )
        mean = total / count
        return np.asarray((mean + mean.T) / 2)


@one_thread()
def fit(moments: Moments, n_components: int = 3, gamma: float = 0.1, leave_out: int | None = None) -> Components:
    """Fit filters to a group: the leading generalised eigenvectors of R_b and the regularised R_w.

    R_w is replaced by (1 - gamma) R_w + gamma m I, m being the mean of its eigenvalues.

    Parameters
    ----------
    moments
        The group's.
    n_components
        Number of components.
    gamma
        Shrinkage, in [0, 1).
    leave_out
        Number of a person to fit without, from 0.

    Raises
    ------
    RecordingError
        If there are fewer than two people beside the one left out.
    SettingsError
        If ``gamma`` or ``n_components`` is out of range.
    MontageError
        If too few people have a channel.
    """
    _check_people(moments.people, left_out=leave_out is not None)
    if not 0 <= gamma < 1:
        raise SettingsError(f"gamma = {gamma:g} is no shrinkage; expected 0 or more and less than 1, as in 0.1")
    if not 1 <= n_components <= moments.channels:
        raise SettingsError(
            f"n_components = {n_components}, but there are {moments.channels} channels; ask for 1 to "
            f"{moments.channels} components"
        )
    within, between = moments.covariances(leave_out)
    return _solve(within, between, n_components, gamma)


@one_thread()
def leave_one_out(moments: Moments, whole: Components, gamma: float) -> list[Components]:
    """Fit without each person in turn; as many components as ``whole`` has, in its order and with its signs.

    Without one person, neighbours of alike strength may change places, and signs are arbitrary: components are paired
    such that their absolute correlations, for the covariance of ``whole``, have the largest sum. Only order and sign
    come from ``whole``; what the filters are does not depend on the person left out.

    Parameters
    ----------
    moments, gamma
        As ``whole`` was fitted to.
    whole
        The fit to all.

    Returns
    -------
    list of Components
        One for each person.

    Raises
    ------
    RecordingError, SettingsError, MontageError
        As :func:`fit`; there must be three people.
    """
    _check_people(moments.people, left_out=True)
    fits = (fit(moments, len(whole.filters), gamma, person) for person in range(moments.people))
    return [_matched(one, whole) for one in fits]


def _check_people(people: int, *, left_out: bool) -> None:
    least = 3 if left_out else 2
    if people < least:
        raise RecordingError(
            f"correlated components {'that leave one person out ' if left_out else ''}need at least {least} people, "
            f"but there {'is' if people == 1 else 'are'} {people}; add recordings of others to the same sounds"
        )


def _centre_and_scale(person: Array) -> tuple[Array, float]:
    """Return means (channels,) and root mean square of what is there of ``person`` (time, channels); NaN if flat."""
    present = np.isfinite(person)
    count = present.sum(axis=0)
    value = np.where(present, person, 0.0)
    centre = value.sum(axis=0) / np.maximum(count, 1)
    power = float((np.where(present, value - centre, 0.0) ** 2).sum())
    varies = power > _FLAT * float((value**2).sum())
    return centre, math.sqrt(power / count.sum()) if varies else math.nan


def _solve(within: Array, between: Array, n_components: int, gamma: float) -> Components:
    """Return the components of two covariances (channels, channels)."""
    values, vectors = np.linalg.eigh(within)
    # Averages over different instants need not make a covariance; the nearest that is one has no negative eigenvalue.
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    within = root @ root.T
    basis = vectors[:, values > _RANK * values[-1]]
    if basis.shape[1] < n_components:
        raise SettingsError(
            f"n_components = {n_components}, but the EEG has only {basis.shape[1]} independent channels; ask for fewer"
        )
    shrunk = (1 - gamma) * within + gamma * np.trace(within) / len(within) * np.eye(len(within))
    found: Array = eigh(basis.T @ between @ basis, basis.T @ shrunk @ basis)[1]
    filters = (basis @ found[:, : -n_components - 1 : -1]).T
    variance = _quadratic(filters, within)
    filters /= np.sqrt(variance)[:, None]
    forward = np.asarray(np.linalg.solve(filters @ within @ filters.T, filters @ within), np.float64)
    largest = np.take_along_axis(forward, np.abs(forward).argmax(axis=1)[:, None], axis=1)
    sign = np.where(largest < 0, -1.0, 1.0)
    return Components(filters * sign, np.asarray((forward * sign).T), _quadratic(filters, between), within)


def _quadratic(filters: Array, covariance: Array) -> Array:
    """Return w'R w (n,) of each row of ``filters`` (n, channels)."""
    return np.asarray(np.einsum("nc,cd,nd->n", filters, covariance, filters))


def _matched(one: Components, whole: Components) -> Components:
    """Return ``one`` with the order and the signs of ``whole``."""
    alike = whole.filters @ whole.covariance @ one.filters.T
    alike /= np.sqrt(_quadratic(one.filters, whole.covariance))
    order: NDArray[np.intp] = linear_sum_assignment(-np.abs(alike))[1]
    sign = np.where(alike[np.arange(len(order)), order] < 0, -1.0, 1.0)
    return replace(
        one, filters=one.filters[order] * sign[:, None], forward=one.forward[:, order] * sign, isc=one.isc[order]
    )
