"""The commands that run a session: ``demo``, ``live`` and ``replay``."""

from __future__ import annotations

import click

from rtaffect.cli import options
from rtaffect.common.option_types import PATH
from rtaffect.common.terminal import Terminal
from rtaffect.plan.session_plan import SessionPlan
from rtaffect.run.recipe import run_plan
from rtaffect.view import require_window, run_window

_path = PATH


@click.command()
@click.option("--protocol", "with_protocol", is_flag=True, help="With a short protocol that has every kind of block.")
@options.planned("demo")
def demo(plan: SessionPlan, with_protocol: bool) -> None:
    """Run a whole session with a synthetic participant who listens to a sound that the bundle was not fitted on."""
    from rtaffect.run.demo import with_own_protocol

    _try_window(plan)
    run_plan(with_own_protocol(plan) if with_protocol else plan, Terminal(), run_window)


@click.command()
@click.option("--session", type=_path, help="Plan of a session (TOML); options that are given replace parts of it.")
@options.planned("live")
def live(plan: SessionPlan) -> None:
    """Run a session with headsets on the network and sound from a file, a sound device or an LSL stream."""
    from rtaffect.cli.contact import contacts_before
    from rtaffect.run.remote import run_sessions

    _try_window(plan)
    checked = contacts_before(plan, Terminal()) if plan.contact.check else ()
    if checked is not None:
        run_sessions(plan, Terminal(), run_window, checked)


@click.command()
@click.argument("recording", type=_path)
@options.planned("replay")
def replay(plan: SessionPlan) -> None:
    """Replay RECORDING, an XDF file or a session's folder.

    A session's folder is replayed as it ran; with several headsets in a file, people are compared with each other.
    """
    _try_window(plan)
    run_plan(plan, Terminal(), run_window)


def _try_window(plan: SessionPlan) -> None:
    """Refuse a session in a window that cannot be shown, before minutes are spent on making it ready."""
    if not plan.results.headless:
        with Terminal().status("trying whether a window can be shown"):
            require_window()
