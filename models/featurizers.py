"""The command ``featurizers``: which featurizers are installed, and which encoders can become one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import click
from rich.console import Console
from rich.text import Text

from models.catalogue import CATALOGUE
from rtaffect.common.errors import ArtifactError
from rtaffect.common.listing import print_table
from rtaffect.common.option_types import PATH, FilePath
from rtaffect.common.terminal import Terminal
from rtaffect.predicted.featurizer import Featurizer, cache_root

NONE_INSTALLED = (
    "No featurizer is installed yet. The default one is built when it is first needed; others are built from the "
    "encoders below."
)


class Row(NamedTuple):
    """One featurizer file as the table shows it; ``problem`` is why it cannot be used, '' for nothing."""

    name: str
    family: str = ""
    mode: str = ""
    layer: str = ""
    context: str = ""
    precision: str = ""
    megabytes: str = ""
    sha256: str = ""
    licence: str = ""
    problem: str = ""


@click.command("featurizers")
@click.argument("paths", nargs=-1, type=PATH)
@click.option(
    "--folder",
    "folders",
    multiple=True,
    type=FilePath(exists=True, file_okay=False),
    help="Look into this folder too; may be given several times.",
)
def command(paths: tuple[Path, ...], folders: tuple[Path, ...]) -> None:
    """List the featurizers that are installed, and the encoders from which others can be exported.

    PATHS are featurizer files elsewhere. An encoder that is not listed works too: a hub name, or a folder.
    """
    console = Terminal()
    _print_installed(console, map(describe, find_files(paths, folders)))
    _print_known(console)


def find_files(paths: Sequence[Path], folders: Sequence[Path]) -> list[Path]:
    """Return the featurizer files of the cache, of ``folders`` and of ``paths`` (files or folders), each once."""
    found: list[Path] = []
    for place in (cache_root() / "featurizers", *folders, *paths):
        found += sorted(place.glob("*.onnx")) if place.is_dir() else []
    found += [path for path in paths if not path.is_dir()]
    return list({path.resolve(): path for path in found}.values())


def describe(path: Path) -> Row:
    """Return what there is to say of one file; one that cannot be used has its reason."""
    try:
        featurizer = Featurizer.load(path)
    except ArtifactError as error:
        # The file is in the first column.
        reason = str(error).splitlines()[0].removeprefix(f"{path}: ")
        return Row(path.name, megabytes=_megabytes(path), problem=reason)
    about = featurizer.manifest
    return Row(
        name=about.name,
        family=about.family,
        mode=about.mode,
        layer=f"{'all' if about.layer is None else about.layer} of 0-{about.n_layers - 1}",
        context=f"{about.context_s} s",
        precision=about.precision,
        megabytes=_megabytes(path),
        sha256=featurizer.sha256[:12],
        licence=about.licence,
    )


def _megabytes(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.1f}" if path.is_file() else ""


def _print_installed(console: Console, rows: Iterable[Row]) -> None:
    heads = ("Name", "Family", "Mode", "Layer", "Context", "Precision", "MB", "sha256", "Licence, or what is wrong")
    lines = [[*map(Text, row[:-2]), Text(row.problem, "red") if row.problem else Text(row.licence)] for row in rows]
    print_table(console, f"Installed, in {cache_root() / 'featurizers'}", heads, lines, NONE_INSTALLED)


def _print_known(console: Console) -> None:
    heads = ("Name", "Trained on", "Layers", "Width", "MB", "Revision", "Licence")
    rows = []
    for known in CATALOGUE:
        sizes = known.n_layers, known.hidden_size, known.megabytes
        rows.append((known.name, known.trained_on, *map(str, sizes), (known.revision or "")[:7], known.licence))
    print_table(console, "Encoders that are known", heads, rows)
    for how in dict.fromkeys(known.how_to_get for known in CATALOGUE):
        names = ", ".join(known.name for known in CATALOGUE if known.how_to_get == how)
        console.print(Text(f"To get {names}: {how}"), soft_wrap=True)
    for note in dict.fromkeys(known.note for known in CATALOGUE):
        names = ", ".join(known.name for known in CATALOGUE if known.note == note)
        console.print(Text(f"{names}: {note}"), soft_wrap=True)
