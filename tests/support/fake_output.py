"""An output device that exists on paper only: its clock drifts, it runs dry, and what leaves it is known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from rtaffect.outputs import programme_player, sound_player
from rtaffect.sources.sound_devices import SoundDevice
from rtaffect.stream.doubt import Doubts

RATE = 8000
LATENCY_S = 0.12


class FakeOutput:
    """Asks a player for blocks of ``block`` frames; its clock goes ``ppm`` slower than the LSL clock.

    A sound that is to be played through it counts its frames, so that each value that leaves tells which frame it is.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, block: int = 240, ppm: float = 0.0) -> None:
        self.block, self.slow = block, 1 + ppm * 1e-6
        self.now = 1000.0
        self.noise = np.random.default_rng(1)
        self.jitter_s = 0.0
        #: What the next block's time is wrong by, s.
        self.wrong_s = 0.0
        #: When the next frame that is handed over leaves.
        self.leaves = self.now + LATENCY_S
        self.blocks: list[tuple[float, np.ndarray]] = []
        device = SoundDevice(0, "Speaker", "Fake", 0, 2, float(RATE), 0.01, 0.01, True, True)
        for module in (sound_player, programme_player):
            monkeypatch.setattr(module, "choose_sound_device", lambda *_: device)
        monkeypatch.setattr(sound_player, "supported_rates", lambda *_: (float(RATE),))
        monkeypatch.setattr(sound_player, "local_clock", lambda: self.now)

    def take(self, player: sound_player.CuePlayer, seconds: float, underflow: bool = False) -> None:
        """Let ``seconds`` pass."""
        player._keeper.stream = SimpleNamespace(latency=LATENCY_S)
        until = self.now + seconds
        while self.leaves - LATENCY_S < until:
            self.now = max(self.now, self.leaves - LATENCY_S)
            dac = self.leaves - 990.0 + self.noise.normal(0.0, self.jitter_s) + self.wrong_s
            times = SimpleNamespace(currentTime=self.now - 990.0, outputBufferDacTime=dac)
            out = np.full((self.block, player._channels), np.nan, np.float32)
            player._on_block(out, self.block, times, SimpleNamespace(output_underflow=underflow))
            underflow, self.wrong_s = False, 0.0
            self.blocks.append((self.leaves, out[:, 0]))
            self.leaves += self.block / RATE * self.slow
        self.now = until

    def stand_still(self, seconds: float) -> None:
        """Call nobody for ``seconds``; what the device holds is heard, then nothing."""
        self.now += seconds
        self.leaves = max(self.leaves, self.now + LATENCY_S)

    def heard(self, onset: float) -> tuple[np.ndarray, np.ndarray]:
        """Return when each frame left, and how much later than planned it did; NaN in silence, s."""
        times = np.concatenate([at + np.arange(len(b)) / RATE * self.slow for at, b in self.blocks])
        frames = np.concatenate([b for _, b in self.blocks]).astype(np.float64)
        late = times - onset - (frames - 1) / RATE
        return times, np.where(frames > 0.5, late, np.nan)


def counting(seconds: float) -> np.ndarray:
    """Return a sound (n, 1) whose value is the number of the frame, from 1."""
    return np.arange(1, round(seconds * RATE) + 1, dtype=np.float32)[:, None]


def in_doubt(doubts: Doubts, times: np.ndarray) -> np.ndarray:
    """Return at which of ``times`` (s) there is doubt."""
    found = np.zeros(len(times), bool)
    for doubt in doubts.within(-np.inf, np.inf):
        found |= (times >= doubt.since) & (times <= doubt.until)
    return found
