"""From a checkpoint to a featurizer file: builds the graph, completes the manifest, writes both."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from models.encoder import AFTER, BEFORE, MOST_LOOKAHEAD, Design, EncoderGraph
from models.files import write_atomically
from models.frontend import FRAMES_PER_S, KERNELS, moments_of
from models.graph import require_onnx
from rtaffect.common.errors import ArtifactError, SettingsError
from rtaffect.predicted.featurizer import Progress
from rtaffect.predicted.manifest import MANIFEST_KEY, FeaturizerManifest, Fidelity
from rtaffect.stream.audio import read_sound

if TYPE_CHECKING:
    import onnx

    from models.checkpoint import Checkpoint


LONGEST_CONTEXT_S = 60
#: Statistics of 44 s of read speech (the wheel's ``two_cities.wav``), as :func:`models.frontend.moments_of` gives them.
_DEFAULT_STATISTICS = Path(__file__).with_name("statistics.json")


def check_design(checkpoint: Checkpoint, design: Design) -> None:
    """Raise SettingsError for what this checkpoint cannot give, ArtifactError for one that cannot be exported."""
    width = checkpoint.config["num_conv_pos_embeddings"]
    if width != BEFORE + AFTER + 1:
        raise ArtifactError(
            f"{checkpoint.name}: num_conv_pos_embeddings is {width}, which cannot be exported; expected "
            f"{BEFORE + AFTER + 1}: take another checkpoint"
        )
    layers = int(checkpoint.config["num_hidden_layers"])
    if design.layer is not None and not 0 <= design.layer < layers:
        raise SettingsError(
            f"--layer {design.layer}: {checkpoint.name} has the layers 0 to {layers - 1}; choose one of them"
        )
    if not 2 <= design.context_s <= LONGEST_CONTEXT_S:
        raise SettingsError(
            f"--context {design.context_s}: expected 2 to {LONGEST_CONTEXT_S} s; features come once a second"
        )
    if not 0 <= design.lookahead <= MOST_LOOKAHEAD:
        raise SettingsError(
            f"--lookahead {design.lookahead}: expected 0 to {MOST_LOOKAHEAD} frames of {1000 // FRAMES_PER_S} ms"
        )
    if design.lookahead and design.mode == "windowed":
        raise SettingsError(
            f"--lookahead {design.lookahead}: windowed mode sees the whole context; leave it away, or use --mode causal"
        )


def frozen_statistics(sounds: Sequence[Path]) -> NDArray[np.float64]:
    """Return the statistics of reference sounds taken together, or the shipped ones where there are none, (114,)."""
    if not sounds:
        return np.array(json.loads(_DEFAULT_STATISTICS.read_text(encoding="utf-8")), np.float64)
    total = np.sum([moments_of(read_sound(sound)[0]) for sound in sounds], axis=0, dtype=np.float64)
    return np.asarray(total, np.float64)


@dataclass(frozen=True)
class Report:
    """Figures from :func:`models.fidelity.measure`, and the name of the sound that they were measured on."""

    figures: tuple[Fidelity, ...] = ()
    sound: str = ""


def manifest_for(
    checkpoint: Checkpoint, design: Design, graph: EncoderGraph, report: Report | None = None
) -> FeaturizerManifest:
    """Return what the file says of itself."""
    levels = checkpoint.config["feat_extract_norm"] == "group" or checkpoint.do_normalize
    normalisation: Literal["running", "frozen", "none"] = "none"
    if levels:
        normalisation = "running" if design.frozen is None else "frozen"
    note = "Weights look untrained (random): features mean nothing." if checkpoint.untrained else ""
    return FeaturizerManifest(
        format_version=2,
        family=checkpoint.family,
        name=checkpoint.name,
        source=checkpoint.source,
        revision=checkpoint.revision,
        source_sha256=checkpoint.sha256,
        layer=design.layer,
        paper_layer=None if design.layer is None else len(KERNELS) + design.layer + 1,
        n_layers=int(checkpoint.config["num_hidden_layers"]),
        hidden_size=int(checkpoint.config["hidden_size"]),
        sample_rate=16000,
        frame_rate=float(FRAMES_PER_S),
        mode=design.mode,
        context_s=design.context_s,
        lookahead=design.lookahead,
        precision=design.precision,
        normalisation=normalisation,
        statistics={} if design.frozen is None else {"moments": tuple(design.frozen.tolist())},
        state=graph.state,
        untrained=checkpoint.untrained,
        fidelity=report.figures if report else (),
        fidelity_sound=report.sound if report else "",
        licence=checkpoint.licence,
        note=note,
    )


def with_manifest(model: onnx.ModelProto, manifest: FeaturizerManifest) -> bytes:
    """Return the file's content: the model with its manifest in it."""
    require_onnx().helper.set_model_props(model, {MANIFEST_KEY: manifest.model_dump_json()})
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def write_featurizer(model: onnx.ModelProto, manifest: FeaturizerManifest, out: Path, progress: Progress) -> None:
    """Write the model to ``out``, and its manifest as TOML beside it."""
    try:
        import tomli_w
    except ImportError as error:
        raise ArtifactError('an export needs tomli-w; pip install "rtaffect[export]"') from error
    content = with_manifest(model, manifest)
    write_atomically(out, content)
    table = manifest.model_dump(mode="json", exclude_none=True)
    write_atomically(out.with_suffix(".toml"), tomli_w.dumps(table).encode())
    progress(f"wrote {out} ({len(content) / 1e6:.1f} MB) and {out.with_suffix('.toml').name}")


def export(
    checkpoint: Checkpoint,
    design: Design,
    out: Path,
    report: Report | None = None,
    progress: Progress = print,
) -> FeaturizerManifest:
    """Write the featurizer of one design of a checkpoint.

    Parameters
    ----------
    checkpoint, design
        From what, and what.
    out
        The ONNX file; a TOML file of the same name holds the manifest.
    report
        Figures of fidelity for the manifest.

    Raises
    ------
    SettingsError
        If the checkpoint cannot give this design.
    ArtifactError
        If a weight is missing, or the file cannot be written.
    """
    check_design(checkpoint, design)
    graph = EncoderGraph(checkpoint, design)
    model = graph.build()
    manifest = manifest_for(checkpoint, design, graph, report)
    write_featurizer(model, manifest, out, progress)
    return manifest
