"""An LSL outlet in this process that sends, at 250 Hz, in each channel a number of its own."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
import pylsl

from rtaffect.outputs.lsl_outlet import LslOutlet

RATE = 250.0


class Outlet:
    """A real outlet; a context manager. Channel ``labels[i]`` always has the value ``values[labels[i]]``."""

    def __init__(
        self,
        name: str,
        source_id: str,
        values: Mapping[str, float],
        *,
        unit: str = "microvolts",
        rate: float = RATE,
        named: bool = True,
        about: str = "",
        sample_format: str = "float32",
        types: Sequence[str] = (),
        silent: bool = False,
    ) -> None:
        info = pylsl.StreamInfo(name, "EEG", len(values), rate, sample_format, source_id)
        channels = info.desc().append_child("channels")
        for i, label in enumerate(values):
            channel = channels.append_child("channel")
            channel.append_child_value("label", label if named else "")
            channel.append_child_value("unit", unit)
            channel.append_child_value("type", types[i] if types else "EEG")
        if about:
            info.desc().append_child_value("manufacturer", about)
        self._outlet = LslOutlet(lambda: pylsl.StreamOutlet(info))
        self._chunk = np.tile(np.array(list(values.values()), np.float64), (5, 1))
        self._stop = threading.Event()
        self.silent = silent
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def _send(self) -> None:
        next_at = pylsl.local_clock()
        while not self._stop.wait(max(0.0, next_at - pylsl.local_clock())):
            next_at += len(self._chunk) / RATE
            if not self.silent:
                self._outlet.push_chunk(self._chunk.astype(np.float32), next_at)

    @property
    def uid(self) -> str:
        """What LSL calls it."""
        return self._outlet.uid

    def close(self) -> None:
        """Close the outlet; may be called twice."""
        self._stop.set()
        self._thread.join()
        self._outlet.close()

    def __enter__(self) -> Self:
        """Return the outlet, which is open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the outlet."""
        self.close()
