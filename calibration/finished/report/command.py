"""The command ``report``."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import click

from rtaffect.common.errors import ArtifactError, SettingsError
from rtaffect.common.option_types import PATH
from rtaffect.common.places import check_new_file
from rtaffect.common.terminal import Terminal
from rtaffect.common.text import printable

_path = PATH


@click.command()
@click.argument("folders", nargs=-1, type=_path, metavar="FOLDER...")
@click.option("--group", is_flag=True, help="One report of all FOLDERs, which ran the same protocol.")
@click.option("--out", type=_path, help="HTML file to be written [default: FOLDER/report.html; needed with --group].")
@click.option(
    "--unblinded",
    type=_path,
    metavar="FILE",
    help="unblinded.toml that `rtaffect unblind` wrote, or the allocation beside it: name arms, and compare them.",
)
def command(folders: tuple[Path, ...], group: bool, out: Path | None, unblinded: Path | None) -> None:
    """Write the report of a session FOLDER as HTML, with its numbers beside it as JSON; or of several with --group.

    An unfinished or damaged folder gives a report that says what is missing. A report that is there is replaced.
    """
    if not folders:
        raise SettingsError("which session? name its folder, the one that live, demo or replay wrote with --out")
    if len(folders) > 1 and not group:
        raise SettingsError(f"{len(folders)} folders are named: --group makes one report of them, else name one folder")
    if group and out is None:
        raise SettingsError("where to? name the group's report with --out, as in --out group.html")
    need_parts()
    target = out or folders[0] / "report.html"
    check_new_file(target, "--out")
    with Terminal(stderr=True).status("reading and drawing"):
        if group:
            from calibration.finished.report.group import write_group_report

            write_group_report(folders, target, unblinded)
        else:
            from calibration.finished.report.page import write_session_report

            write_session_report(folders[0], target, unblinded)
    click.echo(printable(f"report {target}; numbers {target.with_suffix('.json')}"))


def need_parts() -> None:
    """Refuse to go on without what draws the figures, or what the figures of calibration need.

    Raises
    ------
    ArtifactError
        If it is not installed.
    """
    lacking = [name for name in ("jinja2", "joblib", "matplotlib", "sklearn") if importlib.util.find_spec(name) is None]
    if lacking:
        raise ArtifactError(f'the report needs {", ".join(lacking)}; pip install "rtaffect[calibration]"')
