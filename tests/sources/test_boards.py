"""The texts that name headsets without LSL, and what is found of them."""

from __future__ import annotations

import socket
import sys
import threading
from pathlib import Path

import pytest

from rtaffect.common.errors import SettingsError, StreamError
from rtaffect.sources import serial_ports
from rtaffect.sources.boards import find_boards, find_buffer, open_board, parse_board
from rtaffect.sources.brainflow_board import BrainFlowSource
from rtaffect.sources.fieldtrip_buffer import FieldTripSource
from rtaffect.sources.serial_ports import SerialPort
from tests.support.fieldtrip_server import FieldTripServer


class TestParse:
    @pytest.mark.parametrize(
        ("text", "device", "parameters"),
        [
            ("brainflow:cyton?serial_port=COM3", "cyton", {"serial_port": "COM3"}),
            (" BrainFlow:Muse-2 ", "muse_2", {}),
            (
                "brainflow:ganglion?mac_address=AA:BB:01&timeout=30",
                "ganglion",
                {"mac_address": "AA:BB:01", "timeout": "30"},
            ),
            (
                r"brainflow:playback_file?master_board=cyton&file=C:\data\a%26b+1.csv",
                "playback_file",
                {"master_board": "cyton", "file": r"C:\data\a&b+1.csv"},
            ),
        ],
    )
    def test_boards(self, text: str, device: str, parameters: dict[str, str]) -> None:
        address = parse_board(text)
        assert (address.kind, address.device, address.parameters, address.name) == (
            "brainflow", device, parameters, device,
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("text", "host", "port"),
        [
            ("fieldtrip:", "localhost", 1972),
            ("fieldtrip:amp", "amp", 1972),
            ("fieldtrip:10.0.0.2:1973", "10.0.0.2", 1973),
            ("fieldtrip:[::1]:1973", "::1", 1973),
            ("fieldtrip:[::1]", "::1", 1972),
        ],
    )
    def test_buffers(self, text: str, host: str, port: int) -> None:
        address = parse_board(text)
        assert (address.kind, address.device, address.port, address.name) == ("fieldtrip", host, port, f"{host}:{port}")

    def test_what_replaces_the_description(self) -> None:
        address = parse_board("fieldtrip:amp?name=Left head&channels=Fz, Cz&unit=uV&rate=512")
        found = (address.name, address.channels, address.unit, address.rate)
        assert found == ("Left head", ("Fz", "Cz"), "uV", 512.0)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (
                "cyton",
                r"does not begin with brainflow: or fieldtrip:; expected as in brainflow:cyton",
            ),
            ("openbci:cyton", r"does not begin with"),
            ("brainflow:", r"names no board"),
            ("brainflow:cyton?COM3", r"'COM3' is not NAME=VALUE"),
            ("brainflow:cyton?serial_port=", r"'serial_port=' is not NAME=VALUE"),
            ("brainflow:cyton?timeout=1&timeout=2", r"gives 'timeout' twice"),
            ("brainflow:cyton?rate=fast", r"rate=fast is not a rate; expected Hz"),
            ("brainflow:cyton?rate=-1", r"rate=-1 is not a rate"),
            ("fieldtrip:amp:http", r"not fieldtrip:HOST:PORT"),
            ("fieldtrip::1972", r"not fieldtrip:HOST:PORT"),
            ("fieldtrip:amp:99999", r"not fieldtrip:HOST:PORT"),
            ("fieldtrip:amp?serial_port=COM3", r"has the parameter 'serial_port'; a FieldTrip buffer has only name"),
        ],
    )
    def test_what_it_cannot_be(self, text: str, message: str) -> None:
        with pytest.raises(SettingsError, match=message) as error:
            parse_board(text)
        assert repr(text) in str(error.value)


class TestOpen:
    def test_what_the_text_says_comes_before_what_holds_for_all(self) -> None:
        source = open_board(
            "brainflow:ganglion?serial_port=COM3&channels=Fz,Cz,Pz,Oz", channels=["A"], unit="mV", rate=100.0
        )
        assert isinstance(source, BrainFlowSource)
        assert (source.info.name, source.info.channels, source.info.rate) == (
            "ganglion",
            ("Fz", "Cz", "Pz", "Oz"),
            100.0,
        )
        assert source.header.units == ("mV",) * 4

    def test_a_name_tells_two_boards_apart(self) -> None:
        address = parse_board("brainflow:muse_2?mac_address=AA")
        source = open_board(address, name="muse_2 #2")
        assert (source.info.name, source.info.source_id) == ("muse_2 #2", "brainflow:muse_2?mac_address=AA")

    def test_a_buffer(self) -> None:
        with FieldTripServer() as server:
            server.put_header(256.0, 2, names=("Fz", "Cz"))
            source = open_board(f"fieldtrip:127.0.0.1:{server.port}?unit=uV&name=amp")
        assert isinstance(source, FieldTripSource)
        assert (source.info.name, source.info.rate, source.info.channels) == ("amp", 256.0, ("Fz", "Cz"))

    def test_a_board_that_does_not_exist(self) -> None:
        with pytest.raises(StreamError, match="none of BrainFlow's"):
            open_board("brainflow:no_such_board")


def test_every_board_with_electrodes_is_found_and_can_be_named_by_its_text() -> None:
    known = {board.name: board for board in find_boards()}
    assert len(known) > 50
    assert not {"no", "playback_file", "streaming", "emotibit"} & set(known)
    cyton = known["cyton"]
    assert (cyton.rate, cyton.channels, cyton.unit) == (250.0, 8, "microvolts")
    assert (cyton.channel_names[:2], cyton.text) == (("Fp1", "Fp2"), "brainflow:cyton?serial_port=PORT")
    assert (known["ganglion"].channel_names, known["ant_neuro_ee_212"].unit) == ((), "volts")
    assert all(parse_board(board.text).device == name for name, board in known.items())


class TestBuffer:
    def test_none(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            assert find_buffer("127.0.0.1", free.getsockname()[1]) is None

    def test_one_and_an_empty_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with FieldTripServer() as server:
            empty = find_buffer("127.0.0.1", server.port)
            server.put_header(256.0, 2, names=("Fz", "Cz"))
            found = find_buffer("127.0.0.1", server.port)
            monkeypatch.setitem(sys.modules, "mne_realtime.externals.FieldTrip", None)
            unread = find_buffer("127.0.0.1", server.port)
        assert empty is not None
        assert (empty.header, empty.trouble) == (None, "empty: the acquisition has not started")
        assert found is not None
        assert found.text == f"fieldtrip:127.0.0.1:{server.port}"
        assert found.header is not None
        assert (found.header.rate, found.header.labels) == (256.0, ("Fz", "Cz"))
        assert unread is not None
        assert "rtaffect[fieldtrip]" in unread.trouble

    def test_another_program_on_its_port_is_none(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:

            def hang_up() -> None:
                listening.accept()[0].close()

            thread = threading.Thread(target=hang_up)
            thread.start()
            assert find_buffer("127.0.0.1", listening.getsockname()[1]) is None
            thread.join()


class TestSerialPorts:
    def test_linux(self, tmp_path: Path) -> None:
        for name in ("ttyUSB10", "ttyUSB9", "ttyACM0", "ttyS0", "tty1"):
            (tmp_path / name).touch()
        (tmp_path / "serial" / "by-id").mkdir(parents=True)
        (tmp_path / "serial" / "by-id" / "usb-FTDI_FT231X").symlink_to(tmp_path / "ttyUSB9")
        found = {Path(each.port).name: each.device for each in serial_ports._linux(tmp_path)}
        assert found == {"ttyUSB9": "usb-FTDI_FT231X", "ttyUSB10": "", "ttyACM0": ""}

    def test_macos(self, tmp_path: Path) -> None:
        for name in ("cu.usbserial-1", "tty.usbserial-1", "cu.Bluetooth-Incoming-Port"):
            (tmp_path / name).touch()
        assert serial_ports._macos(tmp_path) == [SerialPort(str(tmp_path / "cu.usbserial-1"))]

    def test_they_are_in_the_order_of_their_numbers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "platform", "win32")
        monkeypatch.setattr(serial_ports, "_windows", lambda: [SerialPort("COM10"), SerialPort("COM3")])
        assert [each.port for each in serial_ports.serial_ports()] == ["COM3", "COM10"]
