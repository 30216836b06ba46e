"""The nets of affect as ONNX: the same sums, written node by node, so that a session needs no torch."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from calibration.affect.model import TINY, AffectNet
from models.graph import Graph


def eeg_onnx(net: AffectNet) -> bytes:
    """Return ``eeg.onnx``: features (B, T, C, F) and mask (B, T, C) to shared, logits, rating and attention."""
    graph, sizes, encoder = Graph(), net.sizes, net.eeg
    shape: list[int | str] = ["moments", sizes.seconds, sizes.channels]
    features = graph.input("features", "float32", [*shape, sizes.bands])
    mask = graph.input("mask", "float32", shape)
    over_channels = _share(graph, _scores(graph, encoder, features, "channel"), mask)
    weight = graph.op("Unsqueeze", graph.op("Mul", over_channels, graph.number(float(sizes.channels))), graph.ints(3))
    weighted = graph.shaped(graph.op("Mul", features, weight), -1, sizes.channels * sizes.bands)
    gates = graph.shaped(_linear(graph, weighted, "inputs", encoder.inputs), -1, sizes.seconds, 4 * sizes.hidden)
    there = graph.op("ReduceMax", mask, graph.ints(2), keepdims=0)
    states = _states(graph, net, gates, there)
    over_seconds = _share(graph, _scores(graph, encoder, states, "second"), there)
    spread = graph.op("Unsqueeze", over_seconds, graph.ints(2))
    context = graph.op("ReduceSum", graph.op("Mul", states, spread), graph.ints(1), keepdims=0)
    _outputs(graph, net, _linear(graph, context, "project", encoder.project))
    graph.output(graph.op("Mul", spread, over_channels), "attention", "float32", shape)
    return bytes(graph.model("affect-eeg").SerializeToString())


def sound_onnx(net: AffectNet) -> bytes:
    """Return ``sound.onnx``: embedding (B, E) to shared, logits and rating."""
    graph = Graph()
    embedding = graph.input("embedding", "float32", ["moments", net.sizes.embedding])
    inside = graph.op("Tanh", _linear(graph, embedding, "inside", net.sound.inside))
    _outputs(graph, net, _linear(graph, inside, "project", net.sound.project))
    return bytes(graph.model("affect-sound").SerializeToString())


def _states(graph: Graph, net: AffectNet, gates: str, there: str) -> str:
    """Return the states (B, T, H) of the encoder's memory."""
    sizes = net.sizes
    steps = graph.op("Split", gates, outputs=sizes.seconds, axis=1, num_outputs=sizes.seconds)
    counts = graph.op("Split", there, outputs=sizes.seconds, axis=1, num_outputs=sizes.seconds)
    if sizes.seconds == 1:
        steps, counts = [gates], [there]
    recurrent = graph.weight("state.weight", _array(net.eeg.state.weight.T))
    cell = state = None
    found = []
    for step, count in zip(steps, counts, strict=True):
        gate = graph.shaped(step, -1, 4 * sizes.hidden)
        if state is not None:
            gate = graph.op("Add", gate, graph.op("MatMul", state, recurrent))
        into, keep, new, out = graph.op("Split", gate, outputs=4, axis=1, num_outputs=4)
        after = graph.op("Mul", graph.op("Sigmoid", into), graph.op("Tanh", new))
        if cell is not None:
            after = graph.op("Add", graph.op("Mul", graph.op("Sigmoid", keep), cell), after)
        cell = _where(graph, count, after, cell)
        state = _where(graph, count, graph.op("Mul", graph.op("Sigmoid", out), graph.op("Tanh", cell)), state)
        found.append(graph.op("Unsqueeze", state, graph.ints(1)))
    return graph.join(*found, axis=1)


def _where(graph: Graph, counts: str, new: str, old: str | None) -> str:
    """Return ``new`` (B, H) where ``counts`` (B, 1) is 1, else ``old``, which is 0 where there is none."""
    kept = graph.op("Mul", counts, new)
    if old is None:
        return str(kept)
    return str(graph.op("Add", kept, graph.op("Mul", graph.op("Sub", graph.number(1.0), counts), old)))


def _scores(graph: Graph, encoder: Any, values: str, what: str) -> str:
    """Return scores (B, T, C) of features, or (B, T) of states; zeros where attention is not learnt."""
    channel = what == "channel"
    score = graph.weight(f"{what}.score", _array((encoder.channel_score if channel else encoder.second_score)[:, None]))
    layer = encoder.of_features if channel else encoder.of_state
    inside = graph.op("MatMul", values, graph.weight(f"{what}.weight", _array(layer.weight.T)))
    bias = layer.bias + encoder.of_place if channel else layer.bias
    inside = graph.op("Tanh", graph.op("Add", inside, graph.weight(f"{what}.bias", _array(bias))))
    scores = graph.op("Squeeze", graph.op("MatMul", inside, score), graph.ints(-1))
    return str(scores if encoder.attention else graph.op("Mul", scores, graph.number(0.0)))


def _share(graph: Graph, scores: str, counts: str) -> str:
    weight = graph.op("Mul", graph.op("Exp", scores), counts)
    total = graph.op("Max", graph.op("ReduceSum", weight, graph.ints(-1), keepdims=1), graph.number(TINY))
    return str(graph.op("Div", weight, total))


def _outputs(graph: Graph, net: AffectNet, shared: str) -> None:
    graph.output(shared, "shared", "float32", ["moments", net.sizes.shared])
    graph.output(_linear(graph, shared, "logits", net.heads.logits), "logits", "float32", ["moments", 2])
    rating = graph.op("Tanh", _linear(graph, shared, "rating", net.heads.rating))
    graph.output(rating, "rating", "float32", ["moments", 2])


def _linear(graph: Graph, x: str, name: str, layer: Any) -> str:
    return graph.linear(x, name, _array(layer.weight.T), _array(layer.bias))


def _array(values: Tensor) -> Any:
    return values.detach().cpu().numpy()
