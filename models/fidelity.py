"""How near streamed hidden states come to those that the transformers library gives for the whole clip at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.encoder import Design, EncoderGraph
from models.export import manifest_for, with_manifest
from rtaffect.common.errors import ArtifactError
from rtaffect.common.threads import threads_for
from rtaffect.predicted.featurizer import Progress
from rtaffect.predicted.manifest import SAMPLE_RATE, Fidelity

if TYPE_CHECKING:
    from models.checkpoint import Checkpoint

Frames = NDArray[np.float64]

CONTEXTS_S = (5, 10, 20)
#: Look-ahead that the report tries beside none, frames.
LOOKAHEAD = 16


def designs_to_compare(design: Design) -> list[Design]:
    """Return the designs of a report, the asked one first: both modes, each context, causal also with look-ahead."""
    here = [replace(design, context_s=context) for context in CONTEXTS_S]
    others = [
        *(replace(d, mode="causal", lookahead=lookahead) for d in here for lookahead in (0, LOOKAHEAD)),
        *(replace(d, mode="windowed", lookahead=0) for d in here),
    ]
    return [design, *(other for other in others if _key(other) != _key(design))]


def measure(
    checkpoint: Checkpoint, designs: Iterable[Design], sound: NDArray[np.float32], progress: Progress
) -> list[Fidelity]:
    """Compare each design's frames of a sound with those of the whole clip.

    Parameters
    ----------
    designs
        Of one and the same layer.
    sound
        float32 (n,), mono at 16 kHz, some tens of seconds of what the featurizer is for.

    Returns
    -------
    One figure per design. The first ``context_s`` seconds are left out where the clip is more than twice as long.

    Raises
    ------
    ArtifactError
        If torch or transformers are missing.
    """
    chosen = list(designs)
    layer = chosen[0].layer
    progress("fidelity: hidden states of the whole clip by the transformers library")
    whole = whole_clip_frames(checkpoint, sound, layer)
    results = []
    for design in chosen:
        ahead = f", {design.lookahead} frames ahead" if design.lookahead else ""
        progress(f"fidelity: {design.mode}, {design.context_s} s{ahead}")
        streamed = streamed_frames(checkpoint, design, sound)
        skip = design.context_s * 50 if len(sound) > 2 * design.context_s * SAMPLE_RATE else 0
        count = min(len(whole), len(streamed))
        r, r_low, cka = agreement(streamed[skip:count], whole[skip:count])
        results.append(
            Fidelity(
                mode=design.mode, context_s=design.context_s, lookahead=design.lookahead, r=r, r_low=r_low, cka=cka
            )
        )
    return results


def agreement(x: Frames, y: Frames) -> tuple[float, float, float]:
    """Return median and lower decile over dimensions of their correlation over frames, and the linear CKA.

    CKA = |X'Y|^2 / (|X'X| |Y'Y|), Frobenius norms of centred X and Y (frames, dimensions): Kornblith et al., ICML 2019.
    """
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    scale = np.sqrt((x**2).sum(axis=0) * (y**2).sum(axis=0))
    r = (x * y).sum(axis=0)[scale > 0] / scale[scale > 0]
    with threads_for(len(x) * x.shape[1] * y.shape[1]):
        cka = np.linalg.norm(x.T @ y) ** 2 / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))
    return round(float(np.median(r)), 4), round(float(np.quantile(r, 0.1)), 4), round(float(cka), 4)


def streamed_frames(checkpoint: Checkpoint, design: Design, sound: NDArray[np.float32]) -> Frames:
    """Return the hidden states (frames, width) that the design gives, second by second; of the last layer for all."""
    import onnxruntime as ort

    graph = EncoderGraph(checkpoint, design, frames=True)
    content = with_manifest(graph.build(), manifest_for(checkpoint, design, graph))
    session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
    state = {part.name: np.zeros((0, *part.shape), part.dtype) for part in graph.state}
    names, frames = [value.name for value in session.get_outputs()], []
    for start in range(0, len(sound) - SAMPLE_RATE + 1, SAMPLE_RATE):
        given = {"audio": sound[start : start + SAMPLE_RATE]} | {f"state.{k}": v for k, v in state.items()}
        made = dict(zip(names, session.run(names, given), strict=True))
        frames.append(made["frames"])
        for part in graph.state:
            rows = np.concatenate([state[part.name], made[f"new.{part.name}"]])
            state[part.name] = rows[max(0, len(rows) - part.keep) :]
    return np.concatenate(frames).astype(np.float64)


def whole_clip_frames(checkpoint: Checkpoint, sound: NDArray[np.float32], layer: int | None) -> Frames:
    """Return the hidden states (frames, width) after a layer, None for the last, as the transformers library gives."""
    try:
        import torch
        import transformers
    except ImportError as error:
        raise ArtifactError(
            f'the fidelity report needs {error.name}; pip install "rtaffect[export]", or pass --fidelity none'
        ) from error
    names = {"wav2vec2": "Wav2Vec2Model", "hubert": "HubertModel", "wavlm": "WavLMModel"}
    speaking: Any = transformers.utils.logging
    speaking.set_verbosity_error()
    speaking.disable_progress_bar()
    model: Any = getattr(transformers, names[checkpoint.family]).from_pretrained(
        checkpoint.folder, use_safetensors=True, local_files_only=True
    )
    if checkpoint.do_normalize:
        sound = (sound - sound.mean()) / np.sqrt(sound.var() + 1e-7)
    last = layer is None or layer == int(checkpoint.config["num_hidden_layers"]) - 1
    with torch.inference_mode():
        made = model.eval()(torch.from_numpy(np.asarray(sound, np.float32))[None], output_hidden_states=not last)
    states = made.last_hidden_state if last else made.hidden_states[(layer or 0) + 1]
    return np.asarray(states[0].numpy(), np.float64)


def plot(figures: Sequence[Fidelity], title: str, path: Path) -> None:
    """Draw the figures of a report, a group of bars per context, as PNG."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ArtifactError(f'the fidelity plot needs {error.name}; pip install "rtaffect[export]"') from error
    kinds = sorted({(f.mode, f.lookahead) for f in figures})
    contexts = sorted({f.context_s for f in figures})
    figure = Figure(figsize=(9, 4), layout="constrained")
    for axes, name, label in zip(
        figure.subplots(1, 2, sharey=True), ("r", "cka"), ("correlation per dimension, median and 10 %", "linear CKA"),
        strict=True,
    ):  # fmt: skip
        for at, (mode, lookahead) in enumerate(kinds):
            those = [f for f in figures if (f.mode, f.lookahead) == (mode, lookahead)]
            x = np.array([contexts.index(f.context_s) for f in those]) + (at - (len(kinds) - 1) / 2) * 0.8 / len(kinds)
            y = np.array([getattr(f, name) for f in those])
            below = [y - np.array([f.r_low for f in those]), np.zeros(len(y))] if name == "r" else None
            ahead = f", {20 * lookahead} ms ahead" if lookahead else ""
            axes.bar(x, y, 0.8 / len(kinds), yerr=below, capsize=3, label=mode + ahead)
        axes.set_xticks(range(len(contexts)), [f"{c} s" for c in contexts])
        axes.set(xlabel="context", ylabel=label)
        axes.set_ylim(min(0.0, *(f.r_low for f in figures)), 1.0)
        axes.grid(axis="y", alpha=0.3)
    figure.suptitle(title, fontsize=10)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=len(kinds), frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)


def _key(design: Design) -> tuple[str, int, int]:
    return design.mode, design.context_s, design.lookahead
