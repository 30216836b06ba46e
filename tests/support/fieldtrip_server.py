"""A FieldTrip buffer, as its published TCP protocol (version 1) describes it; what is put in is put in by the test.

https://www.fieldtriptoolbox.org/development/realtime/buffer_protocol/
"""

from __future__ import annotations

import socketserver
import struct
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

GET_HDR, GET_DAT, WAIT_DAT = 0x201, 0x202, 0x402
GET_OK, GET_ERR, WAIT_OK, WAIT_ERR = 0x204, 0x205, 0x404, 0x405
NAMES, RESOLUTIONS = 1, 3
#: Number of each type in the protocol.
TYPES = {"uint8": 1, "uint16": 2, "uint32": 3, "int8": 5, "int16": 6, "int32": 7, "float32": 9, "float64": 10}


class FieldTripServer:
    """A buffer on a free port of this computer.

    Parameters
    ----------
    ring
        How many samples it keeps.
    port
        0 for any.
    """

    def __init__(self, ring: int = 10_000, port: int = 0) -> None:
        self._ring = ring
        self._changed = threading.Condition()
        self._header = b""
        self.samples = np.empty((0, 0))
        self._first = 0
        self._connections: list[Any] = []
        server = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                server._connections.append(self.request)
                server._serve(self.request)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._server = Server(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> FieldTripServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        for connection in self._connections:
            try:
                connection.shutdown(2)
            except OSError:
                continue
        self._server.server_close()

    def put_header(
        self,
        rate: float,
        channels: int,
        dtype: str = "float32",
        names: Sequence[str] = (),
        resolutions: Sequence[float] = (),
    ) -> None:
        """Say what the data are; all that was there before is gone."""
        text = b"".join(name.encode() + b"\0" for name in names)
        chunks = struct.pack("=II", NAMES, len(text)) + text if names else b""
        if resolutions:
            packed = np.asarray(resolutions, np.float64).tobytes()
            chunks += struct.pack("=II", RESOLUTIONS, len(packed)) + packed
        with self._changed:
            self._rate, self._type, self._chunks = rate, dtype, chunks
            self.samples, self._first = np.empty((0, channels), dtype), 0
            self._header = b"there is one"
            self._changed.notify_all()

    def put(self, samples: NDArray[Any]) -> None:
        """Append ``samples`` (n, channels); the oldest are overwritten where there are too many."""
        with self._changed:
            self.samples = np.concatenate([self.samples, samples.astype(self._type)])
            over = max(0, len(self.samples) - self._ring)
            self.samples, self._first = self.samples[over:], self._first + over
            self._changed.notify_all()

    def flush(self) -> None:
        """Forget all samples; the count begins anew."""
        with self._changed:
            self.samples, self._first = self.samples[:0], 0

    @property
    def count(self) -> int:
        return self._first + len(self.samples)

    def _serve(self, connection: Any) -> None:
        try:
            while True:
                version, command, size = struct.unpack("=HHI", self._receive(connection, 8))
                assert version == 1
                status, payload = self._answer(command, self._receive(connection, size))
                connection.sendall(struct.pack("=HHI", 1, status, len(payload)) + payload)
        except (OSError, EOFError):
            return

    @staticmethod
    def _receive(connection: Any, size: int) -> bytes:
        received = b""
        while len(received) < size:
            part = connection.recv(size - len(received))
            if not part:
                raise EOFError
            received += part
        return received

    def _answer(self, command: int, payload: bytes) -> tuple[int, bytes]:
        with self._changed:
            if not self._header:
                return (WAIT_ERR if command == WAIT_DAT else GET_ERR), b""
            if command == WAIT_DAT:
                threshold, _, milliseconds = struct.unpack("=III", payload)
                self._changed.wait_for(lambda: self.count > threshold, milliseconds / 1e3)
                return WAIT_OK, struct.pack("=II", self.count, 0)
            if command == GET_HDR:
                fixed = (self.samples.shape[1], self.count, 0, self._rate, TYPES[self._type], len(self._chunks))
                return GET_OK, struct.pack("=IIIfII", *fixed) + self._chunks
            first, last = struct.unpack("=II", payload) if payload else (self._first, self.count - 1)
            if first < self._first or last >= self.count or first > last:
                return GET_ERR, b""
            found = self.samples[first - self._first : last + 1 - self._first]
            data = found.tobytes()
            return GET_OK, struct.pack("=IIII", found.shape[1], len(found), TYPES[self._type], len(data)) + data
