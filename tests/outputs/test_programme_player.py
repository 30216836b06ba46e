"""Several sounds through one device, each from its own time on, captured by a real PulseAudio server."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from tests.sources.test_sound_card import RATE, PulseServer, found_at, pulse, sound  # noqa: F401 - pulse is a fixture


@pytest.mark.timeout(120)
def test_sounds_are_heard_at_their_times_and_cut(pulse: PulseServer) -> None:  # noqa: F811
    soundfile.write(pulse.folder / "played.wav", sound(), RATE, subtype="FLOAT")
    # Where the machine is too busy for sound in real time, parts of it are lost: that is no fault of the player's.
    for _ in range(3):
        result = pulse.child("programme")
        captured = np.load(pulse.folder / "captured.npz")
        samples, times = captured["samples"], captured["times"]
        first, second, third = result["onsets"]
        found, alike, level = found_at(samples, times, first - 0.3, first + 2.4)
        if alike > 0.99:
            break
    assert alike > 0.99
    assert level == pytest.approx(1.0, abs=0.02)
    assert found == pytest.approx(first, abs=0.03)
    assert np.abs(result["late"]).max() < 0.03
    # At half the rate its upper half is gone; what is left is the sound, at its time.
    found, alike, _ = found_at(samples, times, second - 0.3, second + 2.4)
    assert alike > 0.6
    assert found == pytest.approx(second, abs=0.03)
    loud = np.abs(samples) > 0.05
    last = times[loud][-1]
    assert third + 0.9 < last < result["cut"] + 0.5
