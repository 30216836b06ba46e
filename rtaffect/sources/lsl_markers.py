"""Markers from Lab Streaming Layer: texts at irregular times, one thread per stream."""

from __future__ import annotations

import logging
import math
import threading
from typing import Any

import numpy as np
import pylsl

from rtaffect.common.errors import StreamError
from rtaffect.sources.clock_offsets import SenderClock
from rtaffect.sources.lsl import FIRST_OFFSET_S, OFFSET_S, PULL_S
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
        self._clock = SenderClock()
        self._offset_at = 0.0
        self._markers: tuple[Marker, ...] = ()
        self._trouble = ""
        self._inlet: Any = None
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    @property
    def markers(self) -> tuple[Marker, ...]:
        """All markers so far, times on this computer's LSL clock, s."""
        return self._markers

    @property
    def trouble(self) -> str:
        """Why no more markers come, in words; empty while the stream is there."""
        return self._trouble

    def start(self) -> None:
        """Connect and begin to listen.

        Raises
        ------
        StreamError
            If the stream is gone, or its clock cannot be measured.
        """
        if self._thread is not None:
            return
        inlet = pylsl.StreamInlet(self._stream.handle, max_buflen=60, recover=False)
        try:
            inlet.open_stream(FIRST_OFFSET_S)
            offset = inlet.time_correction(FIRST_OFFSET_S)
        except (pylsl.util.LostError, pylsl.util.TimeoutError) as error:
            raise StreamError(
                f"stream {self.header.name!r} on {self.header.host} was found but cannot be opened (or its clock "
                f"not measured within {FIRST_OFFSET_S:g} s); restart the stimulus program and check the firewall"
            ) from error
        self._inlet = inlet
        self._note_offset(offset)
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name=f"markers {self.header.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and disconnect; may be called twice."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._thread = self._inlet = None

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._pull()
        except (pylsl.util.LostError, pylsl.util.InternalError):
            self._trouble = (
                f"the stream of markers {self.header.name!r} on {self.header.host} is gone; those before are kept, "
                "start a new session for new ones"
            )
            _log.warning(self._trouble)

    def _pull(self) -> None:
        texts, stamp = self._inlet.pull_sample(timeout=PULL_S)
        if texts is not None:
            self._deliver(float(stamp), str(texts[0]))
        # Measured by liblsl in its own thread: a marker is placed by the newest offset, not that of the start.
        if pylsl.local_clock() >= self._offset_at:
            self._note_offset(self._inlet.time_correction(FIRST_OFFSET_S))

    def _deliver(self, stamp: float, text: str) -> None:
        if self.tap is not None:
            self.tap.texts([stamp], [text])
        if len(self._markers) < _MOST and math.isfinite(stamp):
            (time,) = self._clock.correct(np.array([stamp])).tolist()
            self._markers = (*self._markers, Marker(text, time))

    def _note_offset(self, offset: float) -> None:
        now = pylsl.local_clock()
        self._offset_at = now + OFFSET_S
        if self._clock.was_reset(offset):
            self._clock.restart()
            if self.tap is not None:
                self.tap.segment()
        time = self._clock.note(now, offset)
        if self.tap is not None:
            self.tap.offset(time, offset)
