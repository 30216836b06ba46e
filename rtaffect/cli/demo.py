"""The command ``demo``: a whole session with a synthetic participant."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from rtaffect.cli import options
from rtaffect.common.clock import Clock, InstantClock, LslClock
from rtaffect.common.errors import SettingsError
from rtaffect.plan.session_folder import RECORDING_FILE
from rtaffect.plan.session_plan import AnalysisPlan, SessionPlan
from rtaffect.protocol.choice import choose_arm
from rtaffect.protocol.reading import read_protocol
from rtaffect.record.recorder import Recorder
from rtaffect.run.assemble import (
    Model,
    Sound,
    build_engine,
    demo_folder,
    describe_headset,
    describe_session,
    load_model,
    tell_cost,
)
from rtaffect.run.hearing import Programme
from rtaffect.run.run import ProtocolSetup, Run, run_session
from rtaffect.simulation.cohort import CohortSettings
from rtaffect.simulation.head import CHANNELS
from rtaffect.sources.lsl import LslSource
from rtaffect.sources.recorded import ArraySource
from rtaffect.sources.sound_file import SoundFileSource
from rtaffect.stream.source import StreamInfo
from rtaffect.timelock.stimulus import KnownOnset

Person = ArraySource | LslSource
BANNER = "synthetic participant, bundle from a synthetic cohort: a demonstration, not a person"
PROTOCOL = "protocol.toml"
#: The participant's own activity before the session's zero, s (calibration.demo writes it so).
LEAD_S = 3.0


@click.command()
@click.option("--protocol", "with_protocol", is_flag=True, help="With a short protocol that has every kind of block.")
@options.planned("demo")
def command(plan: SessionPlan, with_protocol: bool) -> None:
    """Run a whole session with a synthetic participant who listens to a sound that the bundle was not fitted on."""
    if with_protocol:
        folder = demo_folder(plan.analysis.featurizer, lambda _: None)
        plan = plan.model_copy(update={"protocol": plan.protocol.model_copy(update={"file": folder / PROTOCOL})})
    run_plan(plan, Console())


def run_plan(plan: SessionPlan, console: Console) -> None:
    """Run the demo that a plan describes; raises RtaffectError if that is impossible."""
    if plan.speed not in ("1", "max"):
        raise SettingsError(f"--speed {plan.speed}: a demo runs at 1, in real time, or at max")
    with console.status("getting ready") as status:
        model = load_model(None, plan.analysis.featurizer, status.update, plan.analysis.threads)
        folder = demo_folder(plan.analysis.featurizer, status.update)
        scene = _scene(plan, folder)
    tell_cost(model, console)
    with ExitStack() as cleanup:
        recorder = Recorder(plan.results.out / RECORDING_FILE) if plan.results.out is not None else None
        person, onset, clock = _straight(scene.eeg) if plan.speed == "max" else _over_lsl(scene.eeg, cleanup)
        if recorder is not None:
            recorder.record(person)
        _run(plan, scene, person, onset + LEAD_S, clock, model, recorder, console)


@dataclass(frozen=True, slots=True)
class _Scene:
    """What is played and what the participant's EEG (n, 24) V is, from ``LEAD_S`` before the session's zero."""

    eeg: NDArray[np.float32]
    path: Path
    setup: ProtocolSetup


def _scene(plan: SessionPlan, folder: Path) -> _Scene:
    if plan.protocol.file is None:
        return _Scene(np.load(folder / "participant.npy"), folder / "sound.wav", ProtocolSetup())
    if plan.protocol.file.resolve() != (folder / PROTOCOL).resolve():
        raise SettingsError(
            f"protocol {plan.protocol.file}: the demo's participant was simulated for {folder / PROTOCOL} alone; use "
            "`rtaffect demo --protocol`, or run yours live"
        )
    protocol = read_protocol(plan.protocol.file)
    arm = choose_arm(protocol, plan.participant, plan.protocol.allocation)
    return _Scene(
        np.load(folder / "protocol.npy"), folder / "sound.wav", ProtocolSetup(protocol, arm, Programme(protocol))
    )


def _straight(eeg: NDArray[np.float32]) -> tuple[Person, float, Clock]:
    """Return the participant without LSL and without waiting, when its EEG starts (s), and a clock that jumps."""
    onset = 100.0
    info = StreamInfo("participant", "eeg", CohortSettings().rate_hz, CHANNELS, "simulated", "rtaffect-demo")
    return ArraySource(info, eeg, onset), onset, InstantClock(onset)


def _over_lsl(eeg: NDArray[np.float32], cleanup: ExitStack) -> tuple[Person, float, Clock]:
    """Return the participant as a real LSL stream from a child process, when its EEG starts, and the LSL clock."""
    import uuid

    from rtaffect.simulation.headset import SimulatedHeadset
    from rtaffect.sources.lsl_streams import find_stream
    from rtaffect.sources.selection import Query

    clock = LslClock()
    source_id = f"rtaffect-demo-{uuid.uuid4().hex[:8]}"
    headset = SimulatedHeadset("participant", source_id, eeg, CohortSettings().rate_hz, CHANNELS)
    cleanup.enter_context(headset)
    return LslSource(find_stream(Query("source_id", source_id))), headset.onset, clock


def _run(
    plan: SessionPlan,
    scene: _Scene,
    person: Person,
    origin: float,
    clock: Clock,
    model: Model,
    recorder: Recorder | None,
    console: Console,
) -> None:
    setup = scene.setup
    if setup.programme is not None:
        sound = Sound(setup.programme.source, setup.programme.stimuli, setup.programme.lock)
        stimuli = {}
    else:
        file = SoundFileSource.open(scene.path, origin)
        sound, stimuli = Sound.known(file, file.info.source_id, KnownOnset(0.0)), {scene.path: file.info.source_id}
    analysis = AnalysisPlan(featurizer=plan.analysis.featurizer, against="reference" if stimuli else "auto", mains=0.0)
    engine = build_engine([person], origin, sound=sound, model=model, analysis=analysis)
    ran = describe_session("demo", plan, engine, model, setup.protocol)
    ran |= {
        "sound": {"kind": "protocol" if setup.protocol else "file", "name": sound.source.info.name},
        "locked_by": "the protocol" if setup.protocol else "playing it",
        "eeg": [describe_headset(person)],
    }
    run = Run(engine, clock, plan, "rtaffect demo", BANNER, ran, setup, recorder, stimuli=stimuli)
    run_session(run, console)
