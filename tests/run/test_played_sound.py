"""A live session that plays its sound: what is wrong with it is told, and what rests on it is withheld."""

from __future__ import annotations

import csv
import math
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from pylsl import local_clock

from rtaffect.engine.engine import Engine
from rtaffect.observed.spaces import ChannelSpace
from rtaffect.outputs.cue import Cue
from rtaffect.outputs.sound_player import SoundPlayer
from rtaffect.plan.session_folder import open_session
from rtaffect.plan.session_plan import SessionPlan
from rtaffect.protocol.arms import Real
from rtaffect.protocol.conductor import Conductor
from rtaffect.protocol.event import SessionEvent
from rtaffect.protocol.model import open_ended
from rtaffect.run.demo_material import demo_folder
from rtaffect.run.live import LiveSources
from rtaffect.run.programme import Programme
from rtaffect.run.running import RunningSession
from rtaffect.run.session_sources import ProtocolSetup
from rtaffect.run.stage import Stage
from rtaffect.simulation.head import CHANNELS
from rtaffect.simulation.headset import SimulatedHeadset
from tests.run.test_stage import ORIGIN, SETTINGS
from tests.sources.test_sound_card import ROOT, PulseServer, pulse  # noqa: F401 - pulse is a fixture
from tests.support.fake_output import RATE, FakeOutput, counting
from tests.support.helpers import brain_noise, headset, quiet


def stage(events: list[SessionEvent]) -> Stage:
    protocol = open_ended()
    programme = Programme(protocol)
    return Stage(
        Conductor(protocol, Real(), 10), ORIGIN, sounds={}, programme=programme.source, lock=programme.lock,
        player=None, on_protocol_step=[], on_event=[events.append], now=lambda: ORIGIN, stop=threading.Event(),
    )  # fmt: skip


def test_a_sound_that_begins_late_and_other_faults_are_events():
    events: list[SessionEvent] = []
    made = stage(events)
    late, good, waiting = (Cue(name, np.zeros((9, 1), np.float32), ORIGIN + 7.0, 9.0) for name in "abc")
    late.actual_onset, good.actual_onset = ORIGIN + 7.3, ORIGIN + 7.001
    made._cues += [late, good, waiting]
    made._look_at_cues()
    made.fault("the sound device ran dry", ORIGIN + 9.5)
    told = [(e.type, e.name, e.onset) for e in events]
    assert told == [("fault", "a was heard +0.300 s from its time", 7.0), ("fault", "the sound device ran dry", 9.5)]
    assert made._cues == [waiting]


def engine() -> Engine:
    people = [headset(1e-5 * brain_noise(np.random.default_rng(i), 250 * 20, 2, 250.0), f"P{i}") for i in range(2)]
    return Engine(people, ChannelSpace(("C1", "C2")), SETTINGS, ORIGIN)


def test_the_file_that_live_plays_tells_the_engine(monkeypatch, tmp_path):
    FakeOutput(monkeypatch)
    player, made = SoundPlayer(counting(5), RATE), engine()
    started: list[float] = []
    monkeypatch.setattr(player, "start", started.append)
    sources = object.__new__(LiveSources)
    sources.player, sources.setup = player, ProtocolSetup()
    ended: list[Callable[[], None]] = []
    cleanup = SimpleNamespace(callback=lambda *call: ended.append(call))
    sources.play(made, cleanup, lambda text: None)
    assert started == [ORIGIN]
    assert player.doubts is made.place
    assert sources.speaker is player
    assert ended
    player.doubts.note("player-torn", ORIGIN + 0.2, ORIGIN + 0.4, "torn")
    for source in made.sources:
        source.start()
        source.advance(ORIGIN + 2.0)
    step = made.step(ORIGIN + 1.1)
    assert [(d.about, d.reason) for d in step.doubts] == [("place", "player-torn")]
    assert "torn" in step.reason


def test_a_running_session_hears_of_its_player_and_counts(monkeypatch):
    """From the step on in which the engine runs: the ledger, the faults, and the counts in session.toml."""
    FakeOutput(monkeypatch)
    made, events, noted = engine(), [], {}
    player = SoundPlayer(counting(5), RATE)
    player.start = lambda: None
    running = object.__new__(RunningSession)
    running.setup = ProtocolSetup(player=player)
    running.run = SimpleNamespace(engine=made, sources=SimpleNamespace(speaker=player))
    running.plan, running.tone, running.stage = SessionPlan(), None, stage(events)
    running.stop = threading.Event()
    running.record = SimpleNamespace(note=lambda **known: noted.update(known))

    running.steps, running.incidents = 0, SimpleNamespace(end=lambda: None)

    def turn() -> Iterator[int]:
        player.tell("the sound device ran dry 1 time (underflow)", ORIGIN + 3.0)
        player.underflows = 1
        yield from range(3)

    running.session = lambda *shown: turn()
    assert running.work() == "completed"
    assert running.steps == 3
    assert player.doubts is made.place
    assert [(e.name, e.onset) for e in events if e.type == "fault"] == [
        ("the sound device ran dry 1 time (underflow)", 3.0)
    ]
    assert noted == {"played": {"underflows": 1, "losses": 0, "breaks": 0, "displaced_s": 0.0}}


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_session_that_is_stopped_while_it_plays_withholds_and_goes_on(pulse: PulseServer, tmp_path: Path):  # noqa: F811
    demo = demo_folder(None, quiet)
    name, out = f"cap-{uuid.uuid4().hex[:6]}", tmp_path / "live"
    eeg = np.load(demo / "participant.npy")[: 90 * 250]
    command = [sys.executable, str(ROOT / "launch.py"), "live", "--eeg", name, "--audio", str(demo / "sound.wav")]
    command += ["--seconds", "45", "--headless", "--out", str(out)]
    # The sound server's HOME is its own; the demo's model is in the user's cache.
    env = pulse.env | {"XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))}
    with SimulatedHeadset(name, name, eeg, 250.0, CHANNELS, onset=local_clock() + 2.0):
        process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        table = out / "feedback.tsv"
        deadline = time.monotonic() + 120
        while not table.exists() or len(table.read_text().splitlines()) < 2 or not steps(table)[-1:] >= [15]:
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                pytest.fail(process.communicate()[0])
            time.sleep(0.2)
        process.send_signal(signal.SIGSTOP)
        time.sleep(2.0)
        process.send_signal(signal.SIGCONT)
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    ran = open_session(out).ran
    assert ran["played"]["breaks"] >= 1
    assert ran["played"]["displaced_s"] > 1.0
    with (out / "events.tsv").open(encoding="utf-8", newline="") as file:
        faults = [line["name"] for line in csv.DictReader(file, delimiter="\t") if line["trial_type"] == "fault"]
    assert any("was not heard at its time" in name for name in faults)
    assert "was not heard at its time" in said
    with table.open(encoding="utf-8", newline="") as file:
        lines = [line for line in csv.DictReader(file, delimiter="\t") if line["row"] == "mean"]
    predicted = [math.nan if line["predicted"] == "n/a" else float(line["predicted"]) for line in lines]
    after = np.array(predicted[16:28])
    assert np.isnan(after).sum() >= 10, "as long as what predicts rests on the break"
    assert np.isfinite(predicted[-3:]).all(), "and it comes back"


def steps(table: Path) -> list[int]:
    with table.open(encoding="utf-8", newline="") as file:
        return [int(line["step"]) for line in csv.DictReader(file, delimiter="\t") if line["step"]]
