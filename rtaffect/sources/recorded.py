"""A recording that is already in memory, as a source."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtaffect.stream.buffer import SampleBuffer
from rtaffect.stream.source import StreamHeader, StreamInfo, Tap
from rtaffect.stream.status import SourceStatus


class ArraySource:
    """Samples at even times: :meth:`advance` delivers what lies before a time.

    Parameters
    ----------
    info
        Name, rate and channels.
    samples
        (n, channels), V for EEG or full scale for audio.
    onset
        LSL time of the first sample, s.
    """

    def __init__(self, info: StreamInfo, samples: NDArray[np.floating], onset: float) -> None:
        self.info = info
        self.buffer = SampleBuffer(info.rate, len(info.channels))
        #: Gets all that is delivered, before it is used.
        self.tap: Tap | None = None
        self._samples, self._onset = samples, onset
        self._at = 0
        self._now = -np.inf

    @property
    def header(self) -> StreamHeader:
        """What a recording says of it."""
        i = self.info
        kind, unit = ("EEG", "V") if i.kind == "eeg" else ("Audio", "")
        form = "float32" if self._samples.dtype == np.float32 else "double64"
        header = StreamHeader(i.name, kind, i.rate, form, i.channels, source_id=i.source_id, host=i.host)
        return header.uniform(unit)

    @property
    def end(self) -> float:
        """LSL time just after the last sample, s."""
        return self._onset + len(self._samples) / self.info.rate

    def start(self) -> None:
        """Nothing to begin."""

    def advance(self, until: float) -> None:
        """Deliver all samples stamped at or before ``until`` (s)."""
        self._now = max(self._now, until)
        # The small excess keeps a sample that is due exactly now from falling out by rounding.
        due = np.floor((until - self._onset) * self.info.rate + 1e-6) + 1
        stop = int(np.clip(due, self._at, len(self._samples)))
        turn = max(1, round(self.info.rate))
        for start in range(self._at, stop, turn):
            part = slice(start, min(start + turn, stop))
            stamps = self._onset + np.arange(part.start, part.stop) / self.info.rate
            if self.tap is not None:
                self.tap.samples(stamps, self._samples[part])
            self.buffer.push(self._samples[part], stamps)
        self._at = stop

    def status(self, now: float) -> SourceStatus:
        """Return health as of ``now`` (s)."""
        if self._at == len(self._samples):
            over = max(now, self._now) >= self.end
            return self.buffer.status(self.info.name, self.info.kind, "ended" if over else "ok", now)
        return self.buffer.status(self.info.name, self.info.kind, "ok" if self._at else "waiting", now)

    def stop(self) -> None:
        """Nothing to release."""
