"""The command ``demo``: a whole session with a synthetic participant."""

from __future__ import annotations

import click
from rich.console import Console

from rtaffect.cli import options
from rtaffect.plan.session_plan import SessionPlan
from rtaffect.run.demo import with_own_protocol
from rtaffect.run.recipe import run_plan
from rtaffect.view import run_window


@click.command()
@click.option("--protocol", "with_protocol", is_flag=True, help="With a short protocol that has every kind of block.")
@options.planned("demo")
def command(plan: SessionPlan, with_protocol: bool) -> None:
    """Run a whole session with a synthetic participant who listens to a sound that the bundle was not fitted on."""
    if with_protocol:
        plan = with_own_protocol(plan)
    run_plan(plan, Console(), run_window)
