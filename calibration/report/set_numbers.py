"""The numbers of one feature set, for the report, and p of its rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calibration.nulls import PValues
from calibration.pages import number
from calibration.report.set_content import SetNumbers, UniqueNumbers
from calibration.sweep import SURE, SetResult
from calibration.unique import Told, Unique


def set_numbers(result: SetResult) -> SetNumbers:
    """Return the scores of a feature set."""
    score, p = result.score, result.p_counted
    judged = np.isfinite(p.single)
    counted = np.flatnonzero(result.fit.counted)[judged]
    return SetNumbers(
        name=result.name,
        r=number(score.r[-1]),
        pooled_over_sounds=number(score.pooled[-1]),
        r2=number(score.r2[-1]),
        p=number(result.p_mean),
        exact=result.exact,
        chance=number(result.chance[-1]),
        chance_phase=number(result.chance_phase[-1]),
        steps=int(score.steps[-1]),
        stimuli=int(score.stimuli[-1]),
        rows=int(judged.sum()),
        rows_r=number(np.median(score.r[counted])) if len(counted) else None,
        rows_single=int((p.single[judged] < SURE).sum()),
        rows_family=int((p.family[judged] < SURE).sum()),
        rows_discovery=int((p.discovery[judged] < SURE).sum()),
        inner_error=number(result.fit.inner_whole),
    )


def row_p(result: SetResult, counted: NDArray[np.bool_]) -> PValues:
    """Return p (R,) of all rows: of those that count among these, as exactly as is known, of the others among all."""
    merged = []
    for all_rows, some in zip(_p_arrays(result.p), _p_arrays(result.p_counted), strict=True):
        values = all_rows.copy()
        values[counted] = some
        merged.append(values)
    return PValues(*merged)


def unique_numbers(found: Unique) -> UniqueNumbers:
    """Return what one feature set tells beyond the covariates."""
    r, gain = found.r, found.gain
    judged = np.isfinite(r.p.family)
    return UniqueNumbers(
        name=found.name,
        **_told("", r, "r"),
        **_told("gain_", gain, "gain"),
        alone=number(found.alone[-1]),
        joint=number(found.joint[-1]),
        rows=int(judged.sum()),
        rows_family=int((r.p.family[judged] < SURE).sum()),
    )


def _told(prefix: str, told: Told, name: str) -> dict[str, float | None]:
    return {
        name: number(told.value[-1]), f"{prefix}chance": number(told.chance[-1]), f"{prefix}p": number(told.p_mean),
    }  # fmt: skip


def _p_arrays(p: PValues) -> tuple[NDArray[np.float64], ...]:
    return p.single, p.family, p.discovery
