"""From a study of ratings to a bundle: each rating on its own through the same comparison as synchrony."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from calibration.bundling import Reader, bundle_of
from calibration.calibrate import Plan, covariates_of, features_of, timed, wanted_set
from calibration.ceiling import NoiseCeiling
from calibration.measured import Measured, rated
from calibration.outcome import Outcome
from calibration.ratings.agreement import RaterAgreement, rater_agreement
from calibration.ratings.outcome import RatedOutcome, too_few
from calibration.study import FolderStudy, Study
from calibration.sweep import AUTO, Question, Sweep, sweep
from calibration.validation import fit
from rtaffect.common.arrays import FloatArray
from rtaffect.common.settings import DriftSettings, Settings
from rtaffect.observed.spaces import RatingSpace
from rtaffect.predicted.featurizer import Featurizer, Progress


def analyse_ratings(
    study: Study, featurizer: Featurizer, settings: Settings, plan: Plan, progress: Progress
) -> RatedOutcome:
    """Compare all feature sets on each rating of a study, and fit a bundle of all ratings with one of the sets.

    Ratings of different meaning are never averaged: each has its own comparison, chance and ceiling. Only the layer is
    one, as a session computes one: that with the least error in inner folds, the mean over ratings.

    Parameters
    ----------
    study, featurizer, settings, plan, progress
        As for :func:`calibration.calibrate.analyse`.

    Raises
    ------
    RecordingError, SettingsError
        If the study has no ratings or cannot be used, or there is no such layer.
    """
    seconds: dict[str, float] = {}
    measured = rated(study)
    wanted, compared = wanted_set(plan, featurizer)
    with timed(seconds, "features"):
        features = features_of(study, featurizer, compared, progress)
    names, covariates = covariates_of(study, measured.sounds)
    with timed(seconds, "feature sets and chance"):
        sweeps = [
            _swept(features, measured, i, covariates, settings, plan.draws, progress)
            for i in range(len(measured.space.rows))
        ]
    with timed(seconds, "agreement of raters"):
        progress("agreement of raters")
        agreement = _agreement(study, measured, plan.draws, settings.drift)
    chosen = _best(sweeps) if wanted == AUTO else wanted
    how = "the user" if wanted != AUTO else "inner folds" if len(compared) > 1 else "there being no other"
    progress("weights of all ratings")
    whole = fit(features[chosen], measured.targets, settings, covariates=None)
    reader = Reader(featurizer, chosen)
    bundle = bundle_of(study, measured, whole, settings, reader, plan.name)
    each = []
    for i, found in enumerate(sweeps):
        alone = _of_row(measured, i)
        own = bundle_of(study, alone, found.of(chosen).fit, settings, reader, plan.name)
        each.append(Outcome(own, alone, found, chosen, how, ceiling_of_raters(agreement[i]), covariates=names))
    told = (*(study.notes if isinstance(study, FolderStudy) else ()), *_of_scale(study, measured), *_notes(each))
    return RatedOutcome(bundle, chosen, how, tuple(each), tuple(agreement), names, told, seconds)


def _swept(  # noqa: PLR0917 - what a sweep is given, and of which rating
    features: Mapping[str, Sequence[FloatArray]],
    measured: Measured,
    row: int,
    covariates: Sequence[FloatArray] | None,
    settings: Settings,
    draws: int,
    progress: Progress,
) -> Sweep:
    targets = [target[:, [row]] for target in measured.targets]
    question = Question(targets, [target[None] for target in targets], np.ones(1, np.bool_), covariates)
    return sweep(
        features, question, settings, lambda text: progress(f"{measured.space.rows[row]}: {text}"), draws=draws
    )


def _of_row(measured: Measured, row: int) -> Measured:
    """Return one of the ratings alone."""
    return replace(
        measured,
        space=RatingSpace((measured.space.rows[row],)),
        people=tuple(people[..., [row]] for people in measured.people),
        halves=tuple(halves[..., [row]] for halves in measured.halves),
        rated=tuple(target[:, [row]] for target in measured.rated),
    )


def _best(sweeps: Sequence[Sweep]) -> str:
    """Return the layer with the least error in the inner folds of everything, the mean over ratings."""
    layers = sweeps[0].layers or (sweeps[0].best,)
    errors = [sum(found.of(name).fit.inner_whole for found in sweeps) for name in layers]
    return layers[int(np.argmin(errors))]


def _agreement(study: Study, measured: Measured, draws: int, drift: DriftSettings) -> list[RaterAgreement | None]:
    """Return of each rating how far its raters agree on the sounds that are fitted."""
    assert isinstance(study, FolderStudy)
    tables = [found for sound in measured.sounds if (found := study.raters(sound)) is not None]
    return [rater_agreement([table.of(name) for table in tables], draws, drift=drift) for name in measured.space.rows]


def ceiling_of_raters(agreement: RaterAgreement | None) -> NoiseCeiling:
    """Return between what r a perfect prediction lies, of the rating and the same as its own mean.

    The lower end is what one rater reaches who is predicted by the others, the upper what the true course would reach
    with the raters' mean (Nili et al., *PLoS Comput. Biol.* 10, 2014, for the idea of two ends).
    """
    alone = np.ones(1, np.bool_)
    if agreement is None:
        return NoiseCeiling.nothing(alone)
    ends = max(agreement.r, 0.0), agreement.ceiling
    low, high = min(ends), max(ends) if np.isfinite(ends[1]) else ends[0]
    least, most, p = (np.full(2, value) for value in (agreement.low, agreement.high, agreement.p))
    return NoiseCeiling(np.full(2, low), np.full(2, high), least, most, p, p, alone)


def _of_scale(study: Study, measured: Measured) -> Iterator[str]:
    """Yield that the scale of the ratings is what raters gave of it, where nobody tells it."""
    if isinstance(study, FolderStudy) and not study.tells_scale and measured.scale is not None:
        yield (
            f"study.toml does not tell the scale of the ratings: {_ends(measured)}, the least and the most that was "
            "given, are taken, whose middle need not be neutral; give low and high in [ratings]"
        )


def _ends(measured: Measured) -> str:
    """Return the scale of each rating in words."""
    assert measured.scale is not None
    scales = [(name, measured.scale.of(name)) for name in measured.space.rows]
    return ", ".join(f"{name} from {scale.low:g} to {scale.high:g}" for name, scale in scales)


def _notes(each: Sequence[Outcome]) -> Iterator[str]:
    """Yield what was left out and what to beware of."""
    if few := too_few(len(each[0].measured.sounds)):
        yield few
    for outcome in each:
        (name,), result = outcome.bundle.space.rows, outcome.sweep.of(outcome.chosen)
        short = [s.name for s, r in zip(outcome.measured.sounds, result.score.each[:, -1], strict=True) if np.isnan(r)]
        if short:
            yield f"{name}: too short to be scored, though the fit has it: {', '.join(short)}"
        if result.fit.at_edge:
            yield f"{name}: {result.fit.at_edge}"
