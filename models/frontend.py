"""The convolutional front end of wav2vec 2.0, HuBERT and WavLM: from sound to frames, each computed once.

Every convolution is a matrix product over time-major rows: with a stride of 2, two neighbouring rows are one row of
twice the width, and only the third row under a kernel of 3 is gathered. For the pairs to come out even, each layer
has one row more than there are places for its kernel, the last, which tells nothing and is dropped in the end.

What levels the sound. The *base* models normalise the first convolution's output over all of the clip's time, per
channel (group norm); that convolution is linear in ten samples w, so its mean and variance follow from the mean m and
the second moments M of the sound's windows: mean = w.m, variance = w'Mw - (w.m)^2. The models' own preparation, zero
mean and unit variance v of the clip, is no more than eps -> eps (v + 1e-7) before a group norm; the *large* models,
which have none, take the sound so prepared. ``running`` statistics are those of the newest ``context_s`` seconds, new
frames and kept ones each with those of their second; ``frozen`` ones are numbers in the graph.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.graph import Graph
from rtaffect.common.threads import one_thread
from rtaffect.predicted.manifest import StatePart

if TYPE_CHECKING:
    from models.checkpoint import Checkpoint

KERNELS, STRIDES = (10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2)
FRAMES_PER_S = 50
#: Samples that the next call needs again for frames on the same grid: the receptive field (400) less what the newest
#: second leaves unused (80).
TAIL = 320
#: Windows of the first convolution that a second of sound adds.
_WINDOWS_PER_S = 3200
_TAPS = KERNELS[0]
_MOMENTS = 1 + _TAPS + _TAPS**2 + 3
#: What the transformers library adds to the variance of the sound.
_SOUND_EPSILON = 1e-7
#: The group norm's own.
_GROUP_EPSILON = 1e-5

#: Frames that the first call makes, and each later one.
FRAMES_MADE = (49, 50)

#: Declares a part of the state and what is made of it; gives the rows of earlier calls.
Carry = Callable[[StatePart, str], str]


@one_thread()
def moments_of(sound: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the statistics of a sound (n,) that normalisation needs, (114,).

    Number of windows of 10 samples every 5, their sum (10) and sum of outer products (10 x 10), number of samples,
    their sum and sum of squares.
    """
    x = np.asarray(sound, np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(x, _TAPS)[:: STRIDES[0]]
    return np.concatenate(
        [[len(windows)], windows.sum(axis=0), (windows.T @ windows).ravel(), [len(x), x.sum(), x @ x]]
    )


class FrontEnd:
    """Writes the front end of one checkpoint into a graph.

    Parameters
    ----------
    frozen
        Statistics as :func:`moments_of` gives them, or None for running ones.
    carry
        Declares a part of the state; see the encoder.
    """

    def __init__(
        self, graph: Graph, checkpoint: Checkpoint, context_s: int, frozen: NDArray[np.float64] | None, carry: Carry
    ) -> None:
        self._g, self._checkpoint, self._context_s = graph, checkpoint, context_s
        self._frozen, self._carry = frozen, carry
        self._group = checkpoint.config["feat_extract_norm"] == "group"

    def frames(self, audio: str) -> str:
        """Return the projected frames (n, width) that ``audio`` (n_samples,) completes."""
        g, checkpoint = self._g, self._checkpoint
        tail = StatePart(name="audio", dtype="float32", keep=TAIL, made=(TAIL, TAIL))
        sound = g.join(self._carry(tail, g.rows(audio, -TAIL)), audio)
        needs = self._group or checkpoint.do_normalize
        moments = self._moments(sound, audio) if needs else ""
        x = self._first(self._windows(sound if self._group else self._leveled(sound, moments)), moments)
        for index in range(1, len(KERNELS)):
            x = self._convolution(x, index)
        x = g.rows(x, 0, -1)
        if checkpoint.config.get("feat_proj_layer_norm", True):
            norm = "feature_projection.layer_norm"
            x = g.layer_norm(x, norm, *checkpoint.norm(norm), float(checkpoint.config["layer_norm_eps"]))
        name = "feature_projection.projection"
        return g.linear(x, name, *checkpoint.linear(name))

    def _windows(self, sound: str) -> str:
        """Return the samples under each place of the first kernel (windows + 1, 10); the last row is half empty."""
        g = self._g
        fives = g.shaped(sound, -1, STRIDES[0])
        return g.join(fives, g.op("Pad", fives, g.ints(-1, 0, 1, 0)), axis=1)

    def _moments(self, sound: str, audio: str) -> str:
        """Return the statistics (114,), float64, that hold for this call."""
        g = self._g
        if self._frozen is not None:
            return g.weight("statistics", self._frozen)
        windows = g.op("Cast", g.rows(self._windows(sound), -_WINDOWS_PER_S - 1, -1), to=11)
        samples = g.op("Cast", audio, to=11)
        newest = g.join(
            g.op("Cast", g.count(windows), to=11),
            g.op("ReduceSum", windows, g.ints(0), keepdims=0),
            g.shaped(g.op("MatMul", g.op("Transpose", windows, perm=[1, 0]), windows), -1),
            g.op("Cast", g.count(samples), to=11),
            g.op("ReduceSum", samples, keepdims=1),
            g.op("ReduceSumSquare", samples, keepdims=1),
        )
        newest = g.shaped(newest, 1, -1)
        part = StatePart(name="moments", dtype="float64", shape=(_MOMENTS,), keep=self._context_s - 1, made=(1, 1))
        before = self._carry(part, newest)
        return str(g.op("ReduceSum", g.join(before, newest), g.ints(0), keepdims=0))

    def _sound_mean_and_variance(self, moments: str) -> tuple[str, str]:
        """Return mean and variance (1,) of the sound, float64; the variance with what is added to it."""
        g = self._g
        n, total, square = (g.rows(moments, start, start + 1) for start in (111, 112, 113))
        mean = g.op("Div", total, n)
        variance = g.op("Sub", g.op("Div", square, n), g.op("Mul", mean, mean))
        variance = g.op("Max", variance, g.weight("zero", np.zeros(1)))
        return mean, g.op("Add", variance, g.weight("sound_epsilon", np.array([_SOUND_EPSILON])))

    def _leveled(self, sound: str, moments: str) -> str:
        """Return the sound with zero mean and unit variance, as the large models expect it."""
        if not self._checkpoint.do_normalize:
            return sound
        g = self._g
        mean, variance = self._sound_mean_and_variance(moments)
        centred = g.op("Sub", sound, g.op("Cast", mean, to=1))
        return str(g.op("Div", centred, g.op("Cast", g.op("Sqrt", variance), to=1)))

    def _first(self, windows: str, moments: str) -> str:
        """Return the first convolution of the windows, normalised, through GELU (windows, channels)."""
        g, checkpoint, layer = self._g, self._checkpoint, "feature_extractor.conv_layers.0"
        kernel = checkpoint.tensor(f"{layer}.conv.weight")[:, 0, :].T
        if not self._group:
            x = g.op("MatMul", windows, g.weight(layer, kernel))
            if checkpoint.config["conv_bias"]:
                x = g.op("Add", x, g.weight(f"{layer}.bias", checkpoint.tensor(f"{layer}.conv.bias")))
            return self._normalised(x, f"{layer}.layer_norm")
        gain, shift = checkpoint.norm(f"{layer}.layer_norm")
        # In float64: the second moments of slow sound cancel but for their last digits.
        taps = g.weight(f"{layer}.float64", kernel.astype(np.float64))
        n = g.rows(moments, 0, 1)
        mean = g.op("MatMul", g.shaped(g.op("Div", g.rows(moments, 1, 11), n), 1, _TAPS), taps)
        second = g.shaped(g.op("Div", g.rows(moments, 11, 111), n), _TAPS, _TAPS)
        power = g.op("ReduceSum", g.op("Mul", taps, g.op("MatMul", second, taps)), g.ints(0), keepdims=1)
        variance = g.op("Max", g.op("Sub", power, g.op("Mul", mean, mean)), g.weight("zero", np.zeros(1)))
        epsilon = g.weight("group_epsilon", np.array([_GROUP_EPSILON]))
        if checkpoint.do_normalize:
            epsilon = g.op("Mul", epsilon, self._sound_mean_and_variance(moments)[1])
        scale = g.op(
            "Div", g.weight(f"{layer}.gain", gain.astype(np.float64)), g.op("Sqrt", g.op("Add", variance, epsilon))
        )
        offset = g.op("Sub", g.weight(f"{layer}.shift", shift.astype(np.float64)), g.op("Mul", mean, scale))
        scaled, offset = g.op("Cast", g.op("Mul", taps, scale), to=1), g.op("Cast", offset, to=1)
        return str(g.op("Gelu", g.op("Gemm", windows, scaled, offset)))

    def _convolution(self, x: str, index: int) -> str:
        """Return a convolution of stride 2 over rows (n, channels), through GELU."""
        g, checkpoint, layer = self._g, self._checkpoint, f"feature_extractor.conv_layers.{index}"
        kernel = checkpoint.tensor(f"{layer}.conv.weight")
        out_width, in_width, taps = kernel.shape
        x = g.shaped(x, -1, 2 * in_width)
        if taps == 3:
            third = g.op("Pad", x, g.ints(-1, 0, 1, -in_width))
            x = g.join(x, third, axis=1)
        matrix = kernel.transpose(2, 1, 0).reshape(taps * in_width, out_width)
        bias = checkpoint.tensor(f"{layer}.conv.bias") if checkpoint.config["conv_bias"] else None
        x = g.linear(x, layer, matrix, bias, uneven=True)
        if self._group:
            return str(g.op("Gelu", x))
        return self._normalised(x, f"{layer}.layer_norm")

    def _normalised(self, x: str, norm: str) -> str:
        """Return rows after their layer normalisation, through GELU."""
        g = self._g
        return str(g.op("Gelu", g.layer_norm(x, norm, *self._checkpoint.norm(norm), _GROUP_EPSILON)))
