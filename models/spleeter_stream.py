"""The paper's own separator on sound as it comes: Spleeter's two U-Nets on the newest second and what lies before it.

Weights, their source and licence are those of :mod:`models.spleeter`. What the U-Nets read are magnitudes of spectra
of sound at 44.1 kHz, 4096 samples (93 ms) each 1024 (23 ms). Here they are those of sound at 16 kHz, mono, of frames
as long, 1486 samples, whose bins lie as far apart (10.8 Hz); above 8 kHz there is nothing. 43 frames a second, each
372 or 373 samples after the one before, are as many as theirs to .2 %, and every second has the same ones.

A second is one call. Its U-Nets see 64 frames, the least that they can: the 46 that overlap with the second, and 18
before it. The last of them ends 1114 samples (70 ms) after the second: that is the look-ahead, and more of it did not
separate better. The mask is the mean of both channels', the same sound having been given as both; the level of what
they see is a usual one (:mod:`models.loudness`). Frames are weighted by the window again and added up, each sample
divided by what the windows' squares add up to there, so that a mask of ones gives the sound itself.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal.windows import hann

from models import spleeter
from models.graph import Graph
from models.loudness import LEVEL, gain_of
from models.separators import write_separator
from rtaffect.predicted.manifest import SAMPLE_RATE, StatePart
from rtaffect.predicted.separator_file import SeparatorManifest

#: Samples of a frame, frames a second, and frames that the U-Nets see.
FRAME, FRAMES, SEEN = 1486, 43, 64
BINS: Final = FRAME // 2 + 1
#: From which level on a voice that it leaves is one, dB of the sound, as :mod:`bench.voice_presence` finds it.
VOICE_DB: Final = -14.5
#: Magnitudes of as loud a sound are so much greater at the rate that the U-Nets know.
_SCALE: Final = spleeter.RATE / SAMPLE_RATE
_NOTE: Final = (
    "Spleeter 2stems, trained on music: sung voice and accompaniment. 16 kHz, one channel. Background is the mixture "
    "less the voice."
)

Array = NDArray[np.float32]


def build(target: Path, progress: Callable[[str], None] = print, source: Path | None = None) -> Path:
    """Write the separator to ``target`` and return that path.

    Parameters
    ----------
    target
        The ONNX file to write: input ``audio`` float32 (16000,), mono at 16 kHz, 1114 samples ahead of the output
        ``voice`` float32 (16000,); with the state that :class:`rtaffect.predicted.manifest.StatePart` describes.
    progress, source
        As for :func:`models.spleeter.build`.

    Raises
    ------
    ArtifactError
        If the source cannot be had or is something else, or the file cannot be written.
    """
    variables = spleeter.checkpoint(source, progress)
    progress(f"Building the separator spleeter-stream from {spleeter.SOURCE}")
    graph = _graph(lambda g, seen: spleeter.voice_mask(g, seen, variables))
    return write_separator(graph, manifest(), target, progress)


def manifest() -> SeparatorManifest:
    """Return what the built file says of itself."""
    made = (SAMPLE_RATE, SAMPLE_RATE)
    return SeparatorManifest(
        format_version=1,
        family="spleeter",
        name="spleeter-stream",
        mode="streaming",
        source=spleeter.SOURCE,
        source_sha256=spleeter.SOURCE_SHA256,
        sample_rate=SAMPLE_RATE,
        channels=1,
        lookahead=LOOKAHEAD,
        state=(StatePart(name="audio", dtype="float32", keep=_PAST + LOOKAHEAD, made=made), LEVEL),
        voice_db=VOICE_DB,
        licence="MIT",
        note=_NOTE,
    )


def begin_of(frame: int) -> int:
    """Return the sample at which a frame begins, counted from the second's first; frame 0 begins with it."""
    seconds, number = divmod(frame, FRAMES)
    return seconds * SAMPLE_RATE + round(number * SAMPLE_RATE / FRAMES)


#: Frames that are seen, and those of them that overlap with the second.
_NUMBERS: Final = range(FRAMES - SEEN, FRAMES)
_OVERLAPPING: Final = [number for number in _NUMBERS if begin_of(number) + FRAME > 0]
LOOKAHEAD: Final = begin_of(FRAMES - 1) + FRAME - SAMPLE_RATE
_PAST: Final = -begin_of(_NUMBERS[0])


def _graph(voice_mask: Callable[[Graph, str], str]) -> Graph:
    """Return the graph of which ``voice_mask`` is the network."""
    g = Graph()
    audio = g.input("audio", "float32", [SAMPLE_RATE])
    past = g.input("state.audio", "float32", ["n_audio"])
    # At the first call there is no past but what the second itself has: silence.
    kept = _PAST + LOOKAHEAD
    before = g.rows(g.join(g.weight("silence", np.zeros(kept, np.float32)), past), -kept)
    gain = gain_of(g, audio)
    frames = g.op("Gather", g.join(before, audio), g.weight("frames", _frames()), axis=0)
    forward, back = _fourier()
    spectrum = g.linear(frames, "fourier", forward)
    real, imaginary = g.op("Split", spectrum, outputs=2, axis=1, num_outputs=2)
    power = g.op("Add", g.op("Mul", real, real), g.op("Mul", imaginary, imaginary))
    size = g.op("Mul", g.op("Sqrt", power), g.op("Mul", gain, g.number(_SCALE)))
    padded = g.shaped(g.op("Pad", size, g.ints(0, 0, 0, spleeter.BINS - BINS)), 1, 1, SEEN, spleeter.BINS)
    both = voice_mask(g, g.join(padded, padded, axis=1))
    mask = g.op("ReduceMean", both, g.ints(0, 1), keepdims=0)
    mask = g.op("Slice", mask, g.ints(SEEN - len(_OVERLAPPING), 0), g.ints(SEEN, BINS), g.ints(0, 1))
    left = g.op("Mul", g.rows(spectrum, -len(_OVERLAPPING)), g.join(mask, mask, axis=1))
    out = g.shaped(g.linear(left, "inverse", back), -1)
    out = g.join(out, g.weight("nothing", np.zeros(1, np.float32)))
    places, share = _added()
    parts = g.op("Gather", out, g.weight("places", places), axis=0)
    voice = g.op("Mul", g.op("ReduceSum", parts, g.ints(0), keepdims=0), g.weight("windows", share))
    g.output(voice, "voice", "float32", [SAMPLE_RATE])
    g.output(audio, "new.audio", "float32", [SAMPLE_RATE])
    return g


def _frames() -> NDArray[np.int64]:
    """Return which samples (64, 1486) of what is kept and new each frame has."""
    begins = np.array([begin_of(number) + _PAST for number in _NUMBERS])
    return np.asarray(begins[:, None] + np.arange(FRAME), np.int64)


def _fourier() -> tuple[Array, Array]:
    """Return the real Fourier transform (1486, 1488) of what the window leaves, and the inverse (1488, 1486)."""
    window = hann(FRAME, sym=False)
    spectrum = np.fft.rfft(np.diag(window), axis=1)
    unit = np.eye(BINS)
    inverse = np.concatenate([np.fft.irfft(unit, FRAME, axis=1), np.fft.irfft(1j * unit, FRAME, axis=1)]) * window
    return np.concatenate([spectrum.real, spectrum.imag], axis=1).astype(np.float32), inverse.astype(np.float32)


def _added() -> tuple[NDArray[np.int64], Array]:
    """Return where in the overlapping frames, one after the other, the parts (4, 16000) of each sample lie.

    A place behind them has nothing. Also one over what the windows' squares add up to at each sample, (16000,). Every
    fourth frame begins where the one four before it has ended.
    """
    places = np.full((4, SAMPLE_RATE), len(_OVERLAPPING) * FRAME, np.int64)
    squares = np.zeros(SAMPLE_RATE)
    window = hann(FRAME, sym=False) ** 2
    for place, number in enumerate(_OVERLAPPING):
        samples = np.arange(FRAME)
        at = begin_of(number) + samples
        inside = (at >= 0) & (at < SAMPLE_RATE)
        places[place % 4, at[inside]] = place * FRAME + samples[inside]
        squares[at[inside]] += window[inside]
    return places, (1.0 / squares).astype(np.float32)
