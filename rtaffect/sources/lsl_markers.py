"""Markers from Lab Streaming Layer: texts at irregular times, one thread per stream."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pylsl

from rtaffect.errors import StreamError
from rtaffect.markers import Marker
from rtaffect.sources.lsl import FIRST_OFFSET_S, PULL_S
from rtaffect.sources.lsl_streams import FoundStream

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
        If the stream does not carry texts.
    """

    def __init__(self, stream: FoundStream) -> None:
        if stream.format != "string" or stream.channels != 1:
            raise StreamError(
                f"stream {stream.name!r} carries {stream.channels} channels of {stream.format}; markers are one "
                "channel of string: name the stream of markers"
            )
        self._stream = stream
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
            inlet.time_correction(FIRST_OFFSET_S)
        except (pylsl.util.LostError, pylsl.util.TimeoutError) as error:
            raise StreamError(
                f"stream {self._stream.name!r} on {self._stream.host} was found but cannot be opened (or its clock "
                f"not measured within {FIRST_OFFSET_S:g} s); restart the stimulus program and check the firewall"
            ) from error
        self._inlet = inlet
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name=f"markers {self._stream.name}", daemon=True)
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
                f"the stream of markers {self._stream.name!r} on {self._stream.host} is gone; those before are kept, "
                "start a new session for new ones"
            )
            _log.warning(self._trouble)

    def _pull(self) -> None:
        texts, stamp = self._inlet.pull_sample(timeout=PULL_S)
        if texts is None or len(self._markers) >= _MOST:
            return
        # Measured by liblsl in its own thread: a marker is placed by the newest offset, not that of the start.
        offset = self._inlet.time_correction(FIRST_OFFSET_S)
        self._markers = (*self._markers, Marker(str(texts[0]), float(stamp) + offset))
