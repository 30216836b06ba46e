"""The command ``calibrate``."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import click
from rich.console import Console

from calibration.calibrate import calibrate
from calibration.head.command import operator_for
from calibration.measured import Progress
from calibration.study import FolderStudy
from rtaffect.bundle import Bundle, save_bundle
from rtaffect.errors import SettingsError
from rtaffect.featurizer import ALL_CORES, featurizer_for
from rtaffect.settings import PredictionSettings, read_settings
from rtaffect.space_file import load_operator
from rtaffect.spaces import RegionSpace, Space

#: Few lags and components, for a study of a few minutes.
QUICK = PredictionSettings(n_components=4, lags_s=(0, 3, 6, 9))


_path = click.Path(path_type=Path)


@click.command()
@click.argument("study", type=_path)
@click.option("--out", required=True, type=_path, help="Folder of the bundle to be written.")
@click.option("--name", default=None, help="Name of the bundle; default: the folder's.")
@click.option("--featurizer", type=_path, help="ONNX featurizer; default: the embedded one.")
@click.option(
    "--space",
    type=click.Choice(["channels", "regions", "components"]),
    default="channels",
    show_default=True,
    help="What the rows are: channels, brain regions and zones of them, or correlated components.",
)
@click.option("--head", type=_path, help="Space operator for --space regions; default: made for the study's channels.")
@click.option("--mains", type=click.FloatRange(min=0), help="Mains frequency, Hz; 0 for no notch [default: 50].")
@click.option("--settings", type=_path, help="TOML with settings that are not to have their default.")
@click.option("--quick", is_flag=True, help="Every stage with few components and lags.")
def command(
    study: Path,
    out: Path,
    name: str | None,
    featurizer: Path | None,
    space: str,
    head: Path | None,
    mains: float | None,
    settings: Path | None,
    quick: bool,
) -> None:
    """Fit a bundle (weights and references) to STUDY, a folder with study.toml, sounds and recordings."""
    console, begin = Console(log_path=False), time.perf_counter()
    if head and space != "regions":
        raise SettingsError(f"--head {head} is for --space regions, but the space is {space}; leave one of them out")
    chosen = read_settings(settings, mains)
    if quick:
        chosen = chosen.model_copy(update={"prediction": QUICK})
    with console.status("reading the study") as status:

        def progress(text: str) -> None:
            status.update(text)
            console.log(text)

        loaded = FolderStudy(study)
        regions = region_space(head, loaded.channels(), progress) if space == "regions" else None
        reader = featurizer_for(featurizer, ALL_CORES, progress)
        bundle = calibrate(
            loaded, reader, chosen, name or out.name, progress, space=regions, components=space == "components"
        )
        manifest = save_bundle(bundle, out)
    console.print(f"bundle {out} in {time.perf_counter() - begin:.1f} s: {describe(bundle)}")
    console.print(f"tensors sha256 {manifest.tensors_sha256}", style="dim")


def region_space(head: Path | None, channels: tuple[str, ...], progress: Progress) -> RegionSpace:
    """Return the space of the operator in ``head``, or of one that is made for ``channels`` where that is None."""
    if head is not None:
        return RegionSpace(load_operator(head))
    progress(f"head model of {len(channels)} channels")
    return RegionSpace(operator_for(channels, progress))


def describe(bundle: Bundle) -> str:
    """Return in words what the bundle is and how well it predicts."""
    manifest, scores = bundle.manifest, bundle.manifest.scores
    fitted = [s for s in manifest.stimuli if s.fitted]
    return (
        f"{describe_rows(bundle.space)}, {len(fitted)} sounds fitted, {manifest.featurizer.identity}; held-out r "
        f"{sum(scores.r) / len(scores.r):.2f} (mean over rows), {scores.r_mean:.2f} (of the mean over "
        f"{bundle.space.mean_of}), {scores.steps} steps in {scores.folds} folds"
    )


def describe_rows(space: Space) -> str:
    """Return in words how many rows of each kind there are."""
    counts = Counter(space.row_kinds)
    return ", ".join(f"{n} {kind}{'s' if n > 1 else ''}" for kind, n in counts.items())
