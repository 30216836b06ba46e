"""From a study on disk to arrays: features of the EEG, embeddings of the sounds, ratings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from calibration.affect.deap import is_deap, people_files, read_deap
from calibration.affect.eeg import LEAD_S, Features, eeg_features, kept_features, rest_mean
from calibration.affect.embedder import Embedding, embedding_for
from calibration.affect.items import Items
from calibration.affect.ratings import Ratings, affect_entry, read_ratings
from calibration.affect.study import AffectStudy
from calibration.studies.manifest import ALL_EEG, Channels
from calibration.study import FolderStudy, Rest
from rtaffect.affect.settings import AffectSettings
from rtaffect.common.arrays import FloatArray
from rtaffect.common.errors import RecordingError
from rtaffect.common.words import listed
from rtaffect.predicted.featurizer import ALL_CORES, Progress
from rtaffect.stream.audio import StudySound


def read_affect(
    folder: Path,
    settings: AffectSettings,
    progress: Progress,
    *,
    sounds: Path | None = None,
    channels: Channels = ALL_EEG,
    embedding: Embedding | None = None,
) -> AffectStudy:
    """Return the study of affect in ``folder``.

    Parameters
    ----------
    folder
        With ``study.toml``, a BIDS dataset, or DEAP's MATLAB files.
    settings
        How its EEG and sounds become features.
    progress
        Told what is being done.
    sounds
        Of DEAP: folder with the sounds of its videos, default ``sounds`` in the study's folder.
    channels
        Those that are chosen in every recording.
    embedding
        What embeds sound, by default what the settings name.

    Raises
    ------
    RecordingError, SettingsError, ArtifactError
        If it cannot be used: one line that says why, and what to do.
    """
    if is_deap(folder):
        people_files(folder)
        embedding = embedding or embedding_for(settings, ALL_CORES, progress)
        return read_deap(folder, sounds or folder / "sounds", settings, embedding, progress)
    if sounds is not None:
        raise RecordingError(f"{folder} names its own sounds; a folder of sounds is for DEAP only: leave it away")
    return _read_folder(folder, settings, progress, channels, embedding)


def _read_folder(
    folder: Path, settings: AffectSettings, progress: Progress, channels: Channels, embedding: Embedding | None
) -> AffectStudy:
    """Return a study with ``study.toml``, or of a BIDS dataset."""
    study = FolderStudy(folder, channels)
    entry = affect_entry(folder)
    ratings = read_ratings(study, entry)
    if not study.listeners:
        raise RecordingError(f"study {study.name}: no listeners; affect needs EEG: add [[listener]] to study.toml")
    embedding = embedding or embedding_for(settings, ALL_CORES, progress)
    embeddings = embedding.of_all(study.sounds(), progress)
    items = Items(settings, study.channels(), embeddings)
    for listener in study.listeners:
        progress(f"EEG of {listener}")
        baseline, heard = _person(study, listener, entry.rest_before_s, items.channels, settings, progress)
        for sound, features in heard.items():
            items.add(listener, sound, features, baseline, ratings)
    notes = (*study.notes, *_left_out(study, ratings))
    return items.study(study.name, embedding, ratings, notes=notes, synthetic=study.synthetic)


def _person(  # noqa: PLR0917 - whose EEG, and how it becomes features
    study: FolderStudy,
    listener: str,
    rest_s: int,
    channels: Sequence[str],
    settings: AffectSettings,
    progress: Progress,
) -> tuple[FloatArray | None, dict[str, Features]]:
    """Return a person's mean at rest (C, F), None where none is wanted, and the features of all that they heard."""
    heard, rests, lead_s = dict[str, Features](), list[Features](), LEAD_S + rest_s
    for sound in study.sounds():
        if not study.hears(listener, sound):
            continue

        def hearing(sound: StudySound = sound) -> Features:
            source, onset = study.eeg(listener, sound)
            return eeg_features(source, onset, sound.seconds, channels, settings, lead_s)

        stamp = f"{study.stamp(listener, sound)} {sound.name} {sound.seconds} {lead_s}"
        found = kept_features(stamp, channels, settings, hearing, progress)
        heard[sound.name] = found.last(sound.seconds)
        rests.append(Features(found.values[LEAD_S:lead_s], found.mask[LEAD_S:lead_s]))
    if settings.baseline == "none":
        return None, heard
    for rest in study.rests(listener, LEAD_S):

        def resting(rest: Rest = rest) -> Features:
            return eeg_features(rest.source(), rest.onset, rest.seconds, channels, settings)

        found = kept_features(f"rest {rest.stamp}", channels, settings, resting, progress)
        rests.append(found.last(rest.seconds))
    return rest_mean(rests, settings, listener), heard


def _left_out(study: FolderStudy, ratings: Ratings) -> list[str]:
    """Return who has no rating of what they heard."""
    lacking: dict[str, list[str]] = {}
    for sound in study.sounds():
        for listener in study.listeners:
            values = ratings.values.get((listener, sound.name))
            if study.hears(listener, sound) and (values is None or not np.isfinite(values).any()):
                lacking.setdefault(listener, []).append(sound.name)
    return [f"{listener} has no rating of {listed(sounds)}" for listener, sounds in lacking.items()]


def short_sounds(sounds: Sequence[StudySound], settings: AffectSettings) -> list[str]:
    """Return which sounds are too short for one item."""
    least = max(settings.sequence_s, int(settings.sound_s))
    return [
        f"{sound.name}: {sound.seconds} s, expected at least {least} s for one sequence: leave it out"
        for sound in sounds
        if sound.seconds < least
    ]
