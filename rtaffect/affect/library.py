"""The library of sounds: each embedded once, in the shared space, so that the nearest to a person's EEG can be named.

A sound's place is the mean of the directions of its parts of ``sound_s``, end to end. What was embedded is kept in the
user's cache by the content of the sound's file and of the bundle's models.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from rtaffect.affect.embedding import embeddings_of
from rtaffect.affect.loaded import LoadedAffect
from rtaffect.affect.values import NearSound
from rtaffect.common.arrays import FloatArray
from rtaffect.common.errors import RtaffectError, SettingsError, SoundError, setting
from rtaffect.common.files import sha256_of, write_whole
from rtaffect.common.reading import path_problem
from rtaffect.common.text import clean
from rtaffect.predicted.featurizer import Progress, cache_root
from rtaffect.predicted.manifest import SAMPLE_RATE
from rtaffect.stream.audio import read_sound

#: So many sounds are named at a step.
NEAREST: Final = 3
#: A library has no more files.
MOST_SOUNDS: Final = 100_000
#: Version of what is kept.
_KEPT: Final = 1


@dataclass(frozen=True, slots=True, eq=False)
class SoundLibrary:
    """Sounds in the shared space.

    Attributes
    ----------
    names : tuple of str, length N
        Their files, relative to the folder.
    directions : (N, D) float64
        Of unit length.
    """

    names: tuple[str, ...]
    directions: FloatArray

    def nearest(self, shared: FloatArray, count: int = NEAREST) -> tuple[NearSound, ...]:
        """Return the sounds nearest to a vector (D,) by the cosine of the angle, the nearest first; equals by name."""
        length = float(np.linalg.norm(shared))
        if not (length > 0 and np.isfinite(length)):
            return ()
        cosine = np.clip(self.directions @ (np.asarray(shared, np.float64) / length), -1.0, 1.0)
        order = np.argsort(-cosine, kind="stable")[:count]
        return tuple(NearSound(self.names[i], float(cosine[i])) for i in order.tolist())


def open_library(folder: Path, model: LoadedAffect, progress: Progress, note: Callable[[str], None]) -> SoundLibrary:
    """Return the library of the sound files in ``folder`` and the folders in it.

    Parameters
    ----------
    folder
        Whatever cannot be read as sound in it is left out, and told; files whose name begins with a dot are not looked
        at.
    model
        The bundle, which embeds sound and brings that to the shared space.
    progress
        Is told how far it is.
    note
        Is told of each file that is left out, in one line.

    Raises
    ------
    SettingsError
        If there is no such folder, or no sound in it.
    """
    names, places = [], []
    files = sounds_in(folder)
    for number, path in enumerate(files, 1):
        progress(f"embedding the library: {number} of {len(files)} sounds")
        name = path.relative_to(folder).as_posix()
        try:
            places.append(_place_of(path, model))
            names.append(clean(name))
        except (RtaffectError, OSError) as error:
            note(f"library: {clean(name)} is left out: {_why(error)}")
    if not names:
        raise SettingsError(
            f"{setting('library', folder)}: there is no sound in it that can be read ({len(files)} files)",
            f"sound files of {model.bundle.manifest.settings.sound_s:g} s or more",
            "name another folder",
        )
    return SoundLibrary(tuple(names), np.stack(places))


def direction_of(shared: FloatArray) -> FloatArray:
    """Return the mean direction (D,), of unit length, of vectors (n, D) in the shared space.

    Raises
    ------
    ValueError
        If they have none: they are zero, or cancel each other.
    """
    lengths = np.linalg.norm(shared, axis=1, keepdims=True)
    mean = (np.asarray(shared, np.float64) / np.where(lengths > 0, lengths, 1.0)).mean(axis=0)
    length = float(np.linalg.norm(mean))
    if not (np.isfinite(length) and length > 1e-9):
        raise ValueError("the vectors have no direction in common")
    return np.asarray(mean / length)


def sounds_in(folder: Path) -> Sequence[Path]:
    """Return the files in ``folder`` and the folders in it that may be sounds; SettingsError if it is none."""
    wrong = path_problem(folder) or ("" if folder.is_dir() else "it is no folder")
    if wrong:
        raise SettingsError(f"{setting('library', folder)} cannot be read ({wrong})", "a folder of sound files")
    found = sorted(
        path
        for path in folder.rglob("*")
        if not any(part.startswith(".") for part in path.relative_to(folder).parts) and path.is_file()
    )
    if len(found) > MOST_SOUNDS:
        raise SettingsError(
            f"{setting('library', folder)} has {len(found)} files", f"at most {MOST_SOUNDS}", "name a smaller folder"
        )
    return found


def _place_of(path: Path, model: LoadedAffect) -> FloatArray:
    """Return the direction (D,) of a sound file, kept in the cache or made; raises RtaffectError or OSError."""
    kept = cache_root() / "affect-library" / model.models_sha256[:16] / f"{sha256_of(path)}.safetensors"
    if (found := _kept(kept)) is not None:
        return found
    sound, _ = read_sound(path)
    seconds = int(model.bundle.manifest.settings.sound_s)
    if len(sound) < seconds * SAMPLE_RATE:
        raise SoundError(f"it lasts {len(sound) / SAMPLE_RATE:.1f} s, and the bundle embeds {seconds} s at a time")
    embedded = embeddings_of(sound, model.embedder, every=seconds)
    try:
        place = direction_of(model.shared_of_sounds(embedded[np.isfinite(embedded).all(axis=1)]))
    except ValueError as error:
        raise SoundError(f"it has no place in the shared space ({error})") from None
    kept.parent.mkdir(parents=True, exist_ok=True)
    content = {"direction": place, "version": np.array([_KEPT], np.int64)}
    write_whole(kept, save(content))
    return place


def _kept(path: Path) -> FloatArray | None:
    """Return what is kept of a sound; None where nothing is, or it is damaged, and is then made anew."""
    try:
        content = load(path.read_bytes())
        place, version = content["direction"], int(content["version"][0])
    except (OSError, SafetensorError, KeyError, IndexError):
        return None
    whole = place.ndim == 1 and place.dtype == np.float64 and abs(float(np.linalg.norm(place)) - 1.0) < 1e-6
    return place if whole and version == _KEPT else None


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, RtaffectError) else str(getattr(error, "strerror", None) or error)
