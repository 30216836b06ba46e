"""EEG from a FieldTrip buffer: BioSemi, TMSi, g.tec, Neuromag and others whose programs fill one."""

from __future__ import annotations

from collections import deque
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray
from pylsl import local_clock

from rtaffect.common.errors import StreamError
from rtaffect.sources.channel_plan import DTYPES, Given
from rtaffect.sources.fieldtrip_client import (
    PORT,
    BufferClient,
    BufferHeader,
    BufferLostError,
    lsl_format,
    most_samples,
)
from rtaffect.sources.live import DeviceLostError, NotOursError
from rtaffect.sources.polled import PolledSource
from rtaffect.stream.source import StreamHeader
from rtaffect.stream.status import StreamState

#: One wait for samples lasts this long at most, s.
WAIT_S = 0.1
#: After an answer that brings nothing this long passes at least, s.
PAUSE_S = 0.002
#: Round trips that are remembered; the shortest of them is the one without delays.
ROUND_TRIPS = 20


class FieldTripSource(PolledSource):
    """One FieldTrip buffer as a source.

    A buffer has no times. The server answers a wait when a block of samples is put into it, so the newest sample is
    stamped with the receipt of that answer, less half of the shortest round trip, and those before it by the rate;
    :class:`rtaffect.stream.timebase.Timebase` takes the jitter out. What remains is constant and not known: samples are
    stamped later than they were taken by the delays of the amplifier, of its driver and of the program that fills the
    buffer, half a block to a block more than with LSL where that program sends blocks. Where tens of milliseconds
    matter, use an LSL outlet instead.

    Parameters
    ----------
    host, port
        Where the buffer is.
    given
        What replaces the buffer's description: the unit is needed, for buffers do not say it, and names of the channels
        where it has none.

    Raises
    ------
    StreamError
        If no buffer answers, it has no header yet, or unit or names are missing.
    """

    def __init__(self, host: str = "localhost", port: int = PORT, **given: Unpack[Given]) -> None:
        self._address, self._where = (host, port), f"FieldTrip buffer {host}:{port}"
        self._client: BufferClient | None = None
        self._said = said = self._connect()
        self._close()
        self._format = "double64" if said.scale is not None else lsl_format(said.dtype)
        where = f"{host}:{port}"
        sent = StreamHeader(
            self._where, "EEG", said.rate, self._format, said.labels, source_id=f"fieldtrip:{where}", host=host
        )
        super().__init__("fieldtrip", where, sent.uniform(), given)
        self._columns, self._scale = list(range(len(said.labels))), said.scale
        self._count = 0
        self._round_trips: deque[float] = deque(maxlen=ROUND_TRIPS)

    def _connect(self) -> BufferHeader:
        """Connect and return the header; StreamError with nothing left open if there is none."""
        try:
            self._client = BufferClient(*self._address)
            said = self._client.header()
        except BufferLostError as error:
            raise StreamError(
                f"{self._where} does not answer ({error}); start the program that fills it, and check host, port and "
                "firewall"
            ) from None
        if said is None:
            self._close()
            raise StreamError(f"{self._where} is empty: nothing has written a header; start the acquisition")
        return said

    def _open(self) -> None:
        said = self._connect()
        try:
            self._columns = self._as_before(said)
        except NotOursError:
            self._close()
            raise
        self._scale = said.scale
        # What was taken before is not of this session, and its age is not known.
        self._count = said.samples

    def _as_before(self, said: BufferHeader) -> list[int]:
        """Return which of the channels now is each of those before; NotOursError if they are others."""
        before = self._said
        what = (len(said.labels), said.dtype, said.rate, said.scale is None)
        if what != (len(before.labels), before.dtype, before.rate, before.scale is None):
            raise NotOursError(
                f"{self._where} has {len(said.labels)} channels of {said.dtype} at {said.rate:g} Hz, expected "
                f"{len(before.labels)} of {before.dtype} at {before.rate:g} Hz as before; set the device as before"
            )
        if said.labels == before.labels:
            return list(range(len(said.labels)))
        if len(set(before.labels)) < len(before.labels) or set(said.labels) != set(before.labels):
            raise NotOursError(
                f"{self._where} has the channels {', '.join(said.labels)}, expected {', '.join(before.labels)} as "
                "before; set the device as before"
            )
        return [said.labels.index(label) for label in before.labels]

    def _state(self, now: float) -> tuple[StreamState, str]:
        state, message = super()._state(now)
        if state == "ok" and self.reconnections and not any(self._said.labels):
            return state, f"{self._where} does not name its channels: they are taken to be in the order of before"
        return state, message

    def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _poll(self) -> None:
        if self._client is None:
            raise DeviceLostError("the connection is closed")
        try:
            self._take(self._client)
        except BufferLostError as error:
            raise DeviceLostError(f"{self._where} does not answer ({error})") from None

    def _take(self, client: BufferClient) -> None:
        there = client.wait(self._count, WAIT_S)
        received = local_clock()
        if there < self._count:
            raise DeviceLostError(f"{self._where} was flushed or started anew")
        if there == self._count:
            # A buffer that answers at once, and with nothing new, must not keep this thread busy.
            self._worker.wait(PAUSE_S)
            return
        asked = local_clock()
        values = self._newest(client, there)
        self._round_trips.append(local_clock() - asked)
        if missing := there - self._count - len(values):
            self._lose(missing)
        self._count = there
        newest = received - min(self._round_trips) / 2
        self._deliver(values, newest + np.arange(1 - len(values), 1) / self.info.rate)

    def _newest(self, client: BufferClient, there: int) -> NDArray[Any]:
        """Return the samples (n, channels) up to number ``there`` that are new and not yet overwritten."""
        n, found = min(there - self._count, most_samples(len(self._said.labels))), None
        while n and found is None:
            found = client.data(there - n, there)
            n //= 2
        if found is None:
            return np.empty((0, len(self._said.labels)))
        if found.shape[1] != len(self._said.labels):
            raise DeviceLostError(f"{self._where} was started anew with {found.shape[1]} channels")
        scaled = found if self._scale is None else found * self._scale
        return np.asarray(scaled[:, self._columns], DTYPES[self._format])
