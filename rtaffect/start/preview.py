"""What the selected stream sends now, and how loud the chosen sound is: one source each, opened on its own thread."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.errors import RtaffectError, SoundError
from rtaffect.common.montage import is_eog
from rtaffect.common.worker import Worker
from rtaffect.observed.participant import STRONGEST_V, WEAKEST_V, typical_amplitude
from rtaffect.sources.sound_devices import SoundDevice, list_sound_devices, portaudio
from rtaffect.stream.source import Source
from rtaffect.stream.status import SourceStatus

#: So much of the signal is shown, s.
SHOWN_S: Final = 4.0
#: The level is that of so much sound, s.
LEVEL_S: Final = 0.1
#: The quietest level that is shown, dB of full scale.
FLOOR_DB: Final = -60.0
#: From here on sound is cut off, as a share of full scale.
CLIPPED: Final = 0.99
#: What could not be opened is tried again after this long, s.
AGAIN_S: Final = 3.0
#: A thread that is in the middle of opening something is waited for this long, s; it closes it by itself then.
JOIN_S: Final = 3.0

Opener = Callable[[], Source]


@dataclass(frozen=True, slots=True)
class Shown:
    """What a preview shows: what it was asked to (``key``), the open source, or why there is none."""

    key: object = None
    source: Source | None = None
    trouble: str = ""


class Preview:
    """Keeps at most one source open, on a thread of its own, so that opening one never holds the window up.

    Parameters
    ----------
    name
        Of the thread.
    prepare
        Called on the thread once, before anything else.
    """

    def __init__(self, name: str, prepare: Callable[[], None] = lambda: None) -> None:
        self.shown = Shown()
        self._prepare = prepare
        self._wanted: tuple[object, Opener | None] = (None, None)
        self._tasks: list[Callable[[], None]] = []
        self._worker = Worker(name, self._run)
        self._changed = self._worker.changed
        self._worker.start()

    def show(self, key: object, opener: Opener | None) -> None:
        """Show the source that ``opener`` opens, None for none; nothing happens where ``key`` is shown already."""
        with self._changed:
            if key != self._wanted[0]:
                self._wanted = (key, opener)
                self._changed.notify()

    def do(self, task: Callable[[], None]) -> None:
        """Run ``task`` on the thread while no source is open; what was shown is opened anew afterwards."""
        with self._changed:
            self._tasks.append(task)
            self._changed.notify()

    def stop(self) -> None:
        """Close the source and end the thread."""
        self._worker.stop(JOIN_S)

    def _run(self) -> None:
        self._prepare()
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._worker.stopping or bool(self._tasks) or self._wanted[0] != self.shown.key,
                    AGAIN_S if self.shown.trouble else None,
                )
                stopping, tasks = self._worker.stopping, self._tasks
                self._tasks = []
                key, opener = self._wanted
            self._close(key)
            if stopping:
                return
            for task in tasks:
                task()
            self.shown = _opened(key, opener) if opener is not None else Shown(key)

    def _close(self, next_key: object) -> None:
        """Close what is open; what was wrong with it is said until it is known whether it still is."""
        before = self.shown
        self.shown = Shown(next_key, None, before.trouble if before.key == next_key else "")
        if before.source is not None:
            before.source.stop()


def _opened(key: object, opener: Opener) -> Shown:
    source: Source | None = None
    try:
        source = opener()
        source.start()
    except RtaffectError as error:
        if source is not None:
            source.stop()
        return Shown(key, None, str(error))
    return Shown(key, source)


class SoundRoom:
    """The sound devices of this computer, and the one that is listened to; PortAudio is used on one thread alone.

    Attributes
    ----------
    devices : tuple of SoundDevice or None
        None while they are being listed.
    trouble : str
        Why they cannot be listed.
    """

    def __init__(self) -> None:
        self.devices: tuple[SoundDevice, ...] | None = None
        self.trouble = ""
        self.preview = Preview("start sound", _join_com)
        self.preview.do(self._list)

    def look_again(self) -> None:
        """List the devices anew: PortAudio knows only those that were there when it was loaded."""
        self.devices = None
        self.preview.do(self._list_anew)

    def _list(self) -> None:
        try:
            self.devices, self.trouble = list_sound_devices(), ""
        except SoundError as error:
            self.devices, self.trouble = (), str(error)

    def _list_anew(self) -> None:
        try:
            sd = portaudio()
            sd._terminate()
            sd._initialize()
        except SoundError as error:
            self.devices, self.trouble = (), str(error)
            return
        self._list()


def _join_com() -> None:
    """Let this thread open sound devices on Windows, where each thread that does so must have joined COM."""
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.ole32.CoInitialize(None)


@dataclass(frozen=True, slots=True, eq=False)
class Traces:
    """The newest seconds of a stream, thinned for drawing.

    Attributes
    ----------
    names : tuple of str
        One per channel.
    time : (T,) float64
        s before now (negative); least and greatest value of a stretch stand one after the other.
    values : (T, channels) float64
        V, each channel without its mean; NaN where there is nothing.
    spacing : float
        V between neighbouring channels, for all to be seen.
    unit_warning : str
        What seems to be wrong with the unit, '' for nothing.
    """

    names: tuple[str, ...]
    time: NDArray[np.float64]
    values: NDArray[np.float64]
    spacing: float
    unit_warning: str = ""


def newest(source: Source, seconds: float, now: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return times (n,), s before ``now``, and values (n, channels) of the last ``seconds``."""
    buffer = source.buffer
    start = max(0, buffer.received - math.ceil(1.5 * seconds * buffer.rate))
    block = buffer.read(start, math.inf)
    recent = block.times > now - seconds
    return block.times[recent] - now, block.samples[recent].astype(np.float64)


def traces(source: Source, now: float, points: int = 400) -> Traces:
    """Return the newest seconds of an EEG source, at most about ``points`` stretches long."""
    time, values = newest(source, SHOWN_S, now)
    return thinned(source.info.channels, time, values, points)


def thinned(
    names: tuple[str, ...], time: NDArray[np.float64], values: NDArray[np.float64], points: int = 400
) -> Traces:
    """Return ``values`` (n, channels), V, at ``time`` (n,) as traces: least and greatest value of each stretch."""
    if not len(time):
        return Traces(names, np.empty(0), np.empty((0, len(names))), 1e-4)
    centred = values - _mean(values)
    eeg = np.array([not is_eog(name) for name in names])
    amplitude = typical_amplitude(_without_trend(time, centred[:, eeg]))
    length = max(1, len(time) // points)
    n = len(time) // length * length
    parts = centred[len(time) - n :].reshape(-1, length, len(names))
    bounds = np.stack([parts.min(axis=1), parts.max(axis=1)], axis=1).reshape(-1, len(names))
    starts = time[len(time) - n :: length]
    return Traces(names, np.repeat(starts, 2), bounds, _spacing(amplitude), _unit_warning(amplitude))


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    there = np.isfinite(values)
    total = np.where(there, values, 0.0).sum(axis=0)
    return np.asarray(total / np.maximum(there.sum(axis=0), 1))


def _without_trend(time: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``values`` without a straight line each: electrodes drift for minutes after they are put on."""
    t = time - time.mean()
    power = float((t**2).sum())
    slope = (t[:, None] * values).sum(axis=0) / power if power > 0 else np.zeros(values.shape[1])
    return np.asarray(values - slope * t[:, None])


def _spacing(amplitude: float) -> float:
    """Return a round distance, V, of some five times a typical amplitude."""
    if not amplitude > 0:
        return 1e-4
    wanted = 5 * amplitude
    decade = 10.0 ** math.floor(math.log10(wanted))
    return next(decade * step for step in (1, 2, 5, 10) if decade * step >= wanted)


def _unit_warning(amplitude: float) -> str:
    if not amplitude > 0 or WEAKEST_V < amplitude < STRONGEST_V:
        return ""
    return (
        f"its amplitude is {amplitude:.1g} V, where some 1e-5 V are usual: the electrodes are not on yet, or the unit "
        "is wrong: name the right one under Unit"
    )


@dataclass(frozen=True, slots=True)
class Level:
    """How loud the newest sound is, dB of full scale: root mean square and peak; NaN while there is none."""

    rms_db: float = math.nan
    peak_db: float = math.nan
    clipped: bool = False


def level(source: Source, now: float) -> Level:
    """Return the level of a sound source's newest tenth of a second."""
    _, values = newest(source, 2.0, now)
    recent = values[-max(1, math.ceil(LEVEL_S * source.buffer.rate)) :]
    recent = recent[np.isfinite(recent)]
    if not recent.size:
        return Level()
    peak = float(np.abs(recent).max())
    return Level(_db(float(np.sqrt((recent**2).mean()))), _db(peak), peak >= CLIPPED)


def _db(value: float) -> float:
    return max(FLOOR_DB, 20 * math.log10(value)) if value > 0 else FLOOR_DB


def status_of(shown: Shown, now: float) -> SourceStatus | None:
    """Return the health of what is shown; None where nothing is open."""
    return None if shown.source is None else shown.source.status(now)
