"""FieldTrip buffers: the client of mne-realtime against a server of the published protocol."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pylsl
import pytest

from rtaffect.common.errors import StreamError
from rtaffect.sources import live
from rtaffect.sources.fieldtrip_buffer import FieldTripSource
from tests.support.fieldtrip_server import FieldTripServer
from tests.support.recording_tap import RecordingTap
from tests.support.waiting import wait_for

NAMES = ("Fz", "Cz", "Pz")
RATE = 500.0


def ramp(first: int, n: int) -> np.ndarray:
    """Samples whose values are their numbers, ten apart in the channels."""
    return np.arange(first, first + n)[:, None] + 10.0 * np.arange(3)


@pytest.fixture
def server() -> Iterator[FieldTripServer]:
    with FieldTripServer() as running:
        running.put_header(RATE, 3, names=NAMES)
        yield running


@pytest.fixture
def opened() -> Iterator[Callable[..., FieldTripSource]]:
    """Open a buffer with a tap; every source is stopped at the end, twice."""
    sources: list[FieldTripSource] = []

    def start(server: FieldTripServer, **options: Any) -> FieldTripSource:
        source = FieldTripSource("127.0.0.1", server.port, **({"unit": "uV"} | options))
        source.tap = RecordingTap()
        sources.append(source)
        source.start()
        return source

    yield start
    for source in sources * 2:
        source.stop()


def status(source: FieldTripSource) -> Any:
    return source.status(pylsl.local_clock())


def feed(server: FieldTripServer, source: FieldTripSource, blocks: int, size: int = 20) -> list[float]:
    """Put blocks as they are taken in real time, and return the LSL time of each."""
    put = []
    for _ in range(blocks):
        time.sleep(size / RATE)
        server.put(ramp(server.count, size))
        put.append(pylsl.local_clock())
    wait_for(lambda: source.buffer.received >= blocks * size)
    return put


def assert_replayable(source: FieldTripSource) -> None:
    block, again = source.buffer.read(0, np.inf), source.tap.replayed(source.info.rate, source.header.units)
    np.testing.assert_array_equal(again.samples, block.samples)
    np.testing.assert_allclose(again.times, block.times, rtol=0, atol=1e-9)
    assert again.breaks == block.breaks


def test_samples_arrive_in_volts_stamped_when_their_block_was_put(
    server: FieldTripServer, opened: Callable[..., FieldTripSource]
) -> None:
    server.put(ramp(0, 100))
    source = opened(server, name="amplifier")
    put = feed(server, source, 15)
    found = status(source)
    block = source.buffer.read(0, np.inf)
    # What was there before the start is of unknown age, and left out.
    np.testing.assert_allclose(block.samples, ramp(100, 300) * 1e-6, rtol=1e-6)
    assert (found.state, found.gaps, found.message, block.breaks) == ("ok", 0, "", ())
    # Half of the stamps of 15 blocks are closer than this, whatever else the computer has to do.
    assert np.median(np.abs(block.times[19::20] - put)) < 0.02
    assert source.info.channels == source.header.labels == NAMES
    assert (source.info.origin, source.info.rate, source.info.name) == ("fieldtrip", RATE, "amplifier")
    assert source.info.source_id == f"fieldtrip:127.0.0.1:{server.port}"
    assert (source.header.format, source.header.units) == ("float32", ("uV",) * 3)
    assert source.tap.values().dtype == np.float32
    assert_replayable(source)


@pytest.mark.parametrize(
    ("dtype", "resolutions", "sent_as"),
    [("int16", (0.5, 0.5, 2.0), "double64"), ("uint16", (), "int32"), ("float64", (3.0,) * 3, "double64")],
)
def test_every_type_and_resolution_arrives_in_volts(
    opened: Callable[..., FieldTripSource], dtype: str, resolutions: tuple[float, ...], sent_as: str
) -> None:
    with FieldTripServer() as server:
        server.put_header(RATE, 3, dtype, NAMES, resolutions)
        source = opened(server, unit="nV")
        server.put(ramp(40_000 if dtype == "uint16" else 0, 50))
        wait_for(lambda: source.buffer.received == 50)
        scale = np.array(resolutions) if dtype == "int16" else 1.0
        expected = ramp(40_000 if dtype == "uint16" else 0, 50) * scale * 1e-9
        np.testing.assert_allclose(source.buffer.read(0, np.inf).samples, expected, rtol=1e-6)
        assert source.header.format == sent_as
        assert_replayable(source)


def test_samples_that_were_overwritten_are_a_gap(opened: Callable[..., FieldTripSource]) -> None:
    with FieldTripServer(ring=64) as server:
        server.put_header(RATE, 3, names=NAMES)
        source = opened(server)
        server.put(ramp(0, 50))
        wait_for(lambda: source.buffer.received == 50)
        time.sleep(0.5)
        server.put(ramp(50, 250))
        wait_for(lambda: source.losses)
        wait_for(lambda: source.buffer.received > 50)
        found, block = status(source), source.buffer.read(0, np.inf)
        kept = source.buffer.received - 50
        source.stop()
    assert 0 < kept <= 64
    np.testing.assert_allclose(block.samples[50:], ramp(300 - kept, kept) * 1e-6, rtol=1e-6)
    assert (block.breaks, source.lost_samples) == ((50,), 250 - kept)
    assert f"{250 - kept} samples were lost on the way from the device, in 1 place" in found.message
    assert_replayable(source)


def test_a_buffer_that_is_flushed_goes_on_with_a_new_segment(
    server: FieldTripServer, opened: Callable[..., FieldTripSource]
) -> None:
    source = opened(server)
    feed(server, source, 3)
    server.flush()
    wait_for(lambda: source.reconnections)
    server.put(ramp(0, 20))
    wait_for(lambda: source.buffer.received == 80)
    assert source.buffer.read(0, np.inf).breaks == (60,)
    assert source.tap.count("segment") == 1
    assert status(source).state == "ok"
    assert_replayable(source)


def test_a_server_that_goes_is_lost_and_connected_again_if_it_is_as_before(
    opened: Callable[..., FieldTripSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live.LiveSource, "retry_s", 0.05)
    with FieldTripServer() as server:
        server.put_header(RATE, 3, names=NAMES)
        source = opened(server)
        feed(server, source, 2)
    wait_for(lambda: status(source).state == "lost")
    wait_for(lambda: "does not answer" in status(source).message)
    with FieldTripServer(port=server.port) as again:
        again.put_header(250.0, 2, names=NAMES[:2])
        wait_for(lambda: "has 2 channels of float32 at 250 Hz, expected 3" in status(source).message)
        assert status(source).state == "changed"
        again.put_header(RATE, 3, names=NAMES)
        wait_for(lambda: status(source).state == "stalled")
        again.put(ramp(0, 20))
        wait_for(lambda: source.buffer.received == 60)
        assert source.reconnections == 1
        source.stop()
    assert source.buffer.read(0, np.inf).breaks == (40,)
    assert status(source).state == "ended"


def test_channels_that_come_back_in_another_order_and_resolution_are_taken_by_name(
    opened: Callable[..., FieldTripSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live.LiveSource, "retry_s", 0.05)
    turned = (NAMES[2], NAMES[0], NAMES[1])
    with FieldTripServer() as server:
        server.put_header(RATE, 3, "int16", NAMES, (1.0, 1.0, 1.0))
        source = opened(server)
        sent = np.tile(np.array([[100, 200, 300]], np.int16), (20, 1))
        server.put(sent)
        wait_for(lambda: source.buffer.received == 20)
        server.put_header(RATE, 3, "int16", (*NAMES[:2], "another"), (1.0, 1.0, 1.0))
        wait_for(lambda: status(source).state == "changed")
        assert f"another, expected {', '.join(NAMES)}" in status(source).message
        server.put_header(RATE, 3, "int16", turned, (0.5, 2.0, 2.0))
        wait_for(lambda: status(source).state == "stalled")
        server.put((sent[:, [2, 0, 1]] / (0.5, 2.0, 2.0)).astype(np.int16))
        wait_for(lambda: source.buffer.received == 40)
        source.stop()
    samples = source.buffer.read(0, np.inf).samples
    np.testing.assert_allclose(samples, np.tile([[1e-4, 2e-4, 3e-4]], (40, 1)), rtol=1e-5)
    assert_replayable(source)


def test_silence_is_a_stall(
    server: FieldTripServer, opened: Callable[..., FieldTripSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "STALL_S", 0.1)
    source = opened(server)
    wait_for(lambda: status(source).state == "stalled")
    assert "has sent nothing" in status(source).message


class TestErrors:
    def test_the_unit_is_asked_for(self, server: FieldTripServer) -> None:
        with pytest.raises(StreamError, match=r"FieldTrip buffer 127.0.0.1:\d+' does not say in which unit.*--unit"):
            FieldTripSource("127.0.0.1", server.port)

    def test_missing_names_are_asked_for(self, server: FieldTripServer) -> None:
        server.put_header(RATE, 3)
        with pytest.raises(StreamError, match=r"does not name its 3 channels.*--channels"):
            FieldTripSource("127.0.0.1", server.port, unit="uV")
        source = FieldTripSource("127.0.0.1", server.port, unit="uV", channels=NAMES)
        assert source.info.channels == NAMES

    def test_nobody_there(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with pytest.raises(StreamError, match=rf"127.0.0.1:{port} does not answer.*start the program that fills it"):
            FieldTripSource("127.0.0.1", port, unit="uV")

    def test_a_buffer_without_a_header(self) -> None:
        with FieldTripServer() as server, pytest.raises(StreamError, match=r"is empty.*start the acquisition"):
            FieldTripSource("127.0.0.1", server.port, unit="uV")

    @pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", b"\1\0\4\2\3\0\0\0abc"])
    def test_something_else_that_listens(self, answer: bytes) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:

            def reply() -> None:
                connection, _ = listening.accept()
                with connection:
                    connection.recv(8)
                    connection.sendall(answer)

            thread = threading.Thread(target=reply)
            thread.start()
            with pytest.raises(StreamError, match="does not answer") as error:
                FieldTripSource("127.0.0.1", listening.getsockname()[1], unit="uV")
            thread.join()
        assert "\n" not in str(error.value)

    @pytest.mark.parametrize("missing", ["mne_realtime", "mne"])
    def test_without_mne_realtime_the_extra_is_named(self, missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in [name for name in sys.modules if name.partition(".")[0] == "mne_realtime"]:
            monkeypatch.delitem(sys.modules, module)
        monkeypatch.setitem(sys.modules, missing, None)
        with pytest.raises(StreamError, match=r'pip install "rtaffect\[fieldtrip\]"'):
            FieldTripSource("127.0.0.1", unit="uV")


def test_neither_mne_nor_brainflow_is_loaded_before_a_device_is_asked_for() -> None:
    code = (
        "import sys, rtaffect.sources.boards, rtaffect.sources.fieldtrip_buffer, rtaffect.sources.brainflow_board\n"
        "rtaffect.sources.boards.parse_board('fieldtrip:localhost')\n"
        "assert not {'mne', 'mne_realtime', 'brainflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30, cwd=Path(__file__).parents[2])
