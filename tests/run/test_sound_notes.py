"""What is to be known of a sound file reaches whoever uses it, and all agree on how long it is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from rtaffect.protocol.reading import sound_seconds
from rtaffect.run.recipe import _of_sounds
from rtaffect.run.stage import StageSound
from rtaffect.sources.sound_file import SoundFileSource
from rtaffect.start.found import Ask, SoundFacts
from rtaffect.start.look import look_at


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    """Return an MP3 of 10 s that was broken off at 60 %."""
    path = tmp_path / "cut.mp3"
    noise = 0.1 * np.random.default_rng(0).standard_normal(160_000)
    soundfile.write(path, noise, 16_000, bitrate_mode="CONSTANT")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    return path


def test_a_session_and_the_start_window_tell_that_a_sound_is_cut_short(cut, tmp_path):
    soundfile.write(tmp_path / "whole.wav", np.zeros(16_000), 16_000)
    blocks = [SimpleNamespace(sound=tmp_path / "whole.wav"), SimpleNamespace(sound=None), SimpleNamespace(sound=cut)]
    for stimuli, protocol in (({cut: ""}, None), ({}, SimpleNamespace(blocks=blocks))):
        notes = list(_of_sounds(SimpleNamespace(stimuli=stimuli, setup=SimpleNamespace(protocol=protocol))))
        assert len(notes) == 1
        assert notes[0].startswith("cut.mp3 is cut short or damaged: it says 10.00 s, and 5.")
    found = look_at(Ask("sound", str(cut)))
    assert isinstance(found, SoundFacts)
    assert found.notes == tuple(notes)


def test_all_agree_on_how_long_it_is(cut):
    seconds = SoundFileSource.open(cut).duration_s
    assert 5.5 < seconds < 6.0
    staged = StageSound.read(cut)
    assert len(staged.samples) / 16_000 == seconds
    assert len(staged.stereo) / staged.rate == pytest.approx(seconds, abs=1e-4)
    assert sound_seconds(cut) == 6
