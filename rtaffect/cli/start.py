"""The command ``start``: the window in which a session is put together, and then the session."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from rtaffect.common.errors import RtaffectError
from rtaffect.common.option_types import PATH
from rtaffect.common.screen import has_screen
from rtaffect.common.terminal import Terminal
from rtaffect.view import run_window
from rtaffect.view.trial import REMEDY, try_window

if TYPE_CHECKING:
    from rtaffect.start.choices import Choices
    from rtaffect.view.start.window import Started

INSTEAD = "use `rtaffect demo --headless` or `rtaffect live --session FILE` instead"


@click.command("start")
@click.option("--plan", "plan_file", type=PATH, help="Plan of a session (TOML) to begin with.")
def command(plan_file: Path | None) -> None:
    """Put a session together in a window, and run it."""
    from rtaffect.plan.session_plan import read_plan
    from rtaffect.start.choices import choices_of
    from rtaffect.start.memory import recall

    if plan_file is not None:
        choices, message = choices_of(read_plan(plan_file)), ""
    else:
        choices, message = recall()
    _try_window()
    console = Terminal()
    while (started := _choose(choices, message, plan_file)) is not None:
        choices, plan_file = started.choices, started.plan_file or plan_file
        message = _run(started, console)
        if not message:
            return


def _try_window() -> None:
    if not has_screen():
        raise RtaffectError(f"there is no screen for the start window; {INSTEAD}")
    trial = try_window()
    if not trial.ok:
        raise RtaffectError(f"the start window cannot be shown: {trial.said}; {REMEDY}; or {INSTEAD}")


def _choose(choices: Choices, message: str, plan_file: Path | None) -> Started | None:
    """Show the window; RtaffectError where there is no Qt."""
    try:
        from rtaffect.view.start.run import run_start
    except ModuleNotFoundError as error:
        missing = (error.name or "Qt").partition(".")[0]
        if missing == "rtaffect":
            raise
        raise RtaffectError(
            f'the start window needs {missing}, which is not installed: pip install "rtaffect[view]", or {INSTEAD}'
        ) from None
    except ImportError as error:
        raise RtaffectError(f"the start window cannot load Qt ({error}); mend that, or {INSTEAD}") from None
    return run_start(choices, message=message, plan_file=plan_file)


def _run(started: Started, console: Console) -> str:
    """Write the plan where it was saved, run it, and return why the session failed, '' if it did not."""
    from rtaffect.plan.session_plan import write_plan
    from rtaffect.run.remote import run_sessions

    try:
        if started.plan_file is not None:
            write_plan(started.plan, started.plan_file)
        run_sessions(started.plan, console, run_window)
    except RtaffectError as error:
        return error.message
    return ""
