"""The command ``headmodel``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from calibration.head.forward import open_head
from calibration.head.operator import build
from calibration.head.parts import need
from calibration.head.positions import montage_for, montage_of
from calibration.head.subject import find_subject
from rtaffect.common.errors import MontageError, SettingsError
from rtaffect.common.montage import known_name
from rtaffect.common.option_types import PATH
from rtaffect.common.places import check_new_file
from rtaffect.common.terminal import Terminal
from rtaffect.observed.operator import LEAST_CHANNELS, LEAST_SPECIFICITY, Operator
from rtaffect.observed.operator_file import save_operator
from rtaffect.predicted.featurizer import Progress, cache_root


@click.command("headmodel")
@click.option("--montage", required=True, help="1020-19, 1010-32, 1010-64, one of mne's, or a file.")
@click.option("--out", required=True, type=PATH, help="The file to write, *.safetensors.")
@click.option(
    "--subjects-dir",
    type=PATH,
    help="FreeSurfer subjects; default: mne's full fsaverage where it is installed, else the built-in template.",
)
@click.option("--subject", help="Subject in there [default: fsaverage]; fsaverage5 is the built-in template.")
def command(montage: str, out: Path, subjects_dir: Path | None, subject: str | None) -> None:
    """Make the space operator of a montage: what its EEG says about 68 brain regions, and how much that is worth.

    A file is a list of channel names (one a line, or a table with a column `name`), or positions: a table with x, y and
    z too, or .elc, .sfp, .bvef, .loc, .csd, .elp or .hpts.
    """
    console, begin = Terminal(log_path=False), time.perf_counter()
    if out.suffix != ".safetensors":
        raise SettingsError(f"--out {out}: expected a name that ends in .safetensors")
    check_new_file(out, "--out")
    need(template=False)
    with console.status("making the head model"):
        placed = montage_for(montage)
        head = open_head(find_subject(subjects_dir, subject, cache_root(), console.log), console.log)
        operator = build(placed, head)
        sha256 = save_operator(operator, out)
    console.print(f"space operator {out} in {time.perf_counter() - begin:.1f} s, {out.stat().st_size / 1e6:.1f} MB")
    console.print(describe(operator))
    console.print(f"{operator.manifest.head}; sha256 {sha256}", style="dim")


def operator_for(channels: Sequence[str], progress: Progress) -> Operator:
    """Return the space operator of named channels on the default head; those without a known place are left out.

    Raises
    ------
    ArtifactError
        If a package that the head model needs is missing.
    MontageError
        If fewer than 8 channels have a known place, or two have the same.
    """
    need(template=False)
    placed = [name for name in channels if known_name(name)]
    if len(placed) < LEAST_CHANNELS:
        raise MontageError(
            f"{len(placed)} of the channels {', '.join(channels)} have a place in the 10-05 system; brain regions need "
            f"at least {LEAST_CHANNELS}: name the channels by it, or stay with --space channels"
        )
    if strange := [name for name in channels if name not in placed]:
        progress(f"without {', '.join(strange)}: no place of the 10-05 system")
    head = open_head(find_subject(None, None, cache_root(), progress), progress)
    return build(montage_of("the study's channels", placed), head)


def describe(operator: Operator) -> str:
    """Return in words how well the montage tells regions apart."""
    manifest = operator.manifest
    lines = [
        f"{len(manifest.channels)} channels, {len(manifest.regions)} regions: of a region's estimated power "
        f"{np.median(operator.specificity):.0%} is its own (median), {np.median(operator.local_specificity):.0%} with "
        f"its neighbours; {int(operator.trustworthy.sum())} zones of which {LEAST_SPECIFICITY:.0%} or more is "
        "their own:"
    ]
    for zone, share in zip(manifest.zones, operator.zone_specificity, strict=True):
        lines.append(f"  {zone.name}: {share:.0%}, {len(zone.regions)} regions")
    return "\n".join(lines)
