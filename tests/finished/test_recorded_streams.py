"""The report's table of streams is of the timebase that the session had, not of raw stamps."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.finished.report.recording import facts_of
from rtaffect.sources.clock_offsets import Segment
from rtaffect.sources.xdf_file import RecordedStream
from rtaffect.stream.buffer import SampleBuffer
from rtaffect.stream.source import StreamHeader

RATE, SECONDS, BEGAN = 256.0, 90, 1000.0


def recorded(stamps: NDArray[np.float64], **more: object) -> RecordedStream:
    header = StreamHeader("Muse", "EEG", RATE, "float32", ("TP9",), ("microvolts",))
    known: dict[str, object] = {
        "clock_times": np.array([BEGAN]),
        "clock_values": np.array([0.25]),
        "segments": (),
        **more,
    }
    return RecordedStream(1, header, stamps, np.zeros((len(stamps), 1), np.float32), **known)


def bunched(seed: int = 0) -> NDArray[np.float64]:
    """Stamps of samples that come twelve at a time, up to 60 ms late, all stamped within 2 ms when they come."""
    draw = np.random.default_rng(seed)
    count = round(RATE * SECONDS) // 12
    came = BEGAN + (np.arange(count) + 1) * 12 / RATE + draw.uniform(0, 0.06, count)
    came = np.maximum.accumulate(came)
    return (came[:, None] + np.linspace(0, 0.002, 12)).ravel()


def live(stamps: NDArray[np.float64]) -> SampleBuffer:
    """The buffer of a session that got these."""
    buffer = SampleBuffer(RATE, 1)
    for part in np.array_split(stamps, SECONDS * 4):
        buffer.push(np.zeros((len(part), 1)), part + 0.25)
    return buffer


def test_stamps_in_bunches_are_no_gaps() -> None:
    """By raw stamps most of the time seemed to be lost, and the rate to be thousands of Hz."""
    stamps = bunched()
    steps = np.diff(stamps)
    assert steps[steps > 2.5 / RATE].sum() > SECONDS / 2
    facts, buffer = facts_of(recorded(stamps)), live(stamps)
    assert (facts.gaps, facts.back) == (buffer.gaps, buffer.clock_jumps) == (0, 0)
    assert facts.lost_s == 0.0
    assert facts.rate == pytest.approx(RATE, rel=1e-3)


def test_what_is_missing_is_what_the_session_missed() -> None:
    even = BEGAN + np.arange(round(RATE * SECONDS)) / RATE * (1 + 40e-6)
    stamps = np.delete(even, np.r_[5000:5256, 9000:9128])
    facts, buffer = facts_of(recorded(stamps)), live(stamps)
    assert facts.gaps == buffer.gaps == 2
    assert (facts.lost_s, facts.longest_s) == (pytest.approx(1.5, abs=0.01), pytest.approx(1.0, abs=0.01))
    assert facts.drift_ppm == pytest.approx(-40, abs=1)


def test_a_device_that_came_back_is_a_gap() -> None:
    even = BEGAN + np.arange(round(RATE * SECONDS)) / RATE
    stamps = np.delete(even, np.s_[5000:6000])
    facts = facts_of(recorded(stamps, segments=(Segment(5000),)))
    assert (facts.gaps, facts.resets) == (1, 1)
    assert facts.lost_s == pytest.approx(1000 / RATE, abs=0.01)


def test_a_rate_that_is_declared_wrongly_is_told_as_delivered() -> None:
    stamps = BEGAN + np.arange(128 * SECONDS) / 128.0
    facts = facts_of(recorded(stamps))
    assert facts.rate == pytest.approx(128.0, rel=0.01)
