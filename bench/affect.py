"""What affect costs: a step of a session, and a step of training; and how far exported nets are from torch's.

A step reads a second of EEG (32 channels) and the newest 3 s of sound (musicnn), runs both encoders, and finds the
nearest of 10,000 sounds. Beside each part stands how it is done without care: bands filtered anew over the last 10 s,
channel by channel; the encoder by torch; sounds compared one after the other. The whole is with all of these, and the
same embedding. Training takes steps over 1024 of the moments of 32 people and 34 tracks, and beside that the same
moments one at a time, as a plain loop has them. Milliseconds of one processor, of the processor's own clock, so that
other programs have no part in it; of training those of all threads.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from bench import Rows, run, silent
from calibration.affect.embedder import embedding_for
from calibration.affect.export import eeg_onnx, sound_onnx
from calibration.affect.model import AffectNet, Sizes, new_net
from calibration.affect.training import Moments, Recipe, Trainer
from rtaffect.affect.band_entropy import BandEntropy
from rtaffect.affect.embedding import EmbeddingStream
from rtaffect.affect.encoder import Encoder
from rtaffect.affect.library import SoundLibrary
from rtaffect.affect.settings import AffectSettings
from rtaffect.common.threads import one_thread
from rtaffect.simulation.sounds import compose

Array = NDArray[np.float64]
CHANNELS, SOUNDS, WIDTH, EMBEDDING = 32, 10_000, 32, 200
#: People, tracks and seconds of each that are trained on; with --quick fewer.
STUDY, QUICK_STUDY = (32, 34, 58), (4, 6, 10)


def cost_ms(work: Callable[[], object], turns: int) -> float:
    """Return the median milliseconds of the processor that ``work`` takes, after once to warm up."""
    work()
    spent = []
    for _ in range(turns):
        begin = time.process_time()
        work()
        spent.append(1e3 * (time.process_time() - begin))
    return float(np.median(spent))


def retrieved_one_by_one(directions: Array, vector: Array) -> list[int]:
    """Return the three nearest, every sound's cosine by itself."""
    cosines = [float(d @ vector / (np.linalg.norm(d) * np.linalg.norm(vector))) for d in directions]
    return sorted(range(len(cosines)), key=lambda i: -cosines[i])[:3]


def entropies_anew(eeg: Array, settings: AffectSettings) -> Array:
    """Return the entropies (C, F) of the newest second of ``eeg``, the last 10 s, each channel and band by itself."""
    rate, found = settings.signal.rate_hz, np.empty((eeg.shape[1], len(settings.bands)))
    for number, band in enumerate(settings.bands):
        for channel in range(eeg.shape[1]):
            sos = butter(settings.signal.order, (band.low_hz, band.high_hz), "bandpass", fs=rate, output="sos")
            variance = sosfilt(sos, eeg[:, channel])[-rate:].var()
            found[channel, number] = 0.5 * np.log(2 * np.pi * np.e * variance)
    return found


def _heard_stream(settings: AffectSettings) -> EmbeddingStream:
    """Return musicnn after 3 s of music."""
    stream = embedding_for(settings, 1, silent).embedder.stream()
    for second in compose(1, 3).reshape(3, -1):
        stream.push(second)
    return stream


def _library(rng: np.random.Generator) -> SoundLibrary:
    directions = rng.standard_normal((SOUNDS, WIDTH))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return SoundLibrary(tuple(f"sound {number}" for number in range(SOUNDS)), directions)


@one_thread()
def live(turns: int) -> Rows:
    """Return a row of each part of a step, and of the whole."""
    torch.set_num_threads(1)
    rng, settings = np.random.default_rng(0), AffectSettings()
    rate, bands, length = settings.signal.rate_hz, len(settings.bands), settings.sequence_s
    net = new_net(Sizes(length, CHANNELS, bands, EMBEDDING, 1, shared=WIDTH), 0, attention=True).eval()
    heads = {"shared": (WIDTH,), "logits": (2,), "rating": (2,)}
    shapes = {"features": (length, CHANNELS, bands), "mask": (length, CHANNELS)}
    eeg = Encoder(Path("eeg.onnx"), eeg_onnx(net), shapes, heads | {"attention": (length, CHANNELS)})
    sound = Encoder(Path("sound.onnx"), sound_onnx(net), {"embedding": (EMBEDDING,)}, heads)
    stream = _heard_stream(settings)
    entropy, samples = BandEntropy(settings, CHANNELS), 1e-5 * rng.standard_normal((10 * rate, CHANNELS))
    library = _library(rng)
    moment = {"features": rng.standard_normal(shapes["features"]), "mask": np.ones(shapes["mask"])}
    tensors = [torch.from_numpy(np.asarray(value, np.float32)[None]) for value in moment.values()]

    def by_torch() -> Array:
        with torch.inference_mode():
            shared, _ = net.eeg(*tensors)
            net.heads(shared)
        return np.asarray(shared[0].numpy(), np.float64)

    def encoded() -> Array:
        return np.asarray(eeg(moment)["shared"], np.float64)

    def heard() -> object:
        return sound({"embedding": stream.embedding()})

    def whole() -> None:
        entropy(samples[:rate])
        heard()
        library.nearest(encoded())

    def whole_naive() -> None:
        entropies_anew(samples, settings)
        heard()
        retrieved_one_by_one(library.directions, by_torch())

    vector = encoded()
    parts: list[tuple[str, Callable[[], object], Callable[[], object]]] = [
        ("EEG features", lambda: entropy(samples[:rate]), lambda: entropies_anew(samples, settings)),
        ("EEG encoder", encoded, by_torch),
        ("retrieval", lambda: library.nearest(vector), lambda: retrieved_one_by_one(library.directions, vector)),
        ("whole step", whole, whole_naive),
    ]
    rows = [_row(name, cost_ms(ours, turns), cost_ms(naive, min(turns, 5))) for name, ours, naive in parts]
    rows[-1]["sound_ms"] = cost_ms(heard, turns)
    return rows


def _row(part: str, ours: float, naive: float) -> dict[str, Any]:
    row = {"part": part, "ours_ms": ours, "naive_ms": naive, "ratio": naive / ours}
    return {**row, "sound_ms": None, "difference": None}


def exported(moments: int) -> float:
    """Return the largest difference of what exported nets and torch's give of random moments, some of them masked."""
    generator = torch.Generator().manual_seed(1)
    net = new_net(Sizes(3, CHANNELS, 4, EMBEDDING, 1, shared=WIDTH), 1, attention=True).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    heads = {"shared": (WIDTH,), "logits": (2,), "rating": (2,)}
    eeg = Encoder(
        Path("eeg.onnx"), eeg_onnx(net), {"features": (3, CHANNELS, 4), "mask": (3, CHANNELS)},
        heads | {"attention": (3, CHANNELS)},
    )  # fmt: skip
    sound = Encoder(Path("sound.onnx"), sound_onnx(net), {"embedding": (EMBEDDING,)}, heads)
    mask = (torch.rand((moments, 3, CHANNELS), generator=generator) > 0.2).float()
    features = torch.randn((moments, 3, CHANNELS, 4), generator=generator) * mask.unsqueeze(-1)
    embedding = torch.randn((moments, EMBEDDING), generator=generator)
    with torch.inference_mode():
        shared, attention = net.eeg(features, mask)
        told = [net.heads(shared), net.heads(net.sound(embedding))]
    most = 0.0
    for i in range(moments):
        made = eeg({"features": features[i].numpy(), "mask": mask[i].numpy()})
        of_sound = sound({"embedding": embedding[i].numpy()})
        pairs = [(made["attention"], attention[i])]
        pairs += [
            (each[name], getattr(of, name)[i])
            for each, of in zip((made, of_sound), told, strict=True)
            for name in heads
        ]
        most = max(most, *(float(np.abs(a - b.numpy()).max()) for a, b in pairs))
    return most


def training(quick: bool) -> dict[str, Any]:
    """Return the row of a step of training."""
    people, tracks, seconds = QUICK_STUDY if quick else STUDY
    hearing = np.repeat(np.arange(people * tracks), seconds)
    count, generator = len(hearing), torch.Generator().manual_seed(0)
    sizes = Sizes(3, CHANNELS, 4, EMBEDDING, people)
    moments = Moments(
        torch.randn((count, 3, CHANNELS, 4), generator=generator), torch.ones((count, 3, CHANNELS)),
        torch.randn((count, EMBEDDING), generator=generator), torch.rand((count, 2), generator=generator) * 2 - 1,
        torch.from_numpy(hearing // tracks), torch.from_numpy(hearing % tracks),
        torch.from_numpy(np.tile(np.arange(seconds), people * tracks)), torch.from_numpy(hearing),
    )  # fmt: skip
    trainer = Trainer(moments, sizes, Recipe())
    ours = cost_ms(lambda: trainer.advance(1), 3 if quick else 20)
    net: AffectNet = new_net(sizes, 0, attention=True)
    optimiser, few = torch.optim.AdamW(net.parameters()), 4 if quick else 64

    def one_at_a_time() -> None:
        """Take ``few`` of the 1024 moments, each by itself."""
        optimiser.zero_grad()
        for i in range(few):
            one = moments.take(torch.tensor([i]))
            shared, _ = net.eeg(one.features, one.mask)
            both = [net.heads(shared), net.heads(net.sound(one.embedding))]
            losses = [((told.rating - one.ratings) ** 2).mean() + told.logits.square().mean() for told in both]
            domains = net.domains(torch.cat([told.shared for told in both]), 0.1)
            (sum(losses) + domains.square().mean()).backward()
        optimiser.step()

    taken = min(Recipe().batch, Recipe().seconds * people * tracks)
    return _row(f"training: a step of {taken} of {count} moments", ours, cost_ms(one_at_a_time, 3) * taken / few)


def measure(quick: bool) -> Rows:
    """Return the figures."""
    rows = live(3 if quick else 30)
    rows[1]["difference"] = exported(20 if quick else 200)
    torch.set_num_threads(2)
    rows.append(training(quick))
    return rows


COLUMNS = (
    ("part", "part", ""), ("ours_ms", "ms", ".2f"), ("naive_ms", "without care, ms", ".1f"), ("ratio", "ratio", ".1f"),
    ("sound_ms", "of which sound, ms", ".1f"), ("difference", "exported against torch", ".1e"),
)  # fmt: skip

if __name__ == "__main__":
    run(
        "affect", measure, COLUMNS,
        f"{CHANNELS} channels, {SOUNDS} sounds, musicnn of 3 s, one thread; training on two threads",
    )  # fmt: skip
