"""The default featurizer: the encoder of Moonshine tiny, cut after one layer, or all its layers from one pass.

The weights lie inside the wheel ``moonshine-voice==0.0.49`` (MIT), so nothing is downloaded. Moonshine tiny is a
*supervised* English speech recogniser, not a self-supervised model such as wav2vec 2.0: it is what a computer without
internet can have, and the manifest of the result says so.

The frame grid. Raw 16 kHz sound passes three convolutions without padding: (kernel, stride) = (127, 64), (7, 3),
(3, 2). Their product of strides is 384 samples (24 ms, 41.67 frames/s) and their receptive field
127 + 6 * 64 + 2 * 192 = 895 samples (55.9 ms): frame i sees samples [384 i, 384 i + 895) and is centred on
384 i + 447. Six transformer layers with full (not causal) attention over the context follow.

State. The newest four seconds of sound are kept; with the new second they are the context, shorter at the start.

What is averaged. The newest ``POOLED_FRAMES`` = 41 frames. In a context of 5 s (80 000 samples, 207 frames) these are
the frames 166 to 206: exactly those whose centres lie within the newest second. A context of 1 s has only 40 frames,
and all of them are averaged. The last up to 383 samples of a context that fill no frame are not seen (none at 5 s).

Loudness. A group normalisation over the whole context follows the first convolution, so the features tell how loud a
moment is against the 5 s around it, and little about absolute level.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from models.files import write_atomically
from models.graph import needed_nodes
from rtaffect.common.errors import ArtifactError
from rtaffect.common.files import sha256_of
from rtaffect.predicted.featurizer import embedded_asset
from rtaffect.predicted.manifest import MANIFEST_KEY, SAMPLE_RATE, FeaturizerManifest, StatePart

if TYPE_CHECKING:
    import onnx

SOURCE = "moonshine-voice==0.0.49 tiny-en/encoder_model.ort"
SOURCE_ASSET = "tiny-en/encoder_model.ort"
SOURCE_SHA256 = "94e90a4654fc45cdfedb77c4c08e1739f48862998e58fada384b25118134f221"
N_LAYERS = 6
HIDDEN_SIZE = 288
FRAME_STRIDE = 64 * 3 * 2
POOLED_FRAMES = 41
CONTEXT_S = 5

_KEPT = StatePart(name="audio", dtype="float32", keep=(CONTEXT_S - 1) * SAMPLE_RATE, made=(SAMPLE_RATE, SAMPLE_RATE))
_OPSETS = {"": 18, "com.microsoft": 1}
_IR_VERSION = 10
_GRAPH_INPUTS = ("input_values", "attention_mask")
#: Of the slice of the newest frames.
_BOUNDS = {"rtaffect/start": -POOLED_FRAMES, "rtaffect/stop": 2**31 - 1, "rtaffect/time_axis": 1}
_NOTE = (
    "Encoder of a supervised English speech recogniser, not a self-supervised model. Full attention over the context; "
    "level is normalised over the context. Mean of the newest 41 frames of 24 ms."
)


def build(target: Path, layer: int | None = 2, progress: Callable[[str], None] = print) -> Path:
    """Write the featurizer of one layer, or of all, to ``target`` and return that path.

    The same source gives the same bytes (seen with onnxruntime 1.23.2 and 1.31.1). The file is written beside the
    target and moved into place, so that processes which build at the same time each leave a whole file.

    Parameters
    ----------
    target
        The ONNX file to write: inputs ``audio`` float32 (n_samples,), the newest second at 16 kHz, and ``state.audio``,
        the four before; output ``features`` float32 (288,), the mean of the hidden states of the newest frames (see
        the module's text), or (6, 288) for all layers.
    layer
        0 to 5: the residual stream after that transformer layer. For 5, the last, the final layer normalisation is
        included, as in the ``last_hidden_state`` of the transformers library. None: all of them, in order.
    progress
        Called with one line of text per stage.
    """
    tensors = [layer_tensor(k) for k in (range(N_LAYERS) if layer is None else (layer,))]
    source = verified_source()
    what = "all layers" if layer is None else f"layer {layer}"
    progress(f"Building the Moonshine tiny featurizer, {what}, from {SOURCE}")
    model = encoder_graph(source)
    for tensor in tensors:
        require_tensor(model, tensor)
    featurizer = pooled_featurizer(model, tensors, manifest_for(layer))
    write_atomically(target, featurizer.SerializeToString(deterministic=True))
    progress(f"Wrote {target}")
    return target


def layer_tensor(layer: int) -> str:
    """Return the name of the tensor, (1, frames, 288), that holds the hidden states after ``layer``."""
    if not 0 <= layer < N_LAYERS:
        raise ArtifactError(f"layer {layer}: Moonshine tiny has the layers 0 to {N_LAYERS - 1}; choose one of them")
    return "last_hidden_state" if layer == N_LAYERS - 1 else f"/layers.{layer}/Add_1_output_0"


def manifest_for(layer: int | None) -> FeaturizerManifest:
    """Return what the built file says of itself."""
    return FeaturizerManifest(
        format_version=2,
        family="moonshine",
        name="moonshine-tiny",
        source=SOURCE,
        source_sha256=SOURCE_SHA256,
        layer=layer,
        n_layers=N_LAYERS,
        hidden_size=HIDDEN_SIZE,
        sample_rate=SAMPLE_RATE,
        frame_rate=SAMPLE_RATE / FRAME_STRIDE,
        context_s=CONTEXT_S,
        mode="windowed",
        normalisation="context",
        state=(_KEPT,),
        licence="MIT",
        note=_NOTE,
    )


def verified_source() -> Path:
    """Return the path of the encoder inside the installed wheel, its content checked."""
    path = embedded_asset(SOURCE_ASSET)
    found = sha256_of(path)
    if found != SOURCE_SHA256:
        raise ArtifactError(
            f"{path}: sha256 is {found[:12]}..., expected {SOURCE_SHA256[:12]}... of {SOURCE}; "
            'reinstall it: pip install --force-reinstall "moonshine-voice==0.0.49"'
        )
    return path


def encoder_graph(source: Path) -> onnx.ModelProto:
    """Return the whole encoder as ordinary ONNX: onnxruntime re-saves its own .ort format, unoptimised."""
    try:
        import onnx
        import onnxruntime as ort
    except ImportError as error:
        raise ArtifactError(
            f'building the default featurizer needs {error.name}; pip install "rtaffect[cpu,embedded]"'
        ) from error
    with tempfile.TemporaryDirectory() as folder:
        resaved = Path(folder) / "encoder.onnx"
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.optimized_model_filepath = str(resaved)
        options.log_severity_level = 3
        ort.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
        return onnx.load(resaved)


def require_tensor(model: onnx.ModelProto, tensor: str) -> None:
    """Raise ArtifactError unless the graph has the inputs and the layer's tensor under the names known here."""
    inputs = tuple(value.name for value in model.graph.input)
    produced = {name for node in model.graph.node for name in node.output}
    if inputs == _GRAPH_INPUTS and tensor in produced:
        return
    missing = tensor if inputs == _GRAPH_INPUTS else f"inputs {_GRAPH_INPUTS}, found {inputs}"
    raise ArtifactError(
        f"the encoder graph of {SOURCE} lacks {missing}: this onnxruntime re-saves it differently; "
        'pip install "onnxruntime>=1.23,<1.32"'
    )


def pooled_featurizer(model: onnx.ModelProto, tensors: Sequence[str], manifest: FeaturizerManifest) -> onnx.ModelProto:
    """Return a new model: ``audio`` to the mean of the newest frames of each of ``tensors``.

    Only what the tensors depend on is kept. Everything that depends on the version of onnxruntime that re-saved the
    graph and not on the model (producer, opset list, texts, order of initializers) is written anew, so that the bytes
    depend on the model alone.
    """
    from onnx import helper

    kept = needed_nodes(model.graph.node, tensors)
    for node in kept:
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
    names = {name for node in kept for name in node.input}
    weights = sorted((w for w in model.graph.initializer if w.name in names), key=lambda weight: weight.name)
    graph = helper.make_graph(
        [*_input_nodes(), *kept, *_pooling_nodes(tensors)],
        f"{manifest.name}-{'all-layers' if manifest.layer is None else f'layer-{manifest.layer}'}",
        [
            helper.make_tensor_value_info("audio", 1, ["n_samples"]),
            helper.make_tensor_value_info("state.audio", 1, ["n_audio"]),
        ],
        [
            helper.make_tensor_value_info("features", 1, manifest.features_shape),
            helper.make_tensor_value_info("new.audio", 1, ["n_samples"]),
        ],
        weights,
    )
    opsets = [helper.make_opsetid(domain, version) for domain, version in _OPSETS.items()]
    cut = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="rtaffect")
    helper.set_model_props(cut, {MANIFEST_KEY: manifest.model_dump_json()})
    return cut


def _input_nodes() -> list[onnx.NodeProto]:
    """Return the nodes that make the encoder's two inputs from kept and new sound: all of it, and a mask of ones."""
    from onnx import TensorProto, helper

    one = helper.make_tensor("one", TensorProto.INT64, [1], [1])
    zero = helper.make_tensor("zero", TensorProto.INT64, [1], [0])
    return [
        helper.make_node("Identity", ["audio"], ["new.audio"], name="rtaffect/new"),
        helper.make_node("Concat", ["state.audio", "audio"], ["rtaffect/context"], name="rtaffect/context", axis=0),
        helper.make_node("Constant", [], ["rtaffect/first_axis"], name="rtaffect/first_axis", value=zero),
        helper.make_node(
            "Unsqueeze", ["rtaffect/context", "rtaffect/first_axis"], [_GRAPH_INPUTS[0]], name="rtaffect/audio"
        ),
        helper.make_node("Shape", [_GRAPH_INPUTS[0]], ["rtaffect/audio_shape"], name="rtaffect/audio_shape"),
        helper.make_node(
            "ConstantOfShape", ["rtaffect/audio_shape"], [_GRAPH_INPUTS[1]], name="rtaffect/mask", value=one
        ),
    ]


def _pooling_nodes(tensors: Sequence[str]) -> list[onnx.NodeProto]:
    """Return the nodes from ``tensors``, each (1, frames, 288), to ``features``: the mean of the newest frames of each.

    Of one tensor (288,), of several (len(tensors), 288). A slice from -41 starts at the first frame where there are
    fewer than 41.
    """
    from onnx import helper

    nodes = [_constant(name, value) for name, value in _BOUNDS.items()]
    marks = [f".{k}" for k in range(len(tensors))] if len(tensors) > 1 else [""]
    rows = [f"rtaffect/pooled{mark}" for mark in marks]
    batch = "rtaffect/batch_axis"
    if len(tensors) == 1:
        nodes.append(_constant(batch, 0))
        last = helper.make_node("Squeeze", [*rows, batch], ["features"], name="rtaffect/features")
    else:
        last = helper.make_node("Concat", rows, ["features"], name="rtaffect/features", axis=0)
    for tensor, mark, row in zip(tensors, marks, rows, strict=True):
        newest = f"rtaffect/newest{mark}"
        nodes += [
            helper.make_node("Slice", [tensor, *_BOUNDS], [newest], name=newest),
            helper.make_node("ReduceMean", [newest, "rtaffect/time_axis"], [row], name=row, keepdims=0),
        ]
    return [*nodes, last]


def _constant(name: str, value: int) -> onnx.NodeProto:
    from onnx import TensorProto, helper

    tensor = helper.make_tensor(name, TensorProto.INT64, [1], [value])
    return helper.make_node("Constant", [], [name], name=name, value=tensor)
