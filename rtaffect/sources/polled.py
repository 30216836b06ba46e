"""What sources have in common that are asked for new samples by a thread of their own, and opened again if lost."""

from __future__ import annotations

import logging
import math
import threading
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pylsl import local_clock

from rtaffect.common.errors import StreamError
from rtaffect.sources.channel_plan import ChannelPlan
from rtaffect.stream.buffer import SampleBuffer
from rtaffect.stream.source import StreamHeader, StreamInfo, Tap
from rtaffect.stream.status import SourceStatus, StreamState

_log = logging.getLogger(__name__)

#: Open but without samples for this long is a stall, s.
STALL_S = 2.0
#: A device that cannot be opened again is tried again after this long, s.
RETRY_S = 1.0
#: The tap is told of the clock this often, s: stamps are on the LSL clock of this computer, so nothing is to be added.
OFFSET_S = 5.0


class DeviceLostError(Exception):
    """The device is gone; the message says how that was noticed."""


class PolledSource(ABC):
    """A live source of EEG with a thread that opens it, asks it for samples, and opens it again when it is lost.

    Parameters
    ----------
    info
        Name, rate and channels; ``rate`` is the one that is used, Hz.
    plan
        How values become volts.
    header
        What a recording says of it.
    seconds
        How much the buffer keeps, s.
    """

    def __init__(self, info: StreamInfo, plan: ChannelPlan, header: StreamHeader, seconds: float) -> None:
        self.info, self._plan, self._header = info, plan, header
        self.buffer = SampleBuffer(info.rate, len(plan.names), seconds=seconds)
        self.tap: Tap | None = None
        #: Silence after which the device counts as lost and is opened anew, s.
        self.lost_s = math.inf
        #: Samples that are known to be missing, in how many places, and times that the device was opened again.
        self.lost_samples = self.losses = self.reconnections = 0
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        # Each is written by the thread and read as a whole by status(), so no lock is needed.
        self._lost_at = self._last_at = self._opened_at = math.nan
        self._trouble = ""
        self._offset_at = -math.inf

    @property
    def header(self) -> StreamHeader:
        """What a recording says of the stream."""
        return self._header

    @abstractmethod
    def _open(self) -> None:
        """Open the device; raises StreamError if that is impossible, with nothing left open."""

    @abstractmethod
    def _poll(self) -> None:
        """Wait a moment for new samples and deliver them; raises DeviceLostError."""

    @abstractmethod
    def _close(self) -> None:
        """Release the device, open or not; never raises."""

    def start(self) -> None:
        """Open the device and begin to deliver; does nothing if that is done.

        Raises
        ------
        StreamError
            If the device cannot be opened.
        """
        if self._thread is not None:
            return
        self._open()
        self._opened_at, self._last_at, self._lost_at = local_clock(), math.nan, math.nan
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name=f"{self.info.origin} {self.info.name}", daemon=True)
        self._thread.start()

    def advance(self, until: float) -> None:  # noqa: B027 - nothing is to be done here, in subclasses neither
        """Do nothing: a live source delivers by itself."""

    def stop(self) -> None:
        """Stop delivering and release the device; may be called twice."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._thread = None
        self._close()

    def status(self, now: float) -> SourceStatus:
        """Return health as of ``now`` (s on the LSL clock)."""
        state, message = self._state(now)
        notes = [message] if message else []
        if self.losses:
            places = "1 place" if self.losses == 1 else f"{self.losses} places"
            notes.append(f"{self.lost_samples} samples were lost on the way from the device, in {places}")
        return self.buffer.status(self.info.name, self.info.kind, state, now, "; ".join(notes))

    def _state(self, now: float) -> tuple[StreamState, str]:
        if self._thread is None:
            return ("ended", "") if self._stop.is_set() else ("waiting", "")
        if not math.isnan(lost_at := self._lost_at):
            return "lost", f"{self.info.name!r} is gone for {now - lost_at:.0f} s: {self._trouble}"
        silent = self._silence(now)
        if silent > STALL_S:
            return self._silent_state(silent)
        return ("waiting", "") if math.isnan(self._last_at) else ("ok", "")

    def _silent_state(self, silent: float) -> tuple[StreamState, str]:
        return "stalled", (
            f"{self.info.name!r} is open but has sent nothing for {silent:.0f} s; check that it is on, charged and in "
            "reach"
        )

    def _deliver(self, values: NDArray[Any], stamps: NDArray[np.float64]) -> None:
        """Give ``values`` (n, channels sent) and their ``stamps`` (n,), s on the LSL clock, to tap and buffer."""
        if not len(stamps):
            return
        self._last_at = local_clock()
        if self.tap is not None:
            if self._last_at >= self._offset_at:
                self.tap.offset(self._last_at, 0.0)
                self._offset_at = self._last_at + OFFSET_S
            self.tap.samples(stamps, values)
        self.buffer.push(self._plan.apply(values), stamps)

    def _begin_segment(self, lost: int | None = None) -> None:
        """Let the next sample begin a new segment; ``lost`` samples before it are known to be missing."""
        if lost is not None:
            self.losses += 1
            self.lost_samples += lost
        if self.tap is not None:
            self.tap.segment()
        self.buffer.begin_segment()

    def _silence(self, now: float) -> float:
        """Return for how long there has been no sample at ``now`` (s on the LSL clock), s."""
        last_at = self._last_at
        return now - (self._opened_at if math.isnan(last_at) else last_at)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._poll()
            except DeviceLostError as error:
                self._reopen(str(error))
            silent = self._silence(local_clock())
            if silent > self.lost_s and self._may_reopen():
                self._reopen(f"it has sent nothing for {silent:.0f} s")

    def _may_reopen(self) -> bool:
        """Return whether a device that is silent may be opened again by itself."""
        return True

    def _reopen(self, trouble: str) -> None:
        """Open the device again and again until it is back or the source is stopped."""
        lost_at = self._lost_at = local_clock()
        _log.warning("%s %r is lost: %s", self.info.origin, self.info.name, trouble)
        self._trouble = f"{trouble}; check that it is on and in reach: it is opened again by itself"
        while not self._stop.is_set() and not self._opened_again():
            self._stop.wait(RETRY_S)
        if self._stop.is_set():
            return
        self.reconnections += 1
        self._begin_segment()
        self._opened_at, self._last_at, self._lost_at = local_clock(), math.nan, math.nan
        _log.warning("%s %r is open again after %.1f s", self.info.origin, self.info.name, local_clock() - lost_at)

    def _opened_again(self) -> bool:
        self._close()
        try:
            self._open()
        except StreamError as error:
            self._trouble = f"{error} (it is tried again by itself)"
            return False
        return True
