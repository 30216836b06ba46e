"""Several sounds through one device, each from its own time on, captured by a real PulseAudio server."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from scipy.signal import correlate

from tests.sources.test_sound_card import RATE, PulseServer, pieces_at, pulse, sound  # noqa: F401 - pulse is a fixture


@pytest.mark.timeout(120)
def test_sounds_are_heard_at_their_times_and_cut(pulse: PulseServer) -> None:  # noqa: F811
    soundfile.write(pulse.folder / "played.wav", sound(), RATE, subtype="FLOAT")
    # Where the machine is too busy for sound in real time, parts of it are lost: that is no fault of the player's.
    for _ in range(3):
        result = pulse.child("programme")
        captured = np.load(pulse.folder / "captured.npz")
        samples, times = captured["samples"], captured["times"]
        first, second, third = result["onsets"]
        late, alike = pieces_at(samples, times, first, sound())
        if np.mean(alike > 0.9) > 0.8:
            break
    assert np.median(alike) > 0.99
    assert np.median(late) == pytest.approx(0.0, abs=0.03)
    assert np.abs(result["late"]).max() < 0.03
    # At half the rate its upper half is gone; what is left is the sound, at its time.
    late, alike = pieces_at(samples, times, second, sound())
    assert np.median(alike) > 0.6
    assert np.median(late) == pytest.approx(0.0, abs=0.03)
    loud = np.abs(samples) > 0.05
    last = times[loud][-1]
    assert third + 0.9 < last < result["cut"] + 0.5


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_player_whose_process_was_stopped_is_heard_in_its_place_again(pulse: PulseServer) -> None:  # noqa: F811
    """The sound is captured by another process: before and after it lies at one and the same place on the LSL clock."""
    long = np.random.default_rng(2).uniform(-0.5, 0.5, 12 * RATE).astype(np.float32)
    soundfile.write(pulse.folder / "long.wav", long, RATE, subtype="FLOAT")
    result = pulse.child("stopped")
    captured = np.load(pulse.folder / "captured.npz")
    samples, times, onset = captured["samples"], captured["times"], result["onset"]
    begun, ended = result["stopped"]

    def displaced(at: float) -> float:
        """How much later than planned half a second from ``at`` on was heard, s."""
        inside = slice(*np.searchsorted(times, [at, at + 0.5]))
        begin = round((at - onset - 0.3) * RATE)
        part = samples[inside]
        found = correlate(long[begin : begin + RATE + len(part)], part, mode="valid", method="fft")
        place = begin + int(np.argmax(found))
        assert found.max() > 5 * np.sqrt(np.mean(found**2)), "it is heard"
        return float(times[inside][0] - onset - place / RATE)

    before = np.median([displaced(onset + s) for s in (0.3, 0.7, 1.1)])
    after = np.array([displaced(ended + s) for s in (1.0, 1.4, 1.8)])
    # The times of a capture through a sound server, taken by themselves, are not better than that.
    assert np.abs(np.median(after) - before) < 0.02
    torn = [(since, until) for reason, since, until in result["doubts"] if reason == "player-torn"]
    assert torn
    assert min(since for since, _ in torn) < begun + 0.3
    assert ended - 0.1 < max(until for _, until in torn) < ended + 2.0
    assert result["counts"]["displaced_s"] > 1.0
