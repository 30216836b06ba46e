"""The simulated headset as a child process: it starts, plays, fails and ends cleanly."""

import os
import subprocess
import time

import numpy as np
import pylsl
import pytest

from rtaffect.common.errors import StreamError
from rtaffect.simulation.headset import Jitter, SimulatedHeadset
from rtaffect.sources.lsl_streams import find_stream
from rtaffect.sources.selection import Query

RATE = 200.0


def headset(name, **options):
    samples = np.arange(2000.0)[:, None] * 1e-6
    return SimulatedHeadset(name, f"id {name}", samples, RATE, ["Cz"], **options)


def pull(name, seconds):
    """Return values and stamps of what stream ``name`` sends in the next ``seconds``."""
    inlet = pylsl.StreamInlet(find_stream(Query("name", name), settle=0.0).handle, recover=False)
    values, stamps = inlet.pull_chunk(timeout=seconds, max_samples=100000)
    return np.array(values)[:, 0], np.array(stamps)


def test_it_plays_on_time_from_its_onset():
    # Where a busy machine opens the outlet, or an inlet, after the onset, both get more time.
    for lead in (1.0, 5.0, 25.0):
        onset = pylsl.local_clock() + lead
        with headset("on time", onset=onset) as simulated:
            assert simulated.onset == onset
            inlet = pylsl.StreamInlet(find_stream(Query("name", "on time"), settle=0.0).handle, recover=False)
            inlet.open_stream(timeout=30.0)
            in_time = pylsl.local_clock() < onset
            chunk, stamps = inlet.pull_chunk(timeout=60.0, max_samples=150)
            late = pylsl.local_clock() - stamps[-1]
            inlet.close_stream()
        if in_time:
            break
    values = np.array(chunk)[:, 0]
    np.testing.assert_allclose(values, np.arange(150), atol=1e-3)
    np.testing.assert_allclose(stamps, onset + np.arange(150) / RATE, atol=1e-9)
    assert late < 0.5


def test_without_an_onset_it_starts_at_once_and_tells():
    simulated = headset("at once")
    with pytest.raises(StreamError, match="no onset yet"):
        assert simulated.onset
    before = pylsl.local_clock()
    with simulated:
        assert before < simulated.onset <= pylsl.local_clock()


def test_jitter_is_in_the_stamps_alone():
    with headset("jitter", faults=[Jitter(0.01)]) as simulated:
        values, stamps = pull("jitter", 1.5)
        deviation = stamps - (simulated.onset + np.round(values) / RATE)
    assert 0.005 < deviation.std() < 0.02


def test_a_child_that_fails_says_why():
    simulated = headset("broken", sample_format="complex64")
    start = time.monotonic()
    with pytest.raises(StreamError, match=r"(?s)did not open its outlet.*KeyError.*complex64"):
        simulated.__enter__()
    assert time.monotonic() - start < 25.0, "as soon as the child ends, and not when patience does"
    simulated.close()


def test_a_child_that_is_late_is_given_up():
    simulated = headset("late")
    simulated.start()
    with pytest.raises(StreamError, match=r"within 0 s"):
        simulated.wait_ready(timeout=0.0)


def test_closing_twice_leaves_neither_child_nor_files():
    simulated = headset("twice")
    with simulated:
        child, folder = simulated._child, simulated._folder
        assert child.poll() is None
        assert folder.exists()
    simulated.close()
    assert child.returncode == 0
    assert not folder.exists()


@pytest.mark.skipif(os.name != "posix", reason="process groups are POSIX")
def test_ctrl_c_in_a_terminal_does_not_reach_the_child():
    """It goes to the whole group: a session would lose its headset while it still writes."""
    with headset("Group") as sent:
        assert os.getpgid(sent._child.pid) != os.getpgid(0)


def test_the_child_ends_by_itself_when_its_parent_lets_go():
    with headset("orphan") as simulated:
        simulated._child.stdin.close()
        assert simulated._child.wait(60.0) == 0


def test_a_child_that_hangs_is_killed(monkeypatch):
    with headset("hangs") as simulated:
        child = simulated._child
        waits = iter([True, False])
        real = child.wait

        def wait(timeout=None):
            if next(waits):
                raise subprocess.TimeoutExpired("child", timeout)
            return real(timeout)

        monkeypatch.setattr(child, "wait", wait)
    assert child.poll() is not None


def test_names_must_fit_the_samples():
    with pytest.raises(ValueError, match="do not fit 2 channel names"):
        SimulatedHeadset("x", "x", np.zeros((10, 1)), RATE, ["A", "B"])


def test_a_stream_without_eeg_may_be_in_any_unit() -> None:
    SimulatedHeadset("band", "b", np.zeros((4, 1)), 4.0, ("GSR",), stream_type="GSR", types=("GSR",), unit="uS")
    with pytest.raises(StreamError, match="EEG unit 'uS' is not known"):
        SimulatedHeadset("cap", "c", np.zeros((4, 1)), 4.0, ("Fz",), types=("EEG",), unit="uS")
