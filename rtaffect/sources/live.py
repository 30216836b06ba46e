"""The life of every live source: opened, asked for samples by a thread of its own, and opened again when it is lost."""

from __future__ import annotations

import logging
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

from pylsl import local_clock

from rtaffect.common.errors import StreamError
from rtaffect.common.worker import Worker
from rtaffect.sources.awake import AWAKE
from rtaffect.sources.body_plan import body_of_plan
from rtaffect.sources.channel_plan import ChannelPlan
from rtaffect.stream.buffer import SampleBuffer
from rtaffect.stream.reported import Reported
from rtaffect.stream.source import StreamHeader, StreamInfo, Tap
from rtaffect.stream.status import SourceStatus, StreamState

_log = logging.getLogger(__name__)

#: What is taken, without asking, for what was lost, beside what is surely the same.
Adopt = Literal["never", "same-name"]
#: Open but without samples for this long is a stall, s.
STALL_S = 2.0
#: What cannot be opened again is tried again after this long, s.
RETRY_S = 1.0


@dataclass(frozen=True, slots=True)
class Offer:
    """A stream or device that may be the one that was lost, which only a person can tell.

    ``key`` is what it is taken by (:meth:`LiveSource.take`), ``words`` say what is there.
    """

    key: str
    words: str


class NotOursError(StreamError):
    """What was opened is not what was lost, or does not fit it: ``state`` is what it is told as."""

    def __init__(self, message: str, state: StreamState = "changed") -> None:
        super().__init__(message)
        self.state: StreamState = state


class DeviceLostError(Exception):
    """What sends samples is gone; the message says how that was noticed."""


class LiveSource(ABC):
    """A live source with a thread that asks it for samples, and opens it again when it is lost.

    Parameters
    ----------
    info
        Name, rate and channels; ``rate`` is the one that is used, Hz.
    header
        What it says of itself.
    plan
        How values become samples.

    Attributes
    ----------
    tap : Tap or None
        Gets all that comes, as it comes; to be set before :meth:`start`.
    lost_s : float
        Silence after which it counts as lost and is opened anew, s.
    retry_s : float
        What cannot be opened again is tried again after this long, s.
    remedy : str
        What is said after why it was lost, until more is known.
    reconnections : int
        Times that it was opened again after a loss.
    offers : tuple of Offer
        What is there, while it is lost, that is taken only if a person says so; the first is the likeliest.
    """

    remedy = ""
    lost_s = math.inf
    retry_s = RETRY_S

    def __init__(self, info: StreamInfo, header: StreamHeader, plan: ChannelPlan) -> None:
        self.info, self.header, self._plan = info, header, plan
        self.buffer = SampleBuffer(info.rate, len(plan.names))
        # Sound that is late is still heard in the next step; EEG is not.
        self.buffer.tells_late = info.kind == "eeg"
        self.body = body_of_plan(info, plan, self.buffer)
        self.reported = Reported(plan.reported) if plan.reported else None
        self.tap: Tap | None = None
        self.reconnections = 0
        self.offers: tuple[Offer, ...] = ()
        self._worker = Worker(f"{info.origin} {info.name}", self._run)
        # Each is written by the thread and read as a whole by status(), so no lock is needed.
        self._lost_at = self._last_at = self._opened_at = math.nan
        self._trouble = ""

    @abstractmethod
    def _open(self) -> None:
        """Open the device; raises StreamError if that is impossible, with nothing left open."""

    @abstractmethod
    def _poll(self) -> None:
        """Wait a moment for new samples and deliver them; raises DeviceLostError."""

    @abstractmethod
    def _close(self) -> None:
        """Release the device, open or not; never raises."""

    @abstractmethod
    def _open_again(self) -> bool:
        """Try to open what is lost, as a new segment; return whether that succeeded."""

    @abstractmethod
    def _lost_message(self, seconds: float) -> str:
        """Say that the source has been lost for ``seconds``, and what helps."""

    @abstractmethod
    def _silent_state(self, silent: float) -> tuple[StreamState, str]:
        """Return the state of a source that is open but has sent nothing for ``silent`` s, and what helps."""

    @property
    def latency_s(self) -> float | None:
        """How long samples usually take to come by the device's profile, s; None where that is not known."""
        return self.info.about.latency_s

    def start(self) -> None:
        """Open the device and begin to deliver; does nothing if that is done.

        Raises
        ------
        StreamError
            If the device cannot be opened.
        """
        if not self._worker.running:
            self._open()
            self._note_open()
            self._worker.start()

    def advance(self, until: float) -> None:  # noqa: B027 - nothing is to be done here, in subclasses neither
        """Do nothing: a live source delivers by itself."""

    def stop(self) -> None:
        """Stop delivering and release the device; may be called twice."""
        self._worker.stop()
        self._close()

    def status(self, now: float) -> SourceStatus:
        """Return health as of ``now`` (s on the LSL clock)."""
        state, message = self._state(now)
        return self.buffer.status(self.info.name, self.info.kind, state, now, message)

    def take(self, offer: Offer) -> None:  # noqa: B027 - most sources offer nothing
        """Take what was offered for the one that is lost, as a person has decided; from any thread."""

    def _state(self, now: float) -> tuple[StreamState, str]:
        if not self._worker.running:
            return ("ended", "") if self._worker.stopping else ("waiting", "")
        if not math.isnan(lost_at := self._lost_at):
            return "lost", self._lost_message(now - lost_at)
        silent = self._silence(now)
        if silent > STALL_S:
            return self._silent_state(silent)
        if not math.isnan(self._last_at):
            return "ok", ""
        # Before its first sample, what was lost is not yet known to be back.
        return ("stalled", f"{self.info.name!r} is open again") if self.reconnections else ("waiting", "")

    def _silence(self, now: float) -> float:
        """Return for how long there was no sample at ``now`` (s on the LSL clock), s, while this program could ask."""
        last_at = self._last_at
        return now - max(self._opened_at if math.isnan(last_at) else last_at, AWAKE.since())

    def _note_open(self) -> None:
        self._opened_at, self._last_at, self._lost_at = local_clock(), math.nan, math.nan

    def _begin_segment(self) -> None:
        """Let the next sample begin a new segment."""
        if self.tap is not None:
            self.tap.segment()
        self.buffer.begin_segment()
        if self.body is not None and self.body.buffer is not self.buffer:
            self.body.buffer.begin_segment()

    def _run(self) -> None:
        while not self._worker.stopping:
            AWAKE.since()
            # Opened again outside of what handles the error: that keeps the old device alive, whose end, as BrainFlow
            # has it, would then end the new one.
            if trouble := self._poll_trouble():
                self._reopen(trouble)
            silent = self._silence(local_clock())
            if silent > self.lost_s and self._may_reopen():
                self._reopen(f"it has sent nothing for {silent:.0f} s")

    def _poll_trouble(self) -> str:
        """Poll; return how it was noticed that the device is lost, '' where it is not."""
        try:
            self._poll()
        except DeviceLostError as error:
            return str(error) or "it is gone"
        except Exception as error:
            # Whatever one stream sends must not end it for good, nor be asked for without a pause.
            _log.exception("%s %r", self.info.origin, self.info.name)
            self._worker.wait(RETRY_S)
            return f"what it sent cannot be used ({error})"
        return ""

    def _try_again(self) -> bool:
        try:
            return self._open_again()
        except Exception as error:
            _log.exception("%s %r", self.info.origin, self.info.name)
            self._trouble = f"it cannot be opened ({error})"
            return False

    def _may_reopen(self) -> bool:
        """Return whether a device that is silent may be opened again by itself."""
        return True

    def _reopen(self, trouble: str) -> None:
        """Open the device again and again until it is back or the source is stopped."""
        _log.warning("%s %r is lost: %s", self.info.origin, self.info.name, trouble)
        self._trouble = trouble + self.remedy
        lost_at = self._lost_at = local_clock()
        while not self._worker.stopping and not self._try_again():
            self._worker.wait(self.retry_s)
        if self._worker.stopping:
            return
        self.reconnections += 1
        self.offers = ()
        self._note_open()
        _log.warning("%s %r is open again after %.1f s", self.info.origin, self.info.name, local_clock() - lost_at)
