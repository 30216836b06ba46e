"""What the report says of one feature set, as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SetNumbers:
    """Scores of a feature set: of the mean over rows, and how many of the rows that count are above chance.

    ``r`` is within sounds, each about its own means; ``pooled_over_sounds`` has how sounds differ from each other, too.
    ``exact`` says whether p values are from draws that were fitted anew, ``chance`` and ``chance_phase`` what 95 % of
    draws stay below; ``steps`` and ``stimuli`` counted; of ``rows`` that were judged, with median ``rows_r``, the last
    three counts have p below ``LEVEL`` alone, family-wise, and by false discovery rate.
    """

    name: str
    r: float | None
    pooled_over_sounds: float | None
    r2: float | None
    p: float | None
    exact: bool
    chance: float | None
    chance_phase: float | None
    steps: int
    stimuli: int
    rows: int
    rows_r: float | None
    rows_single: int
    rows_family: int
    rows_discovery: int
    inner_error: float | None


@dataclass(frozen=True, slots=True)
class UniqueNumbers:
    """What a feature set tells beyond the covariates, in the mean over rows, see :mod:`calibration.unique`.

    ``r`` is of the remainders, ``gain`` of r from the covariates ``alone`` to both, ``joint``; of ``rows`` that were
    judged, so many have a p of ``r`` below ``LEVEL`` family-wise.
    """

    name: str
    r: float | None
    chance: float | None
    p: float | None
    gain: float | None
    gain_chance: float | None
    gain_p: float | None
    alone: float | None
    joint: float | None
    rows: int
    rows_family: int
