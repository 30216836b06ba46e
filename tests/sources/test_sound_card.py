"""Sound input and output through a real PulseAudio server with a null sink, each in a child process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from scipy.signal import correlate

from bench.faulty.sound_server import FIRST, RATE, REMEDY, SoundServer, absent
from rtaffect.common.errors import SoundError
from rtaffect.record.recorder import Recorder
from rtaffect.sources import sound_card, sound_devices
from rtaffect.sources.sound_devices import SoundDevice, choose_sound_device
from rtaffect.sources.stream_clock import StreamClock
from rtaffect.sources.xdf import XdfRecording

SOUND_S = 2.0
ROOT = Path(__file__).parents[2]
CHILD = ROOT / "tests" / "support" / "sound_child.py"


def sound() -> np.ndarray:
    """Noise with clear edges, so that its place is found to the sample."""
    return np.random.default_rng(1).uniform(-0.5, 0.5, round(SOUND_S * RATE)).astype(np.float32)


class PulseServer(SoundServer):
    """A private sound server whose clients are children."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, ROOT)

    def restart_when(self, asked: Path) -> None:
        """Start another server once the file ``asked`` is there; then the file ``there`` is."""

        def wait() -> None:
            deadline = time.monotonic() + 60
            while not asked.exists() and time.monotonic() < deadline:
                time.sleep(0.05)
            self.die()
            self.start()
            (self.folder / "there").touch()

        threading.Thread(target=wait, daemon=True).start()

    def child(self, task: str) -> dict:
        command = [*FIRST, sys.executable, "-W", "error", str(CHILD), str(self.folder), task]
        # PortAudio writes its own lines to stderr; only the exit status and the result count.
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=50, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads((self.folder / "result.json").read_text())


@pytest.fixture
def pulse(tmp_path: Path) -> Iterator[PulseServer]:
    if sys.platform != "linux" or (absent() and not os.environ.get("CI")):
        pytest.skip(f"needs Linux with pulseaudio: {REMEDY}")
    server = PulseServer(tmp_path)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def found_at(captured: np.ndarray, times: np.ndarray, low: float, high: float) -> tuple[float, float, float]:
    """Return when the played sound begins within low..high, its correlation there, and its level against it."""
    inside = np.flatnonzero((times >= low) & (times <= high))
    part, played = captured[inside], sound()
    at = int(np.argmax(correlate(part, played, mode="valid", method="fft")))
    found = part[at : at + len(played)]
    return times[inside[at]], float(np.corrcoef(found, played)[0, 1]), float(found.std() / played.std())


def pieces_at(captured: np.ndarray, times: np.ndarray, onset: float, played: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return of each .02 s of ``played`` how much later than planned it was heard, s, and its correlation there.

    A player follows the drift of the device by a frame now and then, so that white noise as a whole is not found.
    """
    late, alike = [], []
    size, reach = round(0.02 * RATE), round(0.05 * RATE)
    for start in range(0, len(played) - size, size):
        piece, planned = played[start : start + size], onset + start / RATE
        near = int(np.searchsorted(times, planned))
        part = captured[max(0, near - reach) : near + size + reach]
        if len(part) < size + reach:
            continue
        windows = np.lib.stride_tricks.sliding_window_view(part, size)
        found = correlate(part, piece, mode="valid", method="fft") / (1e-9 + np.linalg.norm(windows, axis=1))
        at = int(np.argmax(found))
        late.append(times[max(0, near - reach) + at] - planned)
        alike.append(found[at] / np.linalg.norm(piece))
    return np.array(late), np.array(alike)


def test_what_is_played_is_captured_at_its_time(pulse: PulseServer) -> None:
    soundfile.write(pulse.folder / "played.wav", sound(), RATE, subtype="FLOAT")
    result = pulse.child("heard")
    held = np.load(pulse.folder / "captured.npz")
    captured, times = held["samples"], held["times"]

    assert result["status"] == ["ok", ""]
    assert -0.05 < result["age_s"] < 0.5
    assert result["breaks"] == 0
    steps = np.diff(times)
    assert (steps > 0).all()
    assert np.abs(steps[2 * RATE :] * RATE - 1).max() < 0.02, "even, once the jitter of some seconds is averaged"

    begun, ended = result["paplay"]
    onset, same, level = found_at(captured, times, begun, ended + 0.5)
    assert begun < onset < ended - SOUND_S + 0.1
    assert same > 0.99
    assert level == pytest.approx(1.0, abs=0.02)

    assert (result["finished"], result["state"], result["underflows"]) == (True, "finished", 0)
    assert result["actual_onset"] == pytest.approx(result["onset"], abs=0.005)
    late, alike = pieces_at(captured, times, result["onset"], sound())
    assert len(late) > 0.98 * SOUND_S / 0.02
    assert np.median(alike) > 0.99
    assert np.mean(alike > 0.5) > 0.9, "all of it, from the first to the last sample"
    assert abs(np.median(late)) < 0.05
    assert np.ptp(np.percentile(late[alike > 0.9], [5, 95])) < 0.01
    assert abs(result["lag_s"]) < 0.02

    state, took_s = result["cut_short"]
    assert state == "stopped"
    assert took_s < 0.5


def test_a_lost_device_is_noticed_and_back_when_its_server_is(pulse: PulseServer) -> None:
    pulse.restart_when(pulse.folder / "again")
    result = pulse.child("lost")
    assert result["noticed"] < 3.0
    assert result["player_noticed"] < 3.0
    assert result["stop"] < 2.0
    assert "it goes on by itself" in result["message"]
    assert result["back"] < 8.0, "within 5 s, and what a busy machine takes"
    assert result["player_back"] < 8.0
    assert result["breaks"] == 1
    assert {reason for reason, _, _ in result["doubts"]} <= {"player-lost", "player-torn", "player-late"}
    # The device falls silent, and is late, a moment before it is known to be gone.
    _, since, until = next(doubt for doubt in result["doubts"] if doubt[0] == "player-lost")
    assert until - since > 0.5
    assert not result["lasts"]
    gone = next(place for place, words in enumerate(result["told"]) if "is gone" in words)
    assert any("plays again" in words for words in result["told"][gone:])


def test_errors_name_value_alternatives_and_remedy(pulse: PulseServer) -> None:
    messages = pulse.child("errors")
    assert "'no such thing'" in messages["unknown"]
    assert "default (ALSA)" in messages["unknown"]
    assert "'99'" in messages["index"]
    assert "give the index of one" in messages["ambiguous"]
    assert "7e+06 Hz" in messages["rate"]
    assert "48000" in messages["rate"]
    assert "expected 1 to" in messages["channels"]


def test_without_portaudio_the_remedy_is_named(tmp_path: Path) -> None:
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    code = (
        "import rtaffect, rtaffect.sources.sound_card as card\n"
        "from rtaffect.common.errors import SoundError\n"
        "try:\n    card.SoundCardSource()\n"
        "except SoundError as error:\n    assert 'apt-get install libportaudio2' in str(error), error\n"
        "else:\n    raise SystemExit('no error')\n"
    )
    env = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    subprocess.run([sys.executable, "-c", code], env=env, check=True, timeout=30)


def device(index: int, name: str, api: str = "ALSA", inputs: int = 2, *, default: bool = False) -> SoundDevice:
    return SoundDevice(index, name, api, inputs, 2, 48000.0, 0.01, 0.01, default, default)


class TestChoice:
    @pytest.fixture(autouse=True)
    def devices(self, monkeypatch: pytest.MonkeyPatch) -> None:
        there = (
            device(0, "Mic", "MME"),
            device(1, "Mic array", "WASAPI", default=True),
            device(2, "Speaker", inputs=0),
        )
        monkeypatch.setattr(sound_devices, "list_sound_devices", lambda: there)

    @pytest.mark.parametrize(
        ("wanted", "index"), [(None, 1), (0, 0), ("1", 1), ("Mic", 0), ("array", 1), ("mic wasapi", 1)]
    )
    def test_by_default_index_exact_name_or_words(self, wanted: int | str | None, index: int) -> None:
        assert choose_sound_device(wanted, "input").index == index

    def test_ambiguous(self) -> None:
        with pytest.raises(SoundError, match=r"'mic' means 2 sound input devices: 0: Mic \(MME\); 1: Mic array"):
            choose_sound_device("mic", "input")

    @pytest.mark.parametrize("wanted", ["Speaker", 2, 7, " "])
    def test_an_output_is_no_input(self, wanted: int | str) -> None:
        with pytest.raises(SoundError, match="expected one of 0: Mic"):
            choose_sound_device(wanted, "input")

    def test_no_default(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sound_devices, "list_sound_devices", lambda: (device(4, "Line"),))
        with pytest.raises(SoundError, match="no default sound input device; choose one of 4: Line"):
            choose_sound_device(None, "input")

    def test_none_at_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sound_devices, "list_sound_devices", lambda: ())
        with pytest.raises(SoundError, match="no sound output device was found"):
            choose_sound_device(None, "output")


class TestStreamClock:
    def test_late_callbacks_do_not_move_the_offset(self) -> None:
        clock, rng = StreamClock(), np.random.default_rng(2)
        for n in range(2000):
            stream_time = 100.0 + n * 0.01
            clock.note(stream_time, stream_time - 40.0 + 1e-5 + rng.exponential(0.004))
        assert clock.to_lsl(120.0) == pytest.approx(80.0, abs=2e-4)

    @pytest.mark.parametrize("ppm", [-200.0, 200.0])
    def test_drift_is_followed(self, ppm: float) -> None:
        clock, rng = StreamClock(), np.random.default_rng(3)
        for n in range(60_000):
            lsl = n * 0.01
            clock.note(lsl * (1 + ppm * 1e-6) - 7.0, lsl + rng.exponential(0.001))
        assert clock.to_lsl(600.0 * (1 + ppm * 1e-6) - 7.0) == pytest.approx(600.0, abs=0.0015)

    @pytest.mark.parametrize("step", [-3600.0, 2.0])
    def test_a_clock_that_is_set_is_followed_within_a_second(self, step: float) -> None:
        clock = StreamClock()
        for n in range(1000):
            clock.note(n * 0.01, n * 0.01)
        for n in range(1000, 1100):
            clock.note(n * 0.01 + step, n * 0.01)
        assert clock.to_lsl(10.0 + step) == pytest.approx(10.0)


class TestStampsWithoutDevice:
    @pytest.fixture
    def source(self, monkeypatch: pytest.MonkeyPatch) -> sound_card.SoundCardSource:
        monkeypatch.setattr(sound_devices, "list_sound_devices", lambda: (device(0, "Mic", default=True),))
        monkeypatch.setattr(sound_card, "supported_rates", lambda *_: (48000.0,))
        return sound_card.SoundCardSource()

    def feed(
        self,
        source: sound_card.SoundCardSource,
        monkeypatch: pytest.MonkeyPatch,
        adc_age: float | None,
        sound: np.ndarray | None = None,
    ) -> None:
        for n in range(300):
            data = np.tile(np.float32([0.5, -0.25]), (480, 1)) if sound is None else sound[n]
            now = 1000.0 + n * 0.01
            monkeypatch.setattr(sound_card, "local_clock", lambda now=now: now)
            adc = 0.0 if adc_age is None else n * 0.01 + 5.0 - adc_age
            times = SimpleNamespace(currentTime=n * 0.01 + 5.0, inputBufferAdcTime=adc)
            source._on_block(data, 480, times, SimpleNamespace(input_overflow=n == 200))

    def test_adc_time_is_used_and_overflow_is_told(
        self, source: sound_card.SoundCardSource, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.feed(source, monkeypatch, 0.025)
        block = source.buffer.read(0, np.inf)
        assert len(block.times) == 480 * 200
        assert block.breaks == (480 * 100,)
        assert block.samples[:, 0] == pytest.approx(0.125)
        assert block.times[0] == pytest.approx(1001.0 - 0.025, abs=1e-6)
        status = source.status(1003.0)
        assert (status.state, source.overflows) == ("ok", 1)
        assert "input overflow" in status.message
        assert source.status(1004.5).state == "stalled"
        source.stop()
        assert source.status(1004.5).state == "ended"

    def test_stamps_that_creep_are_waited_for(
        self, source: sound_card.SoundCardSource, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A sound server that begins with stamps which are up to .09 s early, within all limits of age."""
        data, ok = np.zeros((480, 2), np.float32), SimpleNamespace(input_overflow=False)
        for n in range(500):
            at = n * 0.01
            monkeypatch.setattr(sound_card, "local_clock", lambda at=at: 1000.0 + at)
            adc = at + 5.0 - 0.01 - 0.09 * np.exp(-at / 0.8)
            source._on_block(data, 480, SimpleNamespace(currentTime=at + 5.0, inputBufferAdcTime=adc), ok)
        times = source.buffer.read(0, np.inf).times
        assert 1001.5 < times[0] < 1004.0
        right = times[-1] - np.arange(len(times))[::-1] / 48000.0
        assert np.abs(times - right).max() < 0.015

    def test_without_adc_time_the_latency_is_taken_and_told(
        self, source: sound_card.SoundCardSource, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source._latency_s = 0.04
        self.feed(source, monkeypatch, None)
        assert source.buffer.read(0, np.inf).times[0] == pytest.approx(1001.0 - 0.04, abs=1e-6)
        assert "no ADC time" in source.status(1003.0).message

    def test_its_recording_is_replayed_as_it_was_live(
        self, source: sound_card.SoundCardSource, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        noise = np.random.default_rng(5).uniform(-1, 1, (300, 480, 2)).astype(np.float32)
        with Recorder(tmp_path / "a.xdf") as recording:
            recording.record(source)
            self.feed(source, monkeypatch, 0.025, noise)
        live = source.buffer.read(0, np.inf)
        recorded = XdfRecording.open(tmp_path / "a.xdf")
        (stream,) = recorded.streams
        header = stream.header
        assert (header.type, header.rate, header.channels, header.source_id) == ("Audio", 48000.0, 2, "ALSA:Mic")
        assert stream.span.samples == len(live.times) == 480 * 200
        replayed = recorded.audio_source()
        replayed.advance(np.inf)
        block = replayed.buffer.read(0, np.inf)
        np.testing.assert_array_equal(block.samples, live.samples)
        np.testing.assert_array_equal(block.times, live.times)
        assert block.breaks == live.breaks == (480 * 100,)
        assert recorded.warnings == []

    def test_it_is_mono_or_stereo(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sound_devices, "list_sound_devices", lambda: (device(0, "Mixer", inputs=8, default=True),))
        with pytest.raises(SoundError, match=r"3 channels of sound device 0: Mixer .*expected 1 to 2"):
            sound_card.SoundCardSource(channels=3)
