"""Planted bursts are taken out, what is clean passes bit for bit and in time; asrpy is the oracle where it runs."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import types

import numpy as np
import pytest
from pydantic import ValidationError

from rtaffect.common.settings import Settings, SignalSettings
from rtaffect.observed.asr import AHEAD_S, LEAST_CHANNELS, SubspaceReconstruction, calibrate, clean_level, clean_part
from tests.observed.test_participant import ORIGIN, listen
from tests.support.helpers import RATE, brain_noise, headset

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("asrpy") is None, reason='asrpy is not installed: pip install "rtaffect[asr]"'
)

BASELINE_S, CHANNELS = 30, 12
SETTINGS = SignalSettings(asr_cutoff=20, asr_baseline_s=BASELINE_S)
#: Rows around a burst that it may change, by the window and the step.
REACH = 75


def brain(rng: np.random.Generator, seconds: int, channels: int = CHANNELS, rate: int = RATE) -> np.ndarray:
    """EEG (n, channels) of 10 uV, 1/f, of sources that neighbours on a ring share, and 1 uV of each channel's own."""
    n, sources = seconds * rate, 3 * channels
    place = 2 * np.pi * np.arange(channels)[:, None] / channels
    distance = np.angle(np.exp(1j * (place - rng.uniform(0, 2 * np.pi, sources))))
    shared = brain_noise(rng, n, sources, rate) @ np.exp(-((distance / 0.5) ** 2)).T
    return 1e-5 * shared / shared.std() + 1e-6 * brain_noise(rng, n, channels, rate)


def bursts(
    rng: np.random.Generator, seconds: int, kind: str, first_s: int = BASELINE_S + 2
) -> tuple[np.ndarray, np.ndarray]:
    """Bursts (n, channels) of 300 uV in 3 channels for .5 to 2 s, one in 5 s, and the rows (n,) where they are."""
    out, there = np.zeros((seconds * RATE, CHANNELS)), np.zeros(seconds * RATE, np.bool_)
    for second in range(first_s, seconds - 4, 5):
        at, length = second * RATE + int(rng.integers(0, RATE)), int(rng.integers(50, 200))
        hit = rng.choice(CHANNELS, 3, replace=False)
        if kind == "muscle":
            wave = 300e-6 * brain_noise(rng, length, 3)
        else:
            wave = 300e-6 * np.exp(-np.arange(length) / 20)[:, None] * rng.choice([-1, 1], 3)
        out[at : at + length, hit], there[at : at + length] = wave, True
    return out, there


def cleaned(eeg: np.ndarray, settings: SignalSettings = SETTINGS) -> np.ndarray:
    """EEG (n, channels) second by second, as in a session; nothing comes after its end."""
    rate, asr = settings.rate_hz, SubspaceReconstruction(settings, eeg.shape[1])
    later = np.concatenate([eeg, np.full((rate, eeg.shape[1]), np.nan)])
    starts = range(0, len(eeg), rate)
    return np.concatenate([asr(eeg[s : s + rate], later[s + rate : s + rate + asr.ahead]) for s in starts])


def near(there: np.ndarray) -> np.ndarray:
    return np.convolve(there, np.ones(2 * REACH + 1), "same") > 0


class OlderNumpy(types.ModuleType):
    """numpy, but the difference of two numbers is one: asrpy 0.0.8 then runs with numpy 2.4."""

    def __getattr__(self, name: str) -> object:
        return getattr(np, name)

    @staticmethod
    def diff(values: np.ndarray) -> np.ndarray:
        found = np.diff(values)
        return found[0] if len(found) == 1 else found


@pytest.fixture
def asrpy(monkeypatch):
    import asrpy
    import asrpy.asr_utils

    monkeypatch.setattr(asrpy.asr_utils, "np", OlderNumpy("numpy"))
    return asrpy


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", ["muscle", "pop"])
def test_bursts_are_taken_out_and_nothing_else(kind, seed):
    """Measured: root mean square error -90 to -95 %."""
    rng = np.random.default_rng(seed)
    eeg = brain(rng, 70)
    burst, there = bursts(rng, 70, kind)
    found = cleaned(eeg + burst)
    error, before = (found - eeg)[there], burst[there]
    assert np.sqrt((error**2).sum() / (before**2).sum()) < 0.2
    assert np.array_equal(found[~near(there)], eeg[~near(there)])
    # Beside a burst the other channels' EEG is kept, and in its place in time.
    spared = near(there) & ~there
    assert np.sqrt(((found - eeg)[spared] ** 2).mean() / (eeg**2).mean()) < 0.3
    calm = there[:, None] & (burst == 0)
    match = [np.corrcoef(found[calm], np.roll(eeg, lag, axis=0)[calm])[0, 1] for lag in range(-5, 6)]
    assert np.argmax(match) == 5
    assert match[5] > 0.7


@pytest.mark.parametrize("seed", range(3))
def test_clean_eeg_passes_bit_for_bit(seed):
    eeg = brain(np.random.default_rng(seed), 70)
    before = eeg.copy()
    assert np.array_equal(cleaned(eeg), eeg)
    assert np.array_equal(eeg, before), "the input is left alone"


@pytest.mark.parametrize("kind", ["muscle", "pop"])
def test_a_baseline_with_bursts_will_do(kind):
    rng = np.random.default_rng(5)
    eeg = brain(rng, 70)
    burst, there = bursts(rng, 70, kind, first_s=2)
    found = cleaned(eeg + burst)
    late = np.arange(len(eeg)) >= BASELINE_S * RATE
    assert np.array_equal(found[~late], (eeg + burst)[~late])
    assert np.sqrt(((found - eeg)[there & late] ** 2).sum() / (burst[there & late] ** 2).sum()) < 0.2
    assert len(clean_part((eeg + burst)[:3000], RATE)) < 2900
    assert len(clean_part(eeg[:3000], RATE)) > 2700


def test_calibration_is_that_of_asrpy(asrpy):
    """But for the end of the search for the median, and windows that fall on the edge of a histogram's bin."""
    rng = np.random.default_rng(6)
    baseline = brain(rng, 60) + bursts(rng, 60, "pop", first_s=5)[0]
    kept, _ = asrpy.clean_windows(1e5 * baseline.T, RATE, max_bad_chans=0.1, min_clean_fraction=0.5)
    assert np.array_equal(clean_part(baseline, RATE), baseline[np.isin(1e5 * baseline[:, 0], kept[0])])
    expected = asrpy.asr_calibrate(kept, RATE, 20, min_clean_fraction=0.5)
    mixing, limits = calibrate(baseline, RATE, 20)
    np.testing.assert_allclose(mixing, 1e-5 * expected[0], rtol=0, atol=1e-10)
    ratio = np.linalg.norm(limits, axis=1) / (1e-5 * np.linalg.norm(expected[1], axis=1))
    assert (np.abs(ratio - 1) > 0.01).sum() <= 1


def test_second_by_second_is_as_all_at_once(asrpy):
    """The oracle: asrpy over all that follows the baseline, with a step more, which it leaves as it is."""
    rng = np.random.default_rng(7)
    eeg = brain(rng, 60) + bursts(rng, 60, "muscle")[0]
    found = cleaned(eeg)[BASELINE_S * RATE :]
    mixing, limits = calibrate(eeg[: BASELINE_S * RATE], RATE, 20)
    rest = np.concatenate([eeg[BASELINE_S * RATE :], np.zeros((50, CHANNELS))])
    whole = asrpy.asr_process(
        rest.T, RATE, mixing, limits, stepsize=25, mem_splits=1, Zi=np.zeros((CHANNELS, 8)),
        carry=np.zeros((CHANNELS, 25)),
    )[:, 25:].T  # fmt: skip
    assert not np.array_equal(found, eeg[BASELINE_S * RATE :])
    np.testing.assert_allclose(found, whole[: len(found)], rtol=0, atol=1e-10)


def test_what_comes_later_changes_nothing():
    rng = np.random.default_rng(8)
    eeg = brain(rng, 60) + bursts(rng, 60, "pop")[0]
    found = cleaned(eeg)
    assert np.array_equal(cleaned(eeg), found), "a replay gives the same"
    for second in (12, BASELINE_S, 44):
        stop = second * RATE
        seen = stop + round(AHEAD_S * RATE)
        other = eeg.copy()
        other[seen:] = 1e-3 * rng.standard_normal((len(eeg) - seen, CHANNELS))
        assert np.array_equal(cleaned(other)[:stop], found[:stop])


def test_a_second_with_something_missing_passes_and_what_follows_starts_anew():
    rng = np.random.default_rng(9)
    eeg = brain(rng, 70) + bursts(rng, 70, "muscle")[0]
    whole = cleaned(eeg)
    holey = eeg.copy()
    holey[4030:4050, 3] = np.nan
    found = cleaned(holey)
    assert np.array_equal(found[4000:4100], holey[4000:4100], equal_nan=True)
    assert np.isfinite(np.delete(found, slice(4000, 4100), axis=0)).all()
    # What came before that second only counts it as ahead; what comes after it is soon as ever.
    assert np.array_equal(found[:3900], whole[:3900])
    np.testing.assert_allclose(found[4300:], whole[4300:], rtol=0, atol=1e-9)
    # It starts as after the baseline, for which nothing counts that came before.
    alone = cleaned(np.concatenate([eeg[: BASELINE_S * RATE], eeg[4100:]]))[BASELINE_S * RATE :]
    assert np.array_equal(found[4100:], alone)


def test_missing_rows_after_a_second_count_as_silence():
    rng = np.random.default_rng(10)
    eeg = brain(rng, BASELINE_S + 3)
    last = BASELINE_S * RATE + 2 * RATE
    eeg[last + 20 : last + 80, :3] += 300e-6 * brain_noise(rng, 60, 3)
    out = []
    for after in (np.nan, 0.0):
        asr = SubspaceReconstruction(SETTINGS, CHANNELS)
        for start in range(0, last, RATE):
            asr(eeg[start : start + RATE], eeg[start + RATE : start + RATE + asr.ahead])
        out.append(asr(eeg[last:], np.full((asr.ahead, CHANNELS), after)))
    assert np.array_equal(out[0], out[1])
    assert np.isfinite(out[0]).all()


def test_the_baseline_is_whole_seconds_only():
    rng = np.random.default_rng(11)
    eeg = brain(rng, 60) + bursts(rng, 60, "pop")[0]
    holes = np.full((3 * RATE, CHANNELS), np.nan)
    holes[50:] = eeg[:250]
    late = np.concatenate([holes, eeg])
    late[4 * RATE + 20, 5] = np.nan
    without = np.concatenate([late[100:300], eeg[:RATE], eeg[2 * RATE :]])
    # One second is missing throughout, and one in a channel: the rest is as if they had never been.
    assert np.array_equal(cleaned(late)[500:], cleaned(without)[300:])
    assert not np.array_equal(cleaned(late)[500:], late[500:])


@pytest.mark.parametrize("silent", [0.0, 1e-8, np.nan])
def test_a_channel_that_is_flat_or_absent_takes_no_part(silent):
    rng = np.random.default_rng(12)
    eeg = brain(rng, 50)
    burst, there = bursts(rng, 50, "muscle")
    dead = np.full((len(eeg), 1), silent) * rng.standard_normal((len(eeg), 1))
    found = cleaned(np.concatenate([eeg + burst, dead], axis=1))
    assert np.array_equal(found[:, -1:], dead, equal_nan=True)
    assert np.array_equal(found[:, :-1], cleaned(eeg + burst))
    assert (found[there, :-1] != (eeg + burst)[there]).any()


def test_a_channel_that_is_lost_in_the_baseline_takes_no_part():
    eeg = brain(np.random.default_rng(13), 2 * BASELINE_S + 30)
    eeg[20 * RATE :, 0] = np.nan
    eeg[80 * RATE + 20 : 80 * RATE + 80, 2:5] += 300e-6
    found = cleaned(eeg)
    assert np.array_equal(found[:, 0], eeg[:, 0], equal_nan=True)
    assert np.abs(found[80 * RATE : 81 * RATE, 2:5]).max() < 150e-6


def test_channels_that_come_late_take_part_when_they_were_there_for_longer():
    rng = np.random.default_rng(24)
    eeg = brain(rng, 90)
    eeg[: 35 * RATE, LEAST_CHANNELS - 1 :] = np.nan
    for second in (60, 80):
        eeg[second * RATE : second * RATE + 90, 2:5] += 300e-6 * brain_noise(rng, 90, 3)
    found = cleaned(eeg)
    assert np.array_equal(found[: 70 * RATE], eeg[: 70 * RATE], equal_nan=True)
    assert np.abs(found[80 * RATE : 81 * RATE]).max() < 0.3 * np.abs(eeg[80 * RATE : 81 * RATE]).max()


def test_few_channels_pass():
    rng = np.random.default_rng(14)
    eeg = brain(rng, 50) + bursts(rng, 50, "muscle")[0]
    few = eeg[:, : LEAST_CHANNELS - 1]
    assert np.array_equal(cleaned(few), few)
    enough = eeg[:, :LEAST_CHANNELS]
    assert not np.array_equal(cleaned(enough), enough)


@pytest.mark.parametrize("kind", ["average", "double"])
def test_channels_that_depend_on_each_other_do_no_harm(kind):
    rng = np.random.default_rng(15)
    burst, there = bursts(rng, 60, "muscle")
    clean = brain(rng, 60)

    def seen(x: np.ndarray) -> np.ndarray:
        # As a device sends it, in single precision.
        y = x - x.mean(axis=1, keepdims=True) if kind == "average" else np.concatenate([x, x[:, :2]], axis=1)
        return y.astype(np.float32).astype(np.float64)

    found, eeg = cleaned(seen(clean + burst)), seen(clean)
    assert np.sqrt(((found - eeg)[there] ** 2).sum() / (seen(burst)[there] ** 2).sum()) < 0.2
    assert np.array_equal(found[~near(there)], eeg[~near(there)])


@pytest.mark.parametrize("rate", [90, 128, 250])
def test_other_rates(rate):
    rng = np.random.default_rng(16)
    eeg = brain(rng, 40, rate=rate)
    settings = SignalSettings(asr_cutoff=20, asr_baseline_s=BASELINE_S, rate_hz=rate)
    burst = np.zeros_like(eeg)
    burst[35 * rate : 36 * rate, 4:7] = 300e-6 * brain_noise(rng, rate, 3, rate)
    found = cleaned(eeg + burst, settings)
    there = burst.any(axis=1)
    assert np.sqrt(((found - eeg)[there] ** 2).sum() / (burst**2).sum()) < 0.2
    assert np.array_equal(found[: 34 * rate], eeg[: 34 * rate])


def test_a_clean_part_is_found_among_loud_ones():
    """Amplitudes of mean 10 and deviation 2, a third of them doubled or more."""
    rng = np.random.default_rng(17)
    amplitudes = rng.normal(10, 2, (600, 3))
    amplitudes[:200] *= rng.uniform(2, 20, (200, 3))
    mean, spread = clean_level(rng.permutation(amplitudes))
    np.testing.assert_allclose(mean, 10, atol=1)
    np.testing.assert_allclose(spread, 2, atol=1)


@pytest.mark.parametrize("level", [0.0, 3.0])
def test_amplitudes_without_spread(level):
    mean, spread = clean_level(np.full((300, 2), level))
    np.testing.assert_array_equal(mean, level)
    np.testing.assert_array_equal(spread, 0.0)


def test_a_median_that_is_not_found_in_time_is_made_up_for(asrpy, monkeypatch):
    baseline = brain(np.random.default_rng(18), 60)
    expected = calibrate(baseline, RATE, 20)
    monkeypatch.setattr(asrpy.asr_utils, "geometric_median", lambda *_, **__: None)
    for found, wanted in zip(calibrate(baseline, RATE, 20), expected, strict=True):
        assert np.linalg.norm(found) == pytest.approx(np.linalg.norm(wanted), rel=0.1)


def test_a_rate_that_is_too_low_is_refused():
    with pytest.raises(ValidationError, match="asr_cutoff = 20 needs rate_hz of at least 84 Hz, not 80"):
        SignalSettings(asr_cutoff=20, rate_hz=80)
    assert SignalSettings(rate_hz=80).asr_cutoff == 0


def test_neither_asrpy_nor_mne_is_imported_unasked():
    code = (
        "import sys, rtaffect.observed.participant; from rtaffect.observed.asr import SubspaceReconstruction as S; "
        "from rtaffect.common.settings import SignalSettings; assert 'asrpy' not in sys.modules; "
        "S(SignalSettings(asr_cutoff=20), 8); assert 'asrpy' in sys.modules; assert 'mne' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


ON = Settings(signal=SignalSettings(settle_s=0.5, asr_cutoff=20, asr_baseline_s=15))
OFF = Settings(signal=SignalSettings(settle_s=0.5))


def worn(seed: int, seconds: int = 40) -> np.ndarray:
    """A headset's samples at 250 Hz, with bursts from second 20 on."""
    rng = np.random.default_rng(seed)
    samples = brain(rng, seconds, rate=250)
    # Muscles and cables set in within some ten milliseconds; what jumps from one sample to the next is no burst.
    swell = np.minimum(1, np.minimum(np.arange(250), np.arange(250)[::-1]) / 12)[:, None]
    for at in range(20 * 250, (seconds - 3) * 250, 4 * 250):
        burst = 300e-6 * swell * brain_noise(rng, 250, 3, 250)
        samples[at : at + 250, rng.choice(CHANNELS, 3, replace=False)] += burst
    return samples


def test_a_listener_waits_for_the_rows_ahead():
    samples = worn(19)
    names = headset(samples).info.channels
    on, off = (listen(headset(samples), names, 38, settings) for settings in (ON, OFF))
    assert on.lookahead_s == pytest.approx(off.lookahead_s + AHEAD_S)
    changed = on.window(38, 30) != off.window(38, 30)
    quiet = ~np.isnan(on.window(38, 30)) & ~np.isnan(off.window(38, 30))
    # Seconds 9 to 16 have taught; from then on, what is not near a burst is the same too.
    assert not (changed & quiet)[:800].any()
    assert 0.05 < (changed & quiet).any(axis=1).mean() < 0.7
    assert np.nanmax(np.abs(on.window(38, 17))) < 100e-6
    assert (on.quality(38, 17) == 1).all()
    assert off.quality(38, 17).mean() < 0.95


@pytest.mark.parametrize("stride", [2, 7])
def test_a_listener_gives_the_same_for_any_chunking(stride):
    samples = worn(20)
    names = headset(samples).info.channels
    expected = listen(headset(samples), names, 36, ON)
    source = headset(samples)
    other = type(expected)(source, names, ON, ORIGIN)
    last = 36 - 36 % stride
    for step in range(stride, last + 1, stride):
        source.advance(ORIGIN + step + other.lookahead_s)
        other.advance(step)
    np.testing.assert_allclose(other.window(last, 20), expected.window(last, 20), rtol=0, atol=1e-11)


def test_listeners_do_not_know_of_each_other():
    one, two = worn(21), worn(22)
    names = headset(one).info.channels
    alone = listen(headset(one), names, 30, ON).window(30, 20)
    sources = [headset(one, "A"), headset(two, "B")]
    together = [type(listen(headset(one), names, 0, ON))(source, names, ON, ORIGIN) for source in sources]
    for step in range(1, 31):
        for source, listener in zip(sources, together, strict=True):
            source.advance(ORIGIN + step + listener.lookahead_s)
            listener.advance(step)
    assert np.array_equal(together[0].window(30, 20), alone, equal_nan=True)


def test_eyes_are_taken_out_first_and_are_no_bursts():
    """Blinks of 150 uV at a quarter of the channels, many of them just after a second's end."""
    rng = np.random.default_rng(23)
    samples = brain(rng, 60, rate=250)
    blink = np.zeros(len(samples))
    for second in range(3, 58, 2):
        at = second * 250 + int(rng.integers(0, 20))
        blink[at : at + 80] += 500e-6 * np.hanning(80)
    shown = np.concatenate([0.3 * np.ones(3), np.zeros(CHANNELS - 3)])
    names = tuple(f"C{i + 1}" for i in range(CHANNELS))
    seen = np.column_stack(
        [samples + blink[:, None] * shown, blink + 1e-6 * brain_noise(rng, len(blink), 1, 250)[:, 0]]
    )
    source = [headset(seen, channels=(*names, "VEOG")) for _ in range(2)]
    on, off = (listen(*each).window(55, 30) for each in ((source[0], names, 55, ON), (source[1], names, 55, OFF)))
    np.testing.assert_allclose(on, off, rtol=0, atol=1e-11)
    assert np.abs(on).max() < 60e-6
