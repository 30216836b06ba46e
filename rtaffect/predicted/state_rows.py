"""What a model carries from call to call, as rows one after another, where the model runs.

A call reads the newest rows in place, in the processor's memory or the GPU's, and writes its own right behind them.
Only when the memory's end is reached are the newest rows copied to its start.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtaffect.predicted.manifest import StatePart

#: Calls after which rows are copied to the start of their memory.
CALLS_PER_COPY = 4


class StateRows:
    """The newest rows of one part of the state."""

    def __init__(self, part: StatePart, device: str) -> None:
        self._part, self._device = part, device
        self._dtype = np.dtype(part.dtype)
        self._capacity = part.keep + CALLS_PER_COPY * max(part.made)
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
        """Forget all rows."""
        self._start = self._stop = 0

    def fill(self) -> None:
        """Be full, of zeros."""
        self._overwrite(np.zeros((self._capacity, *self._part.shape), self._dtype))
        self._start, self._stop = 0, self._part.keep

    def begin(self, rows: NDArray[Any]) -> None:
        """Go on as if these ``rows`` (n, ...) had been given so far."""
        content = np.zeros((self._capacity, *self._part.shape), self._dtype)
        content[: len(rows)] = rows
        self._overwrite(content)
        self._start, self._stop = 0, len(rows)

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
