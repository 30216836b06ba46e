"""The recording of a session, always on: all that sources receive goes into one XDF file, as it comes."""

from __future__ import annotations

import json
import logging
import math
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, Self

import numpy as np
from pylsl import local_clock

from rtaffect.common.worker import Worker
from rtaffect.record.disk import free_bytes, make_recording, megabytes, why_not
from rtaffect.record.refuge import FULL, Refuge
from rtaffect.record.tracks import HandOver, Item, Track
from rtaffect.sources.xdf_file import SEGMENTS, SEGMENTS_TYPE
from rtaffect.stream.source import StreamHeader, Tap

__all__ = ["Recordable", "Recorder", "RecordingStatus", "Track"]

_log = logging.getLogger(__name__)

#: What has come is written this often, s.
TURN_S: Final = 0.25
#: The system is asked to put it on the disk, and how much is free there, this often, s.
SYNC_S: Final = 1.0
#: A disk that did not take all is tried again after this long, s.
RETRY_S: Final = 1.0
#: Places from which a reader finds its way again after damage are this far apart, s.
BOUNDARY_S: Final = 10.0
#: At most this much waits for a disk that is full or slow, bytes: each stream has its part, EEG most of it, and what
#: comes beyond that part is lost.
MOST_PENDING: Final = 256 << 20
#: So much is given to the writer at once, bytes: what waits behind that is counted to its stream.
_PORTION: Final = 4 << 20
#: In one turn so many portions are written at most, before the disk is asked to keep them.
_PORTIONS: Final = 64


class Recordable(Protocol):
    """A live source: it gives all that it receives to its tap."""

    tap: Tap | None

    @property
    def header(self) -> StreamHeader:
        """What a recording says of it."""


@dataclass(frozen=True, slots=True)
class RecordingStatus:
    """How a recording is.

    ``written_bytes`` are those of the file, ``free_bytes`` those left on its disk, ``pending_bytes`` what waits to be
    written. All that came until ``newest`` (s on the LSL clock, NaN at first) is written. ``lost`` samples and markers
    are not recorded. ``trouble`` says what is wrong and what to do, empty if nothing is.
    """

    path: Path
    written_bytes: int
    free_bytes: int
    newest: float
    pending_bytes: int
    lost: int
    trouble: str


@dataclass(slots=True)
class _Written:
    """What the writing thread knows of a track.

    ``number`` is that in the file. ``mark`` is when a segment began that is not yet in the file. ``first`` and
    ``latest`` are stamps, s, where the track is on this computer's clock, else NaN.
    """

    number: int
    mark: float | None = None
    first: float = math.nan
    latest: float = math.nan


class Recorder:
    """Records streams into one XDF file, while they last: a context manager.

    Sources only copy into memory. One thread writes what has come every quarter of a second, so that it outlives this
    process, and has it put on the disk every second, so that it outlives a loss of power. While the disk is full,
    what comes waits in memory, and the file ends after what was written before.

    Parameters
    ----------
    path
        The file, which must not exist.
    most_pending
        At most about this much waits for the disk, bytes, of which each stream has its own part; what comes then is
        lost, and counted.

    Attributes
    ----------
    path : Path
        The file, which is another one once the folder has gone.
    refuge : Refuge or None
        Where it goes on then, which others that write into the same folder share; made at the start where it is None.
    """

    def __init__(self, path: Path, most_pending: int = MOST_PENDING) -> None:
        self.path = path
        self.refuge: Refuge | None = None
        self._hand_over = HandOver(most_pending)
        self._worker = Worker("recorder", self._run)
        # From here on: the writing thread's own. What it tells status() is written as a whole.
        self._tracks: dict[Track, _Written] = {}
        self._segments: int | None = None
        self._size = self._free = 0
        self._newest = math.nan
        self._disk_trouble = self._fault = ""
        self._retry_at = self._sync_at = self._boundary_at = 0.0

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def track(self, header: StreamHeader) -> Track:
        """Return the tap of a new stream; at any time, also before the start.

        Raises
        ------
        ValueError
            If the header declares a format that XDF does not have.
        """
        return Track(self._hand_over, header)

    def record(self, source: Recordable) -> Track:
        """Record all that ``source`` receives, which is to be started only then."""
        track = self.track(source.header)
        source.tap = track
        return track

    def start(self) -> None:
        """Make the file and begin to write; does nothing if that was done.

        Raises
        ------
        SettingsError
            If the file exists or cannot be made, or its disk is full.
        """
        if self._worker.running or self._worker.stopping:
            return
        self._writer = make_recording(self.path)
        self.refuge = self.refuge or Refuge(self.path.parent)
        self._size, self._free = self._writer.size, free_bytes(self.path)
        self._boundary_at = time.monotonic() + BOUNDARY_S
        self._worker.start()

    def close(self) -> None:
        """Write what is pending and the end of the file; may be called twice.

        What cannot be written then is lost: :meth:`status` and the log tell.
        """
        self._worker.stop()
        self._hand_over.closed = True

    def discard(self) -> None:
        """Close, and remove the file: of a session that cannot begin."""
        made = self._worker.running
        self.close()
        if made:
            with suppress(OSError):
                self.path.unlink()

    def status(self) -> RecordingStatus:
        """Return how the recording is; from any thread."""
        tracks = self._hand_over.tracks
        lost = sum(track.lost for track in tracks)
        away = self.refuge.trouble if self.refuge is not None else ""
        troubles = [away, self._disk_trouble, self._fault, *(track.misfit for track in tracks)]
        if lost:
            names = ", ".join(repr(track.header.name) for track in tracks if track.lost)
            troubles.append(f"{lost} samples or markers of {names} are not recorded")
        trouble = "; ".join(dict.fromkeys(each for each in troubles if each))
        return RecordingStatus(self.path, self._size, self._free, self._newest, self._hand_over.pending, lost, trouble)

    def _run(self) -> None:
        while not self._worker.wait(TURN_S):
            try:
                self._turn()
            except Exception as error:
                self._fault = f"a part is perhaps not recorded ({error})"
                _log.exception("recording %s", self.path)
        self._hand_over.closed = True
        self._finish()

    def _turn(self) -> None:
        begun, now = local_clock(), time.monotonic()
        if now < self._retry_at:
            return
        if now >= self._boundary_at:
            self._writer.boundary()
            self._boundary_at = now + BOUNDARY_S
        try:
            self._stay_or_go(now)
            try:
                more = self._write()
            finally:
                if now >= self._sync_at:
                    self._sync_at = now + SYNC_S
                    self._free = free_bytes(self.path)
                    self._writer.sync()
        except OSError as error:
            self._retry_at = now + RETRY_S
            self._tell(error)
            if error.errno not in FULL and self._at_home:
                self._home.leave(f"cannot be written any more ({error.strerror})")
        else:
            self._newest = self._newest if more else begun
            if self._disk_trouble:
                _log.warning("%s is written again", self.path)
            self._disk_trouble = ""
        self._size, self._hand_over.waiting = self._writer.size, self._writer.pending_bytes

    def _write(self) -> bool:
        """Write what was handed over, portion by portion; return whether there is more; OSError as the writer says."""
        for _ in range(_PORTIONS):
            more = self._drain(_PORTION)
            self._writer.flush()
            self._size, self._hand_over.waiting = self._writer.size, self._writer.pending_bytes
            if not more:
                return False
        return True

    @property
    def _home(self) -> Refuge:
        assert self.refuge is not None
        return self.refuge

    @property
    def _at_home(self) -> bool:
        """Whether the file is in the folder that the session is written into now."""
        return self.path.parent == self._home.folder

    def _stay_or_go(self, now: float) -> None:
        """Go on in another folder where this one is gone: once a second, and at once where others have noticed."""
        if self._at_home and now >= self._sync_at and (wrong := self._home.wrong(self._writer.descriptor)):
            self._home.leave(wrong)
        if not self._at_home:
            path = self._home.folder / self.path.name
            self._writer.move_to(path)
            self.path = path

    def _tell(self, error: OSError) -> None:
        pending = megabytes(self._hand_over.pending)
        then = f"what is pending ({pending}) is written as soon as"
        trouble = f"{why_not(self.path, error)}: {then} there is room"
        if not self._disk_trouble:
            _log.error(trouble)
        self._disk_trouble = trouble

    def _finish(self) -> None:
        """Write the end of the file."""
        begun = local_clock()
        self._drain()
        for written in self._tracks.values():
            # Twice, so that other readers need not guess how the clock went on.
            if written.latest > written.first:
                self._writer.offset(written.number, written.latest, 0.0)
        try:
            with suppress(OSError):
                self._stay_or_go(math.inf)
            self._writer.close()
        except OSError as error:
            lost = megabytes(self._writer.pending_bytes)
            self._disk_trouble = f"{why_not(self.path, error)}: the last {lost} are not recorded"
        else:
            self._newest, self._disk_trouble = begun, ""
        self._size, self._hand_over.waiting = self._writer.size, self._writer.pending_bytes
        if trouble := self.status().trouble:
            _log.error("recording %s: %s", self.path, trouble)

    def _drain(self, most: float = math.inf) -> bool:
        """Give to the writer what was handed over, until ``most`` bytes wait there; return whether there is more."""
        while self._writer.pending_bytes < most:
            item = self._hand_over.take()
            if item is None:
                break
            try:
                self._encode(item)
            except Exception as error:
                # One stream that goes wrong must not end the recording of the others.
                fault = f"a part of stream {item.track.header.name!r} cannot be recorded ({error})"
                item.track.lost += len(item.stamps)
                if fault != self._fault:
                    _log.exception(fault)
                self._fault = fault
            item.track.drained += item.size
            self._hand_over.waiting = self._writer.pending_bytes
        self._segments_number()
        return any(self._hand_over.items.values())

    def _encode(self, item: Item) -> None:
        if item.kind == "begin":
            self._tracks[item.track] = _Written(self._writer.stream(item.track.header))
            return
        written = self._tracks[item.track]
        samples, offsets = self._writer.written(written.number)
        if item.kind == "segment":
            written.mark = float(item.stamps[0])
            return
        if written.mark is not None:
            clock = offsets if item.kind == "offset" else None
            mark = {"stream_id": written.number, "sample": samples, "clock": clock}
            self._writer.texts(self._segments_number(), [written.mark], [json.dumps(mark)])
            written.mark = None
        if item.kind == "offset":
            self._writer.offset(written.number, float(item.stamps[0]), item.content)
            return
        self._note_own_clock(written, item, offsets)
        if item.kind == "samples":
            self._writer.samples(written.number, item.stamps, item.content)
        else:
            self._writer.texts(written.number, item.stamps, item.content)

    def _note_own_clock(self, written: _Written, item: Item, offsets: int) -> None:
        """Write that a stream is on this computer's clock, if no source has measured another."""
        finite = item.stamps[np.isfinite(item.stamps)]
        if not len(finite):
            return
        if not offsets:
            written.first = written.latest = float(finite[0])
            self._writer.offset(written.number, written.first, 0.0)
        if not math.isnan(written.first):
            written.latest = max(written.latest, float(finite.max()))

    def _segments_number(self) -> int:
        """Return the number of the stream that says where sources began anew; every recording has it, be it empty."""
        if self._segments is None:
            self._segments = self._writer.stream(
                StreamHeader(SEGMENTS, SEGMENTS_TYPE, 0.0, "string", ("segment",), source_id=SEGMENTS)
            )
            self._writer.offset(self._segments, local_clock(), 0.0)
        return self._segments
