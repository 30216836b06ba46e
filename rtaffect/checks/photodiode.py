"""The photodiode: one channel of an LSL stream, of its own or of an EEG amplifier, as it is sent."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import FloatArray
from rtaffect.common.errors import StreamError
from rtaffect.common.words import listed
from rtaffect.common.worker import Worker
from rtaffect.sources.lsl_inlet import GONE, LslInlet
from rtaffect.sources.lsl_streams import FoundStream, find_stream, header_from, read_header
from rtaffect.sources.selection import Query
from rtaffect.stream.buffer import SampleBuffer
from rtaffect.stream.limits import LEAST_RATE
from rtaffect.stream.source import StreamHeader

#: So much of it is kept, s: the longest check.
KEPT_S = 400.0
#: So many samples are taken at once, s.
_CHUNK_S = 1.0


class Photodiode:
    """Takes one channel of a stream, in whatever unit, with its times on the LSL clock.

    Parameters
    ----------
    query
        Which stream, as ``--eeg`` has it: a name, ``name=``, ``type=`` or ``source_id=``.
    channel
        Name of the channel or its number, from 1; None where the stream has one.

    Raises
    ------
    StreamError
        If the stream or the channel is not there, or is none of numbers with a regular rate.

    Attributes
    ----------
    name, channel, rate
        Of the stream; Hz.
    trouble
        Why nothing comes any more; '' while it does.
    """

    def __init__(self, query: str, channel: str | None = None) -> None:
        stream = find_stream(Query.parse(query))
        header = read_header(stream)
        if header.format == "string" or not header.rate >= LEAST_RATE:
            raise StreamError(
                f"stream {header.name!r} has {header.format} at {header.rate:g} Hz; expected numbers at a regular "
                "rate: choose the stream that the photodiode is in"
            )
        self.name, self.rate, self.trouble = header.name, header.rate, ""
        self._index, self.channel = _channel_of(header, channel)
        self._channels, self._form = header.channels, header.format
        self._buffer = SampleBuffer(header.rate, 1, seconds=KEPT_S)
        self._offset = 0.0
        self._inlet = LslInlet(header.name, "the photodiode's LSL output", self._buffer.begin_segment, self._note)
        self._stream: FoundStream = stream
        self._worker = Worker("photodiode", self._run)

    def start(self) -> None:
        """Open the stream, and begin to take what comes; raises StreamError if it is gone."""
        self._inlet.open(self._stream, lambda info, _: (header_from(self._stream, info), None)[1])
        self._worker.start()

    def stop(self) -> None:
        """Stop and disconnect; may be called twice."""
        self._worker.stop()
        self._inlet.close()

    def _note(self, _: float, offset: float) -> None:
        self._offset = offset

    def _run(self) -> None:
        into: NDArray[np.generic] = np.empty((math.ceil(self.rate * _CHUNK_S), self._channels), self._own_type())
        try:
            while not self._worker.stopping:
                self._inlet.measure()
                stamps = self._inlet.pull_chunk(into)
                if len(stamps):
                    values = into[: len(stamps), self._index].astype(np.float64)
                    self._buffer.push(values[:, None], stamps + self._offset)
        except GONE as error:
            self.trouble = f"stream {self.name!r} is gone ({error}); start it again"

    def _own_type(self) -> str:
        return {"double64": "float64"}.get(self._form, self._form)

    def samples(self) -> tuple[FloatArray, FloatArray]:
        """Return times (n,), s on the LSL clock, and values (n,) of all that came."""
        times, values = self._buffer.tail(KEPT_S)
        return times, values[:, 0].astype(np.float64)


def _channel_of(header: StreamHeader, wanted: str | None) -> tuple[int, str]:
    """Return index and name of the channel that is meant; raises StreamError if there is no such one, or several."""
    labels = [label or f"channel {number}" for number, label in enumerate(header.labels, start=1)]
    there = f"its channels: {listed(labels, 12)}"
    if wanted is None:
        if len(labels) == 1:
            return 0, labels[0]
        raise StreamError(
            f"stream {header.name!r} has {len(labels)} channels; say by --channel which is the photodiode's; {there}"
        )
    named = [index for index, label in enumerate(labels) if label.casefold() == wanted.strip().casefold()]
    if len(named) == 1:
        return named[0], labels[named[0]]
    if not named and wanted.strip().isdecimal() and 0 < int(wanted) <= len(labels):
        return int(wanted) - 1, labels[int(wanted) - 1]
    raise StreamError(
        f"--channel {wanted[:80]} is {'several channels' if named else 'no channel'} of stream {header.name!r}; "
        f"{there}, or a number from 1 to {len(labels)}"
    )
