"""The first section of a calibration's report: whether the group is synchronised at all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from calibration.group_synchrony import LEVEL, GroupSynchrony
from calibration.outcome import Outcome
from calibration.pages import count_of, decimal, number, p_is
from calibration.report.content import GroupNumbers, GroupValue

#: Names of rows in the verdict, at most.
_NAMED: Final = 4


def group_numbers(outcome: Outcome) -> GroupNumbers | None:
    """Return whether the group is synchronised; None where that was not asked, as of ratings."""
    found, space = outcome.measured.group, outcome.bundle.space
    if found is None:
        return None
    names, kinds = space.rows, space.row_kinds
    rows = tuple(
        _value(found, i, name, kind, counted=bool(space.layout.counted[i]))
        for i, (name, kind) in enumerate(zip(names, kinds, strict=True))
    )
    mean = _value(found, len(names), f"mean over {space.mean_of}", "mean", counted=True)
    return GroupNumbers(
        synchronised=found.synchronised,
        verdict=_verdict(found, mean, rows),
        smallest_p=number(found.smallest_p),
        listeners=found.listeners,
        seconds=found.seconds,
        draws=found.draws,
        sounds=tuple(sound.name for sound in outcome.measured.sounds),
        mean=mean,
        rows=rows,
    )


def _value(found: GroupSynchrony, i: int, name: str, kind: str, *, counted: bool) -> GroupValue:
    return GroupValue(
        name=name,
        kind=kind,
        counted=counted,
        r=number(found.r[i]),
        low=number(found.low[i]),
        high=number(found.high[i]),
        chance=number(found.chance[i]),
        p=number(found.p[i]),
        p_family=number(found.p_family[i]),
        each=tuple(number(value) for value in found.each[:, i]),
    )


def _verdict(found: GroupSynchrony, mean: GroupValue, rows: Sequence[GroupValue]) -> str:
    """Return in words whether the group is synchronised, claiming no more than p allows."""
    if mean.r is None or not math.isfinite(found.smallest_p):
        return "Whether this group is synchronised cannot be told: no two listeners have values of one row."
    interval = f"95 % interval {decimal(mean.low, 3)} to {decimal(mean.high, 3)}"
    facts = f"inter-subject correlation, {mean.name}: {decimal(mean.r, 3)}, {interval}"
    chance = f"95 % of chance stay below {decimal(mean.chance, 3)}"
    judged = [row for row in rows if row.counted and row.p_family is not None]
    above = [row for row in judged if row.p_family is not None and row.p_family < LEVEL]
    told = f"{len(above)} of {count_of(len(judged), 'row')} exceed{'s' if len(above) == 1 else ''} chance, family-wise"
    if not found.synchronised:
        return (
            f"This group is not synchronised: neither the mean over its rows nor any of {count_of(len(judged), 'row')} "
            f"exceeds chance ({facts}, {chance}; smallest family-wise {p_is(found.smallest_p)}). What is said below of "
            "predictions says nothing about synchrony then."
        )
    if mean.p_family is not None and mean.p_family < LEVEL:
        return f"This group is synchronised ({facts}; {chance}, {p_is(mean.p_family)}; {told})."
    names = ", ".join(row.name for row in above[:_NAMED])
    more = f" and {len(above) - _NAMED} more" if len(above) > _NAMED else ""
    return (
        f"This group is synchronised in some rows: {names}{more} ({told}), but not in their mean ({facts}; {chance})."
    )
