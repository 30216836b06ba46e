"""What the report of a calibration says, as data: kept in ``bundle.json`` under ``report``; the page is made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from calibration.contrasts import MIDDLE
from calibration.report.beyond_content import ArchitecturesNumbers, ScalesNumbers
from calibration.report.element_content import AblationNumbers
from calibration.report.set_content import SetNumbers, UniqueNumbers


@dataclass(frozen=True, slots=True)
class StudyNumbers:
    """The study, and what was made of it.

    ``listeners`` is the most of one sound, ``ratings`` whether these were predicted in place of synchrony, ``rows``
    how many there are of each kind, ``layer`` the feature set of the bundle's weights, which ``chosen`` may be too.
    """

    name: str
    bundle: str
    synthetic: bool
    listeners: int
    ratings: bool
    space: str
    channels: tuple[str, ...]
    rows: dict[str, int]
    mean_of: str
    featurizer: str
    feature_size: int
    chosen: str
    chosen_by: str
    layer: str
    provenance: dict[str, str]


@dataclass(frozen=True, slots=True)
class GroupValue:
    """Inter-subject correlation (ISC) with its 95 % interval over listeners, what 95 % of chance stay below, and p.

    ``each`` has it in each sound.
    """

    name: str
    kind: str
    counted: bool
    r: float | None
    low: float | None
    high: float | None
    chance: float | None
    p: float | None
    p_family: float | None
    each: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class GroupNumbers:
    """Whether the group is synchronised at all: ``mean`` over the rows that count, and every row.

    ``smallest_p`` is the smallest family-wise p among the rows that count and their mean, ``draws`` those of each of
    both kinds of chance, ``verdict`` says it in words.
    """

    synchronised: bool
    verdict: str
    smallest_p: float | None
    listeners: int
    seconds: float
    draws: int
    sounds: tuple[str, ...]
    mean: GroupValue
    rows: tuple[GroupValue, ...]


@dataclass(frozen=True, slots=True)
class CeilingNumbers:
    """The noise ceiling's ends, its 95 % interval from ``least`` to ``most``, and p against turned courses.

    ``told`` says whether it is distinguishable from none.
    """

    low: float | None
    high: float | None
    least: float | None
    most: float | None
    p: float | None
    told: bool


@dataclass(frozen=True, slots=True)
class ResultNumbers(SetNumbers):
    """The held-out result beside what could be reached, the noise ceiling; its ends only where it is told."""

    ceiling_low: float | None
    ceiling_high: float | None
    ceiling: CeilingNumbers


@dataclass(frozen=True, slots=True)
class LayerPair:
    """Feature set ``a`` less ``b``: mean difference of Fisher z over stimuli, p alone and family-wise."""

    a: str
    b: str
    difference: float | None
    p: float | None
    p_family: float | None


@dataclass(frozen=True, slots=True)
class ComparisonNumbers:
    """Every two feature sets compared over ``units`` stimuli, ``exact`` if by all flips of signs."""

    sets: tuple[str, ...]
    best: str
    units: int
    exact: bool
    pairs: tuple[LayerPair, ...]

    def of_best(self) -> list[LayerPair]:
        """Return the best layer less each other set."""
        found = []
        for pair in self.pairs:
            if pair.a == self.best:
                found.append(pair)
            elif pair.b == self.best:
                difference = None if pair.difference is None else -pair.difference
                found.append(replace(pair, a=pair.b, b=pair.a, difference=difference))
        return found


@dataclass(frozen=True, slots=True)
class RowContrast:
    """One row's difference of Fisher z, p alone and family-wise among all pairs and rows of its kind, and sounds."""

    name: str
    kind: str
    units: int
    difference: float | None
    p: float | None
    p_family: float | None


@dataclass(frozen=True, slots=True)
class SetContrast:
    """Feature set ``a`` less ``b`` in the mean over rows, as a :class:`LayerPair`, and in each row."""

    mean: LayerPair
    rows: tuple[RowContrast, ...]

    def clear_of(self, kinds: Sequence[str], level: float) -> list[str]:
        """Return for each kind in how many of its rows ``a`` is better, and in how many worse, corrected."""
        return [_clear([row for row in self.rows if row.kind == kind], level) for kind in kinds]


def _clear(rows: Sequence[RowContrast], level: float) -> str:
    judged = [row for row in rows if row.p_family is not None]
    below = [row.difference or 0.0 for row in judged if row.p_family is not None and row.p_family < level]
    better = sum(difference > 0 for difference in below)
    return f"{better} better, {len(below) - better} worse, of {len(judged)}"


@dataclass(frozen=True, slots=True)
class ContrastsNumbers:
    """Each layer, and the middle one, against the last and the descriptors, over ``units`` sounds.

    ``kinds`` are those of the rows, ``middle_of_fold`` has the layer that each outer fold's middle one was.
    """

    units: int
    exact: bool
    kinds: tuple[str, ...]
    middle_of_fold: tuple[str, ...]
    pairs: tuple[SetContrast, ...]

    @property
    def kind_heads(self) -> list[str]:
        """Headings of columns about the rows of each kind."""
        return [f"{kind}s p < .05" for kind in self.kinds]

    def of_middle(self) -> list[SetContrast]:
        """Return the middle layer against each of what it is held against."""
        return [pair for pair in self.pairs if pair.mean.a == MIDDLE]


@dataclass(frozen=True, slots=True)
class RowNumbers:
    """What a row is and how well the chosen feature set predicts it.

    ``p``, ``p_family`` and ``q`` are as exact as is known, see :func:`row_p`; ``own_share`` is how much of a region's
    estimated power is its own, and ``resolved`` whether that is enough to tell it apart.
    """

    name: str
    kind: str
    counted: bool
    resolved: bool
    steps: int
    r: float | None
    r2: float | None
    pooled_over_sounds: float | None
    p: float | None
    p_family: float | None
    q: float | None
    p_bound: float | None
    p_family_bound: float | None
    p_phase: float | None
    chance: float | None
    chance_phase: float | None
    ceiling_low: float | None
    ceiling_high: float | None
    own_share: float | None
    alpha: float | None


@dataclass(frozen=True, slots=True)
class StimulusNumbers:
    """A sound, how many heard it, and r of the mean over rows when it was held out."""

    name: str
    seconds: float | None
    people: int
    fitted: bool
    r: float | None


@dataclass(frozen=True, slots=True)
class ChoicesNumbers:
    """What inner folds chose, and from what: penalties of the grid, ``alpha`` of each row, layers of each fold."""

    penalties: tuple[float | None, ...]
    alpha: tuple[float | None, ...]
    at_edge: str
    lags_s: tuple[int, ...]
    longest_lags_s: tuple[int, ...]
    components: int
    components_asked: int
    folds: int
    layer_of_fold: tuple[str, ...]
    least_share: float
    interval_level: float


@dataclass(frozen=True, slots=True)
class HashNumbers:
    """SHA-256 of the featurizer, and of each sound by its name."""

    featurizer: str
    stimuli: dict[str, str]


@dataclass(frozen=True, slots=True)
class ReportNumbers:
    """All numbers of a calibration's report; None stands where there is no value.

    ``controlled`` is the paper's control, with covariates zeroed, ``unique`` what is left beyond them, ``no_unique``
    why that is not told; ``untold`` what a quick calibration cannot answer. ``elements`` has the scores from each
    element of the sound, ``ablation`` what they tell against each other, None where they were not computed; ``seconds``
    how long each stage took. ``architectures`` and ``scales`` are None where they were not asked for.
    """

    format: int
    study: StudyNumbers
    group: GroupNumbers | None
    result: ResultNumbers
    sets: tuple[SetNumbers, ...]
    controlled: tuple[SetNumbers, ...]
    unique: tuple[UniqueNumbers, ...]
    no_unique: str
    auto: SetNumbers | None
    comparison: ComparisonNumbers | None
    contrasts: ContrastsNumbers | None
    untold: tuple[str, ...]
    elements: dict[str, SetNumbers | None]
    ablation: AblationNumbers | None
    rows: tuple[RowNumbers, ...]
    stimuli: tuple[StimulusNumbers, ...]
    choices: ChoicesNumbers
    covariates: tuple[str, ...]
    notes: tuple[str, ...]
    settings: dict[str, Any]
    versions: dict[str, str]
    hashes: HashNumbers
    seconds: dict[str, float]
    created: str
    architectures: ArchitecturesNumbers | None = None
    scales: ScalesNumbers | None = None
