"""The command ``calibrate``."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Literal

import click
from rich.console import Console

from calibration.beyond import Beyond, with_beyond
from calibration.bundling import with_featurizer
from calibration.calibrate import SPLITS, Plan, analyse
from calibration.element_weights import keep_separator
from calibration.excerpts.command import OPTIONS, calibrate_excerpts, check_excerpts, told
from calibration.excerpts.study import has_excerpts
from calibration.head.command import operator_for
from calibration.outcome import Outcome
from calibration.ratings.analysis import analyse_ratings
from calibration.ratings.outcome import RatedOutcome
from calibration.ratings.page import rating_numbers, write_rating_report
from calibration.ratings.sentences import summary
from calibration.report.group import group_numbers
from calibration.report.page import report_numbers, write_report
from calibration.steps import Steps, backend, names_in, tell_problems
from calibration.studies.check import check
from calibration.studies.manifest import Channels
from calibration.study import FolderStudy
from calibration.sweep import AUTO
from rtaffect.common.errors import SettingsError
from rtaffect.common.given import given_options, refuse_given
from rtaffect.common.option_types import PATH, Number, Whole
from rtaffect.common.places import check_new_folder
from rtaffect.common.settings import PredictionSettings, Settings, read_settings
from rtaffect.common.terminal import Terminal
from rtaffect.common.words import gathered
from rtaffect.engine.bundle import Bundle, save_bundle
from rtaffect.observed.operator_file import load_operator
from rtaffect.observed.spaces import RegionSpace, Space
from rtaffect.predicted.elements import separator_for
from rtaffect.predicted.featurizer import ALL_CORES, Featurizer, layers_for
from rtaffect.predicted.separator import Separator

#: Few lags and components, for a study of a few minutes.
QUICK = PredictionSettings(n_components=4, lags_s=(0, 3, 6, 9))
#: Draws of each null, and with ``--quick``.
DRAWS, QUICK_DRAWS = 1000, 99
#: Folder in the bundle's with what has been filtered, until the bundle is there.
KEPT = ".filtered"

#: Parameters that say how EEG is read.
_OF_EEG = ("space", "head", "mains", "without", "only")

#: Parameters that ``--check`` takes: they say what is read, and by which settings.
_OF_CHECK = frozenset({"only_check", "without", "only", "settings", "mains", "quick"})

_path = PATH


@click.command()
@click.argument("study", type=_path)
@click.option("--out", type=_path, help="Folder of the bundle to be written.")
@click.option("--name", default=None, help="Name of the bundle; default: the folder's.")
@click.option(
    "--featurizer",
    type=_path,
    help="ONNX featurizer of all layers or one, or an embedded one's name; default: all layers of moonshine-tiny.",
)
@click.option(
    "--featurizers",
    default="",
    metavar="NAME,...",
    help="Several, files or embedded ones, side by side in the report; the bundle has the first.",
)
@click.option(
    "--separator",
    metavar="NAME",
    help="Also what voice and background tell, each alone, as this separator takes the sounds apart: spleeter-stream, "
    "dtln, spleeter-2stems, or a file.",
)
@click.option("--scales", is_flag=True, help="Compare windows, lags and spans of features: which predicts best, where?")
@click.option(
    "--space",
    type=click.Choice(["channels", "regions", "components"]),
    default="channels",
    show_default=True,
    help="What the rows are: channels, brain regions and zones of them, or correlated components.",
)
@click.option("--head", type=_path, help="Space operator for --space regions; default: made for the study's channels.")
@click.option("--mains", type=Number(0, 1000), help="Mains frequency, Hz; 0 for no notch [default: 50].")
@click.option("--settings", type=_path, help="TOML with settings that are not to have their default.")
@click.option("--without", default="", metavar="CH,...", help="Channels that are left out of every recording.")
@click.option(
    "--only",
    default="",
    metavar="CH,...",
    help="The only channels that are used, also where they are taken for no EEG.",
)
@click.option("--ratings", is_flag=True, help="Predict the study's ratings, also where it has EEG.")
@click.option("--layer", default=AUTO, show_default=True, help="Layer of the bundle, from 0; auto: by inner folds.")
@click.option("--draws", type=Whole(19, 1_000_000), help="Of each null [default: 1000; with --quick 99].")
@click.option("--jobs", type=Whole(1, 1024), default=1, show_default=True, help="Feature sets fitted at once.")
@click.option("--dask", metavar="ADDRESS", help="Dask scheduler that fits them, as tcp://host:8786.")
@click.option("--check", "only_check", is_flag=True, help="List everything that is wrong with STUDY, and do no more.")
@click.option("--quick", is_flag=True, help="Every stage with few components, lags, layers and draws.")
def command(
    study: Path,
    out: Path | None,
    name: str | None,
    featurizer: Path | None,
    featurizers: str,
    separator: str | None,
    scales: bool,
    space: str,
    head: Path | None,
    mains: float | None,
    settings: Path | None,
    without: str,
    only: str,
    ratings: bool,
    layer: str,
    draws: int | None,
    jobs: int,
    dask: str | None,
    only_check: bool,
    quick: bool,
) -> None:
    """Fit a bundle to STUDY, with a report: which features predict synchrony, of which rows, and how sure that is.

    STUDY is a folder with study.toml, or a BIDS dataset.
    """
    console, begin, channels = Terminal(log_path=False), time.perf_counter(), _channels(without, only)
    _check_options(only_check=only_check, space=space, dask=dask is not None, ratings=ratings)
    draws = draws or (QUICK_DRAWS if quick else DRAWS)
    if has_excerpts(study):
        return _of_excerpts(study, out, featurizer, draws, quick, only_check, console)
    if only_check:
        return tell_problems(study, check(study, _settings_for(settings, mains, quick), channels), console)
    out, paths, chosen = _new(out), _several(featurizers, featurizer), _settings_for(settings, mains, quick)
    with Steps(console) as progress, backend(dask, jobs):
        loaded = _loaded(study, channels, space)
        reader, *others = (layers_for(path, ALL_CORES, progress) for path in paths)
        plan = Plan(
            name or out.name, layer=layer_of(layer), components=space == "components", draws=draws, few_layers=quick,
            space=region_space(head, loaded.channels(), progress) if space == "regions" else None,
            splits=1 if quick else SPLITS, keep=out / KEPT,
        )  # fmt: skip
        progress.expect(2 * len(loaded.sounds()) + len(loaded.listeners) + 3)
        if ratings or not loaded.listeners:
            _refuse_beyond(others, scales, separator)
            tell = _of_ratings(loaded, reader, paths[0], chosen, plan, out, progress)
        else:
            asked = Beyond(tuple(others), scales, _separator(separator, out, progress))
            tell = _of_synchrony(loaded, reader, paths[0], chosen, plan, asked, out, progress)
    return tell(time.perf_counter() - begin, console)


def _loaded(study: Path, channels: Channels, space: str) -> FolderStudy:
    found = FolderStudy(study, channels)
    _check_options(space=space, ratings=not found.listeners)
    return found


def _separator(name: str | None, out: Path, progress: Callable[[str], None]) -> Separator | None:
    """Return the separator of that name; one that is a file is put into the bundle's folder as well."""
    if name is None:
        return None
    found = separator_for(name, ALL_CORES, progress)
    keep_separator(name, out)
    return found


def _channels(without: str, only: str) -> Channels:
    return Channels(names_in(without), names_in(only))


def _refuse_beyond(others: Sequence[Featurizer], scales: bool, separator: str | None) -> None:
    """Refuse what compares featurizers, scales or elements of synchrony, for a study of ratings."""
    if others or scales or separator is not None:
        option = "--scales" if scales else "--featurizers" if others else "--separator"
        raise SettingsError(f"{option} is for synchrony, and this study is of ratings; leave it out")


def _of_synchrony(
    study: FolderStudy,
    reader: Featurizer,
    path: Path | None,
    settings: Settings,
    plan: Plan,
    asked: Beyond,
    out: Path,
    progress: Callable[[str], None],
) -> Callable[[float, Console], None]:
    """Write bundle and report of synchrony; return what tells of them, given how long it took (s)."""
    found = analyse(study, reader, settings, plan, progress)
    found = with_beyond(found, study, reader, settings, plan, asked, progress)
    return partial(_tell, _written(with_featurizer(found, reader, path, out, progress), out, progress), out)


def _of_ratings(
    study: FolderStudy,
    reader: Featurizer,
    path: Path | None,
    settings: Settings,
    plan: Plan,
    out: Path,
    progress: Callable[[str], None],
) -> Callable[[float, Console], None]:
    """Write bundle and report of ratings; return what tells of them, given how long it took (s)."""
    outcome = with_featurizer(analyse_ratings(study, reader, settings, plan, progress), reader, path, out, progress)
    return partial(_tell_ratings, _rating_written(outcome, out, progress), out)


def _check_options(*, space: str, only_check: bool = False, dask: bool = False, ratings: bool = False) -> None:
    """Refuse options that would be passed over; raises SettingsError."""
    if only_check:
        others = [name for name in given_options() if name not in _OF_CHECK]
        refuse_given(others, "is for fitting a bundle, and with --check none is fitted")
    if space != "regions":
        refuse_given(["head"], f"is for --space regions, but the space is {space}")
    if dask:
        refuse_given(["jobs"], "is for processes of this computer, and with --dask the scheduler's workers fit")
    if ratings:
        refuse_given(_OF_EEG, "is for EEG, and of ratings none is read")


def _settings_for(path: Path | None, mains: float | None, quick: bool) -> Settings:
    found = read_settings(path, mains)
    if quick and found.prediction != PredictionSettings():
        raise SettingsError(
            f"--settings {path} has choices of [prediction], and --quick makes its own", remedy="leave one of them out"
        )
    return found.model_copy(update={"prediction": QUICK}) if quick else found


def _tell(outcome: Outcome, out: Path, seconds: float, console: Console) -> None:
    console.print(f"bundle {out} in {seconds:.1f} s: {describe(outcome.bundle)}")
    if (group := group_numbers(outcome)) is not None:
        console.print(group.verdict, style="" if group.synchronised else "yellow", highlight=False, soft_wrap=True)
    for note in gathered(outcome.notes):
        console.print(f"note: {note}", style="yellow", highlight=False, soft_wrap=True)
    for line in outcome.untold:
        console.print(f"--quick does not tell {line}", style="yellow", highlight=False, soft_wrap=True)
    tensors = outcome.bundle.manifest.tensors_sha256
    console.print(f"report {out / 'report.html'}; tensors sha256 {tensors}", style="dim")


def _of_excerpts(
    study: Path, out: Path | None, featurizer: Path | None, draws: int, quick: bool, only_check: bool, console: Console
) -> None:
    """Predict the ratings of a study of excerpts, or only check it, and tell."""
    others = [name for name in given_options() if name not in OPTIONS]
    refuse_given(others, "is for whole sounds and EEG, and this study is of rated excerpts")
    if only_check:
        tell_problems(study, check_excerpts(study), console)
        return
    out = _new(out)
    begin = time.perf_counter()
    components = (QUICK if quick else PredictionSettings()).n_components
    with Steps(console) as progress:

        def reader() -> Featurizer:
            return layers_for(featurizer, ALL_CORES, progress)

        outcome = calibrate_excerpts(study, out, reader, progress, components=components, draws=draws)
    console.print(f"{len(outcome.study.excerpts)} excerpts in {time.perf_counter() - begin:.1f} s")
    for line in told(outcome):
        console.print(line, highlight=False, soft_wrap=True)
    console.print(f"report {out / 'report.html'}", style="dim")


def _tell_ratings(outcome: RatedOutcome, out: Path, seconds: float, console: Console) -> None:
    manifest = outcome.bundle.manifest
    console.print(f"bundle {out} in {seconds:.1f} s: ratings, {outcome.stimuli} fitted, {manifest.featurizer.identity}")
    for line in summary(outcome):
        console.print(line, highlight=False, soft_wrap=True)
    for note in gathered(outcome.notes):
        console.print(f"note: {note}", style="yellow", highlight=False, soft_wrap=True)
    console.print(f"report {out / 'report.html'}; tensors sha256 {manifest.tensors_sha256}", style="dim")


def _rating_written(outcome: RatedOutcome, out: Path, progress: Callable[[str], None]) -> RatedOutcome:
    """Write bundle and report into the folder ``out``, and return the outcome with the bundle as it was saved."""
    progress("report")
    reported = outcome.bundle.manifest.model_copy(update={"report": rating_numbers(outcome)})
    manifest = save_bundle(replace(outcome.bundle, manifest=reported), out)
    outcome = replace(outcome, bundle=replace(outcome.bundle, manifest=manifest))
    write_rating_report(outcome, out / "report.html")
    return outcome


def _written(outcome: Outcome, out: Path, progress: Callable[[str], None]) -> Outcome:
    """Write bundle and report into the folder ``out``, and return the outcome with the bundle as it was saved."""
    progress("report")
    reported = outcome.bundle.manifest.model_copy(update={"report": asdict(report_numbers(outcome))})
    manifest = save_bundle(replace(outcome.bundle, manifest=reported), out)
    outcome = replace(outcome, bundle=replace(outcome.bundle, manifest=manifest))
    write_report(outcome, out / "report.html")
    shutil.rmtree(out / KEPT, ignore_errors=True)
    return outcome


def layer_of(text: str) -> int | Literal["auto"]:
    """Return the layer that ``--layer`` names; SettingsError if it is none."""
    if text == AUTO:
        return "auto"
    if not (text.isascii() and text.isdigit() and len(text) < 5):
        raise SettingsError(f"--layer {text}: expected auto, or a number from 0")
    return int(text)


def _new(out: Path | None) -> Path:
    """Return the bundle's folder; raises SettingsError if there is none, or something is there."""
    if out is None:
        raise SettingsError("where to? name the bundle's folder with --out, or use --check to look at the study only")
    check_new_folder(out, "--out")
    return out


def _several(featurizers: str, featurizer: Path | None) -> list[Path | None]:
    """Return the featurizers that are compared, the bundle's first; raises SettingsError if one is named twice."""
    names = names_in(featurizers)
    if not names:
        return [featurizer]
    if featurizer is not None:
        raise SettingsError(
            f"--featurizer {featurizer} and --featurizers {featurizers}: expected one of them; the first of several is "
            "the bundle's",
            remedy="leave --featurizer out",
        )
    if len(set(names)) < len(names):
        raise SettingsError(f"--featurizers {featurizers}: one is named twice", remedy="name each once")
    return [Path(name) for name in names]


def region_space(head: Path | None, channels: tuple[str, ...], progress: Callable[[str], None]) -> RegionSpace:
    """Return the space of the operator in ``head``, or of one that is made for ``channels`` where that is None."""
    if head is not None:
        return RegionSpace(load_operator(head))
    progress(f"head model of {len(channels)} channels")
    return RegionSpace(operator_for(channels, progress))


def describe(bundle: Bundle) -> str:
    """Return in words what the bundle is and how well it predicts."""
    manifest, scores = bundle.manifest, bundle.manifest.scores
    fitted = [s for s in manifest.stimuli if s.fitted]
    rows = [r for r in scores.r if r is not None]
    each, mean = ("none" if r is None else f"{r:.2f}" for r in (sum(rows) / len(rows) if rows else None, scores.r_mean))
    return (
        f"{describe_rows(bundle.space)}, {len(fitted)} sounds fitted, {manifest.featurizer.identity}; held-out r "
        f"{scores.r_is} {each} (mean over rows), {mean} (of the mean over {bundle.space.mean_of}), "
        f"{scores.steps} steps in {scores.folds} folds"
    )


def describe_rows(space: Space) -> str:
    """Return in words how many rows of each kind there are."""
    counts = Counter(space.row_kinds)
    return ", ".join(f"{n} {kind}{'s' if n > 1 else ''}" for kind, n in counts.items())
