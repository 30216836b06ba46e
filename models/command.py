"""The command ``export``: from a speech encoder to a featurizer file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click
from rich.console import Console

from models.catalogue import find
from models.checkpoint import Checkpoint, open_checkpoint
from models.embedded import BUILDERS, Builder
from models.encoder import Design
from models.export import Report, check_design, export, frozen_statistics
from models.graph import Precision
from models.single_layer import single_layer
from rtaffect.common.errors import SettingsError
from rtaffect.common.given import given_options, refuse_given
from rtaffect.common.option_types import FilePath, Whole
from rtaffect.common.places import check_new_file
from rtaffect.common.terminal import Terminal
from rtaffect.predicted.featurizer import Featurizer, embedded_asset
from rtaffect.stream.audio import read_sound

#: The sound of a report where none is given.
READ_SPEECH = "two_cities.wav"

#: Parameters that an embedded model, which is made as it is, has no use for.
_OF_CHECKPOINTS = ("revision", "lookahead", "statistics", "norm_audio", "fidelity", "fidelity_audio")

_file = FilePath(dir_okay=False)


@click.command("export")
@click.option(
    "--model",
    required=True,
    help="A short name (see 'featurizers'), OWNER/NAME on the hub, a folder, or an ONNX file of all layers.",
)
@click.option("--revision", help="Commit, branch or tag on the hub; default: the catalogue's.")
@click.option("--layer", type=Whole(-1, 10_000), help="Transformer block, counted from 0.")
@click.option("--layers", type=click.Choice(["all"]), help="A calibration graph: every layer's mean from one pass.")
@click.option("--mode", type=click.Choice(["causal", "windowed"]), help="[default: causal; an embedded model's own]")
@click.option("--context", type=Whole(1, 3600), help="Sound that is seen, s.  [default: 10; an embedded model's own]")
@click.option(
    "--lookahead", type=Whole(0, 10_000), default=0, show_default=True, help="Causal mode: frames (20 ms) seen ahead."
)
@click.option("--precision", type=click.Choice(["fp32", "int8", "fp16"]), default="fp32", show_default=True)
@click.option(
    "--statistics",
    type=click.Choice(["running", "frozen"]),
    help="What levels the sound: the newest context, or a reference.  [default: running; frozen with --norm-audio]",
)
@click.option("--norm-audio", multiple=True, type=_file, help="Reference sound for frozen statistics; several add up.")
@click.option(
    "--fidelity",
    type=click.Choice(["all", "own", "none"]),
    default="all",
    show_default=True,
    help="Compare with the whole clip: all modes and contexts, this one, or not at all. Needs torch.",
)
@click.option("--fidelity-audio", type=_file, help="Sound for that; default: the first --norm-audio, else read speech.")
@click.option("--out", type=_file, required=True, help="The ONNX file to write.")
def command(
    model: str,
    revision: str | None,
    layer: int | None,
    layers: str | None,
    mode: Literal["causal", "windowed"] | None,
    context: int | None,
    lookahead: int,
    precision: Precision,
    statistics: str | None,
    norm_audio: tuple[Path, ...],
    fidelity: str,
    fidelity_audio: Path | None,
    out: Path,
) -> None:
    """Turn a speech encoder into a streaming featurizer: wav2vec 2.0, HuBERT, WavLM, or an embedded one."""
    console = Terminal(log_path=False)
    if (layer is None) == (layers is None):
        raise SettingsError("which layer? expected either --layer K, counted from 0, or --layers all")
    if out.suffix != ".onnx":
        raise SettingsError(f"--out {out}: expected a name that ends in .onnx")
    check_new_file(out, "--out")
    known = find(model)
    if fidelity == "none":
        refuse_given(["fidelity_audio"], "is the sound of a comparison, and with --fidelity none there is none")
    if known is not None and known.hub_name is None:
        refuse_given(_OF_CHECKPOINTS, f"is for checkpoints of other encoders, and {model} does not use it")
        builder = BUILDERS[known.name]
        _check_embedded(builder, mode, context, precision)
        builder.build(out, layer, console.log)
        return
    if model.endswith(".onnx"):
        _cut(Path(model), layer, out, console)
        return
    checkpoint = open_checkpoint(model, revision, console.log)
    if norm_audio and statistics == "running":
        raise SettingsError("--norm-audio gives frozen statistics; leave --statistics running away")
    frozen = frozen_statistics(norm_audio) if norm_audio or statistics == "frozen" else None
    design = Design(mode or "causal", layer, context or 10, lookahead, precision, frozen)
    sound = fidelity_audio or next(iter(norm_audio), None)
    _export(checkpoint, design, out, fidelity, sound, console)


def _export(
    checkpoint: Checkpoint, design: Design, out: Path, fidelity: str, sound: Path | None, console: Console
) -> None:
    """Write a featurizer with the figures of how near it comes to the whole clip, if these are asked for."""
    check_design(checkpoint, design)
    if checkpoint.untrained:
        console.log("these weights look untrained (random): neither features nor fidelity figures mean anything")
    report = None
    if fidelity != "none":
        report = _fidelity(checkpoint, design, sound, fidelity == "all", console)
        _plot(checkpoint, design, report, out.with_suffix(".fidelity.png"))
    export(checkpoint, design, out, report, console.log)
    _describe(out, console)


def _cut(source: Path, layer: int | None, out: Path, console: Console) -> None:
    """Write one layer of a file of all layers, in which everything else has been decided."""
    asked = set(given_options()) - {"model", "layer", "out"}
    if layer is None or asked:
        raise SettingsError(
            f"--model {source}: out of all layers one can be cut, nothing else; pass --layer K and --out alone"
        )
    single_layer(source, layer, out, console.log)
    _describe(out, console)


def _describe(out: Path, console: Console) -> None:
    featurizer = Featurizer.load(out, progress=console.log)
    console.print(featurizer.describe_cost(featurizer.cost_s()))
    console.print(
        f"{featurizer.identity}, licence {featurizer.manifest.licence}, sha256 {featurizer.sha256}", style="dim"
    )


def _fidelity(checkpoint: Checkpoint, design: Design, sound: Path | None, every: bool, console: Console) -> Report:
    """Return the figures of the design, or of all modes and contexts, and print them."""
    from models.fidelity import designs_to_compare, measure

    heard = read_sound(sound or embedded_asset(READ_SPEECH))[0]
    figures = measure(checkpoint, designs_to_compare(design) if every else [design], heard, console.log)
    for figure in figures:
        console.print(
            f"{figure.mode}, context {figure.context_s} s, look-ahead {figure.lookahead}: r {figure.r:.3f} "
            f"(10 %: {figure.r_low:.3f}), CKA {figure.cka:.3f}"
        )
    return Report(tuple(figures), sound.name if sound else f"{READ_SPEECH} of moonshine-voice")


def _plot(checkpoint: Checkpoint, design: Design, report: Report, path: Path) -> None:
    from models.fidelity import plot

    layer = "last layer" if design.layer is None else f"layer {design.layer}"
    title = f"{checkpoint.name}, {layer}, {design.precision}: streamed against whole clip ({report.sound})"
    plot(report.figures, title + (", UNTRAINED weights" if checkpoint.untrained else ""), path)


def _check_embedded(builder: Builder, mode: str | None, context: int | None, precision: str) -> None:
    """Refuse what an embedded model, which is made as it is, does not have."""
    asked: dict[str, tuple[object, object]] = {
        "--mode": (mode or builder.mode, builder.mode),
        "--context": (context or builder.context_s, builder.context_s),
        "--precision": (precision, "fp32"),
    }
    for option, (value, only) in asked.items():
        if value != only:
            raise SettingsError(f"{option} {value}: {builder.model.name} exists as {only} only; pass {option} {only}")
