"""The command ``demo``: a whole session with a synthetic participant."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click
import numpy as np
from rich.console import Console

from rtaffect.audio import read_sound
from rtaffect.cli import options
from rtaffect.cli.assemble import Model, Sound, build_engine, demo_folder, load_model, tell_cost
from rtaffect.cli.run import Outputs, run_session
from rtaffect.clock import Clock, InstantClock, LslClock
from rtaffect.simulation.cohort import CohortSettings
from rtaffect.simulation.head import CHANNELS
from rtaffect.sources.base import Source, StreamInfo
from rtaffect.sources.sound_file import SoundFileSource
from rtaffect.stimulus import KnownOnset

BANNER = "synthetic participant, bundle from a synthetic cohort: a demonstration, not a person"
#: The participant's own activity before the sound starts, s (calibration.demo writes it so).
LEAD_S = 3.0


@click.command()
@options.gathered(options.Results)
@options.featurizer_option
@options.threads_option
@click.option(
    "--speed", default="1", show_default=True, help="1: real time, over LSL; max: straight from the simulator."
)
def command(results: options.Results, featurizer: Path | None, threads: int, speed: str) -> None:
    """Run a whole session with a synthetic participant who listens to a sound that the bundle was not fitted on."""
    if speed not in ("1", "max"):
        raise click.BadParameter("expected 1 or max", param_hint="--speed")
    console = Console()
    with console.status("getting ready") as status:
        model = load_model(None, featurizer, status.update, threads)
        folder = demo_folder(featurizer, status.update)
        samples, _ = read_sound(folder / "sound.wav")
        participant = np.load(folder / "participant.npy")
    tell_cost(model, console)
    about = {"command": "demo", "speed": speed, "settings": model.bundle.manifest.settings.model_dump(mode="json")}
    outputs = Outputs("rtaffect demo", results, BANNER, about | model.describe())
    with ExitStack() as cleanup:
        sound = SoundFileSource(samples, "sound.wav")
        if speed == "max":
            person, onset, clock = _straight(participant)
        else:
            person, onset, clock = _over_lsl(participant, cleanup)
        sound.onset = onset + LEAD_S
        _run(person, sound, clock, model, outputs, console)


def _straight(participant: np.ndarray) -> tuple[Source, float, Clock]:
    """Return the participant without LSL and without waiting, when its EEG starts (s), and a clock that jumps."""
    from rtaffect.sources.recorded import ArraySource

    onset = 100.0
    info = StreamInfo("participant", "eeg", CohortSettings().rate_hz, CHANNELS, "simulated")
    return ArraySource(info, participant, onset), onset, InstantClock(onset)


def _over_lsl(participant: np.ndarray, cleanup: ExitStack) -> tuple[Source, float, Clock]:
    """Return the participant as a real LSL stream from a child process, when its EEG starts, and the LSL clock."""
    import uuid

    from rtaffect.simulation.headset import SimulatedHeadset
    from rtaffect.sources.lsl import LslSource
    from rtaffect.sources.lsl_streams import find_stream
    from rtaffect.sources.selection import Query

    clock = LslClock()
    source_id = f"rtaffect-demo-{uuid.uuid4().hex[:8]}"
    headset = SimulatedHeadset("participant", source_id, participant, CohortSettings().rate_hz, CHANNELS)
    cleanup.enter_context(headset)
    return LslSource(find_stream(Query("source_id", source_id))), headset.onset, clock


def _run(
    person: Source, sound: SoundFileSource, clock: Clock, model: Model, outputs: Outputs, console: Console
) -> None:
    assert sound.onset is not None
    heard = Sound.known(sound, sound.info.source_id, KnownOnset(0.0))
    analysis = options.Analysis(bundle=None, featurizer=None, against="reference", mains=0.0)
    engine = build_engine([person], sound.onset, sound=heard, model=model, analysis=analysis)
    run_session(engine, clock, outputs, console)
