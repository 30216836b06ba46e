"""From a study to a bundle: features, observed synchrony and references by the live code, then weights."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from calibration.measured import Progress, measure
from calibration.study import Study
from calibration.validation import Fit, fit
from rtaffect import __version__
from rtaffect.bundle import Bundle, FeaturizerIdentity, Manifest, Scores, Stimulus
from rtaffect.feature_cache import cached_features_of
from rtaffect.featurizer import Featurizer
from rtaffect.settings import Settings
from rtaffect.spaces import Space


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
    measured = measure(study, settings, progress, space=space, components=components)
    features = []
    for sound in measured.sounds:
        progress(f"features of {sound.name} ({sound.seconds} s)")
        features.append(cached_features_of(sound.samples, featurizer))
    progress("ridge weights, nested cross-validation")
    counted = measured.space.layout.counted
    result = fit(features, measured.targets, settings, people=measured.people, counted=counted)
    manifest = _manifest(study, featurizer, settings, result, name, space=measured.space)
    return Bundle(manifest, result.weights, measured.references, measured.space)


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
