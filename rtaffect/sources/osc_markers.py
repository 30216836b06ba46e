"""Markers that come by OSC, from programs on this computer that have no LSL: stamped when they arrive."""

from __future__ import annotations

import logging
import socket
from collections import deque
from typing import Final

from pylsl import local_clock

from rtaffect.common.errors import SettingsError, setting
from rtaffect.common.worker import Worker
from rtaffect.sources.osc_packet import OscError, OscMessage, read_packet
from rtaffect.stream.limits import KEPT_MARKERS, MOST_MARKERS, cut
from rtaffect.stream.markers import Marker, Wanted
from rtaffect.stream.source import StreamHeader, Tap

_log = logging.getLogger(__name__)

#: What the recording calls them.
OSC_MARKERS: Final = "rtaffect-osc-markers"
#: The address whose arguments alone are the marker's text.
MARK_ADDRESS: Final = "/rtaffect/mark"
_HOST: Final = "127.0.0.1"
_MOST_BYTES: Final = 65_535
#: It is looked so often whether to end, s; while markers flood in, this passes between one packet and the next, s.
_LOOK_S, _PAUSE_S = 0.2, 0.01


def marker_text(message: OscMessage) -> str:
    """Return the marker that a message means: its arguments, after its address where that is not ``MARK_ADDRESS``."""
    own = message.address.rstrip("/") == MARK_ADDRESS and message.arguments
    return " ".join(message.arguments if own else (message.address, *message.arguments))


class OscMarkers:
    """The markers that come to a UDP port of this computer, as :class:`rtaffect.sources.lsl_markers.LslMarkers`.

    Other computers cannot send to it. A marker's time is that of its arrival on the LSL clock; time tags of bundles are
    not looked at, because nothing tells how the sender's clock lies.

    Parameters
    ----------
    port
        Where they are sent to.
    name
        Only markers that this may mean are kept, as :meth:`rtaffect.stream.markers.Wanted.parse` reads it; None: all.

    Raises
    ------
    SettingsError
        If another program has the port.

    Attributes
    ----------
    header : StreamHeader
        What the recording says of them.
    tap : Tap or None
        Gets all that comes; to be set before :meth:`start`.
    flooded : bool
        Whether more than ``MOST_MARKERS`` came within a second: some may be lost on the way.
    excess : int
        Markers beyond so many in a second; they go to the tap like all others.
    """

    def __init__(self, port: int, name: str | None = None) -> None:
        self.header = StreamHeader(OSC_MARKERS, "Markers", 0.0, "string", ("marker",), source_id=OSC_MARKERS)
        self.tap: Tap | None = None
        self.flooded, self.excess = False, 0
        self._port, self._wanted = port, None if name is None else Wanted.parse(name)
        self._kept: list[Marker] = []
        self._times: deque[float] = deque(maxlen=MOST_MARKERS + 1)
        self._told: set[str] = set()
        self._overfull = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._worker = Worker("markers by OSC", self._run)
        try:
            self._socket.bind((_HOST, port))
            self._socket.settimeout(_LOOK_S)
        except OSError as error:
            self._socket.close()
            raise SettingsError(
                f"{setting('osc-markers', port)}: the port cannot be listened to ({error.strerror})",
                remedy="end the program that has it, or give another port",
            ) from None

    @property
    def markers(self) -> tuple[Marker, ...]:
        """Those that are kept, as they came: times of arrival on the LSL clock, s."""
        return tuple(self._kept)

    @property
    def trouble(self) -> str:
        """What is wrong, in words; empty for nothing."""
        many = f"{self.excess} markers came by OSC beyond {MOST_MARKERS} a second" if self.excess else ""
        full = f"{self._overfull} markers came by OSC beyond the {KEPT_MARKERS} that are looked at"
        return "; ".join(filter(None, (many, full if self._overfull else "")))

    def start(self) -> None:
        """Begin to listen; does nothing if that is done."""
        self._worker.start()

    def stop(self) -> None:
        """Stop listening and give the port back; may be called twice."""
        self._worker.stop()
        self._socket.close()

    def _run(self) -> None:
        while not self._worker.stopping:
            try:
                packet = self._socket.recv(_MOST_BYTES)
            except TimeoutError:
                continue
            except OSError as error:
                # Windows tells a sender's trouble to the receiver.
                self._tell(f"a packet cannot be received ({error.strerror})")
                self._worker.wait(_PAUSE_S)
                continue
            self._take(packet, local_clock())

    def _take(self, packet: bytes, arrived: float) -> None:
        try:
            texts = [self._text(message) for message in read_packet(packet)]
        except OscError as error:
            self._tell(f"what is no OSC comes, and is left out ({error})")
            texts = []
        if self.tap is not None and texts:
            self.tap.texts([arrived] * len(texts), texts)
        for text in texts:
            marker = Marker.sent(text, arrived)
            if self._wanted is None or self._wanted.fits(marker.text):
                self._keep(marker)
        # A packet that is none counts as well: what floods in must leave others their time.
        self._count(max(1, len(texts)), arrived)

    def _text(self, message: OscMessage) -> str:
        text, was_cut = cut(marker_text(message))
        if was_cut:
            self._tell("markers come that are longer than is taken; they are cut: send shorter ones")
        return text

    def _keep(self, marker: Marker) -> None:
        if len(self._kept) < KEPT_MARKERS:
            self._kept.append(marker)
        else:
            # The first ones, and the last.
            self._overfull += 1
            self._kept[-1] = marker

    def _count(self, n: int, arrived: float) -> None:
        self._times.extend([arrived] * n)
        if len(self._times) <= MOST_MARKERS or self._times[-1] - self._times[0] >= 1.0:
            return
        self.flooded = True
        self.excess += n
        self._tell(f"more than {MOST_MARKERS} come within a second; some may be lost on the way")
        self._worker.wait(_PAUSE_S)

    def _tell(self, what: str) -> None:
        if what not in self._told and len(self._told) < MOST_MARKERS:
            self._told.add(what)
            _log.warning("markers by OSC, port %d: %s", self._port, what)
