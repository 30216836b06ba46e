"""The command ``affect``."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from calibration.affect.check import check_affect
from calibration.affect.embedder import Embedding, embedding_for
from calibration.affect.numbers import affect_numbers, sentences
from calibration.affect.outcome import AffectOutcome, analyse, bundle_of
from calibration.affect.page import write_affect_report
from calibration.affect.reading import read_affect
from calibration.affect.validation import FOLDS, Plan, fits_of
from calibration.steps import Steps, backend, names_in, tell_problems
from calibration.studies.manifest import Channels
from rtaffect.affect.bundle import save_affect_bundle
from rtaffect.affect.settings import AffectSettings
from rtaffect.common.errors import SettingsError
from rtaffect.common.given import given_options, refuse_given
from rtaffect.common.option_types import PATH, Number, Whole
from rtaffect.common.places import check_new_folder
from rtaffect.common.settings import settings_in
from rtaffect.common.terminal import Terminal
from rtaffect.common.words import gathered
from rtaffect.predicted.featurizer import ALL_CORES

#: Draws of exchanged ratings; with ``--quick`` none.
DRAWS: Final = 19
#: Folds of people and of sounds with ``--quick``.
QUICK_FOLDS: Final = (2, 2)
#: Folder in the bundle's with what has been fitted, until the bundle is there.
KEPT: Final = ".fitted"
#: Parameters that ``--check`` takes: they say what is read, and by which settings.
_OF_CHECK: Final = frozenset({"study", "only_check", "sounds", "settings", "mains", "embedding", "without", "only"})

_path = PATH


@click.command()
@click.argument("study", type=_path)
@click.option("--out", type=_path, help="Folder of the bundle to be written.")
@click.option("--name", default=None, help="Name of the bundle; default: the folder's.")
@click.option("--sounds", type=_path, help="Folder with the sounds of DEAP's videos; default: sounds in STUDY.")
@click.option(
    "--embedding",
    metavar="NAME",
    help="Reads the sound: musicnn-msd, musicnn-mtt, or a featurizer, file or embedded [default: musicnn-msd].",
)
@click.option("--mains", type=Number(0, 1000), help="Mains frequency, Hz; 0 for no notch [default: 50].")
@click.option("--settings", type=_path, help="TOML with settings of affect that are not to have their default.")
@click.option("--without", default="", metavar="CH,...", help="Channels that are left out of every recording.")
@click.option("--only", default="", metavar="CH,...", help="The only channels that are used.")
@click.option(
    "--draws", type=Whole(5, 10_000), help=f"Of exchanged ratings, for chance [default: {DRAWS}; with --quick none]."
)
@click.option("--jobs", type=Whole(1, 1024), default=1, show_default=True, help="Models fitted at once.")
@click.option("--check", "only_check", is_flag=True, help="List everything that is wrong with STUDY, and do no more.")
@click.option("--quick", is_flag=True, help="Few folds, no draws of chance, and no part left out in turn.")
def command(
    study: Path,
    out: Path | None,
    name: str | None,
    sounds: Path | None,
    embedding: str | None,
    mains: float | None,
    settings: Path | None,
    without: str,
    only: str,
    draws: int | None,
    jobs: int,
    only_check: bool,
    quick: bool,
) -> None:
    """Train a model that tells valence and arousal from EEG and from sound, with a report of how far to believe it.

    STUDY is a folder with study.toml, a BIDS dataset, or DEAP's MATLAB files; with ratings of valence and arousal.
    """
    console, begin = Terminal(log_path=False), time.perf_counter()
    chosen = affect_settings(settings, mains, embedding)
    channels = Channels(names_in(without), names_in(only))
    if only_check:
        others = [option for option in given_options() if option not in _OF_CHECK]
        refuse_given(others, "is for training, and with --check none is done")
        return tell_problems(study, check_affect(study, chosen, sounds, channels), console)
    if out is None:
        raise SettingsError("where to? name the bundle's folder with --out, or use --check to look at the study only")
    check_new_folder(out, "--out")
    plan = Plan(
        folds=QUICK_FOLDS if quick else FOLDS, draws=draws or (0 if quick else DRAWS), ablations=not quick
    )  # fmt: skip
    with Steps(console) as progress, backend(None, jobs):
        reader = embedding_for(chosen, ALL_CORES, progress)
        found = read_affect(study, chosen, progress, sounds=sounds, channels=channels, embedding=reader)
        progress.expect(fits_of(plan) + 2)
        outcome = analyse(name or out.name, found, plan, keep=out / KEPT, tell=progress)
        progress("report")
        sha256 = write(outcome, reader, out)
    _tell(outcome, out, sha256, time.perf_counter() - begin, console)
    return None


def write(outcome: AffectOutcome, reader: Embedding, out: Path) -> str:
    """Write bundle and report into the folder ``out``; return the hash of the bundle's manifest."""
    numbers = affect_numbers(outcome)
    manifest = save_affect_bundle(bundle_of(outcome, reader.identity, reader.content, numbers), out)
    write_affect_report(outcome, numbers, out / "report.html")
    shutil.rmtree(out / KEPT, ignore_errors=True)
    return manifest.manifest_sha256


def affect_settings(path: Path | None, mains_hz: float | None = None, embedding: str | None = None) -> AffectSettings:
    """Return the settings in a TOML file (those that it does not name keep their default), and what options say.

    Raises
    ------
    SettingsError
        If the file cannot be read, or a setting is unknown or impossible.
    """

    def asked(content: dict[str, Any]) -> dict[str, Any]:
        usual = AffectSettings().signal.model_dump()
        if "signal" in content or mains_hz is not None:
            given = dict(content.get("signal", {}))
            content["signal"] = usual | given | ({} if mains_hz is None else {"mains_hz": mains_hz})
        return content | ({} if embedding is None else {"embedding": embedding})

    return settings_in(AffectSettings, path, asked, "settings of affect")


def _tell(outcome: AffectOutcome, out: Path, sha256: str, seconds: float, console: Console) -> None:
    say: Callable[..., None] = console.print
    say(f"bundle of affect {out} in {seconds:.1f} s, {outcome.model.n_steps_} steps")
    for line in sentences(outcome.validation):
        say(line, highlight=False, soft_wrap=True)
    if not outcome.validation.plan.draws:
        say("--quick does not tell chance", style="yellow", highlight=False)
    for note in gathered(outcome.validation.notes):
        say(f"note: {note}", style="yellow", highlight=False, soft_wrap=True)
    say(f"report {out / 'report.html'}; affect.json sha256 {sha256}", style="dim")
