"""Markers by OSC: sent by python-osc, as other programs do, and by what is none."""

from __future__ import annotations

import logging
import socket
import struct
from collections.abc import Iterator

import pylsl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.udp_client import SimpleUDPClient

from rtaffect.common.errors import SettingsError
from rtaffect.sources import osc_markers
from rtaffect.sources.osc_markers import OscMarkers, marker_text
from rtaffect.sources.osc_packet import MOST_DEPTH, OscError, OscMessage, read_packet
from rtaffect.stream.markers import onset_so_far
from tests.support.recording_tap import RecordingTap
from tests.support.waiting import wait_for


def message(address: str, *arguments: object):
    builder = OscMessageBuilder(address)
    for each in arguments:
        builder.add_arg(each)
    return builder.build()


def in_bundle(*contents) -> bytes:
    builder = OscBundleBuilder(IMMEDIATELY)
    for each in contents:
        builder.add_content(each)
    return builder.build().dgram


class TestPacket:
    def test_what_python_osc_writes_is_read(self):
        texts = [
            marker_text(each)
            for each in read_packet(
                in_bundle(
                    message("/rtaffect/mark", "the story begins"),
                    message("/cue/go", 3, 0.5, True, None, b"xy", "é", [1, "a"]),
                    message("/bare"),
                    message("/rtaffect/mark"),
                )
            )
        ]
        assert texts == [
            "the story begins", "/cue/go 3 0.5 true nil blob of 2 bytes é [ 1 a ]", "/bare", "/rtaffect/mark",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        "packet",
        [
            b"",
            b"start\n",
            b"/no end",
            b"/a\0\0\0,i\0\0",
            b"/a\0\0\0,z\0\0",
            b"/a\0\0\0,b\0\0\x7f\xff\xff\xff",
            b"#bundle\0",
            b"#bundle\0" + bytes(8) + struct.pack(">i", -4) + bytes(8),
            b"#bundle\0" + bytes(8) + struct.pack(">i", 0),
            b"/a\0\0\0," + b"T" * 2000 + b"\0",
            (b"#bundle\0" + bytes(8) + struct.pack(">i", 8) + b"/a\0\0,\0\0\0")
            + (struct.pack(">i", 4) + b"/a\0\0") * 300,
        ],
    )
    def test_what_is_none_is_refused(self, packet):
        with pytest.raises(OscError):
            read_packet(packet)

    def test_bundles_in_bundles_are_read_so_far(self):
        content = message("/a").dgram
        for depth in range(MOST_DEPTH + 2):
            if depth <= MOST_DEPTH:
                assert read_packet(content) == [OscMessage("/a", ())]
            else:
                with pytest.raises(OscError, match="deep"):
                    read_packet(content)
            content = b"#bundle\0" + bytes(8) + struct.pack(">i", len(content)) + content

    @given(st.binary(max_size=64), st.integers(0, 120), st.binary(max_size=6))
    def test_damage_is_read_or_refused(self, noise, at, patch):
        good = in_bundle(message("/cue/go", 3, 0.5, "é", b"xy"), message("/rtaffect/mark", "x"))
        for packet in (noise, b"#bundle\0" + noise, good[:at] + patch + good[at + len(patch) :]):
            try:
                read_packet(packet)
            except OscError:
                continue


@pytest.fixture
def port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def listening(port: int) -> Iterator[OscMarkers]:
    markers = OscMarkers(port)
    markers.tap = RecordingTap()
    markers.start()
    yield markers
    markers.stop()
    markers.stop()


def test_markers_are_stamped_when_they_come_and_all_are_recorded(listening, port):
    before = pylsl.local_clock()
    with SimpleUDPClient("127.0.0.1", port) as client:
        client.send_message("/rtaffect/mark", "story")
        client.send_message("/light", [1, "red\x1b[31m"])
    wait_for(lambda: len(listening.markers) == 2)
    first, second = listening.markers
    assert (first.text, second.text) == ("story", "/light 1 red\N{REPLACEMENT CHARACTER}[31m")
    assert before < first.time <= second.time < pylsl.local_clock()
    assert onset_so_far(listening.markers, "story") == first.time
    assert listening.tap.events == [
        ("texts", ([first.time], ["story"])),
        ("texts", ([second.time], ["/light 1 red\x1b[31m"])),
    ]
    assert listening.trouble == ""


def test_what_is_no_osc_ends_nothing(listening, port, caplog):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for packet in (b"", b"\xff" * 65000, b"#bundle\0" + bytes(8) + struct.pack(">i", -4) + bytes(8)):
            sender.sendto(packet, ("127.0.0.1", port))
    with SimpleUDPClient("127.0.0.1", port) as client:
        client.send_message("/rtaffect/mark", "after")
    wait_for(lambda: [each.text for each in listening.markers] == ["after"])
    assert "what is no OSC comes" in caplog.text


def test_a_flood_is_told_and_leaves_no_marker_sure(listening, port, monkeypatch, caplog):
    monkeypatch.setattr(osc_markers, "MOST_MARKERS", 20)
    caplog.set_level(logging.WARNING)
    many = in_bundle(*(message("/rtaffect/mark", f"m{n}") for n in range(25)))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(many, ("127.0.0.1", port))
    wait_for(lambda: listening.flooded)
    assert "beyond 20 a second" in listening.trouble
    wait_for(lambda: "more than 20 come within a second" in caplog.text)


def test_only_the_wanted_one_is_kept_and_a_taken_port_is_told(port):
    markers = OscMarkers(port, "go@2")
    with pytest.raises(SettingsError, match=f"--osc-markers {port}: the port cannot be listened to"):
        OscMarkers(port)
    markers.start()
    with SimpleUDPClient("127.0.0.1", port) as client:
        for text in ("no", "go", "go"):
            client.send_message("/rtaffect/mark", text)
    wait_for(lambda: len(markers.markers) == 2)
    markers.stop()
    assert {each.text for each in markers.markers} == {"go"}
    OscMarkers(port).stop()
