"""The command ``scrub``: removes recorded sound, and so voices, from sessions."""

from __future__ import annotations

from pathlib import Path

import click

from rtaffect.common.option_types import PATH
from rtaffect.common.terminal import Terminal


@click.command("scrub")
@click.argument("folders", nargs=-1, required=True, type=PATH, metavar="SESSION...")
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and change nothing.")
def command(folders: tuple[Path, ...], dry_run: bool) -> None:
    """Remove the recorded sound, and with it voices, from each SESSION, the folder of a session.

    EEG, markers, tables and the stimuli that were played stay, and the numbers that predictions are made of.
    """
    from rtaffect.run.scrub import scrub

    console = Terminal()
    for folder in folders:
        with console.status(f"session {folder}") as status:
            done = scrub(folder, status.update, dry_run=dry_run)
        would = "would be removed" if dry_run else "removed"
        if not done.removed:
            console.print(f"{folder}: there is no recorded sound in it, nothing is changed", soft_wrap=True)
        for each in done.removed:
            console.print(f"{folder}: {would}: {each}", soft_wrap=True)
        if done.removed:
            console.print(f"{folder}: kept of it: {done.kept}", soft_wrap=True)
