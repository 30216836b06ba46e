"""The life of a live source, whatever device it drives."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from pylsl import local_clock

from rtaffect.common.errors import StreamError
from rtaffect.sources import awake, live
from rtaffect.sources.live import DeviceLostError
from rtaffect.sources.polled import PolledSource
from rtaffect.stream.source import StreamHeader
from tests.support.waiting import wait_for

HEADER = StreamHeader("cap", "EEG", 100.0, "double64", ("Fz",), source_id="cap-1").uniform("V")


class Device(PolledSource):
    """A cap that sends a sample at a turn, until it is ``gone``."""

    retry_s = 0.01

    def __init__(self) -> None:
        super().__init__("made up", "cap", HEADER, {})
        self.gone = self.is_open = self.silent = False
        self.tried = 0
        self.faults: list[Exception] = []

    def _open(self) -> None:
        self.tried += 1
        if self.faults:
            raise self.faults.pop()
        if self.gone:
            raise StreamError("the cap is not there")
        self.is_open = True

    def _close(self) -> None:
        self.is_open = False

    def _poll(self) -> None:
        self._worker.wait(0.005)
        if len(self.faults) > 1:
            raise self.faults.pop()
        if self.gone:
            raise DeviceLostError("no answer")
        if not self.silent:
            self._deliver(np.ones((1, 1)), np.array([local_clock()]))


@pytest.fixture
def device() -> Iterator[Device]:
    made = Device()
    yield made
    made.stop()


def state(device: Device) -> str:
    return device.status(local_clock()).state


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "made up cap"]


def test_it_may_be_started_and_stopped_twice_and_leaves_no_thread(device: Device) -> None:
    assert state(device) == "waiting"
    for _ in range(2):
        device.start()
        device.start()
        assert len(threads()) == 1
        wait_for(lambda: state(device) == "ok")
        device.stop()
        device.stop()
        wait_for(lambda: not threads())
        assert (state(device), device.is_open) == ("ended", False)
    assert device.tried == 2


def test_what_cannot_be_opened_runs_no_thread(device: Device) -> None:
    device.gone = True
    with pytest.raises(StreamError, match="not there"):
        device.start()
    assert not threads()
    assert state(device) == "waiting"


def test_a_loss_is_told_noted_and_counted_and_ends_when_the_device_is_back(
    device: Device, caplog: pytest.LogCaptureFixture
) -> None:
    device.start()
    wait_for(lambda: state(device) == "ok")
    device.gone = True
    wait_for(lambda: device.tried > 2)
    status = device.status(local_clock())
    assert status.state == "lost"
    assert "the cap is not there (it is tried again by itself)" in status.message
    device.gone = False
    wait_for(lambda: state(device) == "ok")
    assert (device.reconnections, device.buffer.gaps) == (1, 1)
    noted = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert noted[0] == "made up 'cap' is lost: no answer"
    assert noted[1].startswith("made up 'cap' is open again after ")


def test_no_fault_of_one_device_ends_it_for_good(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it sends cannot be used, and then opening it fails in a way that no one foresaw."""
    monkeypatch.setattr(live, "RETRY_S", 0.01)
    device.start()
    wait_for(lambda: state(device) == "ok")
    device.faults = [KeyError("opening"), ValueError("what it sent")]
    wait_for(lambda: device.reconnections)
    wait_for(lambda: state(device) == "ok")
    assert (device.faults, device.tried, device.buffer.gaps) == ([], 3, 1)


def test_it_stops_at_once_while_it_waits_to_try_again(device: Device) -> None:
    device.retry_s = 60.0
    device.start()
    device.gone = True
    wait_for(lambda: device.tried > 1)
    begun = time.monotonic()
    device.stop()
    assert time.monotonic() - begun < 5.0
    assert not threads()


@pytest.mark.parametrize("others_go_on", [False, True])
def test_what_waited_while_this_program_was_held_up_is_no_silence(
    device: Device, monkeypatch: pytest.MonkeyPatch, others_go_on: bool
) -> None:
    """But a driver that hangs while the rest of the program has its turns is silent."""
    monkeypatch.setattr(awake, "HELD_UP_S", 0.25)
    device.lost_s, held = 0.3, threading.Event()
    device.start()
    wait_for(lambda: state(device) == "ok")
    poll = device._poll

    def hold() -> None:
        monkeypatch.setattr(device, "_poll", poll)
        begun = time.monotonic()
        while time.monotonic() - begun < 0.6:
            time.sleep(0.02)
            if others_go_on:
                awake.AWAKE.since()
        held.set()

    monkeypatch.setattr(device, "_poll", hold)
    assert held.wait(60.0)
    # It is still "ok" for a moment after the hold-up, until its own thread has had a turn.
    wait_for(lambda: device.reconnections if others_go_on else state(device) == "ok")
    assert device.reconnections == int(others_go_on)


def test_silence_is_a_stall_and_after_a_while_a_loss(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "STALL_S", 0.1)
    device.start()
    wait_for(lambda: state(device) == "ok")
    device.silent = True
    wait_for(lambda: state(device) == "stalled")
    device.lost_s = 0.2
    wait_for(lambda: device.reconnections)
    device.lost_s, device.silent = np.inf, False
    wait_for(lambda: state(device) == "ok")
