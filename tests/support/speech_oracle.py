"""Small seeded speech encoders, saved as real checkpoints, and what torch and transformers say that they compute."""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from models.checkpoint import Checkpoint, open_checkpoint

CLASSES = {
    "wav2vec2": (transformers.Wav2Vec2Config, transformers.Wav2Vec2Model),
    "hubert": (transformers.HubertConfig, transformers.HubertModel),
    "wavlm": (transformers.WavLMConfig, transformers.WavLMModel),
}
LAYERS = 3
SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "conv_dim": [24] * 7,
    "num_conv_pos_embedding_groups": 4,
}
LARGE = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
KINDS = [(family, large) for family in CLASSES for large in (False, True)]
SECOND = 16_000

transformers.utils.logging.disable_progress_bar()


@functools.cache
def encoder(family: str, large: bool, prepared: bool = True) -> tuple[Any, Checkpoint]:
    """The torch model, and its checkpoint read back from disk; norms and biases are not those of a fresh model.

    ``prepared``: the sound is brought to zero mean and unit variance first.
    """
    torch.manual_seed(len(family) + large)
    config_class, model_class = CLASSES[family]
    model = model_class(config_class(**SMALL, **(LARGE if large else {}))).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name:
                parameter.add_(0.3 * torch.randn_like(parameter))
            elif parameter.ndim == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
    folder = Path(tempfile.mkdtemp()) / f"{family}-{'large' if large else 'base'}"
    model.save_pretrained(folder)
    model.prepared = prepared
    (folder / "preprocessor_config.json").write_text(json.dumps({"do_normalize": prepared}), encoding="utf-8")
    return model, open_checkpoint(str(folder))


def sound(seconds: int, seed: int = 0) -> np.ndarray:
    """Noise that rises and falls, (n,), float32."""
    n = seconds * SECOND
    swell = 0.1 * (1 + np.sin(np.arange(n) / 7000))
    return (swell * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


class FixedGroupNorm(torch.nn.Module):
    """The first layer's group norm with given mean and variance (channels,)."""

    def __init__(self, norm: Any, mean: np.ndarray, variance: np.ndarray) -> None:
        super().__init__()
        self.norm = norm
        self.mean, self.variance = (torch.tensor(v, dtype=torch.float32)[:, None] for v in (mean, variance))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        leveled = (x - self.mean) / torch.sqrt(self.variance + self.norm.eps)
        return leveled * self.norm.weight[:, None] + self.norm.bias[:, None]


@contextmanager
def leveled_by(model: Any, reference: np.ndarray) -> Iterator[tuple[float, float]]:
    """Let the model level sound by a reference's statistics; gives the mean and deviation for the sound itself."""
    mean, deviation = 0.0, 1.0
    if model.prepared:
        mean, deviation = (
            float(reference.mean(dtype=np.float64)),
            float(np.sqrt(reference.var(dtype=np.float64) + 1e-7)),
        )
    first = model.feature_extractor.conv_layers[0]
    norm = first.layer_norm
    if model.config.feat_extract_norm == "group":
        with torch.no_grad():
            made = first.conv(torch.from_numpy((reference - mean) / deviation).float()[None, None])[0].double().numpy()
        first.layer_norm = FixedGroupNorm(norm, made.mean(axis=1), made.var(axis=1))
    try:
        yield mean, deviation
    finally:
        first.layer_norm = norm


def hidden_states(model: Any, heard: np.ndarray, layer: int, reference: np.ndarray) -> np.ndarray:
    """Frames after a layer (n, width), as transformers gives them for ``heard`` as a whole clip."""
    with leveled_by(model, reference) as (mean, deviation), torch.inference_mode():
        given = torch.from_numpy((heard - mean) / deviation).float()[None]
        made = model(given, output_hidden_states=True)
    states = made.last_hidden_state if layer == LAYERS - 1 else made.hidden_states[layer + 1]
    return states[0].numpy()


def projected_frames(model: Any, heard: np.ndarray, reference: np.ndarray) -> torch.Tensor:
    """What the transformer is given, (1, n, width)."""
    with leveled_by(model, reference) as (mean, deviation), torch.inference_mode():
        given = torch.from_numpy((heard - mean) / deviation).float()[None]
        made = model.feature_projection(model.feature_extractor(given).transpose(1, 2))
    return made[0] if isinstance(made, tuple) else made


def block_causal(
    model: Any, heard: np.ndarray, layer: int, reference: np.ndarray, context_s: int, lookahead: int
) -> list[np.ndarray]:
    """Frames after a layer, step by step, from one run over the whole sequence under a block-causal mask.

    The sequence holds each block with its right context beside it, so that look-ahead frames stand there twice.
    """
    frames = projected_frames(model, heard, reference)
    steps, encoder_ = len(heard) // SECOND, model.encoder
    stops = [50 * k - 1 for k in range(1, steps + 1)]
    starts = [0] + [stop - lookahead for stop in stops[:-1]]
    place = np.concatenate([np.arange(a, b) for a, b in zip(starts, stops, strict=True)])
    block = np.concatenate([np.full(b - a, i) for i, (a, b) in enumerate(zip(starts, stops, strict=True))])
    main = place < (np.array(stops) - lookahead)[block]
    same = block[:, None] == block[None]
    earliest = np.array(starts)[block] - 50 * (context_s - 1)
    past = main[None] & (block[None] < block[:, None]) & (place[None] >= earliest[:, None])
    mask = torch.from_numpy(np.where(same | past, 0.0, -np.inf)).float()
    with torch.inference_mode():
        placed = [frames[:, :stop] + encoder_.pos_conv_embed(frames[:, :stop]) for stop in stops]
        x = torch.cat([y[:, start:] for y, start in zip(placed, starts, strict=True)], dim=1)
        stable = model.config.do_stable_layer_norm
        if not stable:
            x = encoder_.layer_norm(x)
        for at in range(layer + 1):
            x = _layer(model, encoder_.layers[at], x, mask, place)
        if stable and layer == LAYERS - 1:
            x = encoder_.layer_norm(x)
    return [x[0].numpy()[(block == k) & main] for k in range(steps)]


def _layer(model: Any, layer: Any, x: torch.Tensor, mask: torch.Tensor, place: np.ndarray) -> torch.Tensor:
    stable = model.config.do_stable_layer_norm
    x = x + _attention(model, layer.attention, layer.layer_norm(x) if stable else x, mask, place)
    if stable:
        return x + layer.feed_forward(layer.final_layer_norm(x))
    x = layer.layer_norm(x)
    return layer.final_layer_norm(x + layer.feed_forward(x))


def _attention(model: Any, attention: Any, x: torch.Tensor, mask: torch.Tensor, place: np.ndarray) -> torch.Tensor:
    heads, width = attention.num_heads, x.shape[2]
    size = width // heads

    def split(y: torch.Tensor) -> torch.Tensor:
        return y.view(-1, heads, size).transpose(0, 1)

    query, key, value = split(attention.q_proj(x)), split(attention.k_proj(x)), split(attention.v_proj(x))
    scores = query @ key.transpose(1, 2) / size**0.5 + mask
    if model.config.model_type == "wavlm":
        first = model.encoder.layers[0].attention
        distance = torch.from_numpy(place[None] - place[:, None])
        bias = first.rel_attn_embed(first._relative_positions_bucket(distance)).permute(2, 0, 1)
        gates = attention.gru_rel_pos_linear(split(x)).view(heads, -1, 2, 4).sum(-1).sigmoid()
        one, other = gates.chunk(2, dim=-1)
        scores = scores + (one * (other * attention.gru_rel_pos_const[0] - 1) + 2) * bias
    return attention.out_proj((scores.softmax(-1) @ value).transpose(0, 1).reshape(1, -1, width))
