"""Headsets that come without LSL, named by one text each, and which of them can be named.

``brainflow:cyton?serial_port=COM3`` is a board that BrainFlow drives, with its parameters; ``fieldtrip:host:port`` a
FieldTrip buffer (default: ``fieldtrip:localhost:1972``). What replaces the device's own description may follow the
question mark, too: ``name``, ``channels``, ``unit`` and ``rate``, as in
``brainflow:ganglion?serial_port=/dev/ttyACM0&channels=Fz,Cz,Pz,Oz``. A value that holds '&' or '%' is percent-encoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Unpack
from urllib.parse import unquote

from rtaffect.common.errors import SettingsError, StreamError, setting
from rtaffect.sources.brainflow_library import OWN_PARAMETERS, board_name
from rtaffect.sources.channel_plan import Given
from rtaffect.sources.fieldtrip_client import INSTALL, PORT, BufferClient, BufferHeader, BufferLostError
from rtaffect.sources.live import Adopt
from rtaffect.stream.source import Source

Kind = Literal["brainflow", "fieldtrip"]

EXAMPLES = "brainflow:cyton?serial_port=COM3, brainflow:muse_2 or fieldtrip:localhost:1972"
#: How long a buffer on this computer may take to accept a connection, s.
PROBE_S = 0.3


@dataclass(frozen=True, slots=True)
class BoardAddress:
    """Which board or buffer a text means, and what replaces its own description.

    ``device`` is the board's name or the buffer's host; ``parameters`` are BrainFlow's.
    """

    text: str
    kind: Kind
    device: str
    port: int = PORT
    parameters: dict[str, str] = field(default_factory=dict)
    given_name: str | None = None
    channels: tuple[str, ...] | None = None
    unit: str | None = None
    rate: float | None = None

    @property
    def name(self) -> str:
        """What the source is called; several may share it."""
        return self.given_name or (self.device if self.kind == "brainflow" else f"{self.device}:{self.port}")


@dataclass(frozen=True, slots=True)
class KnownBoard:
    """A board as ``rtaffect devices --boards`` lists it: ``rate`` in Hz, ``text`` what names it.

    ``peripheral`` are its peripheral signals, in words: with the EEG, or in a preset at a rate of its own.
    """

    name: str
    rate: float
    channels: int
    channel_names: tuple[str, ...]
    unit: str
    text: str
    peripheral: str = ""


@dataclass(frozen=True, slots=True)
class FoundBuffer:
    """A FieldTrip buffer that answered; ``header`` is None where it is empty or ``trouble`` says why not read."""

    text: str
    host: str
    header: BufferHeader | None
    trouble: str = ""


def parse_board(text: str) -> BoardAddress:
    """Return the board or buffer that ``text`` means.

    Raises
    ------
    SettingsError
        If the text is not of that form, or a value in it is not one that it can have.
    """
    kind, colon, rest = text.strip().partition(":")
    kind = kind.strip().lower()
    if not colon or kind not in ("brainflow", "fieldtrip"):
        raise SettingsError(f"board {text!r} does not begin with brainflow: or fieldtrip:; expected as in {EXAMPLES}")
    device, _, query = rest.partition("?")
    given = _query(text, query)
    own = {key: given.pop(key) for key in ("name", "channels", "unit", "rate") if key in given}
    channels = tuple(name.strip() for name in own["channels"].split(",")) if "channels" in own else None
    described = (own.get("name"), channels, own.get("unit"), _rate(text, own.get("rate")))
    if kind == "brainflow":
        if not device.strip():
            raise SettingsError(f"board {text!r} names no board; expected as in {EXAMPLES}")
        return BoardAddress(text, "brainflow", board_name(device), PORT, given, *described)
    if given:
        raise SettingsError(
            f"board {text!r} has the parameter {next(iter(given))!r}; a FieldTrip buffer has only name, channels, unit "
            "and rate"
        )
    host, port = _host_and_port(text, device.strip())
    return BoardAddress(text, "fieldtrip", host, port, {}, *described)


def refuse_same(boards: Sequence[BoardAddress]) -> None:
    """Refuse a board that is named twice, be it with other commands or without its peripheral signals.

    Raises
    ------
    SettingsError
        For the first.
    """
    said: dict[tuple[object, ...], BoardAddress] = {}
    for each in boards:
        parameters = {name: value for name, value in each.parameters.items() if name not in OWN_PARAMETERS}
        device = (each.kind, each.device.casefold(), each.port, *sorted(parameters.items()))
        if (before := said.setdefault(device, each)) is not each:
            raise SettingsError(
                f"{setting('board', before.text)} and {setting('board', each.text)} are the same board",
                "each board once",
                "leave one of them out; of two of a kind name each by its serial_number, mac_address or serial_port",
            )


def open_board(board: str | BoardAddress, *, adopt: Adopt = "never", **given: Unpack[Given]) -> Source:
    """Return the source that a text means, not yet started.

    Parameters
    ----------
    board
        The text, or what :func:`parse_board` made of it.
    adopt
        What is taken for it without asking when it is lost.
    given
        What the source is called, where two would share a name; and what replaces the description of every headset: of
        that, what the text says comes first.

    Raises
    ------
    SettingsError
        If the text means nothing.
    StreamError
        If what it needs is not installed, there is no such board, no buffer answers, or names or unit are missing.
    """
    address = parse_board(board) if isinstance(board, str) else board
    used: Given = {
        "name": given.get("name") or address.name,
        "channels": address.channels or given.get("channels"),
        "unit": address.unit or given.get("unit"),
        "rate": address.rate or given.get("rate"),
        "without": given.get("without", ()),
        "only": given.get("only", ()),
        "profile": given.get("profile", ""),
        "headset": given.get("headset", ""),
    }
    # Each loads its library only when it is asked for.
    if address.kind == "brainflow":
        from rtaffect.sources.brainflow_board import BrainFlowSource

        return BrainFlowSource(address.device, address.parameters, adopt=adopt, **used)
    from rtaffect.sources.fieldtrip_buffer import FieldTripSource

    return FieldTripSource(address.device, address.port, **used)


def find_boards() -> list[KnownBoard]:
    """Return the boards with electrodes that the installed BrainFlow drives; StreamError if there is none."""
    from rtaffect.sources.brainflow_library import (
        KNOWN,
        STANDING_FOR,
        board_names,
        brainflow,
        describe_board,
        describe_presets,
        peripheral_in_words,
    )

    shim = brainflow()
    known = []
    for name in board_names(shim):
        if name in STANDING_FOR:
            continue
        try:
            described = describe_board(shim, name)
        except StreamError:
            continue
        names = described.names if all(described.names) else ()
        text = "?".join(filter(None, [f"brainflow:{name}", KNOWN["needed"].get(name)]))
        said = peripheral_in_words(described, describe_presets(shim, name))
        known.append(KnownBoard(name, described.rate, len(described.rows), names, described.unit, text, said))
    return sorted(known, key=lambda board: board.name)


def find_buffer(host: str = "localhost", port: int = PORT) -> FoundBuffer | None:
    """Return the FieldTrip buffer at ``host`` and ``port``, None if nothing answers there."""
    text = f"fieldtrip:{host}:{port}"
    try:
        client = BufferClient(host, port, timeout=PROBE_S)
    except BufferLostError:
        return None
    except StreamError:
        return FoundBuffer(text, host, None, f"to read it: {INSTALL}") if _answers(host, port) else None
    try:
        header = client.header()
    except BufferLostError:
        # Something else listens on that port.
        return None
    except StreamError as error:
        return FoundBuffer(text, host, None, f"cannot be read: {error}")
    finally:
        client.close()
    return FoundBuffer(text, host, header, "" if header else "empty: the acquisition has not started")


def _answers(host: str, port: int) -> bool:
    import socket

    try:
        socket.create_connection((host, port), PROBE_S).close()
    except OSError:
        return False
    return True


def _query(text: str, query: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        key, equals, value = part.partition("=")
        key = key.strip().lower()
        if not (key and equals and value.strip()):
            raise SettingsError(f"board {text!r}: {part!r} is not NAME=VALUE; expected as in {EXAMPLES}")
        if key in given:
            raise SettingsError(f"board {text!r} gives {key!r} twice; give it once")
        given[key] = unquote(value.strip())
    return given


def _rate(text: str, value: str | None) -> float | None:
    if value is None:
        return None
    try:
        rate = float(value)
    except ValueError:
        rate = 0.0
    if not 0 < rate < float("inf"):
        raise SettingsError(f"board {text!r}: rate={value} is not a rate; expected Hz, as in rate=250")
    return rate


def _host_and_port(text: str, device: str) -> tuple[str, int]:
    if not device:
        return "localhost", PORT
    # An IPv6 address stands in brackets.
    host, bracket, rest = device.removeprefix("[").partition("]") if device.startswith("[") else ("", "", "")
    if bracket:
        port = rest.removeprefix(":")
    else:
        host, _, port = device.partition(":")
    if not host or (port and not (port.isdecimal() and 0 < int(port) < 65536)):
        raise SettingsError(f"board {text!r} is not fieldtrip:HOST:PORT; expected as in fieldtrip:localhost:1972")
    return host, int(port or PORT)
