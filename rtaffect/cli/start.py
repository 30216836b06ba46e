"""The command ``start``: the window in which a session is put together, and then the session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Console

from rtaffect.common.errors import RtaffectError
from rtaffect.common.option_types import PATH
from rtaffect.common.screen import has_screen
from rtaffect.common.terminal import Terminal
from rtaffect.view import run_window
from rtaffect.view.trial import REMEDY, try_window

if TYPE_CHECKING:
    from rtaffect.observed.contact import HeadsetContact
    from rtaffect.plan.session_plan import SessionPlan
    from rtaffect.present.session_presenter import Presenter
    from rtaffect.run.runners import WindowRunner
    from rtaffect.start.choices import Choices
    from rtaffect.view.start.window import Started

#: A session's window that a summary follows is open for so long after the protocol's end, s.
CLOSES_S: Final = 2.0
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
        checked, message = _checked(started)
        if checked is None:
            continue
        message = _run(started, console, checked)
        if message:
            continue
        after = _after(started)
        if after is None:
            return
        choices, message = after


def _has_summary(plan: SessionPlan) -> bool:
    """Return whether a session has an end after which something comes: a protocol, and a folder of its own."""
    return plan.protocol.file is not None and plan.results.out is not None and plan.programs.remote is None


def _window(plan: SessionPlan) -> WindowRunner:
    """Return what shows a session: where a summary follows, its window closes soon after the end."""

    def show(presenter: Presenter, **options: Any) -> None:
        if _has_summary(plan) and options.get("seconds_after_end") is None:
            options["seconds_after_end"] = CLOSES_S
        run_window(presenter, **options)

    return show


def _after(started: Started) -> tuple[Choices, str] | None:
    """Show how a session with a protocol went; return the choices to go on with, and what is to be said of them."""
    from rtaffect.start.day import with_next
    from rtaffect.start.outcome import outcome_of
    from rtaffect.view.start.summary import run_summary

    folder = started.plan.results.out
    if not _has_summary(started.plan) or folder is None or not folder.is_dir():
        return None
    try:
        outcome = outcome_of(folder)
    except RtaffectError as error:
        return replace(started.choices, name=""), error.message
    following, said = with_next(started.choices)
    wanted = run_summary(outcome, following.participant)
    if wanted is None:
        return None
    return (following, said) if wanted == "next" else (replace(started.choices, name=""), "")


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


def _checked(started: Started) -> tuple[Sequence[HeadsetContact] | None, str]:
    """Check contact where that is asked for; return what was found, None to go back to the start, and why."""
    from rtaffect.checks.contact_check import ContactWatch
    from rtaffect.view.start.contact import run_contact

    if not (started.checks or started.plan.contact.check):
        return (), ""
    try:
        outcome = run_contact(ContactWatch(started.plan), starts=started.may_start, back="Back to the start")
    except RtaffectError as error:
        return None, error.message
    return (outcome.state.contacts, "") if outcome.start else (None, "")


def _run(started: Started, console: Console, checked: Sequence[HeadsetContact]) -> str:
    """Write the plan where it was saved, run it, and return why the session failed, '' if it did not."""
    from rtaffect.plan.session_plan import write_plan
    from rtaffect.run.remote import run_sessions

    try:
        if started.plan_file is not None:
            write_plan(started.plan, started.plan_file)
        run_sessions(started.plan, console, _window(started.plan), checked)
    except RtaffectError as error:
        return error.message
    return ""
