"""From a study to a bundle: features, observed synchrony and references by the live code, then weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from calibration.corrca import Moments, leave_one_out
from calibration.corrca import fit as fit_components
from calibration.study import Study
from calibration.validation import Fit, fit
from rtaffect import __version__
from rtaffect.bundle import Bundle, FeaturizerIdentity, Manifest, Scores, Stimulus
from rtaffect.errors import RecordingError
from rtaffect.feature_cache import cached_features_of
from rtaffect.featurizer import Featurizer
from rtaffect.listener import Listener
from rtaffect.response import Response
from rtaffect.settings import STEP_S, Settings
from rtaffect.simulation.study import StudySound
from rtaffect.sources.base import Source
from rtaffect.spaces import ChannelSpace, ComponentSpace, Space
from rtaffect.synchrony import RowLayout, fisher_mean, others_mean, running_correlation, standardise

Array = NDArray[np.float64]
Progress = Callable[[str], None]

#: Steps taken together; well within what a source's buffer keeps.
STRIDE_S = 10


def calibrate(
    study: Study,
    featurizer: Featurizer,
    settings: Settings,
    name: str,
    progress: Progress,
    *,
    space: Space | None = None,
    components: bool = False,
) -> Bundle:
    """Fit a bundle to a study.

    The target is, at each step, the correlation in the window of each listener with the mean of the others, averaged
    over listeners by Fisher z. Weights are fitted on the sounds meant for it; every sound gets a reference.

    Parameters
    ----------
    study, featurizer, settings
        Who heard what, what reads it, and how.
    name
        Of the bundle.
    progress
        Told what is being done.
    space
        What the rows are; default: the channels that all listeners have.
    components
        Whether correlated components of those channels are the rows instead.

    Raises
    ------
    RecordingError, SettingsError, MontageError
        If the study cannot be used.
    """
    sounds = study.sounds()
    fitted = [s.name for s in sounds if s.fit]
    if not fitted:
        raise RecordingError(f"study {study.name!r} has no sound with fit = true; mark those to fit weights on")
    montage = {f"study {study.name}": study.channels()}
    space = space or ChannelSpace(study.channels(), settings.signal.average_reference)
    space.fit_to(montage)
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
            people.setdefault(sound.name, []).append(clean_channels(source, onset, sound, space.channels, settings))
    each: Sequence[Space] = [space] * len(study.listeners)
    if components:
        progress("correlated components")
        space, each = component_spaces([people[n] for n in fitted], space.channels, settings)
    courses, references = {}, []
    for sound in sounds:
        progress(f"synchrony of {sound.name}")
        heard = people.pop(sound.name)
        group, layout = group_responses(heard, space, settings)
        references.append(mean_of(group).astype(np.float32))
        if sound.fit:
            courses[sound.name] = (
                left_out_courses(heard, each, settings) if components else synchrony_courses(group, settings, layout)
            )
    progress("ridge weights, nested cross-validation")
    shown = [courses[n] for n in fitted]
    target = [np.arctanh(fisher_mean(np.tanh(z), axis=0)) for z in shown]
    result = fit([features[n] for n in fitted], target, settings, people=shown, counted=space.layout.counted)
    manifest = _manifest(study, featurizer, settings, result, name, space=space)
    return Bundle(manifest, result.weights, tuple(references), space)


def clean_channels(
    source: Source, onset: float, sound: StudySound, channels: Sequence[str], settings: Settings
) -> Array:
    """Return one listener's channels during a sound (time, C), V, as a live session has them; NaN where missing or bad.

    Several steps at once: the signal path gives the same for any chunking.
    """
    listener = Listener(source, channels, settings, onset, partial=True)
    pieces = []
    for start in range(0, sound.seconds, STRIDE_S):
        stop = min(start + STRIDE_S, sound.seconds)
        source.advance(onset + stop * STEP_S + listener.lookahead_s)
        listener.advance(stop)
        pieces.append(listener.window(stop, stop - start))
    return np.concatenate(pieces)


def group_responses(people: Sequence[Array], space: Space, settings: Settings) -> tuple[Array, RowLayout]:
    """Return the listeners' standardised responses (P, time, M * k) from their channels (time, C), and their layout."""
    second = STEP_S * settings.signal.rate_hz
    out = []
    for channels in people:
        response = Response(space, settings)
        out.append(np.concatenate([response(channels[a : a + second]) for a in range(0, len(channels), second)]))
    return standardise(np.stack(out), response.layout.k), response.layout


def synchrony_courses(group: Array, settings: Settings, layout: RowLayout) -> Array:
    """Return each one's correlation with the mean of the others (or with each of them) after each step, in Fisher z.

    From standardised people (P, time, M * k) to (P, steps, rows).
    """
    pairwise = settings.synchrony.method == "pairwise"
    partners = (np.delete(group, p, axis=0) for p in range(len(group))) if pairwise else others_mean(group)[:, None]
    return np.stack([_course(p, them, settings, layout) for p, them in zip(group, partners, strict=True)])


def left_out_courses(people: Sequence[Array], spaces: Sequence[Space], settings: Settings) -> Array:
    """Return the same from the listeners' channels (time, C), each one's by the space that was fitted without them."""
    found = []
    for number, space in enumerate(spaces):
        group, layout = group_responses(people, space, settings)
        found.append(synchrony_courses(group, settings, layout)[number])
    return np.stack(found)


def _course(person: Array, partners: Array, settings: Settings, layout: RowLayout) -> Array:
    """Return one person's synchrony (steps, rows), Fisher z, with partners (partners, time, M * k), averaged."""
    rate, synchrony = settings.signal.rate_hz, settings.synchrony
    window = synchrony.window_s * rate
    least = int(np.ceil(synchrony.min_good * window))
    r = [running_correlation(person, p, window, STEP_S * rate, least, k=layout.k) for p in partners]
    return np.arctanh(layout.complete(fisher_mean(np.stack(r), axis=0)))


def component_spaces(
    sounds: Sequence[Sequence[Array]], channels: Sequence[str], settings: Settings
) -> tuple[ComponentSpace, list[ComponentSpace]]:
    """Return the space of the correlated components of all, and for each listener that of all but them.

    From each sound's listeners' channels (time, C), V, NaN where missing or bad.
    """
    moments = Moments(len(sounds[0]), len(channels))
    for people in sounds:
        moments.add(np.stack(people))
    whole = fit_components(moments, settings.synchrony.components, settings.synchrony.corrca_gamma)
    without = leave_one_out(moments, whole, settings.synchrony.corrca_gamma)
    spaces = [ComponentSpace(channels, c.filters, c.covariance) for c in (whole, *without)]
    return spaces[0], spaces[1:]


def mean_of(group: Array) -> Array:
    """Return the mean over those present (time, M * k) of standardised people; NaN where nobody is."""
    present = np.isfinite(group)
    count = present.sum(axis=0)
    total = np.where(present, group, 0.0).sum(axis=0)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def _manifest(
    study: Study, featurizer: Featurizer, settings: Settings, result: Fit, name: str, *, space: Space
) -> Manifest:
    r, r_mean = result.correlations()
    steps = int(np.isfinite(result.held_out).all(axis=1).sum())
    return Manifest(
        name=name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        rtaffect=__version__,
        space=space.kind,
        channels=space.channels,
        rows=space.rows,
        settings=settings,
        featurizer=FeaturizerIdentity(identity=featurizer.identity, sha256=featurizer.sha256, size=featurizer.size),
        stimuli=tuple(
            Stimulus(name=s.name, sha256=s.sha256, seconds=s.seconds, people=len(study.listeners), fitted=s.fit)
            for s in study.sounds()
        ),
        lags_s=result.weights.lags_s,
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
