"""The command ``devices``: what LSL streams and sound devices there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from rtaffect.errors import SoundError

NO_STREAMS = (
    "No LSL stream answered. Switch the headset on and start streaming in its program; both computers must be in the "
    "same network, and a firewall must let LSL through (UDP 16571 and TCP and UDP 16572-16604). A stream that has only "
    "just started may need longer: rtaffect devices --wait 10"
)
NO_SOUND_DEVICES = (
    "No sound device was found. Connect one, start the sound server and see that other programs can use it. A sound "
    "file or an LSL audio stream needs none."
)


@click.command("devices")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0.1, max=60.0),
    default=2.0,
    show_default=True,
    metavar="S",
    help="Listen for LSL streams for so many seconds.",
)
def command(wait_s: float) -> None:
    """List the LSL streams in the network and the sound devices of this computer."""
    console = Console()
    with console.status(f"Listening for LSL streams for {wait_s:g} s"):
        _show_streams(console, wait_s)
    _show_sound_devices(console)


def _show_streams(console: Console, wait_s: float) -> None:
    from rtaffect.sources.lsl import describe_streams

    rows = [
        (
            stream.name,
            stream.type,
            f"{stream.rate:g} Hz" if stream.rate else "irregular",
            str(stream.channels),
            stream.format,
            stream.unit or "not declared",
            " ".join(stream.channel_names) or "not declared",
            stream.source_id,
            stream.host,
        )
        for stream in describe_streams(wait_s)
    ]
    heads = ("Name", "Type", "Rate", "Channels", "Format", "Unit", "Channel names", "Source id", "Host")
    _print_table(console, "LSL streams", heads, rows, NO_STREAMS)


def _show_sound_devices(console: Console) -> None:
    from rtaffect.sources.sound_devices import list_sound_devices

    try:
        devices = list_sound_devices()
    except SoundError as error:
        console.print(Text(f"Sound devices cannot be listed: {error}", style="red"))
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
    _print_table(console, "Sound devices", heads, rows, NO_SOUND_DEVICES)


def _milliseconds(channels: int, latency_s: float) -> str:
    return f"{latency_s * 1e3:.0f} ms" if channels else ""


def _print_table(
    console: Console, title: str, heads: Sequence[str], rows: Iterable[Sequence[str]], remedy: str
) -> None:
    table = Table(*heads, title=title, title_justify="left")
    for row in rows:
        # Text and not str: device names such as 'USB [hw:1,0]' are not markup.
        table.add_row(*(Text(value) for value in row))
    console.print(table if table.row_count else Text(remedy, style="yellow"))
