"""Peripheral signals that a board sends beside its EEG in a preset of its own: at a rate, with times, of their own."""

from __future__ import annotations

import math
import socket
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pylsl import local_clock

from rtaffect.sources.body_plan import body_of_plan, plan_body
from rtaffect.sources.brainflow_library import PresetDescription
from rtaffect.sources.host_clock import HostClock
from rtaffect.sources.host_stamps import HostStamps
from rtaffect.sources.live import STALL_S
from rtaffect.sources.package_counter import PackageCounter
from rtaffect.sources.polled import losses_in_words
from rtaffect.stream.buffer import SampleBuffer
from rtaffect.stream.source import StreamHeader, StreamInfo, Tap
from rtaffect.stream.status import SourceStatus, StreamState

#: The type of a stream of several kinds of signals.
_SEVERAL: Final = "Physio"


class BoardPreset:
    """One preset of a board as a source of peripheral signals, whose person wears the board.

    The board's own source (:class:`~rtaffect.sources.brainflow_board.BrainFlowSource`) opens the one session that there
    is, asks for the samples of all presets in one turn and hands them over here: both are lost and come back together.

    Parameters
    ----------
    described
        What BrainFlow says of the preset.
    board, source_id
        The board's name in the session, and its source_id, by which it is known whose the signals are.
    start
        Opens the board if it is not open.
    health
        Returns state and message of the board as of a time, s on the LSL clock.

    Attributes
    ----------
    preset : int
        BrainFlow's number of it.
    tap : Tap or None
        Gets all that comes, as it comes; to be set before :meth:`start`.
    lost_samples, losses : int
        Samples that are known to be missing, and in how many places.
    """

    def __init__(
        self,
        described: PresetDescription,
        board: str,
        source_id: str,
        start: Callable[[], None],
        health: Callable[[float], tuple[StreamState, str]],
    ) -> None:
        kinds, count = dict.fromkeys(described.kinds), len(described.kinds)
        self.header = StreamHeader(
            f"{board} {described.name}",
            next(iter(kinds)) if len(kinds) == 1 else _SEVERAL,
            described.rate,
            "double64",
            described.labels,
            ("",) * count,
            described.kinds,
            source_id=source_id,
            host=socket.gethostname(),
        )
        self._plan = plan_body(self.header)
        self.info = StreamInfo(
            self.header.name, "body", described.rate, self._plan.names, "brainflow", source_id, self.header.host
        )
        self.buffer = SampleBuffer(described.rate, len(self._plan.names))
        self.body = body_of_plan(self.info, self._plan, self.buffer)
        self.tap: Tap | None = None
        self.preset, self._described = described.number, described
        self._board, self._start, self._health = board, start, health
        self._counter = PackageCounter(described.numbering)
        self.lost_samples = self.losses = 0
        self._stopped = False
        self._stamped = HostStamps(self.buffer)
        # Written by the board's thread and read by status(), each as a whole.
        self._opened_at = self._last_at = math.nan
        self._refused = ""

    def start(self) -> None:
        """Open the board and begin to deliver; raises StreamError if it cannot be opened."""
        self._stopped = False
        self._start()

    def advance(self, until: float) -> None:
        """Do nothing: the board delivers by itself."""

    def stop(self) -> None:
        """Stop delivering; the board goes on until it is stopped itself."""
        self._stopped = True

    def status(self, now: float) -> SourceStatus:
        """Return health as of ``now`` (s on the LSL clock)."""
        state, message = self._state(now)
        notes = [message] if message else []
        if self.losses:
            notes.append(losses_in_words(self.lost_samples, self.losses))
        return self.buffer.status(self.info.name, self.info.kind, state, now, "; ".join(notes))

    def _state(self, now: float) -> tuple[StreamState, str]:
        if self._stopped:
            return "ended", ""
        state, message = self._health(now)
        if state != "ok":
            return state, message
        if self._refused:
            return "stalled", f"{self.info.name!r}: BrainFlow gives none of it ({self._refused})"
        silent = now - (self._opened_at if math.isnan(self._last_at) else self._last_at)
        if silent > STALL_S:
            return "stalled", (
                f"{self.info.name!r} has sent nothing for {silent:.0f} s, while {self._board!r} sends EEG; see that "
                "its sensor is there, and that the board's config turns it on"
            )
        return ("waiting", "") if math.isnan(self._last_at) else ("ok", message)

    # From here on: called by the board's source, on its thread.

    def opened(self) -> None:
        """Take note that the board was opened, for the first time or again."""
        self._counter.restart()
        self._refused = ""
        self._opened_at, self._last_at = local_clock(), math.nan

    def refused(self, words: str) -> None:
        """Take note that BrainFlow has no such preset of the board that is open, and is not asked again."""
        self._refused = words

    @property
    def asked(self) -> bool:
        """Whether BrainFlow is asked for its samples."""
        return not self._refused

    def begin_segment(self) -> None:
        """Let the next sample begin a new segment."""
        if self.tap is not None:
            self.tap.segment()
        self.buffer.begin_segment()

    def take(self, data: NDArray[Any], clock: HostClock) -> None:
        """Take ``data`` (rows of the preset, n), whose stamps ``clock`` brings onto the LSL clock."""
        if self._stopped or not data.shape[1]:
            return
        stamps = clock.to_lsl(data[self._described.stamps])
        values = np.ascontiguousarray(data[list(self._described.rows)].T)
        for part, missing in self._counter.unbroken(data[self._described.packages]):
            if missing is not None:
                self.losses += 1
                self.lost_samples += missing
                self.begin_segment()
            self._deliver(values[part], stamps[part])

    def _deliver(self, values: NDArray[Any], stamps: NDArray[np.float64]) -> None:
        if not len(stamps):
            return
        self._last_at = local_clock()
        self._stamped.give(self.tap, self._last_at, stamps, values, self._plan.apply(values))


def presets_of(source: object) -> tuple[BoardPreset, ...]:
    """Return the peripheral signals that a headset sends in presets of their own; none where it is no such board."""
    found = getattr(source, "beside", ())
    return found if isinstance(found, tuple) else ()
