"""The buffer between a source and the engine: nothing lost without being counted."""

import math
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtaffect.stream.buffer import SampleBuffer
from rtaffect.stream.timebase import Timebase

RATE = 100.0


def filled(seconds, capacity_s=30.0, rate=RATE, start=50.0):
    """Return a buffer of one channel that counts, in chunks of ten."""
    buffer = SampleBuffer(RATE, 1, seconds=capacity_s)
    n = int(seconds * rate)
    for at in range(0, n, 10):
        numbers = np.arange(at, min(at + 10, n))
        buffer.push(numbers[:, None].astype(np.float32), start + numbers / rate)
    return buffer


@settings(max_examples=40)
@given(
    pushes=st.lists(st.integers(0, 40), min_size=1, max_size=15),
    reads=st.lists(st.floats(0, 0.4), min_size=1, max_size=15),
)
def test_reads_in_turn_give_every_sample_once(pushes, reads):
    buffer, at, cursor, until, got = SampleBuffer(RATE, 1), 0, 0, 50.0, []
    for i, n in enumerate(pushes):
        numbers = np.arange(at, at + n)
        buffer.push(numbers[:, None].astype(np.float32), 50.0 + numbers / RATE)
        at += n
        until += reads[i % len(reads)]
        block = buffer.read(cursor, until)
        assert block.first == cursor
        assert np.all(block.times <= until)
        cursor = block.stop
        got.append(block.samples[:, 0])
    got.append(buffer.read(cursor, math.inf).samples[:, 0])
    np.testing.assert_array_equal(np.concatenate(got), np.arange(at))
    assert buffer.overruns == 0


def test_an_overrun_is_counted_and_leaves_a_break():
    buffer = filled(5.0, capacity_s=2.0)
    block = buffer.read(0, math.inf)
    assert (block.first, block.stop) == (300, 500)
    assert buffer.overruns == 300
    assert block.breaks == (0,)
    np.testing.assert_array_equal(block.samples[:, 0], np.arange(300, 500))
    assert buffer.read(block.stop, math.inf).breaks == ()
    assert buffer.overruns == 300


def test_breaks_are_told_where_they_are():
    buffer = SampleBuffer(RATE, 1)
    stamps = 50.0 + np.arange(400) / RATE
    stamps[150:] += 2.0
    stamps[300:] -= 9.0
    buffer.push(np.zeros((400, 1), np.float32), stamps)
    assert buffer.read(0, math.inf).breaks == (150, 300)
    assert buffer.read(100, math.inf).breaks == (50, 200)
    assert (buffer.gaps, buffer.clock_jumps) == (1, 1)


def test_a_wrong_rate_is_noticed():
    status = filled(20.0, rate=80.0).status("head", "eeg", "ok", now=70.0)
    assert status.state == "wrong-rate"
    assert "declares 100 Hz but delivers 80" in status.message
    assert "--rate" in status.message


@pytest.mark.parametrize("rate", [99.0, 100.0, 101.0])
def test_drift_is_no_wrong_rate(rate):
    buffer = filled(20.0, rate=rate)
    assert buffer.status("head", "eeg", "ok", now=70.0).state == "ok"
    assert buffer.measured_rate == pytest.approx(rate, rel=1e-3)


def test_a_gap_is_no_wrong_rate():
    buffer = filled(10.0)
    numbers = np.arange(600)
    buffer.push(numbers[:, None].astype(np.float32), 63.0 + numbers / RATE)
    assert buffer.gaps == 1
    assert buffer.status("head", "eeg", "ok", now=69.0).state == "ok"


def test_a_new_segment_is_a_gap_however_short():
    buffer = filled(2.0)
    buffer.begin_segment()
    buffer.push(np.zeros((5, 1), np.float32), 52.03 + np.arange(5) / RATE)
    assert buffer.gaps == 1
    assert buffer.read(0, math.inf).breaks == (200,)


def test_status_before_the_first_sample():
    status = SampleBuffer(RATE, 3).status("head", "eeg", "waiting", now=5.0, message="not yet")
    assert math.isnan(status.age_s)
    assert (status.received, status.state, status.message) == (0, "waiting", "not yet")


def test_nan_passes():
    buffer = SampleBuffer(RATE, 2)
    buffer.push(np.array([[1.0, np.nan]]), np.array([50.0]))
    np.testing.assert_array_equal(buffer.read(0, math.inf).samples, [[1.0, np.nan]])


def test_a_writer_and_a_reader_at_once_lose_nothing():
    buffer, cursor, got = SampleBuffer(RATE, 1, seconds=2000.0), 0, []

    def write():
        for at in range(0, 20000, 20):
            numbers = np.arange(at, at + 20)
            buffer.push(numbers[:, None].astype(np.float32), numbers / RATE)

    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive() or cursor < 20000:
        block = buffer.read(cursor, math.inf)
        np.testing.assert_allclose(block.times, np.arange(block.first, block.stop) / RATE, atol=1e-6)
        got.append(block.samples[:, 0])
        cursor = block.stop
    writer.join()
    np.testing.assert_array_equal(np.concatenate(got), np.arange(20000))


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan, math.inf])
def test_an_irregular_rate_is_refused(rate):
    with pytest.raises(ValueError, match="regular rate"):
        SampleBuffer(rate, 1)


def test_stamps_must_fit_the_samples():
    with pytest.raises(ValueError, match="2 samples with 1 timestamps"):
        SampleBuffer(RATE, 1).push(np.zeros((2, 1)), np.zeros(1))


def test_the_tail_is_the_newest_seconds_and_no_reader_notices():
    buffer = filled(40)
    times, samples = buffer.tail(2.0)
    assert len(times) == len(samples) == 200
    assert samples[-1, 0] == 3999
    assert np.allclose(np.diff(times), 1 / RATE)
    assert times[-1] - times[0] < 2.0
    times[:], samples[:] = 0, 0
    assert buffer.tail(0.05)[1][-1, 0] == 3999
    block = buffer.read(3000, 1e9)
    assert (block.first, len(block.times), buffer.overruns) == (3000, 1000, 0)


@pytest.mark.parametrize("seconds", [0.0, 100.0])
def test_the_tail_has_no_more_than_there_is(seconds):
    assert len(filled(40, capacity_s=3).tail(seconds)[0]) == (300 if seconds else 0)
    times, samples = SampleBuffer(RATE, 2).tail(seconds)
    assert times.shape == (0,)
    assert samples.shape == (0, 2)


def test_the_tail_does_not_reach_over_a_gap():
    buffer = filled(5)
    late = 50.0 + 20.0 + np.arange(30) / RATE
    buffer.push(np.full((30, 1), 7.0, np.float32), late)
    times, samples = buffer.tail(2.0)
    assert np.all(samples == 7.0)
    assert np.allclose(times, late)


def test_stamps_are_made_times_when_somebody_asks_and_at_the_latest_after_a_while(monkeypatch):
    made: list[int] = []
    update = Timebase.update
    monkeypatch.setattr(Timebase, "update", lambda self, stamps: made.append(len(stamps)) or update(self, stamps))
    buffer = SampleBuffer(500.0, 1)
    for number in range(30):
        stamps = 100 + (10 * number + np.arange(10)) / 500
        buffer.push(np.zeros((10, 1)), stamps)
        # The caller's own again.
        stamps[:] = 0.0
    assert made == [250], "each .5 s, not with each chunk"
    buffer.push(np.zeros((10, 1)), 100 + (300 + np.arange(10)) / 500)
    assert buffer.received == 310
    assert buffer.newest == pytest.approx(100 + 309 / 500)
    assert made == [250, 60]
    np.testing.assert_allclose(buffer.read(0, np.inf).times, 100 + np.arange(310) / 500)


def test_a_hole_is_told_to_whoever_asks_at_once():
    asked = (
        lambda b: b.gaps, lambda b: len(b.holes_since(0)[1]), lambda b: len(b.read(0, np.inf).breaks),
        lambda b: b.status("x", "eeg", "ok", 0.0).gaps,
    )  # fmt: skip
    for ask in asked:
        buffer = SampleBuffer(500.0, 1)
        buffer.push(np.zeros((5, 1)), 100 + np.arange(5) / 500)
        buffer.push(np.zeros((5, 1)), 103 + np.arange(5) / 500)
        assert ask(buffer) == 1
