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
@click.option("--session", type=_path, help="Plan of a session (TOML); options that are given replace parts of it.")
@options.planned("live")
def command(plan: SessionPlan) -> None:
    """Run a session with headsets on the network and sound from a file, a sound device or an LSL stream."""
    run_plan(plan, Console(), run_window)
