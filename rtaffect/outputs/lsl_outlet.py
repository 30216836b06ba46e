"""An LSL outlet that is taken off the network in bounded time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Final, Self

_log = logging.getLogger(__name__)

#: liblsl takes an outlet down in a tenth of a second; what takes longer than this, s, is left behind.
CLOSE_S: Final = 3.0


class LslOutlet:
    """A ``pylsl.StreamOutlet`` that can be closed.

    ``lsl_destroy_outlet`` of liblsl 1.17 has been seen to run without end where readers connected or left at that
    moment, once in some thousand times, and Ctrl-C does not reach it. So it runs beside the program, which does not
    wait longer than :data:`CLOSE_S` for it: what comes after the end of a session still comes.

    Parameters
    ----------
    make
        Returns the outlet; nobody else may hold it.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._held = [make()]

    def push_sample(self, values: Any, stamp: float = 0.0) -> None:
        """Send one sample, with its time on the LSL clock, s (0: now); a closed outlet sends nothing."""
        for outlet in self._held:
            outlet.push_sample(values, stamp)

    def push_chunk(self, values: Any, stamps: Any) -> None:
        """Send samples (n, channels), with the time of the last, or of each, s; a closed outlet sends nothing."""
        for outlet in self._held:
            outlet.push_chunk(values, stamps)

    def have_consumers(self) -> bool:
        """Whether anybody reads it."""
        return any(outlet.have_consumers() for outlet in self._held)

    @property
    def uid(self) -> str:
        """What LSL calls it, and none that was or will be; '' once it is closed."""
        return "".join(outlet.get_info().uid() for outlet in self._held)

    def close(self) -> None:
        """Take the stream off the network; may be called twice."""
        held, self._held = self._held, []
        # The outlet is gone with its last reference.
        thread = threading.Thread(target=held.clear, name="closing an LSL outlet", daemon=True)
        thread.start()
        thread.join(CLOSE_S)
        if thread.is_alive():
            _log.warning("an LSL outlet has not closed within %g s: it is left behind", CLOSE_S)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()
