"""A photodiode that is not there: an LSL stream that follows what was painted, later by a known time."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Container
from typing import Final, Self

import numpy as np
import pylsl
from pylsl import local_clock

from rtaffect.common.worker import Worker

#: What is sent at once, s.
_CHUNK_S: Final = 0.02


class SimulatedPhotodiode:
    """Sends the light of a square, ``delay_s`` later than it was painted; a context manager.

    Parameters
    ----------
    was
        Returns whether the square was white at a time, s on the LSL clock, and the number of its newest flash.
    delay_s
        How much later than painted the light is there, s.
    rate
        Samples a second, Hz.
    noise
        Standard deviation of white noise, of the height of a flash.
    misses
        Numbers of flashes, from 0, that are not seen.
    channels
        How many there are: the last one is the photodiode's, the others are noise.

    Attributes
    ----------
    source_id : str
        Of the stream, which nobody else has.
    """

    def __init__(
        self,
        was: Callable[[float], tuple[bool, int]],
        delay_s: float,
        *,
        rate: float = 1000.0,
        noise: float = 0.02,
        misses: Container[int] = (),
        channels: int = 1,
    ) -> None:
        self._was, self._delay_s, self._rate, self._noise, self._misses = was, delay_s, rate, noise, misses
        self.source_id = f"simulated-photodiode-{uuid.uuid4().hex[:12]}"
        info = pylsl.StreamInfo("Simulated photodiode", "Light", channels, rate, "float32", self.source_id)
        described = info.desc().append_child("channels")
        for number in range(1, channels + 1):
            described.append_child("channel").append_child_value(
                "label", "light" if number == channels else f"E{number}"
            )
        self._outlet: pylsl.StreamOutlet | None = pylsl.StreamOutlet(info)
        self._channels, self._rng = channels, np.random.default_rng(8)
        self._worker = Worker("simulated photodiode", self._run)

    def _run(self) -> None:
        count, start, sent = max(1, round(_CHUNK_S * self._rate)), local_clock(), 0
        # What is painted is told a moment later: samples are sent when all of it is known.
        later = max(0.0, 2 * _CHUNK_S - self._delay_s)
        while True:
            stamps = start + np.arange(sent, sent + count) / self._rate
            if self._worker.wait(max(0.0, stamps[-1] + later - local_clock())) or self._outlet is None:
                return
            values = self._rng.normal(0.0, self._noise, (count, self._channels))
            seen = [self._was(stamp - self._delay_s) for stamp in stamps]
            values[:, -1] += [white and number not in self._misses for white, number in seen]
            self._outlet.push_chunk(values.astype(np.float32), timestamp=float(stamps[-1]))
            sent += count

    def __enter__(self) -> Self:
        """Begin to send."""
        self._worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and close the stream."""
        self._worker.stop()
        self._outlet = None
