"""Self-attention over the frames of this call and the kept keys and values of earlier ones.

WavLM adds to each score a learned bias by the distance from query to key, scaled by a gate that the query's own hidden
state sets (Chen et al., *WavLM*, IEEE J-STSP 2022, section III-B; buckets as in T5).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.frontend import Carry
from models.graph import CONTRIB, Graph
from rtaffect.predicted.manifest import StatePart

if TYPE_CHECKING:
    from models.checkpoint import Checkpoint


class Attention:
    """Writes the attention of each block of one checkpoint into a graph.

    Parameters
    ----------
    kept
        How keys and values are kept from call to call; None where every call brings all frames anew.
    most
        No query is further than this from a key, frames.
    carry
        Declares a part of the state; see the encoder.
    """

    def __init__(self, graph: Graph, checkpoint: Checkpoint, kept: StatePart | None, most: int, carry: Carry) -> None:
        self._g, self._checkpoint, self._kept, self._carry = graph, checkpoint, kept, carry
        self._width = int(checkpoint.config["hidden_size"])
        self._heads = int(checkpoint.config["num_attention_heads"])
        self._size = self._width // self._heads
        self._relative = checkpoint.family == "wavlm"
        self._most = most
        self._bias: dict[bool, str] = {}

    def __call__(self, layer: int, queries: str, source: str, asked: str) -> str:
        """Return the attention's output for ``queries`` (q, width), which are the newest rows of ``source`` (n, width).

        The first ``asked`` rows are those whose keys and values are kept.
        """
        g, name = self._g, f"encoder.layers.{layer}.attention"
        if queries == source:
            joined = self._project(source, name, "q_proj", "k_proj", "v_proj")
            query, key, value = g.op("Split", joined, outputs=3, axis=1, num_outputs=3)
        else:
            query = self._project(queries, name, "q_proj")
            key, value = g.op(
                "Split", self._project(source, name, "k_proj", "v_proj"), outputs=2, axis=1, num_outputs=2
            )
        if self._kept is not None:
            parts = [self._kept.model_copy(update={"name": f"{kind}_{layer}"}) for kind in ("key", "value")]
            key, value = (
                g.join(self._carry(part, g.rows(x, None, asked)), x)
                for part, x in zip(parts, (key, value), strict=True)
            )
        query, key, value = (g.shaped(x, -1, self._heads, self._size) for x in (query, key, value))
        scores = g.op("FusedMatMul", query, key, domain=CONTRIB, transBatchA=1, transBatchB=1, transB=1)
        if self._relative:
            scores = g.op("Add", scores, self._relative_bias(queries, name, query, key, queries == source))
        weights = g.op("Softmax", scores, axis=-1)
        mixed = g.op("FusedMatMul", weights, value, domain=CONTRIB, transBatchB=1)
        mixed = g.shaped(g.op("Transpose", mixed, perm=[1, 0, 2]), -1, self._width)
        out = f"{name}.out_proj"
        return g.linear(mixed, out, *self._checkpoint.linear(out))

    def _project(self, x: str, name: str, *which: str) -> str:
        """Return the projections of ``x`` side by side; the queries are scaled by 1 / sqrt(size)."""
        weights, biases = [], []
        for kind in which:
            weight, bias = self._checkpoint.linear(f"{name}.{kind}")
            scale = np.float32(1 / math.sqrt(self._size) if kind == "q_proj" else 1.0)
            weights.append(weight * scale)
            biases.append(bias * scale)
        joined = ".".join((name, *which))
        return self._g.linear(x, joined, np.concatenate(weights, axis=1), np.concatenate(biases))

    def _relative_bias(self, x: str, name: str, query: str, key: str, whole: bool) -> str:
        """Return what is added to the scores (heads, q, k): bias by distance, gated by the queries' hidden states."""
        g, checkpoint = self._g, self._checkpoint
        # The same in every block but one whose queries are only a part of the frames.
        if whole not in self._bias:
            self._bias[whole] = self._bias_by_place(query, key)
        weight, bias = (checkpoint.tensor(f"{name}.gru_rel_pos_linear.{kind}") for kind in ("weight", "bias"))
        # Eight outputs are summed in two groups of four: as well sum the weights.
        halves = weight.reshape(2, 4, self._size).sum(axis=1).T
        gates = g.op("MatMul", g.shaped(x, -1, self._heads, self._size), g.weight(f"{name}.gates", halves))
        gates = g.op("Add", gates, g.weight(f"{name}.gates.bias", bias.reshape(2, 4).sum(axis=1)))
        gates = g.op("Transpose", g.op("Sigmoid", gates), perm=[1, 0, 2])
        one, other = g.op("Split", gates, outputs=2, axis=2, num_outputs=2)
        constant = g.weight(f"{name}.gates.constant", checkpoint.tensor(f"{name}.gru_rel_pos_const").reshape(-1, 1, 1))
        inner = g.op("Sub", g.op("Mul", other, constant), g.number(1.0))
        gate = g.op("Add", g.op("Mul", one, inner), g.number(2.0))
        return str(g.op("Mul", gate, self._bias[whole]))

    def _bias_by_place(self, query: str, key: str) -> str:
        """Return the bias (heads, q, k) of the newest q frames against k keys, of which the newest are the same."""
        g = self._g
        n_query, n_key = (g.op("Squeeze", g.count(x)) for x in (query, key))
        zero, one = g.number(0, np.int64), g.number(1, np.int64)
        at = g.op("Unsqueeze", g.op("Range", zero, n_query, one), g.ints(1))
        at = g.op("Add", at, g.op("Sub", n_key, n_query))
        distance = g.op("Sub", g.op("Range", zero, n_key, one), at)
        table = g.weight("relative_positions", self._table())
        return str(g.op("Gather", table, g.op("Add", distance, g.number(self._most, np.int64)), axis=1))

    def _table(self) -> NDArray[np.float32]:
        """Return the bias by distance from query to key (heads, 2 most + 1), the key furthest before first."""
        config = self._checkpoint.config
        buckets = int(config["num_buckets"]) // 2
        distance = np.arange(-self._most, self._most + 1)
        exact = buckets // 2
        with np.errstate(divide="ignore"):
            far = np.log(np.abs(distance).astype(np.float32) / np.float32(exact)) / math.log(
                int(config["max_bucket_distance"]) / exact
            )
        far = np.where(np.isfinite(far), far, 0.0)
        coarse = np.minimum((exact + far * (buckets - exact)).astype(np.int64), buckets - 1)
        bucket = np.where(np.abs(distance) < exact, np.abs(distance), coarse) + buckets * (distance > 0)
        learned = self._checkpoint.tensor("encoder.layers.0.attention.rel_attn_embed.weight")
        return np.ascontiguousarray(learned[bucket].T)
