"""Keeps what fails beside a session from ending it, and says when its values leave too late."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from rtaffect.engine.timing import Exit, Timings

_log = logging.getLogger(__name__)

Told = TypeVar("Told")
#: Where a value leaves, in words.
_WHERE: Final[dict[Exit, str]] = {
    "lsl": "sent to other programs",
    "painted": "painted in the operator's window",
    "seen": "painted in the participant's view",
}


class Guarded(Generic[Told]):
    """A sink whose errors are told, each once, and do not end the session.

    Parameters
    ----------
    name
        What fails then, in words.
    sink
        Called with all that this is called with.
    tell
        Is told of a new error, in words.
    """

    def __init__(self, name: str, sink: Callable[[Told], object], tell: Callable[[str], object]) -> None:
        self._name, self._sink, self._tell = name, sink, tell
        self._failure = ""

    def __call__(self, told: Told) -> None:
        """Call the sink."""
        try:
            self._sink(told)
        except Exception as error:
            failure = repr(error)
            if failure != self._failure:
                self._failure = failure
                _log.exception("%s failed", self._name)
                self._tell(f"{self._name} failed: {failure}")
        else:
            self._failure = ""


class Alarm:
    """Tells when values leave later than they may: once at the first of them, until one leaves in time again.

    Parameters
    ----------
    timings
        Of the session.
    now
        The present time, s on the LSL clock.
    most_s
        Greatest age of a value, s after it could be made.
    lookahead_s
        How long after its window's end a value can be made, s.
    tell
        Is told in words.
    """

    def __init__(
        self,
        timings: Timings,
        now: Callable[[], float],
        most_s: float,
        lookahead_s: float,
        tell: Callable[[str], object],
    ) -> None:
        self._timings, self._now, self._tell = timings, now, tell
        self._most_s, self._lookahead_s = most_s, lookahead_s
        self._late: set[Exit] = set()

    def left(self, way: Exit, step: int) -> None:
        """Note that the values of ``step`` leave now."""
        late = self._timings.note(way, step, self._now()) - self._lookahead_s
        if math.isnan(late):
            return
        if late <= self._most_s:
            self._late.discard(way)
        elif way not in self._late:
            self._late.add(way)
            self._tell(f"step {step} was {_WHERE[way]} {late:.1f} s after it could be, more than {self._most_s:g} s")
