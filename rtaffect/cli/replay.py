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
@click.argument("recording", type=_path)
@options.planned("replay")
def command(plan: SessionPlan) -> None:
    """Replay RECORDING, an XDF file or a session's folder.

    A session's folder is replayed as it ran; with several headsets in a file, people are compared with each other.
    """
    run_plan(plan, Console(), run_window)
