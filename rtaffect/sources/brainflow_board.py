"""EEG from boards that BrainFlow drives: OpenBCI, Muse, g.tec Unicorn, ANT Neuro eego and some sixty others."""

from __future__ import annotations

import math
import socket
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, Unpack

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.errors import StreamError
from rtaffect.common.words import listed
from rtaffect.sources.board_preset import BoardPreset
from rtaffect.sources.brainflow_library import (
    KNOWN,
    OWN_PARAMETERS,
    STANDING_FOR,
    BoardDescription,
    PresetDescription,
    board_name,
    board_number,
    body_labels,
    brainflow,
    commands_of,
    describe_board,
    error_message,
    failed_command,
    input_parameters,
    is_searched,
    presets_sent,
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

    Peripheral signals that the board sends in other presets are sources of their own (:class:`BoardPreset`), which live
    by this one: they are opened, lost and opened again with it.

    Parameters
    ----------
    board
        Name as ``rtaffect devices --boards`` lists it, in any case: 'cyton', 'muse_2', 'synthetic', ...
    parameters
        BrainFlow's input parameters by name: serial_port, mac_address, ip_address, ip_port, serial_number, timeout,
        master_board, file, ...; and ``config``, commands that the board understands, separated by ';', which are sent
        before it streams. ``peripheral`` 'on' takes peripheral signals of other presets, and sends the command for them
        where a board needs one and no ``config`` is given; 'off' leaves them; else they are taken if they come by
        themselves.
    adopt
        Whether a board that BrainFlow finds by searching is searched again without asking when it is lost.
    given
        What replaces BrainFlow's description; names of the channels are needed where it has none.

    Attributes
    ----------
    beside : tuple of BoardPreset
        Its peripheral signals in other presets.

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
        chosen: dict[str, str] = {key: inputs.pop(key) for key in OWN_PARAMETERS if key in inputs}
        self._parameters = input_parameters(self._shim, self.board, inputs)
        master = board_name(inputs["master_board"]) if self.board in STANDING_FOR else self.board
        self._described = described = describe_board(self._shim, master)
        query = "&".join(f"{key}={value}" for key, value in sorted(inputs.items()))
        source_id = "?".join(filter(None, [f"brainflow:{self.board}", query]))
        super().__init__("brainflow", self.board, _said(self.board, source_id, described), given)
        presets = presets_sent(self._shim, self.board, master, inputs | chosen)
        self._commands = self._commands_for(presets, chosen)
        self.beside = tuple(BoardPreset(each, self.info.name, source_id, self.start, self._state) for each in presets)
        self._kept = math.ceil(KEPT_S * max(self.info.rate, described.rate, *(each.rate for each in presets)))
        self._starting = threading.Lock()
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

    def _commands_for(self, presets: Sequence[PresetDescription], chosen: Mapping[str, str]) -> list[str]:
        """Return the commands that are sent before it streams: the user's, else what the ``presets`` taken need.

        What would need one and is not asked for is told.
        """
        needed, commands = KNOWN["peripheral"].get(self.board, ()), commands_of(chosen)
        told: list[str] = []
        if "config" in chosen:
            if not commands:
                raise StreamError(
                    f"board {self.board!r}: config={chosen['config']} holds no command", "commands with ; between them"
                )
            told.append(
                f"its config ({listed(commands)}) is sent to it and does nothing: it only repeats it"
                if self.board in KNOWN["commands"]["none"]
                else f"its config ({listed(commands)}) is sent as it is: whether it is done only the board knows"
            )
        if needed and not presets and not chosen.get("peripheral"):
            told.append("its PPG is not taken: peripheral=on in the board's text takes it")
        if told:
            about = self.info.about
            self.info = replace(self.info, about=replace(about, assumed=(*about.assumed, *told)))
        return commands or list(needed[:1] if presets else ())

    def start(self) -> None:
        """Open the board and begin to deliver, also as its presets ask for it; raises as LiveSource.start."""
        with self._starting:
            super().start()

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
                if failed := failed_command(command, self._session.config_board(command)):
                    self._close()
                    raise StreamError(f"board {self.info.source_id} {failed}")
            self._session.start_stream(self._kept)
        except self._shim.BrainFlowError as error:
            self._close()
            raise StreamError(error_message(self.info.source_id, error)) from None
        self._counter.restart()
        for beside in self.beside:
            beside.opened()
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
        for beside in self.beside:
            beside.begin_segment()
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
        others = [(beside, self._data_beside(beside)) for beside in self.beside if beside.asked]
        now = self._clock.update()
        for beside, its in others:
            if its is not None:
                beside.take(its, self._clock)
        if data.shape[1]:
            self._take(data, now)

    def _data_beside(self, beside: BoardPreset) -> NDArray[np.float64] | None:
        """Return what has come in another preset (rows, n); None where BrainFlow gives none, which does not end EEG."""
        try:
            found: NDArray[np.float64] = self._session.get_board_data(preset=beside.preset)
        except self._shim.BrainFlowError as error:
            beside.refused(error.args[0].partition(" ")[0])
            return None
        return found

    def _take(self, data: NDArray[np.float64], now: float) -> None:
        """Take ``data`` (rows, n) of the default preset, which came until ``now``, s on the LSL clock."""
        self.offers = ()
        stamps = self._clock.to_lsl(data[self._described.stamps])
        self._far = now - float(stamps[-1])
        if abs(self._far) > ANOTHER_CLOCK_S:
            words = f"stamps are {abs(self._far):.0f} s from this computer's clock"
            self.buffer.doubts.begin("clock-unknown", min(now, float(stamps[0])), words)
        elif self.buffer.doubts.lasts("clock-unknown"):
            self.buffer.doubts.end("clock-unknown", now)
        values = np.ascontiguousarray(data[self._rows].T)
        for part, missing in self._counter.unbroken(data[self._described.packages]):
            if missing is not None:
                self._lose(missing)
            self._deliver(values[part], stamps[part])

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
    return StreamHeader(
        board,
        "EEG",
        described.rate,
        "double64",
        (*described.names, *body_labels(body)),
        (described.unit,) * eeg + ("",) * len(body),
        ("EEG",) * eeg + tuple(body),
        source_id=source_id,
        host=socket.gethostname(),
    )
