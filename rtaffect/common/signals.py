"""What asks a program to end: Ctrl-C, the end of its terminal, and who manages processes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

#: All of them that this system has: Ctrl-C, a kill without -9 or the end of the system, a closed terminal, Ctrl-Break.
ENDING: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
)


@contextmanager
def ending_signals(call: Callable[[], object]) -> Iterator[None]:
    """Let each signal that asks for the end ``call`` a function, on the main thread, between two of its instructions.

    Elsewhere than on the main thread it does nothing: only that one can be asked.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def asked(number: int, frame: FrameType | None) -> None:
        call()

    # A terminal that closes is nothing to a program that was told so (nohup).
    heeded = [n for n in ENDING if n == signal.SIGINT or signal.getsignal(n) is not signal.SIG_IGN]
    previous = [(number, signal.signal(number, asked)) for number in heeded]
    try:
        yield
    finally:
        for number, before in previous:
            # None: it was set by something else than Python, which cannot be set again from here.
            signal.signal(number, signal.SIG_DFL if before is None else before)


class Ending:
    """Ends a session when it is asked to: in order at first, and as fast as files can be closed when asked again.

    Parameters
    ----------
    stop
        Set when the session is to end.

    Attributes
    ----------
    hurry : bool
        Whether it was asked to end while it did.
    """

    def __init__(self, stop: threading.Event) -> None:
        self.stop, self.hurry = stop, False

    def ask(self) -> None:
        """Ask for the end; where that is on its way, what is being done is left off.

        Raises
        ------
        KeyboardInterrupt
            The first time that the end is on its way.
        """
        if not self.stop.is_set():
            self.stop.set()
        elif not self.hurry:
            self.hurry = True
            raise KeyboardInterrupt
