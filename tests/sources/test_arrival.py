"""Stamps against arrival: a clock that was set is told from losses and from delay, and its samples are right again."""

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pylsl import local_clock

from rtaffect.sources.arrival import ArrivalWatch, Chunk, Course
from rtaffect.sources.clock_offsets import Segment, correct
from rtaffect.stream.buffer import SampleBuffer
from tests.support.sender import Receiver, Sender, received


def jitter(sd_s):
    return lambda noise, true: np.abs(noise.normal(0.0, sd_s, len(true)))


def radio(noise, last):
    return 0.05 + noise.exponential(0.03, len(last))


WAYS = {"even": {}, "jittered": {"jitter": jitter(0.002)}, "radio": {"delay": radio}}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("jump", [0.08, 0.3, 0.4, 15.0, -0.08, -0.3, -0.4, -15.0])
def test_a_clock_that_was_set_is_found_and_what_follows_is_right(way, jump):
    sender = Sender(seconds=10.0, jumps=[(5.3, jump)], **WAYS[way])
    receiver, times, true, doubt = received(sender)
    assert len(times) == len(sender.truth)
    (when, by) = receiver.found[0]
    assert len(receiver.found) == 1
    assert when - sender.start - 5.3 < 1.3
    assert by == pytest.approx(-jump, abs=0.008)
    assert np.abs(times - true)[~doubt].max() < 0.009
    assert doubt.mean() < 0.3
    assert "clock-jump" in receiver.reasons()


@pytest.mark.parametrize("seconds", [1.5, 10.0, 20.0, 60.0])
def test_a_pause_of_arrivals_is_no_clock(seconds):
    """This program, or the radio, was held up: all comes later, stamped when it was taken."""
    end = 5005 + seconds
    held = lambda noise, last: np.where((last > 5005) & (last < end), end - last, 0.002)  # noqa: E731
    receiver, times, true, doubt = received(Sender(seconds=seconds + 15.0, delay=held))
    assert not receiver.found
    assert not doubt.any()
    np.testing.assert_allclose(times, true, atol=1e-6)


@pytest.mark.parametrize("delay", [None, radio])
def test_a_gap_is_no_clock(delay):
    receiver, times, true, doubt = received(Sender(seconds=12.0, lost=[(5.0, 6.5), (8.0, 8.2)], delay=delay))
    assert not receiver.found
    assert receiver.buffer.gaps == 2
    assert not doubt.any()
    np.testing.assert_allclose(times, true, atol=1e-6)


def test_delay_that_varies_much_is_no_clock():
    receiver, times, true, doubt = received(
        Sender(seconds=12.0, delay=lambda noise, last: noise.uniform(0, 0.8, len(last)))
    )
    assert not receiver.found
    assert not doubt.any()
    np.testing.assert_allclose(times, true, atol=1e-6)


def test_a_recording_gives_the_same_times():
    sender = Sender(
        seconds=14.0, jumps=[(4.0, 0.3), (7.0, -15.0), (10.0, 2.0)], lost=[(5.0, 5.05)], jitter=jitter(0.001)
    )
    receiver, times, _, _ = received(sender)
    assert len(receiver.found) == 3
    stamps, clocks, marks, samples, segment = [], [], [], 0, False
    for kind, content in receiver.tap.events:
        if segment and kind != "segment":
            marks.append(Segment(samples, len(clocks) if kind == "offset" else None))
            segment = False
        if kind == "segment":
            segment = True
        elif kind == "offset":
            clocks.append(content)
        else:
            stamps.append(content[0])
            samples += len(content[0])
    at, value = np.array(clocks).T
    corrected = correct(np.concatenate(stamps), at, value, marks)
    again = SampleBuffer(sender.rate, 1, seconds=600.0)
    begins = [mark.sample for mark in marks]
    for since, until in zip([0, *begins], [*begins, samples], strict=True):
        if since:
            again.begin_segment()
        again.push(np.zeros((until - since, 1)), corrected.stamps[since:until])
    np.testing.assert_allclose(again.read(0, math.inf).times, times, rtol=0, atol=1e-6)


def test_stamps_faster_than_arrivals_are_of_no_known_clock():
    """250 samples arrive in a second, and their stamps go on as if it were 125."""
    true_rate = Sender(seconds=9.0, mangle=lambda noise, stamps: stamps[0] + 2 * (stamps - stamps[0]))
    receiver, times, _, doubt = received(true_rate)
    assert doubt[times > 5001.0].all()
    assert "clock-unknown" in receiver.reasons()


def test_stamps_slower_than_arrivals_are_another_rate():
    slow = Sender(seconds=9.0, mangle=lambda noise, stamps: stamps[0] + (stamps - stamps[0]) / 2)
    receiver, _, _, _ = received(slow)
    assert receiver.buffer.status("head", "eeg", "ok", 5009.0).state == "wrong-rate"


def test_a_clock_that_is_set_again_and_again_is_not_known():
    receiver, times, _, doubt = received(Sender(seconds=12.0, jumps=[(t, 0.5) for t in (4.0, 5.5, 7.0, 8.5)]))
    assert len(receiver.found) == 4
    assert doubt[times > 5000.5].all()


def test_a_busy_computer_is_no_clock():
    """Arrivals are late by tenths of a second for seconds, while samples are lost now and then."""
    busy = lambda noise, last: np.where(last // 3 % 2 == 0, noise.exponential(0.15, len(last)), 0.0)  # noqa: E731
    lost = [(5.0, 5.3), (12.0, 13.0), (20.0, 20.1)]
    receiver, _, _, _ = received(Sender(seconds=25.0, delay=busy, jitter=jitter(0.001), lost=lost))
    assert not receiver.found


FOREIGN = {
    "Unix time in seconds": lambda noise, stamps: stamps + time.time(),
    "Unix time in milliseconds": lambda noise, stamps: (stamps + time.time()) * 1e3,
    "counts from its own start, in seconds": lambda noise, stamps: stamps - stamps[0] + 1.5,
    "counts from its own start, in microseconds": lambda noise, stamps: (stamps - stamps[0]) * 1e6,
    "an unknown clock, in seconds": lambda noise, stamps: stamps + 1.2e9,
    "without sense": lambda noise, stamps: noise.permutation(stamps) + 1e7,
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_stamps_of_another_clock_are_named_and_samples_placed_by_arrival(kind):
    receiver, times, true, doubt = received(Sender(seconds=6.0, mangle=FOREIGN[kind]))
    assert kind in receiver.delivery.note
    assert len(times) == 1500, "nothing is lost meanwhile"
    off = np.abs(times - true)
    assert off.max() < 0.02
    assert doubt.mean() < 0.1
    # What is recorded gives the same times.
    _, value = [content for kind, content in receiver.tap.events if kind == "offset"][-1]
    stamps = np.concatenate([content[0] for kind, content in receiver.tap.events if kind == "samples"])
    assert np.abs(stamps + value - true).max() < 0.02


@pytest.mark.parametrize("way_s", [0.02, 0.06])
def test_what_is_placed_by_arrival_moves_to_a_shorter_way(way_s):
    slow = lambda noise, last: np.where(last < 5002.0, way_s, 0.001)  # noqa: E731
    _, times, true, doubt = received(Sender(seconds=8.0, delay=slow, mangle=FOREIGN["an unknown clock, in seconds"]))
    off = np.abs(times - true)
    assert off[true > 5003.0].max() < 0.005
    assert not (off > 0.005)[~doubt].any()


@pytest.mark.parametrize(
    ("way_s", "foreign", "doubted"),
    [(None, "arrival", False), (0.03, "arrival", False), (0.1, "arrival", True), (0.1, "accept", False)],
)
@pytest.mark.parametrize("kind", ["counts from its own start, in seconds", "without sense"])
def test_what_a_long_way_displaces_is_not_relied_on_unless_that_is_accepted(kind, way_s, foreign, doubted):
    sender = Sender(seconds=6.0, mangle=FOREIGN[kind])
    receiver = Receiver(250.0, 1000.0, 5000.0, foreign, way_s)
    block = receiver.take(sender.chunks())
    assert ("by-arrival" in receiver.reasons()) is doubted
    assert receiver.doubtful(block.times).mean() == pytest.approx(float(doubted), abs=0.1)
    assert ("some 10 ms" if way_s is None else f"up to {way_s} s") in receiver.delivery.note
    # Another connection is judged anew.
    receiver.delivery.restart()
    assert not receiver.buffer.doubts.lasts("by-arrival")


def test_unix_time_of_this_computer_is_exact_however_long_the_way_is():
    now = time.time() - local_clock()
    sender = Sender(seconds=4.0, start=local_clock() - 6.0, offset=0.0, mangle=lambda noise, stamps: stamps + now)
    receiver = Receiver(250.0, 0.0, sender.start, way_s=0.1)
    receiver.delivery.here = True
    block = receiver.take(sender.chunks())
    assert "by-arrival" not in receiver.reasons()
    assert np.abs(block.times - sender.truth).max() < 0.002


def test_stamps_of_another_clock_can_be_refused():
    receiver = Receiver(250.0, 1000.0, 5000.0, foreign="refuse")
    sender = Sender(seconds=4.0, mangle=FOREIGN["Unix time in seconds"])
    block = receiver.take(sender.chunks())
    assert receiver.doubtful(block.times).all()
    assert receiver.reasons() == {"clock-unknown"}
    (doubt,) = receiver.buffer.doubts.within(-math.inf, math.inf)
    assert "Unix time in seconds" in doubt.words


def test_one_wild_stamp_at_the_start_is_no_other_clock():
    def wild(noise, stamps):
        out = stamps.copy()
        out[3] += 2e5
        return out

    receiver, _, _, _ = received(Sender(seconds=3.0, mangle=wild))
    assert receiver.delivery.note == ""


def test_what_is_held_is_not_lost_when_the_stream_ends():
    sender = Sender(seconds=5.5, jumps=[(5.3, 0.4)])
    receiver, times, _, doubt = received(sender)
    assert len(times) == len(sender.truth)
    assert not receiver.found
    assert doubt[times > 5005.7].all()


@pytest.mark.parametrize(
    "mangle",
    [
        lambda noise, stamps: np.full(len(stamps), math.nan),
        lambda noise, stamps: np.full(len(stamps), 7.0),
        lambda noise, stamps: noise.permutation(stamps),
        lambda noise, stamps: noise.normal(0, 1e6, len(stamps)),
        lambda noise, stamps: np.where(noise.random(len(stamps)) < 0.5, math.nan, stamps),
        lambda noise, stamps: np.where(noise.random(len(stamps)) < 0.01, math.inf, stamps),
    ],
)  # fmt: skip
def test_stamps_without_sense_raise_nothing_and_are_told(mangle):
    sender = Sender(seconds=8.0, mangle=mangle)
    _, times, true, doubt = received(sender)
    off = np.abs(times - true)
    assert not (off > 0.05)[~doubt].any()
    assert len(times) <= len(sender.truth)


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    jump=st.sampled_from([0.0, 1.0, -1.0]),
    size=st.floats(0.06, 30.0),
    ppm=st.floats(-200, 200),
    chunk=st.integers(5, 40),
    sd=st.sampled_from([0.0, 0.0005]),
    hole=st.floats(0.0, 2.0),
    share=st.sampled_from([0.0, 0.005]),
    way=st.sampled_from([None, radio]),
)
def test_every_sample_is_at_its_time_or_in_doubt(seed, jump, size, ppm, chunk, sd, hole, share, way):
    """Of a device that stamps samples itself, whatever happens: within 5 ms, and two samples after a loss."""
    sender = Sender(
        seconds=10.0, seed=seed, jumps=[(6.1, jump * size)], ppm=ppm, chunk=chunk, lost=[(3.0, 3.0 + hole)],
        lost_share=share, jitter=jitter(sd) if sd else None, delay=way,
    )  # fmt: skip
    receiver, times, true, doubt = received(sender)
    off = np.abs(times - true)
    assert off[~doubt].max() < 0.005 + (0.008 if share else 0.0)
    assert off[-100:].max() < 0.035
    assert not Receiver(250.0, 0.0, 0.0).found
    assert bool(receiver.found) == bool(jump)


def jumbled(size, first, last):
    """Stamps that are shuffled within ``size`` of them from ``first`` to ``last`` s."""

    def mangle(noise, stamps):
        out = stamps.copy()
        for begin in range(int(first * 250), int(last * 250), size):
            noise.shuffle(out[begin : begin + size])
        return out

    return mangle


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("size", [12, 25, 50, 100])
def test_after_stamps_without_sense_samples_are_at_their_times_again(size, seed):
    """What was added to stamps while they made no sense is not left there for good."""
    sender = Sender(seconds=32.0, chunk=5, mangle=jumbled(size, 10, 18), jitter=jitter(0.0005), seed=seed)
    _, times, true, doubt = received(sender)
    off = np.abs(times - true)
    assert not (off > 0.035)[~doubt].any()
    assert not doubt[true > 5000 + 26].any()
    assert off[true > 5000 + 26].max() < 0.035


def standing(since, seconds):
    """Stamps that stand still from ``since`` s on for so many ``seconds``."""

    def mangle(noise, stamps):
        out, first = stamps.copy(), int(since * 250)
        out[first : int((since + seconds) * 250)] = stamps[first]
        return out

    return mangle


@pytest.mark.parametrize("seconds", [1.5, 4.0, 10.06, 14.0])
@pytest.mark.parametrize("since", [15.0, 15.1, 15.3])
def test_stamps_that_stood_still_are_no_clock_that_was_set(since, seconds):
    """Whatever was taken for a clock meanwhile is undone at once when stamps agree with arrivals as before."""
    sender = Sender(seconds=since + seconds + 12.0, chunk=5, mangle=standing(since, seconds))
    receiver, times, true, doubt = received(sender)
    off, end = np.abs(times - true), sender.start + since + seconds
    assert not (off > 0.01)[~doubt].any()
    assert off[true > end + 3.0].max() < 1e-6
    assert not doubt[true > end + 6.0].any()
    assert receiver.found == []


@pytest.mark.parametrize("hole_s", [0.3, 0.6, 0.97, 1.5])
def test_a_hole_is_no_slower_rate(hole_s):
    """Samples that are missing by their stamps, too, were not to arrive: nothing is slower than it says."""
    watch, rate, at = ArrivalWatch(250.0), 250.0, 0
    for turn in range(240):
        stop = round((turn + 1) * 0.05 * rate)
        lost = hole_s if turn >= 100 else 0.0
        times = np.arange(at, stop) / rate + lost
        watch.take(Chunk(times, np.zeros((len(times), 1)), times[-1] + 0.02), 0.0)
        at = stop
        if turn >= 130 and not math.isnan(found := watch.rate()):
            assert found == pytest.approx(rate, rel=0.01)


def test_what_was_seen_is_as_a_list_of_it_would_be():
    """Rows are added and forgotten in any number, and replaced in between."""
    noise, course, expected = np.random.default_rng(5), Course(2), []
    for number in range(5000):
        course.add(number, -number)
        expected.append([number, -number])
        while expected and noise.random() < 0.5:
            course.drop_first()
            del expected[0]
        if number % 997 == 0:
            kept = course.rows[course.rows[:, 0] % 2 == 0]
            course.replace(kept)
            expected = [row for row in expected if row[0] % 2 == 0]
        assert len(course) == len(expected)
    expected += [[number, 0.0] for number in range(2000)]
    for number in range(2000):
        course.add(number, 0.0)
    np.testing.assert_array_equal(course.rows, expected)
