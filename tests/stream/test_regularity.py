"""What stamps tell of themselves: the same in any chunks, right or in doubt, and never an exception."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtaffect.stream.buffer import SampleBuffer
from rtaffect.stream.timebase import Timebase

RATE = 250.0


def even(seconds, rate=RATE):
    return 100.0 + np.arange(int(seconds * rate)) / rate


def pushed(stamps, rate=RATE, size=25):
    """Return a buffer of samples that are their own number, stamped ``stamps``."""
    buffer = SampleBuffer(rate, 1, seconds=600.0)
    for at in range(0, len(stamps), size):
        part = stamps[at : at + size]
        buffer.push(np.arange(at, at + len(part))[:, None], part)
    return buffer


def times_of(buffer):
    return buffer.read(0, math.inf).times


def doubtful(buffer, times):
    doubts = buffer.doubts.within(-math.inf, math.inf)
    return np.array([any(d.since <= t <= d.until for d in doubts) for t in times])


def reasons(buffer):
    return {doubt.reason for doubt in buffer.doubts.within(-math.inf, math.inf)}


def spoilt(seed, kind):
    """Return stamps with something wrong with them."""
    rng = np.random.default_rng(seed)
    true = even(12.0)
    if kind == "holes":
        keep = np.ones(len(true), bool)
        for at in rng.integers(1, len(true), 12):
            keep[at : at + rng.integers(1, 40)] = False
        return true[keep]
    if kind == "late":
        late = np.zeros(len(true))
        for at in rng.integers(1, len(true), 6):
            late[at : at + rng.integers(1, 60)] += rng.uniform(0.002, 0.3)
        return true + late
    if kind == "chunks":
        return np.repeat(true[31::32], 32)
    if kind == "doubled":
        twice = rng.random(len(true)) < 0.1
        return np.where(twice, np.concatenate([true[:1], true[:-1]]), true)
    if kind == "jumbled":
        return np.concatenate([rng.permutation(true[i : i + 25]) for i in range(0, len(true), 25)])
    if kind == "wild":
        return np.where(rng.random(len(true)) < 0.002, rng.uniform(-1e6, 1e6, len(true)), true)
    true[rng.integers(1, len(true)) :] += rng.uniform(-0.5, 0.5)
    return true + rng.normal(0, 0.002, len(true))


KINDS = ["holes", "late", "chunks", "doubled", "jumbled", "wild", "jump"]


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    kind=st.sampled_from(KINDS),
    sizes=st.lists(st.integers(7, 400), min_size=1, max_size=6),
)
def test_faults_are_found_alike_in_any_chunks(seed, kind, sizes):
    stamps = spoilt(seed, kind)
    whole = Timebase(RATE)
    times, breaks = whole.update(stamps)
    base, at, parts, found, odd, turn = Timebase(RATE), 0, [], [], [], 0
    while at < len(stamps):
        n = sizes[turn % len(sizes)]
        done, new = base.update(stamps[at : at + n])
        parts.append(done)
        found += new
        odd += base.odd
        base.odd = []
        at, turn = at + n, turn + 1
    np.testing.assert_allclose(np.concatenate(parts), times, rtol=0, atol=1e-6)
    assert [b.sample for b in found] == [b.sample for b in breaks]
    ours, theirs = sorted(odd), sorted(whole.odd)
    assert [o.reason for o in ours] == [o.reason for o in theirs]
    np.testing.assert_allclose([o[1:3] for o in ours], [o[1:3] for o in theirs], atol=1e-6)


@pytest.mark.parametrize("hole_s", [0.05, 0.08])
def test_a_hole_in_a_devices_own_stamps_is_a_break(hole_s):
    true = even(12.0)
    stamps = true[(true < 105.0) | (true >= 105.0 + hole_s)]
    buffer = pushed(stamps)
    block = buffer.read(0, math.inf)
    assert block.breaks == (np.searchsorted(stamps, 105.0),)
    assert buffer.gaps == 1
    np.testing.assert_allclose(block.times, stamps, atol=1e-6)


@pytest.mark.parametrize("ppm", [-200.0, 0.0, 200.0])
def test_samples_lost_here_and_there_do_not_move_the_others(ppm):
    rng = np.random.default_rng(3)
    true = 100.0 + np.arange(5000) / RATE * (1 + ppm * 1e-6)
    stamps = true[rng.random(len(true)) > 0.01]
    buffer = pushed(stamps)
    assert np.abs(times_of(buffer) - stamps).max() < 0.006
    assert not reasons(buffer)
    assert buffer.read(0, math.inf).breaks == ()


def test_many_losses_are_told_as_losses_and_not_as_another_rate():
    rng = np.random.default_rng(4)
    true = even(20.0)
    buffer = pushed(true[rng.random(len(true)) > 0.2])
    assert "losses" in reasons(buffer)
    assert buffer.status("head", "eeg", "ok", 120.0).state == "ok"
    assert doubtful(buffer, [104.0, 110.0, 119.0]).all()


def test_stamps_that_were_late_for_a_moment_are_told():
    stamps = even(8.0)
    stamps[1000:1030] += 0.2
    buffer = pushed(stamps)
    off = np.abs(times_of(buffer) - even(8.0))
    assert off.max() > 0.1
    assert off[~doubtful(buffer, even(8.0))].max() < 0.005


@pytest.mark.parametrize("spread_s", [0.004, 0.02])
def test_a_shift_in_jittered_stamps_is_followed_or_told(spread_s):
    rng = np.random.default_rng(5)
    true = even(40.0)
    stamps = true + rng.uniform(0, spread_s, len(true))
    stamps[5000:] -= 0.08
    true[5000:] -= 0.08
    buffer = pushed(stamps)
    off = np.abs(times_of(buffer) - true - spread_s / 2)
    assert off.max() > 0.05
    assert off[~doubtful(buffer, times_of(buffer))].max() < 0.03


def test_a_chunk_that_is_stamped_as_one_is_spread_and_ends_at_its_stamp():
    true = even(20.0)[: 32 * 156]
    buffer = pushed(np.repeat(true[31::32], 32), size=17)
    block = buffer.read(0, math.inf)
    wrong = np.abs(block.times - true) > 0.005
    assert not (wrong & ~doubtful(buffer, block.times) & ~doubtful(buffer, true)).any()
    assert wrong[250:].mean() == 0.0


def test_a_stamp_that_stands_twice_moves_nothing():
    buffer = pushed(spoilt(1, "doubled"))
    assert np.abs(times_of(buffer) - even(12.0)).max() < 0.005
    assert not reasons(buffer)


def test_stamps_that_stand_still_are_told():
    stamps = even(10.0)
    stamps[1000:] = stamps[1000]
    buffer = pushed(stamps)
    assert "stamps" in reasons(buffer)
    assert doubtful(buffer, [106.0, 109.0]).all()


def test_jumbled_stamps_are_told():
    buffer = pushed(spoilt(1, "jumbled"))
    assert doubtful(buffer, times_of(buffer)[:-125]).all()
    assert reasons(buffer) == {"stamps"}


@pytest.mark.parametrize(("declared", "sent"), [(125.0, 250.0), (500.0, 250.0), (250.0, 140.0)])
@pytest.mark.parametrize("chunk", [1, 10])
def test_another_rate_is_known_before_a_window_is_full(declared, sent, chunk):
    """Stamps of single samples, and of chunks whose stamps the sender made by the rate that it declares."""
    true = even(5.5, sent)
    number = np.arange(len(true))
    stamps = true[number // chunk * chunk] + number % chunk / declared
    status = pushed(stamps, declared).status("head", "eeg", "ok", 105.0)
    assert (status.state, "delivers" in status.message) == ("wrong-rate", True)


@pytest.mark.parametrize("off", [0.91, 0.999, 1.001, 1.09])
def test_a_rate_that_is_a_little_off_is_followed(off):
    stamps = even(20.0, RATE * off)
    buffer = pushed(stamps)
    assert buffer.status("head", "eeg", "ok", 120.0).state == "ok"
    assert np.abs(times_of(buffer) - stamps).max() < 0.03
    assert not reasons(buffer)


def test_samples_after_their_time_was_read_are_counted_and_told():
    buffer = SampleBuffer(RATE, 1)
    buffer.tells_late = True
    stamps = even(4.0)
    values = np.zeros((len(stamps), 1))
    buffer.push(values[:500], stamps[:500])
    buffer.read(0, 103.0)
    buffer.push(values[500:1000], stamps[500:1000])
    assert buffer.late_samples == pytest.approx(245, abs=2)
    assert buffer.doubts.lasts("late-samples")
    assert doubtful(buffer, [102.5]).all()
    buffer.read(1000, 103.5)
    buffer.read(1000, 103.9)
    assert not buffer.doubts.lasts("late-samples")
    assert not doubtful(buffer, [101.9]).any()


@settings(max_examples=40, deadline=None)
@given(stamps=st.lists(st.floats(-1e9, 1e9) | st.sampled_from([0.0, 1.0, 1.0, 100.0]), max_size=60))
def test_no_stamps_raise(stamps):
    buffer = pushed(np.array(stamps, np.float64), size=7)
    assert np.isfinite(times_of(buffer)).all()
    buffer.status("head", "eeg", "ok", 5.0)


def delayed(seconds, most_s, size=25, since=0.0, until=1e9):
    """Return true times and stamps of chunks of ``size`` samples that arrive up to ``most_s`` late, in order."""
    true = even(seconds)
    late = (most_s * np.random.default_rng(4).random(len(true) // size + 1)).repeat(size)[: len(true)]
    at = true - true[0]
    return true, np.maximum.accumulate(true + np.where((at >= since) & (at < until), late, 0.0))


@pytest.mark.parametrize("most_s", [0.03, 0.05, 0.1])
def test_stamps_of_arrival_are_laid_at_the_least_delay(most_s):
    true, stamps = delayed(40.0, most_s)
    buffer = pushed(stamps)
    off = times_of(buffer) - true
    sure = ~doubtful(buffer, times_of(buffer))
    assert np.abs(off[3000:][sure[3000:]]).max() < 0.006 + 0.15 * most_s, "their mean is half of the most"
    assert np.abs(off[3000:].mean()) < 0.002 + 0.07 * most_s
    assert sure[3000:].mean() > 0.9


def test_delays_that_begin_and_end_displace_nothing_that_is_not_in_doubt():
    true, stamps = delayed(60.0, 0.05, since=20.0, until=40.0)
    buffer = pushed(stamps)
    off, at = np.abs(times_of(buffer) - true), true - true[0]
    sure = ~doubtful(buffer, times_of(buffer)) & ~doubtful(buffer, true)
    assert off[sure].max() < 0.018
    assert off[at > 55.0].max() < 0.009
    assert sure[at > 45.0].mean() > 0.9


@pytest.mark.parametrize("spread_s", [0.0005, 0.002, 0.005])
def test_the_noise_of_a_clock_is_no_delay(spread_s):
    true = even(30.0)
    buffer = pushed(true + np.random.default_rng(1).normal(0.0, spread_s, len(true)))
    assert np.abs((times_of(buffer) - true)[2500:]).max() < 0.001
    assert not reasons(buffer)
