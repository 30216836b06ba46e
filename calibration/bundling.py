"""Puts what a calibration found into a bundle."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np

from calibration.measured import Measured
from calibration.study import Study
from calibration.validation import RidgeFit
from models.embedded import builder_of
from models.single_layer import single_layer
from rtaffect import __version__
from rtaffect.common.settings import Settings
from rtaffect.engine.bundle import FEATURIZER_FILE, Bundle, FeaturizerIdentity, Manifest, Scores, Stimulus
from rtaffect.predicted.featurizer import Featurizer, Progress, embedded_featurizer


@dataclass(frozen=True, slots=True)
class Reader:
    """A featurizer, and the feature set of it that a bundle is fitted to."""

    featurizer: Featurizer
    feature_set: str

    @classmethod
    def of(cls, featurizer: Featurizer) -> Reader:
        """Return a featurizer of one layer as the bundle's own."""
        return cls(featurizer, featurizer.manifest.feature_set)

    @property
    def described(self) -> FeaturizerIdentity:
        """What the bundle says of it."""
        f = self.featurizer
        identity = f"{f.identity.rsplit('/', 1)[0]}/{self.feature_set}"
        return FeaturizerIdentity(identity=identity, sha256=f.sha256, size=f.manifest.hidden_size)


def bundle_of(  # noqa: PLR0917 - each part once
    study: Study, measured: Measured, result: RidgeFit, settings: Settings, reader: Reader, name: str
) -> Bundle:
    """Return the bundle that a fit to what was measured makes."""
    r, r_mean = result.correlations(settings)
    space, listeners = measured.space, () if measured.rated else study.listeners
    manifest = Manifest(
        name=name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        rtaffect=__version__,
        space=space.kind,
        channels=space.channels,
        rows=space.rows,
        settings=settings,
        featurizer=reader.described,
        stimuli=tuple(
            Stimulus(
                name=s.name,
                sha256=s.sha256,
                seconds=s.seconds,
                people=sum(study.hears(listener, s) for listener in listeners),
                fitted=s.fit,
            )
            for s in (measured.sounds if measured.rated else study.sounds())
        ),
        lags_s=result.weights.lags_s,
        scores=Scores(
            r=tuple(map(_or_none, r)),
            r_mean=_or_none(r_mean),
            r_is="within sounds",
            folds=result.folds,
            steps=int(np.isfinite(result.held_out).all(axis=1).sum()),
            alpha=tuple(map(float, result.alpha)),
        ),
        synthetic=study.synthetic,
        rating=measured.scale,
        provenance={"study": study.name} | ({} if measured.rated else {"listeners": str(len(listeners))}),
    )
    return Bundle(manifest, result.weights, measured.references, space)


def _or_none(r: float) -> float | None:
    """Return r, or None where there is none, which JSON can hold."""
    return float(r) if math.isfinite(r) else None


class Found(Protocol):
    """What a calibration found: a dataclass with a bundle, and the feature set that it was fitted to."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def bundle(self) -> Bundle:
        """What a session loads."""

    @property
    def chosen(self) -> str:
        """Feature set of the bundle."""


OutcomeT = TypeVar("OutcomeT", bound=Found)


def with_featurizer(
    outcome: OutcomeT, source: Featurizer, path: Path | None, folder: Path, progress: Progress
) -> OutcomeT:
    """Return the outcome with a bundle for the one layer that it was fitted to, which sessions compute alone.

    Parameters
    ----------
    outcome
        From :func:`calibration.calibrate.analyse`.
    source, path
        The featurizer that it read with, and its file or name, None for the default model's.
    folder
        The bundle's, where the featurizer of one layer is put if it is not an embedded model's; sessions find it there.
    progress
        Told what is being done.
    """
    manifest = source.manifest
    if manifest.layer is not None:
        return outcome
    layer = manifest.n_layers - 1 if outcome.chosen == "final" else int(outcome.chosen.removeprefix("layer-"))
    builder = builder_of(manifest)
    if builder is not None and outcome.chosen != "final":
        featurizer = embedded_featurizer(builder.model, layer, progress)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        featurizer = Featurizer.load(single_layer(path, layer, folder / FEATURIZER_FILE, progress))
    about = outcome.bundle.manifest.model_copy(update={"featurizer": Reader.of(featurizer).described})
    return replace(outcome, bundle=replace(outcome.bundle, manifest=about))
