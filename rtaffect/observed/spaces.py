"""Spaces: what the rows of synchrony are, and how a headset's channels become their courses, second by second.

A space takes a second of clean channels in which NaN marks what is missing or bad, and gives the rows' courses from the
channels that are there. Nothing here knows time: the same second gives the same courses, live and offline.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import ClassVar, Literal

import numpy as np

from rtaffect.common.arrays import BoolArray, FloatArray
from rtaffect.common.errors import MontageError, under
from rtaffect.common.montage import columns_for, common_rows
from rtaffect.observed.inverse import Reweighting
from rtaffect.observed.operator import LEAST_CHANNELS, LEAST_SPECIFICITY, Operator
from rtaffect.observed.synchrony import RowLayout

Kind = Literal["channels", "regions", "components", "ratings"]

#: Matrices for so many sets of good channels are kept.
_KEPT = 32


class Space(ABC):
    """What the rows are.

    Attributes
    ----------
    kind
        Name of the space.
    channels
        Channels that it reads, in order.
    rows
        Names of all rows, the measured ones first.
    row_kinds
        What each row is: channel, zone, region, group, component or rating.
    specificity
        (rows,) How much of a row's estimated power is its own; 1 where nothing is estimated.
    layout
        How courses make rows.
    """

    kind: ClassVar[Kind]

    def __init__(
        self,
        channels: Sequence[str],
        rows: Sequence[str],
        row_kinds: Sequence[str],
        specificity: FloatArray,
        layout: RowLayout,
    ) -> None:
        self.channels, self.rows, self.row_kinds = tuple(channels), tuple(rows), tuple(row_kinds)
        self.specificity, self.layout = specificity, layout

    @property
    def resolved(self) -> BoolArray:
        """Which rows (rows,) this montage can tell apart from the rest: enough of their power is their own."""
        return self.specificity >= LEAST_SPECIFICITY

    @property
    def mean_of(self) -> str:
        """Over what the mean over rows is taken, in words."""
        kinds = [kind for kind, counts in zip(self.row_kinds, self.layout.counted, strict=True) if counts]
        return f"{len(kinds)} {kinds[0]}{'s' if len(kinds) > 1 else ''}" if kinds else "no rows"

    @abstractmethod
    def time_courses(self, second: FloatArray) -> FloatArray:
        """Return the courses (n, M * k) of a second of channels (n, C), V; NaN where too little is there."""

    @abstractmethod
    def fit_to(self, montages: Mapping[str, Sequence[str]]) -> Space:
        """Return the space for headsets with these channels, by the headset's name.

        Raises
        ------
        MontageError
            If one has too few of the channels.
        """


class _Projected(Space):
    """Rows whose courses are a matrix product with the channels that are good throughout a second."""

    def _project_by(self, matrix_for: Callable[[BoolArray], FloatArray], least: int) -> None:
        """Take the matrix (M * k, used channels) for channels (C,); with fewer than ``least`` there are no courses."""
        self._least = least
        self._matrix_for = lru_cache(_KEPT)(lambda used: matrix_for(np.frombuffer(used, np.bool_)))

    def time_courses(self, second: FloatArray) -> FloatArray:
        """Return the courses, A m of regions and V of components, from the channels that are good throughout."""
        used = usable(second)
        if used.sum() < self._least:
            return np.full((len(second), self.layout.measured * self.layout.k), np.nan)
        return np.asarray(second[:, used] @ self._matrix_for(used.tobytes()).T)


class ChannelSpace(Space):
    """Rows are the channels themselves.

    Parameters
    ----------
    channels
        Their names.
    average_reference
        Whether each is taken against the mean of those that are good.
    """

    kind = "channels"

    def __init__(self, channels: Sequence[str], average_reference: bool = False) -> None:
        n = len(channels)
        super().__init__(channels, channels, ["channel"] * n, np.ones(n), RowLayout.plain(n))
        self._average_reference = average_reference

    def time_courses(self, second: FloatArray) -> FloatArray:
        """Return each channel that is there, against the mean of the good ones if that is asked for."""
        if not self._average_reference:
            return second
        used = usable(second)
        if used.sum() < 2:
            return np.full_like(second, np.nan)
        return np.asarray(second - second[:, used].mean(axis=1, keepdims=True))

    def fit_to(self, montages: Mapping[str, Sequence[str]]) -> Space:
        """Return the rows whose channels all the headsets have."""
        return ChannelSpace(common_rows(montages, self.channels), self._average_reference)


class RegionSpace(_Projected):
    """Rows are the atlas' regions, and a montage's zones and the named groups of regions as averages of those.

    The mean over rows is over the trustworthy zones: regions that a montage cannot tell apart would be counted several
    times.

    Parameters
    ----------
    operator
        Made for the montage.
    fitted
        The same operator for the channels that are there in this session, whose shares are told.
    """

    kind = "regions"

    def __init__(self, operator: Operator, fitted: Operator | None = None) -> None:
        manifest, fitted_operator = operator.manifest, fitted or operator
        groups = {name: names for name, names in manifest.groups.items() if name[-3:] not in ("-lh", "-rh")}
        regions, zones = len(manifest.regions), len(manifest.zones)
        averages = operator.members([*(zone.regions for zone in manifest.zones), *groups.values()])
        counted = np.zeros(regions + len(averages), np.bool_)
        counted[regions : regions + zones] = fitted_operator.trustworthy if fitted_operator.trustworthy.any() else True
        super().__init__(
            channels=manifest.channels,
            rows=(*manifest.regions, *(zone.name for zone in manifest.zones), *groups),
            row_kinds=["region"] * regions + ["zone"] * zones + ["group"] * len(groups),
            specificity=np.concatenate([fitted_operator.specificity, fitted_operator.share_within(averages)]).astype(
                np.float64
            ),
            layout=RowLayout(manifest.k, averages, counted),
        )
        self.operator = operator
        reweighting = Reweighting(
            operator.lead_field, operator.basis, operator.source_region, regions, manifest.lambda2
        )
        self._project_by(reweighting.rows, LEAST_CHANNELS)

    def fit_to(self, montages: Mapping[str, Sequence[str]]) -> Space:
        """Return the same rows from the channels that are there, with the shares that the poorest headset gives."""
        fitted = [self.operator.fit_to(channels) for channels in montages.values()]
        there = {channel for operator in fitted for channel in operator.manifest.channels}
        whole = self.operator.without([channel for channel in self.channels if channel not in there])
        return RegionSpace(whole, min(fitted, key=lambda operator: len(operator.manifest.channels)))


class ComponentSpace(_Projected):
    """Rows are correlated components: spatial filters under which a group's responses are most alike.

    What a bad channel would have shown is filled in from the good ones by regression, with the covariance that the
    group had: x_bad = S_bad,good S_good,good^-1 x_good.

    Parameters
    ----------
    channels
        What the filters read.
    filters
        (rows, channels).
    covariance
        (channels, channels), V^2: within people, of the calibration.
    """

    kind = "components"

    def __init__(self, channels: Sequence[str], filters: FloatArray, covariance: FloatArray) -> None:
        rows, least = len(filters), max(2, (len(channels) + 1) // 2)
        names = [f"component-{number + 1}" for number in range(rows)]
        super().__init__(channels, names, ["component"] * rows, np.ones(rows), RowLayout.plain(rows))
        self.filters, self.covariance = filters, covariance
        self._project_by(self._matrix, least)

    def fit_to(self, montages: Mapping[str, Sequence[str]]) -> Space:
        """Return this space, for each headset has enough of its channels."""
        for who, channels in montages.items():
            has = (columns_for(self.channels, channels, who, partial=True) >= 0).sum()
            if has < self._least:
                raise MontageError(
                    f"headset {who!r} has {has} of the {len(self.channels)} channels that the components are of; at "
                    f"least {self._least} are needed ({', '.join(self.channels)}): use another headset, name the "
                    f"channels {under('channels')}, or calibrate on this montage"
                )
        return self

    def _matrix(self, used: BoolArray) -> FloatArray:
        here = self.covariance[np.ix_(used, used)]
        # A little more on the diagonal: an average-referenced covariance has no inverse.
        stable = here + 1e-6 * np.trace(here) / len(here) * np.eye(len(here))
        filled = np.linalg.solve(stable, self.covariance[np.ix_(used, ~used)]).T
        return np.asarray(self.filters[:, used] + self.filters[:, ~used] @ filled)


class RatingSpace(Space):
    """Rows are what people say, moment by moment, not what a headset shows.

    Ratings of different meaning have no mean: in a session no row counts for one.

    Parameters
    ----------
    names
        Of the ratings.
    montages
        Channels of the headsets that a session has beside, by their names; they are looked after, and make no row.
    """

    kind = "ratings"

    def __init__(self, names: Sequence[str], montages: Mapping[str, Sequence[str]] | None = None) -> None:
        layout = RowLayout.plain(len(names))
        if montages is not None:
            layout = RowLayout(layout.k, layout.averages, np.zeros(len(names), np.bool_))
        channels = common_rows(montages, None) if montages else ()
        super().__init__(channels, names, ["rating"] * len(names), np.ones(len(names)), layout)

    def time_courses(self, second: FloatArray) -> FloatArray:
        """Return that there are none."""
        return np.full((len(second), self.layout.measured), np.nan)

    def fit_to(self, montages: Mapping[str, Sequence[str]]) -> Space:
        """Return the same rows beside these headsets, of which there may be none."""
        return RatingSpace(self.rows, montages)


def usable(second: FloatArray) -> BoolArray:
    """Return which channels (C,) of a second (n, C) can be used together.

    A channel that is missing at instants at which others are there is left out altogether; instants that all of the
    others lack are a gap, and cost no channel.
    """
    count = np.isfinite(second).sum(axis=0)
    return np.asarray(count == max(1, int(count.max(initial=0))))
