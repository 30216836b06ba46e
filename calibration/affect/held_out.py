"""What models tell of people and of sounds that they do not know: one grid of fits for all three questions.

People are in folds, and so are sounds. For each pair of folds a model is fitted to all hearings of other people with
other sounds. It has never met the people of its fold, nor the sounds: what it tells of

- its people hearing its sounds is of *both new*,
- its people hearing other sounds is of *new people*,
- other people hearing its sounds is of *new sounds*.

Each hearing is told of once in each way, by one model. Everything else (how long to train, temperatures, what EEG
counts beside the sound) is learnt inside of the fit, from people and sounds that are apart once more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from calibration.affect.affect_model import AffectModel
from calibration.affect.hearings import Hearings, hearings_of
from calibration.affect.kept import kept
from calibration.affect.retrieval import find, library_of
from calibration.affect.splits import Grid, means_of
from calibration.affect.study import AffectStudy
from calibration.affect.temperature import probability

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: What is new to the model, in the order of every array.
SCHEMES: Final = ("new sounds", "new people", "both new")


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """What was told of H hearings, in each of three ways of being new (W); NaN where nothing was.

    Attributes
    ----------
    rating, probability, decided : (W, H, 3, 2)
        From EEG, sound and both, for valence and arousal: rating in -1..1, probability of being above the middle, and
        whether that is more than in the training part (1 or 0).
    fold : (H,)
        Of the stimulus: hearings of one fold were told of by one model.
    of_sounds : (H, S, 2)
        Average precision and precision at 10 if each of S sounds were the one that was heard; both new.
    of_class, of_class_chance : (H, 2, 2)
        The same for sounds of the same valence, and of the same arousal; and by chance.
    steps : (folds of people, folds of stimuli)
        Steps of training.
    """

    rating: Array
    probability: Array
    decided: Array
    fold: Indices
    of_sounds: Array
    of_class: Array
    of_class_chance: Array
    steps: Indices


class Fit(NamedTuple):
    """What one model tells of all hearings: (H, 3, 2) as :class:`HeldOut`, retrieval of those that are both new."""

    rating: Array
    probability: Array
    decided: Array
    of_sounds: Array
    of_class: Array
    of_class_chance: Array
    steps: Array


def arguments(study: AffectStudy, items: Mask | slice = slice(None)) -> dict[str, Any]:
    """Return what :meth:`AffectModel.fit` takes of a study's items."""
    eeg = np.where(study.mask[items][..., None], study.eeg[items], np.nan)
    return {
        "X": eeg,
        "y": study.ratings[items],
        "sound": study.sound[items],
        "person": study.person[items],
        "stimulus": study.stimulus[items],
        "second": study.second[items],
    }


def hold_out(
    study: AffectStudy,
    grid: Grid,
    choices: dict[str, Any],
    *,
    keep: Path | None = None,
    tell: Callable[[str], None] = lambda _: None,
    name: str = "",
) -> HeldOut:
    """Fit a model for each pair of folds, and gather what they tell of what is new to them.

    Parameters
    ----------
    study
        Usable items alone.
    grid
        Folds of people and of stimuli, two or more of each.
    choices
        Parameters of :class:`AffectModel`.
    keep
        Folder with what has been fitted already, for a run that is stopped and goes on.
    tell, name
        Told of each fit, by that name.
    """
    people, stimuli = grid.shape
    pairs = [(p, s) for p in range(people) for s in range(stimuli)]
    tasks = (delayed(_fit_kept)(study, grid, pair, choices, keep) for pair in pairs)
    fits: list[Fit] = []
    for fit, (p, s) in zip(Parallel(return_as="generator")(tasks), pairs, strict=True):
        tell(f"{name}, people {p + 1} of {people}, sounds {s + 1} of {stimuli}")
        fits.append(fit)
    return _gathered(fits, hearings_of(study), grid)


def _fit_kept(study: AffectStudy, grid: Grid, pair: tuple[int, int], choices: dict[str, Any], keep: Path | None) -> Fit:
    arrays = (study.eeg, study.mask, study.sound, study.person, study.stimulus, study.second, study.ratings)
    of = {"choices": choices, "pair": pair, "people": grid.people.tolist(), "stimuli": grid.stimuli.tolist()}
    return Fit(**kept(keep, of, arrays, lambda: _fit(study, grid, pair, choices)._asdict()))


def _fit(study: AffectStudy, grid: Grid, pair: tuple[int, int], choices: dict[str, Any]) -> Fit:
    hearings = hearings_of(study)
    new_person, new_sound = grid.people[study.person] == pair[0], grid.stimuli[study.stimulus] == pair[1]
    model = AffectModel(**choices)
    model.fit(**arguments(study, ~new_person & ~new_sound))
    told = model.tell(arguments(study)["X"], study.sound)
    p = hearings.mean(probability(told.logits, model.temperature_))
    decided = np.where(np.isfinite(p), p > model.high_share_, np.nan)
    queried = (grid.people[hearings.person] == pair[0]) & (grid.stimuli[hearings.stimulus] == pair[1])
    eeg, sound = told.shared[:, 0], told.shared[:, 1]
    found = _retrieved(study, hearings, queried, eeg, sound)
    return Fit(hearings.mean(told.rating), p, decided, *found, np.array(model.n_steps_))


def _retrieved(
    study: AffectStudy, hearings: Hearings, queried: Mask, eeg: Array, sound: Array
) -> tuple[Array, Array, Array]:
    """Return retrieval by the EEG of the hearings that are ``queried``, NaN for the others."""
    count, sounds = len(queried), len(study.stimuli)
    of_sounds = np.full((count, sounds, 2), np.nan)
    of_class, chance = np.full((2, count, 2, 2), np.nan)
    place = hearings.mean(eeg)
    queried = queried & np.isfinite(place).all(axis=1)
    if not queried.any():
        return of_sounds, of_class, chance
    items = library_of(study.stimulus, study.second)
    library, stimulus = sound[items], study.stimulus[items]
    very = np.broadcast_to(np.arange(sounds)[:, None] == stimulus, (int(queried.sum()), sounds, len(items)))
    of_sounds[queried] = find(place[queried], library, very).precision
    same = _same_class(hearings, stimulus, np.flatnonzero(queried), sounds)
    found = find(place[queried], library, same)
    of_class[queried], chance[queried] = found.precision, found.chance
    return of_sounds, of_class, chance


def _same_class(hearings: Hearings, stimulus: Indices, queries: Indices, sounds: int) -> Mask:
    """Return which points of a library (Q, 2, L) other people rated to be of the class in which a query was rated."""
    same = np.zeros((len(queries), 2, len(stimulus)), np.bool_)
    for number, query in enumerate(queries):
        others = hearings.person != hearings.person[query]
        means = np.full((sounds, 2), np.nan)
        for sound in np.unique(hearings.stimulus):
            own = hearings.ratings[others & (hearings.stimulus == sound)]
            means[sound] = means_of(own, np.zeros(len(own), np.int64), 1)[0]
        side = np.sign(hearings.ratings[query])
        same[number] = ((np.sign(means[stimulus]) == side) & (side != 0)).T
    return same


def _gathered(fits: list[Fit], hearings: Hearings, grid: Grid) -> HeldOut:
    people, stimuli = grid.shape
    person, fold = grid.people[hearings.person], grid.stimuli[hearings.stimulus]
    # Of new sounds another fold of people is left out than the person's own, and of new people another one of sounds.
    other_people, other_sounds = (person + 1) % people, (fold + 1) % stimuli
    both = person * stimuli + fold
    chosen = np.stack([other_people * stimuli + fold, person * stimuli + other_sounds, both])
    every = np.arange(len(person))
    parts = [np.stack(part) for part in zip(*fits, strict=True)]
    rating, p, decided = (part[chosen, every] for part in parts[:3])
    of_sounds, of_class, of_class_chance = (part[both, every] for part in parts[3:6])
    steps = parts[6].astype(np.int64).reshape(people, stimuli)
    return HeldOut(rating, p, decided, fold, of_sounds, of_class, of_class_chance, steps)
