"""Streaming graphs of wav2vec 2.0, HuBERT and WavLM, written from their weights alone.

One call takes the newest second of sound (16 000 samples) and the state, and gives the mean of one layer's hidden
states over the frames that this second made, and what is to be added to the state.

The frame grid. Seven convolutions without padding, strides 5 2 2 2 2 2 2, kernels 10 3 3 3 3 2 2: frame i sees the
samples [320 i, 320 i + 400), 50 frames/s. The last 320 samples are carried from call to call, so that frames stay on
this grid: the first second makes 49 frames, each later one 50, and the newest 15 ms wait for the next call.

``windowed``: front-end frames are computed once and kept; the transformer sees all frames of the context anew, with
full attention, as the transformers library does on the last ``context_s`` seconds. In the last layer only the new
frames ask.

``causal``: each call's frames are a block, which sees itself and the keys and values of the ``context_s - 1`` seconds
of frames before it, in each layer. The positional convolution (64 frames before, 63 after) takes what comes before
from kept frames and finds zeros after the block's end, as it does at the end of a clip. With a look-ahead of L frames
a block ends L frames before the newest one, and these L are computed beside it as its right context and not kept
(after Shi et al., *Emformer*, ICASSP 2021).

The state is rows: of each part the newest ``keep`` rows are given to the next call, fewer while there have not been as
many. Nothing stands in for sound that was not heard.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from models.attention import Attention
from models.frontend import FRAMES_MADE, FRAMES_PER_S, FrontEnd
from models.graph import Graph, Precision
from rtaffect.predicted.manifest import StatePart

if TYPE_CHECKING:
    import onnx

    from models.checkpoint import Checkpoint

#: Frames that the positional convolution sees before a frame, and after it.
BEFORE, AFTER = 64, 63
#: The first call makes 49 frames, of which at least one must not be look-ahead.
MOST_LOOKAHEAD = FRAMES_PER_S - 2


@dataclass(frozen=True)
class Design:
    """What is asked of an export.

    ``layer`` counts transformer blocks from 0, None means all of them; ``lookahead`` is in frames of 20 ms; ``frozen``
    holds the statistics that normalisation uses (see :func:`models.frontend.moments_of`), None lets them run along.
    """

    mode: Literal["causal", "windowed"]
    layer: int | None
    context_s: int = 10
    lookahead: int = 0
    precision: Precision = "fp32"
    frozen: NDArray[np.float64] | None = None


class EncoderGraph:
    """Writes the graph of one checkpoint for one design.

    With ``frames`` the graph also gives the hidden states themselves, as the output ``frames`` (n, width).
    :attr:`state` tells, after :meth:`build`, what the calls carry on.
    """

    def __init__(self, checkpoint: Checkpoint, design: Design, frames: bool = False) -> None:
        config = checkpoint.config
        self._checkpoint, self._design, self._frames = checkpoint, design, frames
        self._g = Graph(design.precision)
        self._width = int(config["hidden_size"])
        self._stable = bool(config["do_stable_layer_norm"])
        self._epsilon = float(config["layer_norm_eps"])
        self._layers = int(config["num_hidden_layers"])
        self._last = self._layers - 1 if design.layer is None else design.layer
        self._parts: dict[str, tuple[StatePart, str]] = {}

    @property
    def state(self) -> tuple[StatePart, ...]:
        """The parts of the state."""
        return tuple(part for part, _ in self._parts.values())

    def build(self) -> onnx.ModelProto:
        """Return the model, without metadata."""
        g, design = self._g, self._design
        causal = design.mode == "causal"
        audio = g.input("audio", "float32", ["n_samples"])
        new = FrontEnd(g, self._checkpoint, design.context_s, design.frozen, self._carry).frames(audio)
        past = FRAMES_PER_S * (design.context_s - 1)
        # HF's last context_s seconds have one frame less than 50 a second.
        keep = BEFORE + design.lookahead if causal else past - 1
        part = StatePart(name="frames", dtype="float32", shape=(self._width,), keep=keep, made=FRAMES_MADE)
        before = self._carry(part, new)
        frames = g.join(before, new)
        first = g.count(before)
        if causal:
            first = g.op("Max", g.op("Sub", first, g.ints(design.lookahead)), g.ints(0))
        asked = g.op("Sub", g.op("Sub", g.count(frames), g.ints(design.lookahead)), first)
        x = self._with_positions(frames, first if causal else g.ints(0))
        kept = None
        if causal:
            made = (FRAMES_MADE[0] - design.lookahead, FRAMES_MADE[1])
            kept = StatePart(name="kept", dtype="float32", shape=(self._width,), keep=past, made=made)
        attention = Attention(g, self._checkpoint, kept, FRAMES_PER_S * (design.context_s + 1), self._carry)
        newest = []
        for layer in range(self._last + 1):
            prune = not causal and design.layer is not None and layer == self._last
            x = self._block(x, layer, attention, asked, prune)
            if layer == self._last or design.layer is None:
                newest.append(self._asked(x, layer, asked))
        self._give(newest)
        return g.model(self._checkpoint.name)

    def _give(self, newest: list[str]) -> None:
        g = self._g
        means = [g.op("ReduceMean", frames, g.ints(0), keepdims=int(len(newest) > 1)) for frames in newest]
        if self._design.layer is None:
            g.output(g.join(*means), "features", "float32", [len(means), self._width])
        else:
            g.output(means[0], "features", "float32", [self._width])
        if self._frames:
            g.output(newest[-1], "frames", "float32", ["n_frames", self._width])
        for name, (part, made) in self._parts.items():
            g.output(made, f"new.{name}", part.dtype, [f"n_new_{name}", *part.shape])

    def _carry(self, part: StatePart, made: str) -> str:
        """Declare that the newest rows of ``made`` come back with the next call; return those of earlier calls."""
        self._parts[part.name] = part, made
        return self._g.input(f"state.{part.name}", part.dtype, [f"n_{part.name}", *part.shape])

    def _norm(self, x: str, name: str) -> str:
        return self._g.layer_norm(x, name, *self._checkpoint.norm(name), self._epsilon)

    def _linear(self, x: str, name: str) -> str:
        return self._g.linear(x, name, *self._checkpoint.linear(name))

    def _with_positions(self, frames: str, first: str) -> str:
        """Return the frames from ``first`` on with the positional convolution of them added, (n, width)."""
        g, checkpoint = self._g, self._checkpoint
        kernel = checkpoint.positional_kernel()
        bias = g.weight("positions.bias", checkpoint.tensor("encoder.pos_conv_embed.conv.bias"))
        groups = int(checkpoint.config["num_conv_pos_embedding_groups"])
        # Zeros before the first frame ever and after the newest: 64 + (frames before the block, at most 64) + block.
        seen = g.join(g.weight("zeros.before", np.zeros((BEFORE, self._width), np.float32)), frames)
        seen = g.join(g.rows(seen, first), g.weight("zeros.after", np.zeros((AFTER, self._width), np.float32)))
        # As an image of height 1: onnxruntime has its fast grouped convolutions for images only.
        channels = g.op("Unsqueeze", g.op("Transpose", seen, perm=[1, 0]), g.ints(0, 2))
        positions = g.op("Conv", channels, g.weight("positions", kernel[:, :, None]), bias, group=groups)
        positions = g.op("Transpose", g.op("Squeeze", positions, g.ints(0, 2)), perm=[1, 0])
        x = g.op("Add", g.rows(frames, first), g.op("Gelu", positions))
        return str(x) if self._stable else self._norm(x, "encoder.layer_norm")

    def _block(self, x: str, layer: int, attention: Attention, asked: str, prune: bool) -> str:
        """Return the hidden states after a transformer block; with ``prune`` of the newest ``asked`` frames only."""
        g, name = self._g, f"encoder.layers.{layer}"
        source = self._norm(x, f"{name}.layer_norm") if self._stable else x
        queries = source
        if prune:
            start = g.op("Neg", asked)
            queries, x = g.rows(source, start), g.rows(x, start)
        x = g.op("Add", x, attention(layer, queries, source, asked))
        if self._stable:
            return str(g.op("Add", x, self._feed_forward(self._norm(x, f"{name}.final_layer_norm"), name)))
        x = self._norm(x, f"{name}.layer_norm")
        return self._norm(g.op("Add", x, self._feed_forward(x, name)), f"{name}.final_layer_norm")

    def _feed_forward(self, x: str, name: str) -> str:
        x = self._g.op("Gelu", self._linear(x, f"{name}.feed_forward.intermediate_dense"))
        return self._linear(x, f"{name}.feed_forward.output_dense")

    def _asked(self, x: str, layer: int, asked: str) -> str:
        """Return the frames of a layer that this call answers for: causal blocks put them first, windows last."""
        g = self._g
        frames = g.rows(x, None, asked) if self._design.mode == "causal" else g.rows(x, g.op("Neg", asked))
        final = self._stable and layer == self._layers - 1
        return self._norm(frames, "encoder.layer_norm") if final else frames
