"""Clocks: injected time, absolute deadlines, and a stop that wakes."""

from __future__ import annotations

import threading
import time

import pytest

from rtaffect.common.clock import InstantClock, LslClock, PacedClock


def test_instant_time_jumps_forward_and_never_back():
    clock, stop = InstantClock(100.0), threading.Event()
    assert clock.now() == 100.0
    begin = time.monotonic()
    clock.wait_until(3600.0, stop)
    assert time.monotonic() - begin < 60.0
    assert clock.now() == 3600.0
    clock.wait_until(50.0, stop)
    assert clock.now() == 3600.0


def test_paced_time_passes_at_its_speed_from_the_first_look_and_what_has_passed_is_not_waited_for(monkeypatch):
    clock = PacedClock(1000.0, speed=50.0)
    time.sleep(0.05)
    begin = time.monotonic()
    assert clock.now() == pytest.approx(1000.0, abs=0.5)
    clock.wait_until(1010.0, threading.Event())
    # Of the two bounds only the lower one is the clock's; at the pace of the room it would be 10 s.
    assert 0.19 <= time.monotonic() - begin < 5.0
    assert clock.now() >= 1010.0
    stop = threading.Event()
    monkeypatch.setattr(stop, "wait", lambda _: pytest.fail("it sleeps"))
    clock.wait_until(1005.0, stop)
    clock.wait_until(clock.now(), stop)


@pytest.mark.parametrize("make", [lambda: PacedClock(0.0, 0.5), LslClock], ids=["paced", "lsl"])
def test_stop_wakes_the_sleeper(make):
    clock, stop = make(), threading.Event()
    timer = threading.Timer(0.1, stop.set)
    begin = time.monotonic()
    timer.start()
    clock.wait_until(clock.now() + 30.0, stop)
    assert 0.05 < time.monotonic() - begin < 10.0
    timer.join()


def test_lsl_time_is_lsls():
    from pylsl import local_clock

    clock = LslClock()
    before = local_clock()
    assert before <= clock.now() <= local_clock()
    deadline = clock.now() + 0.1
    clock.wait_until(deadline, threading.Event())
    assert deadline <= clock.now() < deadline + 0.5
