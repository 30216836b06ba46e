"""The participant's own slider, as a stream of ratings: where it stands, so many times a second, on the LSL clock."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import Final

import numpy as np
from pylsl import local_clock

from rtaffect.common.rating_scale import RatingScale
from rtaffect.common.worker import Worker
from rtaffect.plan.conflicts import SLIDER
from rtaffect.sources.host_stamps import HostStamps
from rtaffect.stream.buffer import SampleBuffer
from rtaffect.stream.source import StreamHeader, StreamInfo, Tap
from rtaffect.stream.status import SourceStatus, StreamState

#: How often its place is taken, Hz: finer than any reaction.
RATE_HZ: Final = 20.0


class SliderSource:
    """A slider for each rating, which the participant's window moves, from any thread.

    Parameters
    ----------
    names
        Of the ratings.
    scale
        Of all of them, each on its own.

    Attributes
    ----------
    tap : Tap or None
        Gets all that comes; to be set before :meth:`start`.
    """

    def __init__(self, names: Sequence[str], scale: RatingScale) -> None:
        self.info = StreamInfo(SLIDER, "rating", RATE_HZ, tuple(names), SLIDER, f"rtaffect-{SLIDER}")
        self.header = StreamHeader(
            SLIDER, "Rating", RATE_HZ, "float32", self.info.channels, source_id=self.info.source_id
        ).uniform()
        self.scale = scale
        self.buffer = SampleBuffer(RATE_HZ, len(names))
        self.tap: Tap | None = None
        self._lock = threading.Lock()
        self._shares: list[float | None] = [None] * len(names)
        self._worker = Worker("slider", self._run)
        self._stopped = False

    @property
    def names(self) -> tuple[str, ...]:
        """What is rated."""
        return self.info.channels

    @property
    def shares(self) -> tuple[float | None, ...]:
        """Where it stands for each rating, -1 (the low end) to 1; None where the participant has not touched it."""
        with self._lock:
            return tuple(self._shares)

    def move(self, row: int, share: float) -> None:
        """Put a rating at ``share`` of its scale, -1 to 1; what is beyond stays at the end."""
        with self._lock:
            self._shares[row] = min(max(share, -1.0), 1.0)

    def start(self) -> None:
        """Begin to tell where it stands."""
        self._stopped = False
        self._worker.start()

    def advance(self, until: float) -> None:
        """Do nothing: it tells by itself."""

    def status(self, now: float) -> SourceStatus:
        """Return health as of ``now``, s on the LSL clock."""
        state: StreamState = "ended" if self._stopped else "ok" if self.buffer.received else "waiting"
        return self.buffer.status(self.info.name, self.info.kind, state, now)

    def stop(self) -> None:
        """Tell nothing more; may be called twice."""
        self._worker.stop()
        self._stopped = True

    def _run(self) -> None:
        begun, told, stamped = local_clock(), 0, HostStamps(self.buffer)
        scales = [self.scale.of(name) for name in self.names]
        while not self._worker.wait(max(0.0, begun + told / RATE_HZ - local_clock())):
            now = local_clock()
            # All that are due by now stand where it stands now: whoever held this thread up held the window up, too.
            due = max(1, int((now - begun) * RATE_HZ) + 1 - told)
            stamps = begun + np.arange(told, told + due) / RATE_HZ
            values = [math.nan if s is None else scale.value(s) for scale, s in zip(scales, self.shares, strict=True)]
            block = np.tile(np.array(values, np.float32), (due, 1))
            stamped.give(self.tap, now, stamps, block, block)
            told += due
