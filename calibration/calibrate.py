"""From a study to a bundle: features, observed synchrony and references by the live code, then weights."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from calibration.ridge import Fit, fit
from calibration.study import Study
from rtaffect import __version__
from rtaffect.bundle import Bundle, FeaturizerIdentity, Manifest, Scores, Stimulus
from rtaffect.errors import RecordingError
from rtaffect.feature_cache import cached_features_of
from rtaffect.featurizer import Featurizer
from rtaffect.listener import Listener
from rtaffect.settings import STEP_S, Settings
from rtaffect.simulation.study import StudySound
from rtaffect.sources.base import Source
from rtaffect.synchrony import fisher_mean, others_mean, running_correlation, standardise

Array = NDArray[np.float64]
Progress = Callable[[str], None]

#: Steps taken together; well within what a source's buffer keeps.
STRIDE_S = 10


def calibrate(study: Study, featurizer: Featurizer, settings: Settings, name: str, progress: Progress) -> Bundle:
    """Fit a bundle to a study.

    The target is, at each step, the correlation in the window of each listener with the mean of the others, averaged
    over listeners by Fisher z. Weights are fitted on the sounds meant for it; every sound gets a reference.

    Raises
    ------
    RecordingError, SettingsError, MontageError
        If the study cannot be used.
    """
    rows, sounds = study.channels(), study.sounds()
    features: dict[str, Array] = {}
    people: dict[str, list[Array]] = {}
    for sound in sounds:
        progress(f"features of {sound.name} ({sound.seconds} s)")
        features[sound.name] = cached_features_of(sound.samples, featurizer)
    # Listener by listener, because a recording holds all the sounds of one.
    for listener in study.listeners:
        progress(f"EEG of {listener}")
        for sound in sounds:
            source, onset = study.eeg(listener, sound)
            people.setdefault(sound.name, []).append(response(source, onset, sound, rows, settings))
    courses, references = {}, []
    for sound in sounds:
        progress(f"synchrony of {sound.name}")
        group = standardise(np.stack(people.pop(sound.name)))
        courses[sound.name] = synchrony_courses(group, settings)
        references.append(group_mean(group))
    progress("ridge weights, nested cross-validation")
    fitted = [s.name for s in sounds if s.fit]
    if not fitted:
        raise RecordingError(f"study {study.name!r} has no sound with fit = true; mark those to fit weights on")
    each = [courses[n] for n in fitted]
    target = [np.arctanh(fisher_mean(np.tanh(z), axis=0)) for z in each]
    result = fit([features[n] for n in fitted], target, settings, people=each)
    manifest = _manifest(study, featurizer, settings, result, name)
    return Bundle(manifest, result.weights, tuple(references))


def response(source: Source, onset: float, sound: StudySound, rows: tuple[str, ...], settings: Settings) -> Array:
    """Return one listener's signal during a sound (time, rows), V, made as a live session makes it.

    Several steps at once: the signal path gives the same for any chunking.
    """
    listener = Listener(source, rows, settings, onset)
    pieces = []
    for start in range(0, sound.seconds, STRIDE_S):
        stop = min(start + STRIDE_S, sound.seconds)
        source.advance(onset + stop * STEP_S + listener.lookahead_s)
        listener.advance(stop)
        pieces.append(listener.window(stop, stop - start))
    return np.concatenate(pieces)


def synchrony_courses(group: Array, settings: Settings) -> Array:
    """Return each one's correlation with the mean of the others after each step, in Fisher z.

    From standardised people (P, time, rows) to (P, steps, rows).
    """
    rate, synchrony = settings.signal.rate_hz, settings.synchrony
    window = synchrony.window_s * rate
    least = int(np.ceil(synchrony.min_good * window))
    each = [
        running_correlation(person, mean, window, STEP_S * rate, least)
        for person, mean in zip(group, others_mean(group), strict=True)
    ]
    return np.arctanh(np.stack(each))


def group_mean(group: Array) -> NDArray[np.float32]:
    """Return the mean over those present (time, rows) of standardised people (P, time, rows); NaN where nobody is."""
    present = np.isfinite(group)
    count = present.sum(axis=0)
    total = np.where(present, group, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def _manifest(study: Study, featurizer: Featurizer, settings: Settings, result: Fit, name: str) -> Manifest:
    r, r_mean = result.correlations()
    steps = int(np.isfinite(result.held_out).all(axis=1).sum())
    return Manifest(
        name=name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        rtaffect=__version__,
        rows=study.channels(),
        settings=settings,
        featurizer=FeaturizerIdentity(identity=featurizer.identity, sha256=featurizer.sha256, size=featurizer.size),
        stimuli=tuple(
            Stimulus(name=s.name, sha256=s.sha256, seconds=s.seconds, people=len(study.listeners), fitted=s.fit)
            for s in study.sounds()
        ),
        scores=Scores(
            r=tuple(map(float, r)),
            r_mean=r_mean,
            folds=result.folds,
            steps=steps,
            alpha=tuple(map(float, result.alpha)),
        ),
        synthetic=study.synthetic,
        provenance={"study": study.name, "listeners": str(len(study.listeners))},
    )
