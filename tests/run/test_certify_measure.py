"""What a certificate computes finds what was planted, counts what is missing, and makes no value of nothing."""

from __future__ import annotations

import io
import math
import sys
import threading
import time

import numpy as np
import pytest

from rtaffect.common.settings import SignalSettings
from rtaffect.run.certify_clicks import (
    EARLIEST_S,
    LATEST_S,
    bells,
    click_sound,
    click_times,
    eeg_of,
    expected_eeg,
    expected_sound,
    sound_of,
)
from rtaffect.run.certify_measure import Aim, Drift, Offsets, Spread, delay_of, delays_in, without_jumps
from rtaffect.run.certify_receiver import _say
from rtaffect.stream.audio import SAMPLE_RATE

SIGNAL = SignalSettings()


def test_every_second_has_one_click_away_from_its_edges() -> None:
    times = click_times(5, 200)
    inside = times - np.floor(times)
    assert (np.floor(times) == np.arange(5, 200)).all()
    assert EARLIEST_S <= inside.min() < EARLIEST_S + 0.01 < LATEST_S - 0.01 < inside.max() <= LATEST_S


def test_a_click_is_in_the_sound_at_its_time_and_nowhere_else() -> None:
    times = np.array([1.2345678])
    sound = sound_of(times, 3, 48_000.0)[:, 0].astype(np.float64)
    at = np.arange(len(sound)) / 48_000 - times[0]
    assert np.allclose(sound, click_sound(at), atol=1e-7)
    assert np.abs(sound[np.abs(at) > 0.006]).max() == 0
    assert 0.3 < np.abs(sound).max() <= 0.5


@pytest.mark.parametrize("planted", [0.0, 0.0013, -0.0137, 0.09])
@pytest.mark.parametrize("polarity", [1.0, -1.0])
def test_a_planted_delay_of_the_sound_is_found(planted: float, polarity: float) -> None:
    rng = np.random.default_rng(3)
    for click in click_times(0, 8) - np.arange(8):
        at = np.arange(SAMPLE_RATE) / SAMPLE_RATE
        second = polarity * 0.02 * click_sound(at - click - planted) + rng.normal(0, 0.0005, SAMPLE_RATE)
        first = round((click - 0.19) * SAMPLE_RATE)
        heard = second[first : first + 6080]
        assert delay_of(heard, expected_sound(click, first - 2880, 6080 + 5760), SAMPLE_RATE) == pytest.approx(
            planted, abs=2e-5
        )


@pytest.mark.parametrize("planted", [0.0, 0.0013, -0.0042, 0.03])
@pytest.mark.parametrize("rate", [250.0, 1000.0])
def test_a_planted_delay_of_the_eeg_is_found_behind_its_filters(planted: float, rate: float) -> None:
    seconds, times = 12, click_times(-2, 14)
    at = np.arange(round(15 * rate)) / rate - 1.5
    expected = expected_eeg(times, at, SIGNAL, rate, seconds)
    late = expected_eeg(times + planted, at, SIGNAL, rate, seconds)
    noise = np.random.default_rng(0).normal(0, 0.1e-6, len(late))
    places = np.round(click_times(2, seconds - 1) * 100).astype(int).tolist()
    found = np.array(delays_in(late + noise, expected, places, (10, 30), 18)) / 100
    assert np.abs(found - planted).max() < 1e-4
    assert abs(np.median(found) - planted) < 2e-5


def test_what_is_no_click_or_is_missing_has_no_delay() -> None:
    expected = expected_sound(0.5, 0, SAMPLE_RATE)
    heard = expected[2880:-2880].copy()
    assert delay_of(heard, expected, SAMPLE_RATE) == pytest.approx(0, abs=1e-6)
    assert math.isnan(delay_of(np.zeros_like(heard), expected, SAMPLE_RATE))
    assert math.isnan(delay_of(np.random.default_rng(1).normal(0, 0.1, len(heard)), expected, SAMPLE_RATE))
    heard[100] = np.nan
    assert math.isnan(delay_of(heard, expected, SAMPLE_RATE))
    assert all(math.isnan(each) for each in delays_in(np.zeros(50), np.zeros(50), [5, 48], (10, 30), 18))


def test_offsets_count_missing_clicks_and_take_the_drift_off_the_jitter() -> None:
    times = np.arange(0.0, 600.0)
    rng = np.random.default_rng(2)
    offsets = 0.0013 + 20e-6 * (times - 300) + rng.normal(0, 0.0004, len(times))
    offsets[::50] = np.nan
    found = Offsets.of(offsets, times)
    assert (found.expected, found.found, found.missing) == (600, 588, 12)
    assert found.median == pytest.approx(1.3, abs=0.2)
    assert found.jitter_sd == pytest.approx(0.4, abs=0.03)
    assert 7.0 < found.p99_abs < 8.5
    line = Drift.of(offsets, times)
    assert line.ms_per_hour == pytest.approx(20 * 3.6, abs=1.5)
    assert line.low < 72 < line.high


def test_outliers_do_not_make_a_drift() -> None:
    times = np.arange(0.0, 100.0)
    offsets = np.full(100, 0.001)
    offsets[80:] = 0.05
    assert abs(Drift.of(offsets, times).ms_per_hour) < 1e-6


def test_a_device_that_stood_still_does_not_drift() -> None:
    times = np.arange(0.0, 60.0)
    zero = 5000 + 20e-6 * times + 0.04 * (times > 20) + 0.1 * (times > 41)
    assert Drift.of(without_jumps(zero, 0.003), times).ms_per_hour == pytest.approx(72, abs=3)
    assert len(without_jumps(np.empty(0), 0.003)) == 0


def test_nothing_gives_nothing() -> None:
    nothing = np.full(5, np.nan)
    found = Offsets.of(nothing, np.arange(5.0))
    assert (found.found, found.missing) == (0, 5)
    assert math.isnan(found.median)
    assert math.isnan(found.p99_abs)
    assert math.isnan(Drift.of(nothing, np.arange(5.0)).ms_per_hour)
    assert Spread.of([]).count == 0
    assert math.isnan(Spread.of([math.nan]).median)


@pytest.mark.parametrize(("found", "met"), [(1.9, True), (2.0, True), (2.1, False), (math.nan, False)])
def test_an_aim_is_met_only_by_what_was_measured(found: float, met: bool) -> None:
    aim = Aim("sound", 2.0, found, "ms")
    assert aim.met is met
    assert aim.line.startswith("met" if met else "MISSED")
    assert ("not measured" in aim.line) is math.isnan(found)


def test_the_noise_of_the_simulated_eeg_is_each_channels_own() -> None:
    at = np.arange(1000) / 250
    eeg = eeg_of(np.array([2.0]), at, 3, seed=1)
    alike = np.corrcoef((eeg - bells(np.array([2.0]), at)[:, None]).T)
    assert np.abs(alike - np.eye(3)).max() < 0.15
    assert eeg[500].min() > 40e-6


class SlowOutput(io.StringIO):
    """An output at which others may come between two writes."""

    def write(self, text: str) -> int:
        time.sleep(0.001)
        return super().write(text)


def test_what_two_threads_of_the_receiver_say_stands_in_lines_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that came by LSL and by OSC at once was taken for lost: the two lines had become one."""
    output = SlowOutput()
    monkeypatch.setattr(sys, "stdout", output)
    threads = [
        threading.Thread(target=lambda way=way: [_say(f"{way} {number} 1.0") for number in range(50)])
        for way in ("lsl", "osc")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(output.getvalue().splitlines()) == sorted(
        f"{way} {n} 1.0" for way in ("lsl", "osc") for n in range(50)
    )
