"""The command ``devices``: what headsets, other streams and sound devices there are, and how boards are named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.text import Text

from rtaffect.common.errors import SoundError, StreamError
from rtaffect.common.given import refuse_given
from rtaffect.common.listing import print_table
from rtaffect.common.option_types import Number
from rtaffect.common.terminal import Terminal

if TYPE_CHECKING:
    from rtaffect.sources.boards import FoundBuffer
    from rtaffect.stream.source import StreamHeader

NO_STREAMS = (
    "No LSL stream answered. Switch the headset on and start streaming in its program; both computers must be in the "
    "same network, and a firewall must let LSL through (UDP 16571 and TCP and UDP 16572-16604). A stream that has only "
    "just started may need longer: rtaffect devices --wait 10"
)
NO_SOUND_DEVICES = (
    "No sound device was found. Connect one, start the sound server and see that other programs can use it. A sound "
    "file or an LSL audio stream needs none."
)
BOARDS = (
    "Headsets without LSL that BrainFlow drives: --board brainflow:NAME, as in brainflow:muse_2 or "
    "brainflow:cyton?serial_port=COM3. Their names: rtaffect devices --boards"
)
BOARD_PARAMETERS = (
    "Names of channels are BrainFlow's: where electrodes can be placed freely, name yours with --channels. Other "
    "parameters (mac_address, serial_number, timeout, ...): "
    "https://brainflow.readthedocs.io/en/stable/SupportedBoards.html"
)
NOT_DECLARED = "not declared"
#: Of a stream with more channels than _MANY, so many are named.
_MANY, _NAMED = 64, 8


@click.command("devices")
@click.option(
    "--wait",
    "wait_s",
    type=Number(0.1, 60.0),
    default=2.0,
    show_default=True,
    metavar="S",
    help="Listen for LSL streams for so many seconds.",
)
@click.option("--boards", is_flag=True, help="List instead the boards that the installed BrainFlow drives.")
def command(wait_s: float, boards: bool) -> None:
    """List the headsets and other streams in the network, serial ports, and the sound devices of this computer."""
    console = Terminal()
    if boards:
        refuse_given(["wait_s"], "is for LSL streams, and with --boards none is looked for")
        _show_boards(console)
        return
    with console.status(f"Listening for LSL streams for {wait_s:g} s"):
        _show_streams(console, wait_s)
    _show_serial_ports(console)
    _show_sound_devices(console)


def _show_streams(console: Console, wait_s: float) -> None:
    from rtaffect.sources.boards import find_buffer
    from rtaffect.sources.device_profile import user_profiles
    from rtaffect.sources.lsl_streams import describe_streams

    streams = describe_streams(wait_s)
    rows: list[tuple[str, ...]] = [
        (
            "LSL",
            stream.name,
            stream.type,
            _hertz(stream.rate),
            str(stream.channels),
            stream.format,
            "" if found.trouble else stream.unit or NOT_DECLARED,
            f"cannot be read: {found.trouble}"
            if found.trouble
            else _names(stream.labels if any(stream.labels) else ()),
            stream.source_id,
            stream.host,
        )
        for found in streams
        for stream in (found.header,)
    ]
    buffer = find_buffer()
    if buffer is not None:
        rows.append(_buffer_row(buffer))
    heads = ("By", "Name", "Type", "Rate", "Channels", "Format", "Unit", "Channel names", "Source id", "Host")
    print_table(console, "Streams", heads, rows, NO_STREAMS, named=2)
    for line in (*_known([found.header for found in streams if not found.trouble]), *user_profiles()[1]):
        console.print(Text(line), soft_wrap=True)
    if buffer is not None:
        console.print(
            Text(f"A session takes the FieldTrip buffer with --board {buffer.text}", style="dim"), soft_wrap=True
        )


def _known(streams: Sequence[StreamHeader]) -> list[str]:
    """Return what is recognised of streams of EEG, what is assumed, what is left out, and what is to be given."""
    from rtaffect.common.channel_kinds import gathered
    from rtaffect.sources.channel_plan import Given, prepare_eeg
    from rtaffect.sources.device_profile import is_eeg

    said = []
    for stream in filter(is_eeg, streams):
        try:
            lines = prepare_eeg(stream, Given())[0].about.words
        except StreamError as error:
            lines = [f"cannot be used as it is: {error}"]
        said.append((stream.name, lines))
    return gathered(said)


def _names(names: Sequence[str]) -> str:
    """Return channel names as a cell; of a stream with very many the first ones."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _MANY else ""
    return (" ".join(names[:_NAMED] if more else names) + more) or NOT_DECLARED


def _buffer_row(buffer: FoundBuffer) -> tuple[str, ...]:
    name, said = buffer.text.partition(":")[2], buffer.header
    if said is None:
        return ("FieldTrip", name, buffer.trouble, "", "", "", "", "", buffer.text, buffer.host)
    return (
        "FieldTrip",
        name,
        "",
        _hertz(said.rate),
        str(len(said.labels)),
        str(said.dtype),
        NOT_DECLARED,
        " ".join(filter(None, said.labels)) or NOT_DECLARED,
        buffer.text,
        buffer.host,
    )


def _show_serial_ports(console: Console) -> None:
    from rtaffect.sources.brainflow_library import brainflow
    from rtaffect.sources.serial_ports import serial_ports

    try:
        brainflow()
    except StreamError as error:
        console.print(Text(f"Without LSL: {error}", style="dim"), soft_wrap=True)
        return
    if ports := serial_ports():
        rows = [(each.port, each.device, f"brainflow:BOARD?serial_port={each.port}") for each in ports]
        print_table(console, "Serial ports", ("Port", "Device", "As a board, if it is one"), rows)
    console.print(Text(BOARDS, style="dim"), soft_wrap=True)


def _show_boards(console: Console) -> None:
    from rtaffect.sources.boards import find_boards

    rows = [
        (
            board.text,
            _hertz(board.rate),
            str(board.channels),
            board.unit or NOT_DECLARED,
            " ".join(board.channel_names) or "to be named with --channels",
            board.peripheral,
        )
        for board in find_boards()
    ]
    heads = ("Board", "Rate", "Channels", "Unit", "Channel names", "Peripheral signals")
    print_table(console, "Boards by BrainFlow", heads, rows)
    console.print(Text(BOARD_PARAMETERS, style="dim"), soft_wrap=True)


def _show_sound_devices(console: Console) -> None:
    from rtaffect.sources.sound_devices import list_sound_devices

    try:
        devices = list_sound_devices()
    except SoundError as error:
        console.print(Text(f"Sound devices cannot be listed: {error}", style="red"), soft_wrap=True)
        return
    rows = [
        (
            str(device.index),
            device.name,
            device.host_api,
            str(device.inputs),
            str(device.outputs),
            f"{device.rate:g} Hz",
            _milliseconds(device.inputs, device.input_latency_s),
            _milliseconds(device.outputs, device.output_latency_s),
            " ".join(w for w, on in (("input", device.default_input), ("output", device.default_output)) if on),
        )
        for device in devices
    ]
    heads = ("Index", "Name", "Host API", "In", "Out", "Rate", "Latency in", "Latency out", "Default for")
    print_table(console, "Sound devices", heads, rows, NO_SOUND_DEVICES, named=2)


def _hertz(rate: float) -> str:
    return f"{rate:g} Hz" if rate else "irregular"


def _milliseconds(channels: int, latency_s: float) -> str:
    return f"{latency_s * 1e3:.0f} ms" if channels else ""
