from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from rtaffect.common.errors import SoundError
from rtaffect.sources.sound_file import SoundFileSource
from rtaffect.stream.audio import SAMPLE_RATE, read_sound, sound_sha256
from rtaffect.stream.source import Source

ONSET = 1234.56789
SOUND = np.random.default_rng(0).uniform(-1, 1, 3 * SAMPLE_RATE + 7).astype(np.float32)


def delivered(source: Source) -> tuple[np.ndarray, np.ndarray]:
    block = source.buffer.read(0, np.inf)
    assert block.breaks == ()
    return block.samples[:, 0], block.times


def started(onset: float = ONSET) -> SoundFileSource:
    source = SoundFileSource(SOUND, "noise", onset)
    source.start()
    return source


def test_all_of_it_and_nothing_else_is_delivered_at_its_times() -> None:
    source = started()
    source.advance(ONSET + 100.0)
    samples, times = delivered(source)
    np.testing.assert_array_equal(samples, SOUND)
    np.testing.assert_allclose(times, ONSET + np.arange(len(SOUND)) / SAMPLE_RATE, rtol=0, atol=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1.0, 5.0), max_size=30).map(sorted))
def test_any_pattern_of_advance_delivers_the_same_to_the_bit(steps: list[float]) -> None:
    whole, parts = started(), started()
    whole.advance(ONSET + 5.0)
    for step in steps:
        parts.advance(ONSET + step)
        _, times = delivered(parts)
        assert (times <= ONSET + step + 1e-9).all()
        owed = min(len(SOUND), int(np.floor(step * SAMPLE_RATE + 1e-3)) + 1) if step >= 0 else 0
        assert abs(len(times) - owed) <= 1
    parts.advance(ONSET + 5.0)
    for one, other in zip(delivered(whole), delivered(parts), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("onset", [0.0, 0.1, 1e3 / 3, 123456.789])
def test_a_sample_exactly_at_until_is_delivered(onset: float) -> None:
    source = started(onset)
    for n in (0, 1, 333, 15_999, 16_000):
        source.advance(onset + n / SAMPLE_RATE)
        assert source.buffer.received == n + 1


def test_going_back_delivers_nothing_twice() -> None:
    source = started()
    source.advance(ONSET + 2.0)
    source.advance(ONSET + 1.0)
    assert source.buffer.received == 2 * SAMPLE_RATE + 1


def test_states_before_during_and_after_the_sound() -> None:
    source = started()
    source.advance(ONSET - 0.001)
    assert source.buffer.received == 0
    assert source.status(ONSET - 0.001).state == "waiting"
    source.advance(ONSET + 1.0)
    status = source.status(ONSET + 1.0)
    assert (status.state, status.kind, status.message) == ("ok", "audio", "")
    assert status.age_s == pytest.approx(0.0, abs=1e-6)
    source.advance(ONSET + 60.0)
    assert source.status(ONSET + 60.0).state == "ended"


def test_the_onset_can_be_set_until_the_start() -> None:
    source = SoundFileSource(SOUND, "noise")
    source.advance(1e9)
    assert source.status(0.0).state == "waiting"
    with pytest.raises(ValueError, match="is nan; expected a time"):
        source.onset = float("nan")
    source.onset = 40.0
    source.onset = 50.0
    source.start()
    source.advance(50.0)
    assert delivered(source)[1] == pytest.approx([50.0])
    with pytest.raises(RuntimeError, match="cannot be moved"):
        source.onset = 60.0
    source.stop()
    source.stop()
    source.advance(60.0)
    assert source.buffer.received == 1
    assert source.status(51.0).state == "ended"


def test_an_onset_that_is_not_known_at_the_start_is_waited_for() -> None:
    source = SoundFileSource(SOUND, "noise")
    source.start()
    source.advance(51.0)
    status = source.status(51.0)
    assert (status.state, status.message, status.received) == ("waiting", "when it begins is not known yet", 0)
    source.onset = 50.0
    source.advance(51.0)
    assert delivered(source)[1] == pytest.approx(50.0 + np.arange(SAMPLE_RATE + 1) / SAMPLE_RATE)
    assert source.status(51.0).state == "ok"
    with pytest.raises(RuntimeError, match="cannot be moved"):
        source.onset = 60.0
    unknown = SoundFileSource(SOUND, "noise")
    unknown.start()
    unknown.stop()
    assert (unknown.status(51.0).state, unknown.status(51.0).message) == ("ended", "")


def test_a_file_is_read_as_everywhere_else(tmp_path: Path) -> None:
    path = tmp_path / "story.wav"
    stereo = np.random.default_rng(1).uniform(-0.5, 0.5, (44_100, 2))
    soundfile.write(path, stereo, 44_100)
    source = SoundFileSource.open(path, onset=10.0)
    sound, _ = read_sound(path)
    np.testing.assert_array_equal(source.sound, sound)
    assert source.duration_s == pytest.approx(1.0, abs=1e-3)
    info = source.info
    assert (info.name, info.kind, info.rate, info.origin) == ("story.wav", "audio", 16_000.0, "file")
    assert info.source_id == sound_sha256(sound)


def test_what_cannot_be_read_or_used_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SoundError, match="no such file"):
        SoundFileSource.open(tmp_path / "absent.wav")
    with pytest.raises(ValueError, match=r"expected float32 \(n,\)"):
        SoundFileSource(np.zeros((3, 2), np.float32), "stereo")
