"""Peripheral signals of a stream: beside its EEG, or alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.body_kinds import BodyKind
from rtaffect.stream.buffer import SampleBuffer


@dataclass(frozen=True, slots=True)
class BodyChannel:
    """A peripheral channel: its name, what it carries, its declared unit, and its column in what is sent."""

    name: str
    kind: BodyKind
    unit: str
    column: int


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """The peripheral channels of a source, and their newest samples, in their own units, a column each.

    ``of`` is the headset in the session whose device sends them in a stream of their own; '' where they come with its
    EEG, or from another device.
    """

    channels: tuple[BodyChannel, ...]
    buffer: SampleBuffer
    of: str = ""

    def push(self, values: NDArray[Any], stamps: NDArray[np.float64]) -> None:
        """Take ``values`` (n, all channels of the stream) at ``stamps`` (n,), s on the LSL clock."""
        self.buffer.push(values[:, [channel.column for channel in self.channels]], stamps)


def body_of(source: object) -> Body | None:
    """Return the peripheral signals of a source; None where it has none."""
    found = getattr(source, "body", None)
    return found if isinstance(found, Body) else None
