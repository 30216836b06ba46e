"""What goes beyond one bundle: other featurizers on the same study, and other scales of time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from calibration.architectures import side_by_side
from calibration.calibrate import Plan
from calibration.element_weights import with_elements
from calibration.elements import ElementsFound, leave_out
from calibration.features import FeatureStore, feature_sets
from calibration.measured import Measured, measure
from calibration.outcome import Outcome
from calibration.scales import Scales, temporal_resolution
from calibration.study import FolderStudy, Study
from calibration.sweep import AUTO, Question
from rtaffect.common.arrays import FloatArray
from rtaffect.common.settings import Settings
from rtaffect.predicted.elements import elements_of_file
from rtaffect.predicted.featurizer import Featurizer, Progress
from rtaffect.predicted.separator import Elements, Separator
from rtaffect.stream.audio import SAMPLE_RATE, StudySound


@dataclass(frozen=True, slots=True)
class Beyond:
    """What is asked for: ``others`` to stand beside the featurizer that was read with, and whether ``scales``.

    ``separator`` makes elements of the sounds; None where they are not asked for.
    """

    others: tuple[Featurizer, ...] = ()
    scales: bool = False
    separator: Separator | None = None


def with_beyond(  # noqa: PLR0917 - what analyse is given, and what it found
    outcome: Outcome,
    study: Study,
    reader: Featurizer,
    settings: Settings,
    plan: Plan,
    asked: Beyond,
    progress: Progress,
) -> Outcome:
    """Return the outcome of :func:`calibration.calibrate.analyse` with what is asked for beside it.

    Parameters
    ----------
    outcome, study, reader, settings, plan
        What was found, and of what.
    asked
        What is wanted; nothing of it leaves the outcome as it is.
    progress
        Told what is being done.
    """
    measured = outcome.measured
    if asked.others:
        people = [target[None] for target in measured.rated] or measured.people
        question = Question(measured.targets, people, measured.space.layout.counted)
        names = names_of((reader, *asked.others))
        others = {
            name: _features(measured, other, _layers(other, plan), progress)
            for name, other in zip(names[1:], asked.others, strict=True)
        }
        first = names[0], outcome.sweep
        found = side_by_side(first, others, question, settings, progress, draws=plan.draws)
        outcome = replace(outcome, architectures=found)
    if asked.scales:
        outcome = replace(outcome, scales=_scales(outcome, study, reader, settings, plan, progress))
    if asked.separator is not None:
        outcome = replace(
            outcome, elements=_elements(outcome, study, reader, settings, plan, asked.separator, progress)
        )
        outcome = _predicting(outcome, study, reader, asked.separator, progress)
    return outcome


def _scales(  # noqa: PLR0917 - what with_beyond is given
    outcome: Outcome, study: Study, reader: Featurizer, settings: Settings, plan: Plan, progress: Progress
) -> Scales:
    measured = outcome.measured
    layer = outcome.chosen if plan.layer != AUTO else _middle(feature_sets(reader.manifest))
    features = _features(measured, reader, (layer,), progress)[layer]
    return temporal_resolution(
        features,
        lambda window: _targets(measured, study, settings, plan, window, progress),
        settings,
        layer,
        progress,
        counted=measured.space.layout.counted,
        draws=plan.draws,
        windows=not measured.rated,
    )


def _elements(  # noqa: PLR0917 - what with_beyond is given, and what makes elements
    outcome: Outcome,
    study: Study,
    reader: Featurizer,
    settings: Settings,
    plan: Plan,
    separator: Separator,
    progress: Progress,
) -> ElementsFound:
    measured = outcome.measured
    return leave_out(
        outcome.sweep.of(outcome.chosen),
        measured.sounds,
        _parts_of(study, separator, progress),
        reader,
        (separator.manifest.name, separator.sha256),
        Question(measured.targets, measured.people, measured.space.layout.counted, kinds=measured.space.row_kinds),
        settings,
        progress,
        draws=plan.draws,
        voice_db=separator.manifest.voice_db,
    )


def _parts_of(study: Study, separator: Separator, progress: Progress) -> Callable[[StudySound], Elements]:
    """Return what gives the elements of a sound of the study."""

    def parts_of(sound: StudySound) -> Elements:
        if isinstance(study, FolderStudy):
            return elements_of_file(study.sound_file(sound), sound.samples, separator, progress)
        return separator.elements_of(sound.samples, sound.samples[:, None], SAMPLE_RATE)

    return parts_of


def _predicting(
    outcome: Outcome, study: Study, reader: Featurizer, separator: Separator, progress: Progress
) -> Outcome:
    """Return the outcome with weights of each element in its bundle, for sessions."""
    measured = outcome.measured
    question = Question(measured.targets, measured.people, measured.space.layout.counted)
    parts_of = _parts_of(study, separator, progress)
    bundle, notes = with_elements(
        outcome.bundle, measured.sounds, parts_of, outcome.chosen, reader, separator, question, progress
    )
    return replace(outcome, bundle=bundle, notes=(*outcome.notes, *notes))


def names_of(featurizers: Sequence[Featurizer]) -> list[str]:
    """Return a name for each featurizer, with the beginning of its hash where several have the same."""
    names = [f.manifest.name if f.manifest.layer is None else f.identity for f in featurizers]
    counts = Counter(names)
    return [name if counts[name] == 1 else f"{name} {f.sha256[:6]}" for name, f in zip(names, featurizers, strict=True)]


def _layers(featurizer: Featurizer, plan: Plan) -> tuple[str, ...]:
    """Return the layers that are compared: all, or the first, the middle and the last."""
    layers = feature_sets(featurizer.manifest)
    few = {layers[0], _middle(layers), layers[-1]}
    return tuple(name for name in layers if name in few) if plan.few_layers else layers


def _middle(layers: Sequence[str]) -> str:
    return layers[(len(layers) - 1) // 2]


def _features(
    measured: Measured, featurizer: Featurizer, layers: Sequence[str], progress: Progress
) -> Mapping[str, list[FloatArray]]:
    """Return the features (steps, F) of each sound by the name of the layer."""
    store = FeatureStore()
    found: dict[str, list[FloatArray]] = {name: [] for name in layers}
    for sound in measured.sounds:
        progress(f"features of {sound.name} by {featurizer.manifest.name}")
        every = store.layers(sound.samples, featurizer)
        for name in layers:
            found[name].append(np.asarray(every[name], np.float64))
    return found


def _targets(  # noqa: PLR0917 - what measure is given
    measured: Measured, study: Study, settings: Settings, plan: Plan, window_s: int, progress: Progress
) -> list[FloatArray]:
    """Return what is to be predicted with another window; what was measured with the study's own is taken as it is."""
    if window_s == settings.synchrony.window_s:
        return measured.targets
    progress(f"observed synchrony, window {window_s} s")
    other = settings.model_copy(update={"synchrony": settings.synchrony.model_copy(update={"window_s": window_s})})
    space = None if plan.components else measured.space
    return measure(study, other, progress, space=space, components=plan.components, keep=plan.keep).targets
