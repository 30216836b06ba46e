"""What training ends with: a model that was fitted to everything, its validation, and a session's bundle of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from calibration.affect.affect_model import AffectModel, Told
from calibration.affect.export import eeg_onnx, sound_onnx
from calibration.affect.held_out import arguments
from calibration.affect.study import AffectStudy
from calibration.affect.validation import Plan, Validation, validate
from rtaffect import __version__
from rtaffect.affect.bundle import AffectBundle, AffectManifest, AffectTensors, EmbeddingIdentity, RatingScale

Array = NDArray[np.float64]
#: File, in the folder of what has been fitted, by which the final training goes on.
CHECKPOINT = "training.safetensors"


@dataclass(frozen=True, slots=True, eq=False)
class AffectOutcome:
    """The model, what it tells of the study that it was fitted to, and its validation.

    Attributes
    ----------
    name
        Of the bundle.
    study
        Usable items.
    model
        Fitted to all of them.
    told
        What it tells of them: it knows them, so that this shows the space and scores nothing.
    validation
        Of other models, of what they did not know.
    """

    name: str
    study: AffectStudy
    model: AffectModel
    told: Told
    validation: Validation


def analyse(
    name: str,
    study: AffectStudy,
    plan: Plan,
    *,
    keep: Path | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> AffectOutcome:
    """Validate models of a study and fit one to all of it.

    Parameters
    ----------
    name
        Of the bundle.
    study
        As it was read.
    plan
        How it is validated.
    keep
        Folder with what has been fitted already, for a run that is stopped and goes on.
    tell
        Told what is being done.

    Raises
    ------
    RecordingError
        If the study has too little to be learnt from.
    """
    study = study.usable()
    validation = validate(study, plan, keep=keep, tell=tell)
    model = AffectModel(
        **dict(plan.choices),
        random_state=plan.seed,
        checkpoint=None if keep is None else keep / CHECKPOINT,
    )
    tell("final model")
    given = arguments(study)
    model.fit(**given)
    return AffectOutcome(name, study, model, model.tell(given["X"], study.sound), validation)


def bundle_of(
    outcome: AffectOutcome, embedding: EmbeddingIdentity, content: bytes | None, report: dict[str, Any]
) -> AffectBundle:
    """Return the bundle that a session loads.

    Parameters
    ----------
    outcome
        What was found.
    embedding, content
        What embeds the sound, and its ONNX file where it is none of rtaffect's featurizers.
    report
        Numbers of the report, for other programs.
    """
    chosen = {k: v for k, v in asdict(outcome.validation.plan).items() if k != "choices"}
    provenance = provenance_of(outcome.study, outcome.model)
    provenance["validation"] = ", ".join(f"{key} {value}" for key, value in chosen.items())
    return bundle_with(outcome.name, outcome.study, outcome.model, embedding, content, provenance, report)


def bundle_with(  # noqa: PLR0917 - all that a bundle holds
    name: str,
    study: AffectStudy,
    model: AffectModel,
    embedding: EmbeddingIdentity,
    content: bytes | None,
    provenance: dict[str, str],
    report: dict[str, Any],
) -> AffectBundle:
    """Return the bundle of a model that was fitted to ``study``; parameters are those of :func:`bundle_of`."""
    tensors = AffectTensors(
        feature_mean=model.feature_mean_,
        feature_std=model.feature_std_,
        embedding_mean=model.embedding_mean_,
        embedding_std=model.embedding_std_,
        temperature=model.temperature_,
        eeg_weight=model.eeg_weight_,
        eeg_lasting=model.eeg_lasting_,
        eeg_novelty=model.eeg_novelty_,
        sound_novelty=model.sound_novelty_,
    )
    manifest = AffectManifest(
        name=name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        rtaffect=__version__,
        settings=study.settings,
        channels=study.channels,
        shared=model.shared,
        scale=RatingScale(**study.scale._asdict()),
        embedding=embedding,
        synthetic=study.synthetic,
        provenance=provenance,
        report=report,
    )
    return AffectBundle(manifest, tensors, eeg_onnx(model.net_), sound_onnx(model.net_), content)


def provenance_of(study: AffectStudy, model: AffectModel) -> dict[str, str]:
    """Return where a model comes from: what it was fitted to, how, and by which versions."""
    return {
        "study": study.name,
        "people": str(len(np.unique(study.person))),
        "stimuli": str(len(np.unique(study.stimulus))),
        "seconds": str(len(study)),
        "ratings": f"{study.raters}, per {study.rated}",
        "steps": str(model.n_steps_),
        "recipe": str(model.recipe_),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
