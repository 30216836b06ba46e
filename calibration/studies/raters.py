"""Continuous ratings of a sound: a table of their mean, or of each rater a table of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibration.studies.layout import SoundFile
from calibration.studies.tables import read_series
from rtaffect.common.errors import RecordingError
from rtaffect.common.rating_scale import RatingScale
from rtaffect.common.words import listed

Array = NDArray[np.float64]


class Raters(NamedTuple):
    """Ratings of one sound.

    ``values`` (P, steps, R) float64 are in the ratings' own unit, NaN where a rater said nothing, row i of second i;
    ``names`` are the R quantities, ``raters`` the P raters, '' where there is one table of them all.
    """

    raters: tuple[str, ...]
    names: tuple[str, ...]
    values: Array

    def of(self, name: str) -> dict[str, Array]:
        """Return the courses (steps,) of one quantity by rater; who never rated it is left out."""
        column = self.values[:, :, self.names.index(name)]
        return {rater: course for rater, course in zip(self.raters, column, strict=True) if np.isfinite(course).any()}

    def mean(self) -> Array:
        """Return the mean over raters (steps, R), NaN where none has a value; see :func:`mean_of_raters`."""
        return mean_of_raters(self.values)


def mean_of_raters(values: Array) -> Array:
    """Return the mean over raters (steps, R) of their ratings (P, steps, R); NaN where nobody has a value.

    Each rater has a level of their own. Where one is missing, the mean of the others would jump by the difference of
    levels; so levels are taken off, averaged apart and put back. Where none is missing this is the plain mean.
    """
    if len(values) == 1:
        return np.asarray(values[0])
    present = np.isfinite(values)
    counts = present.sum(axis=1)
    levels = np.where(counts > 0, np.where(present, values, 0.0).sum(axis=1) / np.maximum(counts, 1), np.nan)
    there = present.sum(axis=0)
    about = np.where(present, values - levels[:, None], 0.0).sum(axis=0)
    raters = (counts > 0).sum(axis=0)
    level = np.where(counts > 0, levels, 0.0).sum(axis=0) / np.maximum(raters, 1)
    return np.asarray(np.where(there > 0, about / np.maximum(there, 1) + level, np.nan))


def ratings_in(
    sounds: Iterable[SoundFile], seconds: Mapping[str, int], scale: RatingScale | None = None
) -> dict[str, Raters]:
    """Return the ratings of the sounds that have some, by name; ``seconds`` is how long each sound is, whole s.

    A rater's table may lack quantities that other raters have. On their ``scale`` all of them have to be.

    Raises
    ------
    RecordingError
        If a table cannot be used, or not all sounds have the same quantities.
    """
    found: dict[str, Raters] = {}
    for sound in sounds:
        if sound.rating:
            found[sound.name] = _raters_of(sound, seconds[sound.name])
            _check_scale(sound.name, found[sound.name], scale)
    if not found:
        return found
    first, names = next((name, each.names) for name, each in found.items())
    for sound_name, each in found.items():
        if set(each.names) != set(names):
            raise RecordingError(
                f"{sound_name}: its ratings are {', '.join(each.names)}; expected {', '.join(names)}, as of {first}: "
                "give every sound the same columns"
            )
    return {
        name: each._replace(names=names, values=each.values[..., [each.names.index(n) for n in names]])
        for name, each in found.items()
    }


def scale_of(found: Iterable[Raters]) -> RatingScale:
    """Return the least and the most that raters gave as the scale of each rating, for a study that does not tell it.

    Raises
    ------
    RecordingError
        If all values of one are the same.
    """
    known = list(found)
    ends = {}
    for name in known[0].names:
        values = np.concatenate([each.values[:, :, each.names.index(name)].ravel() for each in known])
        low, high = ends[name] = float(np.nanmin(values)), float(np.nanmax(values))
        if not high > low:
            raise RecordingError(
                f"all ratings of {name} are {low:g}, which tells no scale; give it as low and high in [ratings] of "
                "study.toml"
            )
    lows, highs = zip(*ends.values(), strict=True)
    return RatingScale(low=min(lows), high=max(highs), each=ends if len(set(ends.values())) > 1 else {})


def _check_scale(sound: str, found: Raters, scale: RatingScale | None) -> None:
    """Refuse ratings that are not on the scale that the study tells; raises RecordingError."""
    if scale is None:
        return
    if unknown := sorted(set(scale.each) - set(found.names)):
        raise RecordingError(
            f"[ratings.each] of study.toml names {', '.join(unknown)}, and {sound} is rated for "
            f"{', '.join(found.names)}; correct the name"
        )
    for rater, table in zip(found.raters, found.values, strict=True):
        for name, values in zip(found.names, table.T, strict=True):
            own = scale.of(name)
            beyond = values[(values < own.low) | (values > own.high)]
            if beyond.size:
                who = f"{sound}, {rater}" if rater else sound
                raise RecordingError(
                    f"{who}: {name} of {beyond[0]:g} is not on the scale from {own.low:g} to {own.high:g} that "
                    "study.toml tells; correct the table, or low and high in [ratings]"
                )


def _raters_of(sound: SoundFile, seconds: int) -> Raters:
    series = {rater: read_series(path, seconds, absent=True) for rater, path in sound.rating.items()}
    names = tuple(dict.fromkeys(name for each in series.values() for name in each.names))
    values = np.full((len(series), seconds, len(names)), np.nan)
    for row, each in zip(values, series.values(), strict=True):
        row[:, [names.index(name) for name in each.names]] = each.values
    empty = np.isnan(values).all(axis=(0, 1))
    if empty.any():
        nothing = listed([name for name, none in zip(names, empty, strict=True) if none])
        tables = listed([path.name for path in sound.rating.values()])
        raise RecordingError(
            f"{sound.name}: {nothing} has no value at any time in {tables}; expected numbers: correct it, or take the "
            "column out"
        )
    return Raters(tuple(series), names, values)
