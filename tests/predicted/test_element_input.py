"""Elements as people hear them: those of the file at its place, those of a stream as they come, and when not heard."""

from __future__ import annotations

import numpy as np
import pytest

from rtaffect.predicted.element_input import (
    NO_PLACE,
    NO_SECOND,
    OUTSIDE,
    ElementInput,
    KnownParts,
    Place,
    StreamedParts,
)
from rtaffect.predicted.element_levels import (
    LOWEST_DB,
    NOT_HEARD,
    SILENT_DB,
    decibels,
    heard_steps,
    least_db,
    only_heard,
)
from rtaffect.predicted.elements import separator_for
from rtaffect.predicted.featurizer import features_of
from rtaffect.predicted.separator import Elements, Separator
from rtaffect.predicted.sound_input import HeardSecond, SoundInput
from tests.support.helpers import BandFeaturizer, sound_source

ORIGIN, RATE = 1000.0, 16_000
HERE = Place(0.0)


def noise(seconds: float, seed: int, level: float = 0.1) -> np.ndarray:
    n = round(seconds * RATE)
    return (level * np.random.default_rng(seed).standard_normal(n)).clip(-1, 1).astype(np.float32)


def elements(seconds: float = 12, voice_level: float = 0.1) -> Elements:
    voice, background = noise(seconds, 1, voice_level), noise(seconds, 2)
    return Elements(voice + background, voice, background)


def second(number: int, of: np.ndarray | None) -> HeardSecond:
    return HeardSecond(number, None if of is None else of[(number - 1) * RATE : number * RATE])


def read(known: Elements, steps: int, onset: float = 0.0, memory: int = 3):
    """Features of both elements at each step of a session in which the stimulus began at ``onset``."""
    found = ElementInput(KnownParts({"": known}), BandFeaturizer(context_s=4), {"voice": memory, "background": memory})
    heard = np.concatenate([np.zeros(round(max(0.0, onset) * RATE), np.float32), known.mix])
    heard = np.pad(heard, (0, steps * RATE))
    return [found.step(k, (second(k, heard),), Place(onset)) for k in range(1, steps + 1)]


def test_features_of_a_known_stimulus_are_those_of_calibration():
    known = elements()
    steps = read(known, 12)
    for name in ("voice", "background"):
        expected = features_of(getattr(known, name), BandFeaturizer(context_s=4))
        np.testing.assert_array_equal([s[name].feature for s in steps], expected)
        assert all(not s[name].reason for s in steps)


def test_they_are_taken_from_where_the_stimulus_is():
    known, onset = elements(), 2.25
    steps = read(known, 14, onset)
    assert [s["voice"].reason for s in steps[:2]] == [OUTSIDE, OUTSIDE]
    assert np.isnan(steps[1]["voice"].feature).all()
    whole = np.concatenate([np.zeros(RATE // 4, np.float32), known.voice])
    expected = features_of(whole, BandFeaturizer(context_s=4))
    np.testing.assert_array_equal([s["voice"].feature for s in steps[2:14]], expected[:12])


def test_without_a_place_or_in_another_sound_there_is_nothing():
    found = ElementInput(KnownParts({"a": elements()}), BandFeaturizer(), {"voice": 3})
    mix = elements().mix
    assert found.step(1, (second(1, mix),), Place(np.nan, "a"))["voice"].reason == NO_PLACE
    assert found.step(2, (second(2, mix),), Place(0.0, "b"))["voice"].reason == OUTSIDE
    assert not found.step(3, (second(3, mix),), Place(0.0, "a"))["voice"].reason


def test_a_jump_makes_the_featurizer_begin_anew_and_a_drift_does_not():
    known = elements()
    found = ElementInput(KnownParts({"": known}), BandFeaturizer(context_s=4), {"voice": 3})
    for k in range(1, 5):
        # .5 ms each second, which is far more than clocks drift.
        drifted = found.step(k, (second(k, known.mix),), Place(-0.0005 * k))["voice"].feature
    alone = features_of(known.voice[3 * RATE : 4 * RATE], BandFeaturizer(context_s=4))[0]
    assert np.abs(drifted - alone).max() > 1e-3
    jumped = found.step(5, (second(5, known.mix),), Place(-2.0))["voice"].feature
    np.testing.assert_array_equal(jumped, features_of(known.voice[6 * RATE : 7 * RATE], BandFeaturizer(context_s=4))[0])


def test_a_missing_second_a_late_one_and_one_that_is_left_out():
    known = elements()
    found = ElementInput(KnownParts({"": known}), BandFeaturizer(context_s=4), {"voice": 3})
    assert not found.step(1, (second(1, known.mix),), HERE)["voice"].reason
    late = found.step(2, (), HERE)["voice"]
    assert late.reason == NO_SECOND
    assert np.isnan(late.feature).all()
    both = found.step(3, (second(2, known.mix), second(3, known.mix)), HERE)["voice"].feature
    np.testing.assert_array_equal(both, features_of(known.voice, BandFeaturizer(context_s=4))[2])
    assert found.step(4, (second(4, None),), HERE)["voice"].reason == NO_SECOND
    assert np.isnan(found.step(5, (second(5, known.mix),), HERE, left_out=True)["voice"].feature).all()
    anew = found.step(6, (second(6, known.mix),), HERE)["voice"].feature
    np.testing.assert_array_equal(anew, features_of(known.voice[5 * RATE : 6 * RATE], BandFeaturizer(context_s=4))[0])


def test_an_element_that_is_not_heard_says_so_and_calibration_knows_the_same_steps():
    voice, background = noise(12, 1), noise(12, 2)
    voice[3 * RATE : 8 * RATE] *= 0.001
    known = Elements(voice + background, voice, background)
    live = np.array([not s["voice"].reason for s in read(known, 12, memory=3)])
    assert {s["voice"].reason for s in read(known, 12, memory=3)} == {"", "no voice heard"}
    np.testing.assert_array_equal(live, heard_steps(voice, known.mix, 3))
    # Three seconds are what counts: the last two of the pause's five are without it, and so is the first after it.
    np.testing.assert_array_equal(np.flatnonzero(~live) + 1, [6, 7, 8])
    target = only_heard(np.ones((12, 2)), live)
    np.testing.assert_array_equal(np.isnan(target).all(axis=1), ~live)
    assert all(not s["background"].reason for s in read(known, 12, memory=3))


def test_a_voice_counts_from_where_on_its_separator_can_be_believed():
    """Ten dB below the background it is 10 % of the sound: heard from -20 dB on, and not from -5 on."""
    voice, background = noise(6, 1) * np.float32(10**-0.5), noise(6, 2)
    known = Elements(voice + background, voice, background)
    for voice_db, heard in ((-20.0, True), (-5.0, False)):
        found = ElementInput(
            KnownParts({"": known}), BandFeaturizer(context_s=4), {"voice": 3, "background": 3}, voice_db
        )
        steps = [found.step(k, (second(k, known.mix),), HERE) for k in range(1, 7)]
        assert [s["voice"].reason for s in steps] == ["" if heard else NOT_HEARD["voice"]] * 6
        assert not any(s["background"].reason for s in steps)
        assert heard_steps(voice, known.mix, 3, least_db("voice", voice_db)).tolist() == [heard] * 6
    # The rule of the background is the same with any separator.
    assert least_db("background", -5.0) == least_db("voice", SILENT_DB) == SILENT_DB


@pytest.mark.parametrize("level", [0.0, 1e-6])
def test_silence_has_no_elements(level: float):
    silent = elements(4, 0.0)
    silent = Elements(*(part * np.float32(level / 0.1) for part in silent))
    steps = read(silent, 4)
    assert [s["voice"].reason for s in steps] == [NOT_HEARD["voice"]] * 4
    assert [s["background"].reason for s in steps] == [NOT_HEARD["background"]] * 4
    assert decibels(0.0) == LOWEST_DB
    assert np.isnan(decibels(float("nan")))


@pytest.fixture(scope="module")
def dtln() -> Separator:
    return separator_for("dtln", progress=lambda text: None)


def stream(source, separator: Separator, steps: int):
    ahead = separator.manifest.lookahead
    sound = SoundInput(source, BandFeaturizer(context_s=4), ORIGIN, ahead)
    found = ElementInput(StreamedParts(separator, sound), BandFeaturizer(context_s=4), {"voice": 3, "background": 3})
    mixes, parts = [], []
    for step in range(1, steps + 1):
        source.advance(ORIGIN + step + sound.lookahead_s)
        sound.advance(step)
        mixes.append(sound.feature(step))
        parts.append(found.step(step, sound.heard, HERE))
    return np.array(mixes), parts


def test_a_stream_is_taken_apart_as_its_whole_sound_is(dtln: Separator):
    mix = elements(6).mix
    _, steps = stream(sound_source(mix), dtln, 5)
    whole = dtln.elements_of(mix, mix[:, None], RATE)
    for name in ("voice", "background"):
        expected = features_of(getattr(whole, name), BandFeaturizer(context_s=4))[:5]
        np.testing.assert_allclose([s[name].feature for s in steps], expected, atol=1e-4)


def test_looking_ahead_changes_nothing_of_the_sound_itself(dtln: Separator):
    mix = elements(5).mix
    with_ahead, _ = stream(sound_source(mix), dtln, 4)
    source = sound_source(mix)
    plain = SoundInput(source, BandFeaturizer(context_s=4), ORIGIN)
    for step, expected in enumerate(with_ahead, start=1):
        source.advance(ORIGIN + step + plain.lookahead_s)
        plain.advance(step)
        np.testing.assert_array_equal(plain.feature(step), expected)


def test_after_a_gap_the_separator_begins_anew(dtln: Separator):
    mix = elements(8).mix
    gapped = mix.copy()
    gapped[round(2.5 * RATE) : round(2.6 * RATE)] = np.nan
    _, steps = stream(sound_source(gapped), dtln, 6)
    # What follows the second before the gap is there; the second with it is not.
    assert [bool(np.isnan(s["voice"].feature).any()) for s in steps] == [False, False, True, False, False, False]
    after = mix[3 * RATE :]
    expected = features_of(dtln.elements_of(after, after[:, None], RATE).voice, BandFeaturizer(context_s=4))
    np.testing.assert_allclose([s["voice"].feature for s in steps[3:]], expected[:3], atol=1e-4)
