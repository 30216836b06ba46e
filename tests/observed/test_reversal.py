"""Chance from one window: every turn of the circle against sums written out, and how often values leave its band."""

from __future__ import annotations

import numpy as np
import pytest

from rtaffect.common.correlation import pearson
from rtaffect.common.settings import SynchronySettings
from rtaffect.observed.reversal import reversed_sums
from rtaffect.observed.seconds import Seconds
from rtaffect.observed.synchrony import RowLayout, others_mean, summarise

RATE, W = 50, 10
SETTINGS = SynchronySettings()


def kept(courses: np.ndarray) -> Seconds:
    """Courses (people, time, rows) as an observer keeps them."""
    people, time, rows = courses.shape
    found = Seconds(people, rows, RATE, time // RATE, spectra=True)
    for start in range(0, time, RATE):
        found.append(courses[:, start : start + RATE])
    return found


@pytest.mark.parametrize("gaps", [False, True])
def test_every_turn_is_the_correlation_with_the_window_turned_backwards(gaps):
    rng = np.random.default_rng(0)
    people, partner = rng.standard_normal((2, 14 * RATE, 3)) + 2.0, rng.standard_normal((2, 14 * RATE, 3))
    if gaps:
        people[0, 7 * RATE : 7 * RATE + 33, 1], partner[0, -20:, 0] = np.nan, np.nan
    sums, powers = reversed_sums(kept(people), kept(partner), 12, W)
    found = pearson(sums, RATE)
    x, backwards = people[:, -W * RATE :], partner[:, 3 * RATE : 13 * RATE][:, ::-1]
    assert found.shape == (2, 3, W * 25)
    assert all(each.shape == found.shape for each in powers)
    for turn in (0, 1, 77, 249):
        y = np.roll(backwards, -2 * turn, axis=1)
        for p in range(2):
            for row in range(3):
                both = np.isfinite(x[p, :, row]) & np.isfinite(y[p, :, row])
                by_hand = np.corrcoef(x[p, both, row], y[p, both, row])[0, 1]
                assert found[p, row, turn] == pytest.approx(by_hand, abs=1e-9)


def test_powers_of_a_turn_between_seconds_lie_between_those_of_seconds():
    rng = np.random.default_rng(1)
    loud = rng.standard_normal((1, W * RATE, 1)) * np.repeat(np.arange(1, W + 1), RATE)[None, :, None]
    _, (common, _, _) = reversed_sums(kept(loud), kept(loud), W - 1, W)
    whole = common[0, 0, ::25]
    np.testing.assert_allclose(common[0, 0, 5], 0.8 * whole[0] + 0.2 * whole[1])
    np.testing.assert_allclose(common[0, 0, -5], 0.2 * whole[-1] + 0.8 * whole[0])


@pytest.mark.parametrize("people", [2, 4])
@pytest.mark.parametrize("width_hz", [0.5, 2.0])
def test_unrelated_alpha_leaves_the_band_of_its_own_window_in_five_percent(people, width_hz):
    """Ten turns of whole seconds gave 10 % where alpha is .5 Hz wide: its beats at whole hertz were in none of them."""
    rng, outside, rows = np.random.default_rng(people), [], 4
    for _ in range(40):
        time = 50 * RATE
        frequency = np.fft.rfftfreq(time, 1 / RATE)
        band = np.exp(-2 * np.log(2) * ((frequency - 10) / width_hz) ** 2)[:, None]
        noise = np.fft.rfft(rng.standard_normal((people, time, rows)), axis=1)
        group = np.fft.irfft(noise * band, time, axis=1)
        others = kept(others_mean(group))
        for last in range(W - 1, 50, W):
            window = slice((last + 1 - W) * RATE, (last + 1) * RATE)
            now = kept(group[:, : window.stop])
            sums, _ = reversed_sums(now, others, last, W)
            x, y = (
                each[:, window] - each[:, window].mean(axis=1, keepdims=True) for each in (group, others_mean(group))
            )
            r = (x * y).sum(axis=1) / np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
            values = np.concatenate([r[:, :, None], pearson(sums, RATE)], axis=-1).transpose(0, 2, 1)
            seen = summarise(values, SETTINGS, RowLayout.plain(rows), mutual=False, circle=True)
            outside.append((seen.mean < seen.low) | (seen.mean > seen.high))
    assert 0.015 < np.mean(outside) < 0.08
