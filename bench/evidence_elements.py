"""Does the ablation of elements find what was planted, and nothing where nothing was?

Whole simulated studies: a narrator over music, of which the voice drives prefrontal and temporal patches and the
background parietal and occipital ones, each by its share of the energy; EEG of everyone, observed synchrony, and the
ablation by the streaming separator, and by the true elements. Planted as it is, with energies reversed, and with
nothing planted: then everyone shares as much at all times, and neither element tells of it.

- ``voice's``, ``background's``: mean r in electrodes that belong to an element (its weight there is twice the other's)
  from that element, and from the other;
- ``lead``: rank correlation over electrodes of the weights' difference that was planted with the difference of Fisher
  z that was found;
- ``bias``: mean over sounds of Fisher z of r from the voice less that from the background, in the mean over rows;
- ``rank``: Spearman's correlation over sounds of the voice's share of the energy with that bias, and its p;
- p of each element alone, beyond the other, and r of both in one model.

And, of features and targets that have nothing to do with each other, how often p <= .05 comes for both models, whose
chance is by the bound: nominal 5 %, expected less.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from bench import Rows, run, silent
from calibration.elements import ElementsFound, leave_out
from calibration.joint import fit_joint, shares_of
from calibration.measured import measure
from calibration.sweep import Question, judge, sweep
from rtaffect.common.correlation import fisher_z
from rtaffect.common.settings import NO_DRIFT, PredictionSettings, Settings
from rtaffect.predicted.elements import separator_for
from rtaffect.predicted.feature_cache import cached_features_of
from rtaffect.predicted.featurizer import Featurizer, default_featurizer
from rtaffect.predicted.separator import Elements
from rtaffect.simulation.cohort import CohortSettings
from rtaffect.simulation.elements import ElementSettings, at_electrodes, weights_of
from rtaffect.simulation.study import StudySettings, SyntheticStudy
from rtaffect.stream.audio import SAMPLE_RATE, StudySound

SETTINGS = Settings(prediction=PredictionSettings(n_components=4, lags_s=(0, 3, 6)))
COHORT = CohortSettings(strength=0.1, depth=1.2, unexplained=0.2, rate_hz=128.0)
#: As they are, with energies reversed, and with nothing that either moves.
CONDITIONS = {
    "planted": ElementSettings(spread_db=10),
    "energies reversed": ElementSettings(spread_db=10, reverse=True),
    "nothing planted": ElementSettings(spread_db=10, voice_strength=0, background_strength=0),
}
FEATURE_SET = "layer-2"


def study_of(elements: ElementSettings, size: tuple[int, int, int], featurizer: Featurizer) -> SyntheticStudy:
    """Return a study of so many people, sounds, and seconds of each."""
    people, sounds, seconds = size
    settings = StudySettings(
        listeners=people, sounds=sounds, sound_s=seconds, spare_s=30, cohort=COHORT, elements=elements
    )
    return SyntheticStudy(settings, featurizer, silent)


def separated(quick: bool) -> dict[str, Callable[[SyntheticStudy, StudySound], Elements]]:
    """Return what gives a sound's elements, by name."""
    found: dict[str, Callable[[SyntheticStudy, StudySound], Elements]] = {}
    if not quick:
        separator = separator_for("dtln", progress=silent)
        found["dtln"] = lambda _, sound: separator.elements_of(sound.samples, sound.samples[:, None], SAMPLE_RATE)

    def true(study: SyntheticStudy, sound: StudySound) -> Elements:
        assert study.planted is not None
        return study.planted.parts[sound.name]

    return found | {"the true elements": true}


def ablations(quick: bool) -> Rows:
    """Return a row for each condition and separator."""
    size, draws = ((3, 2, 45), 19) if quick else ((8, 8, 60), 199)
    featurizer, rows = default_featurizer(silent), []
    for condition, planted in CONDITIONS.items():
        study = study_of(planted, size, featurizer)
        measured = measure(study, SETTINGS, silent, splits=1, draws=19)
        kinds = measured.space.row_kinds
        question = Question(measured.targets, measured.people, measured.space.layout.counted, kinds=kinds)
        features = [cached_features_of(sound.samples, featurizer) for sound in measured.sounds]
        mix = sweep({FEATURE_SET: features}, question, SETTINGS, silent, draws=draws).sets[0]
        for name, parts_of in separated(quick).items():
            found = leave_out(
                mix, measured.sounds, lambda sound, of=parts_of, study=study: of(study, sound), featurizer,
                (name, "0" * 64), question, SETTINGS, silent, draws=draws,
            )  # type: ignore[misc] # fmt: skip
            rows.append({"case": condition, "by": name, **_figures(found, mix.score.r[-1], study)})
    return rows


def _figures(found: ElementsFound, mix: float, study: SyntheticStudy) -> dict[str, Any]:
    voice, background = (found.results[name] for name in ("voice", "background"))
    lead = fisher_z(voice.score.r[:-1]) - fisher_z(background.score.r[:-1])
    # What belongs to whom is the same in all conditions, also where nothing is moved.
    patches = study.cohort.head.patches
    weights = at_electrodes(weights_of(patches, ElementSettings()), study.cohort.head.leadfield)
    own = weights[0] > 2 * weights[1], weights[1] > 2 * weights[0]
    nothing = float("nan")
    joined = found.joined or {}
    return {
        "mix": float(mix),
        "voice_own": float(voice.score.r[:-1][own[0]].mean()),
        "voice_other": float(background.score.r[:-1][own[0]].mean()),
        "background_own": float(background.score.r[:-1][own[1]].mean()),
        "background_other": float(voice.score.r[:-1][own[1]].mean()),
        "lead": float(spearmanr(weights[0] - weights[1], lead).statistic),
        "bias": float(np.nanmean(found.bias)),
        "rank": found.rank_r,
        "rank_p": found.rank_p,
        "voice_p": voice.p_mean,
        "background_p": background.p_mean,
        "beyond": "/".join(f"{u.r.p_mean:.3f}" for u in found.unique) or "not told",
        "joined": "/".join(f"{j.result.score.r[-1]:.2f}" for j in joined.values()),
        "best": float(max(voice.score.r[-1], background.score.r[-1])),
        "share_rank": float(spearmanr(found.share, list(study.planted.share.values())[:-1]).statistic)
        if study.planted is not None
        else nothing,
    }


def rates(studies: int, draws: int = 99) -> dict[str, Any]:
    """Return how often both models have p <= .05 of targets that nothing tells of."""
    settings = Settings(prediction=PredictionSettings(n_components=3, lags_s=(0, 2)), drift=NO_DRIFT)
    counted, hits = np.array([True, True, False]), {"stacked": [], "banded": []}
    for seed in range(studies):
        rng = np.random.default_rng(seed)

        def slow(columns: int, keep: int, rng: np.random.Generator = rng) -> list[np.ndarray]:
            kernel = np.ones(keep) / np.sqrt(keep)
            found = rng.standard_normal((6, 80 + keep - 1, columns))
            return [np.apply_along_axis(np.convolve, 0, one, kernel, "valid") for one in found]

        features, targets = [slow(6, 4), slow(6, 4)], [0.1 * t for t in slow(3, 10)]
        people = [t[None] for t in targets]
        question = Question(targets, people, counted)
        for name, shares in (("stacked", None), ("banded", shares_of(2))):
            made = fit_joint(features, targets, settings, people, counted=counted, shares=shares)
            result = judge(name, made.fit, question, settings, draws)
            hits[name].append([result.p_mean <= 0.05, *(result.p.single[:2] <= 0.05)])
    return {
        f"p <= .05 of nothing, {name}, mean and rows, of {studies} studies": [
            round(float(np.mean([h[0] for h in found])), 3), round(float(np.mean([h[1:] for h in found])), 3)
        ]
        for name, found in hits.items()
    }  # fmt: skip


def measure_all(quick: bool) -> Rows:
    """Return the ablations, the rates in the first."""
    rows = ablations(quick)
    rows[0]["rates"] = rates(3 if quick else 100)
    for row in rows:
        row["ratio"] = row["voice_p"] / 0.05
    return rows


if __name__ == "__main__":
    run(
        "evidence_elements",
        measure_all,
        [
            ("case", "planted", ""),
            ("by", "elements by", ""),
            ("mix", "r, mix", ".2f"),
            ("voice_own", "voice's: from voice", ".2f"),
            ("voice_other", "from background", ".2f"),
            ("background_own", "background's: from background", ".2f"),
            ("background_other", "from voice", ".2f"),
            ("lead", "lead", ".2f"),
            ("bias", "bias", ".2f"),
            ("rank", "rank", ".2f"),
            ("rank_p", "p", ".3f"),
            ("voice_p", "p, voice", ".3f"),
            ("background_p", "p, background", ".3f"),
            ("beyond", "p beyond", ""),
            ("joined", "r, stacked/banded", ""),
            ("best", "r, better alone", ".2f"),
            ("share_rank", "share, found and true", ".2f"),
        ],
        "Means over electrodes of 24; p beyond: voice beyond background and the reverse.",
        lambda rows: rows[0]["rates"],
    )
