"""The command ``contact``: whether the electrodes touch, in a window or in lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Final

import click
from rich.console import Console

from rtaffect.checks.contact_check import CheckState, ContactWatch
from rtaffect.cli import options
from rtaffect.common.errors import StreamError
from rtaffect.common.option_types import PATH, Number
from rtaffect.common.screen import has_screen
from rtaffect.common.terminal import Terminal
from rtaffect.observed.contact import HeadsetContact
from rtaffect.plan.session_plan import SessionPlan
from rtaffect.plan.setting import DefinedSetting
from rtaffect.present.contact_state import contact_lines
from rtaffect.run.recipe import check_live
from rtaffect.view import require_window

#: A check before a session without a window goes on for so long, s: a day.
_UNTIL_MET_S: Final = 86_400.0
#: Settings of a session that are nothing to a check.
_NOT: Final = frozenset({"check-contact", "peripheral", "rating", "expect", "patience", "adopt", "foreign-clock"})
_TOO: Final = frozenset({"mains", "settings", "bundle", "headless"})


def _is_of_contact(defined: DefinedSetting) -> bool:
    option = defined.setting.option
    return option in _TOO or (defined.path[0] in {"eeg", "contact"} and option not in _NOT)


@click.command("contact")
@click.option("--session", type=PATH, help="Plan of a session (TOML): its headsets and limits.")
@click.option(
    "--seconds",
    type=Number(1, 86_400),
    help="Without a window: for so long at most; it ends when the target is met. Default: 60.",
)
@options.planned("live", _is_of_contact)
def command(plan: SessionPlan, seconds: float | None) -> None:
    """Check whether the electrodes of headsets touch: impedance where it is sent, else a contact index from 0 to 1.

    In a window, a plan of each head; with --headless one line for each electrode. The exit status is 0 if every headset
    has met the target, else 1.
    """
    headless = plan.results.headless or not has_screen()
    if not headless:
        require_window()
    watch = ContactWatch(plan)
    if headless:
        sys.exit(0 if check_in_lines(watch, Terminal(), 60.0 if seconds is None else seconds).met else 1)
    from rtaffect.view.start.contact import run_contact

    outcome = run_contact(watch, seconds=seconds)
    sys.exit(0 if outcome.state.met else 1)


def contacts_before(plan: SessionPlan, console: Console) -> Sequence[HeadsetContact] | None:
    """Check before a session, until the target is met or the operator starts it; None where it is not to start."""
    with console.status("trying what the session needs besides headsets") as status:
        check_live(plan, status.update)
    watch = ContactWatch(plan)
    if plan.results.headless or not has_screen():
        state = check_in_lines(watch, console, _UNTIL_MET_S)
        return state.contacts if state.met else None
    from rtaffect.view.start.contact import run_contact

    outcome = run_contact(watch, starts=True, back="Leave")
    return outcome.state.contacts if outcome.start else None


def check_in_lines(watch: ContactWatch, console: Console, seconds: float) -> CheckState:
    """Check until the target is met or ``seconds`` are over, print what was found, and return it.

    Ctrl-C ends it sooner. RtaffectError if it cannot go on.
    """
    watch.start()
    end = time.monotonic() + seconds
    try:
        with console.status("looking for headsets") as status:
            while not (state := watch.state).met and not state.failed:
                if state.seconds == 0:
                    end = time.monotonic() + seconds
                    status.update(state.words or "waiting for the first seconds")
                elif time.monotonic() > end:
                    break
                else:
                    status.update("; ".join(f"{head.name}: {head.headline}" for head in state.heads))
                time.sleep(0.1)
    except KeyboardInterrupt:
        state = watch.state
    finally:
        watch.stop()
    if state.failed:
        raise StreamError(state.failed)
    for line in contact_lines(state.heads):
        console.print(line, highlight=False, soft_wrap=True)
    return state
