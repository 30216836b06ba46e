"""What is no EEG never reaches the filters: what stands still, spikes, rails, pulled electrodes."""

from __future__ import annotations

import numpy as np
import pytest

from rtaffect.common.settings import Settings
from rtaffect.observed.participant import Participant
from rtaffect.observed.sample_gate import STILL_SAMPLES, SampleGate
from tests.observed.test_participant import listen
from tests.support.helpers import brain_noise, headset

RATE = 250.0
NAMES = ("C1", "C2", "C3")


def eeg(seconds: float = 30, seed: int = 0) -> np.ndarray:
    """Some 10 microvolts, on the offset that electrodes have, as float32 comes from the network."""
    offsets = 1e-3 * np.array([0.8, -3.0, 20.0])
    return 1e-5 * brain_noise(np.random.default_rng(seed), round(seconds * RATE), 3, RATE) + offsets


def at(second: float) -> int:
    return round(second * RATE)


def zeros(x: np.ndarray) -> None:
    x[at(15) : at(16), 1] = 0.0


def long_zeros(x: np.ndarray) -> None:
    x[at(15) : at(20), 1] = 0.0


def one_spike(x: np.ndarray) -> None:
    x[at(15.3), 1] = 1e30


def many_spikes(x: np.ndarray) -> None:
    x[at(15) : at(18), 1] = 1e30


def rail_to_rail(x: np.ndarray) -> None:
    x[at(15) : at(17), 1] = np.where(np.arange(at(2)) % 40 < 20, 0.19, -0.19)


def to_a_rail(x: np.ndarray) -> None:
    x[at(15) : at(18), 1] = 0.1875


def mains_burst(x: np.ndarray) -> None:
    x[at(15) : at(16.5), 1] += 3e-3 * np.sin(2 * np.pi * 50 * np.arange(at(1.5)) / RATE)


def repeated_packets(x: np.ndarray) -> None:
    x[at(15) : at(16), 1] = x[at(15), 1]


def slow_strike(x: np.ndarray) -> None:
    """Loud, but nowhere so sudden that the gate shuts: filters ring from it."""
    x[at(15) : at(15.4), 1] += 4e-3 * np.hanning(at(0.4))


FAULTS = {
    zeros: 1, long_zeros: 5, one_spike: 1, many_spikes: 3, rail_to_rail: 2, to_a_rail: 3, mains_burst: 2,
    repeated_packets: 1, slow_strike: 1,
}  # fmt: skip
#: Rows after its end within which there is a value again, where that takes longer than the filters' settling.
AFTER = {slow_strike: 350, mains_burst: 170}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
def test_a_fault_leaves_no_value_that_is_wrong_and_is_soon_over(fault):
    clean, spoilt = eeg(), eeg()
    fault(spoilt)
    right, found = (listen(headset(x, channels=NAMES), NAMES, 28, Settings()) for x in (clean, spoilt))
    expected, window = right.window(28, 25), found.window(28, 25)
    np.testing.assert_array_equal(window[:, [0, 2]], expected[:, [0, 2]])
    there = np.isfinite(window[:, 1])
    # The seconds before the fault, and those from the end of settling on, are there, and what is there is right.
    assert there[: 12 * 100 - 6].all()
    assert there[(12 + FAULTS[fault]) * 100 + AFTER.get(fault, 110) :].all()
    wrong = np.abs(window[:, 1] - expected[:, 1])[there]
    assert wrong[:1150].max() == 0
    assert wrong.max() < 4e-6
    assert np.corrcoef(window[there, 1], expected[there, 1])[0, 1] > 0.999


def test_an_offset_that_moves_for_good_is_taken_up():
    spoilt = eeg()
    spoilt[at(15) :, 1] += 5e-3
    found, right = (listen(headset(x, channels=NAMES), NAMES, 28) for x in (spoilt, eeg()))
    window, expected = found.window(28, 9)[:, 1], right.window(28, 9)[:, 1]
    assert np.isfinite(window).all()
    np.testing.assert_allclose(window, expected, atol=1e-6)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
def test_any_chunking_gives_the_same(fault):
    x = eeg()
    fault(x)
    x[at(9) : at(9.1)] = np.nan
    breaks = (at(6), at(6) + 1, at(22))
    whole = SampleGate(RATE, 3)(x, breaks)
    gate, rng, begin, parts = SampleGate(RATE, 3), np.random.default_rng(1), 0, []
    while begin < len(x):
        stop = min(len(x), begin + int(rng.integers(1, 400)))
        parts.append(gate(x[begin:stop], tuple(b - begin for b in breaks if begin <= b < stop)))
        begin = stop
    np.testing.assert_array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize("seed", range(3))
def test_eeg_passes_untouched_whatever_its_unit(scale, seed):
    x = scale * eeg(60, seed)
    # A blink, a jaw that is clenched, and mains.
    x[2000:2080] += scale * 200e-6 * np.hanning(80)[:, None]
    x[4000:4500] += scale * 60e-6 * np.random.default_rng(seed).standard_normal((500, 3))
    x += scale * 30e-6 * np.sin(2 * np.pi * 50 * np.arange(len(x)) / RATE)[:, None]
    np.testing.assert_array_equal(SampleGate(RATE, 3)(x), x)


def test_steps_of_a_coarse_converter_are_not_taken_for_standstill():
    x = np.round(eeg(60) / 0.5e-6) * 0.5e-6
    assert np.isnan(SampleGate(RATE, 3)(x)).mean() < 1e-3


@pytest.mark.parametrize("rate", [128.0, 250.0, 1000.0])
def test_standstill_is_noticed_within_50_ms_or_8_samples(rate):
    x = 1e-5 * np.random.default_rng(1).standard_normal((round(4 * rate), 1))
    begin = round(3 * rate)
    x[begin:] = x[begin]
    missing = np.flatnonzero(np.isnan(SampleGate(rate, 1)(x)[:, 0]))
    assert missing[0] - begin == max(STILL_SAMPLES, round(0.05 * rate)) - 1
    assert len(missing) == len(x) - missing[0]


def test_a_participant_says_that_a_wrong_unit_is_wrong():
    found: Participant = listen(headset(1e6 * eeg(), channels=NAMES), NAMES, 20)
    assert "check its unit" in found.unit_warning
