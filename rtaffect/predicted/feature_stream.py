"""A featurizer at work: the newest second of sound in, its features out, and what it carries from call to call.

The state stays where the model runs, in the processor's memory or the GPU's, as rows one after another: a call reads
the newest ones in place and writes its own right behind them. Only when the memory's end is reached are the newest
rows copied to its start.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import Float32Array
from rtaffect.common.errors import ArtifactError
from rtaffect.predicted.featurizer_file import failures_to_run
from rtaffect.predicted.manifest import NEWEST_S, SAMPLE_RATE, FeaturizerManifest, StatePart

#: Calls after which rows are copied to the start of their memory.
_CALLS_PER_COPY = 4
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
        self._parts = [_Rows(part, device) for part in manifest.state]
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


class _Rows:
    """The newest rows of one part of the state."""

    def __init__(self, part: StatePart, device: str) -> None:
        self._part, self._device = part, device
        self._dtype = np.dtype(part.dtype)
        self._capacity = part.keep + _CALLS_PER_COPY * max(part.made)
        shape = (self._capacity, *part.shape)
        self._row_bytes = int(np.prod(part.shape, dtype=np.int64)) * self._dtype.itemsize
        self._memory: Any
        if device == "cpu":
            self._memory = np.zeros(shape, self._dtype)
            self._pointer = self._memory.ctypes.data
        else:
            import onnxruntime

            self._memory = onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros(shape, self._dtype), device, 0)
            self._pointer = self._memory.data_ptr()
        self.clear()

    def clear(self) -> None:
        self._start = self._stop = 0

    def fill(self) -> None:
        self._overwrite(np.zeros((self._capacity, *self._part.shape), self._dtype))
        self._start, self._stop = 0, self._part.keep

    def bind(self, binding: Any, first: bool) -> None:
        """Let the next run read the rows that are kept, and write the new ones behind them."""
        made = self._part.made[0 if first else 1]
        if self._stop + made > self._capacity:
            self._to_the_start()
        start = max(self._start, self._stop - self._part.keep)
        self._bind(binding.bind_input, f"state.{self._part.name}", start, self._stop)
        self._bind(binding.bind_output, f"new.{self._part.name}", self._stop, self._stop + made)
        self._stop += made

    def _bind(self, bind: Any, name: str, start: int, stop: int) -> None:
        shape = (stop - start, *self._part.shape)
        bind(name, self._device, 0, self._dtype.type, shape, self._pointer + start * self._row_bytes)

    def _to_the_start(self) -> None:
        kept = slice(max(self._start, self._stop - self._part.keep), self._stop)
        content = self._memory if self._device == "cpu" else self._memory.numpy()
        count = kept.stop - kept.start
        content[:count] = content[kept].copy()
        self._overwrite(content)
        self._start, self._stop = 0, count

    def _overwrite(self, content: NDArray[np.floating]) -> None:
        if self._device != "cpu":
            self._memory.update_inplace(content)
        elif content is not self._memory:
            self._memory[:] = content


def _require_second(second: Float32Array) -> None:
    if second.dtype != np.float32 or second.shape != (_SECOND,):
        raise ValueError(f"the sound is {second.dtype} {second.shape}, expected float32 ({_SECOND},)")
    if not np.isfinite(second).all():
        raise ValueError("the sound holds NaN or infinity: gaps must be cut out before")
