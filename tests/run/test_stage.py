"""The stage: what the operator's keys do to sounds, time lock and events, and that a replay of them is the same."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtaffect.common.clock import InstantClock
from rtaffect.common.settings import PredictionSettings, Settings
from rtaffect.engine.engine import Engine
from rtaffect.engine.feedback import Feedback
from rtaffect.engine.session import Session
from rtaffect.observed.spaces import ChannelSpace
from rtaffect.predicted.sound_input import SoundInput
from rtaffect.protocol.arms import Real
from rtaffect.protocol.conductor import Conductor
from rtaffect.protocol.event import SessionEvent
from rtaffect.protocol.model import Protocol
from rtaffect.protocol.protocol_step import ProtocolStep
from rtaffect.protocol.reading import read_protocol
from rtaffect.protocol.timeline import Key, Ran, keys_that_gave
from rtaffect.run.programme import Programme
from rtaffect.run.stage import Stage
from rtaffect.run.told import Due
from rtaffect.sources.sound_file import SoundFileSource
from tests.support.helpers import BandFeaturizer, brain_noise, headset

ORIGIN = 1000.0
SETTINGS = Settings(prediction=PredictionSettings(n_components=3, lags_s=(0, 1, 3)))
PROTOCOL = """
format = 1
name = "Keys"
[feedback]
scale = "fixed"
low = 0.0
high = 0.5
[[block]]
kind = "listen"
name = "First"
stimulus = "a.wav"
[[block]]
kind = "feedback"
name = "Second"
stimulus = "b.wav"
start = "auto"
[[block]]
kind = "rest"
name = "Last"
duration_s = 12
start = "auto"
"""


@pytest.fixture
def protocol(tmp_path: Path) -> Protocol:
    rng = np.random.default_rng(0)
    for name, seconds in (("a.wav", 14), ("b.wav", 30)):
        soundfile.write(tmp_path / name, rng.uniform(-0.3, 0.3, 16_000 * seconds), 16_000)
    (tmp_path / "keys.toml").write_text(PROTOCOL, encoding="utf-8")
    return read_protocol(tmp_path / "keys.toml")


class Ran60:
    """A minute of a session with keys at given steps."""

    def __init__(
        self,
        protocol: Protocol,
        keys: Mapping[int, str] = {},
        follow: Mapping[int, Sequence[Key]] | None = None,
        told: Sequence[Due] = (),
    ) -> None:
        self.feedback: list[Feedback] = []
        self.protocol_steps: list[ProtocolStep] = []
        self.events: list[SessionEvent] = []
        programme, stop = Programme(protocol), threading.Event()
        conductor = Conductor(protocol, Real(), 10, follow=follow)
        people = [headset(1e-5 * brain_noise(np.random.default_rng(i), 250 * 70, 2, 250.0), f"P{i}") for i in range(2)]
        sound_input = SoundInput(programme.source, BandFeaturizer(), ORIGIN)
        engine = Engine(
            people, ChannelSpace(("C1", "C2")), SETTINGS, ORIGIN, sound=programme.source, sound_input=sound_input,
            lock=programme.lock,
        )  # fmt: skip
        self.heard: dict[int, np.ndarray] = {}

        def listen(feedback: Feedback) -> None:
            self.heard |= {n: s for n, s in sound_input.heard if s is not None}

        def press(feedback: Feedback) -> None:
            action: dict[str, Callable[[], None]] = {
                "go": conductor.go,
                "skip": conductor.skip,
                "pause": conductor.pause,
                "repeat": conductor.repeat,
            }
            if (key := keys.get(feedback.step)) is not None:
                action[key]()

        stage = Stage(
            conductor, ORIGIN, sounds=programme.sounds, programme=programme.source, lock=programme.lock, player=None,
            on_protocol_step=[self.protocol_steps.append], on_event=[self.events.append], now=lambda: ORIGIN + 7.5,
            stop=stop, told=told,
        )  # fmt: skip
        self.stage = stage
        stage.begin()
        stage.mark("yawn")
        sinks = [self.feedback.append, listen, press, stage]
        self.steps = Session(engine, InstantClock(ORIGIN), sinks, stop, 60).run()

    def blocks(self) -> list[Ran]:
        begun = {e.block: e.onset for e in self.events if e.type == "block"}
        ended = {e.block: e.onset for e in self.events if e.type == "block-end"}
        return [Ran(n, onset, ended.get(n)) for n, onset in begun.items()]


def test_keys_begin_and_cut_sounds(protocol: Protocol) -> None:
    ran = Ran60(protocol, {4: "go", 30: "skip"})
    assert [(b.block, b.start_s, b.end_s) for b in ran.blocks()] == [(1, 7, 21), (2, 21, 30), (3, 30, 42)]
    assert ran.steps == 42, "the session ends with its protocol"
    a, b = (SoundFileSource.open(protocol.located(Path(n))).sound for n in ("a.wav", "b.wav"))
    assert sorted(ran.heard) == list(range(8, 31))
    for second in range(8, 22):
        np.testing.assert_allclose(ran.heard[second], a[(second - 8) * 16_000 : (second - 7) * 16_000], atol=1e-7)
    for second in range(22, 31):
        np.testing.assert_allclose(ran.heard[second], b[(second - 22) * 16_000 : (second - 21) * 16_000], atol=1e-7)
    alignment = {f.step: f.alignment for f in ran.feedback}
    locked = [step for step, where in alignment.items() if where is not None and where.state == "locked"]
    assert locked == list(range(8, 31))
    assert alignment[20].offset_s == 7
    assert alignment[25].offset_s == 21


def test_events_tell_it_in_order(protocol: Protocol) -> None:
    ran = Ran60(protocol, {4: "go", 30: "skip"})
    message = [(e.type, e.name, e.onset) for e in ran.events if e.type != "marker"]
    assert message == [
        ("key", "yawn", 7.5),
        ("key", "go", 4.0),
        ("block", "First", 7.0),
        ("stimulus", "a.wav", 7.0),
        ("stimulus-end", "a.wav", 21.0),
        ("block-end", "First", 21.0),
        ("block", "Second", 21.0),
        ("stimulus", "b.wav", 21.0),
        ("key", "skip", 30.0),
        ("stimulus-end", "b.wav", 30.0),
        ("block-end", "Second", 30.0),
        ("block", "Last", 30.0),
        ("block-end", "Last", 42.0),
    ]
    markers = [e.marker for e in ran.events if e.marker is not None]
    assert markers[0] == "session/begin"
    assert "stimulus/b.wav/end" in markers
    assert markers[-1] == "block/3/rest/end"
    assert all(e.lsl_time == ORIGIN + e.onset for e in ran.events)


def test_without_a_key_it_waits(protocol: Protocol) -> None:
    ran = Ran60(protocol)
    assert ran.steps == 60
    assert not ran.heard
    assert {m.phase for m in ran.protocol_steps} == {"waiting"}
    assert "Press Space" in ran.protocol_steps[-1].for_operator


def test_what_ran_is_followed_in_a_replay(protocol: Protocol) -> None:
    live = Ran60(protocol, {4: "go", 30: "skip"})
    again = Ran60(protocol, follow=keys_that_gave(protocol, live.blocks()))
    assert repr(again.protocol_steps) == repr(live.protocol_steps)
    assert again.feedback == live.feedback
    assert [(e.type, e.name, e.onset) for e in again.events] == [(e.type, e.name, e.onset) for e in live.events]
