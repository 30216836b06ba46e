"""All numbers of the report of affect as plain data, and what they say in sentences."""

from __future__ import annotations

import math
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from calibration.affect.affect_model import SOURCES
from calibration.affect.held_out import SCHEMES
from calibration.affect.outcome import AffectOutcome
from calibration.affect.scores import MEASURES, NOTHING, Estimate
from calibration.affect.validation import Baseline, Row, Validation
from calibration.pages import decimal, p_is
from calibration.report.numbers import LEVEL
from rtaffect import __version__
from rtaffect.affect.settings import DIMENSIONS

#: What a source is called in a sentence.
FROM: Final = {"eeg": "EEG", "sound": "sound", "both": "EEG and sound together"}
BOTH_NEW: Final = SCHEMES[2]


def affect_numbers(outcome: AffectOutcome) -> dict[str, Any]:
    """Return what was found as plain data, None for no value."""
    study, model, found = outcome.study, outcome.model, outcome.validation
    hearings = found.hearings
    numbers: dict[str, Any] = _plain({
        "format": 1,
        "name": outcome.name,
        "study": study.name,
        "synthetic": study.synthetic,
        "people": len(np.unique(study.person)),
        "stimuli": len(np.unique(study.stimulus)),
        "hearings": len(hearings.person),
        "seconds": len(study),
        "high": {d: int((hearings.ratings[:, i] > 0).sum()) for i, d in enumerate(DIMENSIONS)},
        "low": {d: int((hearings.ratings[:, i] < 0).sum()) for i, d in enumerate(DIMENSIONS)},
        "rated": study.rated,
        "raters": study.raters,
        "embedding": study.embedding,
        "folds": list(found.grid.shape),
        "draws": found.plan.draws,
        "rows": [asdict(row) for row in found.rows],
        "baselines": [asdict(row) for row in found.baselines],
        "retrieval": [asdict(row) for row in found.retrieval],
        "ablations": [asdict(row) | {"dimension": DIMENSIONS[row.dimension]} for row in found.ablations],
        "brier": _by_source(found.brier),
        "brier_base": _by_source(found.brier_base),
        "people_scores": _people(outcome),
        "steps": model.n_steps_,
        "losses": list(model.losses_),
        "temperature": model.temperature_.tolist(),
        "eeg_weight": model.eeg_weight_.tolist(),
        "high_share": model.high_share_.tolist(),
        "recipe": asdict(model.recipe_),
        "notes": list(found.notes),
        "rtaffect": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    })  # fmt: skip
    return numbers


def _by_source(values: Any) -> dict[str, dict[str, float]]:
    rows = [dict(zip(DIMENSIONS, row, strict=True)) for row in values.tolist()]
    return dict(zip(SOURCES, rows, strict=True))


def _people(outcome: AffectOutcome) -> list[dict[str, Any]]:
    """Return each person's measures from EEG, of both new."""
    scores = outcome.validation.person_scores[SCHEMES.index(BOTH_NEW), SOURCES.index("eeg")]
    return [
        {"person": outcome.study.people[p]}
        | {d: dict(zip(MEASURES, scores[i, :, p].tolist(), strict=True)) for i, d in enumerate(DIMENSIONS)}
        for p in np.unique(outcome.validation.hearings.person)
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def interval(found: Estimate) -> str:
    """Return '.62 [.51, .73]', without brackets where there is no interval."""
    if not math.isfinite(found.value):
        return "no value"
    ends = f" [{decimal(found.low)}, {decimal(found.high)}]" if math.isfinite(found.low) else ""
    return f"{decimal(found.value)}{ends}"


def is_clear(row: Row) -> bool:
    """Tell whether a value is above chance."""
    return row.chance.p < LEVEL and row.found.value > NOTHING[MEASURES.index(row.measure)]


def sentences(found: Validation) -> list[str]:
    """Return for each dimension what is told of new people hearing new sounds, and against what."""
    said = []
    for dimension in DIMENSIONS:
        lines = []
        for source in ("eeg", "sound"):
            accuracy, r = (found.row(BOTH_NEW, source, dimension, m) for m in MEASURES[:2])
            lines.append(
                f"from {FROM[source]} at a balanced accuracy of {interval(accuracy.found)} and r = {interval(r.found)}"
                f"{_verdict(r)}"
            )
        others = _baseline(found, "mean of the others", dimension, "balanced accuracy").found
        said.append(
            f"{dimension.capitalize()} of new people hearing new sounds is told {'; '.join(lines)}. What other people "
            f"say of the very sound, which nobody has of a new one, would reach {interval(others)}."
        )
    return said


def _verdict(row: Row) -> str:
    if not row.chance.draws:
        return ""
    if is_clear(row):
        return f", above chance ({p_is(row.chance.p)})"
    return f", which is not distinguishable from chance ({p_is(row.chance.p)})"


def _baseline(found: Validation, name: str, dimension: str, measure: str) -> Baseline:
    return next(b for b in found.baselines if (b.name, b.dimension, b.measure) == (name, dimension, measure))


def rivals(found: Validation, dimension: str, measure: str) -> list[Baseline]:
    """Return the baselines of one measure of one dimension."""
    return [b for b in found.baselines if (b.dimension, b.measure) == (dimension, measure)]
