"""Features of whole sounds, kept in the user's cache under the hashes of what they follow from.

A file is as :mod:`rtaffect.common.kept` writes it: what is damaged is computed again.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import Float32Array
from rtaffect.common.errors import ArtifactError
from rtaffect.common.kept import read_array, write_array
from rtaffect.predicted.featurizer import ALL_CORES, Featurizer, Progress, cache_root, features_of
from rtaffect.predicted.manifest import SAMPLE_RATE
from rtaffect.stream.audio import sound_sha256

Element = Literal["mix", "voice", "background"]

#: Of a hash in a file's name, hexadecimal digits.
_SHOWN = 32


@dataclass(frozen=True, slots=True)
class FeatureKey:
    """What the features of one sound follow from.

    Parameters
    ----------
    sound
        ``audio.sound_sha256`` of the samples that the features are of: for an element those of the element
        alone.
    feature_set
        ``lld``, ``layer-k`` or ``final``.
    made_by
        Sha256 of the featurizer file, or name and version of the code that computed them.
    element
        Which part of the sound: the whole ``mix``, the isolated ``voice``, or the ``background``.
    """

    sound: str
    feature_set: str
    made_by: str
    element: Element = "mix"

    @property
    def file_name(self) -> str:
        """Name of the file in the cache."""
        return f"{self.sound[:_SHOWN]}-{self.element}-{self.made_by[:_SHOWN]}-{self.feature_set}.npy"


def feature_folder() -> Path:
    """Return the folder of the cache that holds features."""
    return cache_root() / "features"


def read_features(folder: Path, key: FeatureKey) -> Float32Array | None:
    """Return the features (steps, size) kept under ``key``, or None where there are none or they are damaged."""
    found = read_array(folder / key.file_name)
    return None if found is None else np.asarray(found, np.float32)


def write_features(folder: Path, key: FeatureKey, features: Float32Array) -> None:
    """Keep features (steps, size) under ``key``; raises ArtifactError if they cannot be written."""
    try:
        write_array(folder / key.file_name, np.ascontiguousarray(features, np.float32))
    except OSError as error:
        raise ArtifactError(
            f"{folder}: features cannot be kept ({error.strerror}); make room, or choose a folder that can be written "
            "through the variable RTAFFECT_CACHE"
        ) from error


def cached_features_of(
    sound: Float32Array, featurizer: Featurizer, over: threading.Event | None = None
) -> NDArray[np.float64]:
    """Return the features (steps, size) of a sound (n,), mono at 16 kHz, computed only the first time.

    ``over`` is as for :func:`~rtaffect.predicted.featurizer.features_of`.
    """
    folder, key = feature_folder(), FeatureKey(sound_sha256(sound), featurizer.manifest.feature_set, featurizer.sha256)
    features = read_features(folder, key)
    if features is None:
        features = features_of(sound, featurizer, over)
        write_features(folder, key, features)
    return np.asarray(features, np.float64)


def cached_features_of_each(
    sounds: Mapping[str, Float32Array], featurizer: Featurizer, progress: Progress
) -> dict[str, NDArray[np.float64]]:
    """Return :func:`cached_features_of` sounds, by their names, which ``progress`` is told as their turn comes.

    As many sounds are gone through at once as there are cores for the featurizer's threads: a thread of its own for
    each takes less of the processor than several for one, which wait for each other, the longer the more other
    programs run. The features are the same.
    """
    over = threading.Event()
    with ThreadPoolExecutor(max(1, ALL_CORES // featurizer.threads), "features") as pool:
        begun = {name: pool.submit(cached_features_of, sound, featurizer, over) for name, sound in sounds.items()}
        found = {}
        try:
            for name, sound in sounds.items():
                progress(f"features of {name} ({len(sound) // SAMPLE_RATE} s)")
                found[name] = begun[name].result()
        except BaseException:
            # Ctrl-C, or a sound that fails: the others are left off.
            over.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return found
