"""EEG and sound from Lab Streaming Layer: one thread per stream, loss noticed and mended by our own hand."""

from __future__ import annotations

import logging
import math
import socket
from abc import abstractmethod
from collections import deque
from typing import Any, Unpack

import numpy as np
import pylsl
from numpy.typing import NDArray
from pylsl import local_clock

from rtaffect.common.errors import StreamError
from rtaffect.sources.arrival import Chunk
from rtaffect.sources.body_plan import plan_body
from rtaffect.sources.channel_plan import ChannelPlan, Given, check_format, check_rate, plan_audio, prepare_eeg
from rtaffect.sources.delivery import Delivery
from rtaffect.sources.foreign_clock import Foreign
from rtaffect.sources.identity import Candidates, Identity
from rtaffect.sources.live import STALL_S, Adopt, DeviceLostError, LiveSource, NotOursError, Offer
from rtaffect.sources.lsl_inlet import GONE, LslInlet
from rtaffect.sources.lsl_streams import (
    FORGET_S,
    FoundStream,
    Network,
    header_from,
    read_header,
    refuse_unreadable,
    twins_message,
)
from rtaffect.sources.rating_plan import check_rating_rate, plan_rating
from rtaffect.sources.remap import Remap, as_before
from rtaffect.stream.source import StreamHeader, StreamInfo
from rtaffect.stream.status import SourceKind, StreamState

_log = logging.getLogger(__name__)

#: Who is on the network is looked at this often, s.
LOOK_S = 1.0
#: Samples are taken as soon as a step wants them (:meth:`advance`), else at times that lie so far apart on average, at
#: least and at most, s: each time costs the same however many samples there are, also where they are sent singly. All
#: streams together are asked about so many times a second.
REST_S = (0.05, 0.1)
ASKED_HZ = 400.0
#: The least where samples are placed by when they arrive, s.
SHORT_REST_S = 0.01
#: So many times may follow each other without a rest: chunks that were late come as fast as they can.
AT_ONCE = 4

_open: set[LslConnection] = set()


def _apart_s(by_arrival: bool) -> float:
    """Return how far apart on average samples are taken from a stream, s; less if it matters when they arrive."""
    least, most = (min(SHORT_REST_S, REST_S[0]), REST_S[0]) if by_arrival else REST_S
    return min(most, max(least, len(_open) / ASKED_HZ))


class LslConnection(LiveSource):
    """The connection of a source to one LSL outlet, and to those that are the same one come back.

    liblsl's own recovery is off, because it hides losses. :class:`rtaffect.sources.identity.Identity` decides what is
    taken for a stream that was lost; it is connected anew with a new measurement of its clock, and what it sends is
    made what was declared at first, before it is recorded or used.

    Attributes
    ----------
    offsets : deque of tuple of float
        Clock offsets read so far: (time on the sender's clock, offset to add to its stamps), s.
    """

    retry_s = 0.05

    def __init__(self, info: StreamInfo, header: StreamHeader, plan: ChannelPlan, foreign: Foreign = "arrival") -> None:
        super().__init__(info, header, plan)
        self.offsets: deque[tuple[float, float]] = deque(maxlen=8192)
        self._inlet = LslInlet(info.name, "the device's LSL output", self._begin_segment, self._note_offset)
        shift, way_s = self._inlet.shift, info.about.latency_s
        self._delivery = Delivery(info.name, self.buffer, self._keep, shift, foreign=foreign, way_s=way_s)
        self._network: Network | None = None
        self._look_at = 0.0
        # By when samples were to be taken if they had been taken evenly, s on the LSL clock.
        self._turn_at = -math.inf
        self._rested = False
        self._identity: Identity | None = None
        # What the outlet that is open says of itself, and how that becomes what is declared.
        self._described = header
        self._remap: Remap | None = None
        self._chunk: NDArray[Any] = np.empty((0, 0))
        # What is there while ours is lost; and while it is open, which others cannot be told from it.
        self._there, self._twins = Candidates(), ""
        # When what is lost was last known to be there, s on the LSL clock.
        self._ours_until = math.nan

    @abstractmethod
    def _fit(self, header: StreamHeader) -> Remap | None:
        """Return how what is sent becomes what is declared, None if it is that; NotOursError if it cannot."""

    def _connect(self, stream: FoundStream, identity: Identity) -> None:
        """Open ``stream``, which is ours from now on; StreamError if that is impossible, NotOursError if it is not."""
        refuse_unreadable(stream)
        said: list[tuple[StreamHeader, Remap | None]] = []

        def check(info: Any, offset: float) -> None:
            header = header_from(stream, info)
            identity.check(stream, header, self._described, stream.created + offset, self._ours_until)
            said.append((header, self._fit(header)))

        self._inlet.open(stream, check)
        self._delivery.restart()
        self._delivery.here = stream.header.host == socket.gethostname()
        _open.add(self)
        ((self._described, self._remap),) = said
        identity.took(stream)
        self._identity = identity
        most = math.ceil(max(self.info.rate, 100.0))
        self._chunk = np.empty((most, stream.header.channels), check_format(stream.header))
        self._look_at = local_clock() + LOOK_S
        if self._remap is not None and self._remap.note:
            _log.warning(self._remap.note)

    def _close(self) -> None:
        _open.discard(self)
        self._delivery.release()
        self._inlet.close()
        self._network = None

    def advance(self, until: float) -> None:
        """Take what has come now, if what is there does not reach ``until`` (s); returns at once."""
        if not self.buffer.newest >= until:
            self._worker.wake()

    def _poll(self) -> None:
        try:
            stamps = self._inlet.pull_chunk(self._chunk, rested=self._rested)
            if len(stamps):
                values = self._chunk[: len(stamps)]
                self._deliver(stamps, values if self._remap is None else self._remap(values))
            self._inlet.measure()
        except GONE as error:
            raise DeviceLostError(str(error)) from None
        if local_clock() >= self._look_at:
            self._look_around()
        self._rested = len(stamps) > 0 and self._rest()

    def _rest(self) -> bool:
        """Wait if samples were taken too often lately (the virtual scheduling of ITU-T I.371's cell rate).

        Returns whether it waited.
        """
        now, apart_s = local_clock(), _apart_s(self._delivery.by_arrival)
        most = AT_ONCE * apart_s
        # However often steps ask, it rests no longer after that than else.
        self._turn_at = min(max(self._turn_at, now), now + most) + apart_s
        if (early := self._turn_at - now - most) <= 0.0:
            return False
        self._worker.pause(early)
        return True

    def _deliver(self, stamps: NDArray[np.float64], values: NDArray[Any]) -> None:
        self._last_at = local_clock()
        # The values lie where the next pull writes into.
        self._delivery.take(Chunk(stamps, values.copy(), self._last_at), self._inlet.clock.offset)

    def _keep(self, chunk: Chunk) -> None:
        stamps, values = chunk.stamps, chunk.values
        if self.tap is not None:
            self.tap.samples(stamps, values)
        if not math.isfinite(float(stamps.sum())):
            finite = np.isfinite(stamps)
            stamps, values = stamps[finite], values[finite]
        corrected = self._inlet.clock.correct(stamps)
        self.buffer.push(self._plan.apply(values), corrected)
        if self.body is not None and self.body.buffer is not self.buffer:
            self.body.push(values, corrected)
        if self.reported is not None:
            self.reported.push(values, corrected)

    def _note_offset(self, time: float, offset: float) -> None:
        self.offsets.append((time, offset))
        if self.tap is not None:
            self.tap.offset(time, offset)

    def _state(self, now: float) -> tuple[StreamState, str]:
        state, message = super()._state(now)
        if state == "lost":
            return self._there.state, message
        if self._twins and state in {"ok", "waiting"}:
            return "duplicate", self._twins
        if state == "ok":
            return state, "; ".join(filter(None, [self._delivery.note, self._remap.note if self._remap else ""]))
        return state, message

    def _lost_message(self, seconds: float) -> str:
        if why := self._there.why:
            return f"stream {self.info.name!r} on {self.info.host}: {why}"
        return (
            f"stream {self.info.name!r} on {self.info.host} is gone for {seconds:.0f} s; restart the device's LSL "
            "output: it is connected again by itself"
        )

    def _silent_state(self, silent: float) -> tuple[StreamState, str]:
        return "stalled", (
            f"stream {self.info.name!r} on {self.info.host} is connected but has sent nothing for {silent:.0f} s; "
            "check that the device is on, charged and in reach"
        )

    @property
    def outlet(self) -> StreamHeader | None:
        """The outlet that is open, or was until it was lost; None before the first."""
        return None if self._identity is None else self._identity.ours.header

    @property
    def _known_until(self) -> float:
        """When the outlet that is open was last known to be there, s on the LSL clock."""
        return self._opened_at if math.isnan(self._last_at) else self._last_at

    def _look_around(self) -> None:
        """Notice twins, and a stall in truth a loss that the connection has not told (a cable pulled out)."""
        if self._network is None or self._identity is None:
            return
        now = local_clock()
        self._look_at = now + LOOK_S
        streams = self._network.lately()
        alike = self._identity.look(streams, now, self._known_until)
        self._twins = twins_message(alike) if len(alike) > 1 else ""
        present = any(stream.header.uid == self._identity.ours.header.uid for stream in streams)
        if not present and self._silence(now) > max(STALL_S, FORGET_S):
            raise DeviceLostError("it does not answer")

    def _reopen(self, trouble: str) -> None:
        self._there, self._twins = Candidates(), ""
        self._ours_until = self._known_until
        if self._network is not None and self._identity is not None:
            self._identity.settle(self._network.streams(), self._ours_until)
        self._delivery.release()
        self._inlet.close()
        if self._network is not None:
            self._network.hurry()
        super()._reopen(trouble)

    def take(self, offer: Offer) -> None:
        """Take the stream that was offered for the one that is lost; from any thread."""
        if self._identity is not None:
            self._identity.choose(offer.key)

    def _open_again(self) -> bool:
        """Take the stream again if it is surely on the network, as it was, or a person has said which it is."""
        network, identity = self._network, self._identity
        if network is None or identity is None:
            return False
        # A closed outlet is listed until it is forgotten: before that, only a new one counts.
        now = local_clock()
        there = identity.candidates(network.streams(), now, forgotten=now - self._lost_at > FORGET_S + 0.5)
        self._there, self.offers = there, there.offers
        if there.take is None:
            return False
        try:
            self._connect(there.take, identity)
        except NotOursError as error:
            _log.warning("%s", error)
            identity.refuse(there.take, error)
            return False
        except StreamError as error:
            _log.warning("%s", error)
            if isinstance(error.__cause__, pylsl.util.LostError):
                identity.is_gone(there.take)
            return False
        return True


class LslSource(LslConnection):
    """One LSL stream as a source.

    Parameters
    ----------
    stream
        What :func:`rtaffect.sources.lsl_streams.find_streams` found.
    kind
        EEG arrives in the buffer in volts, sound as mono at full scale +-1, peripheral signals and ratings as they are
        sent.
    adopt
        Which streams of another source_id are taken for this one when it is lost, without asking.
    foreign
        What becomes of time stamps that are not of the LSL clock.
    given
        What replaces the stream's own description.

    Raises
    ------
    StreamError
        If the stream does not answer, or is not described well enough to be used.
    """

    def __init__(
        self,
        stream: FoundStream,
        kind: SourceKind = "eeg",
        *,
        adopt: Adopt = "never",
        foreign: Foreign = "arrival",
        **given: Unpack[Given],
    ) -> None:
        refuse_unreadable(stream)
        dtype = check_format(stream.header)
        header = read_header(stream)
        if kind == "audio":
            rate = check_rate(header.name, kind, header.rate, given.get("rate"))
            plan = plan_audio(header.name, header.channels, dtype)
        elif kind == "body":
            plan, rate = plan_body(header), check_rate(header.name, kind, header.rate, given.get("rate"))
        elif kind == "rating":
            plan, rate = plan_rating(header), check_rating_rate(header)
        else:
            plan, rate = prepare_eeg(header, given)
        name = given.get("name") or header.name
        info = StreamInfo(name, kind, rate, plan.names, "lsl", header.source_id, header.host, plan.about)
        super().__init__(info, header, plan, foreign)
        self._first, self._unit = Identity(stream, adopt), given.get("unit")

    def _open(self) -> None:
        identity = self._identity or self._first
        self._connect(identity.ours, identity)
        self._network = self._network or Network()

    def _fit(self, header: StreamHeader) -> Remap | None:
        return as_before(self.header, header, self._unit)
