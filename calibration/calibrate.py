"""From a study to a bundle: features, observed synchrony and references by the live code, then weights."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from calibration.bundling import Reader, bundle_of
from calibration.ceiling import NoiseCeiling, ceiling_of_halves
from calibration.element_weights import with_elements
from calibration.features import DESCRIPTORS_SET, FeatureStore, feature_sets
from calibration.foreign_channels import told_foreign
from calibration.good_channels import told_poor
from calibration.group_synchrony import LEAST_DRAWS
from calibration.measured import Measured, measure
from calibration.outcome import Outcome
from calibration.study import FolderStudy, Study
from calibration.sweep import AUTO, Question, Sweep, sweep
from calibration.trends import untrended
from calibration.validation import fit
from rtaffect.common.arrays import FloatArray
from rtaffect.common.errors import SettingsError
from rtaffect.common.settings import Settings
from rtaffect.engine.bundle import Bundle
from rtaffect.observed.spaces import Space
from rtaffect.predicted.feature_cache import cached_features_of
from rtaffect.predicted.featurizer import Featurizer, Progress
from rtaffect.predicted.separator import Elements, Separator
from rtaffect.stream.audio import SAMPLE_RATE, StudySound

#: What an analysis of few layers and components cannot answer.
UNTOLD = (
    "which layer is best, and whether a middle layer is better than the last or than acoustic descriptors: of three "
    "layers a few components enter, of the descriptors all",
    "how well the features predict: more components and lags may tell more",
    "small p: none is below one in as many draws as there are, and p of single rows, corrected, need more of them",
)
#: Random halvings of the listeners that are correlated by themselves; each costs as much as all of observed synchrony.
SPLITS = 4


@dataclass(frozen=True, slots=True)
class Plan:
    """How a study is analysed, beside its settings.

    Attributes
    ----------
    name
        Of the bundle.
    layer
        Layer of the bundle's featurizer, from 0, or 'auto': the one that inner folds choose.
    space, components
        What the rows are, see :func:`calibration.measured.measure`.
    draws
        Of each null.
    splits
        Random halvings for the noise ceiling.
    few_layers
        Whether only the first, the middle and the last layer enter, as in a quick analysis; then sets are not compared,
        and the report says what is not told.
    keep
        Folder for filtered EEG, see :func:`calibration.measured.measure`.
    """

    name: str
    layer: int | Literal["auto"] = AUTO
    space: Space | None = None
    components: bool = False
    draws: int = 1000
    splits: int = SPLITS
    few_layers: bool = False
    keep: Path | None = None


def calibrate(  # noqa: PLR0917 - the analysis without choices, as the demo and tests need it
    study: Study,
    featurizer: Featurizer,
    settings: Settings,
    name: str,
    progress: Progress,
    space: Space | None = None,
    components: bool = False,
    separator: Separator | None = None,
) -> Bundle:
    """Fit a bundle to a study with one featurizer, without comparing it with others.

    The target is, at each step, the correlation in the window of each listener with the mean of the others, averaged
    over listeners by Fisher z. Weights are fitted on the sounds meant for it; every sound gets a reference. A
    ``separator`` that streams also gives weights of voice and background.

    Raises
    ------
    RecordingError, SettingsError, MontageError
        If the study cannot be used.
    """
    measured = measure(study, settings, progress, space=space, components=components)
    features = []
    for sound in measured.sounds:
        progress(f"features of {sound.name} ({sound.seconds} s)")
        features.append(cached_features_of(sound.samples, featurizer))
    progress("ridge weights, nested cross-validation")
    counted = measured.space.layout.counted
    targets = untrended(measured.targets, settings.drift)
    result = fit(features, targets, settings, people=measured.people, counted=counted)
    reader = Reader.of(featurizer)
    bundle = bundle_of(study, measured, result, settings, reader, name)
    if separator is None:
        return bundle

    def parts_of(sound: StudySound) -> Elements:
        return separator.elements_of(sound.samples, sound.samples[:, None], SAMPLE_RATE)

    question = Question(measured.targets, measured.people, counted)
    asked = reader.feature_set, featurizer, separator, question, progress
    return with_elements(bundle, measured.sounds, parts_of, *asked)[0]


def analyse(study: Study, featurizer: Featurizer, settings: Settings, plan: Plan, progress: Progress) -> Outcome:
    """Compare all feature sets on a study, and fit a bundle with one of them.

    Parameters
    ----------
    study, settings
        Who heard what, and how it is analysed.
    featurizer
        Of all layers, or of one: then that one is compared with the descriptors.
    plan
        The rest.
    progress
        Told what is being done.

    Returns
    -------
    Outcome
        Its bundle's featurizer is that of one layer cut out of ``featurizer``; the caller gives its identity with
        :func:`with_featurizer`.

    Raises
    ------
    RecordingError, SettingsError, MontageError
        If the study cannot be used, or there is no such layer.
    """
    seconds: dict[str, float] = {}
    wanted, compared = wanted_set(plan, featurizer)
    with timed(seconds, "features"):
        features = features_of(study, featurizer, compared, progress)
    with timed(seconds, "observed synchrony"):
        measured = _measured(study, settings, plan, progress)
    names, covariates = covariates_of(study, measured.sounds)
    with timed(seconds, "feature sets and chance"):
        found = _swept(features, _question(measured, covariates), settings, plan, progress)
    chosen, how = found.best if wanted == AUTO else wanted, "the user"
    if wanted == AUTO:
        how = "inner folds" if len(compared) > 1 else "there being no other"
    with timed(seconds, "noise ceiling"):
        ceiling = _ceiling(measured, settings, plan.draws)
    result = found.of(AUTO if wanted == AUTO and found.auto else chosen).fit
    bundle = bundle_of(study, measured, result, settings, Reader(featurizer, chosen), plan.name)
    notes = (*(study.notes if isinstance(study, FolderStudy) else ()), *_notes(found, chosen, measured))
    return Outcome(
        bundle, measured, found, chosen, how, ceiling,
        covariates=names, notes=notes, untold=UNTOLD if plan.few_layers else (), seconds=seconds,
    )  # fmt: skip


def _measured(study: Study, settings: Settings, plan: Plan, progress: Progress) -> Measured:
    asked = partial(measure, space=plan.space, components=plan.components, splits=plan.splits)
    return asked(study, settings, progress, draws=plan.draws, keep=plan.keep)


def _question(measured: Measured, covariates: Sequence[FloatArray] | None) -> Question:
    """Return what is to be predicted."""
    rows = measured.space
    return Question(measured.targets, measured.people, rows.layout.counted, covariates, rows.row_kinds)


def _swept(
    features: Mapping[str, list[FloatArray]], question: Question, settings: Settings, plan: Plan, progress: Progress
) -> Sweep:
    """Return what all feature sets tell, without comparisons that a quick analysis cannot make."""
    found = sweep(features, question, settings, progress, draws=plan.draws)
    return replace(found, comparison=None, contrasts=None) if plan.few_layers else found


def wanted_set(plan: Plan, featurizer: Featurizer) -> tuple[str, tuple[str, ...]]:
    """Return the feature set that was asked for, or AUTO, and those that are compared; SettingsError for none such."""
    layers = feature_sets(featurizer.manifest)
    wanted = _wanted(plan.layer, layers, featurizer)
    few = (wanted, layers[0], layers[(len(layers) - 1) // 2], layers[-1])
    return wanted, tuple(n for n in layers if n in few) if plan.few_layers else tuple(layers)


def _wanted(layer: int | str, layers: Sequence[str], featurizer: Featurizer) -> str:
    """Return the feature set that was asked for, or AUTO."""
    if layer == AUTO:
        return AUTO
    number, only = int(layer), featurizer.manifest.layer
    if only is not None and number != only:
        raise SettingsError(
            f"--layer {number}: the featurizer gives {layers[0]} alone; leave --layer out, or export one of all layers"
        )
    if only is not None:
        return layers[0]
    if not 0 <= number < len(layers):
        raise SettingsError(
            f"--layer {number}: {featurizer.identity} has the layers 0 to {len(layers) - 1}; choose one"
        )
    return layers[number]


def features_of(
    study: Study, featurizer: Featurizer, layers: Sequence[str], progress: Progress
) -> Mapping[str, list[FloatArray]]:
    """Return for each feature set the features of the sounds to fit on; all layers of a sound in one pass."""
    store = FeatureStore()
    found: dict[str, list[FloatArray]] = {name: [] for name in (DESCRIPTORS_SET, *layers)}
    for sound in study.sounds():
        if not sound.fit:
            continue
        progress(f"features of {sound.name} ({sound.seconds} s)")
        found[DESCRIPTORS_SET].append(np.asarray(store.descriptors(sound.samples), np.float64))
        of_layers = store.layers(sound.samples, featurizer)
        for name in layers:
            found[name].append(np.asarray(of_layers[name], np.float64))
    return found


def covariates_of(study: Study, sounds: Sequence[StudySound]) -> tuple[tuple[str, ...], list[FloatArray] | None]:
    """Return names and, for each sound, values (steps, V) of what was seen with it; None where there is none."""
    if not isinstance(study, FolderStudy):
        return (), None
    tables = [study.covariates(sound) for sound in sounds]
    given = [table for table in tables if table is not None]
    if not given:
        return (), None
    if len(given) < len(tables):
        lacking = ", ".join(s.name for s, table in zip(sounds, tables, strict=True) if table is None)
        raise SettingsError(f"covariates are given for some sounds, but not for {lacking}; give all of them, or none")
    return given[0][0], [values for _, values in given]


def _ceiling(measured: Measured, settings: Settings, draws: int) -> NoiseCeiling:
    counted = measured.space.layout.counted
    people, window = len(measured.people[0]), settings.synchrony.window_s
    return ceiling_of_halves(measured.halves, people, counted, window, max(draws, LEAST_DRAWS), settings.drift)


def _notes(found: Sweep, chosen: str, measured: Measured) -> Iterator[str]:
    """Yield what was left out and what to beware of."""
    yield from (*measured.alike, *told_poor(measured.poor), *told_foreign(measured.foreign))
    result = found.of(chosen)
    short = np.isnan(result.score.each[:, -1])
    if short.any():
        names = ", ".join(sound.name for sound, lacks in zip(measured.sounds, short, strict=True) if lacks)
        yield f"{names}: too short to be scored; the fit has it"
    if len(measured.sounds) == 1:
        yield (
            "one sound only: folds are blocks of it, each held about its own mean and line, and layers cannot be "
            f"compared over sounds; r by chance is {result.chance_mean:.2f} on average"
        )
    if caution := result.drift_caution:
        yield caution
    if edge := result.fit.at_edge:
        yield edge
    missing = np.isnan(np.concatenate(measured.targets)).all(axis=0)
    if missing.any():
        names = ", ".join(np.array(measured.space.rows)[missing])
        yield f"no value at any time: {names}"


@contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Note in ``seconds`` how long a stage takes, s."""
    begin = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - begin
