"""The numbers of a calibration's report as plain data: what the page shows, and what other programs read."""

from __future__ import annotations

import math
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import numpy as np

from calibration.contrasts import MEAN_KIND, Contrasts
from calibration.outcome import Outcome
from calibration.pages import number
from calibration.report.beyond_numbers import architectures_numbers, scales_numbers
from calibration.report.content import (
    CeilingNumbers,
    ChoicesNumbers,
    ComparisonNumbers,
    ContrastsNumbers,
    HashNumbers,
    LayerPair,
    ReportNumbers,
    ResultNumbers,
    RowContrast,
    RowNumbers,
    SetContrast,
    StimulusNumbers,
    StudyNumbers,
)
from calibration.report.element_numbers import ablation_numbers
from calibration.report.group import group_numbers
from calibration.report.set_content import SetNumbers
from calibration.report.set_numbers import row_p, set_numbers, unique_numbers
from calibration.ridge import ALPHAS
from calibration.sweep import AUTO, SetResult
from rtaffect.observed.operator import LEAST_SPECIFICITY
from rtaffect.predicted.elements import ELEMENTS

FORMAT: Final = 2
#: From this p value on, nothing is claimed.
LEVEL: Final = 0.05
#: Packages whose versions matter, by the names that they are installed under.
_PACKAGES: Final = ("rtaffect", "numpy", "scipy", "scikit-learn", "onnxruntime", "onnxruntime-gpu", "mne")


def report_numbers(outcome: Outcome) -> ReportNumbers:
    """Return what a calibration found."""
    sweep, manifest = outcome.sweep, outcome.bundle.manifest
    return ReportNumbers(
        format=FORMAT,
        study=_study(outcome),
        group=group_numbers(outcome),
        result=_result(outcome),
        sets=tuple(map(set_numbers, sweep.sets)),
        controlled=tuple(map(set_numbers, sweep.controlled)),
        unique=tuple(map(unique_numbers, sweep.unique)),
        no_unique=sweep.no_unique,
        auto=None if sweep.auto is None else set_numbers(sweep.auto),
        comparison=_comparison(outcome),
        contrasts=_contrasts(outcome),
        untold=outcome.untold,
        elements={element: _element(outcome, element) for element in ELEMENTS},
        ablation=ablation_numbers(outcome),
        rows=_rows(outcome),
        stimuli=_stimuli(outcome),
        choices=_choices(outcome),
        covariates=outcome.covariates,
        notes=outcome.notes,
        settings=manifest.settings.model_dump(mode="json"),
        versions=_versions(),
        hashes=HashNumbers(manifest.featurizer.sha256, {s.name: s.sha256 for s in manifest.stimuli}),
        seconds={stage: float(seconds) for stage, seconds in outcome.seconds.items()},
        created=manifest.created,
        architectures=architectures_numbers(outcome),
        scales=scales_numbers(outcome),
    )


def has_listeners(outcome: Outcome) -> bool:
    """Return whether people's EEG was measured; a study of ratings has none."""
    return any(len(people) for people in outcome.measured.people)


def lengths_of(outcome: Outcome) -> list[int]:
    """Return the steps of each sound that was fitted on."""
    people = outcome.measured.people
    return [p.shape[1] for p in people] if people else [sound.seconds for sound in outcome.measured.sounds]


def headline_of(outcome: Outcome) -> SetResult:
    """Return the result to be told first: of 'auto', where the bundle has the layer that inner folds choose.

    What is held out has no part in that choice then.
    """
    sweep = outcome.sweep
    if sweep.auto is not None and outcome.chosen in (AUTO, sweep.best):
        return sweep.auto
    return sweep.of(outcome.chosen)


def base_of(outcome: Outcome) -> str:
    """Return the feature set that the bundle's weights are of: of 'auto' the layer that everything chooses."""
    return outcome.sweep.best if outcome.chosen == AUTO else outcome.chosen


def _study(outcome: Outcome) -> StudyNumbers:
    manifest, space = outcome.bundle.manifest, outcome.bundle.space
    return StudyNumbers(
        name=manifest.provenance.get("study", manifest.name),
        bundle=manifest.name,
        synthetic=manifest.synthetic,
        listeners=max((stimulus.people for stimulus in manifest.stimuli), default=0),
        ratings=not has_listeners(outcome),
        space=space.kind,
        channels=space.channels,
        rows={kind: space.row_kinds.count(kind) for kind in dict.fromkeys(space.row_kinds)},
        mean_of=space.mean_of,
        featurizer=manifest.featurizer.identity,
        feature_size=manifest.featurizer.size,
        chosen=outcome.chosen,
        chosen_by=outcome.chosen_by,
        layer=base_of(outcome),
        provenance=dict(manifest.provenance),
    )


def _result(outcome: Outcome) -> ResultNumbers:
    low, high = (number(ceiling[-1]) for ceiling in outcome.ceiling_ends)
    found = outcome.ceiling
    ceiling = CeilingNumbers(
        low=number(found.low[-1]),
        high=number(found.high[-1]),
        least=number(found.least[-1]),
        most=number(found.most[-1]),
        p=number(found.p[-1]),
        told=bool(found.told[-1]),
    )
    return ResultNumbers(
        **asdict(set_numbers(headline_of(outcome))), ceiling_low=low, ceiling_high=high, ceiling=ceiling
    )


def _comparison(outcome: Outcome) -> ComparisonNumbers | None:
    found, names = outcome.sweep.comparison, outcome.sweep.names
    if found is None:
        return None
    pairs = tuple(
        LayerPair(names[a], names[b], number(difference), number(single), number(family))
        for (a, b), difference, single, family in zip(
            found.sets, found.difference, found.single, found.family, strict=True
        )
    )
    return ComparisonNumbers(names, outcome.sweep.best, found.units, found.exact, pairs)


def _contrasts(outcome: Outcome) -> ContrastsNumbers | None:
    """Return the comparisons with the last layer and with the descriptors; None where there are none."""
    found = outcome.sweep.contrasts
    if found is None:
        return None
    rows = outcome.bundle.space.rows
    return ContrastsNumbers(
        units=int(found.units[-1]),
        exact=found.exact,
        kinds=tuple(kind for kind in dict.fromkeys(found.kinds) if kind != MEAN_KIND),
        middle_of_fold=found.middle_of_fold,
        pairs=tuple(_pair(found, number_of, rows) for number_of in range(len(found.pairs))),
    )


def _pair(found: Contrasts, which: int, rows: Sequence[str]) -> SetContrast:
    difference, single, family = (values[which] for values in (found.difference, found.single, found.family))
    a, b = found.pairs[which]
    return SetContrast(
        LayerPair(a, b, number(difference[-1]), number(single[-1]), number(family[-1])),
        tuple(
            RowContrast(name, kind, int(found.units[i]), number(difference[i]), number(single[i]), number(family[i]))
            for i, (name, kind) in enumerate(zip(rows, found.kinds[:-1], strict=True))
        ),
    )


def _element(outcome: Outcome, element: str) -> SetNumbers | None:
    found = outcome.elements
    if element == "mix":
        name = base_of(outcome) if found is None else found.feature_set
        return next((set_numbers(result) for result in outcome.sweep.sets if result.name == name), None)
    return None if found is None or element not in found.results else set_numbers(found.results[element])


def _rows(outcome: Outcome) -> tuple[RowNumbers, ...]:
    space, result = outcome.bundle.space, outcome.sweep.of(outcome.chosen)
    best = row_p(result, space.layout.counted)
    ceiling_low, ceiling_high = outcome.ceiling_ends
    return tuple(
        RowNumbers(
            name=name,
            kind=kind,
            counted=bool(space.layout.counted[i]),
            resolved=bool(space.resolved[i]),
            steps=int(result.score.steps[i]),
            r=number(result.score.r[i]),
            r2=number(result.score.r2[i]),
            pooled_over_sounds=number(result.score.pooled[i]),
            p=number(best.single[i]),
            p_family=number(best.family[i]),
            q=number(best.discovery[i]),
            p_bound=number(result.p.single[i]),
            p_family_bound=number(result.p.family[i]),
            p_phase=number(result.p_phase.single[i]),
            chance=number(result.chance[i]),
            chance_phase=number(result.chance_phase[i]),
            ceiling_low=number(ceiling_low[i]),
            ceiling_high=number(ceiling_high[i]),
            own_share=number(space.specificity[i]),
            alpha=number(result.fit.alpha[i]),
        )
        for i, (name, kind) in enumerate(zip(space.rows, space.row_kinds, strict=True))
    )


def _stimuli(outcome: Outcome) -> tuple[StimulusNumbers, ...]:
    result = outcome.sweep.of(outcome.chosen)
    each = dict(zip((s.name for s in outcome.measured.sounds), result.score.each[:, -1], strict=True))
    return tuple(
        StimulusNumbers(s.name, number(s.seconds), s.people, s.fitted, number(each.get(s.name, math.nan)))
        for s in outcome.bundle.manifest.stimuli
    )


def _choices(outcome: Outcome) -> ChoicesNumbers:
    fit, prediction = outcome.sweep.of(outcome.chosen).fit, outcome.bundle.manifest.settings.prediction
    return ChoicesNumbers(
        penalties=tuple(map(number, ALPHAS)),
        alpha=tuple(map(number, fit.alpha)),
        at_edge=fit.at_edge,
        lags_s=fit.weights.lags_s,
        longest_lags_s=prediction.longest_lags_s,
        components=len(fit.weights.scaler_mean),
        components_asked=prediction.n_components,
        folds=fit.folds,
        layer_of_fold=_layer_of_fold(outcome),
        least_share=LEAST_SPECIFICITY,
        interval_level=prediction.interval_level,
    )


def _layer_of_fold(outcome: Outcome) -> tuple[str, ...]:
    """Return the layer that 'auto' takes in each outer fold; empty without."""
    if outcome.sweep.auto is None:
        return ()
    layers = outcome.sweep.layers
    inner = [outcome.sweep.of(name).fit.inner for name in layers]
    return tuple(layers[choice] for choice in np.stack(inner).argmin(axis=0))


def _versions() -> dict[str, str]:
    """Return the versions of what computed it; a package that is not installed is left out."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
