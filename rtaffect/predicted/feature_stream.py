"""A featurizer at work: the newest second of sound in, its features out, and what it carries from call to call."""

from __future__ import annotations

from typing import Any

import numpy as np

from rtaffect.common.arrays import Float32Array
from rtaffect.common.errors import ArtifactError
from rtaffect.predicted.featurizer_file import failures_to_run
from rtaffect.predicted.manifest import NEWEST_S, SAMPLE_RATE, FeaturizerManifest
from rtaffect.predicted.state_rows import StateRows

_SECOND = NEWEST_S * SAMPLE_RATE


class FeatureStream:
    """One pass of a featurizer over a sound, second by second.

    Parameters
    ----------
    session
        The onnxruntime session.
    manifest
        What the model says of itself.
    device
        ``cpu`` or ``cuda``: where the session runs and the state is kept.
    """

    def __init__(self, session: Any, manifest: FeaturizerManifest, device: str) -> None:
        self._session, self._manifest = session, manifest
        self._parts = [StateRows(part, device) for part in manifest.state]
        self.seconds = 0

    @property
    def warming_up(self) -> bool:
        """Whether the newest features were made of less sound than the whole context."""
        return self.seconds < self._manifest.context_s

    def reset(self) -> None:
        """Forget all sound, as at the start or after a gap."""
        self.seconds = 0
        for part in self._parts:
            part.clear()

    def fill(self) -> None:
        """Go on as if a whole context had been heard that left nothing but zeros in the state."""
        self.seconds = self._manifest.context_s
        for part in self._parts:
            part.fill()

    def step(self, second: Float32Array) -> Float32Array:
        """Take in the next second of sound and return its features.

        While less than ``context_s`` has been heard, the context is what there is; nothing stands in for the rest.

        Parameters
        ----------
        second
            float32 (16000,), mono sound at 16 kHz within about -1..1, finite.

        Returns
        -------
        float32 (size,), or (n_layers, size) for a model of all layers; finite for finite sound, silence included.
        """
        _require_second(second)
        features = np.empty(self._manifest.features_shape, np.float32)
        binding = self._session.io_binding()
        binding.bind_cpu_input("audio", np.ascontiguousarray(second))
        binding.bind_output("features", "cpu", 0, np.float32, features.shape, features.ctypes.data)
        for part in self._parts:
            part.bind(binding, first=self.seconds == 0)
        try:
            self._session.run_with_iobinding(binding)
        except failures_to_run() as error:
            why = " ".join(str(error).split()) or type(error).__name__
            raise ArtifactError(
                f"featurizer {self._manifest.name} cannot be run ({why:.600}): its file is damaged, or a device lacks "
                "memory; build it again"
            ) from error
        self.seconds += 1
        return features


def _require_second(second: Float32Array) -> None:
    if second.dtype != np.float32 or second.shape != (_SECOND,):
        raise ValueError(f"the sound is {second.dtype} {second.shape}, expected float32 ({_SECOND},)")
    if not np.isfinite(second).all():
        raise ValueError("the sound holds NaN or infinity: gaps must be cut out before")
