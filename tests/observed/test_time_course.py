"""The signals whose synchrony can be computed: against numpy, closed forms, planted modulations, and other chunks."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.signal import butter, lfilter, sosfilt, sosfreqz

from rtaffect.common.settings import BANDS_HZ, Settings, SignalSettings, SynchronySettings
from rtaffect.observed.time_course import TimeCourseSignal, differential_entropy, settling_s, smoother
from tests.support.helpers import RATE

KINDS = ("broadband", "difference", "envelope", "entropy")
WIDE = SignalSettings(lowpass_hz=45.0)
N = 900


def chosen(kind: str, band: str = "alpha", *, signal: SignalSettings = WIDE, **more: float) -> Settings:
    return Settings(signal=signal, synchrony=SynchronySettings(signal=kind, band=band, **more))


def through(course: TimeCourseSignal, samples: np.ndarray, cuts: list[int] | None = None) -> np.ndarray:
    """Feed a course in the chunks that ``cuts`` make, by default second by second."""
    cuts = list(range(RATE, len(samples), RATE)) if cuts is None else cuts
    return np.concatenate([course(samples[a:b]) for a, b in pairwise([0, *cuts, len(samples)])])


def noise(n: int, columns: int, seed: int = 0) -> np.ndarray:
    return 1e-5 * np.random.default_rng(seed).standard_normal((n, columns))


def messy(rows: int, k: int) -> np.ndarray:
    """Noise with missing samples: at the start, a hole, one that is short, one component's alone."""
    samples = noise(N, rows * k)
    samples[:35, :k] = np.nan
    samples[300:420, k : 2 * k] = np.nan
    samples[600, -1] = np.nan
    return samples


def settling(settings: Settings) -> int:
    """Return how many samples after a missing one both filters of a band have settled."""
    order, band = settings.signal.order, BANDS_HZ[settings.synchrony.band]
    filters = butter(order, band, "bandpass", fs=RATE, output="sos"), smoother(settings.synchrony.envelope_hz, RATE)
    return round(RATE * max(settings.signal.settle_s, sum(settling_s(sos, RATE) for sos in filters)))


def test_by_default_the_time_course_itself_is_the_signal():
    samples = messy(3, 2)
    course = TimeCourseSignal(Settings(), 3, 2)
    assert course.k == 2
    assert course(samples) is samples


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [1, 3])
def test_components_per_row(kind, k):
    course = TimeCourseSignal(chosen(kind), 4, k)
    assert course.k == (k if kind in ("broadband", "difference") else 1)
    assert course(noise(RATE, 4 * k)).shape == (RATE, 4 * course.k)
    assert course(noise(0, 4 * k)).shape == (0, 4 * course.k)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [1, 3])
@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, N), max_size=30).map(sorted))
def test_any_chunking_gives_the_same_bits(kind, k, cuts):
    samples = messy(3, k)
    whole = through(TimeCourseSignal(chosen(kind), 3, k), samples, [])
    assert np.isfinite(whole).any(axis=0).all()
    np.testing.assert_array_equal(through(TimeCourseSignal(chosen(kind), 3, k), samples, cuts), whole)


@pytest.mark.parametrize("kind", KINDS)
def test_single_samples_give_the_same_bits(kind):
    samples = messy(3, 2)
    whole = through(TimeCourseSignal(chosen(kind), 3, 2), samples, [])
    np.testing.assert_array_equal(through(TimeCourseSignal(chosen(kind), 3, 2), samples, list(range(1, N))), whole)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_causal_and_does_not_depend_on_its_input_staying(kind):
    samples = messy(2, 2)
    whole = through(TimeCourseSignal(chosen(kind), 2, 2), samples, [])
    course, buffer, parts = TimeCourseSignal(chosen(kind), 2, 2), np.empty((RATE, 4)), []
    for start in range(0, N - RATE, RATE):
        buffer[:] = samples[start : start + RATE]
        parts.append(course(buffer).copy())
        buffer[:] = 1e9
    np.testing.assert_array_equal(np.concatenate(parts), whole[: N - RATE])


def test_difference_is_that_of_numpy():
    samples = messy(3, 2)
    found = through(TimeCourseSignal(chosen("difference"), 3, 2), samples)
    assert np.isnan(found[0]).all()
    np.testing.assert_array_equal(found[1:], np.diff(samples, axis=0))
    assert np.isnan(found[[600, 601], -1]).all(), "the missing sample and the one after it"
    assert np.isfinite(found[[599, 602], -1]).all()


def best_match(found: np.ndarray, planted: np.ndarray, longest: int = 60) -> tuple[float, int]:
    """Return the highest correlation of ``found`` with ``planted`` some samples earlier, and how many."""
    inside = np.flatnonzero(np.isfinite(found))
    inside = inside[inside >= longest]
    each = [float(np.corrcoef(found[inside], planted[inside - lag])[0, 1]) for lag in range(longest)]
    return max(each), int(np.argmax(each))


@pytest.mark.parametrize(("band", "carrier"), [("theta", 6.0), ("alpha", 10.3), ("beta", 20.0), ("gamma", 37.0)])
def test_the_envelope_of_a_modulated_sine_is_its_modulation(band, carrier):
    t = np.arange(40 * RATE) / RATE
    modulation = 1 + 0.4 * np.sin(2 * np.pi * 0.21 * t) + 0.3 * np.sin(2 * np.pi * 0.33 * t + 1)
    samples = (1e-5 * modulation * np.sin(2 * np.pi * carrier * t))[:, None]
    found = through(TimeCourseSignal(chosen("envelope", band), 1, 1), samples)[:, 0]
    correlation, lag = best_match(found, modulation)
    assert correlation > 0.99
    assert 5 <= lag <= 40, "delayed by the filters, not ahead of the sound"
    # The mean square of a sine is half of its amplitude's.
    assert np.nanmean(found) == pytest.approx(1e-5 * modulation.mean() * math.sqrt(0.5), rel=0.05)


def ripple(samples: np.ndarray, k: int) -> float:
    """Return the spread over the mean of the envelope of one row (n, k) once it is steady."""
    found = through(TimeCourseSignal(chosen("envelope"), 1, k), samples)[1000:, 0]
    return float(found.std() / found.mean())


def test_components_in_quadrature_leave_no_ripple():
    """The power of a turning source is constant, whichever way it points; that of one component goes up and down."""
    phase = 2 * np.pi * 10 * np.arange(3000) / RATE
    turning = np.stack([np.sin(phase), np.cos(phase)], axis=1)
    assert ripple(turning[:, :1], 1) > 0.005
    assert ripple(turning, 2) < 1e-4


def test_power_is_that_of_scipy():
    """Alone and from the same rest: band-pass, squares, sum, two one-pole low-passes."""
    samples = noise(3000, 3)
    samples[:500] = 0.0
    found = through(TimeCourseSignal(chosen("envelope", "beta"), 1, 3), samples)[500:, 0]
    banded = sosfilt(butter(4, BANDS_HZ["beta"], "bandpass", fs=RATE, output="sos"), samples, axis=0)
    (gain, _, _, _, minus_pole, _), _ = smoother(2.0, RATE)
    power = (banded**2).sum(axis=1)
    for _ in range(2):
        power = lfilter([gain], [1.0, minus_pole], power)
    np.testing.assert_allclose(found, np.sqrt(power)[500:], rtol=1e-9)


@pytest.mark.parametrize(("band", "k"), [("alpha", 1), ("beta", 1), ("beta", 3)])
def test_entropy_of_white_noise_is_that_of_its_power_in_the_band(band, k):
    # Long smoothing, so that the logarithm of the power is near that of its mean.
    found = through(TimeCourseSignal(chosen("entropy", band, envelope_hz=0.05), 1, k), noise(40_000, k, seed=7))
    _, response = sosfreqz(butter(4, BANDS_HZ[band], "bandpass", fs=RATE, output="sos"), 16384)
    power = k * 1e-10 * (np.abs(response) ** 2).mean()
    assert np.nanmean(found) == pytest.approx(0.5 * math.log(2 * math.pi * math.e * power), abs=0.03)


def test_entropy_of_no_power_is_no_value():
    found = differential_entropy(np.array([0.0, np.nan, 1.0]))
    np.testing.assert_array_equal(np.isnan(found), [True, True, False])
    assert found[2] == pytest.approx(1.418938533)
    assert np.isnan(through(TimeCourseSignal(chosen("entropy"), 1, 1), np.zeros((N, 1)))).all()


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.floats(-1e-3, 1e-3) | st.just(math.nan), min_size=1, max_size=60),
    st.sampled_from(sorted(BANDS_HZ)),
    st.integers(-20, 20),
)
def test_an_envelope_is_not_negative_and_scales_with_the_signal(values, band, power_of_two):
    samples = np.tile(values, 800 // len(values))[:, None]
    quick = chosen("envelope", band, signal=WIDE.model_copy(update={"settle_s": 0.0}))
    found = through(TimeCourseSignal(quick, 1, 1), samples)
    assert not (found < 0).any()
    assert np.array_equal(np.isnan(found), np.isnan(through(TimeCourseSignal(quick, 1, 1), 2 * samples)))
    scaled = through(TimeCourseSignal(quick, 1, 1), 2.0**power_of_two * samples)
    np.testing.assert_allclose(scaled, 2.0**power_of_two * found, rtol=1e-9, atol=1e-100)


@pytest.mark.parametrize("rate", [50, 100, 250])
@pytest.mark.parametrize("corner", [0.05, 0.5, 2.0, 8.0])
def test_smoother_halves_the_power_at_its_corner_and_never_undershoots(rate, corner):
    sos = smoother(corner, rate)
    _, response = sosfreqz(sos, [0.0, corner], fs=rate)
    np.testing.assert_allclose(np.abs(response) ** 2, [1.0, 0.5], rtol=1e-6)
    impulse = np.zeros(2000)
    impulse[0] = 1.0
    assert (sosfilt(sos, impulse) >= 0).all()


@pytest.mark.parametrize("order", [1, 4, 8])
@pytest.mark.parametrize("band", sorted(BANDS_HZ))
def test_a_filter_that_has_settled_has_forgotten_its_start(band, order):
    sos = butter(order, BANDS_HZ[band], "bandpass", fs=RATE, output="sos")
    wave = np.sin(2 * np.pi * math.sqrt(math.prod(BANDS_HZ[band])) * np.arange(6000) / RATE)
    sudden = np.where(np.arange(6000) < 4000, 0.0, wave)
    left = np.abs(sosfilt(sos, wave) - sosfilt(sos, sudden))[4000 + round(settling_s(sos, RATE) * RATE) :]
    assert left.max() < 0.03


@pytest.mark.parametrize("kind", ["envelope", "entropy"])
@pytest.mark.parametrize("band", sorted(BANDS_HZ))
@pytest.mark.parametrize("settle_s", [0.0, 1.0, 5.0])
def test_a_missing_sample_withholds_its_row_alone_and_long_enough(kind, band, settle_s):
    settings_ = chosen(kind, band, signal=WIDE.model_copy(update={"settle_s": settle_s}))
    clean = noise(2400, 6)
    holed = clean.copy()
    holed[1000:1050, 3] = np.nan
    whole, found = (through(TimeCourseSignal(settings_, 3, 2), samples) for samples in (clean, holed))
    np.testing.assert_array_equal(found[:, [0, 2]], whole[:, [0, 2]])
    np.testing.assert_array_equal(found[:1000, 1], whole[:1000, 1])
    hole = 1000 + np.flatnonzero(np.isnan(found[1000:, 1]))
    assert hole[0] == 1000
    assert len(hole) == hole[-1] + 1 - hole[0], "one hole"
    assert hole[-1] - 1050 + 1 == pytest.approx(settling(settings_), abs=1)
    # Both rows start like that, too.
    assert np.flatnonzero(np.isfinite(found[:, 0]))[0] == pytest.approx(settling(settings_), abs=1)


@pytest.mark.parametrize("band", ["theta", "alpha", "beta"])
def test_after_a_gap_the_envelope_is_as_if_there_had_been_none(band):
    clean = 1e-2 + noise(2000, 2)
    holed = clean.copy()
    holed[1000:1050] = np.nan
    whole, found = (through(TimeCourseSignal(chosen("envelope", band), 1, 2), samples) for samples in (clean, holed))
    back = found[1050:]
    assert np.nanmax(np.abs(back - whole[1050:]) / np.nanmean(whole)) < 0.1
    np.testing.assert_allclose(back[-300:], whole[-300:], rtol=1e-3)


@pytest.mark.parametrize("kind", ["envelope", "entropy"])
def test_a_band_that_the_filters_cut_off_is_refused(kind):
    with pytest.raises(ValidationError, match=r"gamma band, 30 to 45 Hz.*only 1 to 30 Hz pass: choose another"):
        chosen(kind, "gamma", signal=SignalSettings())
    with pytest.raises(ValidationError, match=r"delta band, 1 to 4 Hz.*only 2 to 30 Hz pass"):
        chosen(kind, "delta", signal=SignalSettings(highpass_hz=2.0))
    chosen(kind, "gamma")
    chosen(kind, "delta")
    chosen(kind, "beta", signal=SignalSettings())


def test_a_band_that_is_not_used_may_be_any():
    for kind in ("broadband", "difference"):
        through(TimeCourseSignal(chosen(kind, "gamma", signal=SignalSettings()), 1, 1), noise(300, 1))


def test_smoothing_that_cannot_work_is_refused():
    with pytest.raises(ValidationError, match=r"envelope_hz = 50 must be below half of signal.rate_hz = 100 Hz.*lower"):
        chosen("envelope", envelope_hz=50.0)
    with pytest.raises(ValidationError, match="greater"):
        SynchronySettings(envelope_hz=0.0)


@pytest.mark.parametrize("change", [{"signal": "power"}, {"band": "mu"}])
def test_unknown_words_are_refused_with_the_known_ones(change):
    with pytest.raises(ValidationError, match="entropy" if "signal" in change else "gamma"):
        SynchronySettings(**change)


@pytest.mark.parametrize("kind", KINDS)
def test_the_choice_is_kept_with_the_settings(kind):
    before = chosen(kind, "beta", envelope_hz=1.5)
    assert Settings.model_validate_json(before.model_dump_json()) == before
