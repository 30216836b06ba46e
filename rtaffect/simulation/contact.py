"""Electrodes that do not touch as they should, planted in a signal: what the contact check is held against.

What is planted knows nothing of the check's formula. How strong each fault is follows from the seed: from what is just
a fault to what nobody overlooks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, get_args

import numpy as np

from rtaffect.common.arrays import FloatArray
from rtaffect.common.errors import SettingsError

BadContact = Literal["mains", "drift", "flat", "rail", "noise", "bridged"]
BAD_CONTACTS: Final[tuple[BadContact, ...]] = get_args(BadContact)

#: Root mean square of the mains that is picked up, of the slow drift, and of the noise that is not the head's, V.
MAINS_V, DRIFT_V, NOISE_V = (150e-6, 600e-6), (150e-6, 800e-6), (20e-6, 60e-6)
#: What is left of the head's signal where an electrode hangs free.
LEFT: Final = 0.1
#: Where an amplifier ends, V, and how noisy a shorted input is.
RAIL_V, SHORTED_V = 187.5e-3, 0.05e-6
#: Of what a drift is made, Hz.
_DRIFTS_HZ: Final = (1 / 60, 0.4)


def bad_contacts(text: str, channels: tuple[str, ...]) -> dict[int, BadContact]:
    """Return what is wrong with which channels by a text as in ``F3=mains,Cz=flat``; '' for nothing.

    Raises
    ------
    SettingsError
        If it names a channel or a fault that there is not.
    """
    found: dict[int, BadContact] = {}
    names = [name.casefold() for name in channels]
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, _, fault = (each.strip() for each in part.partition("="))
        if name.casefold() not in names:
            raise SettingsError(f"--contact {part}: there is no channel {name!r}; it has {', '.join(channels)}")
        kind = next((each for each in BAD_CONTACTS if each == fault.casefold()), None)
        if kind is None:
            raise SettingsError(f"--contact {part}: expected {' or '.join(BAD_CONTACTS)}, as in {name}=mains")
        found[names.index(name.casefold())] = kind
    return found


def with_bad_contacts(
    volts: FloatArray, rate: float, bad: Mapping[int, BadContact], rng: np.random.Generator, mains_hz: float = 50.0
) -> FloatArray:
    """Return ``volts`` (n, channels) with bad contact of some channels, by their numbers.

    A bridged electrode shares its signal with the next channel that is not bad itself. What is added goes on at the end
    as it began, so that the signal can be repeated, where ``n / rate`` is whole seconds.
    """
    made = volts.copy()
    for channel, kind in bad.items():
        if kind == "bridged":
            other = next((i % volts.shape[1] for i in range(channel + 1, channel + volts.shape[1])
                          if i % volts.shape[1] not in bad), channel)  # fmt: skip
            together = 0.5 * (volts[:, channel] + volts[:, other])
            made[:, channel], made[:, other] = together, together + SHORTED_V * rng.standard_normal(len(volts))
        else:
            made[:, channel] = _spoiled(kind, volts[:, channel], rate, rng, mains_hz)
    return made


def _spoiled(kind: BadContact, own: FloatArray, rate: float, rng: np.random.Generator, mains_hz: float) -> FloatArray:
    """Return the signal (n,) of one channel with a fault of its own."""
    n = len(own)
    if kind == "mains":
        wave = np.sqrt(2) * np.sin(2 * np.pi * (mains_hz * np.arange(n) / rate + rng.uniform()))
        return np.asarray(own + _between(rng, MAINS_V) * wave)
    if kind == "drift":
        return np.asarray(own + _between(rng, DRIFT_V) * _coloured(rng, n, rate, _DRIFTS_HZ))
    if kind == "flat":
        return SHORTED_V * rng.standard_normal(n) if rng.random() < 0.5 else np.zeros(n)
    if kind == "rail":
        side = RAIL_V * rng.choice([-1.0, 1.0])
        # Now and then it leaves the rail for a moment.
        out = np.abs(_coloured(rng, n, rate, (0.1, 2.0))) > rng.uniform(1.8, 3.0)
        return np.asarray(np.where(out, side * (1 - 0.01 * rng.random(n)), side), np.float64)
    return np.asarray(LEFT * own + _between(rng, NOISE_V) * _coloured(rng, n, rate, (0.5, 60.0), rng.uniform()))


def _between(rng: np.random.Generator, limits: tuple[float, float]) -> float:
    """Return a number between two limits, evenly on a logarithmic scale."""
    return float(np.exp(rng.uniform(*np.log(limits))))


def _coloured(
    rng: np.random.Generator, n: int, rate: float, band: tuple[float, float], power: float = 1.0
) -> FloatArray:
    """Return noise (n,) with a spectrum of 1/f^``power`` in a band, Hz, of unit variance."""
    low, high = band
    frequency = np.fft.rfftfreq(n, 1 / rate)
    size = np.where((frequency >= low) & (frequency <= high), np.maximum(frequency, low) ** (-power / 2), 0.0)
    noise = np.fft.irfft(size * (rng.normal(size=len(size)) + 1j * rng.normal(size=len(size))), n)
    return np.asarray(noise / max(float(noise.std()), 1e-30))
