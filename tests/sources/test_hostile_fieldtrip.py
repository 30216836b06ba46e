"""FieldTrip buffers that announce more than anyone has, lie about what they send, or never end their answer."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from rtaffect.common.errors import StreamError
from rtaffect.sources import fieldtrip_client
from rtaffect.sources.boards import find_buffer
from rtaffect.sources.fieldtrip_buffer import FieldTripSource
from rtaffect.sources.fieldtrip_client import MOST_ANSWER, BufferClient, BufferLostError, most_samples
from tests.support.fieldtrip_server import GET_OK, WAIT_OK, FieldTripServer
from tests.support.waiting import wait_for

pytest.importorskip("mne_realtime")


def header(channels: int, rate: float, kind: int = 9, samples: int = 0) -> bytes:
    return struct.pack("=IIIfII", channels, samples, 0, rate, kind, 0)


def whole(status: int, payload: bytes) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(struct.pack("=HHI", 1, status, len(payload)) + payload)


class Server:
    """Accepts connections one after the other, and answers every request in one way."""

    def __init__(self, reply: Callable[[socket.socket], None]) -> None:
        self._listening, self._reply, self._over = socket.create_server(("127.0.0.1", 0)), reply, threading.Event()
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Server:
        self._listening.settimeout(0.05)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._listening.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._listening.accept()
                with connection:
                    while not self._over.is_set() and connection.recv(1000):
                        self._reply(connection)
            except OSError:
                continue


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fieldtrip_client, "ANSWER_S", 0.4)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (header(4_000_000_000, 250.0), r"declares 4000000000 channels, expected 1 to 4096"),
        (header(0, 250.0), r"declares 0 channels"),
        (header(64, 5e6), r"declares 5e\+06 Hz, expected 384000 Hz or less"),
        (header(64, float("nan")), r"declares nan Hz"),
        (header(4000, 10_000.0), r"expected 4e\+06 values a second or fewer"),
        (header(8, 250.0, kind=99), r"values of type 99, expected 0 to 10"),
    ],
)
def test_a_header_of_more_than_anyone_has_is_refused_and_listed(said: bytes, message: str) -> None:
    with Server(whole(GET_OK, said)) as server:
        with pytest.raises(StreamError, match=message):
            FieldTripSource("127.0.0.1", server.port, unit="uV")
        found = find_buffer("127.0.0.1", server.port)
    assert found is not None
    assert found.header is None
    assert found.trouble.startswith("cannot be read: ")


def test_a_longer_answer_than_any_takes_no_memory(impatient: None) -> None:
    def lie(connection: socket.socket) -> None:
        connection.sendall(struct.pack("=HHI", 1, GET_OK, 2**32 - 1))

    with Server(lie) as server, pytest.raises(StreamError, match=f"4294967295 bytes, expected {MOST_ANSWER} or fewer"):
        FieldTripSource("127.0.0.1", server.port, unit="uV")


@pytest.mark.parametrize("pause", [0.02, 0.2])
def test_an_answer_that_comes_drop_by_drop_has_an_end(impatient: None, pause: float) -> None:
    """Each byte comes long before a limit that begins anew with each."""

    def drip(connection: socket.socket) -> None:
        for byte in struct.pack("=HHI", 1, GET_OK, 1000) + bytes(1000):
            connection.sendall(bytes([byte]))
            time.sleep(pause)

    begun = time.monotonic()
    with Server(drip) as server:
        with pytest.raises(StreamError, match="does not answer"):
            FieldTripSource("127.0.0.1", server.port, unit="uV")
        took = time.monotonic() - begun
    assert took < 4.0, "a thousand bytes would take 20 s"


def test_other_samples_than_were_asked_for_are_none() -> None:
    payload = struct.pack("=IIII", 2, 3, 9, 24) + np.zeros(6, np.float32).tobytes()
    with Server(whole(GET_OK, payload)) as server:
        client = BufferClient("127.0.0.1", server.port)
        with pytest.raises(BufferLostError, match="3 samples, asked for 2"):
            client.data(0, 2)
        with pytest.raises(BufferLostError, match="connection is closed"):
            client.data(0, 3)
        client.close()


def test_a_count_that_leaps_asks_for_no_more_than_one_answer_holds() -> None:
    """The server says that there are four thousand million samples, and has a hundred."""
    with FieldTripServer() as server:
        server.put_header(250.0, 3, names=("A", "B", "C"))
        source = FieldTripSource("127.0.0.1", server.port, unit="uV")
        source.start()
        try:
            server._first = 2**32 - 1000
            server.put(np.ones((100, 3)))
            wait_for(lambda: source.buffer.received)
            assert source.losses == 1
            assert source.buffer.received <= 100
        finally:
            source.stop()
    assert most_samples(4096) * 4096 * 8 < MOST_ANSWER
    assert most_samples(4_000_000_000) == 1


def test_a_buffer_that_answers_at_once_with_nothing_does_not_keep_a_core_busy() -> None:
    asked = []

    def nothing(connection: socket.socket) -> None:
        asked.append(0)
        status, payload = (GET_OK, header(2, 250.0)) if len(asked) < 3 else (WAIT_OK, struct.pack("=II", 0, 0))
        whole(status, payload)(connection)

    with Server(nothing) as server:
        source = FieldTripSource("127.0.0.1", server.port, unit="uV", channels=("A", "B"))
        source.start()
        try:
            wait_for(lambda: len(asked) > 10)
            before = len(asked)
            time.sleep(0.5)
            assert len(asked) - before <= 251
        finally:
            source.stop()
