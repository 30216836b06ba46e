"""A sender of samples whose truth is known: its clock, its transport and what goes wrong with them, by seed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rtaffect.sources.arrival import Chunk
from rtaffect.sources.clock_offsets import SenderClock
from rtaffect.sources.delivery import Delivery
from rtaffect.sources.foreign_clock import Foreign
from rtaffect.stream.buffer import Block, SampleBuffer
from tests.support.recording_tap import RecordingTap


@dataclass
class Sender:
    """A headset with a clock of its own.

    Parameters
    ----------
    seconds, rate
        How long it sends, s, and at which rate, Hz by the true clock.
    chunk
        Samples that it sends at once.
    offset
        What is to be added to its stamps, s, as measured.
    ppm
        Its samples come by so much too slowly.
    jumps
        (when, by how much): its clock is set, s.
    lost
        (from, to): samples taken then are never sent, s; and each of the others is lost with ``lost_share``.
    jitter
        Given a generator and true times (n,), returns how much later than that each is stamped, s.
    delay
        Given a generator and true times of the last samples of chunks (m,), returns how long each is under way, s.
    mangle
        Given a generator and stamps (n,), returns what is sent in their place.
    """

    seconds: float = 30.0
    rate: float = 250.0
    chunk: int = 10
    offset: float = 1000.0
    ppm: float = 0.0
    jumps: Sequence[tuple[float, float]] = ()
    lost: Sequence[tuple[float, float]] = ()
    lost_share: float = 0.0
    jitter: Callable[[np.random.Generator, NDArray[np.float64]], NDArray[np.float64]] | None = None
    delay: Callable[[np.random.Generator, NDArray[np.float64]], NDArray[np.float64]] | None = None
    mangle: Callable[[np.random.Generator, NDArray[np.float64]], NDArray[np.float64]] | None = None
    seed: int = 0
    start: float = 5000.0
    #: When each sample was taken, s, on the receiver's clock.
    truth: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        """Lose what is lost."""
        noise = np.random.default_rng(self.seed)
        taken = self.start + np.arange(int(self.seconds * self.rate)) / self.rate * (1 + self.ppm * 1e-6)
        gone = noise.random(len(taken)) < self.lost_share
        for since, until in self.lost:
            gone |= (taken >= self.start + since) & (taken < self.start + until)
        self.truth = taken[~gone]
        self._noise = noise

    def chunks(self) -> list[Chunk]:
        """Return all that arrives, in order; the values are the samples' numbers among those that were sent."""
        noise, truth = self._noise, self.truth
        stamps = truth - self.offset
        if self.jitter is not None:
            stamps = stamps + self.jitter(noise, truth)
        for when, by in self.jumps:
            stamps = np.where(truth >= self.start + when, stamps + by, stamps)
        if self.mangle is not None:
            stamps = self.mangle(noise, stamps)
        # Chunks are of time, not of count, so that a loss makes no chunk wait for others.
        part = np.floor((truth - self.start) * self.rate / self.chunk + 1e-6)
        ends = np.flatnonzero(np.append(np.diff(part) > 0, True)) + 1
        lasts = self.start + (part[ends - 1] + 1) * self.chunk / self.rate
        late = self.delay(noise, lasts) if self.delay is not None else np.full(len(ends), 0.002)
        arrivals = np.maximum.accumulate(lasts + late)
        begins = np.concatenate([[0], ends[:-1]])
        return [
            Chunk(stamps[b:e], np.arange(b, e)[:, None].astype(np.float64), float(arrival))
            for b, e, arrival in zip(begins, ends, arrivals, strict=True)
        ]


class Receiver:
    """What an open LSL stream does with what arrives, without a network: the same parts, joined in the same way."""

    def __init__(
        self, rate: float, offset: float, start: float, foreign: Foreign = "arrival", way_s: float | None = None
    ) -> None:
        self.buffer = SampleBuffer(rate, 1, seconds=600.0)
        self.tap = RecordingTap()
        self.clock, self._measured, self._more, self._now = SenderClock(), offset, 0.0, start
        self.delivery = Delivery("head", self.buffer, self._keep, self._shift, foreign=foreign, way_s=way_s)
        self.found: list[tuple[float, float]] = []
        self._measure()

    def take(self, chunks: Sequence[Chunk]) -> Block:
        """Take all ``chunks`` and return what is in the buffer then."""
        for chunk in chunks:
            self._now = chunk.arrival
            self.delivery.take(chunk, self.clock.offset)
        self.delivery.release()
        return self.buffer.read(0, math.inf)

    def doubtful(self, times: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which of ``times`` (n,), s, are in doubt."""
        out = np.zeros(len(times), np.bool_)
        for doubt in self.buffer.doubts.within(-math.inf, math.inf):
            out |= (times >= doubt.since) & (times <= doubt.until)
        return out

    def reasons(self) -> set[str]:
        return {doubt.reason for doubt in self.buffer.doubts.within(-math.inf, math.inf)}

    def _keep(self, chunk: Chunk) -> None:
        self.tap.samples(chunk.stamps, chunk.values)
        finite = np.isfinite(chunk.stamps)
        self.buffer.push(chunk.values[finite], self.clock.correct(chunk.stamps[finite]))

    def _shift(self, by: float) -> None:
        self.found.append((self._now, by))
        self._more += by
        self.tap.segment()
        self.buffer.begin_segment()
        self.clock.restart()
        self._measure()

    def _measure(self) -> None:
        value = self._measured + self._more
        self.tap.offset(self.clock.note(self._now, value), value)


def received(sender: Sender) -> tuple[Receiver, NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return who received all of ``sender``, each sample's time and its true one, s, and whether it is in doubt.

    A sample is in doubt if its time or its true time is.
    """
    receiver = Receiver(sender.rate, sender.offset, sender.start)
    block = receiver.take(sender.chunks())
    true = sender.truth[np.round(block.samples[:, 0]).astype(int)]
    return receiver, block.times, true, receiver.doubtful(block.times) | receiver.doubtful(true)
