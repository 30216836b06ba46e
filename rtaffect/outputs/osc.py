"""Sends each step and each marker by OSC, from a thread of its own: no network delays a step."""

from __future__ import annotations

import importlib.util
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

from rtaffect.common.errors import SettingsError, setting
from rtaffect.common.worker import Worker
from rtaffect.engine.feedback import Feedback
from rtaffect.outputs.affect_messages import affect_messages
from rtaffect.outputs.osc_messages import (
    ROOT,
    Message,
    bundle,
    encoded,
    row_names,
    safe_names,
    step_bundles,
    step_messages,
)

INSTALL: Final = 'pip install "rtaffect[osc]"'
#: Steps and markers that wait to be sent at most; beyond, the oldest are left out.
_MOST_WAITING: Final = 256
_WAIT_S: Final = 0.5

#: What is said of a step beside its own values, made on the sending thread.
More = Callable[[], Iterable[Message]]


class Place(NamedTuple):
    """A receiver: the family of its socket, where it is, and how it was named."""

    family: int
    address: Any
    named: str


def find_places(asked: Iterable[tuple[str, int]]) -> list[Place]:
    """Return receivers by host and port; their names are looked up once, here.

    Raises
    ------
    SettingsError
        If python-osc is not installed, or a host is not known.
    """
    found: list[Place] = []
    for host, port in asked:
        if importlib.util.find_spec("pythonosc") is None:
            raise SettingsError(f"{setting('osc')} needs python-osc, which is not installed", remedy=INSTALL)
        try:
            known = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as error:
            raise SettingsError(
                f"{setting('osc', f'{host}:{port}')}: {host!r} is not known ({error})", "a computer's address or name"
            ) from None
        # Most receivers listen to IPv4 alone.
        family, _, _, _, address = min(known, key=lambda each: each[0] != socket.AF_INET)
        found.append(Place(family, address, f"{host}:{port}"))
    return found


class OscSender:
    """A sink of Feedback, and of markers, that sends them to each of ``places``.

    Parameters
    ----------
    places
        Receivers.
    now
        The present time, s on the LSL clock.
    tell
        Is told, in words, what cannot be sent: once for each receiver and reason.
    more
        Messages beside the step's own, made once the step before was sent: what takes a while delays none.

    Attributes
    ----------
    dropped : int
        Steps and markers that were not sent because too many waited.
    """

    def __init__(
        self,
        places: Sequence[Place],
        now: Callable[[], float],
        tell: Callable[[str], object],
        more: More = tuple,
    ) -> None:
        self._places = places
        self._now, self._tell, self._more = now, tell, more
        self._sockets = {family: _socket(family) for family in {place.family for place in places}}
        self._beside: tuple[Message, ...] = ()
        self._waiting: deque[Feedback | tuple[str, float]] = deque(maxlen=_MOST_WAITING)
        self._rows: tuple[tuple[str, ...], list[str]] = ((), [])
        self._told: set[str] = set()
        self._lock = threading.Lock()
        self.dropped = 0
        self._worker = Worker("osc", self._run)
        self._worker.start()

    def __call__(self, feedback: Feedback) -> None:
        """Let a step be sent; never waits."""
        self._put(feedback)

    def marker(self, text: str, lsl_time: float) -> None:
        """Let a marker be sent, with its time on the LSL clock, s; from any thread."""
        self._put((text, lsl_time))

    def close(self) -> None:
        """Send what waits, and end; may be called twice."""
        self._worker.stop(timeout=2 * _WAIT_S)
        for each in self._sockets.values():
            each.close()

    def _put(self, what: Feedback | tuple[str, float]) -> None:
        with self._lock:
            self.dropped += len(self._waiting) == _MOST_WAITING
            self._waiting.append(what)
        self._worker.wake()

    def _run(self) -> None:
        while not self._worker.stopping:
            self._send_waiting()
            with self._worker.changed:
                self._worker.changed.wait_for(lambda: self._worker.stopping or self._waiting, _WAIT_S)
        self._send_waiting()

    def _send_waiting(self) -> None:
        while self._waiting:
            with self._lock:
                what = self._waiting.popleft()
            try:
                for packet in self._packets(what):
                    self._send(packet)
                if isinstance(what, Feedback):
                    self._beside = tuple(self._more())
            except Exception as error:
                # One step that cannot be said must not end all others.
                self._once(f"a step or marker cannot be sent by OSC ({type(error).__name__}: {error})")

    def _packets(self, what: Feedback | tuple[str, float]) -> list[bytes]:
        if isinstance(what, Feedback):
            if self._rows[0] != what.rows:
                self._rows = (what.rows, row_names(what))
            own = step_messages(what, self._rows[1], safe_names(what.people))
            messages = [*own, *affect_messages(what), *self._beside]
            return step_bundles(messages, what.step, self._unix(what.lsl_time))
        text, lsl_time = what
        return [bundle([encoded(Message(f"{ROOT}/marker", (text[:1000],)))], self._unix(lsl_time))]

    def _unix(self, lsl_time: float) -> float:
        """Return a time on the LSL clock as this computer's time of day, s since 1970."""
        return time.time() - self._now() + lsl_time

    def _send(self, packet: bytes) -> None:
        for place in self._places:
            try:
                self._sockets[place.family].sendto(packet, place.address)
            except OSError as error:
                self._once(f"OSC cannot be sent to {place.named} ({error.strerror or error})")

    def _once(self, words: str) -> None:
        if words not in self._told:
            self._told.add(words)
            self._tell(words)


def _socket(family: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_DGRAM)
    made.setblocking(False)
    with suppress(OSError):
        # A step of many rows comes as a handful of packets at once.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 18)
    return made
