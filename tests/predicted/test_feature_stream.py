"""What a stream carries from call to call, against lists of rows in numpy, for tiny models made here."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from rtaffect.common.errors import ArtifactError
from rtaffect.predicted.feature_stream import FeatureStream
from rtaffect.predicted.featurizer import Featurizer, features_of
from rtaffect.predicted.manifest import MANIFEST_KEY, SAMPLE_RATE, FeaturizerManifest, StatePart
from rtaffect.predicted.state_rows import CALLS_PER_COPY

ONNX_TYPE = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}


def manifest_of(parts: Sequence[StatePart], size: int, n_layers: int = 1, layer: int | None = 0) -> FeaturizerManifest:
    return FeaturizerManifest(
        format_version=2,
        family="test",
        name="tiny",
        source="here",
        source_sha256="0" * 64,
        layer=layer,
        n_layers=n_layers,
        hidden_size=size,
        sample_rate=SAMPLE_RATE,
        frame_rate=50.0,
        mode="causal",
        context_s=3,
        normalisation="running",
        state=tuple(parts),
        licence="none",
    )


class Graph:
    """Collects the nodes of a model with the input ``audio`` (16000,) and the output ``features``."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.inputs = [helper.make_tensor_value_info("audio", TensorProto.FLOAT, ["n"])]
        self.outputs: list[onnx.ValueInfoProto] = []

    def op(self, kind: str, *inputs: str, out: str = "", **attributes: object) -> str:
        out = out or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [out], **attributes))
        return out

    def integers(self, *values: int) -> str:
        return self.op("Constant", value=helper.make_tensor("", TensorProto.INT64, [len(values)], values))

    def scalar(self, value: float, dtype: int) -> str:
        return self.op("Constant", value=helper.make_tensor("", dtype, [], [value]))

    def state(self, part: StatePart) -> str:
        name, shape = f"state.{part.name}", [f"n_{part.name}", *part.shape]
        self.inputs.append(helper.make_tensor_value_info(name, ONNX_TYPE[part.dtype], shape))
        return name

    def new(self, part: StatePart, value: str) -> None:
        name, shape = f"new.{part.name}", [f"m_{part.name}", *part.shape]
        self.op("Identity", value, out=name)
        self.outputs.append(helper.make_tensor_value_info(name, ONNX_TYPE[part.dtype], shape))

    def features(self, value: str, manifest: FeaturizerManifest) -> None:
        self.op("Identity", value, out="features")
        found = helper.make_tensor_value_info("features", TensorProto.FLOAT, manifest.features_shape)
        self.outputs.insert(0, found)

    def load(self, path: Path, manifest: FeaturizerManifest) -> Featurizer:
        graph = helper.make_graph(self.nodes, "tiny", self.inputs, self.outputs)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        helper.set_model_props(model, {MANIFEST_KEY: manifest.model_dump_json()})
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)
        return Featurizer.load(path)


def weighted_sum(graph: Graph, part: StatePart, rows: str) -> str:
    """Add nodes for the sum of all rows' elements, each row times its place from 1, as float32 (1,).

    A row that is lost, doubled, moved or of another call changes it.
    """
    flat = graph.op("Reshape", rows, graph.integers(-1, int(np.prod(part.shape, dtype=int))))
    sums = graph.op("ReduceSum", graph.op("Cast", flat, to=TensorProto.DOUBLE), graph.integers(1), keepdims=0)
    first, one = graph.scalar(1, TensorProto.INT64), graph.scalar(1, TensorProto.INT64)
    count = graph.op("Squeeze", graph.op("Shape", sums))
    places = graph.op("Range", first, graph.op("Add", count, one), one)
    weighted = graph.op("Mul", sums, graph.op("Cast", places, to=TensorProto.DOUBLE))
    total = graph.op("ReduceSum", weighted, graph.integers(0), keepdims=1)
    return graph.op("Cast", total, to=TensorProto.FLOAT)


def summing_featurizer(path: Path, parts: Sequence[StatePart]) -> Featurizer:
    """Features: for each part the weighted sum of the kept rows, then of the new ones; at last the sum of the sound.

    The new rows are the first samples of the second, as many as ``made`` says: other numbers at the first call, when
    no rows are kept.
    """
    graph, features = Graph(), []
    manifest = manifest_of(parts, 2 * len(parts) + 1)
    for part in parts:
        kept = graph.state(part)
        most, width = max(part.made), int(np.prod(part.shape, dtype=int))
        samples = graph.op("Slice", "audio", graph.integers(0), graph.integers(most * width))
        rows = graph.op("Reshape", samples, graph.integers(most, *part.shape))
        count = graph.op("Shape", kept, start=0, end=1)
        first = graph.op("Equal", count, graph.integers(0))
        made = graph.op("Where", first, graph.integers(part.made[0]), graph.integers(part.made[1]))
        rows = graph.op("Slice", graph.op("Cast", rows, to=ONNX_TYPE[part.dtype]), graph.integers(0), made)
        graph.new(part, rows)
        features += [weighted_sum(graph, part, kept), weighted_sum(graph, part, rows)]
    features.append(graph.op("ReduceSum", "audio", graph.integers(0), keepdims=1))
    graph.features(graph.op("Concat", *features, axis=0), manifest)
    return graph.load(path, manifest)


class Oracle:
    """The same from the definition: all rows ever made in a list, of which the newest are read."""

    def __init__(self, parts: Sequence[StatePart]) -> None:
        self._parts = parts
        self._rows = {part.name: np.empty((0, *part.shape)) for part in parts}
        self._first = True

    def step(self, second: np.ndarray) -> np.ndarray:
        features = []
        for part in self._parts:
            all_rows = self._rows[part.name]
            kept = all_rows[max(0, len(all_rows) - part.keep) :]
            made, width = part.made[0 if self._first else 1], int(np.prod(part.shape, dtype=int))
            new = second[: made * width].astype(np.float64).reshape(made, *part.shape)
            self._rows[part.name] = np.concatenate([all_rows, new])
            features += [self._sum(kept), self._sum(new)]
        self._first = False
        return np.array([*features, second.sum(dtype=np.float64)])

    @staticmethod
    def _sum(rows: np.ndarray) -> float:
        return float(rows.reshape(len(rows), -1).sum(axis=1) @ np.arange(1, len(rows) + 1)) if len(rows) else 0.0


def part_of(name: str, keep: int, made: tuple[int, int], shape: tuple[int, ...] = (), dtype: str = "float32"):
    return StatePart(name=name, dtype=dtype, shape=shape, keep=keep, made=made)


def seconds(count: int, seed: int = 0) -> np.ndarray:
    """Whole numbers, whose sums are exact in float32: what differs differs."""
    return np.random.default_rng(seed).integers(-9, 10, (count, SAMPLE_RATE)).astype(np.float32)


KINDS = {
    "one row": part_of("a", 1, (1, 1)),
    "fewer kept than made": part_of("a", 3, (5, 4), (2,)),
    "as many": part_of("a", 4, (4, 4), (2, 3)),
    "more at the first call": part_of("a", 11, (7, 2)),
    "fewer at the first call": part_of("a", 5, (2, 4), (3,)),
    "one at the first call": part_of("a", 90, (1, 4)),
    "not a multiple": part_of("a", 17, (5, 5)),
    "filled after many calls": part_of("a", 200, (3, 3)),
    "none kept": part_of("a", 0, (4, 4), (2,)),
    "double precision": part_of("a", 9, (2, 4), (2,), "float64"),
    "a second of sound": part_of("a", 4 * SAMPLE_RATE, (SAMPLE_RATE, SAMPLE_RATE)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_reads_the_newest_rows_in_order_and_no_others(kind, tmp_path):
    part = KINDS[kind]
    stream, oracle = summing_featurizer(tmp_path / "f.onnx", [part]).stream(), Oracle([part])
    for k, second in enumerate(seconds(13 * CALLS_PER_COPY)):
        expected = oracle.step(second).astype(np.float32)
        np.testing.assert_array_equal(stream.step(second), expected, err_msg=f"call {k}")


def test_parts_of_all_kinds_do_not_disturb_each_other(tmp_path):
    small = [p for p in KINDS.values() if p.keep < 1000]
    parts = [p.model_copy(update={"name": f"part_{k}"}) for k, p in enumerate(small)]
    stream, oracle = summing_featurizer(tmp_path / "f.onnx", parts).stream(), Oracle(parts)
    for second in seconds(110):
        np.testing.assert_array_equal(stream.step(second), oracle.step(second).astype(np.float32))


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_numbers_of_rows_are_carried(data, tmp_path_factory):
    keep = data.draw(st.integers(0, 40), "keep")
    later = data.draw(st.integers(1, 12), "made later")
    first = data.draw(st.integers(1, 12), "made first") if keep else later
    shape = tuple(data.draw(st.lists(st.integers(1, 3), max_size=2), "shape"))
    part = part_of("a", keep, (first, later), shape, data.draw(st.sampled_from(["float32", "float64"])))
    stream = summing_featurizer(tmp_path_factory.mktemp("any") / "f.onnx", [part]).stream()
    oracle = Oracle([part])
    for k, second in enumerate(seconds(40, seed=keep)):
        if data.draw(st.integers(0, 19), "reset") == 0:
            stream.reset()
            oracle = Oracle([part])
        expected = oracle.step(second).astype(np.float32)
        np.testing.assert_array_equal(stream.step(second), expected, err_msg=f"call {k}")


def test_double_precision_is_kept_from_call_to_call(tmp_path):
    """A count that grows by 2^24 + 1 a call, which float32 cannot hold, is right to the last digit."""
    part, graph, big = part_of("count", 1, (1, 1), dtype="float64"), Graph(), 2**24 + 1
    manifest = manifest_of([part], 1)
    so_far = graph.op("ReduceSum", graph.state(part), graph.integers(0), keepdims=1)
    count = graph.op("Add", so_far, graph.scalar(big, TensorProto.DOUBLE))
    graph.new(part, count)
    digits = graph.op("Mod", count, graph.scalar(1000, TensorProto.DOUBLE), fmod=1)
    graph.features(graph.op("Cast", digits, to=TensorProto.FLOAT), manifest)
    stream = graph.load(tmp_path / "f.onnx", manifest).stream()
    found = [float(stream.step(second)[0]) for second in seconds(100)]
    assert found == [k * big % 1000 for k in range(1, 101)]


def test_a_model_without_state_is_run_alike(tmp_path):
    featurizer = summing_featurizer(tmp_path / "f.onnx", [])
    sound = seconds(4)
    np.testing.assert_array_equal(features_of(sound.ravel(), featurizer)[:, 0], sound.sum(axis=1))


ALL_PARTS = [part_of("a", 17, (2, 5), (2,)), part_of("b", 3, (4, 4), (), "float64"), part_of("c", 60, (7, 1))]


@pytest.mark.parametrize("heard", [1, 3, CALLS_PER_COPY, 29])
def test_a_stream_that_was_reset_is_a_new_one(heard, tmp_path):
    featurizer = summing_featurizer(tmp_path / "f.onnx", ALL_PARTS)
    used, new, sound = featurizer.stream(), featurizer.stream(), seconds(30, seed=1)
    for second in seconds(heard):
        used.step(second)
    used.reset()
    assert (used.seconds, used.warming_up) == (0, True)
    for second in sound:
        np.testing.assert_array_equal(used.step(second), new.step(second))


def test_streams_of_one_featurizer_share_nothing(tmp_path):
    featurizer = summing_featurizer(tmp_path / "f.onnx", ALL_PARTS)
    streams, oracles = [featurizer.stream() for _ in range(3)], [Oracle(ALL_PARTS) for _ in range(3)]
    for k, second in enumerate(seconds(60)):
        at = k * k % 3
        np.testing.assert_array_equal(streams[at].step(second), oracles[at].step(second).astype(np.float32))


@pytest.mark.parametrize("heard", [0, 20])
def test_a_filled_stream_has_a_whole_context_of_zeros_whatever_it_heard(heard, tmp_path):
    featurizer = summing_featurizer(tmp_path / "f.onnx", ALL_PARTS)
    stream, oracle = featurizer.stream(), Oracle(ALL_PARTS)
    for second in seconds(heard):
        stream.step(second)
    stream.fill()
    assert not stream.warming_up
    oracle._first = False
    oracle._rows = {part.name: np.zeros((part.keep, *part.shape)) for part in ALL_PARTS}
    for second in seconds(40, seed=1):
        np.testing.assert_array_equal(stream.step(second), oracle.step(second).astype(np.float32))


def test_a_stream_warms_up_until_it_has_heard_its_context(tmp_path):
    stream = summing_featurizer(tmp_path / "f.onnx", ALL_PARTS).stream()
    assert stream.warming_up
    found = []
    for second in seconds(5):
        stream.step(second)
        found.append(stream.warming_up)
    assert found == [True, True, False, False, False]
    stream.reset()
    assert stream.warming_up


def test_memory_does_not_grow_with_the_number_of_calls(tmp_path):
    """300 calls make 19 MB of rows; what is held after them differs by less than one call's 64 kB."""
    part = KINDS["a second of sound"]
    stream, sound = summing_featurizer(tmp_path / "f.onnx", [part]).stream(), seconds(1)[0]
    for _ in range(2 * CALLS_PER_COPY):
        stream.step(sound)
    tracemalloc.start()
    try:
        stream.step(sound)
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(300):
            stream.step(sound)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < sound.nbytes


def test_features_are_the_callers_own(tmp_path):
    stream = summing_featurizer(tmp_path / "f.onnx", ALL_PARTS).stream()
    one, two = (stream.step(second) for second in seconds(2))
    kept = one.copy()
    two[:] = 0.0
    stream.step(seconds(1)[0])
    np.testing.assert_array_equal(one, kept)
    np.testing.assert_array_equal(two, 0.0)


def test_a_second_that_is_not_contiguous_is_read_all_the_same(tmp_path):
    featurizer = summing_featurizer(tmp_path / "f.onnx", ALL_PARTS)
    stereo = np.stack([seconds(1)[0], seconds(1, seed=5)[0]], axis=1)
    found = featurizer.stream().step(stereo[:, 1])
    np.testing.assert_array_equal(found, featurizer.stream().step(stereo[:, 1].copy()))


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (np.zeros(15_999, np.float32), r"float32 \(15999,\), expected float32 \(16000,\)"),
        (np.zeros(16_001, np.float32), r"\(16001,\)"),
        (np.zeros(0, np.float32), r"\(0,\)"),
        (np.zeros((1, 16_000), np.float32), r"\(1, 16000\)"),
        (np.zeros(16_000), r"float64 \(16000,\)"),
        (np.zeros(16_000, np.int16), "int16"),
        (np.full(16_000, np.nan, np.float32), "NaN or infinity"),
        (np.full(16_000, -np.inf, np.float32), "NaN or infinity"),
    ],
)
def test_a_second_that_is_a_mistake_of_ours_raises_and_leaves_the_stream_as_it_was(second, message, tmp_path):
    stream, oracle = summing_featurizer(tmp_path / "f.onnx", ALL_PARTS).stream(), Oracle(ALL_PARTS)
    for good in seconds(20):
        with pytest.raises(ValueError, match=message):
            stream.step(second)
        np.testing.assert_array_equal(stream.step(good), oracle.step(good).astype(np.float32))
    assert stream.seconds == 20


def test_all_layers_come_as_one_matrix(tmp_path):
    """Each layer's vector in its row: here the sums of the sound's halves, times the layer's number."""
    manifest, graph = manifest_of([], 2, n_layers=3, layer=None), Graph()
    halves = graph.op("ReduceSum", graph.op("Reshape", "audio", graph.integers(2, -1)), graph.integers(1), keepdims=0)
    numbers = graph.op("Constant", value=helper.make_tensor("", TensorProto.FLOAT, [3, 1], [1.0, 2.0, 3.0]))
    graph.features(graph.op("Mul", numbers, halves), manifest)
    featurizer = graph.load(tmp_path / "f.onnx", manifest)
    assert featurizer.identity == "tiny/all-layers"
    sound = seconds(4)
    expected = sound.reshape(4, 1, 2, -1).sum(axis=3) * np.array([[1.0], [2.0], [3.0]])
    assert featurizer.stream().step(sound[0]).shape == (3, 2)
    np.testing.assert_array_equal(features_of(sound.ravel(), featurizer), expected)
    assert features_of(sound[0, :100], featurizer).shape == (0, 3, 2)


@pytest.mark.parametrize(
    "change",
    [{"shape": (3,)}, {"shape": ()}, {"shape": (2, 1)}, {"dtype": "float64"}],
    ids=str,
)
def test_a_model_whose_state_is_not_what_its_manifest_says_is_refused(change, tmp_path):
    part = part_of("a", 3, (4, 4), (2,))
    path = tmp_path / "f.onnx"
    summing_featurizer(path, [part])
    model = onnx.load(path)
    wrong = manifest_of([part.model_copy(update=change)], 3)
    helper.set_model_props(model, {MANIFEST_KEY: wrong.model_dump_json()})
    onnx.save(model, path)
    with pytest.raises(ArtifactError, match=r"state\.a is tensor\(float\) with rows \(2,\), but .*rtaffect export"):
        Featurizer.load(path)


def test_a_model_that_makes_other_numbers_of_rows_than_it_says_stops_instead_of_writing_beyond_them(tmp_path):
    part, path = part_of("a", 3, (4, 4), (2,)), tmp_path / "f.onnx"
    summing_featurizer(path, [part])
    model = onnx.load(path)
    wrong = manifest_of([part.model_copy(update={"made": (1, 1)})], 3)
    helper.set_model_props(model, {MANIFEST_KEY: wrong.model_dump_json()})
    onnx.save(model, path)
    stream: FeatureStream = Featurizer.load(path).stream()
    with pytest.raises(Exception, match="shape"):
        stream.step(seconds(1)[0])
