"""Featurizers exported from a wav2vec 2.0 of base size, against the transformers library on the same sound.

The weights are random ones from a seed, so the figures are about cost and about nothing else. Whoever uses the
library as it is runs it each second on the last ``context_s`` seconds, through the whole model, or cut after the layer
that is wanted; both stand beside ours and are run turn about with it. The limit is the time that a design's own
multiplications would take at the speed of the fastest large float32 matrix product of the same run.
"""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bench import Rows, run, silent, turn_about
from bench.alone import alone
from models.checkpoint import Checkpoint, open_checkpoint
from models.encoder import Design
from models.export import export
from models.fidelity import LOOKAHEAD
from models.frontend import FRAMES_PER_S, KERNELS, STRIDES
from models.graph import Precision
from rtaffect.predicted.featurizer import ALL_CORES, Featurizer, embedded_asset
from rtaffect.stream.audio import SAMPLE_RATE, read_sound

LAYER, CONTEXT_S = 7, 10
LIBRARIES = ("onnxruntime", "torch", "transformers")
MODES: tuple[Literal["windowed", "causal"], ...] = ("windowed", "causal")
#: Between two works, s: threads of the libraries wait in a busy loop for a while, as they would not between two steps.
PAUSE_S = 0.03
#: The product of (1024, 1536) and (1536, 1536): about what a layer of a large model multiplies.
PEAK_SHAPE = (1024, 1536, 1536)


@dataclass(frozen=True)
class Group:
    """Designs that are compared with the library at one context and number of threads."""

    designs: tuple[Design, ...]
    turns: int
    context_s: int = CONTEXT_S
    threads: int = ALL_CORES
    reference: bool = False
    library_alone: bool = False


def groups(quick: bool) -> Iterator[Group]:
    """Yield what is measured, the reference first."""
    precisions: tuple[Precision, ...] = ("fp32", "int8") if quick else ("fp32", "int8", "fp16")
    designs = tuple(Design(mode, LAYER, precision=precision) for mode in MODES for precision in precisions)
    if quick:
        yield Group(designs, 4, reference=True)
        return
    yield Group((*designs, Design("causal", LAYER, lookahead=LOOKAHEAD)), 15, reference=True, library_alone=True)
    for layer in (3, 5, 8, 11):
        yield Group(_three(layer, CONTEXT_S), 6)
    for context_s in (5, 20, 30):
        yield Group(_three(LAYER, context_s), 6, context_s)
    if ALL_CORES > 1:
        yield Group(_three(LAYER, CONTEXT_S), 6, threads=1)


def _three(layer: int, context_s: int) -> tuple[Design, ...]:
    windowed, causal = (Design(mode, layer, context_s) for mode in MODES)
    return windowed, causal, replace(causal, precision="int8")


def measure(quick: bool) -> Rows:
    """Return rows: of each group the library's model, then each design."""
    with tempfile.TemporaryDirectory() as name:
        library = Library(Path(name) / "base")
        checkpoint = open_checkpoint(str(library.folder))
        sound = read_sound(embedded_asset("two_cities.wav"))[0]
        seconds = sound[: len(sound) // SAMPLE_RATE * SAMPLE_RATE].reshape(-1, SAMPLE_RATE)
        rows = [row for group in groups(quick) for row in _compare(group, checkpoint, library, seconds)]
    for row in rows:
        peak = max(other["peak_gflops"] for other in rows if other["threads"] == row["threads"])
        limit_ms = 1e3 * row["gflop"] / peak
        row |= {"peak_gflops": peak, "limit_ms": limit_ms, "to_limit": row["median_ms"] / limit_ms}
    return rows


class Library:
    """The transformers library's model of base size, with weights from a seed, saved in a folder."""

    def __init__(self, folder: Path) -> None:
        import torch
        import transformers

        self.folder, self._torch = folder, torch
        speaking: Any = transformers.utils.logging
        speaking.disable_progress_bar()
        torch.manual_seed(0)
        made: Any = transformers.Wav2Vec2Model(transformers.Wav2Vec2Config())
        self._model = made.eval()
        self._model.save_pretrained(folder)
        self._blocks = list(self._model.encoder.layers)
        self.n_blocks = len(self._blocks)
        self._device = "cpu"

    def prepare(self, threads: int, cuda: bool) -> None:
        """Run with so many threads, or on the GPU where torch has one, too."""
        self._torch.set_num_threads(threads)
        self._device = "cuda" if cuda and self._torch.cuda.is_available() else "cpu"
        self._model.encoder.layers = self._torch.nn.ModuleList(self._blocks)
        self._model.to(self._device)

    def newest(self, window: NDArray[np.float32], n_blocks: int) -> NDArray[np.float32]:
        """Return the mean of the newest second's frames after the first blocks, for the whole window."""
        torch, model = self._torch, self._model
        model.encoder.layers = torch.nn.ModuleList(self._blocks[:n_blocks])
        leveled = (window - window.mean()) / np.sqrt(window.var() + 1e-7)
        with torch.inference_mode():
            states = model(torch.from_numpy(leveled)[None].to(self._device)).last_hidden_state
            mean: NDArray[np.float32] = states[0, -FRAMES_PER_S:].mean(dim=0).cpu().numpy()
        return mean

    def peak(self, threads: int) -> float:
        """Return the speed of the fastest large float32 product, of torch and, on all cores, numpy, in FLOP/s."""
        rows, inner, columns = PEAK_SHAPE
        a, b = np.ones((rows, inner), np.float32), np.ones((inner, columns), np.float32)
        x, y = (self._torch.from_numpy(matrix).to(self._device) for matrix in (a, b))
        # One element is read, so that a GPU has finished.
        works: list[Callable[[], object]] = [lambda: float((x @ y)[0, 0])]
        if threads == ALL_CORES and self._device == "cpu":
            works.append(lambda: a @ b)
        return 2.0 * rows * inner * columns / float(turn_about(8, works, PAUSE_S).min())


def _compare(group: Group, checkpoint: Checkpoint, library: Library, seconds: NDArray[np.float32]) -> Rows:
    with tempfile.TemporaryDirectory() as name:
        files = [Path(name) / f"{number}.onnx" for number in range(len(group.designs))]
        for design, file in zip(group.designs, files, strict=True):
            export(checkpoint, design, file, progress=silent)
        ours = [Ours(file, design, group, seconds) for design, file in zip(group.designs, files, strict=True)]
        library.prepare(group.threads, cuda=ours[0].provider.startswith("CUDA"))
        cuts = (library.n_blocks, ours[0].n_blocks)[: 1 + group.reference]
        theirs = [Theirs(library, n_blocks, group, seconds) for n_blocks in cuts]
        for work in ours:
            for _ in range(group.context_s):
                work()
        for other in theirs:
            other()
        peak = library.peak(group.threads)
        works: list[Ours | Theirs] = [*theirs, *ours]
        spent = 1e3 * turn_about(group.turns, works, PAUSE_S)
        peak = max(peak, library.peak(group.threads))
        rows = [_row(work, times, peak, checkpoint.config) for work, times in zip(works, spent.T, strict=True)]
        exact = {work.exactly: work for work in ours if work.design.precision == "fp32"}
        for row, work in zip(rows[len(theirs) :], ours, strict=True):
            row["cosine"] = _cosine(work, exact[work.exactly])
        return [row | {"ratio": rows[0]["median_ms"] / row["median_ms"]} for row in rows]


class Ours:
    """A featurizer as the product runs it; each call hears the next second."""

    def __init__(self, file: Path, design: Design, group: Group, seconds: NDArray[np.float32]) -> None:
        featurizer = Featurizer.load(file, threads=group.threads, progress=silent)
        self.file, self.design, self.provider = file, design, featurizer.provider
        self.threads, self.reference = group.threads, group.reference
        self.context_s, self.n_blocks = design.context_s, 1 + (design.layer or 0)
        self.exactly = replace(design, precision="fp32")
        ahead = f", {design.lookahead} ahead" if design.lookahead else ""
        self.case = f"{design.mode} {design.precision}{ahead}"
        self.features: list[NDArray[np.float32]] = []
        self._stream, self._seconds = featurizer.stream(), seconds

    def __call__(self) -> None:
        self.features.append(self._stream.step(self._seconds[len(self.features) % len(self._seconds)]))

    def flops(self, config: dict[str, Any]) -> float:
        """Return the multiplications and additions of a step."""
        causal = self.design.mode == "causal"
        new, past = FRAMES_PER_S, FRAMES_PER_S * (self.context_s - 1)
        block = new + self.design.lookahead if causal else new + past - 1
        keys = past + block if causal else block
        asked = [block] * self.n_blocks if causal else [block] * (self.n_blocks - 1) + [new]
        return front_end(config, SAMPLE_RATE, new) + encoder(config, block, [(block, n, keys) for n in asked])

    def in_a_process_of_its_own(self) -> dict[str, float | None]:
        return alone("featurizer", self.file, self.threads)


class Theirs:
    """The library's model, or its first blocks, on the newest context; each call takes the next second."""

    provider, file = "torch", None

    def __init__(self, library: Library, n_blocks: int, group: Group, seconds: NDArray[np.float32]) -> None:
        self.n_blocks, self.context_s, self.threads = n_blocks, group.context_s, group.threads
        self.case = f"transformers, {n_blocks} of {library.n_blocks}"
        self._library, self._second = library, 0
        self.reference, self._alone = group.reference, group.library_alone
        self._sound = np.concatenate([seconds, seconds[: group.context_s]]).ravel()
        self._places = len(seconds)

    def __call__(self) -> None:
        start = self._second % self._places * SAMPLE_RATE
        self._library.newest(self._sound[start : start + self.context_s * SAMPLE_RATE], self.n_blocks)
        self._second += 1

    def flops(self, config: dict[str, Any]) -> float:
        """Return the multiplications and additions of a step."""
        frames = self.context_s * FRAMES_PER_S - 1
        blocks = [(frames, frames, frames)] * self.n_blocks
        return front_end(config, self.context_s * SAMPLE_RATE, frames) + encoder(config, frames, blocks)

    def in_a_process_of_its_own(self) -> dict[str, float | None]:
        if not self._alone:
            return {"memory_mb": None, "load_s": None}
        return alone("library", self._library.folder, self.threads, self.n_blocks, self.context_s)


def front_end(config: dict[str, Any], n_samples: int, frames: int) -> float:
    """Return the FLOP of the seven convolutions of new samples, and of the projection of new frames."""
    total, length, before = 0.0, float(n_samples), 1
    for kernel, stride, width in zip(KERNELS, STRIDES, config["conv_dim"], strict=True):
        length /= stride
        total += 2 * length * kernel * before * width
        before = width
    return total + 2.0 * frames * before * int(config["hidden_size"])


def encoder(config: dict[str, Any], frames: int, blocks: Sequence[tuple[int, int, int]]) -> float:
    """Return the FLOP of the positional convolution of ``frames``, and of blocks of (new keys, queries, keys)."""
    width, inner = int(config["hidden_size"]), int(config["intermediate_size"])
    taps, groups_ = int(config["num_conv_pos_embeddings"]), int(config["num_conv_pos_embedding_groups"])
    total = 2.0 * frames * width * width / groups_ * taps
    for made, queries, keys in blocks:
        total += 2.0 * width * (2 * made * width + 2 * queries * width + 2 * queries * inner + 2 * queries * keys)
    return total


def _row(work: Ours | Theirs, times: NDArray[np.float64], peak: float, config: dict[str, Any]) -> dict[str, Any]:
    return {
        "case": work.case,
        "layer": work.n_blocks - 1,
        "context_s": work.context_s,
        "threads": work.threads,
        "provider": work.provider,
        "reference": work.reference,
        "median_ms": float(np.median(times)),
        "p99_ms": float(np.quantile(times, 0.99)),
        "gflop": work.flops(config) / 1e9,
        "peak_gflops": peak / 1e9,
        **work.in_a_process_of_its_own(),
        "file_mb": work.file.stat().st_size / 1e6 if work.file else None,
        "cosine": None,
    }


def _cosine(work: Ours, exact: Ours) -> float | None:
    """Return the cosine of the features of both, mean over the seconds; None for one and the same."""
    if work is exact:
        return None
    a, b = np.array(work.features, np.float64), np.array(exact.features, np.float64)
    return float(((a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).mean())


def summarise(rows: Rows) -> dict[str, Any]:
    """Return how many times faster than the library's whole model ours are, where both have the reference's form."""
    usual = [row for row in rows if row["reference"]]
    ratio = {row["case"].replace(" ", "_"): row["ratio"] for row in usual if row["provider"] != "torch"}
    return {
        "ratio": {name: value for name, value in ratio.items() if name.endswith(("fp32", "int8"))},
        "peak_gflops": {str(row["threads"]): row["peak_gflops"] for row in rows},
        "provider": usual[-1]["provider"],
        "versions": {name: importlib.import_module(name).__version__ for name in LIBRARIES},
    }


COLUMNS = (
    ("case", "case", ""), ("layer", "layer", "d"), ("context_s", "context s", "d"), ("threads", "threads", "d"),
    ("median_ms", "median ms", ".0f"), ("p99_ms", "p99 ms", ".0f"), ("ratio", "ratio", ".1f"),
    ("gflop", "GFLOP", ".1f"), ("limit_ms", "limit ms", ".0f"), ("to_limit", "median / limit", ".1f"),
    ("memory_mb", "memory MB", ".0f"), ("file_mb", "file MB", ".0f"), ("load_s", "load s", ".2f"),
    ("cosine", "cosine", ".4f"),
)  # fmt: skip

if __name__ == "__main__":
    run(
        "featurizer", measure, COLUMNS,
        "per step of 1 s; ratio: the library's whole model on the last context / this; limit: the design's FLOP at the "
        "peak of float32 products; memory, load: in a process of its own; cosine: to the same design in fp32",
        summarise,
    )  # fmt: skip
