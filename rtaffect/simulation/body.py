"""People whose headsets send electrodermal activity and pulse beside EEG: ``python -m rtaffect.simulation.body``.

What they share of arousal is planted, so that what is found of it can be compared. It is made up, and shows nothing
about bodies.
"""

from __future__ import annotations

import argparse
import time
from contextlib import ExitStack
from typing import Final

import numpy as np
import pylsl

from rtaffect.common.arrays import FloatArray
from rtaffect.simulation.headset import SimulatedHeadset

RATE: Final = 128.0
CHANNELS: Final = ("Fz", "Cz", "Pz", "Oz", "EDA", "PPG")
TYPES: Final = ("EEG", "EEG", "EEG", "EEG", "EDA", "PPG")
#: From when headsets are started until they send, s.
_READY_S: Final = 5.0
UNITS: Final = ("microvolts", "microvolts", "microvolts", "microvolts", "uS", "a.u.")


def electrodermal(rng: np.random.Generator, samples: int, rate: float) -> FloatArray:
    """Return phasic electrodermal activity (n,), microsiemens: responses at random times, some ten a minute.

    Each rises within a second and falls with a time constant of 4 s (Bach et al., *J. Neurosci. Methods* 184, 2009).
    """
    begins = (rng.random(samples) < 0.15 / rate) * rng.uniform(0.3, 1.0, samples)
    t = np.arange(0, 20, 1 / rate)
    return np.convolve(begins, np.exp(-t / 4.0) - np.exp(-t / 0.7))[:samples]


def pulse(rate_of: FloatArray, rate: float, rng: np.random.Generator) -> FloatArray:
    """Return a PPG (n,) of a heart that beats ``rate_of`` (n,) times a minute."""
    phase = np.cumsum(rate_of / 60.0 / rate) % 1.0
    return np.exp(-((phase - 0.3) ** 2) / 0.02) + 0.02 * rng.standard_normal(len(phase))


def slow_noise(rng: np.random.Generator, samples: int, rate: float) -> FloatArray:
    """Return noise (n,) of .05 to .3 Hz, of unit variance."""
    hz = np.fft.rfftfreq(samples, 1 / rate)
    inside = (hz > 0.05) & (hz < 0.3)
    wave = np.fft.irfft(inside * (rng.standard_normal(len(hz)) + 1j * rng.standard_normal(len(hz))), samples)
    return np.asarray(wave / wave.std())


def people(count: int, seconds: float, shared: float, seed: int = 0) -> list[FloatArray]:
    """Return what each of ``count`` people's headsets measures (n, 6): EEG in V, EDA in microsiemens, and PPG.

    ``shared`` is the share of the variance of arousal that all have in common, in 0 to 1.
    """
    rng, samples = np.random.default_rng(seed), int(seconds * RATE)
    common = electrodermal(rng, samples, RATE), slow_noise(rng, samples, RATE)
    found = []
    for _ in range(count):
        own = electrodermal(rng, samples, RATE), slow_noise(rng, samples, RATE)
        eda, heart = (np.sqrt(shared) * a + np.sqrt(1 - shared) * b for a, b in zip(common, own, strict=True))
        eeg = 1e-5 * np.cumsum(rng.standard_normal((samples, 4)), axis=0)
        eeg = eeg - 0.5 * (eeg + np.roll(eeg, 64, axis=0)) + 5e-6 * rng.standard_normal((samples, 4))
        eda = 4.0 + rng.random() + eda + 0.002 * rng.standard_normal(samples)
        beat = pulse(66 + 8 * rng.random() + 4 * heart, RATE, rng)
        found.append(np.column_stack([np.clip(eeg, -6e-5, 6e-5), eda, beat]))
    return found


def headset(number: int, samples: FloatArray, onset: float | None = None) -> SimulatedHeadset:
    """Return the headset of person ``number``, which sends what :func:`people` returns."""
    name = f"Body-{number + 1}"
    return SimulatedHeadset(name, name.lower(), samples, RATE, CHANNELS, onset=onset, types=TYPES, units=UNITS)


def main() -> None:
    """Send what people's headsets measure, until it is over or Ctrl-C."""
    parser = argparse.ArgumentParser(description="Headsets over LSL that send EDA and PPG beside EEG.")
    parser.add_argument("--people", type=int, default=2, help="how many")
    parser.add_argument("--seconds", type=float, default=600.0, help="how long")
    parser.add_argument("--shared", type=float, default=0.5, help="share of their arousal that is common, 0 to 1")
    given = parser.parse_args()
    measured = people(given.people, given.seconds, given.shared)
    with ExitStack() as stack:
        # All at once: what they share is shared in time.
        onset = pylsl.local_clock() + _READY_S
        for number, samples in enumerate(measured):
            stack.enter_context(headset(number, samples, onset))
        print("sending; Ctrl-C ends it", flush=True)
        try:
            time.sleep(given.seconds)
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
