"""Sample times: smooth, the same for any chunking, honest about gaps and clock jumps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtaffect.stream.timebase import Timebase

RATE = 250.0


def in_chunks(stamps, sizes):
    """Return times and breaks of ``stamps`` given in chunks of ``sizes``, repeated."""
    base, at, times, breaks, turn = Timebase(RATE), 0, [], [], 0
    while at < len(stamps):
        n = sizes[turn % len(sizes)]
        done, found = base.update(stamps[at : at + n])
        times.append(done)
        breaks += found
        at, turn = at + n, turn + 1
    return np.concatenate(times), breaks, base


def bursts(seconds, period=0.25):
    """Stamps of samples that come in bursts, stamped at arrival: up to ``period`` s too late."""
    true = 100.0 + np.arange(int(seconds * RATE)) / RATE
    return true, np.ceil(true / period) * period


@settings(max_examples=40)
@given(sizes=st.lists(st.integers(1, 300), min_size=1, max_size=8), seed=st.integers(0, 1000))
def test_chunking_changes_nothing(sizes, seed):
    rng = np.random.default_rng(seed)
    stamps = 5.0 + np.arange(1500) / RATE + rng.normal(0, 0.01, 1500)
    stamps[rng.integers(1, 1500) :] += 2.0
    stamps[rng.integers(1, 1500) :] -= 3.0
    whole, breaks, base = in_chunks(stamps, [1500])
    parts, breaks_too, base_too = in_chunks(stamps, sizes)
    np.testing.assert_allclose(parts, whole, rtol=0, atol=1e-9)
    assert [b.sample for b in breaks_too] == [b.sample for b in breaks]
    np.testing.assert_allclose([b.jump_s for b in breaks_too], [b.jump_s for b in breaks], atol=1e-9)
    assert base_too.drift_ppm == pytest.approx(base.drift_ppm, abs=1e-3)


def test_bursts_become_even():
    _, stamps = bursts(60.0)
    times, breaks, _ = in_chunks(stamps, [10])
    settled = np.diff(times[len(times) // 2 :])
    # How many samples a burst has is known after two of them; time begins anew there.
    assert [b.sample for b in breaks if b.sample > RATE] == []
    assert np.diff(stamps).std() > 0.02
    assert settled.std() < 1e-4
    assert settled.mean() == pytest.approx(1 / RATE, rel=1e-3)
    assert np.all(settled > 0)


def test_even_stamps_pass_unchanged():
    stamps = 100.0 + np.arange(2000) / RATE
    times, breaks, base = in_chunks(stamps, [7, 64])
    np.testing.assert_allclose(times, stamps, rtol=0, atol=1e-9)
    assert not breaks
    assert base.drift_ppm == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("jump", [0.7, 5.0, -0.7, -40.0])
@pytest.mark.parametrize("at", [1, 999, 1000, 1001])
def test_a_jump_is_found_at_its_sample_with_its_size(jump, at):
    stamps = 100.0 + np.arange(3000) / RATE
    stamps[at:] += jump
    times, breaks, _ = in_chunks(stamps, [100])
    assert [b.sample for b in breaks] == [at]
    assert breaks[0].jump_s == pytest.approx(jump, abs=1e-6)
    np.testing.assert_allclose(times, stamps, rtol=0, atol=1e-6)


def test_jitter_below_the_threshold_is_no_jump():
    stamps = 100.0 + np.arange(5000) / RATE + np.random.default_rng(1).uniform(-0.15, 0.15, 5000)
    assert not in_chunks(stamps, [50])[1]


@pytest.mark.parametrize("ppm", [-200.0, -20.0, 20.0, 200.0])
def test_drift_has_the_right_sign_and_size(ppm):
    stamps = 100.0 + np.arange(int(150 * RATE)) / RATE * (1 + ppm * 1e-6)
    times, _, base = in_chunks(stamps, [25])
    assert base.drift_ppm == pytest.approx(ppm, rel=0.02)
    assert abs(times[-1] - stamps[-1]) < 1e-5


def test_no_stamps_are_no_times():
    times, breaks = Timebase(RATE).update(np.empty(0))
    assert len(times) == 0
    assert breaks == ()
