"""Does the ablation of elements find what was planted, and nothing where nothing was?

Whole simulated studies: a narrator over music, of which the voice drives prefrontal and temporal patches and the
background parietal and occipital ones, each by its share of the energy; EEG of everyone, observed synchrony, and the
ablation by the true elements, and by each separator. Planted as it is, with energies reversed, and with
nothing planted: then everyone shares as much at all times, and neither element tells of it.

- ``voice's``, ``background's``: mean r in electrodes that belong to an element (its weight there is twice the other's)
  from that element, and from the other;
- ``lead``: rank correlation over electrodes of the weights' difference that was planted with the difference of Fisher
  z that was found;
- ``bias``: mean over sounds of Fisher z of r from the voice less that from the background, in the mean over rows;
- ``rank``: Spearman's correlation over sounds of the voice's share of the energy with that bias, and its p;
- ``heard``: the share of sounds in which the voice is heard;
- p of each element alone, beyond the other, and r of both in one model.

Then many studies of a usual size (12 people, 12 sounds of 120 s) without sounds and EEG: features that wander, the same
planting by the energy, expected synchrony of a listener with the others, and the noise of windows of 10 s. Told is how
often p <= .05 comes for the bias following the energy, the bias itself, and how many patches of an element it wins, and
loses to the other.

And, of features and targets that have nothing to do with each other, how often p <= .05 comes for both models, whose
chance is by the bound: nominal 5 %, expected less.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar, Final

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.stats import spearmanr

import calibration.elements
from bench import Rows, run, silent
from bench.kept import Kept
from calibration.elements import ElementsFound, leave_out
from calibration.joint import fit_joint, shares_of
from calibration.measured import Measured, measure
from calibration.sweep import Question, SetResult, judge, sweep
from rtaffect.common.correlation import fisher_z
from rtaffect.common.settings import NO_DRIFT, PredictionSettings, Settings
from rtaffect.predicted.element_levels import SILENT_DB
from rtaffect.predicted.elements import BUILDERS, separator_for
from rtaffect.predicted.feature_cache import cached_features_of
from rtaffect.predicted.featurizer import Featurizer, default_featurizer
from rtaffect.predicted.separator import Elements
from rtaffect.simulation.cohort import CohortSettings, leaky, with_mean_of
from rtaffect.simulation.elements import ElementSettings, at_electrodes, levels_of, plant, weights_of
from rtaffect.simulation.head import PATCHES
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
FEATURE_SET: Final = "layer-2"
PartsOf = Callable[[SyntheticStudy, StudySound], Elements]
#: Standard deviation of one listener's correlation with others in a window of 10 s where nothing is shared.
WINDOW_SD: Final = 0.06


def study_of(elements: ElementSettings, size: tuple[int, int, int], featurizer: Featurizer) -> SyntheticStudy:
    """Return a study of so many people, sounds, and seconds of each."""
    people, sounds, seconds = size
    settings = StudySettings(
        listeners=people, sounds=sounds, sound_s=seconds, spare_s=30, cohort=COHORT, elements=elements
    )
    return SyntheticStudy(settings, featurizer, silent)


def separated(name: str) -> tuple[str, PartsOf, float]:
    """Return a separator's full name, what gives a sound's elements, and from which level on a voice is one, dB."""

    def true(study: SyntheticStudy, sound: StudySound) -> Elements:
        assert study.planted is not None
        return study.planted.parts[sound.name]

    if name not in BUILDERS:
        return name, true, SILENT_DB
    separator = separator_for(name, progress=silent)
    manifest = separator.manifest
    return (
        manifest.name,
        lambda _, sound: separator.elements_of(sound.samples, sound.samples[:, None], SAMPLE_RATE),
        manifest.voice_db,
    )


def ablations(quick: bool, kept: Kept) -> Rows:
    """Return a row for each condition and separator."""
    rows = (
        kept.of(f"ablation, {condition}, {name}", lambda c=condition, n=name: _ablation(quick, c, n))
        for condition in CONDITIONS
        for name in (("the true elements",) if quick else ("the true elements", *BUILDERS))
    )
    return [row for row in rows if row is not None]


@cache
def _studied(quick: bool, condition: str) -> tuple[SyntheticStudy, Measured, Question, SetResult]:
    """Return a condition's study, what was measured in it, and the whole sounds' result."""
    size, draws = ((3, 3, 60), 19) if quick else ((8, 8, 60), 199)
    featurizer = default_featurizer(silent)
    study = study_of(CONDITIONS[condition], size, featurizer)
    measured = measure(study, SETTINGS, silent, splits=1, draws=19)
    question = Question(
        measured.targets, measured.people, measured.space.layout.counted, kinds=measured.space.row_kinds
    )
    features = [cached_features_of(sound.samples, featurizer) for sound in measured.sounds]
    mix = sweep({FEATURE_SET: features}, question, SETTINGS, silent, draws=draws).sets[0]
    return study, measured, question, mix


def _ablation(quick: bool, condition: str, name: str) -> dict[str, Any]:
    study, measured, question, mix = _studied(quick, condition)
    title, parts_of, voice_db = separated(name)
    found = leave_out(
        mix, measured.sounds, lambda sound: parts_of(study, sound), default_featurizer(silent), (title, "0" * 64),
        question, SETTINGS, silent, draws=19 if quick else 199, voice_db=voice_db,
    )  # fmt: skip
    return {"case": condition, "by": title, **_figures(found, mix.score.r[-1], study)}


def _figures(found: ElementsFound, mix: float, study: SyntheticStudy) -> dict[str, Any]:
    # An element that is not heard in two stimuli has no result.
    results = [found.results.get(name) for name in ("voice", "background")]
    rows = len(study.cohort.head.leadfield) + 1
    voice, background = (np.full(rows, np.nan) if each is None else each.score.r for each in results)
    lead = fisher_z(voice[:-1]) - fisher_z(background[:-1])
    # What belongs to whom is the same in all conditions, also where nothing is moved.
    patches = study.cohort.head.patches
    weights = at_electrodes(weights_of(patches, ElementSettings()), study.cohort.head.leadfield)
    own = weights[0] > 2 * weights[1], weights[1] > 2 * weights[0]
    nothing = float("nan")
    joined = found.joined or {}
    return {
        "mix": float(mix),
        "voice_own": float(voice[:-1][own[0]].mean()),
        "voice_other": float(background[:-1][own[0]].mean()),
        "background_own": float(background[:-1][own[1]].mean()),
        "background_other": float(voice[:-1][own[1]].mean()),
        "lead": float(spearmanr(weights[0] - weights[1], lead).statistic),
        "bias": float(np.mean(found.bias[np.isfinite(found.bias)])) if np.isfinite(found.bias).any() else nothing,
        "heard": float(np.mean(np.isfinite(found.each[1]))),
        "rank": found.rank_r,
        "rank_p": found.rank_p,
        "voice_p": nothing if results[0] is None else results[0].p_mean,
        "background_p": nothing if results[1] is None else results[1].p_mean,
        "beyond": "/".join(f"{u.r.p_mean:.3f}" for u in found.unique) or "not told",
        "joined": "/".join(f"{j.result.score.r[-1]:.2f}" for j in joined.values()),
        "best": float(np.fmax(voice[-1], background[-1])),
        "share_rank": float(
            spearmanr(found.share, list(study.planted.share.values())[:-1], nan_policy="omit").statistic
        )
        if study.planted is not None
        else nothing,
    }


class _Numbered:
    """Features of elements that are no sounds: their first sample says which they are."""

    kept: ClassVar[dict[float, np.ndarray]] = {}

    def layers(self, sound: np.ndarray, _: object) -> dict[str, np.ndarray]:
        """Return what was kept for it."""
        return {FEATURE_SET: self.kept[float(sound[0])]}


def truths(studies: int, kept: Kept, draws: int = 19) -> dict[str, Any]:
    """Return what the ablation finds in studies without sounds, by condition."""
    told: dict[str, list[dict[str, Any]]] = {condition: [] for condition in CONDITIONS}
    for seed in range(studies):
        for condition, planted in CONDITIONS.items():
            one = kept.of(f"truth {seed}, {condition}", lambda seed=seed, planted=planted: _told(planted, seed, draws))
            told[condition] += [] if one is None else [one]
    return {f"{condition}, {len(each)} studies": _means(each) for condition, each in told.items() if each}


def _means(each: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: np.mean([one[name] for one in each], axis=0).round(2).tolist() for name in each[0]}


def _told(planted: ElementSettings, seed: int, draws: int) -> dict[str, Any]:
    """Return the figures of one study without sounds, as JSON."""
    kept, calibration.elements.FeatureStore = calibration.elements.FeatureStore, _Numbered  # type: ignore[misc, assignment]
    try:
        found, (own, other) = _truth(planted, seed, draws)
    finally:
        calibration.elements.FeatureStore = kept  # type: ignore[misc]
    return {
        "bias": float(found.bias.mean()),
        "rank": float(found.rank_r),
        "rank p <= .05": bool(found.rank_p <= 0.05),
        "own patches won": own,
        "patches won by the other": other,
        "voice, background p <= .05": [bool(found.results[name].p_mean <= 0.05) for name in ("voice", "background")],
        "beyond the other p <= .05": [bool(each.r.p_mean <= 0.05) for each in found.unique],
    }


def _truth(planted: ElementSettings, seed: int, draws: int) -> tuple[ElementsFound, tuple[float, float]]:
    """Return the ablation of one study, and which share of the owned patches their element and the other won."""
    rng, sounds, steps, people = np.random.default_rng(seed), 12, 120, 12
    mixing = rng.standard_normal((2, 6, 20))
    levels = levels_of(planted, sounds, seed)
    parts, features, names = {}, {}, [f"sound {number}" for number in range(sounds)]
    for number, (name, level) in enumerate(zip(names, levels, strict=True)):
        share = 10 ** (level / 10) / (1 + 10 ** (level / 10))
        each = [leaky(rng.standard_normal((steps, 6)), 0.85) @ mix for mix in mixing]
        sides = [np.full(SAMPLE_RATE, np.sqrt(part), np.float32) for part in (share, 1 - share)]
        for place, side in enumerate(sides):
            side[0] = (2 * number + place + 1) / 1024
            _Numbered.kept[float(side[0])] = each[place]
        # The first sample tells the sound alone, and has no part in the energy that the planting goes by.
        parts[name] = Elements(sides[0] + sides[1], *sides)
        features[name] = each[0], each[1]
    cohort = COHORT.model_copy(update={"seed": seed})
    clean = {name: Elements(*(part[1:] for part in elements)) for name, elements in parts.items()}
    made = plant(clean, features, names, tuple(PATCHES), planted, cohort)
    targets = []
    for number, name in enumerate(names):
        course = made.drive.course(made.features[name], number, cohort)
        noise = uniform_filter1d(rng.standard_normal((steps, len(PATCHES))), 10, axis=0) * np.sqrt(10)
        targets.append(fisher_z(with_mean_of(course, people - 1, 10)) + WINDOW_SD / np.sqrt(people) * noise)
    question = Question(targets, [t[None] for t in targets], np.ones(len(PATCHES), np.bool_))
    mixed = [sum(features[name]) for name in names]
    mix = sweep({FEATURE_SET: mixed}, question, SETTINGS, silent, draws=draws).sets[0]
    heard = [StudySound(name, parts[name].mix, fit=True) for name in names]
    asked = ("none", "0" * 64), question, SETTINGS, silent
    found = leave_out(mix, heard, lambda sound: parts[sound.name], None, *asked, draws=draws)  # type: ignore[arg-type]
    assert found.contrasts is not None
    weights = weights_of(tuple(PATCHES), ElementSettings())
    lead = weights[0] - weights[1]
    sure = found.contrasts.family[0, :-1] < 0.05
    right = np.sign(found.contrasts.difference[0, :-1]) == np.sign(lead)
    owned = lead != 0
    return found, (float((sure & right)[owned].mean()), float((sure & ~right)[owned].mean()))


def rates(studies: int, kept: Kept, draws: int = 99) -> dict[str, Any]:
    """Return how often both models have p <= .05 of targets that nothing tells of."""
    found = [kept.of(f"rate {seed}", lambda seed=seed: _hits(seed, draws)) for seed in range(studies)]
    there = [each for each in found if each is not None]
    return {
        f"p <= .05 of nothing, {name}, mean and rows, of {len(there)} studies": [
            round(float(np.mean([h[name][0] for h in there])), 3),
            round(float(np.mean([h[name][1:] for h in there])), 3),
        ]
        for name in (there[0] if there else ())
    }  # fmt: skip


def _hits(seed: int, draws: int) -> dict[str, list[bool]]:
    """Return whether p <= .05 came in one study of nothing, for the mean and two rows, by both models."""
    settings = Settings(prediction=PredictionSettings(n_components=3, lags_s=(0, 2)), drift=NO_DRIFT)
    counted, rng = np.array([True, True, False]), np.random.default_rng(seed)

    def slow(columns: int, keep: int) -> list[np.ndarray]:
        kernel = np.ones(keep) / np.sqrt(keep)
        found = rng.standard_normal((6, 80 + keep - 1, columns))
        return [np.apply_along_axis(np.convolve, 0, one, kernel, "valid") for one in found]

    features, targets = [slow(6, 4), slow(6, 4)], [0.1 * t for t in slow(3, 10)]
    people = [t[None] for t in targets]
    question = Question(targets, people, counted)
    hits = {}
    for name, shares in (("stacked", None), ("banded", shares_of(2))):
        made = fit_joint(features, targets, settings, people, counted=counted, shares=shares)
        result = judge(name, made.fit, question, settings, draws)
        hits[name] = [bool(p <= 0.05) for p in (result.p_mean, *result.p.single[:2])]
    return hits


def measure_all(quick: bool, kept: Kept) -> Rows:
    """Return the ablations, the rates in the first."""
    told = truths(1 if quick else 6, kept) | rates(3 if quick else 100, kept)
    rows = ablations(quick, kept) or [dict.fromkeys((key for key, _, _ in COLUMNS), None) | {"voice_p": 1.0}]
    rows[0]["rates"] = told
    for row in rows:
        row["ratio"] = row["voice_p"] / 0.05
    return rows


COLUMNS = (
    ("case", "planted", ""),
    ("by", "elements by", ""),
    ("mix", "r, mix", ".2f"),
    ("voice_own", "voice's: from voice", ".2f"),
    ("voice_other", "from background", ".2f"),
    ("background_own", "background's: from background", ".2f"),
    ("background_other", "from voice", ".2f"),
    ("lead", "lead", ".2f"),
    ("heard", "voice heard in", ".2f"),
    ("bias", "bias", ".2f"),
    ("rank", "rank", ".2f"),
    ("rank_p", "p", ".3f"),
    ("voice_p", "p, voice", ".3f"),
    ("background_p", "p, background", ".3f"),
    ("beyond", "p beyond", ""),
    ("joined", "r, stacked/banded", ""),
    ("best", "r, better alone", ".2f"),
    ("share_rank", "share, found and true", ".2f"),
)

if __name__ == "__main__":
    run(
        "evidence_elements",
        measure_all,
        COLUMNS,
        "Means over electrodes of 24; p beyond: voice beyond background and the reverse.",
        lambda rows: rows[0]["rates"],
        keeps=True,
    )
