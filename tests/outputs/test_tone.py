"""The feedback tone: its samples, and once through a real PulseAudio server, in a child process."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtaffect.common.errors import SoundError
from rtaffect.outputs.tone import FADE_S, STALE_S, VOLUME, Tone, ToneGenerator
from rtaffect.protocol.protocol_step import Phase, ProtocolStep, Shown
from tests.sources.test_sound_card import PulseServer, pulse

__all__ = ["pulse"]

RATE = 48_000


def made(tone: ToneGenerator, seconds: float, block: int = 512) -> np.ndarray:
    out = np.empty(round(seconds * tone.rate), np.float32)
    for start in range(0, len(out), block):
        tone.fill(out[start : start + block])
    return out


def pitch_of(samples: np.ndarray, rate: float = RATE) -> float:
    """Return the frequency of the strongest line, Hz, by a parabola through its decibels."""
    spectrum = np.log(np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) + 1e-12)
    at = int(np.argmax(spectrum))
    left, middle, right = spectrum[at - 1 : at + 2]
    return float((at + 0.5 * (left - right) / (left - 2 * middle + right)) * rate / len(samples))


def steps(samples: np.ndarray, order: int = 1) -> float:
    return float(np.abs(np.diff(samples.astype(np.float64), order)).max())


@pytest.mark.parametrize(("level", "hertz"), [(0.0, 220), (0.5, 220 * 2**0.5), (1.0, 440), (7.0, 440), (-1.0, 220)])
def test_the_pitch_is_the_level_on_a_scale_of_equal_intervals(level: float, hertz: float) -> None:
    tone = ToneGenerator(RATE)
    tone.set_level(level)
    assert pitch_of(made(tone, 2.0)[RATE:]) == pytest.approx(hertz, rel=1e-3)


@pytest.mark.parametrize("nothing", [None, math.nan])
def test_it_fades_in_from_silence_and_out_into_it(nothing: float | None) -> None:
    tone = ToneGenerator(RATE)
    assert not made(tone, 0.2).any()
    assert tone.silent
    tone.set_level(0.5)
    begun = made(tone, 1.0)
    assert not tone.silent
    tone.set_level(nothing)
    ended = made(tone, 1.0)
    assert tone.silent
    fade = round(FADE_S * RATE)
    for part in (begun[:fade], ended[:fade][::-1]):
        loud = [np.abs(piece).max() for piece in np.array_split(part, 10)]
        assert (np.diff(loud) > 0).all()
        assert loud[0] < 0.01
    assert not ended[fade:].any()
    assert begun[fade:].std() > 0.05


@settings(max_examples=20, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=1, max_size=6), st.integers(100, 20_000))
def test_it_never_clicks_and_keeps_below_its_volume(levels: list[float | None], every: int) -> None:
    tone = ToneGenerator(RATE)
    parts = []
    for level in levels:
        tone.set_level(level)
        parts.append(made(tone, every / RATE))
    tone.set_level(None)
    samples = np.concatenate([np.zeros(2), *parts, made(tone, 0.6)])
    assert np.abs(samples).max() <= VOLUME
    # What a steady tone at the highest pitch has, overtones included, and nothing above it: no edge, no kink.
    steady = ToneGenerator(RATE)
    steady.set_level(1.0)
    highest = made(steady, 1.5)[RATE:]
    assert steps(samples) <= 1.05 * steps(highest)
    assert steps(samples, 2) <= 1.05 * steps(highest, 2) + 1e-7


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(50, 5000), min_size=1, max_size=8))
def test_any_blocks_give_the_same_tone(blocks: list[int]) -> None:
    rate = 8000.0  # the level is stale within the test
    whole, parts = ToneGenerator(rate), ToneGenerator(rate)
    for tone in (whole, parts):
        tone.set_level(0.2)
        made(tone, 1.0)
        tone.set_level(0.9)
    expected, found = np.empty(round(4 * rate), np.float32), np.empty(round(4 * rate), np.float32)
    whole.fill(expected)
    start = number = 0
    while start < len(found):
        stop = start + blocks[number % len(blocks)]
        parts.fill(found[start:stop])
        start, number = stop, number + 1
    np.testing.assert_allclose(found, expected, atol=1e-7)


def test_a_level_without_a_successor_gets_stale() -> None:
    tone = ToneGenerator(RATE)
    tone.set_level(0.5)
    heard = made(tone, STALE_S + FADE_S + 0.1)
    assert np.abs(heard[round((STALE_S - 0.1) * RATE) : round(STALE_S * RATE)]).max() > 0.1
    assert not heard[round((STALE_S + FADE_S) * RATE) :].any()
    for _ in range(5):
        tone.set_level(0.5)
        newest = made(tone, 1.0)
    assert np.abs(newest[-1000:]).max() > 0.1


def test_out_of_silence_it_begins_at_the_new_pitch() -> None:
    tone = ToneGenerator(RATE)
    tone.set_level(0.0)
    made(tone, 1.0)
    tone.set_level(None)
    made(tone, 1.0)
    tone.set_level(1.0)
    assert pitch_of(made(tone, 0.2)) == pytest.approx(440, rel=0.02)


def protocol_step(level: float | None, phase: Phase = "running") -> ProtocolStep:
    return ProtocolStep(1, 1, 1, "feedback", "Run", phase, 0.0, 60.0, shown=Shown(level))


def test_through_a_sound_device_it_is_heard_follows_and_tells_its_loss(pulse: PulseServer) -> None:
    command = [sys.executable, "-W", "error", "-m", "tests.outputs.test_tone", str(pulse.folder)]
    done = subprocess.run(command, env=pulse.env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    message = json.loads((pulse.folder / "tone.json").read_text())
    assert message["low"] == pytest.approx(220, rel=0.01)
    assert 410 < message["high"] < 442, "on its way, or there"
    assert message["silence"] == [0.0, 0.0, 0.0]
    assert message["well"] == ["", "", ""]
    assert "is gone, and the participant hears no tone; connect it again" in message["lost"]
    assert message["told"][0] == message["lost"]
    assert message["after"] == ""
    assert "'no such thing'; expected one of" in message["unknown"]


def child(folder: Path) -> dict[str, object]:
    """Play and listen: the device's monitor is recorded into a file."""
    record = ["parec", "--raw", "--format=float32le", f"--rate={RATE}", "--channels=1", "--latency-msec=20"]
    with (folder / "heard").open("wb") as file, subprocess.Popen(record, stdout=file) as recorder:
        try:
            return play(folder, Recording(folder / "heard"))
        finally:
            recorder.kill()


def play(folder: Path, recording: Recording) -> dict[str, object]:
    tone = Tone()
    silence = [loudest(recording)]
    tone.start()
    silence.append(loudest(recording))
    well = [tone.trouble]
    tone(protocol_step(0.0))
    low = heard(recording, after=0.2)
    tone(protocol_step(1.0))
    high = heard(recording, after=1.2)
    well.append(tone.trouble)
    tone(protocol_step(1.0, "done"))
    wait_for(lambda: loudest(recording) == 0.0)
    silence.append(loudest(recording))
    tone.stop()
    tone.stop()
    well.append(tone.trouble)
    again = Tone()
    told: list[str] = []
    again.tell = lambda words, at: told.append(words)
    again.start()
    again(protocol_step(0.5))
    wait_for(lambda: loudest(recording) > 0.0)
    os.kill(int((folder / "pulse.pid").read_text()), signal.SIGKILL)
    wait_for(lambda: bool(again.trouble))
    lost = again.trouble
    again(protocol_step(0.6))
    again.stop()
    message = {"silence": silence, "low": low, "high": high, "well": well, "lost": lost, "told": told}
    return message | {"after": again.trouble, "unknown": refused()}


def refused() -> str:
    try:
        Tone("no such thing")
    except SoundError as error:
        return str(error)
    return ""


@dataclass
class Recording:
    path: Path

    def next(self, seconds: float) -> np.ndarray:
        """Return the next ``seconds`` s of sound."""
        count = round(seconds * RATE)
        start = self.path.stat().st_size // 4
        wait_for(lambda: self.path.stat().st_size // 4 >= start + count)
        return np.fromfile(self.path, np.float32, count, offset=4 * start)


def loudest(recording: Recording) -> float:
    return float(np.abs(recording.next(0.1)).max())


def heard(recording: Recording, after: float) -> float:
    """Return the pitch some time after the tone is there, Hz."""
    wait_for(lambda: loudest(recording) > 0.05)
    recording.next(after)
    return pitch_of(recording.next(0.2))


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.01)


if __name__ == "__main__":
    where = Path(sys.argv[1])
    (where / "tone.json").write_text(json.dumps(child(where)))
