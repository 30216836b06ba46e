"""The command ``soundcheck``: how loud a session's sound is, set by ear, and how late it is heard, measured."""

from __future__ import annotations

import json
import sys

import click

from rtaffect.checks.sound_check import (
    CLICKS,
    LEAST_CLICKS,
    MOST_CLICKS,
    SoundCheckPlan,
    check_sound,
    explain,
    keep,
    level_set,
)
from rtaffect.common.option_types import Number, Whole
from rtaffect.common.screen import has_screen
from rtaffect.common.terminal import Terminal
from rtaffect.plan.kept_checks import LEAST_DB, SoundCheck, check_content
from rtaffect.run.live_sound import device_of
from rtaffect.sources.sound_devices import choose_sound_device
from rtaffect.view import require_window


@click.command("soundcheck")
@click.option("--speaker", metavar="DEVICE", help="Sound device that plays; default: the system's output.")
@click.option("--capture", metavar="DEVICE", help="Sound device that hears the clicks; default: the system's input.")
@click.option("--capture-stream", metavar="QUERY", help="LSL stream of sound that hears them, as in name=Room.")
@click.option(
    "--clicks",
    type=Whole(LEAST_CLICKS, MOST_CLICKS),
    default=CLICKS,
    show_default=True,
    help="How many are played, one a second.",
)
@click.option(
    "--level",
    "level_db",
    type=Number(LEAST_DB, 0.0),
    metavar="DB",
    help="Set how loud the device plays, dB against the files' own level, and keep that for its sessions.",
)
@click.option("--no-capture", is_flag=True, help="Measure nothing: --level alone is kept.")
@click.option("--headless", is_flag=True, help="No window: measure at once, at the level that is set.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON; implies --headless.")
def command(
    speaker: str | None,
    capture: str | None,
    capture_stream: str | None,
    clicks: int,
    level_db: float | None,
    no_capture: bool,
    headless: bool,
    as_json: bool,
) -> None:
    """Set by ear how loud a session's sound is, and measure how much later than planned it is heard.

    The clicks must come back: by a cable or loopback device, a microphone at the ear, or an LSL stream of sound. What
    is found is kept for the sessions of that device, which state it. The exit status is 0 if they were heard, else 1.
    """
    plan = SoundCheckPlan(speaker, capture, capture_stream, clicks, level_db)
    plan.check()
    if not (headless or as_json or no_capture) and has_screen():
        require_window()
        from rtaffect.view.checks.run import run_sound_check

        sys.exit(0 if _heard(run_sound_check(plan)) else 1)
    console = Terminal(stderr=as_json)
    device = choose_sound_device(device_of(speaker), "output")
    if level_db is not None:
        _warn(console, keep(level_set(device, level_db)))
        _say(console, f"level: {level_db:g} dB on {device.name}, kept for its sessions")
    if no_capture:
        return
    with console.status("getting ready") as status:
        found = check_sound(plan, status.update)
    assert found is not None
    _warn(console, keep(found))
    for line in explain(found):
        _say(console, line, "green" if _heard(found) else "red")
    if as_json:
        print(json.dumps(check_content(found, found.at), indent=1))
    sys.exit(0 if _heard(found) else 1)


def _heard(found: SoundCheck | None) -> bool:
    return found is not None and found.latency_ms is not None


def _warn(console: Terminal, words: str) -> None:
    if words:
        _say(console, f"note: {words}", "yellow")


def _say(console: Terminal, words: str, style: str | None = None) -> None:
    console.print(words, style=style, soft_wrap=True)
