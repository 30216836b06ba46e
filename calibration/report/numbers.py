"""The numbers of a calibration's report as plain data: what the page shows, and what other programs read."""

from __future__ import annotations

import math
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calibration.nulls import PValues
from calibration.outcome import Outcome
from calibration.ridge import ALPHAS
from calibration.sweep import AUTO, SetResult
from rtaffect.observed.operator import LEAST_SPECIFICITY

FORMAT: Final = 1
#: From this p value on, nothing is claimed.
LEVEL: Final = 0.05
#: A feature set of one element alone is named like 'layer-2/voice'; those of the mix have no such ending.
ELEMENTS: Final = ("mix", "voice", "background")
#: Packages whose versions matter, by the names that they are installed under.
_PACKAGES: Final = ("rtaffect", "numpy", "scipy", "scikit-learn", "onnxruntime", "onnxruntime-gpu", "mne")

Numbers = dict[str, Any]


def report_numbers(outcome: Outcome) -> Numbers:
    """Return what a calibration found as JSON-able data; None stands where there is no value."""
    sweep, manifest = outcome.sweep, outcome.bundle.manifest
    return {
        "format": FORMAT,
        "study": _study(outcome),
        "result": _result(outcome),
        "sets": [_set(result) for result in sweep.sets],
        "controlled": [_set(result) for result in sweep.controlled],
        "auto": None if sweep.auto is None else _set(sweep.auto),
        "comparison": _comparison(outcome),
        "elements": {element: _element(outcome, element) for element in ELEMENTS},
        "rows": _rows(outcome),
        "stimuli": _stimuli(outcome),
        "choices": _choices(outcome),
        "covariates": list(outcome.covariates),
        "notes": list(outcome.notes),
        "settings": manifest.settings.model_dump(mode="json"),
        "versions": _versions(),
        "hashes": {
            "featurizer": manifest.featurizer.sha256,
            "stimuli": {stimulus.name: stimulus.sha256 for stimulus in manifest.stimuli},
        },
        "seconds": {stage: float(seconds) for stage, seconds in outcome.seconds.items()},
        "created": manifest.created,
    }


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


def row_p(result: SetResult, counted: NDArray[np.bool_]) -> PValues:
    """Return p (R,) of all rows: of those that count among these, as exactly as is known, of the others among all."""
    merged = []
    for all_rows, some in zip(_p_arrays(result.p), _p_arrays(result.p_counted), strict=True):
        values = all_rows.copy()
        values[counted] = some
        merged.append(values)
    return PValues(*merged)


def base_of(outcome: Outcome) -> str:
    """Return the feature set that the bundle's weights are of: of 'auto' the layer that everything chooses."""
    return outcome.sweep.best if outcome.chosen == AUTO else outcome.chosen


def number(value: Any) -> float | None:
    """Return a float, or None for NaN and infinity, which JSON lacks."""
    value = float(value)
    return value if math.isfinite(value) else None


def _study(outcome: Outcome) -> Numbers:
    manifest, space = outcome.bundle.manifest, outcome.bundle.space
    return {
        "name": manifest.provenance.get("study", manifest.name),
        "bundle": manifest.name,
        "synthetic": manifest.synthetic,
        "listeners": max((stimulus.people for stimulus in manifest.stimuli), default=0),
        "ratings": not has_listeners(outcome),
        "space": space.kind,
        "channels": list(space.channels),
        "rows": {kind: space.row_kinds.count(kind) for kind in dict.fromkeys(space.row_kinds)},
        "mean_of": space.mean_of,
        "featurizer": manifest.featurizer.identity,
        "feature_size": manifest.featurizer.size,
        "chosen": outcome.chosen,
        "chosen_by": outcome.chosen_by,
        "layer": base_of(outcome),
        "provenance": dict(manifest.provenance),
    }


def _result(outcome: Outcome) -> Numbers:
    """Return the held-out result, of the mean over the rows that count, beside what could be reached."""
    ends = [number(ceiling[-1]) for ceiling in (outcome.ceiling_low, outcome.ceiling_high)]
    return _set(headline_of(outcome)) | {"ceiling_low": ends[0], "ceiling_high": ends[1]}


def _set(result: SetResult) -> Numbers:
    """Return the scores of a feature set: of the mean over rows, and how many of the rows that count are above chance.

    ``exact`` says whether their p values are from draws that were fitted anew.
    """
    score, p = result.score, result.p_counted
    judged = np.isfinite(p.single)
    counted = np.flatnonzero(result.fit.counted)[judged]
    return {
        "name": result.name,
        "r": number(score.r[-1]),
        "pooled": number(score.pooled[-1]),
        "r2": number(score.r2[-1]),
        "p": number(result.p_mean),
        "exact": result.exact,
        "chance": number(result.chance[-1]),
        "chance_phase": number(result.chance_phase[-1]),
        "steps": int(score.steps[-1]),
        "stimuli": int(score.stimuli[-1]),
        "rows": int(judged.sum()),
        "rows_r": number(np.median(score.r[counted])) if len(counted) else None,
        "rows_single": int((p.single[judged] < LEVEL).sum()),
        "rows_family": int((p.family[judged] < LEVEL).sum()),
        "rows_discovery": int((p.discovery[judged] < LEVEL).sum()),
        "inner_error": number(result.fit.inner_whole),
    }


def _comparison(outcome: Outcome) -> Numbers | None:
    found, layers = outcome.sweep.comparison, outcome.sweep.layers
    if found is None:
        return None
    pairs = [
        {"a": layers[a], "b": layers[b], "difference": number(d), "p": number(single), "p_family": number(family)}
        for (a, b), d, single, family in zip(found.sets, found.difference, found.single, found.family, strict=True)
    ]
    return {"layers": list(layers), "best": outcome.sweep.best, "units": found.units, "exact": found.exact,
            "pairs": pairs}  # fmt: skip


def _element(outcome: Outcome, element: str) -> Numbers | None:
    """Return the scores from one element of the sound; None where it was not computed."""
    name = base_of(outcome) if element == "mix" else f"{base_of(outcome)}/{element}"
    return next((_set(result) for result in outcome.sweep.sets if result.name == name), None)


def _rows(outcome: Outcome) -> list[Numbers]:
    """Return for each row what it is and how well the chosen feature set predicts it."""
    space, result = outcome.bundle.space, outcome.sweep.of(outcome.chosen)
    best = row_p(result, space.layout.counted)
    arrays = {
        "r": result.score.r,
        "r2": result.score.r2,
        "pooled": result.score.pooled,
        "p": best.single,
        "p_family": best.family,
        "q": best.discovery,
        "p_bound": result.p.single,
        "p_family_bound": result.p.family,
        "p_phase": result.p_phase.single,
        "chance": result.chance,
        "chance_phase": result.chance_phase,
        "ceiling_low": outcome.ceiling_low,
        "ceiling_high": outcome.ceiling_high,
        "own_share": space.specificity,
        "alpha": result.fit.alpha,
    }
    return [
        {"name": name, "kind": kind, "counted": bool(space.layout.counted[i]), "resolved": bool(space.resolved[i])}
        | {"steps": int(result.score.steps[i])}
        | {key: number(values[i]) for key, values in arrays.items()}
        for i, (name, kind) in enumerate(zip(space.rows, space.row_kinds, strict=True))
    ]


def _stimuli(outcome: Outcome) -> list[Numbers]:
    """Return every sound; of those fitted on also r of the mean over rows when it was held out."""
    result = outcome.sweep.of(outcome.chosen)
    each = dict(zip((s.name for s in outcome.measured.sounds), result.score.each[:, -1], strict=True))
    return [
        {
            "name": stimulus.name,
            "seconds": number(stimulus.seconds),
            "people": stimulus.people,
            "fitted": stimulus.fitted,
            "r": number(each.get(stimulus.name, math.nan)),
        }
        for stimulus in outcome.bundle.manifest.stimuli
    ]


def _choices(outcome: Outcome) -> Numbers:
    fit, prediction = outcome.sweep.of(outcome.chosen).fit, outcome.bundle.manifest.settings.prediction
    return {
        "penalties": [number(alpha) for alpha in ALPHAS],
        "alpha": [number(alpha) for alpha in fit.alpha],
        "at_edge": fit.at_edge,
        "lags_s": list(fit.weights.lags_s),
        "longest_lags_s": list(prediction.longest_lags_s),
        "components": len(fit.weights.scaler_mean),
        "components_asked": prediction.n_components,
        "folds": fit.folds,
        "layer_of_fold": _layer_of_fold(outcome),
        "least_share": LEAST_SPECIFICITY,
        "interval_level": prediction.interval_level,
    }


def _layer_of_fold(outcome: Outcome) -> list[str]:
    """Return the layer that 'auto' takes in each outer fold; empty without."""
    if outcome.sweep.auto is None:
        return []
    layers = outcome.sweep.layers
    inner: Sequence[Any] = [outcome.sweep.of(name).fit.inner for name in layers]
    return [layers[choice] for choice in np.stack(inner).argmin(axis=0)]


def _p_arrays(p: PValues) -> tuple[NDArray[np.float64], ...]:
    return p.single, p.family, p.discovery


def _versions() -> dict[str, str]:
    """Return the versions of what computed it; a package that is not installed is left out."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
