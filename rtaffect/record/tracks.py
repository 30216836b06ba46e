"""Between the sources' threads and the recorder's: what is to be recorded, copied, in order, and not without bound."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pylsl import local_clock

from rtaffect.record.xdf_writer import sample_layout
from rtaffect.stream.source import StreamHeader

Rank = Literal["eeg", "sound", "numbers", "texts"]

#: What is written first, and the share of the memory that all streams of its kind have; each of them has an equal part
#: of that for itself, so that none can take what another one needs.
SHARES: Final[dict[Rank, float]] = {"eeg": 0.75, "sound": 0.125, "numbers": 0.0625, "texts": 0.0625}
#: What a text takes in memory beside its letters, bytes.
_TEXT_BYTES: Final = 64


def rank_of(header: StreamHeader) -> Rank:
    """Return which kind of stream it is to a recording."""
    if header.format == "string":
        return "texts"
    named: dict[str, Rank] = {"eeg": "eeg", "audio": "sound"}
    return named.get(header.type.casefold(), "numbers")


class Item(NamedTuple):
    """Something handed over: the beginning of a track, samples, texts, an offset (time, value), or a new segment.

    ``stamps`` of an offset are its time, of a segment when it was noted; ``size`` is in bytes.
    """

    track: Track
    kind: Literal["begin", "samples", "texts", "offset", "segment"]
    stamps: NDArray[np.float64]
    content: Any = None
    size: int = 0


class HandOver:
    """What all tracks of a recording hand over and one thread takes, by rank; about ``most`` bytes at a time.

    A track that hands over more than its part (:data:`SHARES`) loses of its own; the others do not notice.
    """

    def __init__(self, most: int) -> None:
        # Streams begin in the order in which they were made.
        self.items: dict[Rank | Literal["begin"], deque[Item]] = {"begin": deque()}
        self.items |= {rank: deque() for rank in SHARES}
        self.tracks: list[Track] = []
        self.closed = False
        #: Bytes that wait for the disk after they were taken from ``items``: written by that one thread.
        self.waiting = 0
        self._most = most

    @property
    def pending(self) -> int:
        """Bytes that are not yet written."""
        return sum(track.pending for track in self.tracks) + self.waiting

    def take(self) -> Item | None:
        """Return the next item to be written, EEG first; None if there is none."""
        return next((items.popleft() for items in self.items.values() if items), None)

    def part_of(self, track: Track) -> float:
        """Return the bytes that a track may have pending."""
        alike = sum(each.rank == track.rank for each in self.tracks)
        return self._most * SHARES[track.rank] / alike


class Track:
    """One stream of a recording, and the tap that it comes from: copies and hands over, never waits, never raises.

    Times are s on the sender's clock. A stream whose clock offset is never told is on this computer's LSL clock. An
    offset that is told between :meth:`segment` and the next samples is the first one of a clock that began anew.

    Attributes
    ----------
    header : StreamHeader
        What the recording says of it.
    rank : str
        Which kind of stream it is: what is written first, and has how much memory.
    taken, drained : int
        Bytes handed over so far, and those of them that were taken from there.
    lost : int
        Samples and markers that are not recorded, because there was no room or they do not fit the header.
    misfit : str
        What did not fit, in words; empty if all did.

    Raises
    ------
    ValueError
        If the header declares a format that XDF does not have.
    """

    def __init__(self, hand_over: HandOver, header: StreamHeader) -> None:
        sample_layout(header)
        self.header = header
        self.rank = rank_of(header)
        self.taken = self.drained = self.lost = 0
        self.misfit = ""
        self._hand_over = hand_over
        self._gap = self._overfull = False
        # One stream may be told of from two threads; those of other streams, and the writer, are never waited for.
        self._lock = threading.Lock()
        hand_over.tracks.append(self)
        hand_over.items["begin"].append(Item(self, "begin", np.empty(0)))

    @property
    def pending(self) -> int:
        """Bytes that were handed over and not yet taken."""
        return max(0, self.taken - self.drained)

    def _has_room(self, size: int) -> bool:
        """Return whether ``size`` more bytes may be handed over; once none may, not until half is taken."""
        part = self._hand_over.part_of(self)
        self._overfull = self.pending > part / 2 if self._overfull else self.pending + size > part
        return not self._overfull

    def samples(self, stamps: NDArray[np.float64], values: NDArray[Any]) -> None:
        """Take ``values`` (n, channels) as sent and their ``stamps`` (n,)."""
        if values.shape != (len(stamps), len(self.header.labels)):
            self._refuse(f"values of shape {values.shape} with {len(stamps)} stamps", len(stamps))
        elif self.header.format == "string":
            self._refuse("numbers", len(stamps))
        else:
            self._take("samples", stamps, values, values.nbytes + 8 * len(stamps))

    def texts(self, stamps: Sequence[float], texts: Sequence[str]) -> None:
        """Take markers and their stamps."""
        if len(texts) != len(stamps) or self.header.format != "string" or len(self.header.labels) != 1:
            self._refuse(f"{len(texts)} texts with {len(stamps)} stamps", len(texts))
        else:
            self._take("texts", stamps, texts, sum(map(len, texts)) + _TEXT_BYTES * len(texts))

    def offset(self, time: float, value: float) -> None:
        """Take a measurement of the sender's clock: at ``time`` on it, ``value`` was to be added, s."""
        self._append(Item(self, "offset", np.array([time]), value))

    def segment(self) -> None:
        """Note that the next sample begins a new segment."""
        self._append(Item(self, "segment", np.array([local_clock()])))

    def _refuse(self, what: str, lost: int) -> None:
        self.misfit = f"stream {self.header.name!r} was given {what}, which its header does not declare"
        self.lost += lost

    def _take(
        self,
        kind: Literal["samples", "texts"],
        stamps: Sequence[float] | NDArray[np.float64],
        content: NDArray[Any] | Sequence[str],
        size: int,
    ) -> None:
        if not len(stamps) or self._hand_over.closed:
            return
        with self._lock:
            if not self._has_room(size):
                self.lost += len(stamps)
                self._gap = True
                return
            if self._gap:
                self._gap = False
                self.segment()
            copied = np.array(content) if isinstance(content, np.ndarray) else tuple(content)
            self.taken += size
            self._append(Item(self, kind, np.array(stamps, np.float64), copied, size))

    def _append(self, item: Item) -> None:
        if not self._hand_over.closed:
            self._hand_over.items[self.rank].append(item)
