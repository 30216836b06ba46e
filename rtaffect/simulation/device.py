"""What a headset sends, made from its device profile: names, units, types, further channels and stamps as its own.

People share a part of their EEG, which follows the LSL clock: also two that are simulated by two processes, on one
network, share it. So what a session finds can be checked.
"""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import pylsl
from numpy.typing import NDArray

from rtaffect.common.arrays import FloatArray
from rtaffect.common.channel_kinds import Kind, kind_of
from rtaffect.common.errors import SettingsError
from rtaffect.outputs.lsl_outlet import LslOutlet
from rtaffect.simulation.contact import bad_contacts, with_bad_contacts
from rtaffect.sources.device_profile import DeviceProfile, Sends
from rtaffect.sources.reported_channels import reported_among
from rtaffect.stream.source import StreamHeader, volts_per

#: The shared signal comes again after so long, s.
PERIOD_S: Final = 60
#: Root mean square of the EEG, V.
EEG_V: Final = 12e-6
#: Impedance of electrodes that touch, and of those that do not, kOhm.
_GOOD_KOHM, _BAD_KOHM = 6.0, 180.0


@dataclass(frozen=True, slots=True)
class Wearer:
    """Who wears a simulated headset.

    ``number`` tells people apart, ``share`` is which part of the EEG's power all with one ``seed`` have in common.
    ``contact`` are channels that do not touch, as in ``F3=mains,Cz=flat``, with mains of ``mains_hz``, Hz
    (:mod:`rtaffect.simulation.contact`).
    """

    number: int = 1
    share: float = 0.4
    seed: int = 7
    contact: str = ""
    mains_hz: float = 50.0


def sends_of(profile: DeviceProfile) -> Sends:
    """Return what a device sends; SettingsError if its profile does not say it."""
    if profile.sends is None:
        raise SettingsError(
            f"profile {profile.name} does not say what its stream looks like; add [sends] to its file to simulate it"
        )
    return profile.sends


def header_of(profile: DeviceProfile, name: str = "", source_id: str = "") -> StreamHeader:
    """Return what the simulated stream of a profile says of itself, as a session reads it."""
    sends, count = sends_of(profile), len(sends_of(profile).channels)
    return StreamHeader(
        name or sends.name, sends.type, sends.rate, sends.format, sends.channels if sends.labelled else ("",) * count,
        _of_each(sends.units, count), _of_each(sends.types, count), source_id=source_id or sends.source_id,
        maker=sends.maker, shares_id=profile.shares_id,
    )  # fmt: skip


def carried(profile: DeviceProfile) -> tuple[Kind, ...]:
    """Return what each channel of a device is in truth."""
    sends = sends_of(profile)
    types = _of_each(sends.types, len(sends.channels))
    eeg_types = {each.casefold() for each in profile.eeg_types}
    return tuple(
        profile.kind_of(label) or kind_of(label, "" if declared.casefold() in eeg_types else declared)
        for label, declared in zip(sends.channels, types, strict=True)
    )


def unit_sent(profile: DeviceProfile) -> float:
    """Return the volts in one unit of the EEG that a device sends, whatever it declares."""
    sends, kinds = sends_of(profile), carried(profile)
    declared = _of_each(sends.units, len(kinds))[kinds.index("eeg")]
    unit = profile.unit if profile.unit_is_wrong or not declared else declared
    return volts_per(unit) * profile.scale


class Signal:
    """The values of one simulated headset, sample by sample."""

    def __init__(self, profile: DeviceProfile, wearer: Wearer) -> None:
        self._sends, self._kinds = sends_of(profile), carried(profile)
        rate = self._sends.rate
        self._period = round(PERIOD_S * rate)
        places = [label.casefold().removeprefix("eeg_") for label in self._sends.channels]
        self.volts = np.zeros((self._period, len(places)))
        for i, (place, kind) in enumerate(zip(places, self._kinds, strict=True)):
            if kind in {"eeg", "eog"}:
                common = _noise(self._period, rate, (wearer.seed, zlib.crc32(place.encode())))
                own = _noise(self._period, rate, (wearer.seed, zlib.crc32(place.encode()), wearer.number))
                self.volts[:, i] = EEG_V * (np.sqrt(wearer.share) * common + np.sqrt(1 - wearer.share) * own)
        electrodes = [i for i, kind in enumerate(self._kinds) if kind in {"eeg", "eog"}]
        bad = bad_contacts(wearer.contact, tuple(self._sends.channels[i] for i in electrodes))
        rng = np.random.default_rng((wearer.seed, wearer.number))
        self.volts[:, electrodes] = with_bad_contacts(self.volts[:, electrodes], rate, bad, rng, wearer.mains_hz)
        self._impedances = _impedances(profile, {self._sends.channels[electrodes[i]] for i in bad})
        self._unit = unit_sent(profile)

    def __call__(self, first: int, count: int) -> NDArray[np.float64]:
        """Return samples ``first`` and on (count, channels), as sent; they are counted on the LSL clock."""
        number = np.arange(first, first + count)
        values = (self.volts[number % self._period] + self._sends.offset_v) / self._unit
        for i, kind in enumerate(self._kinds):
            if kind not in {"eeg", "eog"}:
                values[:, i] = _OTHERS[kind](number, self._sends.rate)
        for i, value in self._impedances.items():
            values[:, i] = value
        return np.round(values) if self._sends.format == "int32" else values


def _noise(period: int, rate: float, seed: tuple[int, ...]) -> FloatArray:
    """Return noise (period,) of 1 to 30 Hz with a 1/f spectrum and unit variance, which goes on at its end."""
    rng = np.random.default_rng(seed)
    frequency = np.fft.rfftfreq(period, 1 / rate)
    size = np.where((frequency >= 1) & (frequency <= 30), 1 / np.sqrt(np.maximum(frequency, 1)), 0.0)
    phases = rng.normal(size=len(size)) + 1j * rng.normal(size=len(size))
    noise = np.fft.irfft(size * phases, period)
    return np.asarray(noise / noise.std())


def _impedances(profile: DeviceProfile, bad: Collection[str]) -> dict[int, float]:
    """Return what channels of impedance or quality send by number: of ``bad`` electrodes what they should not."""
    sends, kinds = sends_of(profile), carried(profile)
    units = _of_each(sends.units, len(kinds))
    found = reported_among(sends.channels, units, kinds, sends.channels, profile)
    values = {}
    for each in found:
        kohm = _BAD_KOHM if each.electrode in bad else _GOOD_KOHM
        quality = 0.0 if each.electrode in bad else 1.0
        values[each.column] = (kohm if each.means == "impedance" else quality) / each.scale
    return values


def _of_each(said: str | tuple[str, ...], count: int) -> tuple[str, ...]:
    return (said,) * count if isinstance(said, str) else said


def _wave(hertz: float, size: float, offset: float = 0.0) -> Callable[[NDArray[np.int64], float], FloatArray]:
    return lambda number, rate: offset + size * np.sin(2 * np.pi * hertz * number / rate)


#: What channels that are no EEG send, by what they are.
_OTHERS: Final[dict[Kind, Callable[[NDArray[np.int64], float], Any]]] = {
    "emg": _wave(37.0, 30.0),
    "ecg": _wave(1.2, 400.0),
    "eda": _wave(0.05, 0.4, 3.0),
    "respiration": _wave(0.25, 100.0),
    "ppg": _wave(1.2, 300.0, 10_000.0),
    "motion": _wave(0.7, 0.1, 0.98),
    "battery": lambda number, rate: np.full(len(number), 87.0),
    "counter": lambda number, rate: number % 128,
    "trigger": lambda number, rate: (number % round(8 * rate) < round(0.1 * rate)) * 5.0,
    "timestamp": lambda number, rate: time.time() + (number - number[-1]) / rate,
    "quality": lambda number, rate: np.full(len(number), 4.0),
    "reference": lambda number, rate: np.zeros(len(number)),
    "temperature": lambda number, rate: np.full(len(number), 31.5),
    "aux": _wave(0.4, 2000.0, 500.0),
}


class SimulatedDevice:
    """A real LSL outlet that sends what a device sends, from a thread of this process; a context manager.

    Parameters
    ----------
    profile
        Of the device.
    wearer
        Who wears it.
    name, source_id
        As the outlet declares them, where that is not what the profile says.
    """

    def __init__(
        self, profile: DeviceProfile, wearer: Wearer = Wearer(), *, name: str = "", source_id: str = ""
    ) -> None:
        self.profile, self._sends = profile, sends_of(profile)
        self.header = header_of(profile, name, source_id)
        self.signal = Signal(profile, wearer)
        self._outlet: LslOutlet | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"simulated {self.header.name}", daemon=True)

    def __enter__(self) -> Self:
        """Open the outlet and begin to send."""
        self._outlet = LslOutlet(lambda: pylsl.StreamOutlet(_info(self.header, self._sends)))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close the outlet."""
        self._stop.set()
        self._thread.join()
        if self._outlet is not None:
            self._outlet.close()

    def _run(self) -> None:
        rate = self._sends.rate
        number = round(pylsl.local_clock() * rate)
        while not self._stop.is_set():
            count = max(1, round(self._sends.chunk_s * rate))
            due = (number + count) / rate
            if self._stop.wait(max(0.0, due - pylsl.local_clock())):
                return
            values = self.signal(number, count)
            assert self._outlet is not None
            self._outlet.push_chunk(values, self._stamps(number, count))
            number += count

    def _stamps(self, number: int, count: int) -> Any:
        """Return the stamps of a chunk as the device has them: its last one's for all, or one for each sample."""
        if self.profile.clock == "arrival":
            return float(pylsl.local_clock())
        times = np.arange(number, number + count) / self._sends.rate
        if self.profile.clock == "unix":
            times = times + (time.time() - pylsl.local_clock())
        return times.tolist()


def _info(header: StreamHeader, sends: Sends) -> Any:
    """Return what the outlet says of itself (pylsl.StreamInfo)."""
    info = pylsl.StreamInfo(header.name, header.type, header.channels, header.rate, header.format, header.source_id)
    if sends.maker:
        place = info.desc().append_child(sends.maker_in) if sends.maker_in else info.desc()
        place.append_child_value("manufacturer", sends.maker)
    if not (sends.labelled or any(header.units) or any(header.types)):
        return info
    channels = info.desc().append_child("channels")
    for label, unit, kind in zip(header.labels, header.units, header.types, strict=True):
        channel = channels.append_child("channel")
        for key, text in ((sends.label_as, label), ("unit", unit), ("type", kind)):
            if text:
                channel.append_child_value(key, text)
    return info
