"""What the report of a calibration says, as data: kept in ``bundle.json`` under ``report``; the page is made of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from calibration.report.beyond_content import ArchitecturesNumbers, ScalesNumbers


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
class SetNumbers:
    """Scores of a feature set: of the mean over rows, and how many of the rows that count are above chance.

    ``exact`` says whether p values are from draws that were fitted anew, ``chance`` and ``chance_phase`` what 95 % of
    draws stay below; ``steps`` and ``stimuli`` counted; of ``rows`` that were judged, with median ``rows_r``, the last
    three counts have p below ``LEVEL`` alone, family-wise, and by false discovery rate.
    """

    name: str
    r: float | None
    pooled: float | None
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
class ResultNumbers(SetNumbers):
    """The held-out result beside what could be reached, the noise ceiling."""

    ceiling_low: float | None
    ceiling_high: float | None


@dataclass(frozen=True, slots=True)
class LayerPair:
    """Layer ``a`` less layer ``b``: mean difference of Fisher z over stimuli, p alone and family-wise."""

    a: str
    b: str
    difference: float | None
    p: float | None
    p_family: float | None


@dataclass(frozen=True, slots=True)
class ComparisonNumbers:
    """Every two layers compared over ``units`` stimuli, ``exact`` if by all flips of signs."""

    layers: tuple[str, ...]
    best: str
    units: int
    exact: bool
    pairs: tuple[LayerPair, ...]

    def of_best(self) -> list[LayerPair]:
        """Return the best layer less each other one."""
        found = []
        for pair in self.pairs:
            if pair.a == self.best:
                found.append(pair)
            elif pair.b == self.best:
                difference = None if pair.difference is None else -pair.difference
                found.append(replace(pair, a=pair.b, b=pair.a, difference=difference))
        return found


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
    pooled: float | None
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

    ``elements`` has the scores from each element of the sound, None where they were not computed; ``seconds`` how long
    each stage took. ``architectures`` and ``scales`` are None where they were not asked for.
    """

    format: int
    study: StudyNumbers
    result: ResultNumbers
    sets: tuple[SetNumbers, ...]
    controlled: tuple[SetNumbers, ...]
    auto: SetNumbers | None
    comparison: ComparisonNumbers | None
    elements: dict[str, SetNumbers | None]
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
