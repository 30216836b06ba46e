"""Senders that say of themselves what is none of LSL's, or more than anyone should: none stops another."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from contextlib import ExitStack

import numpy as np
import pylsl
import pytest
from click.testing import CliRunner

from rtaffect.cli import devices
from rtaffect.common.errors import StreamError
from rtaffect.sources import boards, lsl_streams, serial_ports, sound_devices
from rtaffect.sources.channel_plan import check_format, check_rate
from rtaffect.sources.lsl import LslSource
from rtaffect.sources.lsl_description import channels_of
from rtaffect.sources.lsl_streams import FoundStream, Network, describe_streams, find_stream, read_header
from rtaffect.sources.selection import Query
from rtaffect.start.background import NetworkWatch
from rtaffect.stream.buffer import SampleBuffer
from rtaffect.stream.limits import MOST_CHANNELS, MOST_RATE
from rtaffect.stream.source import StreamHeader
from tests.support.lsl_sender import LslSender, description
from tests.support.waiting import wait_for

CHANNELS = b"<channels>" + b"<channel><label>A</label><unit>uV</unit></channel>" * 2 + b"</channels>"
BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    + description(CHANNELS, source_id="&b;").partition(b"?>")[2]
)

#: Each kind: what discovery gets, what is answered on asking, and what is said of it.
UNREADABLE: dict[str, tuple[bytes, bytes | None, str]] = {
    "no XML": (b"<info><name>x</nam", None, "none of LSL's"),
    "a NUL": (description(name=b"a\0b"), None, "none of LSL's"),
    "negative channels": (description(channel_count=-5), None, "channel_count must be >=0"),
    "no channels": (description(channel_count=0), None, "declares 0 channels, expected 1 to 4096"),
    "huge count": (description(channel_count=2**31 - 1), None, "declares 2147483647 channels"),
    "larger count": (description(channel_count=10**12), None, "a number in it is missing, or is none"),
    "count in words": (description(channel_count="two"), None, "a number in it is missing"),
    "rate NaN": (description(nominal_srate="nan"), None, "a number in it is missing"),
    "rate negative": (description(nominal_srate=-5), None, "nominal_srate must be >=0"),
    "rate 1e300": (description(nominal_srate="1e300"), None, r"declares 1e\+300 Hz, expected 384000 Hz or less"),
    "5 MHz": (description(nominal_srate=5e6, channel_count=64), None, r"declares 5e\+06 Hz"),
    "64 x 100 kHz": (description(nominal_srate=1e5, channel_count=64), None, r"expected 4e\+06 values a second"),
    "unknown format": (description(channel_format="float99"), None, "Invalid channel format float99"),
    "no format": (description(channel_format=None), None, "Invalid channel format"),
    "no name": (description(name=None), None, "empty <name>"),
    "an empty name": (description(name=""), None, "empty <name>"),
    "a long name": (description(name="n" * 40_000), None, "a name of 40000 letters, expected 512 or fewer"),
    "no identity": (description(uid=None), None, "UID of the given stream info is empty"),
    "no rate": (description(nominal_srate=None), None, "a number in it is missing"),
    "no port": (description(v4data_port=None), None, "a number in it is missing"),
    "port 0": (description(v4data_port=0, v4service_port=0), None, "cannot be opened"),
    "whole description no XML": (description(), b"<info><na", "does not answer"),
    "whole description of 5 MB": (
        description(), description(b"<a>" + b"x" * 5_000_000 + b"</a>"), "more than 4194304 letters",
    ),
    "a channel's name of 1 MB": (
        description(), description(b"<channels><channel><label>" + b"x" * 1_000_000 + b"</label></channel></channels>"),
        "a channel a name of 1000000 letters",
    ),
    "200,000 channels described": (
        description(), description(b"<channels>" + b"<channel/>" * 200_000 + b"</channels>"), "more than 100000 parts",
    ),
    "100,000 parts within each other": (
        description(), description(b"<a>" * 100_000 + b"</a>" * 100_000), "more than 64 parts within each other",
    ),
}  # fmt: skip
#: What is odd and can be read: what is answered, and the name and labels that it has then.
READABLE: dict[str, tuple[bytes, bytes | None, str, tuple[str, ...]]] = {
    "an entity bomb": (description(), BOMB, "Odd", ("A", "A")),
    "no UTF-8": (
        description(name=b"Caf\xe9"), description(CHANNELS.replace(b"A", b"\xff")), "Caf\xe9", ("\xff", "\xff"),
    ),
    "no type nor source id": (description(type=None, source_id=None), None, "Odd", ("", "")),
    "one more channel described": (description(), description(CHANNELS, channel_count=7), "Odd", ("A", "A")),
    "three described": (
        description(), description(CHANNELS.replace(b"<channels>", b"<channels><channel/>")), "Odd", ("", ""),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_cannot_be_read_is_told(kind: str) -> None:
    short, full, said = UNREADABLE[kind]
    network, found = Network(), []
    with LslSender(short, full):
        wait_for(lambda: found.extend(network.streams()) or found)
        with pytest.raises(StreamError, match=said) as error:
            read_header(found[0], 0.5)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 1000


@pytest.mark.parametrize("kind", READABLE)
def test_what_is_odd_and_can_be_read_is(kind: str) -> None:
    short, full, name, labels = READABLE[kind]
    network, found = Network(), []
    with LslSender(short, full):
        wait_for(lambda: found.extend(network.streams()) or found)
        header = read_header(found[0], 2.0)
    assert (header.name, header.labels) == (name, labels)
    assert "<!DOCTYPE" not in header.xml


def test_two_of_one_identity_are_one() -> None:
    with LslSender(description(uid="same")), LslSender(description(uid="same", name="Other")):
        assert len(describe_streams(1.0)) == 1


@pytest.fixture
def hostile() -> ExitStack:
    """Six senders that cannot be read in six ways, of which liblsl tells some only as one."""
    kinds = ("no XML", "huge count", "rate 1e300", "whole description no XML", "100,000 parts within each other",
             "a long name")  # fmt: skip
    with ExitStack() as cleanup:
        for kind in kinds:
            cleanup.enter_context(LslSender(*UNREADABLE[kind][:2]))
        yield cleanup


def good() -> tuple[str, pylsl.StreamOutlet]:
    name = f"Good {uuid.uuid4().hex[:6]}"
    info = pylsl.StreamInfo(name, "EEG", 2, 250.0, "float32", name)
    info.desc().append_child("channels").append_child("channel").append_child_value("label", "Cz")
    return name, pylsl.StreamOutlet(info)


def test_the_command_lists_all_and_says_why_some_cannot_be_read(
    hostile: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sound_devices, "list_sound_devices", lambda: ())
    monkeypatch.setattr(serial_ports, "serial_ports", lambda: [])
    monkeypatch.setattr(boards, "find_buffer", lambda: None)
    name, outlet = good()
    result = CliRunner().invoke(devices.command, ["--wait", "1"], env={"COLUMNS": "400"})
    del outlet
    assert result.exit_code == 0, result.output
    assert name in result.output
    for said in ("cannot be read: declares 2147483647 channels", "none of LSL's", "does not answer",
                 "more than 64 parts within each other", "a name of 40000 letters"):  # fmt: skip
        assert said in result.output, result.output


def test_the_window_goes_on_and_says_why_some_cannot_be_read(hostile: ExitStack) -> None:
    watch, (name, outlet) = NetworkWatch(), good()
    try:
        wait_for(lambda: any(s.header.name == name and s.described for s in watch.streams), 20.0)
        wait_for(lambda: sum(bool(s.trouble) for s in watch.streams) == 6, 20.0)
        assert all(s.may_be_eeg for s in watch.streams)
        assert any(s.trouble.startswith("Stream 'Odd' on lab cannot be read: it declares") for s in watch.streams)
        late, other = good()
        wait_for(lambda: any(s.header.name == late and s.described for s in watch.streams), 20.0)
        del other
    finally:
        watch.stop()
        del outlet


def test_a_watch_outlives_any_fault_of_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    streams, faults = Network.streams, [RuntimeError("odd"), MemoryError(), None]

    def failing(self: Network) -> list[FoundStream]:
        fault = faults.pop(0) if len(faults) > 1 else None
        if fault is not None:
            raise fault
        return streams(self)

    monkeypatch.setattr(Network, "streams", failing)
    name, outlet = good()
    watch = NetworkWatch()
    try:
        wait_for(lambda: any(s.header.name == name for s in watch.streams))
        assert len(faults) == 1
    finally:
        watch.stop()
        del outlet


def test_a_handle_that_fails_is_one_unreadable_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    network, (_, outlet) = Network(), good()
    monkeypatch.setattr(pylsl.StreamInfo, "channel_format", lambda self: 99)
    wait_for(lambda: any("IndexError" in s.trouble for s in network.streams()))
    del outlet


def test_what_an_outlet_says_is_read_once_however_many_look_around(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred sources look around once a second each, among a hundred streams: 10,000 readings a second else."""
    read, asked = Counter[str](), []
    monkeypatch.setattr(lsl_streams, "recognise", lambda header: read.update([header.uid]))
    network, (name, outlet), (other, second) = Network(), good(), good()
    wait_for(lambda: {name, other} <= {s.header.name for s in network.streams()})
    results = network._resolver.results
    monkeypatch.setattr(network._resolver, "results", lambda: asked.append(time.monotonic()) or results())
    begun = time.monotonic()
    while time.monotonic() < begun + 1.0 or len(asked) < 2:
        network.lately()
    took = time.monotonic() - begun
    assert set(read.values()) == {1}
    assert len(asked) <= took / lsl_streams.FRESH_S + 2
    network.hurry()
    before = len(asked)
    for _ in range(5):
        network.lately()
    assert len(asked) == before + 5, "in a hurry nothing is of before"
    del outlet, second


def test_no_inlet_is_made_for_a_stream_that_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """liblsl itself takes memory by the declared rate."""
    made = []
    monkeypatch.setattr(pylsl, "StreamInlet", lambda *given, **_: made.append(given))
    with LslSender(description(nominal_srate=5e6, channel_count=64)):
        stream = find_stream(Query("name", "Odd"), settle=0.2)
        with pytest.raises(StreamError, match=r"5e\+06 Hz"):
            LslSource(stream, channels=("A",), unit="uV", rate=500.0)
    assert not made


def test_a_description_is_walked_once_and_within_limits() -> None:
    info = pylsl.StreamInfo("x", "EEG", MOST_CHANNELS, 250.0, "float32", "x")
    channels = info.desc().append_child("channels")
    for number in range(MOST_CHANNELS):
        channel = channels.append_child("channel")
        for key, value in (("label", f"E{number}"), ("unit", "uV"), ("type", "EEG")):
            channel.append_child_value(key, value)
    begun = time.process_time()
    found = channels_of(info)
    assert len(found) == MOST_CHANNELS
    assert found[-1] == {"label": f"E{MOST_CHANNELS - 1}", "unit": "uV", "type": "EEG"}
    assert time.process_time() - begun < 5.0


@pytest.mark.parametrize("rate", [MOST_RATE * 1.01, 5e6, 1e300, np.inf, np.nan, -1.0, 0.0, 1e-9])
def test_rates_are_checked_at_the_door(rate: float) -> None:
    with pytest.raises(StreamError, match=r"Hz, expected|irregular"):
        check_rate("x", "eeg", rate, None)
    with pytest.raises(StreamError, match=r"Hz, expected|irregular"):
        check_rate("x", "eeg", 250.0, rate)


@pytest.mark.parametrize(
    ("rate", "channels"), [(250.0, 0), (250.0, MOST_CHANNELS + 1), (1e5, 64), (1e300, 1), (np.nan, 1)]
)
def test_sizes_are_checked_at_the_door_and_where_memory_is_taken(rate: float, channels: int) -> None:
    header = StreamHeader("x", "EEG", rate, "float32", ("",) * channels)
    with pytest.raises(StreamError, match=r"'x' declares .*, expected .*; correct that where it is sent"):
        check_format(header)
    with pytest.raises((StreamError, ValueError)):
        SampleBuffer(rate, channels)


def test_what_people_use_passes() -> None:
    for rate, channels in ((192_000.0, 2), (16_384.0, 240), (1000.0, 1024), (0.0, 4096), (20_000.0, 128)):
        check_format(StreamHeader("x", "EEG", rate, "float32", ("",) * channels))
