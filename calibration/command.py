"""The command ``calibrate``."""

from __future__ import annotations

import time
from pathlib import Path

import click
from rich.console import Console

from calibration.calibrate import calibrate
from calibration.study import FolderStudy
from rtaffect.bundle import Bundle, save_bundle
from rtaffect.featurizer import ALL_CORES, featurizer_for
from rtaffect.settings import PredictionSettings, Settings

#: Few lags and components, for a study of a few minutes.
QUICK = PredictionSettings(n_components=4, lags_s=(0, 3, 6, 9))


@click.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the bundle to be written.")
@click.option("--name", default=None, help="Name of the bundle; default: the folder's.")
@click.option("--featurizer", type=click.Path(path_type=Path), help="ONNX featurizer; default: the embedded one.")
@click.option(
    "--mains",
    type=click.FloatRange(min=0),
    default=50.0,
    show_default=True,
    help="Mains frequency, Hz; 0 for no notch.",
)
@click.option("--quick", is_flag=True, help="Every stage with few components and lags.")
def command(study: Path, out: Path, name: str | None, featurizer: Path | None, mains: float, quick: bool) -> None:
    """Fit a bundle (weights and references) to STUDY, a folder with study.toml, sounds and recordings."""
    console, begin = Console(log_path=False), time.perf_counter()
    settings = Settings()
    settings = settings.model_copy(
        update={
            "signal": settings.signal.model_copy(update={"mains_hz": mains}),
            "prediction": QUICK if quick else settings.prediction,
        }
    )
    with console.status("reading the study") as status:

        def progress(text: str) -> None:
            status.update(text)
            console.log(text)

        loaded = FolderStudy(study)
        bundle = calibrate(
            loaded, featurizer_for(featurizer, ALL_CORES, progress), settings, name or out.name, progress
        )
        manifest = save_bundle(bundle, out)
    console.print(f"bundle {out} in {time.perf_counter() - begin:.1f} s: {describe(bundle)}")
    console.print(f"tensors sha256 {manifest.tensors_sha256}", style="dim")


def describe(bundle: Bundle) -> str:
    """Return in words what the bundle is and how well it predicts."""
    manifest, scores = bundle.manifest, bundle.manifest.scores
    fitted = [s for s in manifest.stimuli if s.fitted]
    return (
        f"{len(manifest.rows)} rows, {len(fitted)} sounds fitted, {manifest.featurizer.identity}; held-out r "
        f"{sum(scores.r) / len(scores.r):.2f} (mean over rows), {scores.r_mean:.2f} (of the mean of rows), "
        f"{scores.steps} steps in {scores.folds} folds"
    )
