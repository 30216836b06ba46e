"""What a step of affect costs: the EEG's second way, features, encoders, the sound's embedding, the nearest sounds.

The nets are those that training exports, with weights as they begin. By processor time, on one core, so that what else
runs does not count. ``--quick`` embeds sound by a tiny model, else musicnn does (its package is downloaded once).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench import Rows, run
from calibration.affect.export import eeg_onnx, sound_onnx
from calibration.affect.model import Sizes, new_net
from models.musicnn import MSD, build_embedding
from rtaffect.affect.bundle import AffectBundle, EmbeddingIdentity, save_affect_bundle
from rtaffect.affect.library import SoundLibrary
from rtaffect.affect.loaded import LoadedAffect, load_affect
from rtaffect.affect.novelty import NoveltyReference
from rtaffect.affect.reader import AffectReader, Relied
from rtaffect.affect.settings import AffectSettings
from rtaffect.common.files import sha256_of
from rtaffect.common.settings import Settings
from rtaffect.predicted.sound_input import HeardSecond
from rtaffect.sources.recorded import ArraySource
from rtaffect.stream.source import StreamInfo
from tests.support.affect import EMBEDDED, embedding_model, tiny_bundle

RATE, ORIGIN, MOST_MS = 250.0, 100.0, 40.0
CHANNELS = tuple(f"E{number}" for number in range(1, 33))
LIBRARY, SHARED = 10_000, 32
#: Steps before those that are measured: the rest, and until filters have settled.
WARM = 12


def measure(quick: bool) -> Rows:
    """Return a row for each part of a step, and one for all of it."""
    turns = 5 if quick else 60
    settings = AffectSettings(baseline_s=8)
    with tempfile.TemporaryDirectory() as folder:
        model = _model(Path(folder), settings, quick)
        spent = _steps(model, turns)
    medians = {part: 1e3 * float(np.median(values)) for part, values in spent.items()}
    medians["whole step"] = 1e3 * float(np.median(np.sum(list(spent.values()), axis=0)))
    return [{"part": part, "ms": ms, "ratio": MOST_MS / max(ms, 1e-6)} for part, ms in medians.items()]


def _model(folder: Path, settings: AffectSettings, quick: bool) -> LoadedAffect:
    """Return a bundle of 32 channels with the nets that training exports."""
    seconds = int(settings.sound_s)
    if quick:
        embedding, size = embedding_model(seconds), EMBEDDED
    else:
        embedding, size = build_embedding(MSD, folder / "embedding.onnx").read_bytes(), 200
    net = new_net(Sizes(settings.sequence_s, len(CHANNELS), len(settings.bands), size, 1), 0).eval()
    made = tiny_bundle(CHANNELS, settings)
    far = NoveltyReference(np.zeros(SHARED), np.eye(SHARED), np.full(2, 1e6))
    identity = EmbeddingIdentity(kind="file", identity="bench", sha256=sha256_of(embedding), size=size)
    tensors = replace(
        made.tensors,
        embedding_mean=np.zeros(size),
        embedding_std=np.ones(size),
        eeg_lasting=far.limits,
        eeg_novelty=far,
        sound_novelty=far,
    )
    manifest = made.manifest.model_copy(update={"shared": SHARED, "embedding": identity})
    save_affect_bundle(AffectBundle(manifest, tensors, eeg_onnx(net), sound_onnx(net), embedding), folder / "bundle")
    return load_affect(folder / "bundle", print)


def _steps(model: LoadedAffect, turns: int) -> dict[str, list[float]]:
    """Return the processor time, s, of each part of ``turns`` steps."""
    rng, count = np.random.default_rng(0), WARM + turns
    eeg = 1e-5 * rng.standard_normal((round((count + 2) * RATE), len(CHANNELS)))
    source = ArraySource(StreamInfo("headset", "eeg", RATE, CHANNELS, "simulated"), eeg, ORIGIN)
    directions = rng.standard_normal((LIBRARY, SHARED))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    library = SoundLibrary(tuple(f"{number}.wav" for number in range(LIBRARY)), directions)
    reader = AffectReader(model, [source], ORIGIN, library=library, rest_s=8)
    reader.share([], Settings(), ())
    nobody = np.zeros(1, np.bool_)
    relied = Relied(nobody, nobody, np.zeros((1, 10), np.bool_), ("",), "")
    spent: dict[str, list[float]] = {"EEG on the grid": [], "features, encoders, embedding, nearest sounds": []}
    way, read = spent.values()
    for step in range(1, count + 1):
        source.advance(ORIGIN + step + reader.lookahead_s)
        sound = (0.1 * rng.standard_normal(16_000)).astype(np.float32)
        first = _timed(lambda now=step: reader.advance(now, {}))
        then = _timed(lambda now=step, heard=sound: _read(reader, now, heard, relied))
        if step > WARM:
            way.append(first)
            read.append(then)
    return spent


def _read(reader: AffectReader, step: int, sound: np.ndarray, relied: Relied) -> None:
    reader.hear([HeardSecond(step, sound)])
    (values,) = reader.step(step, relied)
    assert step <= WARM or (values.both.there and len(values.nearest) == 3), values


def _timed(call: Callable[[], object]) -> float:
    begin = time.process_time()
    call()
    return time.process_time() - begin


COLUMNS = (("part", "part", ""), ("ms", "ms", ".2f"), ("ratio", f"{MOST_MS:g} ms over it", ".1f"))

if __name__ == "__main__":
    run("affect_step", measure, COLUMNS, "medians of processor time; 32 channels, 10,000 sounds")
