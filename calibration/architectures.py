"""Several featurizers on one study, side by side, and whether the middle of each predicts best.

Every featurizer goes through the same sweep (:mod:`calibration.sweep`), on the same targets, folds and draws. What is
asked of all of them was fixed before: whether the middle layer (the lower of two) predicts better than the last, than
the first and than the acoustic descriptors, and whether one featurizer's middle predicts better than another's. All
these questions are one family.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from calibration.features import DESCRIPTORS_SET
from calibration.statistics import LayerComparison, compare
from calibration.sweep import Question, SetResult, Sweep, sweep
from rtaffect.common.arrays import FloatArray
from rtaffect.common.settings import Settings


@dataclass(frozen=True, slots=True, eq=False)
class Architecture:
    """One featurizer's layers on the study; ``middle`` is the name of the middle one among ``layers``."""

    name: str
    layers: tuple[SetResult, ...]
    auto: SetResult | None
    best: str

    @property
    def middle(self) -> SetResult:
        """The middle layer, the lower of two; chosen by its place, before any data."""
        return self.layers[(len(self.layers) - 1) // 2]

    @property
    def best_depth(self) -> float:
        """Where the layer that inner folds choose lies, from 0 for the first to 1 for the last; NaN of one layer."""
        names = [layer.name for layer in self.layers]
        return names.index(self.best) / (len(names) - 1) if len(names) > 1 else float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class Architectures:
    """Featurizers side by side; ``questions`` names the two sides of each pair that ``comparison`` compares."""

    members: tuple[Architecture, ...]
    descriptors: SetResult | None
    questions: tuple[tuple[str, str], ...]
    comparison: LayerComparison | None


def side_by_side(
    first: tuple[str, Sweep],
    others: Mapping[str, Mapping[str, Sequence[FloatArray]]],
    question: Question,
    settings: Settings,
    progress: Callable[[str], None],
    *,
    draws: int = 1000,
) -> Architectures:
    """Sweep the other featurizers as the first one was, and compare them.

    Parameters
    ----------
    first
        Name of the featurizer whose sweep has been made, and that.
    others
        For each other featurizer's name the features (steps, F) of each stimulus by the name of the layer, in order.
    question, settings, progress, draws
        As for :func:`calibration.sweep.sweep`; the same as for the first.
    """
    members = [_member(*first)]
    for name, features in others.items():
        progress(f"featurizer {name}")
        members.append(_member(name, sweep(features, question, settings, progress, draws=draws)))
    descriptors = next((result for result in first[1].sets if result.name == DESCRIPTORS_SET), None)
    questions, sides = _questions(members, descriptors)
    return Architectures(tuple(members), descriptors, questions, _compared(sides, questions, draws))


def _member(name: str, found: Sweep) -> Architecture:
    layers = tuple(result for result in found.sets if result.name in found.layers)
    return Architecture(name, layers, found.auto, found.best)


def _questions(
    members: Sequence[Architecture], descriptors: SetResult | None
) -> tuple[tuple[tuple[str, str], ...], dict[str, SetResult]]:
    """Return the pairs to be compared, by name, and the result of each name."""
    sides: dict[str, SetResult] = {} if descriptors is None else {descriptors.name: descriptors}
    questions: list[tuple[str, str]] = []
    for member in members:
        middle = _side(member, member.middle)
        sides[middle] = member.middle
        for layer in (member.layers[-1], member.layers[0]):
            if layer is not member.middle:
                sides[_side(member, layer)] = layer
                questions.append((middle, _side(member, layer)))
        if descriptors is not None:
            questions.append((middle, descriptors.name))
    middles = [_side(member, member.middle) for member in members]
    return (*dict.fromkeys(questions), *combinations(middles, 2)), sides


def _side(member: Architecture, layer: SetResult) -> str:
    """Return what a layer is called in questions; a featurizer of one layer may have its name already."""
    return member.name if member.name.endswith(f"/{layer.name}") else f"{member.name}/{layer.name}"


def _compared(
    sides: Mapping[str, SetResult], questions: Sequence[tuple[str, str]], draws: int
) -> LayerComparison | None:
    """Return all questions' comparison over stimuli; None where there are no two stimuli that have all sides."""
    names = list(sides)
    each = np.stack([sides[name].score.each[:, -1] for name in names])
    if not questions or np.isfinite(each).all(axis=0).sum() < 2:
        return None
    pairs = [(names.index(a), names.index(b)) for a, b in questions]
    return compare(each, pairs, draws=10 * draws - 1)
