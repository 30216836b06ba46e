"""Sounds one after another on one clock: the same as each alone, whatever the pattern of delivery."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtaffect.predicted.sound_input import SoundInput
from rtaffect.sources.programme import TAIL_S, ProgrammeSource
from rtaffect.sources.sound_file import SoundFileSource
from rtaffect.stream.audio import SAMPLE_RATE
from rtaffect.timelock.stimulus import PlannedOnsets
from tests.support.helpers import BandFeaturizer

ORIGIN = 1000.0


def sound(seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, round(seconds * SAMPLE_RATE)).astype(np.float32)


def features(source: ProgrammeSource | SoundFileSource, steps: int, stride: float = 1.0) -> np.ndarray:
    heard = SoundInput(source, BandFeaturizer(), ORIGIN)
    source.start()
    found, at = [], ORIGIN
    for step in range(1, steps + 1):
        while at < ORIGIN + step + heard.lookahead_s:
            at = min(at + stride, ORIGIN + step + heard.lookahead_s)
            source.advance(at)
        heard.advance(step)
        found.append(heard.feature(step))
    return np.array(found)


def test_each_sound_is_read_as_if_it_were_alone():
    programme = ProgrammeSource()
    programme.place(sound(6, 1), ORIGIN + 3)
    programme.place(sound(5.4, 2), ORIGIN + 12)
    found = features(programme, 20)
    for samples, onset, whole in ((sound(6, 1), 3, 6), (sound(5.4, 2), 12, 5)):
        alone = SoundFileSource(samples, "alone", ORIGIN + onset)
        expected = features(alone, 20)[onset : onset + whole]
        assert np.isfinite(expected).all()
        np.testing.assert_array_equal(found[onset : onset + whole], expected)
    silent = [*range(3), *range(9, 12), *range(17, 20)]
    assert np.isnan(found[silent]).all()


@pytest.mark.parametrize("pause", [0.0, 0.02, 0.3, 0.6])
def test_a_short_pause_bends_no_times(pause):
    programme = ProgrammeSource()
    programme.place(sound(2, 1), ORIGIN)
    programme.place(sound(2, 2), ORIGIN + 2 + pause)
    programme.advance(ORIGIN + 10)
    block = programme.buffer.read(0, math.inf)
    first = 2 * SAMPLE_RATE
    silence = min(round(pause * SAMPLE_RATE), round(TAIL_S * SAMPLE_RATE))
    expected = np.concatenate(
        [
            ORIGIN + np.arange(first + silence) / SAMPLE_RATE,
            ORIGIN + 2 + pause + np.arange(2 * SAMPLE_RATE + round(TAIL_S * SAMPLE_RATE)) / SAMPLE_RATE,
        ]
    )
    np.testing.assert_allclose(block.times, expected, atol=1e-6)
    np.testing.assert_array_equal(block.samples[:first, 0], sound(2, 1))
    np.testing.assert_array_equal(block.samples[first + silence :][: 2 * SAMPLE_RATE, 0], sound(2, 2))


def test_a_sound_that_is_cut_ends_there():
    programme = ProgrammeSource()
    programme.place(sound(5), ORIGIN)
    programme.advance(ORIGIN + 1)
    programme.cut(ORIGIN + 2)
    assert programme.status(ORIGIN + 1.5).state == "ok"
    programme.advance(ORIGIN + 9)
    assert programme.buffer.received == 2 * SAMPLE_RATE
    assert programme.status(ORIGIN + 9).state == "waiting"
    assert "no sound" in programme.status(ORIGIN + 9).message
    programme.place(sound(1), ORIGIN + 10)
    programme.advance(ORIGIN + 12)
    assert programme.buffer.received > 3 * SAMPLE_RATE
    programme.stop()
    programme.stop()
    assert programme.status(ORIGIN + 12).state == "ended"


@given(st.lists(st.floats(0.01, 2.0), min_size=1, max_size=12))
def test_any_delivery_gives_the_same(strides):
    def delivered(steps: list[float]) -> tuple[np.ndarray, np.ndarray]:
        programme, at = ProgrammeSource(), ORIGIN - 1
        programme.place(sound(1, 1), ORIGIN)
        programme.place(sound(1, 2), ORIGIN + 1.5)
        for stride in steps:
            at += stride
            programme.advance(at)
        programme.advance(ORIGIN + 5)
        block = programme.buffer.read(0, math.inf)
        return block.samples, block.times

    for a, b in zip(delivered(strides), delivered([]), strict=True):
        np.testing.assert_array_equal(a, b)


def test_planned_onsets_tell_the_stimulus_of_each_second():
    lock = PlannedOnsets()
    lock.place("a", 2.0, 5.0)
    lock.place("b", 5.0, 7.4)
    found = []
    for _ in range(10):
        now = lock.step(())
        found.append((lock.stimulus, now.offset_s))
    names = [name for name, _ in found]
    assert names == ["", "", "a", "a", "a", "b", "b", "b", "", ""]
    assert [offset for name, offset in found if name] == [2.0] * 3 + [5.0] * 3


def test_a_planned_onset_that_is_cut_ends_there():
    lock = PlannedOnsets()
    lock.place("a", 1.0, 9.0)
    lock.cut(3.0)
    states = [lock.step(()).state for _ in range(5)]
    assert states == ["searching", "locked", "locked", "searching", "searching"]
