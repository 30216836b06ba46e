"""The command ``covariates``."""

from __future__ import annotations

from pathlib import Path

import click

from calibration.picture import NAMES, picture_covariates, write_covariates
from rtaffect.common.errors import SettingsError
from rtaffect.common.option_types import PATH
from rtaffect.common.places import check_new_file
from rtaffect.common.terminal import Terminal
from rtaffect.common.text import printable


@click.command()
@click.argument("film", type=PATH)
@click.option("--out", required=True, type=PATH, help="Table to be written; one that is there is replaced.")
def command(film: Path, out: Path) -> None:
    """Write light, contrast, motion and cuts of FILM in each second, as covariates of its sound in a study."""
    check_new_file(out, "--out")
    with Terminal(stderr=True).status("looking at the film"):
        values = picture_covariates(film)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_covariates(out, values)
    except OSError as error:
        raise SettingsError(f"--out {out} cannot be written ({error.strerror}); name another file") from None
    cuts = int(values[:, NAMES.index("cuts")].sum())
    click.echo(printable(f"{out}: {len(values)} s, {cuts} cuts; name it as the sound's covariates in study.toml"))
