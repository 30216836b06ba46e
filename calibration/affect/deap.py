"""DEAP: 32 people who saw 40 one-minute music videos, as its MATLAB files hold it.

Koelstra et al., *DEAP: a database for emotion analysis using physiological signals*, IEEE Trans. Affect. Comput. 3,
2012. Each of ``s01.mat`` to ``s32.mat`` (of ``data_preprocessed_matlab.zip``; under DEAP's own licence, and no part of
rtaffect) has ``data`` (40 videos, 40 channels, 8064 samples at 128 Hz: 3 s of rest and 60 s of video; 32 of EEG, in uV,
first) and ``labels`` (40 videos, 4: valence, arousal, dominance, liking, 1 to 9). Its preprocessing (band-pass of 4 to
45 Hz, average reference, eyes removed) looked at whole trials; what a session does to EEG is done to the result.

A trial has nothing before its rest, in which filters could settle: its first seconds are put before it in reverse, and
give no features themselves. Sounds are no part of DEAP: they are looked for in a folder, by the video's number
(Experiment_id, 1 to 40) in the file's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from calibration.affect.eeg import LEAD_S, Features, eeg_features, kept_features, rest_mean
from calibration.affect.embedder import Embedding
from calibration.affect.items import Items
from calibration.affect.ratings import Ratings, unusable
from calibration.affect.study import AffectStudy, Scale
from rtaffect.affect.settings import AffectSettings
from rtaffect.common.arrays import FloatArray
from rtaffect.common.errors import RecordingError, SoundError
from rtaffect.common.files import sha256_of
from rtaffect.common.words import listed
from rtaffect.predicted.featurizer import Progress
from rtaffect.sources.recorded import ArraySource
from rtaffect.stream.audio import StudySound, read_whole_sound
from rtaffect.stream.source import StreamInfo

RATE: Final = 128.0
REST_S, VIDEO_S = 3, 60
SAMPLES: Final = round((REST_S + VIDEO_S) * RATE)
#: The EEG, in the order of the files.
CHANNELS: Final = (
    "Fp1", "AF3", "F3", "F7", "FC5", "FC1", "C3", "T7", "CP5", "CP1", "P3", "P7", "PO3", "O1", "Oz", "Pz",
    "Fp2", "AF4", "Fz", "F4", "F8", "FC6", "FC2", "Cz", "C4", "T8", "CP6", "CP2", "P4", "P8", "PO4", "O2",
)  # fmt: skip
VIDEOS, ALL_CHANNELS, LABELS = 40, 40, 4
SCALE: Final = Scale(1.0, 5.0, 9.0)
#: A file is no larger, bytes: DEAP's have some 100 MB.
MOST_BYTES: Final = 1_000_000_000
#: Beyond this EEG is not in uV.
MOST_UV: Final = 1e5
_PERSON: Final = re.compile(r"s(\d{2})\.mat", re.IGNORECASE)
_PICKLE: Final = re.compile(r"s\d{2}\.dat", re.IGNORECASE)
_GET: Final = "take the files of data_preprocessed_matlab.zip"


def is_deap(folder: Path) -> bool:
    """Return whether a folder holds DEAP's files, of either form, and no study of ours."""
    if not folder.is_dir() or (folder / "study.toml").is_file() or (folder / "dataset_description.json").is_file():
        return False
    return any(_PERSON.fullmatch(path.name) or _PICKLE.fullmatch(path.name) for path in folder.iterdir())


def read_deap(
    folder: Path, sounds: Path, settings: AffectSettings, embedding: Embedding, progress: Progress
) -> AffectStudy:
    """Return DEAP as a study; videos without a sound are left out.

    Parameters
    ----------
    folder
        With the MATLAB files, of all people or of some.
    sounds
        Folder with the videos' sounds.
    settings, embedding, progress
        As for :func:`calibration.affect.reading.read_affect`.

    Raises
    ------
    RecordingError
        If a file is missing, damaged, or something else, or no sound is there.
    """
    files = people_files(folder)
    heard = read_sounds(sounds)
    embeddings = embedding.of_all(heard.values(), progress)
    items, values = Items(settings, CHANNELS, embeddings), dict[tuple[str, str], FloatArray]()
    ratings = Ratings(values, SCALE, "stimulus", "own")
    for name, path in files.items():
        progress(f"EEG of {name}")
        # One person at a time: all of them are some 2.6 GB.
        data, labels = read_person(path)
        values |= {(name, sound.name): labels[video - 1, :2] for video, sound in heard.items()}
        stamp = f"DEAP {sha256_of(path)}"
        trials = [
            kept_features(f"{stamp} {number}", CHANNELS, settings, partial(_features, trial, name, settings), progress)
            for number, trial in enumerate(data)
        ]
        rests = (Features(trial.values[:REST_S], trial.mask[:REST_S]) for trial in trials)
        baseline = rest_mean(rests, settings, name) if settings.baseline == "rest" else None
        for video, sound in heard.items():
            items.add(name, sound.name, trials[video - 1].last(VIDEO_S), baseline, ratings)
    if wrong := [*unusable(ratings)]:
        raise RecordingError(f"{folder}: {'; '.join(wrong)}")
    missing = [str(video) for video in range(1, VIDEOS + 1) if video not in heard]
    notes = [f"{len(missing)} of {VIDEOS} videos are left out, having no sound in {sounds}: {listed(missing, 8)}"]
    return items.study("DEAP", embedding, ratings, notes=notes if missing else ())


def deap_problems(folder: Path, sounds: Path) -> Iterator[str]:
    """Yield all that is wrong with DEAP's files, one line each."""
    try:
        files = people_files(folder)
    except RecordingError as error:
        yield str(error)
        files = {}
    for path in files.values():
        try:
            read_person(path)
        except RecordingError as error:
            yield str(error)
    try:
        read_sounds(sounds)
    except RecordingError as error:
        yield str(error)


def people_files(folder: Path) -> dict[str, Path]:
    """Return the MATLAB files in ``folder`` by person, such as ``s01``; RecordingError if there are only pickles."""
    found = sorted(path for path in folder.iterdir() if _PERSON.fullmatch(path.name))
    if not found:
        raise RecordingError(
            f"{folder}: DEAP's .dat files are pickles, which can run code and are never loaded; {_GET} (s01.mat, ...)"
        )
    return {path.stem.lower(): path for path in found}


def read_person(path: Path) -> tuple[FloatArray, FloatArray]:
    """Return a person's EEG (40, 8064, 32), V, and labels (40, 4), 1 to 9.

    Raises
    ------
    RecordingError
        If the file is none of DEAP's.
    """
    from scipy.io import loadmat, whosmat

    expected = {"data": (VIDEOS, ALL_CHANNELS, SAMPLES), "labels": (VIDEOS, LABELS)}
    try:
        if (size := path.stat().st_size) > MOST_BYTES:
            raise ValueError(f"it has {size / 1e9:.1f} GB")
        # Names and shapes first: a small file may say that it holds more than there is memory.
        held = {name: shape for name, shape, _ in whosmat(path) if name in expected}
        if held != expected:
            said = ", ".join(f"{name} {shape}" for name, shape in held.items()) or "neither data nor labels"
            raise ValueError(f"it has {said}")
        content = loadmat(path, variable_names=list(expected))
        data, labels = (np.asarray(content[name]) for name in expected)
        if data.dtype.kind != "f" or labels.dtype.kind not in "fu":
            raise ValueError(f"its data are {data.dtype}, its labels {labels.dtype}")
    # Of damaged files scipy raises what it comes across.
    except Exception as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise RecordingError(
            f"{path}: {why:.200}; expected data {expected['data']} and labels {expected['labels']} of DEAP: {_GET}"
        ) from None
    eeg = np.asarray(data[:, : len(CHANNELS)], np.float64)
    if not np.isfinite(eeg).all() or np.abs(eeg).max() > MOST_UV:
        raise RecordingError(f"{path}: its EEG is not finite, or beyond {MOST_UV:g} uV; {_GET}")
    labels = np.asarray(labels, np.float64)
    if not ((labels >= SCALE.low) & (labels <= SCALE.high)).all():
        raise RecordingError(f"{path}: its labels are not within 1 to 9; {_GET}")
    return 1e-6 * eeg.transpose(0, 2, 1), labels


def read_sounds(folder: Path) -> Mapping[int, StudySound]:
    """Return the sounds of the videos that are in ``folder``, by the video's number.

    A file's name has that number and no other one, such as ``07.wav`` or ``video 7.mp3``.

    Raises
    ------
    RecordingError
        If there is none, two are of one video, or one cannot be read.
    """
    found: dict[int, StudySound] = {}
    paths = sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    for path in paths:
        numbers = re.findall(r"\d+", path.stem)
        if len(numbers) != 1 or not 1 <= int(numbers[0][:6]) <= VIDEOS or path.suffix.lower() in (".txt", ".csv"):
            continue
        video = int(numbers[0])
        if video in found:
            raise RecordingError(f"{folder}: two files are of video {video}, {path.name} is one; leave one out")
        try:
            found[video] = StudySound(path.stem, read_whole_sound(path).samples, True)
        except SoundError as error:
            raise RecordingError(f"{path.name}: {error}") from None
    if not found:
        raise RecordingError(
            f"{folder}: no sound of a video of DEAP; expected files named by its number, 1 to 40, such as 07.wav (DEAP "
            "itself has none): get those that can be had, and name their folder"
        )
    return dict(sorted(found.items()))


def _features(trial: FloatArray, name: str, settings: AffectSettings) -> Features:
    """Return the features of a trial's 63 s, from its EEG (8064, 32), V."""
    before = trial[1 : 1 + round(LEAD_S * RATE)][::-1]
    info = StreamInfo(name, "eeg", RATE, CHANNELS, "file", name)
    source = ArraySource(info, np.concatenate([before, trial]), onset=0.0)
    return eeg_features(source, float(LEAD_S), REST_S + VIDEO_S, CHANNELS, settings).last(REST_S + VIDEO_S)
