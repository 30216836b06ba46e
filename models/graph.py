"""A small writer of ONNX graphs: each call adds one node and returns the name of its value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtaffect.common.errors import ArtifactError

if TYPE_CHECKING:
    import onnx

Precision = Literal["fp32", "int8", "fp16"]

CONTRIB = "com.microsoft"
_OPSETS = {"": 20, CONTRIB: 1}
_IR_VERSION = 10
#: Keeps rows of digital silence from being divided by zero.
_TINY = 1e-12


def require_onnx() -> Any:
    """Return the package onnx, or raise ArtifactError with the remedy."""
    try:
        import onnx
    except ImportError as error:
        raise ArtifactError('an export needs onnx; pip install "rtaffect[export]"') from error
    return onnx


def needed_nodes(nodes: Iterable[onnx.NodeProto], values: Iterable[str]) -> list[onnx.NodeProto]:
    """Return the nodes that ``values`` depend on, in the order given (which must be topological)."""
    wanted = set(values)
    kept: list[onnx.NodeProto] = []
    for node in reversed(list(nodes)):
        if wanted.isdisjoint(node.output):
            continue
        wanted.update(node.input)
        kept.append(node)
    return kept[::-1]


class Graph:
    """An ONNX graph under construction. Values are called by their names.

    Parameters
    ----------
    precision
        How the weights of :meth:`linear` are kept and multiplied.
    """

    def __init__(self, precision: Precision = "fp32") -> None:
        self._helper = require_onnx().helper
        self._precision = precision
        self._nodes: list[onnx.NodeProto] = []
        self._weights: dict[str, onnx.TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, dtype: str, shape: Sequence[int | str]) -> str:
        """Declare an input, such as ``("audio", "float32", ["n"])``."""
        self._inputs.append(self._helper.make_tensor_value_info(name, self._type(dtype), shape))
        return name

    def output(self, value: str, name: str, dtype: str, shape: Sequence[int | str]) -> None:
        """Give ``value`` out as the output ``name``."""
        self._nodes.append(self._helper.make_node("Identity", [value], [name], name=name))
        self._outputs.append(self._helper.make_tensor_value_info(name, self._type(dtype), shape))

    def op(self, kind: str, *inputs: str, outputs: int = 0, domain: str = "", **attributes: Any) -> Any:
        """Add a node; return its value's name, or a list of names where ``outputs`` is given."""
        number = len(self._nodes)
        names = [f"{kind}_{number}" if not outputs else f"{kind}_{number}_{i}" for i in range(max(1, outputs))]
        node = self._helper.make_node(kind, inputs, names, name=f"{kind}_{number}", domain=domain, **attributes)
        self._nodes.append(node)
        return names if outputs else names[0]

    def weight(self, name: str, values: ArrayLike) -> str:
        """Keep an array under ``name``; the first one kept under a name stays."""
        if name not in self._weights:
            from onnx import numpy_helper

            self._weights[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
        return name

    def ints(self, *values: int) -> str:
        """Return a constant int64 vector."""
        return self.weight("ints_" + "_".join(map(str, values)), np.array(values, np.int64))

    def number(self, value: float, dtype: type = np.float32) -> str:
        """Return a constant scalar."""
        return self.weight(f"{np.dtype(dtype).name}_{value!r}", np.array(value, dtype))

    def rows(self, x: str, start: int | str | None = None, stop: int | str | None = None) -> str:
        """Return ``x[start:stop]`` along the first axis; bounds are numbers or names of int64 vectors (1,)."""
        first = self._bound(start, 0)
        last = self._bound(stop, np.iinfo(np.int64).max)
        return str(self.op("Slice", x, first, last, self.ints(0), self.ints(1)))

    def count(self, x: str) -> str:
        """Return how many rows ``x`` has, int64 (1,)."""
        return str(self.op("Shape", x, start=0, end=1))

    def join(self, *parts: str, axis: int = 0) -> str:
        """Return the parts one after another."""
        return str(self.op("Concat", *parts, axis=axis))

    def shaped(self, x: str, *shape: int) -> str:
        """Return ``x`` reshaped; 0 keeps an axis, -1 is what remains."""
        return str(self.op("Reshape", x, self.ints(*shape)))

    def layer_norm(self, x: str, name: str, gain: NDArray[Any], bias: NDArray[Any], epsilon: float) -> str:
        """Return ``x`` normalised over its last axis."""
        scale, shift = self.weight(f"{name}.weight", gain), self.weight(f"{name}.bias", bias)
        return str(self.op("LayerNormalization", x, scale, shift, axis=-1, epsilon=epsilon))

    def linear(
        self, x: str, name: str, weight: NDArray[Any], bias: NDArray[Any] | None = None, uneven: bool = False
    ) -> str:
        """Return ``x @ weight + bias`` for ``x`` (rows, m) and ``weight`` (m, k).

        With int8 the weights have one scale per column and ``x`` has one in all. Where its rows are ``uneven``, each is
        brought to the range -1 to 1 first: a quiet row keeps as many digits as a loud one.
        """
        if self._precision == "int8":
            product = self._quantised(x, name, weight, uneven)
        elif self._precision == "fp16":
            half = self.weight(f"{name}.weight", weight.astype(np.float16))
            product = self.op("MatMul", x, self.op("Cast", half, to=1))
        else:
            kept = self.weight(f"{name}.weight", weight.astype(np.float32))
            if bias is not None:
                return str(self.op("Gemm", x, kept, self.weight(f"{name}.bias", bias.astype(np.float32))))
            product = self.op("MatMul", x, kept)
        if bias is None:
            return str(product)
        return str(self.op("Add", product, self.weight(f"{name}.bias", bias.astype(np.float32))))

    def _quantised(self, x: str, name: str, weight: NDArray[Any], uneven: bool) -> str:
        scale = np.maximum(np.abs(weight).max(axis=0), _TINY) / 127.0
        integers = self.weight(f"{name}.int8", np.clip(np.rint(weight / scale), -127, 127).astype(np.int8))
        scales = self.weight(f"{name}.scale", scale.astype(np.float32))
        if not uneven:
            return str(self.op("DynamicQuantizeMatMul", x, integers, scales, domain=CONTRIB))
        largest = self.op("ReduceMax", self.op("Abs", x), self.ints(1), keepdims=1)
        largest = self.op("Max", largest, self.number(_TINY))
        product = self.op("DynamicQuantizeMatMul", self.op("Div", x, largest), integers, scales, domain=CONTRIB)
        return str(self.op("Mul", product, largest))

    def model(self, name: str) -> onnx.ModelProto:
        """Return the finished model."""
        helper = self._helper
        graph = helper.make_graph(self._nodes, name, self._inputs, self._outputs, list(self._weights.values()))
        opsets = [helper.make_opsetid(domain, version) for domain, version in _OPSETS.items()]
        model: onnx.ModelProto = helper.make_model(
            graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="rtaffect"
        )
        return model

    def _bound(self, value: int | str | None, default: int) -> str:
        return value if isinstance(value, str) else self.ints(default if value is None else value)

    def _type(self, dtype: str) -> int:
        return int(self._helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))
