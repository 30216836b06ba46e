"""A thread with an end: started, asked to stop, waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Worker:
    """One function on a thread of its own, which runs until it is asked to stop and may be started again then.

    Parameters
    ----------
    name
        Of the thread.
    run
        Called on it; returns soon after :attr:`stopping` is true.

    Attributes
    ----------
    changed : threading.Condition
        Notified when the thread is asked to stop, and by whoever gives it something to do.
    stopping : bool
        Whether it was asked to stop, and was not started again since.
    """

    def __init__(self, name: str, run: Callable[[], None]) -> None:
        self.changed, self.stopping = threading.Condition(), False
        self._name, self._run = name, run
        self._thread: threading.Thread | None = None

    @property
    def running(self) -> bool:
        """Whether it was started, and not stopped since."""
        return self._thread is not None

    def start(self) -> None:
        """Start the thread; does nothing if that is done."""
        if self._thread is None:
            self.stopping = False
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait ``seconds``, but not once the thread is asked to stop; return whether it is."""
        with self.changed:
            return self.changed.wait_for(lambda: self.stopping, seconds)

    def pause(self, seconds: float) -> None:
        """Wait ``seconds``, or until :attr:`changed` is notified, whatever for."""
        with self.changed:
            if not self.stopping:
                self.changed.wait(seconds)

    def wake(self) -> None:
        """End a :meth:`pause`, if there is one."""
        with self.changed:
            self.changed.notify_all()

    def stop(self, timeout: float | None = None) -> None:
        """Ask the thread to stop and wait for it, at most ``timeout`` s; may be called twice, or before the start."""
        with self.changed:
            self.stopping = True
            self.changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout)
        self._thread = None
