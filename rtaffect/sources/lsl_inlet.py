"""A stream of Lab Streaming Layer that is open, with its sender's clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pylsl
from numpy.typing import NDArray

from rtaffect.common.errors import StreamError
from rtaffect.sources.clock_offsets import SenderClock
from rtaffect.sources.lsl_streams import FoundStream
from rtaffect.stream.limits import MOST_VALUES
from rtaffect.stream.source import StreamHeader

#: One pull waits this long for something to come, s.
PULL_S = 0.05
#: The samples of a chunk come one after the other, within this time, s.
GATHER_S = 0.001
#: The clock offset is read this often, s; liblsl measures it in its own thread every 2 s.
OFFSET_S = 5.0
#: The first measurement of the clock offset takes .6 s; a network without it is not usable, s.
FIRST_OFFSET_S = 3.0
#: A change that a measurement finds is the one that arrivals told if it differs by less than this, s.
SAME_S = 0.05
#: What liblsl raises where a connection is gone, or the other side speaks nonsense: each error of its own is one.
GONE = (RuntimeError,)
#: liblsl keeps so much of what is not taken yet: s, values, and markers.
KEPT_S = 60
KEPT_VALUES = int(30 * MOST_VALUES)
KEPT_TEXTS = 100_000
#: So many texts are taken at once.
_CHUNK = 1024


class LslInlet:
    """The inlet of a stream; its sender's clock is measured when it is opened, and every few seconds after that.

    liblsl's own recovery is off, because it hides losses.

    Parameters
    ----------
    name
        What the stream is called in messages.
    sender
        What is to be restarted where it cannot be opened.
    begin_anew
        Called before the first sample that comes by another connection or clock than those before.
    note
        Called with each measurement: the time from which on it counts, on the sender's clock, and the offset that is
        to be added to its stamps, s.
    """

    def __init__(
        self, name: str, sender: str, begin_anew: Callable[[], None], note: Callable[[float, float], None]
    ) -> None:
        self.clock = SenderClock()
        self._name, self._sender, self._begin_anew, self._note = name, sender, begin_anew, note
        self._inlet: Any = None
        self._measure_at: float | None = None
        # The newest measurement, and what arrivals say must be added to it, s.
        self._measured = self._more = 0.0

    def open(self, stream: FoundStream, check: Callable[[Any, float], None] | None = None) -> None:
        """Open ``stream`` and measure its clock: nothing is accepted before that is done.

        ``check`` is called with its whole description (pylsl.StreamInfo) and the clock's offset, s, before anything
        of it is used; it raises StreamError to refuse it.

        Raises
        ------
        StreamError
            If it is gone, or its clock cannot be measured, or it is refused.
        """
        try:
            inlet = pylsl.StreamInlet(stream.handle, max_buflen=_kept(stream.header), recover=False)
            # Opening fails at once where the outlet is gone; measuring would wait for its timeout.
            inlet.open_stream(FIRST_OFFSET_S)
            info = inlet.info(FIRST_OFFSET_S) if check is not None else None
            offset = inlet.time_correction(FIRST_OFFSET_S)
        except GONE as error:
            raise StreamError(
                f"stream {self._name!r} on {stream.header.host} was found but cannot be opened (or its clock not "
                f"measured within {FIRST_OFFSET_S:g} s); restart {self._sender} and check the firewall"
            ) from error
        if check is not None:
            check(info, offset)
        if self._measure_at is not None:
            # Even a loss that is shorter than the jitter of timestamps is a gap.
            self._restart()
        self._inlet, self._more = inlet, 0.0
        self._take(offset)

    def close(self) -> None:
        """Disconnect; may be called twice."""
        self._inlet = None

    def pull_chunk(self, into: NDArray[Any], *, rested: bool = False) -> NDArray[np.float64]:
        """Write what came into ``into`` (most, channels) and return its stamps (n,), s on the sender's clock.

        After a rest, what lies there is taken as it is. Where nothing is there, it waits for something, at most
        ``PULL_S``, and then for what comes with it. Raises one of ``GONE`` where the connection is, as do the other
        methods.
        """
        stamps = self._pull(into, 0.0) if rested else []
        if not stamps and (stamps := self._pull(into[:1], PULL_S)):
            time.sleep(GATHER_S)
            stamps += self._pull(into[1:], 0.0)
        return np.array(stamps, np.float64)

    def _pull(self, into: NDArray[Any], timeout: float) -> list[float]:
        stamps: list[float]
        _, stamps = self._inlet.pull_chunk(timeout=timeout, max_samples=len(into), dest_obj=into)
        return stamps

    def pull_markers(self) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """Return the next values (n, channels), texts as the bytes that were sent, and their stamps (n,), s."""
        values, stamps = self._inlet.pull_chunk(timeout=PULL_S, max_samples=_CHUNK, min_samples=1, as_numpy=True)
        stamps = np.asarray(stamps, np.float64)
        return np.asarray(values).reshape(len(stamps), -1) if len(stamps) else np.empty((0, 1)), stamps

    def measure(self) -> None:
        """Measure the sender's clock if it is time to, and begin anew where it was reset."""
        if self._measure_at is None or pylsl.local_clock() < self._measure_at:
            return
        try:
            offset = self._inlet.time_correction(FIRST_OFFSET_S)
        except pylsl.util.TimeoutError:
            # The last one holds until there is another.
            self._measure_at = pylsl.local_clock() + OFFSET_S
            return
        if self._more and abs(offset - self._measured - self._more) < SAME_S:
            # The measurement has found what arrivals told before.
            self._more = 0.0
        if self.clock.was_reset(offset + self._more):
            self._more = 0.0
            self._restart()
        self._take(offset)

    def shift(self, by: float) -> None:
        """Add ``by``, s, to the stamps of what comes next: arrivals show that the sender's clock was set.

        That is recorded as a new segment with a new measurement.
        """
        self._more += by
        self._restart()
        self._take(self._measured)

    def _restart(self) -> None:
        self.clock.restart()
        self._begin_anew()

    def _take(self, offset: float) -> None:
        now = pylsl.local_clock()
        self._measure_at = now + OFFSET_S
        self._measured, value = offset, offset + self._more
        self._note(self.clock.note(now, value), value)


def _kept(header: StreamHeader) -> int:
    """Return what liblsl is to keep of a stream, in its unit: s, or hundreds of samples where they have no rate."""
    most = KEPT_TEXTS if header.format == "string" else KEPT_VALUES // max(1, header.channels)
    if not header.rate > 0:
        # A burst of markers would push the first ones out of what is kept of a stream of samples.
        return most // 100 if header.format == "string" else min(KEPT_S, max(1, most // 100))
    return max(1, min(KEPT_S, int(most / header.rate)))
