"""Features of a study's sounds for calibration, each computed once: every layer of a model, and the descriptors.

A sound goes through the model once for all layers. What is done is kept on disk (``feature_cache``), one file for each
sound and feature set, so that a run that was cut off goes on where it stopped.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calibration.descriptors import VERSION, descriptors_of
from rtaffect.common.arrays import Float32Array
from rtaffect.predicted.feature_cache import FeatureKey, feature_folder, read_features, write_features
from rtaffect.predicted.featurizer import Featurizer, features_of
from rtaffect.predicted.manifest import FeaturizerManifest
from rtaffect.stream.audio import sound_sha256

#: Name of the feature set of the acoustic descriptors.
DESCRIPTORS_SET = "lld"


def feature_sets(manifest: FeaturizerManifest) -> tuple[str, ...]:
    """Return the names of the feature sets that a featurizer gives, in its order: ``layer-0``, ..., ``final``."""
    layers = range(manifest.n_layers) if manifest.layer is None else (manifest.layer,)
    return tuple(manifest.model_copy(update={"layer": layer}).feature_set for layer in layers)


class FeatureStore:
    """Features of sounds, from the disk where they are there, whole and undamaged, else computed and kept.

    Sounds are float32 (n,), mono at 16 kHz; features float32 (floor(n / 16000), size), row k - 1 the step at time k s.

    Parameters
    ----------
    folder
        Where they are kept; None for the user's cache.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or feature_folder()

    def layers(self, sound: Float32Array, featurizer: Featurizer) -> dict[str, Float32Array]:
        """Return each layer's features by the name of the feature set, in the order of the layers.

        Parameters
        ----------
        sound
            See the class.
        featurizer
            One of all layers (``featurizer.all_layers_for``); of one that gives a single layer, that.

        Raises
        ------
        ArtifactError
            If they cannot be kept.
        """
        digest = sound_sha256(sound)
        keys = {name: FeatureKey(digest, name, featurizer.sha256) for name in feature_sets(featurizer.manifest)}
        found = {name: read_features(self._folder, key) for name, key in keys.items()}
        whole = {name: features for name, features in found.items() if features is not None}
        if len(whole) == len(keys):
            return whole
        manifest = featurizer.manifest
        rows = features_of(sound, featurizer).reshape(-1, len(keys), manifest.hidden_size)
        computed = {name: np.ascontiguousarray(rows[:, k]) for k, name in enumerate(keys)}
        for name in computed.keys() - whole.keys():
            write_features(self._folder, keys[name], computed[name])
        return computed

    def descriptors(self, sound: Float32Array) -> Float32Array:
        """Return the acoustic descriptors, (steps, 12); see :mod:`calibration.descriptors`."""
        key = FeatureKey(sound_sha256(sound), DESCRIPTORS_SET, f"descriptors-{VERSION}")
        features = read_features(self._folder, key)
        if features is None:
            features = descriptors_of(sound)
            write_features(self._folder, key, features)
        return features
