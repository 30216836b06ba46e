"""Samples that a program has or makes, chunk by chunk, as a source: at even times, delivered when they are due."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtaffect.sources.channel_plan import ChannelPlan
from rtaffect.stream.buffer import SampleBuffer
from rtaffect.stream.source import StreamHeader, StreamInfo
from rtaffect.stream.status import SourceStatus, StreamState

#: Makes a chunk as the program gives it an array (n, channels), or says what is wrong with it.
Checked = Callable[[object], NDArray[Any]]


class ChunkSource:
    """One stream of chunks (n, channels), any number of samples in each; the samples are at even times.

    :meth:`advance` asks for the next chunk on the caller's thread, and waits for it if its maker does.

    Parameters
    ----------
    info
        Name, kind, rate (Hz) and channels in use.
    header
        What is said of all channels.
    chunks
        Gives the chunks, in the program's own unit.
    checked
        Makes each an array.
    plan
        Which channels are used, in which unit.
    onset
        Time of the first sample, s on the session's clock of samples.
    """

    def __init__(
        self,
        info: StreamInfo,
        header: StreamHeader,
        chunks: Iterator[object],
        checked: Checked,
        *,
        plan: ChannelPlan,
        onset: float,
    ) -> None:
        self.info, self.header = info, header
        self.buffer = SampleBuffer(info.rate, len(info.channels))
        self._chunks, self._checked, self._plan, self._onset = chunks, checked, plan, onset
        self._held: NDArray[Any] = np.empty((0, header.channels), np.float32)
        self._taken = self._at = 0
        self._over = self._stopped = False

    def start(self) -> None:
        """Nothing to begin."""

    def advance(self, until: float) -> None:
        """Deliver all samples with times <= ``until``, s; raises what a chunk that cannot be used is refused with."""
        if self._stopped:
            return
        while not self._over and self._time(self._taken) <= until:
            self._take()
        times = self._onset + np.arange(self._at, self._taken) / self.info.rate
        due = int(np.searchsorted(times, until, side="right"))
        # A second at a time, so that a long advance measures the rate as short ones do.
        turn = max(1, round(self.info.rate))
        for begin in range(0, due, turn):
            part = slice(begin, min(begin + turn, due))
            self.buffer.push(self._plan.apply(self._held[part]), times[part])
        self._held, self._at = self._held[due:], self._at + due

    def _take(self) -> None:
        """Take the next chunk."""
        try:
            chunk = self._checked(next(self._chunks))
        except StopIteration:
            self._over = True
            return
        self._held = np.concatenate([self._held, chunk]) if len(self._held) else chunk
        self._taken += len(chunk)

    def _time(self, sample: int) -> float:
        return float(self._onset + sample / self.info.rate)

    def status(self, now: float) -> SourceStatus:
        """Return health as of ``now``, s."""
        state: StreamState = "ok" if self._at else "waiting"
        if self._over and self._at == self._taken and now > self._time(self._taken - 1):
            state = "ended"
        return self.buffer.status(self.info.name, self.info.kind, state, now)

    def stop(self) -> None:
        """Deliver nothing more, and let the chunks' maker go; may be called twice."""
        self._stopped = True
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()
