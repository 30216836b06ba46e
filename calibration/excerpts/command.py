"""``calibrate`` of a study of excerpts: a report and its numbers; no bundle, as a session hears no given features."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.excerpts.page import write_excerpt_report
from calibration.excerpts.result import ExcerptOutcome, analyse_excerpts
from calibration.excerpts.study import ExcerptStudy, read_excerpts
from calibration.features import DESCRIPTORS_SET, FeatureStore, feature_sets
from calibration.pages import decimal, p_is
from rtaffect.common.errors import RecordingError
from rtaffect.predicted.featurizer import Featurizer
from rtaffect.stream.audio import SAMPLE_RATE, read_whole_sound

Array = NDArray[np.float64]

#: What is given as columns, in place of a feature set.
GIVEN = "given features"
#: Options of ``calibrate`` that have a meaning here; others are refused.
OPTIONS = frozenset({"study", "out", "featurizer", "draws", "quick", "only_check", "jobs"})


def calibrate_excerpts(
    folder: Path,
    out: Path,
    featurizer: Callable[[], Featurizer],
    progress: Callable[[str], None],
    *,
    components: int,
    draws: int,
) -> ExcerptOutcome:
    """Predict the ratings of a study of excerpts, and write ``report.html`` and ``result.json`` into ``out``.

    Parameters
    ----------
    folder, out
        Of the study, and of the report.
    featurizer
        Gives the featurizer, asked only where the study has sound files.
    progress
        Told what is being done.
    components
        Principal components of computed features; given features enter as they are.
    draws
        Of chance.

    Raises
    ------
    RecordingError, SoundError
        If the study or a sound cannot be used.
    """
    study = read_excerpts(folder)
    sounds = {GIVEN: study.sound} if not study.files else computed(study, featurizer(), progress)
    kept = 0 if not study.files else components
    outcome = analyse_excerpts(study, sounds, progress, components=kept, draws=draws)
    progress("report")
    out.mkdir(parents=True, exist_ok=True)
    write_excerpt_report(outcome, out / "report.html")
    return outcome


def check_excerpts(folder: Path) -> list[str]:
    """Return what is wrong with a study of excerpts, one line each."""
    try:
        read_excerpts(folder)
    except RecordingError as error:
        return [str(error)]
    return []


def told(outcome: ExcerptOutcome) -> list[str]:
    """Return the results in lines for the terminal."""
    lines = []
    for result in outcome.results:
        ways = ", ".join(f"{way.way} {decimal(way.r, 3)} ({p_is(way.p)})" for way in result.ways)
        lines.append(f"{result.rating} from {result.features}: held-out r of {ways}")
        if result.added:
            added = ", ".join(
                f"{each.part} adds {decimal(each.difference, 3)} ({p_is(each.p)})" for each in result.added
            )
            lines.append(f"{result.rating}: {added}")
    return lines


def computed(study: ExcerptStudy, featurizer: Featurizer, progress: Callable[[str], None]) -> dict[str, Array]:
    """Return features (N, F) by feature set: of each excerpt the mean over its seconds."""
    store, layers = FeatureStore(), feature_sets(featurizer.manifest)
    found: dict[str, list[Array]] = {name: [] for name in (DESCRIPTORS_SET, *layers)}
    for name, path in zip(study.excerpts, study.files, strict=True):
        progress(f"features of {name}")
        samples = read_whole_sound(path).samples
        if len(samples) < SAMPLE_RATE:
            raise RecordingError(
                f"{name}: {path.name} has {len(samples) / SAMPLE_RATE:.2f} s; expected a second or more: leave it out"
            )
        found[DESCRIPTORS_SET].append(np.asarray(store.descriptors(samples), np.float64).mean(axis=0))
        of_layers = store.layers(samples, featurizer)
        for layer in layers:
            found[layer].append(np.asarray(of_layers[layer], np.float64).mean(axis=0))
    return {name: np.stack(each) for name, each in found.items()}
