"""A listener's grid: rows by name, seconds judged, and windows that are exactly the rows asked for."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from rtaffect.common.errors import MontageError, SettingsError
from rtaffect.common.montage import columns_for, common_rows
from rtaffect.common.settings import Settings, SignalSettings, SynchronySettings
from rtaffect.observed.participant import Participant
from rtaffect.observed.signal_path import SignalPath
from tests.support.helpers import brain_noise, headset

SETTINGS = Settings(signal=SignalSettings(settle_s=0.5))
ORIGIN = 1000.0


def eeg(seconds: float, channels: int = 4, rate: float = 250.0, seed: int = 0) -> np.ndarray:
    """White noise of 20 uV."""
    return 20e-6 * np.random.default_rng(seed).standard_normal((round(seconds * rate), channels))


def listen(source, rows, steps: int, settings: Settings = SETTINGS, origin: float = ORIGIN) -> Participant:
    listener = Participant(source, rows, settings, origin)
    for step in range(1, steps + 1):
        source.advance(origin + step + listener.lookahead_s)
        listener.advance(step)
    return listener


def test_columns_are_found_by_name_without_regard_to_case():
    assert columns_for(("Cz", "FP1"), ("Fp1", "Fz", "CZ"), "A").tolist() == [2, 0]


def test_a_missing_channel_is_named_with_those_there():
    with pytest.raises(MontageError) as caught:
        columns_for(("Cz", "Oz", "Pz"), ("Fp1", "Fz", "CZ"), "headset 'Muse'")
    text = str(caught.value)
    assert "headset 'Muse' has no channel Oz, Pz; it has Fp1, Fz, CZ" in text
    assert "--channels" in text
    assert "\n" not in text


def test_common_rows_keep_the_wanted_order_and_spelling():
    montages = {"a": ("TP9", "AF7", "AF8"), "b": ("af8", "Cz", "tp9")}
    assert common_rows(montages, None) == ("TP9", "AF8")
    assert common_rows(montages, ("Af8", "Oz", "TP9")) == ("Af8", "TP9")


def test_names_of_one_place_are_one_channel():
    """Old and new 10-20 names, and what recorders write around them; the very same name goes before another."""
    old = ("EEG Fp1-REF", "EEG T3-REF", "EEG Cz-REF")
    assert columns_for(("T7", "FP1"), old, "A").tolist() == [1, 0]
    assert columns_for(("T3", "T7"), ("T7", "T3"), "A").tolist() == [1, 0]
    assert common_rows({"a": old, "b": ("T7", "Cz", "Oz")}, None) == ("EEG T3-REF", "EEG Cz-REF")
    assert common_rows({"a": old, "b": ("T7", "Cz", "Oz")}, ("Oz", "Cz", "T7")) == ("Cz", "T7")
    assert common_rows({"a": ("T3", "T7", "Cz"), "b": ("T7", "Cz")}, None) == ("T3", "Cz")


@pytest.mark.parametrize("wanted", [None, ("Fz", "Oz")])
def test_no_common_row_is_refused_with_each_montage(wanted):
    with pytest.raises(MontageError) as caught:
        common_rows({"a": ("TP9", "AF7"), "b": ("Cz", "Pz")}, wanted)
    for part in ("a: TP9, AF7", "b: Cz, Pz", "--channels", *(wanted or ())):
        assert part in str(caught.value)


def test_rows_are_taken_from_the_channels_of_that_name():
    samples = eeg(6)
    one = listen(headset(samples, channels=("Fz", "Cz", "Pz", "Oz")), ("oz", "FZ"), 5)
    other = listen(headset(samples[:, [3, 0]], channels=("a", "b")), ("a", "b"), 5)
    np.testing.assert_array_equal(one.window(5, 4), other.window(5, 4))
    assert np.isfinite(one.window(5, 4)).all()


def test_the_window_at_a_step_is_exactly_its_grid_rows():
    """The oracle: the signal path over the whole recording at once, cut at the window's instants."""
    samples = eeg(15)
    (first, whole), *_ = SignalPath(SETTINGS.signal, 250, 4)(samples.astype(np.float32), np.arange(len(samples)) / 250)
    assert first == 0
    source = headset(samples)
    listener = Participant(source, source.info.channels, SETTINGS, ORIGIN)
    for step in range(1, 14):
        source.advance(ORIGIN + step + listener.lookahead_s)
        listener.advance(step)
        if step >= 4:
            np.testing.assert_allclose(
                listener.window(step, 3), whole[(step - 3) * 100 : step * 100], atol=1e-12, equal_nan=True
            )
    assert listener.window(13, 10).shape == (1000, 4)


def test_seconds_before_the_origin_settle_the_filter_and_are_not_counted():
    samples = eeg(16)
    (_, whole), *_ = SignalPath(SETTINGS.signal, 250, 4)(samples.astype(np.float32), np.arange(len(samples)) / 250)
    listener = listen(headset(samples, onset=ORIGIN - 5), ("C1", "C2", "C3", "C4"), 8)
    np.testing.assert_allclose(listener.window(8, 8), whole[500:1300], atol=1e-12)
    np.testing.assert_array_equal(listener.quality(8, 8), 1.0)


def test_bad_seconds_are_neither_in_the_window_nor_good():
    """Second by second: fine, flat, loud, missing, fine; each channel has one kind of trouble in second 6."""
    samples = eeg(12)
    bad = slice(5 * 250, 6 * 250)
    samples[bad, 0] = 0.0
    samples[bad, 1] *= 10
    samples[bad, 2] = np.nan
    # A channel that is stuck is flat only once the high-pass has let go of the step.
    samples[4 * 250 : 6 * 250, 0] = 0.0
    settings = Settings(signal=SignalSettings(settle_s=0.5, flat_v=3e-6))
    listener = listen(headset(samples), ("C1", "C2", "C3", "C4"), 10, settings)
    window = listener.window(10, 10)
    for channel in range(3):
        assert np.isnan(window[500:600, channel]).all(), f"channel {channel}"
        assert np.isfinite(window[100:390, channel]).all(), f"channel {channel}"
        assert np.isfinite(window[800:, channel]).all(), f"channel {channel}"
    assert np.isfinite(window[56:, 3]).all()
    # Missing also costs the settling and the interpolation's reach; .5 s of the first second settles for all.
    quality = listener.quality(10, 8)
    assert quality[3] == 1.0
    assert quality[2] == pytest.approx((8 - 1 - 0.5) / 8, abs=0.02)
    assert quality[0] <= 7 / 8
    assert quality[1] <= 7 / 8
    assert listener.quality(10, 2).tolist() == [1.0] * 4


@pytest.mark.parametrize(("scale", "good"), [(0.5e-7, 0.0), (20e-6, 1.0), (1e-3, 0.0)])
def test_quality_tells_flat_and_loud_from_eeg(scale, good):
    listener = listen(headset(eeg(9) / 20e-6 * scale), ("C1", "C2"), 8)
    np.testing.assert_array_equal(listener.quality(8, 6), good)
    assert np.isnan(listener.window(8, 6)).all() == (good == 0.0)


def test_a_second_without_samples_is_empty():
    samples = eeg(5)
    source = headset(samples)
    listener = listen(source, ("C1", "C2"), 12)
    assert np.isnan(listener.window(12, 6)).all()
    np.testing.assert_array_equal(listener.quality(12, 6), 0.0)
    assert np.isfinite(listener.window(12, 12)[100:400]).all()


def test_history_reaches_as_far_back_as_the_window_needs():
    settings = Settings(signal=SETTINGS.signal, synchrony=SynchronySettings(window_s=25, null_separation_s=25))
    listener = listen(headset(eeg(60)), ("C1",), 55, settings)
    assert np.isfinite(listener.window(55, 25)).all()
    np.testing.assert_array_equal(listener.quality(55, 25), 1.0)


def test_eye_channels_clean_the_others_and_are_no_rows():
    rng = np.random.default_rng(4)
    n = 60 * 250
    brain = 1e-5 * brain_noise(rng, n, 3, 250)
    blinks = np.zeros(n)
    for at in rng.integers(500, n - 500, 25):
        blinks[at : at + 80] += 150e-6 * np.hanning(80)
    # An electrode that stands still would count as missing.
    eye = blinks + 1e-6 * rng.standard_normal(n)
    samples = np.column_stack([brain + blinks[:, None] * [0.25, 0.1, 0.0], eye])
    names = ("Fp1", "Cz", "Oz", "VEOG")
    assert common_rows({"a": names}, None) == ("Fp1", "Cz", "Oz")
    clean = listen(headset(brain, channels=names[:3]), names[:3], 58)
    corrected = listen(headset(samples, channels=names), names[:3], 58)
    off = Settings(signal=SignalSettings(ocular=False))
    raw = listen(headset(samples, channels=names), names[:3], 58, off)
    expected = clean.window(58, 10)
    error = [np.nanstd(one.window(58, 10) - expected, axis=0) for one in (corrected, raw)]
    assert error[0][0] < 0.4 * error[1][0]
    assert error[0][2] < 0.15 * expected[:, 2].std()
    assert corrected.quality(58, 10).shape == (3,)


def test_channels_that_a_headset_lacks_stay_missing_if_that_is_allowed():
    samples = eeg(6)
    with pytest.raises(MontageError, match="has no channel Oz"):
        Participant(headset(samples), ("C1", "Oz"), SETTINGS, ORIGIN)
    source = headset(samples)
    listener = Participant(source, ("C1", "Oz"), SETTINGS, ORIGIN, partial=True)
    source.advance(ORIGIN + 5 + listener.lookahead_s)
    listener.advance(5)
    assert np.isnan(listener.window(5, 3)[:, 1]).all()
    assert np.isfinite(listener.window(5, 3)[:, 0]).all()
    assert listener.quality(5, 3).tolist() == [1.0, 0.0]


def test_subspace_reconstruction_without_its_package_tells_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "asrpy", None)
    source = headset(eeg(6))
    assert (
        Participant(source, source.info.channels, SETTINGS, ORIGIN).lookahead_s
        == SignalPath(SETTINGS.signal, 250, 4).lookahead_s
    ), "off: neither needed nor waited for"
    with pytest.raises(SettingsError) as caught:
        Participant(source, source.info.channels, Settings(signal=SignalSettings(asr_cutoff=20)), ORIGIN)
    assert "signal.asr_cutoff = 20 needs" in str(caught.value)
    assert 'pip install "rtaffect[asr]"' in str(caught.value)
    assert "\n" not in str(caught.value)
