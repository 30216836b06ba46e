"""A session in which something goes wrong all the time: nothing grows, nothing is left open, no line is torn.

Eight hours of it are ``python -m bench.endurance``; here it is five minutes with a trouble every fifteen seconds.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from bench.endurance import PEOPLE, endure, headsets, torn, unrecorded
from rtaffect.simulation.faulty import KINDS, LONGEST_S, FaultySource, Trouble, troubles
from rtaffect.stream.source import StreamInfo

SECONDS, EVERY_S = 300, 15.0
RATE = 100.0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_session_full_of_trouble_leaves_nothing_behind(tmp_path: Path) -> None:
    looks, people = endure(tmp_path / "session", SECONDS, 2, EVERY_S)
    before, after, during = looks[0], looks[-1], looks[1:-1]
    assert (after.threads, after.files) == (before.threads, before.files)
    assert len({(look.threads, look.files) for look in during}) == 1
    assert torn(tmp_path / "session", SECONDS) == []
    assert unrecorded(tmp_path / "session", people) == 0
    # Between the windows that troubles reach into there are some that they do not.
    assert sum(look.valued for look in looks) > SECONDS / 10
    # What is not there ages, and no more than that; it is back when the device is.
    assert max(look.age_s for look in looks) <= LONGEST_S + 1.5
    half, end = (look for look in during if look.step in {SECONDS // 2, SECONDS})
    if half.memory_mb is not None and end.memory_mb is not None:
        # 4 MB a minute would be two gigabytes in eight hours.
        assert end.memory_mb - half.memory_mb < 10
    assert sum(person.buffer.gaps for person in people) > PEOPLE


def test_each_kind_of_trouble_comes_as_often_as_the_others() -> None:
    found = troubles(3000.0, 4, seed=1)
    assert Counter(t.kind for t in found) == dict.fromkeys(KINDS, 10)
    assert len(headsets(600, 60.0)) == PEOPLE


def source(*goes_wrong: Trouble) -> tuple[FaultySource, np.ndarray]:
    samples = np.random.default_rng(1).standard_normal((1000, 2))
    info = StreamInfo("A", "eeg", RATE, ("C3", "C4"), "simulated")
    return FaultySource(info, samples, 50.0, 10.0, goes_wrong), samples.astype(np.float32)


def read(of: FaultySource) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    of.advance(61.0)
    block = of.buffer.read(0, np.inf)
    return block.samples, block.times, block.breaks


def test_a_headset_without_trouble_plays_its_samples() -> None:
    whole, samples = source()
    played, times, breaks = read(whole)
    np.testing.assert_array_equal(played, samples)
    np.testing.assert_allclose(times, 50.0 + np.arange(1000) / RATE, atol=1e-9)
    assert (whole.status(61.0).state, whole.sent, breaks) == ("ended", 1000, ())


def test_channels_and_samples_go_missing_as_they_should() -> None:
    flat, samples = source(Trouble("flat", 2.0, 1.0, channel=1), Trouble("missing", 5.0, 0.5, channel=0))
    played, _, _ = read(flat)
    assert not played[200:300, 1].any()
    assert np.isnan(played[500:550, 0]).all()
    played[200:300, 1], played[500:550, 0] = samples[200:300, 1], samples[500:550, 0]
    np.testing.assert_array_equal(played, samples)
    gap, samples = source(Trouble("gap", 2.0, 1.0))
    played, times, breaks = read(gap)
    np.testing.assert_array_equal(played, np.delete(samples, np.arange(200, 300), axis=0))
    assert (breaks, gap.buffer.gaps, gap.sent) == ((200,), 1, 900)
    assert times[200] - times[199] > 1.0


def test_a_lost_headset_says_so_and_comes_back_in_a_new_segment() -> None:
    lost, _ = source(Trouble("loss", 2.0, 0.2))
    states = []
    for tenth in range(1, 41):
        lost.advance(50.0 + tenth / 10 - 1e-3)
        states.append(lost.status(50.0).state)
    assert states == ["ok"] * 20 + ["lost"] * 2 + ["ok"] * 18
    assert lost.buffer.read(0, np.inf).breaks == (200,)


def test_a_clock_that_jumps_goes_back() -> None:
    jumping, _ = source(Trouble("jump", 2.0, 3.0, jump_s=-2.0))
    _, times, breaks = read(jumping)
    assert breaks == (200, 500)
    np.testing.assert_allclose(times[[200, 500]], [50.0, 55.0], atol=1e-6)
