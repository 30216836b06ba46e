"""Results by OSC: what python-osc, as another program would use it, reads of them."""

from __future__ import annotations

import math
import socket
import threading
import time
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pylsl
import pytest
from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from rtaffect.common.errors import SettingsError
from rtaffect.outputs import osc
from rtaffect.outputs.osc import OscSender, find_places
from rtaffect.outputs.osc_messages import (
    MOST_BYTES,
    Message,
    encoded,
    row_names,
    safe_names,
    step_bundles,
    step_messages,
)
from rtaffect.protocol.rule import synchrony_of
from tests.support.fake_feedback import channel_rows, fake_session, region_rows


def said(feedback) -> dict[str, tuple]:
    """Return what is sent of a step, by address, as python-osc reads it from the packets."""
    messages = step_messages(feedback, row_names(feedback), safe_names(feedback.people))
    found: dict[str, tuple] = {}
    for packet in step_bundles(messages, feedback.step, 1e9):
        for message in OscBundle(packet):
            assert message.address not in found or message.address == "/rtaffect/step"
            found[message.address] = tuple(message.params)
    return found


@pytest.fixture(scope="module")
def step():
    """A step of 24 channels, one of which is not trusted."""
    feedback = fake_session(14)[-1]
    assert 0 < feedback.trusted.sum() < len(feedback.rows)
    return feedback


def test_a_receiver_gets_what_the_step_has(step):
    found = said(step)
    assert found["/rtaffect/step"] == found["/rtaffect/end"] == (14,)
    assert found["/rtaffect/time"] == (14.0,)
    assert found["/rtaffect/against"] == (step.observed_against,)
    for i, row in enumerate(step.rows):
        assert found[f"/rtaffect/trusted/{row}"] == (int(step.trusted[i]),)
        for what in ("predicted", "observed", "null_low", "null_high"):
            if step.trusted[i]:
                assert found[f"/rtaffect/{what}/{row}"] == pytest.approx((getattr(step, what)[i],), abs=1e-6)
    observed, predicted = synchrony_of(step, ("mean",))
    assert found["/rtaffect/observed/mean"] == pytest.approx((observed,), abs=1e-6)
    assert found["/rtaffect/predicted/mean"] == pytest.approx((predicted,), abs=1e-6)
    for person, quality in zip(step.people, step.quality.mean(axis=1), strict=True):
        assert found[f"/rtaffect/quality/{person}"] == pytest.approx((quality,), abs=1e-6)


def test_what_is_not_trusted_has_no_value(step):
    row = step.rows[int(np.flatnonzero(~step.trusted)[0])]
    found = said(step)
    assert found[f"/rtaffect/trusted/{row}"] == (0,)
    assert not {f"/rtaffect/{what}/{row}" for what in ("predicted", "observed", "null_low", "null_high")} & found.keys()
    # The null band is that of all rows, and the mean is not over all of them.
    assert "/rtaffect/null_low/mean" not in found
    late = said(replace(step, trusted=np.zeros_like(step.trusted), reason="the step came late"))
    assert late["/rtaffect/reason"] == ("the step came late",)
    assert late["/rtaffect/trusted/mean"] == (0.0,)
    assert not [
        each for each in late if each.startswith(("/rtaffect/predicted", "/rtaffect/observed", "/rtaffect/null"))
    ]
    whole = said(replace(step, trusted=np.ones_like(step.trusted)))
    assert whole["/rtaffect/null_high/mean"] == pytest.approx((step.null_mean_high,), abs=1e-6)
    lacking = replace(step, predicted=np.full(len(step.rows), math.nan))
    assert not [each for each in said(lacking) if each.startswith("/rtaffect/predicted")]


def test_names_can_stand_in_an_address_and_stay_apart():
    assert safe_names(["a b", "a_b", "#1*", "é", "\u03b1", "[x]{y}/?,", "", "\n"]) == [
        "a_b", "a_b-2", "_1_", "e_", "_", "_x__y____", "_-2", "_-3",
    ]  # fmt: skip
    of = fake_session(12, rows=channel_rows(("mean", "Cz", "Cz 1")))[-1]
    assert row_names(of) == ["mean_(channel)", "Cz", "Cz_1"]


def test_many_rows_come_in_packets_that_no_network_splits():
    feedback = replace(fake_session(12, rows=region_rows())[-1])
    feedback = replace(feedback, trusted=np.ones_like(feedback.trusted), reason="é" * 900)
    messages = step_messages(feedback, row_names(feedback), safe_names(feedback.people))
    packets = step_bundles(messages, 12, 1.7e9 + 0.25)
    bundles = [OscBundle(packet) for packet in packets]
    assert len(packets) > 5
    assert max(map(len, packets)) <= MOST_BYTES
    assert {each.timestamp for each in bundles} == {1.7e9 + 0.25}
    assert {each.content(0).address for each in bundles} == {"/rtaffect/step"}
    assert sum(each.num_contents for each in bundles) == len(messages) + len(bundles) + 1
    assert bundles[-1].content(bundles[-1].num_contents - 1).address == "/rtaffect/end"


def test_packets_are_those_that_python_osc_builds(step):
    messages = [
        *step_messages(step, row_names(step), safe_names(step.people)),
        Message("/rtaffect/agreement", (0.25, 31)),
        Message("/rtaffect/text", ("é\0", 1, 0.5)),
        Message("/rtaffect/nothing", ()),
    ]
    for number in (14, 15):
        (packet,) = step_bundles(messages[:9], number, 1.7e9 + 0.25)
        builder = OscBundleBuilder(1.7e9 + 0.25)
        whole = [Message("/rtaffect/step", (number,)), *messages[:9], Message("/rtaffect/end", (number,))]
        for address, values in whole:
            builder.add_content(built(address, values))
        assert packet == builder.build().dgram
    assert [encoded(each) for each in messages] == [built(*each).dgram for each in messages]


def built(address: str, values: tuple) -> OscMessage:
    builder = OscMessageBuilder(address)
    for value in values:
        builder.add_arg(value.replace("\0", "") if isinstance(value, str) else value)
    return builder.build()


class TestSender:
    @pytest.fixture
    def receiver(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
            made.bind(("127.0.0.1", 0))
            made.settimeout(5.0)
            yield made

    def test_steps_and_markers_come_with_the_time_of_day(self, receiver, step):
        port = receiver.getsockname()[1]
        at = replace(step, lsl_time=pylsl.local_clock() - 2.5)
        sender = OscSender(find_places([("127.0.0.1", port), ("localhost", port)]), pylsl.local_clock, pytest.fail)
        sender(at)
        sender.marker("block/1/rest/begin", at.lsl_time)
        sender.close()
        sender.close()
        packets = [OscBundle(receiver.recv(65535)) for _ in range(2)]
        assert packets[0].timestamp == pytest.approx(time.time() - 2.5, abs=1.0)
        assert packets[0].content(0).params == [14]
        receiver.settimeout(0.2)
        with suppress(TimeoutError):
            while True:
                packets.append(OscBundle(receiver.recv(65535)))
        markers = [each.content(0).params for each in packets if each.content(0).address == "/rtaffect/marker"]
        assert markers == [["block/1/rest/begin"]] * 2

    def test_nothing_delays_a_step_and_what_is_lost_is_counted(self, monkeypatch, step):
        told, free = [], threading.Event()
        monkeypatch.setattr(osc, "_MOST_WAITING", 8)
        monkeypatch.setattr(OscSender, "_send_waiting", lambda self: free.wait(30.0))
        sender = OscSender(find_places([("127.0.0.1", 9)]), pylsl.local_clock, told.append)
        begun = time.perf_counter()
        for _ in range(20):
            sender(step)
        assert time.perf_counter() - begun < 10.0, "sending takes until it is freed"
        assert sender.dropped > 0
        free.set()
        sender.close()

    def test_what_is_said_beside_a_step_does_not_delay_it(self, receiver, step):
        let = threading.Event()

        def more() -> list[Message]:
            assert let.wait(5.0)
            return [Message("/rtaffect/agreement", (0.5, 12))]

        def addresses() -> list[str]:
            found: list[str] = []
            while found[-1:] != ["/rtaffect/end"]:
                found += [message.address for message in OscBundle(receiver.recv(65535))]
            return found

        sender = OscSender(find_places([receiver.getsockname()]), pylsl.local_clock, pytest.fail, more)
        sender(step)
        assert "/rtaffect/agreement" not in addresses()
        let.set()
        sender(step)
        assert "/rtaffect/agreement" in addresses()
        sender.close()

    def test_what_cannot_be_sent_is_told_once(self, step):
        told = []
        # Sending to all is refused by the system where it was not asked for.
        sender = OscSender(find_places([("255.255.255.255", 9)]), pylsl.local_clock, told.append)
        sender(step)
        sender(step)
        sender.close()
        assert len(told) == 1
        assert told[0].startswith("OSC cannot be sent to 255.255.255.255:9 (")

    def test_without_python_osc_or_a_known_host_the_remedy_is_told(self, monkeypatch):
        with pytest.raises(SettingsError, match="'no such host' is not known"):
            find_places([("no such host", 9)])
        monkeypatch.setattr(osc.importlib.util, "find_spec", lambda name: None)
        with pytest.raises(SettingsError, match=r'pip install "rtaffect\[osc\]"'):
            find_places([("127.0.0.1", 9)])
