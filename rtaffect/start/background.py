"""Threads that look while the window stays awake: at the chosen files, and at the network."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable
from typing import Final

from rtaffect.common.errors import StreamError
from rtaffect.common.worker import Worker
from rtaffect.sources.lsl_streams import FoundStream, Network, cannot_be_read, read_header
from rtaffect.start.found import Ask, Fact, Trouble
from rtaffect.start.look import look_at, stamp_of
from rtaffect.start.streams import StreamFacts
from rtaffect.start.wording import in_window

_log = logging.getLogger(__name__)

#: Files are looked at again this often, s: one may have changed.
AGAIN_S: Final = 1.0
#: The folder of the results and the protocol's sounds are looked at this often, s.
FOLDER_AGAIN_S: Final = 3.0
#: Who is on the network is asked for this often, s.
LOOK_S: Final = 0.3
#: A stream that has not answered for this long is said not to be there, s.
FORGET_S: Final = 3.0
#: A stream is given this long to describe itself, s; one that does not is asked again after ``ASK_AGAIN_S``.
DESCRIBE_S: Final = 1.0
ASK_AGAIN_S: Final = 5.0
#: A thread that is in the middle of something is waited for this long, s.
JOIN_S: Final = 3.0


class FileWatch:
    """Looks at what is asked for, on a thread of its own, and again where a file has changed.

    Attributes
    ----------
    facts : dict of Ask to Fact or Trouble
        What was found. Each change makes a new dictionary, so that it can be read from any thread.
    """

    def __init__(self) -> None:
        self.facts: dict[Ask, Fact | Trouble] = {}
        self._asks: tuple[Ask, ...] = ()
        self._stamps: dict[Ask, tuple[object, ...]] = {}
        self._looked: dict[Ask, float] = {}
        self._worker = Worker("start files", self._run)
        self._changed = self._worker.changed
        self._worker.start()

    def want(self, asks: Iterable[Ask]) -> None:
        """Look at ``asks`` from now on, in this order, and forget the others."""
        wanted = tuple(dict.fromkeys(asks))
        with self._changed:
            if wanted != self._asks:
                self._asks = wanted
                self.facts = {ask: fact for ask, fact in self.facts.items() if ask in wanted}
                self._changed.notify()

    def stop(self) -> None:
        """End the thread; it finishes what it is looking at."""
        self._worker.stop(JOIN_S)

    def _run(self) -> None:
        while not self._worker.stopping:
            # Files are looked at without the lock: a drive of the network may take its time.
            asks = self._asks
            ask = next((ask for ask in asks if ask not in self.facts), None)
            ask = ask or next((ask for ask in asks if self._is_stale(ask)), None)
            if ask is not None:
                self._look(ask)
                continue
            with self._changed:
                if self._asks == asks and not self._worker.stopping:
                    self._changed.wait(AGAIN_S)

    def _look(self, ask: Ask) -> None:
        self._stamps[ask], self._looked[ask] = stamp_of(ask), time.monotonic()
        try:
            fact = look_at(ask)
        except Exception as error:
            # A file may hold anything, and what is wrong with one must not keep the others from being looked at.
            _log.exception("looking at %s", ask.path)
            fact = Trouble(f"{ask.path} cannot be read ({type(error).__name__}: {error}); choose another")
        with self._changed:
            same = ask.kind in ("out", "protocol") and self.facts.get(ask) == fact
            if ask in self._asks and not same:
                self.facts = {**self.facts, ask: fact}

    def _is_stale(self, ask: Ask) -> bool:
        # Disks fill up, and a sound that a protocol misses may be copied to its place.
        if ask.kind in ("out", "protocol") and time.monotonic() - self._looked[ask] > FOLDER_AGAIN_S:
            return True
        return stamp_of(ask) != self._stamps[ask]


class NetworkWatch:
    """The streams on the network, asked for again and again on a thread of its own, with what they say of themselves.

    Attributes
    ----------
    streams : tuple of StreamFacts
        Those that answer now. Each change makes a new tuple, so that it can be read from any thread.
    """

    def __init__(self) -> None:
        self.streams: tuple[StreamFacts, ...] = ()
        self._handles: dict[str, FoundStream] = {}
        self._described: dict[str, StreamFacts] = {}
        self._ask_at: dict[str, float] = {}
        self._since, self._fault = time.monotonic(), ""
        self._worker = Worker("start network", self._run)
        self._worker.start()

    @property
    def searched_s(self) -> float:
        """For how long the network has been asked, s."""
        return time.monotonic() - self._since

    def handle(self, uid: str) -> FoundStream | None:
        """Return what a stream that is there now is opened by."""
        return self._handles.get(uid)

    def stop(self) -> None:
        """End the thread."""
        self._worker.stop(JOIN_S)

    def _run(self) -> None:
        network = Network(FORGET_S)
        while not self._worker.wait(LOOK_S):
            try:
                self._look_around(network.streams())
            except Exception as error:
                if (said := f"{type(error).__name__}: {error}") != self._fault:
                    _log.exception("looking for streams")
                self._fault = said

    def _look_around(self, found: list[FoundStream]) -> None:
        self._handles = {stream.header.uid: stream for stream in found}
        self._publish(found)
        for stream in found:
            uid, texts = stream.header.uid, stream.header.format == "string"
            if texts or stream.trouble or self._ask_at.get(uid, 0.0) > time.monotonic():
                continue
            if self._worker.stopping:
                return
            self._describe(stream)
            self._publish(found)

    def _publish(self, found: list[FoundStream]) -> None:
        streams = tuple(map(self._facts, found))
        if streams != self.streams:
            self.streams = streams

    def _facts(self, stream: FoundStream) -> StreamFacts:
        if stream.trouble:
            return StreamFacts(stream.header, trouble=in_window(cannot_be_read(stream, stream.trouble)))
        return self._described.get(stream.header.uid) or StreamFacts(stream.header)

    def _describe(self, stream: FoundStream) -> None:
        uid, ask_at = stream.header.uid, math.inf
        try:
            self._described[uid] = StreamFacts(read_header(stream, DESCRIBE_S), described=True)
        except Exception as error:
            words = error if isinstance(error, StreamError) else f"cannot be read ({type(error).__name__}: {error})"
            self._described[uid] = StreamFacts(stream.header, trouble=in_window(words))
            ask_at = time.monotonic() + ASK_AGAIN_S
        self._ask_at[uid] = ask_at
