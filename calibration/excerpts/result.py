"""How well sound and picture predict what excerpts were rated, held out, with intervals and chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration.excerpts.model import WAYS, Design, blocks_of, held_out, moments, parts_of
from calibration.excerpts.study import ExcerptStudy
from calibration.statistics import correlation_of
from rtaffect.common.threads import one_thread

Array = NDArray[np.float64]

LEVEL: Final = 0.95
#: Samples of the bootstrap, and draws of the chance of differences, which need a fit each.
_SAMPLES, DIFFERENCE_DRAWS = 999, 199
#: Draws that are fitted side by side.
_TOGETHER: Final = 250


@dataclass(frozen=True, slots=True)
class WayResult:
    """Held-out r of one way to predict, its interval, what 95 % of draws of chance stay below, and p (one-sided)."""

    way: str
    r: float
    low: float
    high: float
    chance: float
    p: float


@dataclass(frozen=True, slots=True)
class Added:
    """What a part adds: r of both less r without the part, its interval, and p (one-sided) of its own chance."""

    part: str
    difference: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, slots=True)
class RatingResult:
    """All that is found of one rating from one feature set of the sound; no picture: the sound alone."""

    rating: str
    features: str
    ways: tuple[WayResult, ...]
    added: tuple[Added, ...]

    def of(self, way: str) -> WayResult:
        """Return what one way reaches."""
        return next(each for each in self.ways if each.way == way)


@dataclass(frozen=True, slots=True, eq=False)
class ExcerptOutcome:
    """The results of a study of excerpts; ``predicted`` has for each of them 'sound' or 'both' (N,), NaN in training.

    ``folds`` is 1 for a given split, ``blocks`` how many stretches or films the intervals rest on.
    """

    study: ExcerptStudy
    results: tuple[RatingResult, ...]
    predicted: Mapping[tuple[str, str], Array]
    folds: int
    blocks: int
    notes: tuple[str, ...] = ()


@one_thread()
def analyse_excerpts(
    study: ExcerptStudy,
    sounds: Mapping[str, Array],
    progress: Callable[[str], None],
    *,
    components: int = 0,
    draws: int = 1000,
    seed: int = 0,
) -> ExcerptOutcome:
    """Predict each rating from sound, picture and both, and with the picture zeroed.

    Chance turns the column of ratings round in the order of the table, by a random number of rows, and repeats the
    whole fit with its inner folds: neighbours, who are mostly of one film, stay neighbours. What a part adds is held
    against fits whose features of that part were turned round so, while the rest stays. Intervals are of a bootstrap
    over films, or over stretches of the table where films are not told.

    Parameters
    ----------
    study
        The excerpts.
    sounds
        Features of the sound (N, F) by feature set.
    progress
        Told what is being done.
    components
        Principal components of the sound's features that enter; 0: the features themselves.
    draws, seed
        Of chance; differences have at most ``DIFFERENCE_DRAWS``.
    """
    parts = parts_of(study.test, study.groups, len(study.excerpts))
    blocks = np.unique(blocks_of(study.groups, parts), return_inverse=True)[1]
    judged = np.any(parts, axis=0)
    results, predicted = [], {}
    for features, sound in sounds.items():
        design = Design(sound, study.picture, components)
        for column, rating in enumerate(study.ratings):
            progress(f"{rating} from {features}")
            y = study.values[:, [column]]
            ways = WAYS if study.picture.shape[1] else WAYS[:1]
            found = held_out(design, y, parts, study.groups, ways)
            sums = {way: moments(found[way], y, parts, blocks)[..., 0] for way in ways}
            null = _chance(design, y, parts, study.groups, ways, draws, seed)
            samples = _bootstrap(sums, np.unique(blocks[judged]), seed)
            own = tuple(_way(way, sums[way], samples[way], null[way]) for way in ways)
            added: tuple[Added, ...] = ()
            if study.picture.shape[1]:
                added = _added(design, y, parts, study.groups, sums, samples, min(draws, DIFFERENCE_DRAWS), seed)
            results.append(RatingResult(rating, features, own, added))
            predicted[rating, features] = found["both" if "both" in ways else "sound"][:, 0]
    return ExcerptOutcome(study, tuple(results), predicted, len(parts), len(np.unique(blocks[judged])))


def _r(sums: Array) -> float:
    """Return r of sums (blocks, 3)."""
    return float(correlation_of(sums.sum(axis=0)[:, None])[0])


def _way(way: str, sums: Array, samples: Array, null: Array) -> WayResult:
    r = _r(sums)
    low, high = np.quantile(samples, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    p = (1 + int((null >= r).sum())) / (1 + len(null))
    return WayResult(way, r, float(low), float(high), float(np.quantile(null, LEVEL)), p)


def _bootstrap(sums: Mapping[str, Array], used: NDArray[np.intp], seed: int) -> dict[str, Array]:
    """Return r (samples,) of each way in the same samples of blocks."""
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(len(used), np.full(len(used), 1 / len(used)), _SAMPLES)
    return {way: correlation_of((counts @ each[used].reshape(len(used), 3)).T) for way, each in sums.items()}


def _turns(count: int, draws: int, seed: int) -> NDArray[np.intp]:
    return np.random.default_rng(seed).integers(1, count, draws)


def _chance(  # noqa: PLR0917 - what held_out is given, and how often
    design: Design,
    y: Array,
    parts: Sequence[NDArray[np.bool_]],
    groups: NDArray[np.intp] | None,
    ways: Sequence[str],
    draws: int,
    seed: int,
) -> dict[str, Array]:
    """Return r (draws,) of each way with ratings turned round, everything fitted anew."""
    turns, single = _turns(len(y), draws, seed), np.zeros(len(y), np.intp)
    found: dict[str, list[Array]] = {way: [] for way in ways}
    for start in range(0, draws, _TOGETHER):
        turned = np.column_stack([np.roll(y[:, 0], turn) for turn in turns[start : start + _TOGETHER]])
        for way, predicted in held_out(design, turned, parts, groups, ways).items():
            found[way].append(correlation_of(moments(predicted, turned, parts, single)[0]))
    return {way: np.concatenate(each) for way, each in found.items()}


def _added(  # noqa: PLR0917 - what chance is given, and what is known already
    design: Design,
    y: Array,
    parts: Sequence[NDArray[np.bool_]],
    groups: NDArray[np.intp] | None,
    sums: Mapping[str, Array],
    samples: Mapping[str, Array],
    draws: int,
    seed: int,
) -> tuple[Added, ...]:
    """Return what each part adds to the other."""
    turns, single = _turns(len(y), draws, seed), np.zeros(len(y), np.intp)
    found = []
    for part, other in (("sound", "picture"), ("picture", "sound")):
        without, null = _r(sums[other]), []
        for turn in turns:
            sound = np.roll(design.sound, turn, axis=0) if part == "sound" else design.sound
            picture = np.roll(design.picture, turn, axis=0) if part == "picture" else design.picture
            turned = held_out(Design(sound, picture, design.components), y, parts, groups, ("both",))["both"]
            null.append(float(correlation_of(moments(turned, y, parts, single)[0])[0]) - without)
        difference = _r(sums["both"]) - without
        spread = samples["both"] - samples[other]
        low, high = np.quantile(spread, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        p = (1 + int((np.array(null) >= difference).sum())) / (1 + draws)
        found.append(Added(part, difference, float(low), float(high), p))
    return tuple(found)
