"""Validation of a model of affect that can be believed: scores, baselines, chance, retrieval and ablations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calibration.affect.ablations import PARTS, Brought, brought
from calibration.affect.affect_model import SOURCES
from calibration.affect.baselines import baseline_scores
from calibration.affect.hearings import Hearings, exchanged, hearings_of
from calibration.affect.held_out import SCHEMES, HeldOut, hold_out
from calibration.affect.scores import MEASURES, Chance, Estimate, brier, chance_of, estimate, scores_of
from calibration.affect.splits import Grid, check_ratings, grid_of
from calibration.affect.study import AffectStudy
from rtaffect.affect.settings import DIMENSIONS
from rtaffect.common.errors import RecordingError

Array = NDArray[np.float64]

#: Folds of people and of sounds.
FOLDS: Final = (4, 4)
#: Orders by chance of which sound was heard.
ORDERS: Final = 999
#: Fewer people or sounds tell nothing of new ones.
LEAST: Final = 4


@dataclass(frozen=True, slots=True)
class Plan:
    """How a model is validated.

    Attributes
    ----------
    folds
        Of people and of sounds.
    draws
        Of exchanged ratings; 0 for none, and then chance is not told.
    ablations
        Whether parts are left out in turn.
    choices
        Parameters of the model that are not to have their default.
    seed
        Of folds and draws.
    """

    folds: tuple[int, int] = FOLDS
    draws: int = 19
    ablations: bool = True
    choices: tuple[tuple[str, Any], ...] = ()
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One measure of one dimension, from one source, of what is new in one way."""

    scheme: str
    source: str
    dimension: str
    measure: str
    found: Estimate
    chance: Chance


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a baseline reaches in one measure of one dimension."""

    name: str
    dimension: str
    measure: str
    found: Estimate


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How well EEG finds sounds: what is relevant, the measure, its mean over people, and chance."""

    relevant: str
    measure: str
    found: Estimate
    chance: Chance


@dataclass(frozen=True, slots=True, eq=False)
class Validation:
    """All that validation found.

    Attributes
    ----------
    rows, baselines, retrieval, ablations
        Results.
    person_scores : (W, 3, 2, M, P)
        Each person's measures, in the order of ``SCHEMES``, ``SOURCES``, ``DIMENSIONS``, ``MEASURES``.
    brier, brier_base : (3, 2)
        Brier score of probabilities, both new, and of the share of high ratings.
    hearings, held
        What was told of which.
    grid, plan
        How it was found.
    notes
        What is to be known of it.
    """

    rows: tuple[Row, ...]
    baselines: tuple[Baseline, ...]
    retrieval: tuple[Retrieval, ...]
    ablations: tuple[Brought, ...]
    person_scores: Array
    brier: Array
    brier_base: Array
    hearings: Hearings
    held: HeldOut
    grid: Grid
    plan: Plan
    notes: tuple[str, ...]

    def row(self, scheme: str, source: str, dimension: str, measure: str) -> Row:
        """Return a result by its names."""
        wanted = (scheme, source, dimension, measure)
        return next(r for r in self.rows if (r.scheme, r.source, r.dimension, r.measure) == wanted)


def fits_of(plan: Plan) -> int:
    """Return how many models a validation fits."""
    return plan.folds[0] * plan.folds[1] * (1 + plan.draws + (len(PARTS) if plan.ablations else 0))


def validate(
    study: AffectStudy, plan: Plan = Plan(), *, keep: Path | None = None, tell: Callable[[str], None] = lambda _: None
) -> Validation:
    """Validate models of a study.

    Parameters
    ----------
    study
        Usable items alone (:meth:`AffectStudy.usable`).
    plan
        How.
    keep
        Folder with what has been fitted already, for a run that is stopped and goes on.
    tell
        Told of each fit.

    Raises
    ------
    RecordingError
        If there are too few people or sounds, no ratings, or ratings of one class only.
    """
    _check(study)
    choices = dict(plan.choices) | {"random_state": plan.seed}
    grid = _grid(study, plan)
    hearings = hearings_of(study)
    held = hold_out(study, grid, choices, keep=keep, tell=tell, name="whole model")
    scores = scores_of(held, hearings)
    drawn = [_drawn(study, plan, number, choices, keep, tell) for number in range(1, plan.draws + 1)]
    without = {}
    for part, changed in PARTS.items() if plan.ablations else ():
        left = hold_out(study, grid, choices | changed, keep=keep, tell=tell, name=f"without {part}")
        without[part] = scores_of(left, hearings)[SCHEMES.index("both new"), 0, :, MEASURES.index("r")]
    whole = scores[SCHEMES.index("both new"), 0, :, MEASURES.index("r")]
    return Validation(
        rows=tuple(_rows(scores, [draw[0] for draw in drawn])),
        baselines=tuple(_baselines(hearings, held)),
        retrieval=tuple(_retrieval(held, hearings, grid, [draw[1] for draw in drawn], plan.seed)),
        ablations=tuple(brought(whole, without)) if without else (),
        person_scores=scores,
        **_brier(held, hearings),
        hearings=hearings,
        held=held,
        grid=grid,
        plan=plan,
        notes=tuple(_notes(study, scores)),
    )


def _check(study: AffectStudy) -> None:
    """Refuse a study that is too small or has no ratings that anything can be learnt from."""
    people, sounds = (len(np.unique(each)) for each in (study.person, study.stimulus))
    if people < LEAST or sounds < LEAST:
        raise RecordingError(
            f"study {study.name} has {people} people and {sounds} sounds with ratings and EEG; expected {LEAST} or "
            "more of each, as people and sounds are left out in turn, and once more inside"
        )
    check_ratings(study.ratings, study.hearing, DIMENSIONS, f"study {study.name}")


def _grid(study: AffectStudy, plan: Plan) -> Grid:
    return grid_of(study.person, study.stimulus, study.ratings, plan.folds, plan.seed)


def _drawn(  # noqa: PLR0917 - what validate was given
    study: AffectStudy,
    plan: Plan,
    number: int,
    choices: dict[str, Any],
    keep: Path | None,
    tell: Callable[[str], None],
) -> tuple[Array, Array]:
    """Return means over people of all measures, and of retrieval of a class, with ratings exchanged between sounds.

    Folds are dealt out anew, as they are by the ratings.
    """
    other = exchanged(study, plan.seed * 100_003 + number)
    other = other.take(np.asarray(np.isfinite(other.ratings).any(axis=1)))
    name = f"exchanged ratings {number} of {plan.draws}"
    held = hold_out(other, _grid(other, plan), choices, keep=keep, tell=tell, name=name)
    hearings = hearings_of(other)
    return _means(scores_of(held, hearings)), _class_means(held, hearings)


def _means(scores: Array) -> Array:
    found = np.empty(scores.shape[:-1])
    for index in np.ndindex(found.shape):
        found[index] = estimate(scores[index], of_r=index[-1] > 0).value
    return found


def _rows(scores: Array, draws: Sequence[Array]) -> list[Row]:
    drawn = np.stack(draws) if draws else np.zeros((0, *scores.shape[:-1]))
    found = []
    for index in np.ndindex(scores.shape[:-1]):
        scheme, source, output, measure = index
        value = estimate(scores[index], of_r=measure > 0)
        names = (SCHEMES[scheme], SOURCES[source], DIMENSIONS[output], MEASURES[measure])
        found.append(Row(*names, value, chance_of(value.value, drawn[:, *index])))
    return found


def _baselines(hearings: Hearings, held: HeldOut) -> list[Baseline]:
    scores = baseline_scores(hearings, held.fold)
    names = ("majority", "mean of the others")
    return [
        Baseline(names[b], DIMENSIONS[d], MEASURES[m], estimate(scores[b, d, m], of_r=m > 0))
        for b, d, m in np.ndindex(scores.shape[:-1])
        if (b, m) != (0, 1)
    ]


_FOUND_BY: Final = ("average precision", "precision at 10")


def _retrieval(held: HeldOut, hearings: Hearings, grid: Grid, drawn: Sequence[Array], seed: int) -> list[Retrieval]:
    found = []
    generator = np.random.default_rng(seed)
    every = np.arange(len(hearings.person))
    for measure, name in enumerate(_FOUND_BY):
        values = held.of_sounds[every, hearings.stimulus, measure]
        true = estimate(_by_person(values, hearings))
        orders = []
        for _ in range(ORDERS):
            other = _within_folds(grid, generator)
            orders.append(np.nanmean(_by_person(held.of_sounds[every, other[hearings.stimulus], measure], hearings)))
        chance = np.array(orders)
        p = (1 + float((chance >= true.value - 1e-12).sum())) / (1 + ORDERS)
        told = Chance(float(chance.mean()), float(np.quantile(chance, 0.95)), p, ORDERS)
        found.append(Retrieval("the very sound", name, true, told))
    means = np.stack(drawn) if drawn else np.zeros((0, 2, 2))
    for output, dimension in enumerate(DIMENSIONS):
        for measure, name in enumerate(_FOUND_BY):
            true = estimate(_by_person(_over_chance(held)[:, output, measure], hearings))
            told = chance_of(true.value, means[:, output, measure])
            found.append(Retrieval(f"same {dimension}, over chance", name, true, told))
    return found


def _within_folds(grid: Grid, generator: np.random.Generator) -> NDArray[np.int64]:
    """Return another sound (S,) for each, of the same fold: those have been as new to the model."""
    other = np.arange(len(grid.stimuli))
    for fold in range(grid.shape[1]):
        own = np.flatnonzero(grid.stimuli == fold)
        other[own] = generator.permutation(own)
    return other


def _over_chance(held: HeldOut) -> Array:
    return np.asarray(held.of_class - held.of_class_chance)


def _class_means(held: HeldOut, hearings: Hearings) -> Array:
    """Return the means over people (2, 2) of retrieval of a class over chance, by dimension and measure."""
    over = _over_chance(held)
    return np.array([[estimate(_by_person(over[:, d, m], hearings)).value for m in (0, 1)] for d in (0, 1)])


def _by_person(values: Array, hearings: Hearings) -> Array:
    """Return each person's mean (P,) of values (H,); NaN where there is none."""
    there = np.isfinite(values)
    size = int(hearings.person.max()) + 1
    sums = np.bincount(hearings.person, np.where(there, values, 0.0), size)
    counts = np.bincount(hearings.person, there, size)
    return np.asarray(np.divide(sums, counts, out=np.full(size, np.nan), where=counts > 0))


def _brier(held: HeldOut, hearings: Hearings) -> dict[str, Array]:
    found, base = np.full((2, 3, 2), np.nan)
    last = SCHEMES.index("both new")
    for source, output in np.ndindex(3, 2):
        y, p = hearings.ratings[:, output], held.probability[last, :, source, output]
        found[source, output] = brier(p, y)
        share = (y > 0).sum() / max(1, ((y > 0) | (y < 0)).sum())
        base[source, output] = brier(np.where(np.isfinite(p), share, np.nan), y)
    return {"brier": found, "brier_base": base}


def _notes(study: AffectStudy, scores: Array) -> list[str]:
    found = list(study.notes)
    if study.raters == "shared":
        found.append(
            "all people have the same ratings of a stimulus, its raters' mean: nothing here says what a person felt "
            "beside the others"
        )
    last = SCHEMES.index("both new")
    for output, dimension in enumerate(DIMENSIONS):
        lost = int(np.isnan(scores[last, 0, output, 0]).sum())
        if lost:
            found.append(
                f"{lost} of {scores.shape[-1]} people have no balanced accuracy of {dimension}: they rated "
                "one class only, or too few stimuli"
            )
    return found
