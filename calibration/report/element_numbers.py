"""The numbers of elements of the sound, for the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration.elements import PAIRS, PARTS, ElementsFound, Joined
from calibration.outcome import Outcome
from calibration.pages import number
from calibration.report.element_content import (
    AblationNumbers,
    ElementPair,
    ElementRow,
    ElementStimulus,
    ElementValue,
    JoinedNumbers,
)
from calibration.report.set_numbers import row_p, set_numbers, unique_numbers
from calibration.sweep import SURE
from rtaffect.predicted.elements import ELEMENTS

Array = NDArray[np.float64]

#: Which of ``PAIRS`` is the bias.
_BIAS: Final = PAIRS.index(("voice", "background"))


def ablation_numbers(outcome: Outcome) -> AblationNumbers | None:
    """Return what parts of the sound tell; None where they were not asked for."""
    found = outcome.elements
    if found is None:
        return None
    stimuli = tuple(
        ElementStimulus(sound.name, number(share), number(each[0]), number(each[1]), number(each[2]), number(bias))
        for sound, share, each, bias in zip(outcome.measured.sounds, found.share, found.each.T, found.bias, strict=True)
    )
    return AblationNumbers(
        found.feature_set,
        found.separator,
        found.separator_sha256,
        _pairs(found),
        _rows(outcome, found),
        tuple(map(unique_numbers, found.unique)),
        found.no_unique,
        tuple(map(_joined, (found.joined or {}).values())),
        stimuli,
        number(found.rank_r),
        number(found.rank_p),
        found.notes,
    )


def _pairs(found: ElementsFound) -> tuple[ElementPair, ...]:
    compared = found.comparison
    if compared is None:
        return ()
    columns = compared.difference, compared.single, compared.family
    return tuple(
        ElementPair(ELEMENTS[a], ELEMENTS[b], *map(number, values))
        for (a, b), *values in zip(compared.sets, *columns, strict=True)
    )


def _rows(outcome: Outcome, found: ElementsFound) -> tuple[ElementRow, ...]:
    space = outcome.bundle.space
    results = {"mix": outcome.sweep.of(found.feature_set), **found.results}
    values: Mapping[str, tuple[Array, Array]] = {
        name: (result.score.r, row_p(result, space.layout.counted).family) for name, result in results.items()
    }
    none = np.full(len(space.rows), np.nan)
    difference, p = none, none
    if found.contrasts is not None:
        difference, p = found.contrasts.difference[_BIAS], found.contrasts.family[_BIAS]
    rows = []
    for i, (name, kind) in enumerate(zip(space.rows, space.row_kinds, strict=True)):
        told: dict[str, ElementValue] = {
            element: ElementValue(number(r[i]), number(family[i]))
            for element, (r, family) in ((e, values.get(e, (none, none))) for e in ELEMENTS)
        }
        rows.append(
            ElementRow(
                name, kind, bool(space.layout.counted[i]), bool(space.resolved[i]), **told,
                difference=number(difference[i]), p_family=number(p[i]), wins=_winner(told, difference[i], p[i]),
            )
        )  # fmt: skip
    return tuple(rows)


def _winner(told: Mapping[str, ElementValue], difference: float, p: float) -> str:
    """Return the element that tells more, where that is sure and it tells more than chance; else nothing."""
    if not p < SURE:
        return ""
    name = PARTS[int(difference < 0)]
    own = told[name].p_family
    return name if own is not None and own < SURE else ""


def _joined(found: Joined) -> JoinedNumbers:
    voice, background = (number(each) for each in found.portion[:, -1])
    return JoinedNumbers(set_numbers(found.result), voice, background, *map(float, found.share))
