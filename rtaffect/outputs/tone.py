"""Feedback to hear: a calm tone whose pitch follows the level, and silence where there is none."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pylsl import local_clock

from rtaffect.outputs.sound_player import Tell
from rtaffect.protocol.protocol_step import ProtocolStep
from rtaffect.sources.sound_devices import SoundDevice, choose_sound_device, supported_rates
from rtaffect.sources.stream_keeper import Kept, StreamKeeper

#: Pitch of level 0 and of level 1, Hz: one octave, in which equal differences of level are equal intervals.
LOW_HZ: Final = 220.0
HIGH_HZ: Final = 440.0
#: Time constant with which the pitch follows the level, s.
GLIDE_S: Final = 0.4
#: How long the tone takes to appear, and to vanish into silence, s.
FADE_S: Final = 0.5
#: A level without a successor for this long is no longer heard, s: moments come once a second.
STALE_S: Final = 3.0
#: Share of full scale that the tone reaches.
VOLUME: Final = 0.2
#: Strengths of the fundamental and of its first overtones: a pure sine is hard to bear for ten minutes.
_PARTIALS: Final = (1.0, 0.22, 0.06)
_RATE: Final = 48_000.0
_BLOCK = 1024

Samples = NDArray[np.float32]
_Wish = tuple[float | None]


class ToneGenerator:
    """Makes the samples of the tone, block by block; any division into blocks gives the same tone.

    Parameters
    ----------
    rate
        Samples per second, Hz.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        # One object, new at each call: the other thread sees all of it, and a repeated level as a fresh one.
        self._newest: _Wish = (None,)
        self._taken: _Wish = self._newest
        self._level = self._wanted = self._phase = self._fade = 0.0
        self._sounds = False
        self._left = 0
        count = np.arange(1, _BLOCK + 1, dtype=np.float64)
        self._decay = np.exp(-count / (GLIDE_S * rate))
        self._ramp = count / (FADE_S * rate)
        self._levels, self._phases, self._sum, self._part = (np.empty(_BLOCK) for _ in range(4))

    @property
    def silent(self) -> bool:
        """Whether the last sample was silence, and no level is followed."""
        return not self._sounds and self._fade == 0.0

    def set_level(self, level: float | None) -> None:
        """Follow ``level`` (0 to 1) from the next block on, for ``STALE_S`` at most; None or NaN: fall silent.

        May be called from another thread than :meth:`fill`.
        """
        self._newest = (level if level is not None and math.isfinite(level) else None,)

    def fill(self, out: Samples) -> None:
        """Write the next ``len(out)`` samples, (n,) float32, full scale +-1."""
        if self._newest is not self._taken:
            self._take(self._newest)
        for start in range(0, len(out), _BLOCK):
            part = out[start : start + _BLOCK]
            if self._sounds and self._left < len(part):
                # The level gets stale inside this block: the sample at which it does must not depend on the blocks.
                fresh = self._left
                self._make(part[:fresh])
                self._sounds = False
                part = part[fresh:]
            self._make(part)

    def _take(self, newest: _Wish) -> None:
        self._taken, (level,) = newest, newest
        if level is not None:
            self._wanted = min(max(level, 0.0), 1.0)
            self._left = round(STALE_S * self.rate)
            if self.silent:  # there is nothing to glide from
                self._level = self._wanted
        self._sounds = level is not None

    def _make(self, out: Samples) -> None:
        """Write at most ``_BLOCK`` samples that have one and the same level to follow."""
        n = len(out)
        self._left = max(0, self._left - n)
        if n == 0 or self.silent:
            out[:] = 0.0
            return
        levels, phases, total, part = (a[:n] for a in (self._levels, self._phases, self._sum, self._part))
        np.multiply(self._decay[:n], self._level - self._wanted, out=levels)
        levels += self._wanted
        self._pitch(levels, phases)
        total.fill(0.0)
        for number, strength in enumerate(_PARTIALS, start=1):
            np.multiply(phases, number, out=part)
            np.sin(part, out=part)
            part *= strength / sum(_PARTIALS)
            total += part
        self._loudness(part)
        total *= part
        self._level = float(levels[-1])
        out[:] = total

    def _pitch(self, levels: NDArray[np.float64], phases: NDArray[np.float64]) -> None:
        """Write the phase of each sample, rad: the running sum of the frequency, so that it never jumps."""
        np.multiply(levels, math.log(HIGH_HZ / LOW_HZ), out=phases)
        np.exp(phases, out=phases)
        phases *= 2 * math.pi * LOW_HZ / self.rate
        np.cumsum(phases, out=phases)
        phases += self._phase
        self._phase = float(phases[-1]) % (2 * math.pi)

    def _loudness(self, gains: NDArray[np.float64]) -> None:
        """Write the gain of each sample: the fade, whose ends are smooth, times the volume."""
        np.multiply(self._ramp[: len(gains)], 1.0 if self._sounds else -1.0, out=gains)
        gains += self._fade
        np.clip(gains, 0.0, 1.0, out=gains)
        self._fade = float(gains[-1])
        gains *= math.pi / 2
        np.sin(gains, out=gains)
        np.square(gains, out=gains)
        gains *= VOLUME


class Tone:
    """Plays the tone on a sound device: a sink of the protocol's moments, called from the engine's thread.

    Parameters
    ----------
    device
        Index or part of the name of the device; None takes the system's default output.

    Raises
    ------
    SoundError
        If PortAudio or the device is missing or ambiguous.

    Attributes
    ----------
    tell : callable or None
        Gets, in words and with its time (s, LSL clock), that the device is gone or back; from a thread of its own.
    """

    def __init__(self, device: int | str | None = None) -> None:
        self.device = choose_sound_device(device, "output")
        self._channels = min(2, self.device.outputs)
        good = supported_rates(self.device, "output", self._channels, (_RATE,))
        self.generator = ToneGenerator(good[0] if good else self.device.rate)
        self._played = False
        self._mono = np.zeros(_BLOCK, np.float32)
        self.tell: Tell | None = None
        kept = Kept(self._make, "for the feedback tone", "device", self._on_loss, self._on_return)
        self._keeper = StreamKeeper(self.device, "output", kept, any_default=device is None)
        self._stopped = False

    @property
    def trouble(self) -> str:
        """Why the participant hears nothing, in words; empty while the device plays, and when it was stopped."""
        if self._stopped or not self._keeper.lost:
            return ""
        return (
            f"the sound device of the feedback tone ({self.device.describe()}) is gone, and the participant hears "
            "no tone; connect it again: the tone goes on by itself"
        )

    def start(self) -> None:
        """Open the device; it plays silence until there is a level.

        Raises
        ------
        SoundError
            If the device cannot be opened.
        """
        if self._keeper.stream is None:
            self._keeper.start()

    def _make(self, sd: Any, device: SoundDevice, finished: Callable[[], None]) -> Any:
        return sd.OutputStream(
            samplerate=self.generator.rate,
            device=device.index,
            channels=self._channels,
            dtype="float32",
            latency="high",
            callback=self._on_block,
            finished_callback=finished,
        )

    def _on_loss(self, words: str) -> None:
        if self.tell is not None:
            self.tell(self.trouble, local_clock())

    def _on_return(self) -> None:
        self.device = self._keeper.device
        if self.tell is not None:
            self.tell(f"the feedback tone is played again ({self.device.describe()})", local_clock())

    def __call__(self, protocol_step: ProtocolStep) -> None:
        """Follow what the participant is to perceive at this moment."""
        level = protocol_step.shown.level if protocol_step.phase == "running" else None
        self._played |= level is not None
        self.generator.set_level(level)

    def stop(self) -> None:
        """Fall silent without a click, and release the device; may be called twice."""
        stream = self._keeper.stream
        if stream is None or self._stopped:
            return
        self.generator.set_level(None)
        if not self._keeper.lost:
            latency = float(stream.latency)
            deadline = time.monotonic() + 2 * FADE_S + latency
            while not (self.generator.silent or self._keeper.lost) and time.monotonic() < deadline:
                time.sleep(0.01)
            if self._played and not self._keeper.lost:
                time.sleep(latency)  # what the device holds is the end of the fade
        self._stopped = True
        self._keeper.stop()

    def _on_block(self, out: Samples, frames: int, *_: Any) -> None:
        self._keeper.beat()
        for start in range(0, frames, _BLOCK):
            mono = self._mono[: min(_BLOCK, frames - start)]
            self.generator.fill(mono)
            out[start : start + len(mono)] = mono[:, None]
