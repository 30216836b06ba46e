"""Would mix, voice and background through one call of the featurizer cost less than three calls, with equal features?

Of the default featurizer's graph the part from five seconds of sound to the features, which takes any number of sounds
at once: three of them in one call, against one after the other, on one thread. Its weights are of 8 bits, and a call
brings all that it is given to 8 bits by one scale, so that sounds in one call change each other's features: the
difference is told beside the cost.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from bench import Rows, run, silent
from models.graph import require_onnx
from rtaffect.predicted.featurizer import DEFAULT, DEFAULT_LAYER, cached_path, default_featurizer
from rtaffect.predicted.featurizer_file import CPU, onnxruntime_or_remedy
from rtaffect.simulation.elements import speech_over_music
from rtaffect.simulation.sounds import speech_from_wheel
from rtaffect.stream.audio import SAMPLE_RATE

#: Values of the exported graph: what comes of joining the context, and the features with their batch axis.
SOUND, FEATURES = "input_values", "rtaffect/pooled"
#: What of the graph lies before and behind them.
LEFT_OUT = {"rtaffect/context", SOUND, "new.audio", "features"}


def without_state() -> Any:
    """Return an onnxruntime session from sounds (n, samples) to features (n, F)."""
    onnx = require_onnx()
    seconds = default_featurizer(silent).manifest.context_s
    model = onnx.load(str(cached_path(DEFAULT, DEFAULT_LAYER)))
    graph = model.graph
    nodes = [node for node in graph.node if not LEFT_OUT & set(node.output)]
    used = {name for node in nodes for name in node.input}
    weights = [weight for weight in graph.initializer if weight.name in used]
    for part, kept in ((graph.node, nodes), (graph.initializer, weights)):
        del part[:]
        part.extend(kept)
    del graph.input[:], graph.output[:]
    floats = onnx.TensorProto.FLOAT
    graph.input.append(onnx.helper.make_tensor_value_info(SOUND, floats, ["n", seconds * SAMPLE_RATE]))
    graph.output.append(onnx.helper.make_tensor_value_info(FEATURES, floats, None))
    ort = onnxruntime_or_remedy()
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    return ort.InferenceSession(model.SerializeToString(), options, providers=[CPU])


def batch_rows(quick: bool) -> Rows:
    """Return what three calls and one take, s of the processor, and how far their features are from each other."""
    session, turns = without_state(), 3 if quick else 25
    seconds = default_featurizer(silent).manifest.context_s
    parts = speech_over_music(3, 4 * seconds, 0.0, speech_from_wheel())
    sounds = np.stack([part[-seconds * SAMPLE_RATE :] for part in parts])

    def apart() -> np.ndarray:
        return np.concatenate([session.run([FEATURES], {SOUND: sound[None]})[0] for sound in sounds])

    def together() -> np.ndarray:
        return np.asarray(session.run([FEATURES], {SOUND: sounds})[0])

    spent = np.median([[_spent(work) for work in (apart, together)] for _ in range(turns)], axis=0)
    scale = float(np.abs(apart()).max())
    differ = float(np.abs(apart() - together()).max()) / scale
    names = ("three calls", "one call of three sounds")
    return [
        {"way": name, "ms": 1e3 * cost, "ratio": cost / spent[0], "differ": far}
        for name, cost, far in zip(names, spent, (0.0, differ), strict=True)
    ]


def _spent(work: Callable[[], object]) -> float:
    """Return what this thread spent on it, s: other programs, as far as they only take turns, do not count."""
    begin = time.thread_time()
    work()
    return time.thread_time() - begin


COLUMNS = (
    ("way", "mix, voice and background in", ""), ("ms", "ms of the processor", ".1f"), ("ratio", "ratio", ".2f"),
    ("differ", "features differ by, of the largest", ".1e"),
)  # fmt: skip

if __name__ == "__main__":
    run("elements_batch", batch_rows, COLUMNS, "medians; one thread, the default featurizer with its whole context")
