"""Markers from Lab Streaming Layer: texts at irregular times, one thread per stream."""

from __future__ import annotations

import logging
import math

import numpy as np

from rtaffect.common.errors import StreamError
from rtaffect.common.worker import Worker
from rtaffect.sources.lsl_inlet import GONE, LslInlet
from rtaffect.sources.lsl_streams import FoundStream, read_header
from rtaffect.stream.markers import Marker
from rtaffect.stream.source import Tap

_log = logging.getLogger(__name__)

#: More than a session's markers: a stream that sends more is not one of stimulus markers.
_MOST = 100_000


class LslMarkers:
    """The markers of one LSL stream, as they have come so far.

    Parameters
    ----------
    stream
        What :func:`rtaffect.sources.lsl_streams.find_stream` found.

    Raises
    ------
    StreamError
        If the stream does not carry texts, or does not answer.

    Attributes
    ----------
    header : StreamHeader
        What the stream says of itself.
    tap : Tap or None
        Gets all that comes, as it comes; to be set before :meth:`start`.
    markers : tuple of Marker
        All so far, times on this computer's LSL clock, s.
    trouble : str
        Why no more come, in words; empty while the stream is there.
    """

    def __init__(self, stream: FoundStream) -> None:
        sent = stream.header
        if sent.format != "string" or sent.channels != 1:
            raise StreamError(
                f"stream {sent.name!r} carries {sent.channels} channels of {sent.format}; markers are one "
                "channel of string: name the stream of markers"
            )
        self.header = read_header(stream)
        self.tap: Tap | None = None
        self._stream = stream
        self._inlet = LslInlet(self.header.name, "the stimulus program", self._begin_segment, self._note_offset)
        self._worker = Worker(f"markers {self.header.name}", self._run)
        self.markers: tuple[Marker, ...] = ()
        self.trouble = ""

    def start(self) -> None:
        """Connect and begin to listen.

        Raises
        ------
        StreamError
            If the stream is gone, or its clock cannot be measured.
        """
        if not self._worker.running:
            self._inlet.open(self._stream)
            self._worker.start()

    def stop(self) -> None:
        """Stop listening and disconnect; may be called twice."""
        self._worker.stop()
        self._inlet.close()

    def _run(self) -> None:
        try:
            while not self._worker.stopping:
                if (found := self._inlet.pull_text()) is not None:
                    self._deliver(*found)
                # Measured by liblsl in its own thread: a marker is placed by the newest offset, not that of the start.
                self._inlet.measure()
        except GONE:
            self.trouble = (
                f"the stream of markers {self.header.name!r} on {self.header.host} is gone; those before are kept, "
                "start a new session for new ones"
            )
            _log.warning(self.trouble)

    def _deliver(self, text: str, stamp: float) -> None:
        if self.tap is not None:
            self.tap.texts([stamp], [text])
        if len(self.markers) < _MOST and math.isfinite(stamp):
            (time,) = self._inlet.clock.correct(np.array([stamp])).tolist()
            self.markers = (*self.markers, Marker.sent(text, time))

    def _begin_segment(self) -> None:
        if self.tap is not None:
            self.tap.segment()

    def _note_offset(self, time: float, offset: float) -> None:
        if self.tap is not None:
            self.tap.offset(time, offset)
