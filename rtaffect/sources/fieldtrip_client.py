"""The client of FieldTrip buffers in mne-realtime, with what it lacks.

``mne_realtime.FieldTripClient`` itself is of no use here, though it runs with mne 1.13: without an mne Info it takes
the number at the end of each channel's name and fails on names such as 'Fz'; it warns of every channel as unknown;
its loop waits for ever, so that it cannot be stopped, and fails where samples were overwritten. What it is built on,
``mne_realtime.externals.FieldTrip.Client``, speaks the protocol (version 1) well, but connects without a time limit,
takes the end of a connection for an answer that is still to come, and asks for it for ever; what it writes to a
buffer fails in Python 3. So only its reading is used, over a socket of our own.

The package is discontinued and imports mne, so it is loaded by name, and only when a buffer is asked for.
"""

from __future__ import annotations

import importlib
import socket
import struct
import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.errors import StreamError
from rtaffect.stream.limits import check_size

PORT = 1972
INSTALL = 'pip install "rtaffect[fieldtrip]"'
#: An answer that is not whole after this long never is, s.
ANSWER_S = 2.0
#: No answer is longer than this, bytes: no buffer's description is, and samples are asked for in pieces.
MOST_ANSWER = 16 << 20
#: A buffer's values have at most so many bytes.
_VALUE_BYTES = 8
_PIECE = 1 << 16
#: More events than there ever are, so that only samples end a wait.
_NO_EVENTS = 2**32 - 1
_RESOLUTIONS = 3
_MOST_AT_ONCE = 1 << 20
#: No buffer has more channels.
_MOST_CHANNELS = 4096


class BufferLostError(Exception):
    """The buffer ended the connection, does not answer, or answers what is none of the protocol's answers."""


@dataclass(frozen=True, slots=True)
class BufferHeader:
    """What a buffer says of its data: ``rate`` in Hz, ``labels`` '' where it has none, ``scale`` to physical units."""

    rate: float
    samples: int
    labels: tuple[str, ...]
    dtype: np.dtype[Any]
    scale: NDArray[np.float64] | None


class _EndingSocket(socket.socket):
    """A socket whose end is an error and not an empty answer, and that gives all that is asked for, or an error.

    ``until`` is when an exchange must have ended, by the monotonic clock, s: a buffer that sends a byte now and then
    would otherwise never be found silent.
    """

    until = 0.0

    def recv(self, size: int, flags: int = 0) -> bytes:
        if size > MOST_ANSWER:
            raise ConnectionError(f"it announces an answer of {size} bytes, expected {MOST_ANSWER} or fewer")
        whole = bytearray()
        while len(whole) < size:
            self._limit()
            received = super().recv(min(size - len(whole), _PIECE), flags)
            if not received:
                raise ConnectionError("the connection was closed")
            whole += received
        return bytes(whole)

    def send(self, data: Any, flags: int = 0) -> int:
        self._limit()
        return super().send(data, flags)

    def _limit(self) -> None:
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError("it did not answer in time")
        self.settimeout(left)


class BufferClient:
    """A connection to a FieldTrip buffer.

    Parameters
    ----------
    host, port
        Where the buffer is.
    timeout
        How long to wait for the connection, s.

    Raises
    ------
    StreamError
        If mne-realtime is not installed.
    BufferLostError
        If nothing answers there.
    """

    def __init__(self, host: str, port: int = PORT, timeout: float = ANSWER_S) -> None:
        self._client = _fieldtrip().Client()
        try:
            connected = _EndingSocket(fileno=socket.create_connection((host, port), timeout).detach())
        except OSError as error:
            raise BufferLostError(str(error)) from None
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client.sock, self._client.isConnected = connected, True
        self._where = f"FieldTrip buffer {host}:{port}"

    def close(self) -> None:
        """Disconnect; may be called twice."""
        self._client.disconnect()

    def header(self) -> BufferHeader | None:
        """Return what the buffer says of its data, None before anything was said.

        Raises
        ------
        StreamError
            If it has more channels or a higher rate than are taken, or values of an unknown type.
        """
        found = self._ask("getHeader")
        if found is None:
            return None
        types = importlib.import_module(_MODULE).numpyType
        if not 0 <= found.dataType < len(types):
            self.close()
            raise StreamError(
                f"stream {self._where!r} has values of type {found.dataType}, expected 0 to {len(types) - 1}; start "
                "the program that fills it anew"
            )
        try:
            check_size(self._where, found.nChannels, found.fSample)
        except StreamError:
            self.close()
            raise
        labels = tuple(label.strip() for label in found.labels) or ("",) * found.nChannels
        resolutions = found.chunks.get(_RESOLUTIONS, b"")
        scale = np.frombuffer(resolutions, np.float64) if len(resolutions) == 8 * found.nChannels else None
        dtype = np.dtype(types[found.dataType])
        # Values of floating point are in physical units already.
        return BufferHeader(found.fSample, found.nSamples, labels, dtype, scale if dtype.kind in "iu" else None)

    def wait(self, count: int, timeout: float) -> int:
        """Return how many samples there have been, once that is more than ``count`` or after ``timeout`` s."""
        samples: int = self._ask("wait", count, _NO_EVENTS, round(timeout * 1e3), more=timeout)[0]
        return samples

    def data(self, first: int, stop: int) -> NDArray[Any] | None:
        """Return samples ``first`` to before ``stop`` as (n, channels); None if the buffer does not have them all."""
        found: NDArray[Any] | None = self._ask("getData", (first, stop - 1))
        if found is not None and len(found) != stop - first:
            self.close()
            raise BufferLostError(f"it sent {len(found)} samples, asked for {stop - first}")
        return found

    def _ask(self, request: str, *arguments: Any, more: float = 0.0) -> Any:
        """Return the answer to a ``request``, which is whole within ``ANSWER_S`` and so many s ``more``."""
        if not self._client.isConnected:
            raise BufferLostError("the connection is closed")
        self._client.sock.until = time.monotonic() + ANSWER_S + more
        try:
            return getattr(self._client, request)(*arguments)
        except (OSError, struct.error, ValueError, TypeError, IndexError) as error:
            # The client tells a broken answer by any of these.
            self.close()
            raise BufferLostError(str(error) or type(error).__name__) from None


_MODULE = "mne_realtime.externals.FieldTrip"


def _fieldtrip() -> Any:
    try:
        with warnings.catch_warnings():
            # Every import says that the package is discontinued.
            warnings.simplefilter("ignore")
            return importlib.import_module(_MODULE)
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        what = "which is not installed" if missing == "mne_realtime" else f"which cannot be loaded ({error})"
        raise StreamError(f"FieldTrip buffers need mne-realtime, {what}: {INSTALL}") from None


def most_samples(channels: int) -> int:
    """Return how many samples of so many ``channels`` may be asked for at once."""
    return max(1, (MOST_ANSWER - 16) // (_VALUE_BYTES * channels))


def lsl_format(dtype: np.dtype[Any]) -> str:
    """Return the LSL format that holds every value of ``dtype``."""
    names = ("int8", "int16", "int32", "int64", "float32")
    return next((name for name in names if np.can_cast(dtype, name)), "double64")
