"""The command ``live``: a session with headsets on the network."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from rtaffect.cli import options
from rtaffect.plan.session_plan import SessionPlan
from rtaffect.run.recipe import run_plan
from rtaffect.view import run_window

_path = click.Path(path_type=Path)


@click.command()
@options.planned("live")
@click.option("--session", type=_path, help="Plan of a session (TOML); options that are given replace parts of it.")
@options.shared("headsets")
@click.option(
    "--board",
    "eeg__boards",
    multiple=True,
    metavar="TEXT",
    help="Headset without LSL, as in brainflow:muse_2, brainflow:cyton?serial_port=COM3 or fieldtrip:localhost:1972; "
    "may be given several times. LSL streams are then taken only where --eeg asks for them.",
)
@click.option("--audio", "sound__file", type=_path, help="Sound file that rtaffect plays and listens to.")
@click.option("--speaker", "sound__speaker", help="Sound device to play on: index or part of its name.")
@click.option(
    "--silent", "sound__silent", is_flag=True, help="Do not play: the sound is started elsewhere at the session's zero."
)
@click.option(
    "--mic", "sound__device", is_flag=False, flag_value="", help="Listen to a sound device: index or part of its name."
)
@click.option("--audio-stream", "sound__stream", metavar="QUERY", help="Listen to an LSL stream of sound.")
@click.option(
    "--stimulus",
    "sound__stimulus",
    type=_path,
    help="Sound file that another program plays, to compare with the bundle's reference: where in it people are is "
    "told by --onset-marker, or heard by --mic or --audio-stream.",
)
@click.option(
    "--onset-marker",
    "sound__onset_marker",
    metavar="TEXT",
    help="LSL marker sent once, when --stimulus begins.",
)
@click.option(
    "--markers", "sound__markers", metavar="QUERY", help="Stream of that marker; default: the one of type Markers."
)
@click.option(
    "--wait", "eeg__wait_s", type=float, default=5.0, show_default=True, help="How long to look for streams, s."
)
@click.option("--protocol", "protocol__file", type=_path, help="Protocol of the session (TOML).")
@click.option("--allocation", "protocol__allocation", type=_path, help="Sealed allocation of participants to arms.")
@click.option("--no-outlet", "results__outlet", flag_value=False, default=True, help="Offer no LSL streams to others.")
@options.shared("room", "analysis", "results")
def command(plan: SessionPlan) -> None:
    """Run a session with headsets on the network and sound from a file, a sound device or an LSL stream."""
    run_plan(plan, Console(), run_window)
