"""A thread that is started, asked to stop, and waited for."""

from __future__ import annotations

import threading
import time

from rtaffect.common.worker import Worker


def named(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == name]


def test_it_runs_until_it_is_stopped_and_may_be_started_again():
    turns = []

    def run() -> None:
        while not worker.wait(0.001):
            turns.append(worker.running)

    worker = Worker("worker under test", run)
    assert (worker.running, worker.stopping) == (False, False)
    for _ in range(2):
        turns.clear()
        worker.start()
        worker.start()
        assert len(named("worker under test")) == 1
        while not turns:
            time.sleep(0.001)
        worker.stop()
        worker.stop()
        assert not named("worker under test")
        assert (worker.running, worker.stopping) == (False, True)


def test_a_wait_ends_at_once_when_the_thread_is_to_stop():
    worker = Worker("waits", lambda: worker.wait(60.0) and None)
    worker.start()
    begun = time.monotonic()
    worker.stop()
    assert time.monotonic() - begun < 5.0
    assert worker.wait(60.0)


def test_what_does_not_end_is_left_alone():
    done = threading.Event()
    worker = Worker("is slow", done.wait)
    worker.start()
    worker.stop(timeout=0.01)
    assert not worker.running
    (slow,) = named("is slow")
    done.set()
    slow.join()


def test_it_may_be_stopped_before_it_is_started():
    worker = Worker("never", lambda: None)
    worker.stop()
    assert worker.stopping
    assert not worker.running


def test_a_pause_ends_when_it_is_woken_and_when_the_thread_is_to_stop() -> None:
    turns: list[bool] = []

    def run() -> None:
        while not worker.stopping:
            worker.pause(60.0)
            turns.append(worker.stopping)

    worker = Worker("pauses", run)
    worker.start()
    while not turns:
        worker.wake()
        time.sleep(0.001)
    worker.stop(10.0)
    assert not named("pauses")
    assert turns[-1]
