"""Markers from Lab Streaming Layer: texts or numbers at irregular times, one thread per stream."""

from __future__ import annotations

import logging
import math
import socket
from collections import deque
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pylsl import local_clock

from rtaffect.common.worker import Worker
from rtaffect.sources.foreign_clock import Foreign, place_events
from rtaffect.sources.lsl_inlet import GONE, LslInlet
from rtaffect.sources.lsl_streams import FoundStream, read_header, refuse_unreadable
from rtaffect.stream.limits import KEPT_MARKERS, MOST_MARKERS, cut
from rtaffect.stream.markers import Marker, Wanted, flooded_at, number_text
from rtaffect.stream.source import Tap

_log = logging.getLogger(__name__)

#: While markers flood in, this passes between one handful and the next, s: other threads go first.
_PAUSE_S = 0.01


class LslMarkers:
    """The markers of one LSL stream, as they have come so far.

    Parameters
    ----------
    stream
        What :func:`rtaffect.sources.lsl_streams.find_stream` found.
    foreign
        What becomes of time stamps that are not of the LSL clock.
    name
        Only markers that this may mean are kept, as :meth:`rtaffect.stream.markers.Wanted.parse` reads it; None: all.

    Raises
    ------
    StreamError
        If the stream does not answer.

    Attributes
    ----------
    header : StreamHeader
        What the stream says of itself, as it is recorded: each channel that says something is a text of its own.
    note : str
        What its stamps are, in words, where they are not of the LSL clock.
    tap : Tap or None
        Gets all that comes, as it comes; to be set before :meth:`start`.
    flooded : bool
        Whether more than ``MOST_MARKERS`` came within a second: some may be lost on the way.
    excess : int
        Markers beyond so many in a second; they go to the tap like all others.
    """

    def __init__(self, stream: FoundStream, name: str | None = None, foreign: Foreign = "arrival") -> None:
        refuse_unreadable(stream)
        header = read_header(stream)
        self.header = header
        if header.format != "string" or header.channels != 1:
            # Its XML describes what is sent, and not what is recorded.
            self.header = replace(
                header, format="string", rate=0.0, xml="", labels=("marker",), units=("",), types=(header.type,)
            )
        self._regular, self._before = header.rate > 0, np.empty(0)
        self._foreign, self.note, self._here = foreign, "", header.host == socket.gethostname()
        self.tap: Tap | None = None
        self._stream = stream
        self._inlet = LslInlet(self.header.name, "the stimulus program", self._begin_segment, self._note_offset)
        self._worker = Worker(f"markers {self.header.name}", self._run)
        self._wanted = None if name is None else Wanted.parse(name)
        self._kept: list[Marker] = []
        self.flooded = False
        self.excess = self._overfull = 0
        # Of the newest markers: their times, s, and when they arrived, in handfuls.
        self._times: list[float] = []
        self._arrived: deque[tuple[float, int]] = deque()
        self._told: set[str] = set()
        self._gone = ""

    @property
    def markers(self) -> tuple[Marker, ...]:
        """Those that are kept, as they came: times on this computer's LSL clock, s."""
        return tuple(self._kept)

    @property
    def trouble(self) -> str:
        """What is wrong, such as why no more come, in words; empty for nothing."""
        many = f"{self.excess} markers came beyond {MOST_MARKERS} a second" if self.excess else ""
        full = f"{self._overfull} markers came beyond the {KEPT_MARKERS} that are looked at" if self._overfull else ""
        refused = self.note if self._foreign == "refuse" else ""
        return "; ".join(filter(None, (many, full, refused, self._gone)))

    def start(self) -> None:
        """Connect and begin to listen.

        Raises
        ------
        StreamError
            If the stream is gone, or its clock cannot be measured.
        """
        if not self._worker.running:
            self._inlet.open(self._stream)
            self._worker.start()

    def stop(self) -> None:
        """Stop listening and disconnect; may be called twice."""
        self._worker.stop()
        self._inlet.close()

    def _run(self) -> None:
        while not self._worker.stopping:
            try:
                self._take()
                # Measured by liblsl in its own thread: a marker is placed by the newest offset, not that of the start.
                self._inlet.measure()
            except GONE:
                self._gone = (
                    f"the stream of markers {self.header.name!r} on {self.header.host} is gone; those before are kept, "
                    "start a new session for new ones"
                )
                _log.warning(self._gone)
                return
            except Exception as error:
                # Whatever one marker holds must not end all others.
                self._tell(f"a marker cannot be read ({type(error).__name__}: {error})")
                self._worker.wait(_PAUSE_S)

    def _take(self) -> None:
        values, sent_at = self._inlet.pull_markers()
        if not len(sent_at):
            return
        said = self._said(values)
        texts, stamps = [text for _, text in said], self._placed(sent_at)[[at for at, _ in said]]
        if self.tap is not None:
            self.tap.texts(stamps.tolist(), texts)
        if self.note and self._foreign == "refuse":
            return
        finite = np.isfinite(stamps)
        times = self._inlet.clock.correct(stamps[finite]).tolist()
        self._keep([Marker.sent(text, time) for text, time in zip(np.array(texts, object)[finite], times, strict=True)])
        self._count(len(texts), times)

    def _said(self, values: NDArray[Any]) -> list[tuple[int, str]]:
        """Return number of the sample and text of each of ``values`` (n, channels) that says something."""
        if values.dtype.kind not in "iuf":
            # An only channel may be empty: that is then what was sent.
            texts = [(at, self._text(bytes(sent))) for at, row in enumerate(values) for sent in row]
            return [(at, text) for at, text in texts if text.strip() or values.shape[1] == 1]
        marks = np.isfinite(values.astype(np.float64))
        if self._regular:
            # A number in every sample: those where it changes are markers, and what stood there before is none.
            before = np.concatenate([self._before if len(self._before) else values[:1], values[:-1]])
            marks &= values != before
            self._before = values[-1:].copy()
        return [(int(at), number_text(values[at, channel])) for at, channel in np.argwhere(marks)]

    def _placed(self, stamps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ``stamps`` (n,), s on the sender's clock, of when they arrived where they are of another clock."""
        offset = self._inlet.clock.offset
        placed, note = place_events(stamps, offset, "markers", here=self._here, foreign=self._foreign)
        if note:
            self.note = note
            self._tell(note)
        return placed

    def _text(self, sent: bytes) -> str:
        """Return what was sent as text, whatever it is: what is no UTF-8 gets replacement characters."""
        try:
            text = sent.decode("utf-8")
        except UnicodeDecodeError:
            text = sent.decode("utf-8", "replace")
            self._tell("markers that are not UTF-8 come; what cannot be read in them is replaced: send UTF-8")
        text, was_cut = cut(text)
        if was_cut:
            self._tell("markers come that are longer than is taken; they are cut: send shorter ones")
        return text

    def _keep(self, markers: list[Marker]) -> None:
        fitting = [each for each in markers if self._wanted is None or self._wanted.fits(each.text)]
        room = KEPT_MARKERS - len(self._kept)
        self._kept += fitting[:room]
        if beyond := fitting[room:]:
            # The first ones, and the last.
            self._kept[-1:] = beyond[-1:]
            self._overfull += len(beyond)

    def _count(self, n: int, times: list[float]) -> None:
        """Notice that more come, or were sent, than can be taken to be all."""
        now = local_clock()
        self._arrived.append((now, n))
        while self._arrived[0][0] < now - 1.0:
            self._arrived.popleft()
        over = sum(each for _, each in self._arrived) - MOST_MARKERS
        if not self.flooded:
            self._times = sorted([*self._times, *times])[-2 * MOST_MARKERS :]
            self.flooded = over > 0 or math.isfinite(flooded_at(self._times))
        if over > 0:
            self.excess += min(n, over)
            self._tell(f"more than {MOST_MARKERS} markers come within a second; some may be lost on the way")
            self._worker.wait(_PAUSE_S)

    def _tell(self, what: str) -> None:
        if what not in self._told and len(self._told) < MOST_MARKERS:
            self._told.add(what)
            _log.warning("stream of markers %r on %s: %s", self.header.name, self.header.host, what)

    def _begin_segment(self) -> None:
        if self.tap is not None:
            self.tap.segment()

    def _note_offset(self, time: float, offset: float) -> None:
        if self.tap is not None:
            self.tap.offset(time, offset)
