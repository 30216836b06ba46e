"""EEG from boards that BrainFlow drives: OpenBCI, Muse, g.tec Unicorn, ANT Neuro eego and some sixty others."""

from __future__ import annotations

import math
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, Unpack

import numpy as np

from rtaffect.common.errors import StreamError
from rtaffect.sources.brainflow_library import (
    STANDING_FOR,
    BoardDescription,
    board_name,
    board_number,
    brainflow,
    describe_board,
    error_message,
    input_parameters,
    is_searched,
)
from rtaffect.sources.channel_plan import Given
from rtaffect.sources.host_clock import HostClock
from rtaffect.sources.live import Adopt, DeviceLostError, NotOursError, Offer
from rtaffect.sources.package_counter import PackageCounter
from rtaffect.sources.polled import PolledSource
from rtaffect.sources.serial_ports import serial_ports
from rtaffect.stream.source import StreamHeader
from rtaffect.stream.status import StreamState

#: The board is asked this often, s: BrainFlow collects meanwhile in a thread of its own.
POLL_S = 0.02
#: A board that is silent for this long is opened again, s: radio links of a dongle mend themselves before.
LOST_S = 10.0
#: What BrainFlow keeps for us meanwhile, s.
KEPT_S = 30.0
#: A stamp further than this from its arrival was made by another clock than this computer's, s.
ANOTHER_CLOCK_S = 5.0

_SEARCHED: Final = (
    "it was found by searching, so that another one of its kind may answer: it is opened again only if the operator "
    "says so; name its serial_number or mac_address in a next session"
)

# BrainFlow tells sessions apart by board and parameters, and ends the first where a second one of the same fails.
_open_sessions: set[tuple[int, str]] = set()
_sessions_lock = threading.Lock()


class BrainFlowSource(PolledSource):
    """One board as a source.

    BrainFlow stamps samples with Unix time of this computer, most of them when they arrive; :class:`HostClock` brings
    that onto the LSL clock. Package numbers, where it is known how a board counts them, tell of losses that are too
    short to show in times: each begins a new segment. A board that is silent for ten seconds is opened again, unless
    another one is open: BrainFlow lets one call in at a time, and the search for a lost board would hold up the
    others' samples. One that BrainFlow found by searching is opened again only if a person says so, because another one
    of its kind might answer; nor is one whose port has another dongle.

    Parameters
    ----------
    board
        Name as ``rtaffect devices --boards`` lists it, in any case: 'cyton', 'muse_2', 'synthetic', ...
    parameters
        BrainFlow's input parameters by name: serial_port, mac_address, ip_address, ip_port, serial_number, timeout,
        master_board, file, ...; and ``config``, commands that the board understands, separated by ';', which are sent
        before it streams.
    adopt
        Whether a board that BrainFlow finds by searching is searched again without asking when it is lost.
    given
        What replaces BrainFlow's description; names of the channels are needed where it has none.

    Raises
    ------
    StreamError
        If BrainFlow is not installed, or the board or its parameters are not known, or it has no channel names.
    """

    def __init__(
        self,
        board: str,
        parameters: Mapping[str, str] | None = None,
        *,
        adopt: Adopt = "never",
        **given: Unpack[Given],
    ) -> None:
        self._shim = brainflow()
        self.board = board_name(board)
        inputs = dict(parameters or {})
        self._commands = [each for each in inputs.pop("config", "").split(";") if each]
        self._parameters = input_parameters(self._shim, self.board, inputs)
        master = board_name(inputs["master_board"]) if self.board in STANDING_FOR else self.board
        self._described = described = describe_board(self._shim, master)
        query = "&".join(f"{key}={value}" for key, value in sorted(inputs.items()))
        source_id = "?".join(filter(None, [f"brainflow:{self.board}", query]))
        super().__init__("brainflow", self.board, _said(self.board, source_id, described), given)
        self._rows = [*described.rows, *(row for row, _ in described.body)]
        # The end of a file is not a loss.
        self.lost_s = math.inf if self.board == "playback_file" else LOST_S
        self._session: Any = None
        self._searched = adopt == "never" and is_searched(self.board, inputs)
        self._port, self._dongle = inputs.get("serial_port", ""), ""
        self._asked = False
        self._key = (board_number(self._shim, self.board), self._parameters.to_json())
        self._counter = PackageCounter(described.numbering)
        self._clock = HostClock()
        self._far = math.nan

    def _open(self) -> None:
        self._check_dongle()
        with _sessions_lock:
            if self._key in _open_sessions:
                raise StreamError(f"board {self.info.source_id} is open already in this program; name each board once")
            _open_sessions.add(self._key)
        try:
            self._session = self._shim.BoardShim(self._key[0], self._parameters)
            self._session.prepare_session()
            for command in self._commands:
                self._session.config_board(command)
            self._session.start_stream(math.ceil(KEPT_S * max(self.info.rate, self._described.rate)))
        except self._shim.BrainFlowError as error:
            self._close()
            raise StreamError(error_message(self.info.source_id, error)) from None
        self._counter.restart()
        self._clock.update()

    def _check_dongle(self) -> None:
        """Refuse another dongle at the port than before, as far as the system tells them apart."""
        found = next((p.device for p in serial_ports() if self._port and p.port == self._port), "")
        # Other systems give the driver's number for it, which says nothing of the dongle.
        if not found.startswith("usb-"):
            return
        if self._dongle and found != self._dongle:
            raise NotOursError(
                f"port {self._port} of board {self.info.source_id} has {found} now, expected {self._dongle}; connect "
                "that one there"
            )
        self._dongle = found

    def take(self, offer: Offer) -> None:
        """Search for the board again, as a person has decided; from any thread."""
        self._asked = True

    def _open_again(self) -> bool:
        if self._searched and not self._asked:
            self._offer()
            self._trouble = _SEARCHED
            return False
        if not super()._open_again():
            return False
        self._asked = False
        return True

    def _offer(self) -> None:
        self.offers = (Offer(self.board, f"{self.info.name!r} is searched again, and the first that answers is taken"),)

    def _close(self) -> None:
        session, self._session = self._session, None
        if session is None:
            return
        with suppress(self._shim.BrainFlowError):
            # Ends the stream, too; fails where the session was never prepared.
            session.release_session()
        del session
        with _sessions_lock:
            _open_sessions.discard(self._key)

    def _may_reopen(self) -> bool:
        if self._searched and not self._asked:
            # The same session can only go on with the same board.
            self._offer()
            return False
        with _sessions_lock:
            return _open_sessions <= {self._key}

    def _poll(self) -> None:
        self._worker.wait(POLL_S)
        try:
            data = self._session.get_board_data()
        except self._shim.BrainFlowError as error:
            raise DeviceLostError(f"BrainFlow says {error.args[0].partition(' ')[0]}") from None
        now = self._clock.update()
        if not data.shape[1]:
            return
        self.offers = ()
        stamps = self._clock.to_lsl(data[self._described.stamps])
        self._far = now - float(stamps[-1])
        if abs(self._far) > ANOTHER_CLOCK_S:
            words = f"stamps are {abs(self._far):.0f} s from this computer's clock"
            self.buffer.doubts.begin("clock-unknown", min(now, float(stamps[0])), words)
        elif self.buffer.doubts.lasts("clock-unknown"):
            self.buffer.doubts.end("clock-unknown", now)
        values = np.ascontiguousarray(data[self._rows].T)
        at = 0
        for loss in self._counter.losses(data[self._described.packages]):
            self._deliver(values[at : loss.sample], stamps[at : loss.sample])
            self._lose(loss.lost)
            at = loss.sample
        self._deliver(values[at:], stamps[at:])

    def _state(self, now: float) -> tuple[StreamState, str]:
        state, message = super()._state(now)
        if state == "ok" and abs(self._far) > ANOTHER_CLOCK_S:
            side = "behind" if self._far > 0 else "ahead of"
            message = (
                f"the times of {self.info.name!r} are {abs(self._far):.0f} s {side} this computer's clock; where "
                "another computer sends them, set both clocks by NTP"
            )
        return state, message

    def _silent_state(self, silent: float) -> tuple[StreamState, str]:
        if self.board == "playback_file":
            return "ended", "the file holds no more"
        state, message = super()._silent_state(silent)
        if self.offers:
            message += f"; {_SEARCHED}"
        elif silent > self.lost_s and not self._may_reopen():
            message += "; while other boards are open it is not opened again by itself: if it stays away, start anew"
        return state, message


def _said(board: str, source_id: str, described: BoardDescription) -> StreamHeader:
    """Return what BrainFlow says of a board: its electrodes, and after them its peripheral signals without a unit."""
    eeg, body = len(described.rows), [kind for _, kind in described.body]
    numbers = [body[: at + 1].count(kind) for at, kind in enumerate(body)]
    labels = [f"{kind.title() if len(kind) > 3 else kind} {n}" for kind, n in zip(body, numbers, strict=True)]
    return StreamHeader(
        board,
        "EEG",
        described.rate,
        "double64",
        (*described.names, *labels),
        (described.unit,) * eeg + ("",) * len(body),
        ("EEG",) * eeg + tuple(body),
        source_id=source_id,
        host=socket.gethostname(),
    )
