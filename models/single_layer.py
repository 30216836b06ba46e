"""One layer's featurizer out of one that gives all layers.

Layers are compared with one file, and a session runs another, which ends after the chosen layer. That one is cut out of
the first: the same weights, without the later layers and what they carry from call to call. Nothing is downloaded or
exported again, and its features are the layer's row of those of all layers.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from models.embedded import BUILDERS, builder_of
from models.export import write_featurizer
from models.frontend import KERNELS
from models.graph import needed_nodes, require_onnx
from rtaffect.common.errors import ArtifactError, SettingsError
from rtaffect.common.files import sha256_of
from rtaffect.predicted.embedded import named_model
from rtaffect.predicted.featurizer import DEFAULT, Progress
from rtaffect.predicted.featurizer_file import (
    CPU,
    check_signature,
    featurizer_content,
    open_inference_session,
    read_manifest,
)
from rtaffect.predicted.manifest import FeaturizerManifest

if TYPE_CHECKING:
    import onnx


def single_layer(source: Path | None, layer: int, target: Path, progress: Progress = print) -> Path:
    """Write the featurizer of one layer of ``source`` to ``target`` and return that path.

    The same source gives the same bytes. For an embedded model they are those that it is built with. An exported one
    becomes what ``export`` with ``--layer`` gives, up to rounding; in windowed mode that is a little
    faster, since its last block asks for the newest frames only.

    Parameters
    ----------
    source
        A featurizer file of all layers; the name of an embedded model, or None for the default one.
    layer
        Which transformer block, from 0.
    target
        The ONNX file to write; of an exported one the manifest stands beside it as TOML.
    progress
        Called with one line of text per stage.

    Raises
    ------
    SettingsError
        If there is no such layer.
    ArtifactError
        If ``source`` cannot be read or does not give all layers, or ``target`` cannot be written.
    """
    source = Path(DEFAULT.name) if source is None else source
    if named := named_model(source):
        return BUILDERS[named[0].name].build(target, layer, progress)
    content = featurizer_content(source)
    manifest = _manifest_of(source, content, layer)
    if builder := builder_of(manifest):
        return builder.build(target, layer, progress)
    progress(f"Cutting layer {layer} out of {source} ({sha256_of(content)[:12]}...)")
    model = require_onnx().load_from_string(content)
    parts = _cut(model, manifest, layer, source)
    write_featurizer(model, _of_layer(manifest, layer, parts), target, progress)
    return target


def _of_layer(manifest: FeaturizerManifest, layer: int, parts: set[str]) -> FeaturizerManifest:
    """Return what a layer's file says of itself, without figures of fidelity: those are of the last layer."""
    change = {
        "layer": layer,
        "paper_layer": len(KERNELS) + layer + 1,
        "state": tuple(part for part in manifest.state if part.name in parts),
        "fidelity": (),
        "fidelity_sound": "",
    }
    return manifest.model_copy(update=change)


def _manifest_of(source: Path, content: bytes, layer: int) -> FeaturizerManifest:
    session = open_inference_session(source, content, 1, CPU)
    manifest = read_manifest(session, source)
    check_signature(session, manifest, source)
    if manifest.layer is not None:
        raise ArtifactError(
            f"{source}: gives {manifest.feature_set} alone, from which no other layer can be cut; expected a file that "
            "was exported with --layers all"
        )
    if not 0 <= layer < manifest.n_layers:
        raise SettingsError(
            f"--layer {layer}: {manifest.name} has the layers 0 to {manifest.n_layers - 1}; choose one of them"
        )
    return manifest


def _cut(model: onnx.ModelProto, manifest: FeaturizerManifest, layer: int, source: Path) -> set[str]:
    """Leave of the graph what ``layer`` needs, and return the names of the parts of the state that are left."""
    helper, graph = require_onnx().helper, model.graph
    row = _row(model, manifest, layer, source)
    nodes, kept = _needed(model, row, [part.name for part in manifest.state])
    used = {value for node in nodes for value in node.input}
    axis = helper.make_tensor("single/axis", 7, [1], [0])
    nodes.append(helper.make_node("Squeeze", [row, axis.name], ["features"], name="single/features"))
    features = helper.make_tensor_value_info("features", 1, [manifest.hidden_size])
    inputs = [value for value in graph.input if value.name in used]
    outputs = [value for value in graph.output if value.name in {f"new.{name}" for name in kept}]
    weights = [axis, *(weight for weight in graph.initializer if weight.name in used)]
    model.graph.CopyFrom(helper.make_graph(nodes, graph.name, inputs, [features, *outputs], weights))
    return kept


def _needed(model: onnx.ModelProto, row: str, names: list[str]) -> tuple[list[onnx.NodeProto], set[str]]:
    """Return the nodes that give ``row``, and of the state's parts those that they need."""
    kept: set[str] = set()
    while True:
        # What is carried to the next call is needed where that call needs it.
        nodes = needed_nodes(model.graph.node, [row, *(f"new.{name}" for name in kept)])
        used = {value for node in nodes for value in node.input}
        if kept == (found := {name for name in names if f"state.{name}" in used}):
            return nodes, kept
        kept = found


def _row(model: onnx.ModelProto, manifest: FeaturizerManifest, layer: int, source: Path) -> str:
    """Return the name of the layer's vector (1, hidden_size), which the graph joins with the others."""
    made = {value: node for node in model.graph.node for value in node.output}
    node = made.get("features")
    while node is not None and node.op_type == "Identity":
        node = made.get(node.input[0])
    if node is None or node.op_type != "Concat" or len(node.input) != manifest.n_layers:
        raise ArtifactError(
            f"{source}: its layers are not joined as rtaffect export does it; export with --layer {layer}"
        )
    return str(node.input[layer])
