"""The signal path against scipy, closed forms, and itself in other chunks."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import sosfilt, sosfilt_zi, sosfreqz

from rtaffect.common.errors import SettingsError
from rtaffect.common.settings import SignalSettings
from rtaffect.observed.signal_path import CausalFilter, SignalPath, design_filter
from rtaffect.stream.grid import GridInterpolator

SETTINGS = SignalSettings()
N = 1200
BREAKS = (450, 700, 701)


def on_grid(pieces: list[tuple[int, np.ndarray]], length: int, channels: int) -> np.ndarray:
    """Lay pieces on an empty grid; overlapping ones are an error."""
    out = np.full((length, channels), np.nan)
    last = 0
    for first, values in pieces:
        assert first >= last, "pieces must not go back"
        out[first : first + len(values)] = values
        last = first + len(values)
    return out


def through(path: SignalPath, samples: np.ndarray, times: np.ndarray, cuts: list[int], breaks=()) -> list:
    """Feed a path in the chunks that ``cuts`` make."""
    pieces = []
    for a, b in pairwise([0, *cuts, len(samples)]):
        pieces += path(samples[a:b], times[a:b], tuple(k - a for k in breaks if a <= k < b))
    return pieces


def messy() -> tuple[np.ndarray, np.ndarray]:
    """Three channels at 250 Hz with missing values, one channel missing at the start, and jumps in time."""
    rng = np.random.default_rng(3)
    samples = 1e-5 * rng.standard_normal((N, 3)).cumsum(axis=0)
    samples[100:130, 0] = np.nan
    samples[200, :] = np.nan
    samples[:40, 1] = np.nan
    samples[445:460, 2] = np.nan
    samples[rng.integers(800, N, 5), 0] = np.inf
    times = 0.013 + np.arange(N) / 250.02
    times[450:] += 1.0
    times[700:] += 0.8
    times[701:] += 0.1
    return samples, times


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, N), max_size=40).map(sorted))
def test_any_chunking_gives_the_same_bits(cuts):
    samples, times = messy()
    fast = SETTINGS.model_copy(update={"settle_s": 0.2})
    whole = on_grid(through(SignalPath(fast, 250, 3), samples, times, [], BREAKS), 800, 3)
    parts = on_grid(through(SignalPath(fast, 250, 3), samples, times, cuts, BREAKS), 800, 3)
    assert np.isfinite(whole).any(axis=0).all()
    np.testing.assert_array_equal(parts, whole)


def test_single_samples_give_the_same_bits():
    samples, times = messy()
    fast = SETTINGS.model_copy(update={"settle_s": 0.2})
    whole = on_grid(through(SignalPath(fast, 250, 3), samples, times, [], BREAKS), 800, 3)
    single = on_grid(through(SignalPath(fast, 250, 3), samples, times, list(range(1, N)), BREAKS), 800, 3)
    np.testing.assert_array_equal(single, whole)


def test_filter_equals_scipy_on_the_whole():
    samples = np.random.default_rng(0).standard_normal((2000, 2)) + 5
    sos = design_filter(SETTINGS, 256)
    expected, _ = sosfilt(sos, samples, axis=0, zi=sosfilt_zi(sos)[:, :, None] * samples[0])
    causal = CausalFilter(sos)
    found = np.concatenate([causal(samples[a:b]) for a, b in pairwise([0, 1, 17, 900, 2000])])
    np.testing.assert_array_equal(found, expected)


def test_grid_instants_that_are_samples_come_out_as_filtered():
    """At 200 Hz from a grid instant on, every second filtered sample is a grid value."""
    samples = np.random.default_rng(1).standard_normal((2000, 2))
    sos = design_filter(SETTINGS, 200)
    filtered, _ = sosfilt(sos, samples, axis=0, zi=sosfilt_zi(sos)[:, :, None] * samples[0])
    found = on_grid(SignalPath(SETTINGS, 200, 2)(samples, 2.0 + np.arange(2000) / 200), 1200, 2)
    settle = SETTINGS.rate_hz * SETTINGS.settle_s
    first = int(200 + settle + 6)
    # The table of weights is read within its rounding of the phase 0 or 1.
    np.testing.assert_allclose(found[first:1190], filtered[::2][first - 200 : 990], atol=1e-8)
    assert np.isnan(found[: int(200 + settle)]).all()


@pytest.mark.parametrize("rate", [128, 250, 256, 500, 512, 1000])
@pytest.mark.parametrize("drift_ppm", [-300, 0, 300])
@pytest.mark.parametrize("frequency", [2.0, 10.0, 27.0])
def test_sinusoids_come_out_as_the_transfer_function_says(rate, drift_ppm, frequency):
    """A drifting device's samples lie at their true times; the digital filter acts at its true rate."""
    true_rate = rate * (1 + drift_ppm * 1e-6)
    times = 0.0371 + np.arange(round(20 * rate)) / true_rate
    path = SignalPath(SETTINGS, rate, 1)
    found = on_grid(path(np.sin(2 * np.pi * frequency * times)[:, None], times), 2100, 1)[1000:1900, 0]
    _, (gain,) = sosfreqz(design_filter(SETTINGS, rate), [2 * np.pi * frequency / true_rate])
    expected = np.abs(gain) * np.sin(2 * np.pi * frequency * np.arange(1000, 1900) / 100 + np.angle(gain))
    assert np.abs(found - expected).max() < 1e-3 * np.abs(gain)


def gain_at(frequency: float, rate: float = 256.0) -> float:
    times = np.arange(round(20 * rate)) / rate
    wave = np.cos(2 * np.pi * frequency * times + 0.3)[:, None]
    out = on_grid(SignalPath(SETTINGS, rate, 1)(wave, times), 2000, 1)[1000:1900, 0]
    return float(np.sqrt(2) * out.std())


def test_band_passes_and_mains_and_offset_do_not():
    assert gain_at(8.0) == pytest.approx(1, abs=0.02)
    assert gain_at(15.0) == pytest.approx(1, abs=0.02)
    assert gain_at(1.0) == pytest.approx(np.sqrt(0.5), abs=0.02)
    assert gain_at(30.0) == pytest.approx(np.sqrt(0.5), abs=0.05)
    assert gain_at(50.0) < 1e-3
    assert gain_at(60.0) < 0.1
    assert gain_at(0.25) < 0.01


def test_an_offset_leaves_nothing_from_the_first_value_on():
    out = on_grid(SignalPath(SETTINGS, 256, 1)(np.full((1000, 1), 0.3), np.arange(1000) / 256), 400, 1)
    assert np.nanmax(np.abs(out)) < 1e-9
    assert np.isfinite(out).any()


@pytest.mark.parametrize(
    ("mains_hz", "rate", "removed"), [(50, 250, [50, 100]), (60, 150, [60]), (50, 90, []), (0, 250, [])]
)
def test_mains_and_its_harmonics_are_notched_out(mains_hz, rate, removed):
    chosen, off = (SETTINGS.model_copy(update={"mains_hz": float(hz)}) for hz in (mains_hz, 0))
    at = np.array([10.0, 25.0, 40.0, *removed])
    _, response = sosfreqz(design_filter(chosen, rate), at, fs=rate)
    _, plain = sosfreqz(design_filter(off, rate), at, fs=rate)
    np.testing.assert_allclose(np.abs(response[:2]), np.abs(plain[:2]), rtol=0.02)
    assert (np.abs(response[3:]) < 1e-3 * np.abs(plain[3:])).all()
    assert len(design_filter(chosen, rate)) == len(design_filter(off, rate)) + len(removed)


def test_headsets_of_other_rates_and_starts_agree_on_the_grid():
    rng = np.random.default_rng(5)
    frequency, phase = rng.uniform(1.5, 28, 60), rng.uniform(0, 2 * np.pi, 60)
    amplitude = 1 / np.sqrt(frequency)

    def heard(rate: float, ppm: float, start: float) -> np.ndarray:
        times = start + np.arange(round(20 * rate)) / (rate * (1 + ppm * 1e-6))
        wave = (amplitude * np.sin(2 * np.pi * frequency * times[:, None] + phase)).sum(axis=1)
        return on_grid(SignalPath(SETTINGS, rate, 1)(wave[:, None], times), 2200, 1)[300:1900, 0]

    first = heard(256, 200, 0.137)
    for other in (heard(500, -150, 0.002), heard(128, 0, 0.4999), heard(1000, 300, 0.0)):
        assert np.corrcoef(first, other)[0, 1] > 0.99


def test_missing_samples_leave_their_channel_empty_until_it_has_settled():
    rate, times = 250, np.arange(2500) / 250
    samples = 1e-5 * np.random.default_rng(2).standard_normal((2500, 2))
    samples[1000:1050, 1] = np.nan
    out = on_grid(SignalPath(SETTINGS, rate, 2)(samples, times), 1000, 2)
    clean = on_grid(SignalPath(SETTINGS, rate, 2)(np.nan_to_num(samples), times), 1000, 2)
    np.testing.assert_array_equal(out[:, 0], clean[:, 0])
    empty = np.flatnonzero(np.isnan(out[200:980, 1])) + 200
    # From 1000 / 250 = 4 s to 1050 / 250 + settle = 5.2 s, and as far as the interpolation reaches.
    reach = GridInterpolator.HALF / rate * 100 + 1
    assert 400 - reach <= empty[0] <= 400
    assert 519 <= empty[-1] <= 520 + reach
    assert len(empty) == empty[-1] - empty[0] + 1, "one hole"


def test_a_channel_that_is_never_there_stays_empty_and_harms_no_other():
    samples = 1e-5 * np.random.default_rng(2).standard_normal((1500, 2))
    absent = samples.copy()
    absent[:, 1] = np.nan
    times = np.arange(1500) / 250
    out = on_grid(SignalPath(SETTINGS, 250, 2)(absent, times), 600, 2)
    assert np.isnan(out[:, 1]).all()
    np.testing.assert_array_equal(out[:, 0], on_grid(SignalPath(SETTINGS, 250, 2)(samples, times), 600, 2)[:, 0])


def test_a_channel_that_comes_late_starts_then():
    rng = np.random.default_rng(4)
    samples, times = 0.05 + 1e-5 * rng.standard_normal((2000, 2)), np.arange(2000) / 250
    late = samples.copy()
    late[:700, 1] = np.nan
    out = on_grid(SignalPath(SETTINGS, 250, 2)(late, times), 900, 2)
    alone = on_grid(SignalPath(SETTINGS, 250, 1)(samples[700:, 1:], times[700:]), 900, 1)
    assert np.isnan(out[:380, 1]).all()
    np.testing.assert_allclose(out[390:780, 1], alone[390:780, 0], atol=1e-12)


def test_a_gap_leaves_a_hole_of_its_length_and_the_settling():
    rate = 250
    times = np.arange(3000) / rate
    times[1500:] += 2.0
    out = on_grid(
        SignalPath(SETTINGS, rate, 1)(np.random.default_rng(0).standard_normal((3000, 1)), times, (1500,)), 1400, 1
    )
    hole = np.flatnonzero(np.isnan(out[200:1300, 0])) + 200
    reach = GridInterpolator.HALF / rate * 100 + 1
    assert 600 - reach <= hole[0] <= 600
    assert 899 <= hole[-1] <= 900 + reach
    assert len(hole) == hole[-1] - hole[0] + 1


@pytest.mark.parametrize("settle_s", [0.0, 1.0])
def test_after_a_gap_nothing_of_before_remains(settle_s):
    """What comes after a break is what a new path gives, and nothing is drawn across."""
    rng = np.random.default_rng(8)
    before, after = 1e-3 * rng.standard_normal((900, 2)), rng.standard_normal((900, 2))
    times, chosen = np.arange(900) / 250, SETTINGS.model_copy(update={"settle_s": settle_s})
    path = SignalPath(chosen, 250, 2)
    path(before, times)
    found = on_grid(path(after, times + 10, (0,)), 1400, 2)
    np.testing.assert_array_equal(found, on_grid(SignalPath(chosen, 250, 2)(after, times + 10), 1400, 2))
    assert np.isnan(found[:1000]).all()
    assert np.isfinite(found[1150:1340]).all()


def test_output_is_not_held_back_longer_than_it_says():
    path = SignalPath(SETTINGS, 250, 1)
    times = np.arange(0, 4.0 + path.lookahead_s, 1 / 250)
    (first, values), *_ = path(np.zeros((len(times), 1)), times)
    assert first == 0
    assert len(values) >= 400


def test_flushed_interpolator_reaches_the_last_sample():
    grid = GridInterpolator(100, 100, 1)
    samples = np.sin(np.arange(200) / 5)[:, None]
    first, head = grid(samples, np.arange(200) / 100)
    then, tail = grid.flush()
    assert (first, then) == (0, len(head))
    np.testing.assert_allclose(np.concatenate([head, tail]), samples[: len(head) + len(tail)], atol=1e-6)
    assert len(head) + len(tail) >= 199
    assert grid.flush()[1].shape == (0, 1)


@pytest.mark.parametrize("rate", [60.0, 50.0])
def test_too_slow_a_headset_is_refused_with_the_remedy(rate):
    with pytest.raises(SettingsError, match=rf"{rate:g} Hz.*more than 60 Hz.*lower lowpass_hz"):
        SignalPath(SETTINGS, rate, 1)
    SignalPath(SETTINGS, 61, 1)


@pytest.mark.parametrize("change", [{"lowpass_hz": 50.0}, {"highpass_hz": 30.0}, {"highpass_hz": 0.0}, {"order": 0}])
def test_settings_that_cannot_work_are_refused(change):
    with pytest.raises(ValueError, match=next(iter(change)).split("_")[0] if "order" in change else "Hz|greater"):
        SignalSettings(**change)
