"""What the selected stream sends now, and how loud the chosen sound is: one source each, opened on its own thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.errors import RtaffectError, SoundError
from rtaffect.common.montage import is_eog
from rtaffect.common.worker import Worker
from rtaffect.observed.participant import STRONGEST_V, WEAKEST_V, typical_amplitude
from rtaffect.present.trace_state import Traces, TraceScope, lane_height, line_of, most_columns
from rtaffect.sources.sound_devices import SoundDevice, list_sound_devices, restart_portaudio
from rtaffect.sources.sound_system import join_com
from rtaffect.start.wording import in_window
from rtaffect.stream.source import Source

#: So much of the signal is shown, s.
SHOWN_S: Final = 4.0
#: It is drawn in so many columns at most.
COLUMNS: Final = 400
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

    ``prepare`` is called on the thread once, before anything else.
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
    except Exception as error:
        if source is not None:
            source.stop()
        # Whatever one device does, others are shown after it.
        return Shown(key, None, error.message if isinstance(error, RtaffectError) else f"cannot be opened ({error})")
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
        self.preview = Preview("start sound", join_com)
        self.preview.do(self._list)

    def look_again(self) -> None:
        """List the devices anew: PortAudio knows only those that were there when it was loaded."""
        self.devices = None
        self.preview.do(lambda: self._list(anew=True))

    def _list(self, anew: bool = False) -> None:
        try:
            if anew:
                restart_portaudio()
            self.devices, self.trouble = list_sound_devices(), ""
        except SoundError as error:
            self.devices, self.trouble = (), in_window(error)


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """Some seconds of a stream as they are drawn, with a name per channel.

    ``lane`` is the height of a lane, microvolts; ``unit_warning`` what seems to be wrong with the unit, '' for nothing.
    """

    names: tuple[str, ...]
    traces: Traces
    lane: float
    unit_warning: str = ""


def signal_of(names: tuple[str, ...], values: NDArray[np.floating], rate: float) -> Signal:
    """Return ``values`` (n, channels), V, at ``rate``, Hz, as they are drawn: the last ``SHOWN_S`` of them."""
    scope = TraceScope(len(names), most_columns(COLUMNS, SHOWN_S, rate), SHOWN_S)
    scope.take(np.arange(len(values)) / rate, values)
    traces = scope.traces(len(values) / rate)
    return Signal(names, traces, lane_height(traces, None), unit_warning(names, values))


def unit_warning(names: tuple[str, ...], values: NDArray[np.floating]) -> str:
    """Return what seems to be wrong with the unit of ``values`` (n, channels), V, but for the eyes'; '' for nothing."""
    eeg = values[:, [not is_eog(name) for name in names]].T.astype(np.float64)
    # Electrodes drift for minutes after they are put on.
    amplitude = typical_amplitude((eeg - line_of(eeg)).T)
    if not amplitude > 0 or WEAKEST_V < amplitude < STRONGEST_V:
        return ""
    return (
        f"its amplitude is {amplitude:.1g} V, where some 1e-5 V are usual: the electrodes are not on yet, or the unit "
        "is wrong: name the right one under Unit"
    )
