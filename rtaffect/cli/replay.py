"""The command ``replay``: a recorded session through the same code as a live one."""

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
@options.planned("replay")
@click.argument("recording", type=_path)
@options.shared("headsets")
@click.option("--audio", "sound__file", type=_path, help="Sound file that was heard, if the recording has none.")
@click.option(
    "--audio-start", "sound__start", type=float, help="When it began, s after the recording's start [default: 0]."
)
@click.option(
    "--onset-marker",
    "sound__onset_marker",
    metavar="TEXT",
    help="Marker that says when --audio began.",
)
@click.option(
    "--markers", "sound__markers", metavar="QUERY", help="Stream of that marker; default: the one of type Markers."
)
@click.option("--stimulus", "sound__stimulus", type=_path, help="Sound file to be found in the recorded sound.")
@click.option(
    "--in-reference",
    "sound__in_reference",
    is_flag=True,
    help="The person is one of those that the bundle was calibrated on: leave them out.",
)
@click.option("--speed", default="1", show_default=True, help="1: as recorded, N: N times as fast, max: no waiting.")
@options.shared("analysis", "results")
def command(plan: SessionPlan) -> None:
    """Replay RECORDING, an XDF file or a session's folder.

    A session's folder is replayed as it ran; with several headsets in a file, people are compared with each other.
    """
    run_plan(plan, Console(), run_window)
