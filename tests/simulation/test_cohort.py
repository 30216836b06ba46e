"""The synthetic cohort has the synchrony that it says, and is the same people every time."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from scipy.special import eval_legendre

from rtaffect.common.correlation import fisher_mean
from rtaffect.common.settings import SignalSettings
from rtaffect.observed.signal_path import SignalPath
from rtaffect.observed.synchrony import others_mean, running_correlation, standardise
from rtaffect.simulation.cohort import Cohort, CohortSettings, Drive, leaky, one_over_f, with_mean_of
from rtaffect.simulation.head import CHANNELS, ECCENTRICITY, ELECTRODES, PATCHES, directions, leadfield

STEPS = 100
SOUND = "a" * 64


def features(seed: int = 0) -> np.ndarray:
    """Features (STEPS, 20) that wander as a sound's do."""
    rng = np.random.default_rng(seed)
    return leaky(rng.standard_normal((STEPS, 6)), 0.8) @ rng.standard_normal((6, 20)) + 3


def cohort(**settings) -> Cohort:
    chosen = CohortSettings(**settings)
    return Cohort(chosen, Drive.plant(features(), chosen))


@functools.cache
def heard(people: int, **settings) -> np.ndarray:
    """Signals (people, time, 24) on the common grid, as the live path gives them."""
    made, out = cohort(**settings), []
    for person in range(people):
        eeg = made.listen(SOUND, features(), person, before_s=3.0, after_s=1.0)
        times = np.arange(len(eeg)) / 250 - 3.0
        (first, values), *_ = SignalPath(SignalSettings(), 250.0, 24)(eeg, times)
        out.append(values[-first : -first + STEPS * 100])
    return standardise(np.stack(out))


def pairwise(group: np.ndarray) -> np.ndarray:
    """Mean pairwise correlation of each row, from the variance of the mean of standardised people."""
    n = len(group)
    scaled = (group - group.mean(axis=1, keepdims=True)) / group.std(axis=1, keepdims=True)
    return (n**2 * scaled.mean(axis=0).var(axis=0) - n) / (n * (n - 1))


@pytest.mark.parametrize("settings", [{}, {"strength": 0.1, "depth": 0.0}, {"strength": 0.02, "seed": 3}])
def test_planted_synchrony_is_recovered_at_the_electrodes(settings):
    """276 pairs over 100 s; the standard error of a channel's mean is below .003."""
    planted = cohort(**settings).truth(SOUND, features()).mean(axis=0)
    found = pairwise(heard(24, **settings))
    assert found.mean() == pytest.approx(planted.mean(), abs=0.004)
    np.testing.assert_allclose(found, planted, atol=0.02)


def test_planted_synchrony_is_as_weak_as_in_real_eeg():
    truth = cohort().truth(SOUND, features())
    assert 0.02 <= truth.mean() <= 0.1
    assert truth.shape == (STEPS, len(CHANNELS))
    assert truth.std(axis=0).min() > 0.005, "it must vary, or there is nothing to predict"


def test_expected_synchrony_is_what_leave_one_out_gives():
    """Each of 12 people against the mean of the 11 others in windows of 10 s: the mean over people, rows and steps."""
    group = heard(24, strength=0.1)[:12]
    each = [running_correlation(p, m, 1000, 100) for p, m in zip(group, others_mean(group), strict=True)]
    observed = fisher_mean(np.stack(each), axis=0)
    expected = with_mean_of(cohort(strength=0.1).truth(SOUND, features()), 11, 10)
    assert np.isnan(expected[:9]).all()
    assert np.isnan(observed[:9]).all()
    assert observed[9:].mean() == pytest.approx(expected[9:].mean(), abs=0.03)
    zone = np.corrcoef(observed[9:].mean(axis=1), expected[9:].mean(axis=1))[0, 1]
    assert zone > 0.6, "its course, averaged over rows, follows"


@pytest.mark.parametrize("c", [0.02, 0.1, 0.5])
def test_expected_formula_against_many_draws(c):
    rng = np.random.default_rng(0)
    people, n = 11, 200_000
    shared = rng.standard_normal(n)
    others = np.sqrt(c) * shared + np.sqrt((1 - c) / people) * rng.standard_normal(n)
    one = np.sqrt(c) * shared + np.sqrt(1 - c) * rng.standard_normal(n)
    assert np.corrcoef(one, others)[0, 1] == pytest.approx(c / np.sqrt(c + (1 - c) / people), abs=0.01)


def test_expected_is_the_formula_of_the_windows_mean_truth():
    made = cohort()
    truth = made.truth(SOUND, features())
    c = truth[20:30].mean(axis=0)
    expected = with_mean_of(made.truth(SOUND, features()), 7, 10)
    np.testing.assert_allclose(expected[29], c / np.sqrt(c + (1 - c) / 7), rtol=1e-12)


def test_the_same_settings_give_the_same_people():
    one = cohort().listen(SOUND, features(), 3, before_s=2.0)
    np.testing.assert_array_equal(one, cohort().listen(SOUND, features(), 3, before_s=2.0))
    assert one.shape == ((102 * 250), 24)
    for other in (
        cohort().listen(SOUND, features(), 4, before_s=2.0),
        cohort().listen("b" * 64, features(), 3, before_s=2.0),
        cohort(seed=8).listen(SOUND, features(), 3, before_s=2.0),
    ):
        assert np.abs(np.corrcoef(one[:, 5], other[:, 5])[0, 1]) < 0.6
        assert not np.array_equal(one, other)


def test_nothing_is_shared_before_and_after_the_sound():
    made, before, after = cohort(strength=0.6, depth=0.0), [], []
    for person in range(8):
        eeg = made.listen(SOUND, features(), person, before_s=30.0, after_s=30.0)
        (_, values), *_ = SignalPath(SignalSettings(), 250.0, 24)(eeg, np.arange(len(eeg)) / 250)
        before.append(values[200:2950])
        after.append(values[13_100:15_900])
    assert np.abs(pairwise(np.stack(before)).mean()) < 0.03
    assert np.abs(pairwise(np.stack(after)).mean()) < 0.03


def test_scalp_eeg_has_realistic_size():
    eeg = cohort().listen(SOUND, features(), 0)
    assert 20e-6 < eeg.std() < 60e-6
    band = heard(24)
    assert np.isfinite(band).all()
    (_, values), *_ = SignalPath(SignalSettings(), 250.0, 24)(eeg, np.arange(len(eeg)) / 250)
    assert 5e-6 < np.nanstd(values) < 30e-6, "in the band, as people at rest"


def test_leadfield_is_the_legendre_series():
    cosine = directions(ELECTRODES) @ directions(PATCHES).T
    series = sum((2 * n + 1) * ECCENTRICITY ** (n - 1) * eval_legendre(n, cosine) for n in range(1, 120))
    series = series - series.mean(axis=0)
    np.testing.assert_allclose(leadfield(), series / np.abs(series).max(axis=0), atol=1e-12)
    np.testing.assert_allclose(leadfield().mean(axis=0), 0, atol=1e-15)
    np.testing.assert_allclose(np.abs(leadfield()).max(axis=0), 1)


def test_directions_are_where_anatomy_has_them():
    at = dict(zip(ELECTRODES, directions(ELECTRODES), strict=True))
    np.testing.assert_allclose(np.linalg.norm(directions(ELECTRODES), axis=1), 1)
    np.testing.assert_allclose(at["Cz"], [0, 0, 1], atol=1e-12)
    for left, right in (("Fp1", "Fp2"), ("T7", "T8"), ("O1", "O2"), ("P3", "P4"), ("TP9", "TP10"), ("AF7", "AF8")):
        np.testing.assert_allclose(at[left] * [-1, 1, 1], at[right], atol=1e-12)
        assert at[left][0] < 0
    assert at["Fz"][1] > 0.5 > -0.5 > at["Pz"][1]
    assert at["T8"][0] > 0.9
    strongest = {patch: CHANNELS[i] for patch, i in zip(PATCHES, np.abs(leadfield()).argmax(axis=0), strict=True)}
    assert strongest["temporal-left"] == "T7"
    assert strongest["occipital-right"] == "O2"
    assert strongest["prefrontal-left"] in ("Fp1", "AF7", "F3")


def test_one_over_f_noise_has_unit_variance_in_band_and_its_slope():
    noise = one_over_f(np.random.default_rng(0), 100_000, 4, 250.0)
    spectrum = (np.abs(np.fft.rfft(noise, axis=0)) ** 2).mean(axis=1) / len(noise) ** 2 * 2
    frequency = np.fft.rfftfreq(len(noise), 1 / 250)
    assert spectrum[(frequency >= 1) & (frequency <= 30)].sum() == pytest.approx(1, abs=0.03)
    octaves = [spectrum[(frequency >= f) & (frequency < 2 * f)].sum() for f in (1, 2, 4, 8, 16)]
    np.testing.assert_allclose(octaves, np.mean(octaves), rtol=0.1)


def test_drive_follows_the_features_and_the_rest_does_not():
    """Without the unexplained part the course is a function of the features; with it, stimuli of one sound differ."""
    plain = CohortSettings(unexplained=0.0)
    drive = Drive.plant(features(), plain)
    np.testing.assert_array_equal(drive.course(features(), 1, plain), drive.course(features(), 2, plain))
    default = CohortSettings()
    one, other = drive.course(features(), 1, default), drive.course(features(), 2, default)
    assert not np.allclose(one, other)
    assert ((one > 0) & (one < 1)).all()


def test_the_sign_of_singular_vectors_does_not_matter():
    """Features mirrored in all columns are driven alike: the projection's sign is tied to the features."""
    chosen = CohortSettings(unexplained=0.0)
    one = Drive.plant(features(), chosen)
    perm = np.random.default_rng(0).permutation(20)
    two = Drive.plant(features()[:, perm], chosen)
    np.testing.assert_allclose(one.course(features(), 0, chosen), two.course(features()[:, perm], 0, chosen), rtol=1e-6)
