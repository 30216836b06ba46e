"""Keeps a sound device's stream open: notices when the device is gone, and opens it again when it is back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from rtaffect.common.errors import SoundError
from rtaffect.sources.sound_devices import Direction, SoundDevice, opened, opening, release
from rtaffect.sources.sound_system import join_com, look_anew, same_device, without_noise

#: Time from one look at the stream to the next, s.
TICK_S: Final = 0.1
#: A stream whose callback was not called between so many looks is gone, and so many before it was called between
#: ``LIVELY_LOOKS``: sound servers fill their buffer and then may hesitate. Looks are counted and not time: while this
#: process is stopped nothing is called, and nothing is gone.
SILENT_LOOKS: Final = 7
START_LOOKS: Final = 50
LIVELY_LOOKS: Final = 10
#: A device that is gone is sought every so many looks, and every so many times PortAudio is made to look anew.
AGAIN_LOOKS: Final = 4
ANEW_TIMES: Final = 4


class Kept(NamedTuple):
    """Whose stream it is.

    ``make`` makes a stream of the device that it is given, from the module sounddevice, the device and what is to be
    called when it has finished; ``how`` and ``remedy`` are for errors, as in :func:`opening`. ``lost`` is called with
    words when the device is gone, ``back`` when it is open again, and ``look`` at every look, on the keeper's thread.
    """

    make: Callable[[Any, SoundDevice, Callable[[], None]], Any]
    how: str
    remedy: str
    lost: Callable[[str], None]
    back: Callable[[], None]
    look: Callable[[], None] = lambda: None


class StreamKeeper:
    """Keeps the stream of ``device`` open from :meth:`start` to :meth:`stop`.

    Parameters
    ----------
    device
        As it was chosen.
    direction
        Whether sound goes in or out.
    any_default
        Whether the system's default was meant: then it is opened again as what is the default by then.
    kept
        Whose it is.
    """

    def __init__(self, device: SoundDevice, direction: Direction, kept: Kept, *, any_default: bool) -> None:
        self.device = device
        self._direction, self._kept, self._any_default = direction, kept, any_default
        self.stream: Any = None
        self._beats = self._seen = self._silent = self._lively = self._tries = 0
        self._finished = False
        self.lost = False
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Open the device; raises SoundError if that is impossible."""
        self._open(self.device)
        self._thread = threading.Thread(target=self._watch, name=f"sound {self._direction}", daemon=True)
        self._thread.start()

    def beat(self) -> None:
        """Tell that the stream's callback was called; from the callback."""
        self._beats += 1

    def stop(self) -> None:
        """Release the device at once; may be called twice."""
        self._stop.set()
        release(self.stream)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(2.0)
        release(self.stream)

    def _open(self, device: SoundDevice) -> None:
        self._beats = self._seen = self._silent = self._lively = 0
        self._finished = False
        made: Any = None

        def finished() -> None:
            # A stream that was let go of says so late.
            if made is None or self.stream is made:
                self._finished = True

        with opening(device, self._kept.how, self._kept.remedy, lambda: release(made)) as sd:
            made = opened(self._kept.make(sd, device, finished))
            self.stream = made
            made.start()
        self.device = device
        if self._stop.is_set():
            release(made)

    def _watch(self) -> None:
        join_com()
        while not self._stop.wait(TICK_S):
            self._turn()

    def _turn(self) -> None:
        """Look at the stream once."""
        self._kept.look()
        if not self.lost:
            if self._is_gone():
                self._lose()
            return
        self._tries += 1
        if self._tries % AGAIN_LOOKS == 0:
            self._open_again()

    def _is_gone(self) -> bool:
        if self._beats == self._seen:
            self._silent += 1
        else:
            self._silent, self._lively = 0, self._lively + 1
        self._seen = self._beats
        return self._finished or self._silent >= (SILENT_LOOKS if self._lively >= LIVELY_LOOKS else START_LOOKS)

    def _lose(self) -> None:
        if self._stop.is_set():
            return
        self.lost, self._tries = True, 0
        self._kept.lost(
            f"sound device {self.device.describe()} is gone (unplugged, or its sound server ended); connect it again: "
            "it goes on by itself"
        )
        release(self.stream)

    def _open_again(self) -> None:
        try:
            if self._tries % (AGAIN_LOOKS * ANEW_TIMES) == 0:
                look_anew(self.device, self._direction)
            with without_noise():
                self._open(same_device(self.device, self._direction, any_default=self._any_default))
        except SoundError:
            return
        if not self._stop.is_set():
            self.lost = False
            self._kept.back()
