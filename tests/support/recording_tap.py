"""A tap that keeps all it is given, and makes a buffer of it as a replay would."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtaffect.stream.buffer import Block, SampleBuffer
from rtaffect.stream.source import volts_per


class RecordingTap:
    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []

    def samples(self, stamps: NDArray[np.float64], values: NDArray[Any]) -> None:
        self.events.append(("samples", (stamps.copy(), values.copy())))

    def texts(self, stamps: Sequence[float], texts: Sequence[str]) -> None:
        self.events.append(("texts", (stamps, texts)))

    def offset(self, time: float, value: float) -> None:
        self.events.append(("offset", (time, value)))

    def segment(self) -> None:
        self.events.append(("segment", None))

    def count(self, kind: str) -> int:
        return sum(each == kind for each, _ in self.events)

    def values(self) -> NDArray[Any]:
        return np.concatenate([content[1] for kind, content in self.events if kind == "samples"])

    def replayed(self, rate: float, units: Sequence[str]) -> Block:
        """Return the block that what was kept of the first channels gives, which have ``units``, pushed singly."""
        scale = np.array([volts_per(unit) for unit in units])
        buffer = SampleBuffer(rate, len(scale), seconds=60.0)
        for kind, content in self.events:
            if kind == "segment":
                buffer.begin_segment()
            elif kind == "samples":
                for stamp, value in zip(*content, strict=True):
                    buffer.push((value[: len(scale)] * scale)[None], np.array([stamp]))
        return buffer.read(0, np.inf)
