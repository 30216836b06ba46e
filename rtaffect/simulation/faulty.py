"""A headset that goes wrong as real ones do, on a clock that is injected: hours of trouble in minutes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import BoolArray, FloatArray
from rtaffect.stream.buffer import SampleBuffer
from rtaffect.stream.source import StreamHeader, StreamInfo, Tap
from rtaffect.stream.status import SourceStatus, StreamState

Kind = Literal["gap", "loss", "flat", "missing", "jump"]
KINDS: Final[tuple[Kind, ...]] = ("gap", "loss", "flat", "missing", "jump")
#: How long a trouble lasts, and how far stamps jump, at most, s.
LONGEST_S, FURTHEST_S = 10.0, 5.0


@dataclass(frozen=True, slots=True)
class Trouble:
    """What goes wrong from ``at_s`` on for ``for_s`` (s since the onset).

    Samples are not sent ('gap'); the device is gone, and back in a new segment ('loss'); channel number ``channel``
    is 0 ('flat') or NaN ('missing'); stamps are ``jump_s`` off ('jump').
    """

    kind: Kind
    at_s: float
    for_s: float
    channel: int = 0
    jump_s: float = 0.0


def troubles(seconds: float, channels: int, seed: int, every_s: float = 60.0) -> tuple[Trouble, ...]:
    """Return troubles from a seed, one in every ``every_s`` s, each kind as often as the others."""
    rng, found = np.random.default_rng(seed), []
    for number in range(int(seconds // every_s)):
        at = (number + rng.uniform(0, 0.7)) * every_s
        jump = rng.uniform(0.3, FURTHEST_S) * rng.choice([-1.0, 1.0])
        kind = KINDS[(number + seed) % len(KINDS)]
        found.append(Trouble(kind, at, rng.uniform(0.05, LONGEST_S), int(rng.integers(channels)), float(jump)))
    return tuple(found)


class FaultySource:
    """A headset without a thread that plays ``samples`` over and over until ``seconds`` are over.

    Parameters
    ----------
    info
        Name, rate and channels.
    samples
        (n, channels), V: repeated from its start.
    onset, seconds
        LSL time of the first sample, and how long it lasts, s.
    goes_wrong
        What goes wrong, in order.

    Attributes
    ----------
    sent : int
        Samples that were delivered.
    """

    def __init__(
        self,
        info: StreamInfo,
        samples: NDArray[np.floating],
        onset: float,
        seconds: float,
        goes_wrong: Sequence[Trouble] = (),
    ) -> None:
        self.info = info
        #: Gets all that is delivered, before it is used.
        self.tap: Tap | None = None
        self.buffer = SampleBuffer(info.rate, len(info.channels))
        self._samples, self._onset, self._total = samples, onset, round(seconds * info.rate)
        self._troubles = list(goes_wrong)
        self._at = self.sent = 0
        self._lost = False

    @property
    def header(self) -> StreamHeader:
        """What a recording says of it."""
        i = self.info
        header = StreamHeader(i.name, "EEG", i.rate, "float32", i.channels, source_id=i.source_id, host=i.host)
        return header.uniform("V")

    def start(self) -> None:
        """Nothing to begin."""

    def stop(self) -> None:
        """Nothing to release."""

    def advance(self, until: float) -> None:
        """Deliver all samples that are taken at or before ``until`` (s), as far as they arrive."""
        due = np.floor((until - self._onset) * self.info.rate + 1e-6) + 1
        stop, turn = int(np.clip(due, self._at, self._total)), max(1, round(self.info.rate))
        while self._at < stop:
            number = np.arange(self._at, min(self._at + turn, stop))
            self._at = int(number[-1]) + 1
            self._deliver(number)

    def status(self, now: float) -> SourceStatus:
        """Return health as of ``now`` (s)."""
        state: StreamState = "lost" if self._lost else "ok" if self.sent else "waiting"
        if self._at == self._total:
            state = "ended"
        return self.buffer.status(self.info.name, self.info.kind, state, now)

    def _deliver(self, number: NDArray[np.intp]) -> None:
        times = number / self.info.rate
        while self._troubles and self._troubles[0].at_s + self._troubles[0].for_s < times[0]:
            del self._troubles[0]
        values = self._samples[number % len(self._samples)].astype(np.float32)
        stamps, sends, lost = self._onset + times, np.ones(len(times), np.bool_), False
        for trouble in self._troubles:
            if trouble.at_s > times[-1]:
                break
            during = (times >= trouble.at_s) & (times < trouble.at_s + trouble.for_s)
            lost |= trouble.kind == "loss" and bool(during[-1])
            _spoil(trouble, during, values, stamps, sends)
        if sends.any():
            self._send(values[sends], stamps[sends])
        self._lost = lost

    def _send(self, values: NDArray[np.float32], stamps: FloatArray) -> None:
        if self._lost:
            if self.tap is not None:
                self.tap.segment()
            self.buffer.begin_segment()
        if self.tap is not None:
            self.tap.samples(stamps, values)
        self.buffer.push(values, stamps)
        self.sent += len(values)


def _spoil(
    trouble: Trouble, during: BoolArray, values: NDArray[np.float32], stamps: FloatArray, sends: BoolArray
) -> None:
    """Let ``trouble`` act on the samples (n, channels) that are taken ``during`` (n,) it, and on their stamps."""
    if trouble.kind in {"gap", "loss"}:
        sends &= ~during
    elif trouble.kind == "jump":
        stamps += np.where(during, trouble.jump_s, 0.0)
    else:
        values[during, trouble.channel] = 0.0 if trouble.kind == "flat" else np.nan
