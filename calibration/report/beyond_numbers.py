"""The numbers of what goes beyond one bundle: other featurizers, and other scales of time."""

from __future__ import annotations

import math

from calibration.architectures import Architecture
from calibration.outcome import Outcome
from calibration.report.beyond_content import (
    ArchitectureNumbers,
    ArchitecturesNumbers,
    BestScaleNumbers,
    LayerNumbers,
    QuestionNumbers,
    ScaleNumbers,
    ScalesNumbers,
)
from calibration.scales import Scale, Scales


def architectures_numbers(outcome: Outcome) -> ArchitecturesNumbers | None:
    """Return the numbers of the featurizers side by side; None where they were not asked for."""
    found = outcome.architectures
    if found is None:
        return None
    compared = found.comparison
    questions: tuple[QuestionNumbers, ...] = ()
    if compared is not None:
        columns = compared.difference, compared.single, compared.family
        questions = tuple(
            QuestionNumbers(a, b, *map(_number, values))
            for (a, b), *values in zip(found.questions, *columns, strict=True)
        )
    units = 0 if compared is None else compared.units
    return ArchitecturesNumbers(tuple(map(_architecture, found.members)), questions, units)


def _architecture(member: Architecture) -> ArchitectureNumbers:
    auto = member.auto
    return ArchitectureNumbers(
        name=member.name,
        layers=tuple(
            LayerNumbers(layer.name, _number(layer.score.r[-1]), _number(layer.p_mean), _number(layer.chance[-1]))
            for layer in member.layers
        ),
        middle=member.middle.name,
        best=member.best,
        best_depth=_number(member.best_depth),
        auto_r=None if auto is None else _number(auto.score.r[-1]),
        auto_p=None if auto is None else _number(auto.p_mean),
    )


def scales_numbers(outcome: Outcome) -> ScalesNumbers | None:
    """Return the numbers of the scales of time; None where they were not asked for."""
    found = outcome.scales
    if found is None:
        return None
    return ScalesNumbers(
        feature_set=found.feature_set,
        stimuli=int(found.votes[:, -1].sum()),
        scales=tuple(_scale(found, number, scale) for number, scale in enumerate(found.scales)),
        rows=tuple(_best(found, row, name) for row, name in enumerate(rows_of(outcome))),
        left_out=found.left_out,
    )


def rows_of(outcome: Outcome) -> list[str]:
    """Return the names of the rows that count, and of their mean."""
    space = outcome.bundle.space
    names = [name for name, counts in zip(space.rows, space.layout.counted, strict=True) if counts]
    return [*names, f"mean over {space.mean_of}"]


def _scale(found: Scales, number: int, scale: Scale) -> ScaleNumbers:
    return ScaleNumbers(
        name=scale.name,
        window_s=scale.window_s,
        longest_lag_s=scale.longest_lag_s,
        span_s=scale.span_s,
        r=_number(found.r[number, -1]),
        chance=_number(found.chance[number, -1]),
        z=_number(found.z[number, -1]),
        votes=int(found.votes[number, -1]),
    )


def _best(found: Scales, row: int, name: str) -> BestScaleNumbers:
    best = int(found.best[row])
    return BestScaleNumbers(
        row=name,
        scale=found.scales[best].name,
        r=_number(found.r[best, row]),
        z=_number(found.z[best, row]),
        p=_number(found.p[row]),
        p_family=_number(found.p_family[row]) if row < len(found.p_family) else None,
        votes=int(found.votes[best, row]),
    )


def _number(value: float) -> float | None:
    value = float(value)
    return value if math.isfinite(value) else None
