"""Weights of voice and background alone for a bundle, so that a session predicts from each."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

import numpy as np

from calibration.features import FeatureStore
from calibration.sweep import Question
from calibration.validation import fit
from rtaffect.common.arrays import BoolArray, FloatArray
from rtaffect.common.errors import ArtifactError
from rtaffect.common.settings import Settings
from rtaffect.engine.bundle import SEPARATOR_FILE, Bundle, ElementsMade
from rtaffect.predicted.element_levels import SILENT_DB, heard_steps, least_db, only_heard
from rtaffect.predicted.elements import BUILDERS
from rtaffect.predicted.feature_cache import Element
from rtaffect.predicted.featurizer import Featurizer
from rtaffect.predicted.prediction import Weights
from rtaffect.predicted.separator import Elements, Separator
from rtaffect.stream.audio import StudySound

_NAMES: Final[tuple[Literal["voice", "background"], ...]] = ("voice", "background")
#: An element is fitted to where it is heard for so many steps in two stimuli, or in the only one.
LEAST_STEPS: Final = 30


def with_elements(  # noqa: PLR0917 - a bundle, what it was fitted to, and by what
    bundle: Bundle,
    sounds: Sequence[StudySound],
    parts_of: Callable[[StudySound], Elements],
    feature_set: str,
    featurizer: Featurizer,
    separator: Separator,
    question: Question,
    progress: Callable[[str], None],
) -> tuple[Bundle, tuple[str, ...]]:
    """Return the bundle with weights of each element, and of which elements there are none, in words.

    Each is fitted as the whole sound was: the same layer, lags, folds and targets without their drifts. Steps at which
    the element is not heard (:mod:`rtaffect.predicted.element_levels`) are left out: a session predicts nothing then.

    Parameters
    ----------
    bundle
        Of the whole sound.
    sounds, question
        Those that were fitted on, and the targets in their order, as measured.
    parts_of
        Gives a sound's elements.
    feature_set, featurizer
        The bundle's layer, and what has it.
    separator
        What took the sounds apart.
    progress
        Told what is being done.
    """
    settings, notes = _as_fitted(bundle), []
    memory, targets = bundle.manifest.lags_s[-1] + 1, question.untrended(settings).targets
    found: dict[Element, Weights] = {}
    store, parts = FeatureStore(), [parts_of(sound) for sound in sounds]
    for name in _NAMES:
        progress(f"weights of the {name}")
        each = [getattr(elements, name) for elements in parts]
        least = least_db(name, separator.manifest.voice_db)
        heard = [heard_steps(sound, elements.mix, memory, least) for sound, elements in zip(each, parts, strict=True)]
        there = [only_heard(t, h[: len(t)]) for t, h in zip(targets, heard, strict=True)]
        features = [np.asarray(store.layers(sound, featurizer)[feature_set], np.float64) for sound in each]
        people = [_only_heard_each(p, h) for p, h in zip(question.people, heard, strict=True)]
        if why := _too_little(name, there):
            notes.append(why)
            continue
        found[name] = fit(features, there, settings, people, counted=question.counted).weights
    made = _made([name for name in _NAMES if name in found], separator)
    manifest = bundle.manifest.model_copy(update={"elements": made if found else None})
    return replace(bundle, manifest=manifest, elements=found), tuple(notes)


def _made(names: Sequence[Element], separator: Separator) -> ElementsMade:
    """Return what a bundle says of how its elements were made."""
    return ElementsMade(
        names=tuple(names),
        separator=separator.manifest.name,
        separator_sha256=separator.sha256,
        streams=separator.streams,
        silent_db=SILENT_DB,
        voice_db=separator.manifest.voice_db,
    )


def _too_little(name: str, targets: Sequence[FloatArray]) -> str:
    """Return why an element is not heard enough to be fitted to; empty where it is."""
    steps = [int(np.isfinite(target).all(axis=1).sum()) for target in targets]
    enough = sum(count >= LEAST_STEPS for count in steps)
    if enough >= min(2, len(steps)):
        return ""
    return (
        f"sessions will not predict from the {name} alone: it is heard for {LEAST_STEPS} s or more in {enough} of "
        f"{len(steps)} stimuli, expected {min(2, len(steps))}; give stimuli that have it"
    )


def _only_heard_each(people: FloatArray, heard: BoolArray) -> FloatArray:
    """Return what each person showed (P, steps, R) without the steps (steps,) at which the element is not heard."""
    return np.stack([only_heard(person, heard[: len(person)]) for person in people])


def keep_separator(given: str, folder: Path) -> None:
    """Put a separator that was ``given`` as a file into the bundle's folder, where a session finds it.

    Raises
    ------
    ArtifactError
        If it cannot be written.
    """
    if given in BUILDERS:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(given, folder / SEPARATOR_FILE)
    except OSError as error:
        raise ArtifactError(
            f"{folder / SEPARATOR_FILE}: the separator cannot be kept ({error.strerror}); make room"
        ) from None


def _as_fitted(bundle: Bundle) -> Settings:
    """Return the bundle's settings with the lags that were chosen for it, which all its weights share."""
    settings = bundle.manifest.settings
    lags = {"lags_s": bundle.manifest.lags_s, "longest_lags_s": ()}
    return settings.model_copy(update={"prediction": settings.prediction.model_copy(update=lags)})
