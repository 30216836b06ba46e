"""Acoustic descriptors against sounds whose values are known, and against librosa where it is installed."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import bilinear, butter, chirp, lfilter, sawtooth, sosfilt

from calibration import descriptors as module
from calibration.descriptors import DESCRIPTORS, FRAME, HOP, N_FRAMES, descriptors_of
from rtaffect.simulation.sounds import compose, speech_from_wheel

RATE = 16_000
NAMES = [descriptor.name for descriptor in DESCRIPTORS]
SILENCE = np.array([descriptor.silence for descriptor in DESCRIPTORS], np.float32)
NOT_LOUDNESS = [name for name in NAMES if name != "loudness"]


def times(seconds: float = 1) -> np.ndarray:
    return np.arange(round(seconds * RATE)) / RATE


def sine(frequency: float, amplitude: float = 0.3, seconds: float = 1) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * frequency * times(seconds) + 0.4)


def noise(seconds: int = 1, level: float = 0.1, seed: int = 0) -> np.ndarray:
    return level * np.random.default_rng(seed).standard_normal(seconds * RATE)


def of(sound: np.ndarray) -> dict[str, np.ndarray]:
    """Each descriptor by its name, (steps,)."""
    return dict(zip(NAMES, descriptors_of(sound.astype(np.float32)).T, strict=True))


def one(sound: np.ndarray) -> dict[str, float]:
    """Each descriptor of a sound of one second."""
    return {name: float(values) for name, (values,) in of(sound).items()}


@functools.cache
def speech() -> np.ndarray:
    return speech_from_wheel()[: 20 * RATE].astype(np.float32)


# --- known sounds ----------------------------------------------------------------------------------------------------


def test_there_are_twelve_with_names_and_units():
    assert len(DESCRIPTORS) == len(set(NAMES)) == 12
    assert all(descriptor.unit and descriptor.meaning for descriptor in DESCRIPTORS)
    assert FRAME + HOP * (N_FRAMES - 1) == RATE


@pytest.mark.parametrize("frequency", [100, 220, 440.5, 997])
def test_a_tone(frequency):
    found = one(sine(frequency))
    assert found["centroid"] == pytest.approx(frequency, abs=2)
    assert found["spread"] < 35
    assert found["rolloff"] == pytest.approx(frequency, abs=50)
    assert found["flatness"] < -55
    assert found["zero_crossings"] == pytest.approx(2 * frequency, rel=0.01)
    assert found["pitch"] == pytest.approx(12 * np.log2(frequency / 27.5), abs=0.02)
    assert found["harmonicity"] > 0.99
    assert found["flux"] < 0.1
    assert found["low_energy"] == 0
    assert found["modulation"] < -45
    assert found["roughness"] < -45


def test_white_noise():
    found = of(noise(20))
    assert found["centroid"].mean() == pytest.approx(4000, rel=0.01)
    # Of a uniform distribution over 8 kHz.
    assert found["spread"].mean() == pytest.approx(8000 / np.sqrt(12), rel=0.01)
    assert found["rolloff"].mean() == pytest.approx(0.85 * 8000, rel=0.01)
    # exp(-Euler's gamma) is the flatness of a periodogram of white noise.
    assert found["flatness"].mean() == pytest.approx(-10 * np.euler_gamma / np.log(10), abs=0.2)
    assert found["zero_crossings"].mean() == pytest.approx(8000, rel=0.01)
    assert found["harmonicity"].max() < 0.25
    assert found["low_energy"].max() == 0


def test_loudness_is_that_of_the_recommendation():
    """A sine of 997 Hz at full scale has -3.01 LUFS; elsewhere the gain of the two filters at 48 kHz."""
    assert one(sine(997, 1.0))["loudness"] == pytest.approx(-3.01, abs=0.02)
    at = {f: one(sine(f, 0.1))["loudness"] + 23.01 for f in (40, 100, 4000)}
    assert at[4000] == pytest.approx(4.0 - 0.69, abs=0.1)
    assert at[100] == pytest.approx(-1.1 - 0.69, abs=0.2)
    assert at[40] < -6


def test_loudness_of_broadband_sound_is_that_of_the_filtered_sound():
    """The same filters designed anew for 16 kHz from their analogue forms (De Man, AES 2018), run over time."""
    w, q = 2 * np.pi * 1681.974450955533, 0.7071752369554196
    gain = 10 ** (3.999843853973347 / 20)
    k = RATE * 2 * np.tan(w / RATE / 2)
    head = bilinear([gain, gain**0.4996667741545416 / q * k, k**2], [1, k / q, k**2], RATE)
    w, q = 2 * np.pi * 38.13547087602444, 0.5003270373238773
    high_pass = bilinear([1, 0, 0], [1, w / q, w**2], RATE)
    weighted = speech().astype(float)
    for b, a in (head, high_pass):
        weighted = lfilter(b, a, weighted)
    expected = -0.691 + 10 * np.log10(np.mean(weighted.reshape(-1, RATE) ** 2, axis=1))
    assert np.abs(of(speech())["loudness"] - expected).max() < 1.0
    assert np.median(np.abs(of(speech())["loudness"] - expected)) < 0.15


@pytest.mark.parametrize("frequency", [80, 130, 310.7, 600])
def test_the_pitch_of_a_rich_tone_is_its_fundamental(frequency):
    harmonics = range(1, int(7500 / frequency))
    found = one(sum(sine(frequency * k, 0.2 / k) for k in harmonics) + noise(level=0.005))
    assert found["pitch"] == pytest.approx(12 * np.log2(frequency / 27.5), abs=0.2)
    assert found["harmonicity"] > 0.9


def test_a_square_wave_is_not_heard_an_octave_down():
    assert one(np.sign(sine(200)))["pitch"] == pytest.approx(12 * np.log2(200 / 27.5), abs=0.1)


def test_a_few_voiced_frames_are_no_pitch():
    assert one(noise() + 5 * sine(800) * (times() < 0.03))["pitch"] == 36


def test_a_missing_fundamental_is_heard():
    sound = sum(sine(150 * k, 0.1) for k in (3, 4, 5))
    assert one(sound)["pitch"] == pytest.approx(12 * np.log2(150 / 27.5), abs=0.1)


def test_noise_on_a_tone_lowers_its_harmonicity():
    """For a tone in white noise the peak is the tone's share of the power (Boersma 1993)."""
    for share in (0.5, 0.7, 0.9):
        sound = sine(200, np.sqrt(2 * share)) + noise(level=np.sqrt(1 - share))
        assert one(0.1 * sound)["harmonicity"] == pytest.approx(share, abs=0.06)


def test_a_chirp_moves_centroid_rolloff_and_crossings_and_not_loudness():
    found = of(0.2 * chirp(times(6), 500, 6, 3500))
    middles = 500 + 3000 * (np.arange(6) + 0.5) / 6
    np.testing.assert_allclose(found["centroid"], middles, rtol=0.02)
    np.testing.assert_allclose(found["zero_crossings"], 2 * middles, rtol=0.02)
    assert (np.diff(found["rolloff"]) > 300).all()
    assert np.ptp(found["loudness"]) < 4.5


def test_clicks_have_flux_and_a_steady_noise_has_less():
    steps = sine(500) * (np.floor(times() * 8) % 2)
    assert one(steps + noise(level=1e-4))["flux"] > 3 * one(sine(500) + noise(level=1e-4))["flux"]


def test_low_energy_is_the_share_of_quiet_frames():
    half = sine(300) * (times() < 0.5)
    assert one(half)["low_energy"] == pytest.approx(0.5, abs=0.03)
    tenth = noise() * (times() > 0.1)
    assert one(tenth)["low_energy"] == pytest.approx(0.1, abs=0.03)


@pytest.mark.parametrize("depth", [0.2, 0.5, 1.0])
def test_modulation_and_roughness_tell_slow_and_fast_beats(depth):
    """An envelope of 1 + m cos has the share m^2 / 2 / (1 + m^2 / 2) in its side lines."""
    share = 10 * np.log10(depth**2 / 2 / (1 + depth**2 / 2))
    for rate, name, other in ((5, "modulation", "roughness"), (70, "roughness", "modulation")):
        found = one(sine(2000, 0.2) * (1 + depth * np.cos(2 * np.pi * rate * times())))
        assert found[name] == pytest.approx(share, abs=0.3)
        assert found[other] < -40
    found = one(sine(2000, 0.2) * (1 + depth * np.cos(2 * np.pi * 500 * times())))
    assert found["roughness"] < -40


def test_pauses_between_sounds_do_not_change_what_the_sounds_are_like():
    whole, parted = one(sine(440)), one(sine(440) * (times() < 0.4) + noise(level=1e-5))
    for name in ("centroid", "rolloff", "pitch", "harmonicity"):
        assert parted[name] == pytest.approx(whole[name], rel=0.1)


# --- finite, whatever comes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0.0, 0.5])
def test_silence_has_the_documented_values(offset):
    np.testing.assert_allclose(descriptors_of(np.full(2 * RATE, offset, np.float32)), [SILENCE, SILENCE], atol=0.05)


def test_the_quieter_a_sound_the_nearer_to_silence():
    found = descriptors_of(np.concatenate([noise(level=level) for level in (1e-4, 1e-5, 1e-7)]).astype(np.float32))
    away = np.abs(found - SILENCE)[:, [NAMES.index(name) for name in NOT_LOUDNESS]]
    assert (np.diff(away, axis=0) <= 0).all()
    assert found[0, NAMES.index("centroid")] > 3500


@pytest.mark.parametrize(
    "sound",
    [
        np.sign(sine(200)),
        np.clip(20 * speech(), -1, 1),
        noise(level=1e-20),
        noise(level=1e4),
        np.eye(1, RATE, 5000)[0],
        np.eye(1, RATE, 0)[0],
        np.eye(1, RATE, RATE - 1)[0],
        np.ones(RATE) - 2 * (np.arange(RATE) == 7),
        np.resize([1.0, -1.0], RATE),
        np.linspace(-1, 1, RATE),
    ],
    ids=["square", "clipped", "faint", "huge", "click", "first", "last", "offset", "nyquist", "ramp"],
)
def test_odd_sounds_have_finite_values_within_their_ranges(sound):
    found = of(sound)
    assert all(np.isfinite(values).all() for values in found.values())
    for name, low, high in (
        ("low_energy", 0, 1), ("centroid", 0, 8000), ("spread", 0, 4001), ("rolloff", 0, 8000), ("flatness", -61, 0.1),
        ("flux", 0, 100), ("zero_crossings", 0, RATE), ("pitch", 16, 64), ("harmonicity", 0, 1), ("modulation", -51, 0),
        ("roughness", -51, 0),
    ):  # fmt: skip
        assert (found[name] >= low).all(), name
        assert (found[name] <= high).all(), name


@pytest.mark.parametrize(
    ("sound", "message"),
    [
        (np.zeros(RATE), r"float64 \(16000,\), expected float32 \(n,\)"),
        (np.zeros((RATE, 2), np.float32), r"\(16000, 2\)"),
        (np.full(RATE, np.nan, np.float32), "NaN or infinity"),
    ],
)
def test_what_is_no_sound_is_refused(sound, message):
    with pytest.raises(ValueError, match=message):
        descriptors_of(sound)


# --- the clock -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, 1, RATE - 1, RATE, 2 * RATE + 7])
def test_whole_seconds_only(n):
    found = descriptors_of(np.zeros(n, np.float32))
    assert found.shape == (n // RATE, 12)
    assert found.dtype == np.float32


def test_a_row_follows_from_its_second_alone():
    """Bit for bit: not from what comes later, nor from what came before."""
    sound = speech()
    whole = descriptors_of(sound)
    for second in (0, 1, 7, 8, 19):
        alone = sound[second * RATE : (second + 1) * RATE]
        np.testing.assert_array_equal(descriptors_of(alone)[0], whole[second])
    changed = sound.copy()
    changed[12 * RATE :] = noise(8, seed=3)
    np.testing.assert_array_equal(descriptors_of(changed)[:12], whole[:12])
    assert (descriptors_of(changed)[12:] != whole[12:]).any(axis=1).all()


@settings(max_examples=20, deadline=None)
@given(gain=st.floats(0.1, 10), offset=st.floats(-0.1, 0.1))
def test_a_gain_moves_loudness_alone_and_an_offset_nothing(gain, offset):
    sound = speech()[: 4 * RATE]
    before, after = of(sound), of(np.float32(gain) * sound + np.float32(offset))
    np.testing.assert_allclose(after["loudness"] - before["loudness"], 20 * np.log10(gain), atol=0.02)
    scales = {descriptor.name: max(abs(descriptor.silence), 1) for descriptor in DESCRIPTORS}
    for name in NOT_LOUDNESS:
        np.testing.assert_allclose(after[name], before[name], atol=0.01 * scales[name], err_msg=name)


def test_no_descriptor_of_speech_is_a_copy_of_another():
    r = np.corrcoef(descriptors_of(speech()).T) - np.eye(12)
    assert np.abs(r).max() < 0.985


def test_the_values_are_those_of_this_version():
    """If this fails because a value was meant to change, raise VERSION and take the new ones."""
    assert module.VERSION == 2
    sound = sawtooth(2 * np.pi * 180 * times()) * 0.2 * (1 + np.cos(2 * np.pi * 6 * times())) + noise(level=0.01)
    expected = GOLDEN
    np.testing.assert_allclose(list(one(sound).values()), expected, rtol=2e-3, atol=2e-3)


GOLDEN = [-17.592, 0.309, 2492.572, 2332.306, 5550.741, -13.149, 1.347, 1768.306, 32.513, 0.874, -6.256, -39.292]

# --- librosa ---------------------------------------------------------------------------------------------------------


def test_frames_are_librosas():
    """Per frame, for sound without anything at zero frequency."""
    librosa = pytest.importorskip("librosa")
    sound = sosfilt(butter(4, 150, "highpass", fs=RATE, output="sos"), speech()[: 3 * RATE]).astype(np.float32)[RATE:]
    sound = (sound + noise(2, 0.001)).astype(np.float32)
    second = sound[:RATE] - sound[:RATE].mean()
    options = {"n_fft": FRAME, "hop_length": HOP, "center": False}
    magnitude = np.abs(librosa.stft(second, **options))
    frames = np.lib.stride_tricks.sliding_window_view(second, FRAME)[::HOP]
    power = (np.abs(np.fft.rfft(frames * module._WINDOW)) ** 2).astype(np.float32)
    shape = module._shape(power)
    feature = librosa.feature
    expected = {
        "centroid": feature.spectral_centroid(S=magnitude, sr=RATE)[0],
        "spread": feature.spectral_bandwidth(S=magnitude, sr=RATE)[0],
        "rolloff": feature.spectral_rolloff(S=magnitude, sr=RATE, roll_percent=0.85)[0],
        "flatness": 10 * np.log10(feature.spectral_flatness(S=magnitude, amin=1e-20)[0]),
    }
    for name, tolerance in (("centroid", 1), ("spread", 1), ("rolloff", 26), ("flatness", 0.1)):
        np.testing.assert_allclose(shape[name], expected[name], atol=tolerance, err_msg=name)
    crossings = feature.zero_crossing_rate(second, frame_length=FRAME, hop_length=HOP, center=False)[0] * RATE
    np.testing.assert_allclose(module._zero_crossings(second), crossings, atol=60)
    mel = librosa.filters.mel(sr=RATE, n_fft=FRAME, n_mels=40, htk=True, norm=None)
    np.testing.assert_allclose(module._mel().T, mel, atol=1e-5)
    levels = librosa.power_to_db(mel @ power.T, amin=1e-20, top_db=60)
    onset = librosa.onset.onset_strength(S=levels, sr=RATE, center=False)
    assert module._flux(power) == pytest.approx(onset[1:].mean(), rel=1e-3)


def test_pitch_is_librosas():
    librosa = pytest.importorskip("librosa")
    sound = speech()[: 6 * RATE]
    f0, voiced, _ = librosa.pyin(sound, fmin=75, fmax=1000, sr=RATE, frame_length=1024, hop_length=HOP)
    semitones = 12 * np.log2(f0 / 27.5)
    found = of(sound)["pitch"]
    for second in range(6):
        rows = slice(second * 100, (second + 1) * 100)
        if voiced[rows].sum() > 40:
            assert found[second] == pytest.approx(np.nanmedian(semitones[rows]), abs=1.5)


def test_the_document_lists_them_as_they_are():
    text = (Path(__file__).parents[2] / "docs" / "featurizers.md").read_text(encoding="utf-8")
    for name, unit, silence, _ in DESCRIPTORS:
        assert f"| `{name}` | {unit} | {silence:g} |" in text


def test_composed_soundtracks_give_finite_numbers():
    """Music with silences and smooth tones, where an autocorrelation's peak may be as flat as rounding allows."""
    for seed in (101, 102, 104):
        assert np.isfinite(descriptors_of(compose(seed, 40.0))).all()
