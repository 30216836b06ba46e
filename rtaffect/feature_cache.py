"""Features of whole sounds, kept in the user's cache under the hashes of what they follow from."""

from __future__ import annotations

import os
import tempfile

import numpy as np
from numpy.typing import NDArray

from rtaffect.audio import sound_sha256
from rtaffect.featurizer import Featurizer, cache_root, features_of


def cached_features_of(sound: NDArray[np.float32], featurizer: Featurizer) -> NDArray[np.float64]:
    """Return the features (steps, size) of a sound (n,), mono at 16 kHz, computed only the first time."""
    folder = cache_root() / "features"
    path = folder / f"{sound_sha256(sound)[:32]}-{featurizer.sha256[:32]}.npy"
    try:
        features = np.load(path)
    except (OSError, ValueError, EOFError):
        features = features_of(sound, featurizer)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as part:
            np.save(part, features)
        os.replace(part.name, path)
    return np.asarray(features, np.float64)
