"""Shipped measures of two people: their definitions by independent formulas, and what chance makes of them."""

from __future__ import annotations

import numpy as np
import pytest

from rtaffect.measures import Measure, Values, Window
from rtaffect.measures.band_signal import BandSignal, analytic_filter
from rtaffect.measures.coupling import (
    CircularCorrelation,
    Coupling,
    EnvelopeCorrelation,
    ImaginaryCoherence,
    PhaseLocking,
    null_band,
)
from tests.support.helpers import RATE, brain_noise, people_with

WINDOW = 10
CHANNELS = ("A", "B", "C")


def window_at(eeg: np.ndarray, step: int, **said: np.ndarray) -> Window:
    """Return the window of ``eeg`` (P, C, time) that ends with a step."""
    people, channels, _ = eeg.shape
    lead = np.full((people, channels, WINDOW * RATE), np.nan)
    samples = np.concatenate([lead, eeg], axis=-1)[..., step * RATE : (step + WINDOW) * RATE]
    blank = {"missing": np.zeros((people, WINDOW), bool), "withheld": np.zeros(people, bool)}
    return Window(step, tuple("XYZ"[:people]), CHANNELS[:channels], RATE, samples, **(blank | said))


def last_of(measure: Measure, eeg: np.ndarray, steps: int) -> Values:
    """Return what a measure gives at the last of so many steps."""
    return [measure(window_at(eeg, step)) for step in range(1, steps + 1)][-1]


def analytic(eeg: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return the band's analytic signal (P, C, time), by plain convolution."""
    taps = analytic_filter(low, high, RATE)
    return np.stack([[np.convolve(c, taps)[: c.size] for c in person] for person in eeg])


def by_definition(name: str, a: np.ndarray, b: np.ndarray) -> float:
    """Return the measure of two analytic courses (n,) as HyPyP's papers define it, sample by sample."""
    if name == "PhaseLocking":
        return abs(np.mean(np.exp(1j * (np.angle(a) - np.angle(b)))))
    if name == "ImaginaryCoherence":
        return abs(np.mean(a * b.conj()).imag) / np.sqrt(np.mean(abs(a) ** 2) * np.mean(abs(b) ** 2))
    if name == "EnvelopeCorrelation":
        return np.corrcoef(abs(a), abs(b))[0, 1]
    x, y = (np.sin(np.angle(z) - np.angle(np.mean(np.exp(1j * np.angle(z))))) for z in (a, b))
    return abs(np.sum(x * y)) / np.sqrt(np.sum(x**2) * np.sum(y**2))


@pytest.mark.parametrize("kind", [PhaseLocking, CircularCorrelation, ImaginaryCoherence, EnvelopeCorrelation])
def test_values_are_those_of_the_definition(kind: type[Coupling]) -> None:
    eeg = people_with(np.random.default_rng(1), 3, 30 * RATE, 3, 0.4).transpose(0, 2, 1)
    found = last_of(kind(8.0, 12.0, RATE), eeg, 30)
    z = analytic(eeg, 8.0, 12.0)[..., -WINDOW * RATE :]
    each = [[by_definition(kind.__name__, z[i, c], z[j, c]) for c in range(3)] for i, j in ((0, 1), (0, 2), (1, 2))]
    np.testing.assert_allclose(np.asarray(found.each)[:, 1:], each, atol=1e-6)
    mean = np.tanh(np.arctanh(each).mean(axis=1)) if kind is EnvelopeCorrelation else np.mean(each, axis=1)
    np.testing.assert_allclose(np.asarray(found.each)[:, 0], mean, atol=1e-6)


def test_a_known_delay_is_locked_and_imaginary_and_a_common_signal_is_not_imaginary() -> None:
    t = np.arange(30 * RATE) / RATE
    eeg = np.stack([np.sin(20 * np.pi * t), np.cos(20 * np.pi * t), np.sin(20 * np.pi * t)])[:, None]
    plv, imcoh = (
        np.asarray(last_of(kind(8.0, 12.0, RATE), eeg, 30).each) for kind in (PhaseLocking, ImaginaryCoherence)
    )
    np.testing.assert_allclose(plv, 1.0, atol=1e-6)
    np.testing.assert_allclose(imcoh[:, 1], [1.0, 0.0, 1.0], atol=1e-6)


def test_the_filter_lets_the_band_pass_and_its_positive_frequencies_alone() -> None:
    taps = analytic_filter(8.0, 12.0, RATE)
    hz = np.array([10.0, 5.0, 15.0, -10.0, -8.0, 0.0])
    gain = np.abs(np.exp(-2j * np.pi * np.outer(hz / RATE, np.arange(len(taps)))) @ taps) / 2
    assert gain[0] == pytest.approx(1.0, abs=0.01)
    assert gain[1:].max() < 0.01


def test_a_missing_sample_withholds_only_what_rests_on_it() -> None:
    rng = np.random.default_rng(2)
    eeg = rng.standard_normal((1, 1, 8 * RATE))
    whole, holed = BandSignal(8, 12, 1, 1, RATE), BandSignal(8, 12, 1, 1, RATE)
    gone = eeg.copy()
    gone[..., 3 * RATE + 7] = np.nan
    a, b = (
        np.concatenate([f(x[..., s * RATE : (s + 1) * RATE]) for s in range(8)], axis=-1)[0, 0]
        for f, x in ((whole, eeg), (holed, gone))
    )
    taps = len(analytic_filter(8, 12, RATE))
    missing = np.isnan(b) & ~np.isnan(a)
    assert np.flatnonzero(missing).tolist() == list(range(3 * RATE + 7, 3 * RATE + 7 + taps))
    np.testing.assert_allclose(a[~np.isnan(b)], b[~np.isnan(b)], atol=1e-9)


def test_what_is_forgotten_has_no_part_in_later_values() -> None:
    """A second that turns out to be foreign is as one that never came, once the window is past it."""
    rng = np.random.default_rng(4)
    eeg = brain_noise(rng, 40 * RATE, 2).T[:, None].copy()
    foreign = eeg.copy()
    foreign[0, 0, 15 * RATE : 16 * RATE] = 50 * eeg[1, 0, 15 * RATE : 16 * RATE]
    missing = np.zeros((2, WINDOW), bool)
    found = []
    for course in (eeg, foreign):
        measure = PhaseLocking(8.0, 12.0, RATE)
        for step in range(1, 41):
            ago = step - 16
            said = missing.copy()
            if 1 <= ago < WINDOW:
                said[0, WINDOW - 1 - ago] = True
            values = measure(window_at(course, step, missing=said))
        found.append(values)
    np.testing.assert_allclose(found[0].each, found[1].each, rtol=1e-12)
    np.testing.assert_allclose(found[0].null_high, found[1].null_high, rtol=1e-12)


@pytest.mark.parametrize("kind", [PhaseLocking, pytest.param(EnvelopeCorrelation, marks=pytest.mark.slow)])
def test_unrelated_people_are_inside_the_null_band_as_often_as_it_says(kind: type[Coupling]) -> None:
    """20 pairs of channels over 300 s: 95 % inside; bounds are four standard errors of some 580 windows apart."""
    rng = np.random.default_rng(11)
    eeg = np.stack([brain_noise(rng, 300 * RATE, 20).T for _ in range(2)])
    measure = kind(8.0, 12.0, RATE)
    inside = []
    for step in range(1, 301):
        window = window_at(eeg, step)
        values = measure(Window(step, window.people, tuple(map(str, range(20))), RATE, *_rest(window)))
        if step > 130 and step % 5 == 0:
            each = np.asarray(values.each)[0]
            inside.append((each >= values.null_low) & (each <= values.null_high))
    assert np.mean(np.asarray(inside)[:, 1:]) == pytest.approx(0.95, abs=0.035)


def _rest(window: Window) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return window.samples, window.missing, window.withheld


def test_people_who_are_locked_are_above_the_null_band() -> None:
    eeg = people_with(np.random.default_rng(5), 2, 60 * RATE, 3, 0.6).transpose(0, 2, 1)
    found = last_of(PhaseLocking(8.0, 12.0, RATE), eeg, 60)
    assert np.asarray(found.each)[0, 0] > np.asarray(found.null_high)[0] > 0.1


def test_a_withheld_person_has_no_part_in_mean_and_band() -> None:
    eeg = np.stack([brain_noise(np.random.default_rng(k), 40 * RATE, 1).T for k in range(3)])
    measure, alone = PhaseLocking(8.0, 12.0, RATE), PhaseLocking(8.0, 12.0, RATE)
    gone = np.array([False, False, True])
    values = [measure(window_at(eeg, step, withheld=gone)) for step in range(1, 41)][-1]
    two = last_of(alone, eeg[:2], 40)
    assert np.isfinite(values.each).all(axis=1).tolist() == [True, False, False]
    np.testing.assert_allclose(values.null_high, two.null_high)


def test_a_null_band_needs_ten_values() -> None:
    low, high = null_band(np.full((1, 9), 0.3), signed=False)
    assert np.isnan([low, high]).all()
    low, high = null_band(np.linspace(0.1, 0.4, 40)[None], signed=True)
    assert low[0] < 0.1
    assert high[0] > 0.4
