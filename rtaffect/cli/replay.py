"""The command ``replay``: a recorded session through the same code as a live one."""

from __future__ import annotations

import math
from pathlib import Path

import click
from rich.console import Console

from rtaffect.audio import SAMPLE_RATE
from rtaffect.cli import options
from rtaffect.cli.assemble import Sound, build_engine, describe_session, load_session_model, tell_cost
from rtaffect.cli.run import run_session
from rtaffect.clock import Clock, InstantClock, PacedClock
from rtaffect.errors import SettingsError
from rtaffect.sources.sound_file import SoundFileSource
from rtaffect.sources.xdf import XdfRecording


@click.command()
@click.argument("recording", type=click.Path(path_type=Path))
@options.gathered(options.Headsets)
@click.option("--audio", type=click.Path(path_type=Path), help="Sound file that was heard, if the recording has none.")
@click.option(
    "--audio-start", type=float, default=0.0, show_default=True, help="When it began, s after the recording's start."
)
@click.option("--speed", default="1", show_default=True, help="1: as recorded, N: N times as fast, max: no waiting.")
@options.gathered(options.Analysis)
@options.gathered(options.Results)
def command(
    recording: Path,
    headsets: options.Headsets,
    audio: Path | None,
    audio_start: float,
    speed: str,
    analysis: options.Analysis,
    results: options.Results,
) -> None:
    """Replay the XDF file RECORDING; with several headsets in it, people are compared with each other."""
    console, factor = Console(), options.parse_speed(speed)
    with console.status("reading the recording") as status:
        recorded = XdfRecording.open(recording)
        people = recorded.eeg_sources(headsets.queries, channels=headsets.names, unit=headsets.unit, rate=headsets.rate)
        start = recorded.start
        origin, sound = _sound(recorded, audio, audio_start)
        model = load_session_model(sound is not None, analysis, status.update)
    if model is not None:
        tell_cost(model, console)
    for warning in recorded.warnings:
        console.print(f"note: {warning}", style="yellow", highlight=False)
    engine = build_engine(people, origin, sound=sound, model=model, analysis=analysis)
    about = {
        "command": "replay",
        "recording": str(recording),
        "audio": str(audio) if audio else None,
        "audio_start": audio_start,
        "recording_start": start,
        "origin": origin,
        "speed": speed,
    }
    clock: Clock = InstantClock(origin) if factor is None else PacedClock(origin, factor)
    outputs = describe_session(f"rtaffect replay: {recording.name}", results, engine, model, about)
    steps = run_session(engine, clock, outputs, console)
    if not steps:
        console.print(f"{recording} is shorter than one step: nothing to show", style="yellow", highlight=False)


def _sound(recorded: XdfRecording, audio: Path | None, audio_start: float) -> tuple[float, Sound | None]:
    """Return the session's origin (s on the recording's clock) and its sound, if there is one.

    The origin lies a whole number of steps before the onset of a sound file, so that the steps divide the sound as
    calibration did, and at most one step before the recording's first sample.
    """
    start = recorded.start
    if audio is None:
        source = recorded.audio_source()
        return start, Sound(source) if source else None
    if not math.isfinite(audio_start):
        raise SettingsError(f"--audio-start {audio_start} is not a time; give seconds after the recording's start")
    onset = start + audio_start
    file = SoundFileSource.open(audio, onset)
    length = recorded.end - start
    if not -len(file.sound) / SAMPLE_RATE < audio_start < length:
        raise SettingsError(
            f"--audio-start {audio_start:g} puts the sound ({file.duration_s:.1f} s) outside the recording "
            f"(0 to {length:.1f} s); give the seconds from the recording's start to the sound's"
        )
    return onset - math.ceil(audio_start), Sound(file, file.info.source_id, onset)
