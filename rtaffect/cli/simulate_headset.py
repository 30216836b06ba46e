"""The command ``simulate-headset``: what a headset sends, from its device profile."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import click
from rich.text import Text

from rtaffect.common.option_types import Number, Whole
from rtaffect.common.terminal import Terminal

#: More people are not simulated.
MOST_PEOPLE = 16


@click.command("simulate-headset")
@click.argument("profile")
@click.option("--name", default="", help="Name of the stream; default: as the device calls it.")
@click.option("--people", type=Whole(1, MOST_PEOPLE), default=1, show_default=True, help="So many of these headsets.")
@click.option(
    "--share",
    type=Number(0, 1),
    default=0.4,
    show_default=True,
    help="Part of the EEG's power that all people of one seed share, whoever sends them.",
)
@click.option("--seed", type=Whole(0, 2**31 - 1), default=7, show_default=True, help="Another seed shares nothing.")
@click.option(
    "--contact",
    default="",
    metavar="CH=FAULT,...",
    help="Channels without good contact, each with mains, drift, flat, rail, noise or bridged, as in F3=mains,Cz=flat.",
)
@click.option("--mains", type=Number(45, 65), default=50.0, show_default=True, help="Mains that they pick up, Hz.")
@click.option("--seconds", type=Number(0.1, 1e6), help="Send for so many seconds; default: until Ctrl+C.")
def command(
    profile: str, name: str, people: int, share: float, seed: int, contact: str, mains: float, seconds: float | None
) -> None:
    """Send an LSL stream as the device of PROFILE sends it: its names, units, further channels and stamps.

    PROFILE is one of those in docs/headsets.md, or the file of one (.toml).
    """
    from rtaffect.simulation.device import SimulatedDevice, Wearer
    from rtaffect.sources.device_profile import named_profile

    found = named_profile(profile, f"device profile {profile!r}")
    console, stop = Terminal(), threading.Event()
    with ExitStack() as cleanup:
        for number in range(1, people + 1):
            end = f"-{number}" if people > 1 else ""
            base = name or (found.sends.name if found.sends is not None else "")
            source = f"{found.sends.source_id}{end}" if found.sends is not None and not found.shares_id else ""
            wearer = Wearer(number, share, seed, contact, mains)
            device = SimulatedDevice(found, wearer, name=f"{base}{end}", source_id=source)
            cleanup.enter_context(device)
            header = device.header
            console.print(
                Text(f"sending {header.name!r} ({header.type}, {header.rate:g} Hz, {header.channels} channels)")
            )
        console.print(Text(f"{found.device} by {found.program}; Ctrl+C ends it", style="dim"))
        try:
            stop.wait(seconds)
        except KeyboardInterrupt:
            console.print("stopped", style="dim")
