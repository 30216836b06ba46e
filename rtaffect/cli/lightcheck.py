"""The command ``lightcheck``: how late the participant's screen shows what it is given, seen by a photodiode."""

from __future__ import annotations

import json
import sys
import threading

import click

from rtaffect.checks.light_check import (
    CORNERS,
    FLASHES,
    LEAST_FLASHES,
    LEAST_SIZE,
    MOST_FLASHES,
    MOST_SIZE,
    SIZE,
    Corner,
    LightCheckPlan,
    LightRun,
    ShownOn,
    explain,
    keep,
    paint_by_clock,
)
from rtaffect.common.errors import RtaffectError
from rtaffect.common.option_types import Number, Whole
from rtaffect.common.screen import has_screen
from rtaffect.common.terminal import Terminal
from rtaffect.plan.kept_checks import LightCheck, check_content
from rtaffect.view import require_window


@click.command("lightcheck")
@click.option("--stream", metavar="QUERY", help="LSL stream of the photodiode, as in name=Photodiode.")
@click.option("--channel", metavar="NAME", help="Its channel there, by name or number from 1, if it has several.")
@click.option("--screen", type=Whole(0, 99), help="Number of the participant's screen; without, a small window.")
@click.option(
    "--flashes",
    type=Whole(LEAST_FLASHES, MOST_FLASHES),
    default=FLASHES,
    show_default=True,
    help="How many there are, in .7 s each.",
)
@click.option("--corner", type=click.Choice(CORNERS), default=CORNERS[0], show_default=True, help="Of the square.")
@click.option(
    "--size",
    type=Number(LEAST_SIZE, MOST_SIZE),
    default=SIZE,
    show_default=True,
    help="Side of the square, a part of the screen's shorter side; as it is, it is where films have theirs.",
)
@click.option(
    "--simulate",
    "simulate_ms",
    type=Number(0.0, 400.0),
    metavar="MS",
    help="Try it without a photodiode: one is simulated that sees so much later; nothing is kept.",
)
@click.option(
    "--misses", type=Whole(0, 100), default=0, help="With --simulate: every so manyth flash is not seen; 0 for none."
)
@click.option("--headless", is_flag=True, help="No panel: flash at once. Without a screen only with --simulate.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON; implies --headless.")
def command(
    stream: str | None,
    channel: str | None,
    screen: int | None,
    flashes: int,
    corner: Corner,
    size: float,
    simulate_ms: float | None,
    misses: int,
    headless: bool,
    as_json: bool,
) -> None:
    """Measure how much later than it is painted a square on the participant's screen is seen.

    A photodiode on the glass has to send by LSL, as a stream of its own or a channel of an EEG amplifier. What is found
    is kept for the sessions on that screen, which state it. The exit status is 0 if the flashes were seen, else 1.
    """
    plan = LightCheckPlan(stream, channel, screen, flashes, corner, size, simulate_ms, misses)
    quiet, console = headless or as_json, Terminal(stderr=as_json)
    if has_screen() and not quiet:
        require_window()
        from rtaffect.view.checks.run import run_light_check

        found = run_light_check(plan)
        sys.exit(0 if found is not None and found.latency_ms is not None else 1)
    plan.check()
    found = _flashed(plan, console)
    if found is None:
        sys.exit(1)
    if simulate_ms is None and (trouble := keep(found)):
        console.print(f"note: {trouble}", style="yellow", soft_wrap=True)
    for line in explain(found):
        console.print(line, style="green" if found.latency_ms is not None else "red", soft_wrap=True)
    if as_json:
        print(json.dumps(check_content(found, found.at), indent=1))
    sys.exit(0 if found.latency_ms is not None else 1)


def _flashed(plan: LightCheckPlan, console: Terminal) -> LightCheck | None:
    """Flash without a panel; None where that was ended before its end."""
    if has_screen():
        require_window()
        from rtaffect.view.checks.run import flash

        return flash(plan)
    if plan.simulate_ms is None or plan.screen is not None:
        raise RtaffectError(
            "there is no screen that could flash (neither DISPLAY nor WAYLAND_DISPLAY is set); run it where the "
            "participant's screen is, or try it with --simulate MS and without --screen"
        )
    with console.status("looking for the stream") as status:
        run = LightRun.start(plan)
        try:
            whole = paint_by_clock(run, threading.Event(), status.update)
            return run.result(ShownOn()) if whole else None
        finally:
            run.close()
