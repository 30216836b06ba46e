"""The streaming graphs compute what torch and transformers say that they should, for every family and both modes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from models.encoder import MOST_LOOKAHEAD, Design, EncoderGraph
from models.export import export, frozen_statistics
from models.frontend import moments_of
from rtaffect.predicted.featurizer import Featurizer, features_of
from rtaffect.predicted.manifest import StatePart
from rtaffect.predicted.sound_input import SoundInput
from tests.support.helpers import sound_source
from tests.support.speech_oracle import KINDS, LAYERS, SECOND, block_causal, encoder, hidden_states, sound

CONTEXT_S = 3
STEPS = 6


def quiet(_: str) -> None:
    pass


class Run:
    """A graph called second by second, the state carried as plain arrays; gives the frames too."""

    def __init__(self, family: str, large: bool, design: Design, prepared: bool = True) -> None:
        graph = EncoderGraph(encoder(family, large, prepared)[1], design, frames=True)
        content = graph.build().SerializeToString()
        self._session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
        self._parts: tuple[StatePart, ...] = graph.state
        self.state = {part.name: np.zeros((0, *part.shape), part.dtype) for part in graph.state}
        self.made: list[dict[str, int]] = []

    def step(self, second: np.ndarray) -> dict[str, np.ndarray]:
        names = [value.name for value in self._session.get_outputs()]
        given = {"audio": second} | {f"state.{name}": value for name, value in self.state.items()}
        out = dict(zip(names, self._session.run(names, given), strict=True))
        self.made.append({part.name: len(out[f"new.{part.name}"]) for part in self._parts})
        for part in self._parts:
            rows = np.concatenate([self.state[part.name], out[f"new.{part.name}"]])
            self.state[part.name] = rows[max(0, len(rows) - part.keep) :]
        return out


def seconds_of(heard: np.ndarray) -> np.ndarray:
    return heard.reshape(-1, SECOND)


@pytest.mark.parametrize(("family", "large"), KINDS)
@pytest.mark.parametrize("layer", [1, LAYERS - 1])
def test_windowed_is_the_library_on_the_newest_context(family, large, layer):
    heard, reference = sound(STEPS), sound(8, seed=5)
    run = Run(family, large, Design("windowed", layer, CONTEXT_S, frozen=moments_of(reference)))
    for k, second in enumerate(seconds_of(heard), start=1):
        out = run.step(second)
        whole = hidden_states(
            encoder(family, large)[0], heard[max(0, k - CONTEXT_S) * SECOND : k * SECOND], layer, reference
        )
        newest = whole[-(49 if k == 1 else 50) :]
        np.testing.assert_allclose(out["frames"], newest, atol=5e-5)
        np.testing.assert_allclose(out["features"], newest.mean(axis=0), atol=5e-5)


@pytest.mark.parametrize(("family", "large"), KINDS)
@pytest.mark.parametrize(("layer", "lookahead"), [(1, 0), (LAYERS - 1, 16), (0, MOST_LOOKAHEAD)])
def test_causal_is_the_whole_sequence_under_a_block_causal_mask(family, large, layer, lookahead):
    heard, reference = sound(STEPS), sound(8, seed=5)
    run = Run(family, large, Design("causal", layer, CONTEXT_S, lookahead, frozen=moments_of(reference)))
    expected = block_causal(encoder(family, large)[0], heard, layer, reference, CONTEXT_S, lookahead)
    assert [len(block) for block in expected] == [49 - lookahead] + [50] * (STEPS - 1)
    for second, block in zip(seconds_of(heard), expected, strict=True):
        out = run.step(second)
        np.testing.assert_allclose(out["frames"], block, atol=5e-5)
        np.testing.assert_allclose(out["features"], block.mean(axis=0), atol=5e-5)


@pytest.mark.parametrize("large", [False, True])
def test_a_model_that_takes_the_sound_as_it_is_gets_it_so(large):
    heard, reference = np.float32(0.2) * sound(2) + np.float32(0.01), sound(8, seed=5)
    model, checkpoint = encoder("wav2vec2", large, prepared=False)
    assert not checkpoint.do_normalize
    run = Run("wav2vec2", large, Design("windowed", 1, CONTEXT_S, frozen=moments_of(reference)), prepared=False)
    for k, second in enumerate(seconds_of(heard), start=1):
        frames = run.step(second)["frames"]
        expected = hidden_states(model, heard[: k * SECOND], 1, reference)[-len(frames) :]
        np.testing.assert_allclose(frames, expected, atol=5e-5)
        differently = hidden_states(encoder("wav2vec2", large)[0], heard[: k * SECOND], 1, reference)
        assert large == (np.abs(differently[-len(frames) :] - frames).max() > 1e-2)


@pytest.mark.parametrize("mode", ["causal", "windowed"])
@pytest.mark.parametrize("lookahead", [0, 7])
def test_the_manifest_knows_how_many_rows_each_call_makes(mode, lookahead):
    run = Run("wavlm", False, Design(mode, 1, CONTEXT_S, lookahead if mode == "causal" else 0))
    for second in seconds_of(sound(4)):
        run.step(second)
    for part in run._parts:
        assert [made[part.name] for made in run.made] == [part.made[0]] + [part.made[1]] * 3
        assert len(run.state[part.name]) <= part.keep


def test_statistics_add_up_to_those_of_the_sound():
    """What running normalisation sums are the statistics of the newest context, no window lost or counted twice."""
    run, heard = Run("wav2vec2", False, Design("causal", 0, CONTEXT_S)), sound(5)
    rows = []
    for k, second in enumerate(seconds_of(heard), start=1):
        rows.append(run.step(second)["new.moments"][0])
        np.testing.assert_allclose(np.sum(rows, axis=0), moments_of(heard[: k * SECOND]), rtol=1e-6, atol=1e-4)
    assert len(run.state["moments"]) == CONTEXT_S - 1


@pytest.mark.parametrize(("family", "large"), [("wav2vec2", False), ("hubert", True)])
def test_running_statistics_are_those_of_the_newest_context(family, large):
    """In each second the new frames are leveled by the newest context, whatever came before it."""
    heard = sound(CONTEXT_S)
    model, _ = encoder(family, large)
    run = Run(family, large, Design("windowed", 0, CONTEXT_S))
    first = run.step(heard[:SECOND])["frames"]
    np.testing.assert_allclose(first, hidden_states(model, heard[:SECOND], 0, heard[:SECOND]), atol=5e-5)
    frozen = Run(family, large, Design("windowed", 0, CONTEXT_S, frozen=moments_of(heard)))
    run.step(heard[SECOND : 2 * SECOND])
    run.state["frames"] = run.state["frames"][:0]
    frozen.step(heard[SECOND : 2 * SECOND])
    frozen.state["frames"] = frozen.state["frames"][:0]
    frozen.state["audio"] = run.state["audio"]
    newest = heard[2 * SECOND :]
    np.testing.assert_allclose(run.step(newest)["frames"], frozen.step(newest)["frames"], atol=5e-5)


@pytest.mark.parametrize(("family", "large"), [("wav2vec2", False), ("wav2vec2", True)])
def test_running_statistics_keep_features_when_the_gain_changes_and_frozen_ones_do_not(family, large):
    def features(design: Design, gain: float) -> np.ndarray:
        run = Run(family, large, design)
        return np.array([run.step(np.float32(gain) * second)["features"] for second in seconds_of(sound(4))])

    running = Design("causal", 1, CONTEXT_S)
    np.testing.assert_allclose(features(running, 0.1), features(running, 1.0), atol=2e-3)
    frozen = replace(running, frozen=moments_of(sound(8)))
    assert np.abs(features(frozen, 0.1) - features(frozen, 1.0)).max() > 0.05


@pytest.mark.parametrize(("family", "large"), KINDS)
@pytest.mark.parametrize("mode", ["causal", "windowed"])
def test_silence_clipping_and_whispers_give_finite_features(family, large, mode):
    run = Run(family, large, Design(mode, 1, CONTEXT_S))
    clipped = np.sign(sound(1)[:SECOND])
    for second in (np.zeros(SECOND, np.float32), clipped, 1e-6 * clipped, np.zeros(SECOND, np.float32)):
        assert np.isfinite(run.step(second)["features"]).all()


@pytest.mark.parametrize("mode", ["causal", "windowed"])
@pytest.mark.parametrize(("family", "large"), [("wav2vec2", False), ("wavlm", True)])
def test_all_layers_at_once_are_each_layer_alone(family, large, mode):
    every = Run(family, large, Design(mode, None, CONTEXT_S))
    alone = [Run(family, large, Design(mode, layer, CONTEXT_S)) for layer in range(LAYERS)]
    for second in seconds_of(sound(4)):
        together = every.step(second)["features"]
        assert together.shape == (LAYERS, 32)
        np.testing.assert_allclose(together, [run.step(second)["features"] for run in alone], atol=2e-5)


@pytest.mark.parametrize("mode", ["causal", "windowed"])
@pytest.mark.parametrize(("precision", "least"), [("fp16", 0.99999), ("int8", 0.998)])
def test_fewer_bits_give_nearly_the_same_features(mode, precision, least):
    exact = Run("hubert", False, Design(mode, 1, CONTEXT_S))
    coarse = Run("hubert", False, Design(mode, 1, CONTEXT_S, precision=precision))
    for second in seconds_of(sound(4)):
        a, b = exact.step(second)["features"], coarse.step(second)["features"]
        assert least < a @ b / np.linalg.norm(a) / np.linalg.norm(b) <= 1.000001
        assert np.abs(a - b).max() > 0


# --- as the product runs them ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Featurizer]:
    folder: Path = tmp_path_factory.mktemp("featurizers")
    checkpoint = encoder("wavlm", False)[1]
    for mode in ("causal", "windowed"):
        export(checkpoint, Design(mode, 1, CONTEXT_S), folder / f"{mode}.onnx", progress=quiet)
    return {mode: Featurizer.load(folder / f"{mode}.onnx") for mode in ("causal", "windowed")}


@pytest.mark.parametrize("mode", ["causal", "windowed"])
def test_streams_carry_the_state_that_the_graph_asks_for(exported, mode):
    heard = sound(30)
    run = Run("wavlm", False, Design(mode, 1, CONTEXT_S))
    expected = np.array([run.step(second)["features"] for second in seconds_of(heard)])
    np.testing.assert_allclose(features_of(heard, exported[mode]), expected, atol=2e-5)


@pytest.mark.parametrize("mode", ["causal", "windowed"])
def test_streams_do_not_disturb_each_other_and_a_reset_one_is_new(exported, mode):
    heard, other = seconds_of(sound(9)), seconds_of(sound(9, seed=3))
    alone = features_of(heard.ravel(), exported[mode])
    one, two = exported[mode].stream(), exported[mode].stream()
    for expected, a, b in zip(alone, heard, other, strict=True):
        two.step(b)
        np.testing.assert_array_equal(one.step(a), expected)
    two.reset()
    assert two.warming_up
    np.testing.assert_array_equal([two.step(second) for second in heard], alone)


@pytest.mark.slow
def test_an_hour_of_sound_leaves_the_state_as_large_as_a_minute(exported):
    stream, minute = exported["causal"].stream(), seconds_of(sound(60))
    sizes, last = set(), []
    for _ in range(60):
        last.append([stream.step(second) for second in minute][-1])
        sizes.add(sum(part._memory.nbytes for part in stream._parts))
    assert len(sizes) == 1
    assert np.isfinite(last).all()
    # Each minute ends as the one before: what lies further back than the layers can see has no influence.
    np.testing.assert_allclose(last[1:], np.broadcast_to(last[1], (59, 32)), atol=1e-6)


@pytest.mark.parametrize("mode", ["causal", "windowed"])
def test_features_live_are_features_offline(exported, mode):
    heard, origin = sound(8), 1000.0
    source = sound_source(heard, onset=origin)
    live = SoundInput(source, exported[mode], origin)
    features = []
    for step in range(1, 9):
        source.advance(origin + step + live.lookahead_s)
        live.advance(step)
        features.append(live.feature(step))
        assert live.warming_up == (step < CONTEXT_S)
    np.testing.assert_allclose(features, features_of(heard, exported[mode]), atol=1e-4)


def test_shipped_statistics_are_those_of_the_speech_that_they_are_said_to_be_of():
    from rtaffect.predicted.featurizer import embedded_asset
    from rtaffect.stream.audio import read_sound

    speech = moments_of(read_sound(embedded_asset("two_cities.wav"))[0])
    np.testing.assert_allclose(frozen_statistics(()), speech, rtol=1e-6, atol=1e-4)
