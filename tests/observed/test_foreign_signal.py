"""Channels that are called EEG and are none: found by what they send, within three seconds, in any chunking."""

from __future__ import annotations

import numpy as np
import pytest

from rtaffect.observed.foreign_signal import BEYOND, CLOCK, COUNTER, EEG, NOTHING, STATES, ForeignSignals, judge

RATE = 128
N = 20 * RATE
RNG = np.random.default_rng(3)


def noise(n=N, volts=10e-6):
    """Return pink-like noise (n,), V."""
    return np.cumsum(RNG.normal(0, 1, n) - 0.0) * volts / 20 + RNG.normal(0, volts / 4, n)


NUMBER = np.arange(N)
FOREIGN = {
    "a counter to 127": (NUMBER % 128 * 1e-6, COUNTER),
    "a counter in volts": (NUMBER * 1.0, COUNTER),
    "a packet's number, for twelve samples each": (NUMBER // 12 % 256 * 1e-6, COUNTER),
    "a counter downwards": (-3e-9 * NUMBER, COUNTER),
    "seconds": (4000 + NUMBER / RATE, COUNTER),
    "a clock that jitters": ((NUMBER + RNG.uniform(0, 0.9, N)) * 1e-6, CLOCK),
    "a trigger of half its period": (NUMBER % 32 // 16 * 5e-6, STATES),
    "a lamp each second sample": (NUMBER % 2 * 255e-6, STATES),
    "unix time as microvolts in single precision": (np.float32((1.7e9 + NUMBER / RATE) * 1e-6).astype(float), BEYOND),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_what_is_no_eeg_is_found_within_three_seconds(what):
    values, kind = FOREIGN[what]
    block = np.column_stack([noise(), values, noise(), noise()]).astype(np.float32)
    found = ForeignSignals(RATE, 4)
    found(block, NUMBER / RATE)
    assert found.at(3.0).tolist() == [NOTHING, kind, NOTHING, NOTHING]
    assert found.at(0.9).tolist() == [NOTHING] * 4


SETTLING = 50e-3 * np.exp(-NUMBER / RATE / 1.5)
TRUE = {
    "noise": noise(),
    "an offset of 4.2 mV": 4.2e-3 + noise(),
    "one that settles from 50 mV": SETTLING + noise(),
    "a drift": 30e-6 * NUMBER / RATE + noise(),
    "coarse steps of half a microvolt": np.round(noise() / 0.5e-6) * 0.5e-6,
    "alpha": 20e-6 * np.sin(2 * np.pi * 10.3 * NUMBER / RATE) + noise(volts=1e-6),
    "mains": 200e-6 * np.sin(2 * np.pi * 50 * NUMBER / RATE) + noise(),
    "an electrode that is off": np.zeros(N),
    "missing": np.full(N, np.nan),
    "volts sent as if they were microvolts": noise() * 1e6,
}


@pytest.mark.parametrize("what", TRUE)
def test_a_true_channel_is_left_alone(what):
    found = ForeignSignals(RATE, 1)
    found(TRUE[what].astype(np.float32)[:, None], NUMBER / RATE)
    assert all(found.at(t).tolist() == [NOTHING] for t in range(21))


def test_an_electrode_that_hung_at_a_rail_is_taken_again():
    values = noise()
    values[: 6 * RATE] = np.where(NUMBER[: 6 * RATE] % 2, 187e-3, -187e-3)
    found = ForeignSignals(RATE, 1)
    found(values[:, None], NUMBER / RATE)
    assert [int(found.at(t)[0]) for t in (1, 3, 6, 10, 12)] == [NOTHING, STATES, STATES, STATES, NOTHING]


def test_any_chunking_gives_the_same():
    block = np.column_stack([FOREIGN["a counter to 127"][0], noise()])
    whole, parts = ForeignSignals(RATE, 2), ForeignSignals(RATE, 2)
    whole(block, NUMBER / RATE)
    at = 0
    while at < N:
        size = int(RNG.integers(1, 70))
        parts(block[at : at + size], NUMBER[at : at + size] / RATE)
        at += size
    for t in np.arange(0, 20, 0.25):
        assert whole.at(t).tolist() == parts.at(t).tolist()


def test_if_all_are_beyond_it_is_the_unit_that_is_wrong():
    assert judge(np.column_stack([noise(RATE) + 5, noise(RATE) + 7])).tolist() == [EEG, EEG]
