"""The command ``export-bids``."""

from __future__ import annotations

from pathlib import Path

import click

from calibration.finished.bids.export import Choices, ExportError, export
from rtaffect.common.errors import RecordingError, SettingsError
from rtaffect.common.option_types import PATH
from rtaffect.common.places import check_new_folder
from rtaffect.common.terminal import Terminal

_path = PATH


@click.command("export-bids")
@click.argument("sessions", nargs=-1, required=True, type=_path)
@click.option("--out", required=True, type=_path, help="The dataset: a new folder, or one to add the sessions to.")
@click.option("--task", metavar="LABEL", help="Name of the task [default: the letters and digits of the protocol's].")
@click.option(
    "--session",
    metavar="LABEL",
    help="Put all of them into this session of their participants [default: 01, 02, ... by date].",
)
@click.option(
    "--people",
    multiple=True,
    metavar="HEADSET=CODE",
    help="Participant who wore a headset; FOLDER/HEADSET=CODE for one of several sessions. May be given several times. "
    "Default: the session's participant, and with b, c, ... for the second and further headset.",
)
@click.option("--name", help="Name of a new dataset [default: its folder's].")
@click.option("--author", "authors", multiple=True, help="Author of a new dataset; may be given several times.")
@click.option("--license", "licence", help="Licence of a new dataset, as in CC0.")
@click.option("--dates", is_flag=True, help="Say when sessions were.")
@click.option("--notes", is_flag=True, help="Give the text of the operator's notes, which may name people.")
@click.option("--shown", is_flag=True, help="Give what was shown in blinded sessions, too; it tells the arm.")
def command(
    *,
    sessions: tuple[Path, ...],
    out: Path,
    task: str | None,
    session: str | None,
    people: tuple[str, ...],
    name: str | None,
    authors: tuple[str, ...],
    licence: str | None,
    dates: bool,
    notes: bool,
    shown: bool,
) -> None:
    """Write SESSIONS, folders of recorded sessions, as a BIDS dataset: EEG, events, sounds and feedback.

    Nothing is written unless all of them can be.
    """
    console = Terminal(log_path=False)
    check_new_folder(out, "--out")
    choices = Choices(task, session, _codes(people), name, authors, licence, dates, notes, shown)
    try:
        with console.status("looking at the sessions") as status:
            done = export(sessions, out, choices, status.update)
    except ExportError as error:
        for line in error.problems:
            console.print(f"- {line}", highlight=False, soft_wrap=True, markup=False)
        many = len(error.problems)
        raise RecordingError(
            f"nothing is exported: {many} problem{'' if many == 1 else 's'}, listed above; correct and export again"
        ) from None
    for (folder, headset), entities in done.recordings.items():
        console.print(
            f"{folder}, {headset}: {entities.folder / entities.name}", highlight=False, soft_wrap=True, markup=False
        )
    for note in done.notes:
        console.print(f"note: {note}", style="yellow", highlight=False, soft_wrap=True, markup=False)
    many = len(done.recordings)
    what = f"{many} recording{'' if many == 1 else 's'} {'added to' if done.appended else 'in'} the dataset {out}"
    console.print(what, highlight=False, soft_wrap=True, markup=False)


def _codes(people: tuple[str, ...]) -> dict[str, str]:
    """Return the codes by headset; raises SettingsError if one is not HEADSET=CODE, or a headset has two."""
    codes: dict[str, str] = {}
    for each in people:
        name, equals, code = each.rpartition("=")
        if not (equals and name and code):
            raise SettingsError(f"--people {each}: expected HEADSET=CODE, as in Muse-1A2F=P01")
        if codes.setdefault(name, code) != code:
            raise SettingsError(f"--people {each}: {name} is {codes[name]} already; expected one participant each")
    return codes
