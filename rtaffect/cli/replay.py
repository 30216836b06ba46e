"""The command ``replay``: a recorded session through the same code as a live one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from rtaffect.alignment import Aligner
from rtaffect.audio import SAMPLE_RATE
from rtaffect.cli import options
from rtaffect.cli.assemble import (
    Model,
    OwnResponse,
    Sound,
    build_engine,
    describe_session,
    describe_stimulus,
    load_session_model,
    require_reference,
    tell_cost,
)
from rtaffect.cli.run import run_session
from rtaffect.clock import Clock, InstantClock, PacedClock
from rtaffect.errors import SettingsError
from rtaffect.markers import onset_from
from rtaffect.response import Response, clean_channels, whole_response
from rtaffect.sources.selection import ANY_MARKERS, Query
from rtaffect.sources.sound_file import SoundFileSource
from rtaffect.sources.xdf import XdfRecording
from rtaffect.spaces import Space
from rtaffect.stimulus import KnownOnset, SoundOnset
from rtaffect.synchrony import standardise

_path = click.Path(path_type=Path)


@dataclass(frozen=True, slots=True)
class Heard:
    """The options of ``replay`` that say what people heard.

    Raises
    ------
    SettingsError
        If they do not go together.
    """

    audio: Path | None
    audio_start: float | None
    onset_marker: str | None
    markers: str | None
    stimulus: Path | None
    in_reference: bool = False

    def __post_init__(self) -> None:
        if self.in_reference and self.audio is None:
            raise SettingsError(
                "--in-reference leaves the person out of the reference for --audio FILE; give that file, too"
            )
        if self.stimulus is not None and self.audio is not None:
            raise SettingsError(
                "--stimulus and --audio exclude each other: give --audio where it is known when the file began, "
                "--stimulus where it is to be found in the recorded sound"
            )
        if self.onset_marker is not None and (self.audio is None or self.audio_start is not None):
            raise SettingsError(
                "--onset-marker says when --audio FILE began: give that file, too, and no --audio-start"
            )
        if self.onset_marker is None and self.markers is not None:
            raise SettingsError("--markers is where --onset-marker TEXT comes from; give that text, too")
        if self.audio_start is not None and not math.isfinite(self.audio_start):
            raise SettingsError(
                f"--audio-start {self.audio_start} is not a time; give seconds after the recording's start"
            )

    def start_in(self, recorded: XdfRecording) -> float:
        """Return when --audio began, s after the recording's start."""
        if self.onset_marker is None:
            return self.audio_start or 0.0
        query = ANY_MARKERS if self.markers is None else Query.parse(self.markers)
        return onset_from(recorded.markers(query), self.onset_marker) - recorded.start

    @property
    def said_by(self) -> str:
        """What says when --audio began, in words."""
        return "--audio-start" if self.onset_marker is None else f"marker {self.onset_marker!r}"


@dataclass(frozen=True, slots=True)
class Placed:
    """The session's zero, s on the recording's clock, its sound, and what ``session.json`` says of it.

    ``onset`` is when a sound file began, s on the recording's clock.
    """

    origin: float
    sound: Sound | None
    about: dict[str, object]
    onset: float = math.nan


@click.command()
@click.argument("recording", type=_path)
@options.gathered(options.Headsets)
@click.option("--audio", type=_path, help="Sound file that was heard, if the recording has none.")
@click.option("--audio-start", type=float, help="When it began, s after the recording's start [default: 0].")
@click.option("--onset-marker", metavar="TEXT", help="Marker in the recording that says when --audio began.")
@click.option("--markers", metavar="QUERY", help="Stream of that marker; default: the one of type Markers.")
@click.option("--stimulus", type=_path, help="Sound file to be found in the recorded sound.")
@click.option(
    "--in-reference", is_flag=True, help="The person is one of those that the bundle was calibrated on: leave them out."
)
@click.option("--speed", default="1", show_default=True, help="1: as recorded, N: N times as fast, max: no waiting.")
@options.gathered(options.Analysis)
@options.gathered(options.Results)
def command(
    recording: Path,
    headsets: options.Headsets,
    audio: Path | None,
    audio_start: float | None,
    onset_marker: str | None,
    markers: str | None,
    stimulus: Path | None,
    in_reference: bool,
    speed: str,
    analysis: options.Analysis,
    results: options.Results,
) -> None:
    """Replay the XDF file RECORDING; with several headsets in it, people are compared with each other."""
    console, factor = Console(), options.parse_speed(speed)
    heard = Heard(audio, audio_start, onset_marker, markers, stimulus, in_reference)
    with console.status("reading the recording") as status:
        recorded = XdfRecording.open(recording)
        people = recorded.eeg_sources(headsets.queries, channels=headsets.names, unit=headsets.unit, rate=headsets.rate)
        start, placed = recorded.start, _place(recorded, heard)
        sound, origin = placed.sound, placed.origin
        model = load_session_model(sound is not None, analysis, status.update)
    if stimulus is not None and sound is not None:
        require_reference(model, sound.sha256, f"--stimulus {stimulus}")
    if model is not None:
        tell_cost(model, console)
    for warning in recorded.warnings:
        console.print(f"note: {warning}", style="yellow", highlight=False)
    own = _own_response(recorded, headsets, len(people), placed, model) if in_reference else None
    engine = build_engine(people, origin, sound=sound, model=model, analysis=analysis, own=own)
    about = {
        "command": "replay",
        "recording": str(recording),
        **placed.about,
        "recording_start": start,
        "origin": origin,
        "speed": speed,
    }
    clock: Clock = InstantClock(origin) if factor is None else PacedClock(origin, factor)
    outputs = describe_session(f"rtaffect replay: {recording.name}", results, engine, model, about)
    steps = run_session(engine, clock, outputs, console)
    if not steps:
        console.print(f"{recording} is shorter than one step: nothing to show", style="yellow", highlight=False)


def _place(recorded: XdfRecording, heard: Heard) -> Placed:
    """Place the session and its sound in the recording."""
    if heard.audio is not None:
        return _with_file(recorded, heard, heard.audio)
    start, source = recorded.start, recorded.audio_source()
    if heard.stimulus is None:
        return Placed(start, Sound(source) if source else None, {"audio": None, "stimulus": None})
    if source is None:
        raise SettingsError(
            f"--stimulus {heard.stimulus} is to be found in the recorded sound, but the recording has none; give it as "
            "--audio, with --audio-start or --onset-marker"
        )
    file = SoundFileSource.open(heard.stimulus)
    sound = Sound.known(source, file.info.source_id, SoundOnset(Aligner(file.sound)))
    return Placed(start, sound, {"audio": None, "stimulus": describe_stimulus(heard.stimulus, file, "sound")})


def _with_file(recorded: XdfRecording, heard: Heard, audio: Path) -> Placed:
    """Place a sound file of known onset.

    The origin lies a whole number of steps before the onset of the file, so that the steps divide the sound as
    calibration did, and at most one step before the recording's first sample.
    """
    start, length = recorded.start, recorded.end - recorded.start
    begun = heard.start_in(recorded)
    file, lead = SoundFileSource.open(audio, start + begun), math.ceil(begun)
    if not -len(file.sound) / SAMPLE_RATE < begun < length:
        raise SettingsError(
            f"{heard.said_by} {begun:g} puts the sound ({file.duration_s:.1f} s) outside the recording "
            f"(0 to {length:.1f} s); give the seconds from the recording's start to the sound's"
        )
    known = describe_stimulus(audio, file, heard.said_by)
    about = {"audio": str(audio), "audio_start": begun, "stimulus": known}
    sound = Sound.known(file, file.info.source_id, KnownOnset(float(lead)))
    return Placed(start + begun - lead, sound, about, start + begun)


def _own_response(
    recorded: XdfRecording, headsets: options.Headsets, people: int, placed: Placed, model: Model | None
) -> OwnResponse:
    """Return what gives the response of the one person in a recording to the sound that they heard in it."""
    if people != 1:
        raise SettingsError(f"--in-reference is for one person, but {people} are replayed; choose one with --eeg")
    if model is None or placed.sound is None or model.bundle.reference_for(placed.sound.sha256) is None:
        raise SettingsError("--in-reference: the bundle has no reference for this sound, so no one is in it; leave it")
    settings = model.bundle.manifest.settings

    def own(space: Space, samples: int) -> NDArray[np.float64]:
        (source,) = recorded.eeg_sources(
            headsets.queries, channels=headsets.names, unit=headsets.unit, rate=headsets.rate
        )
        channels = clean_channels(source, placed.onset, samples // settings.signal.rate_hz, space.channels, settings)
        k = Response(space, settings).layout.k
        return np.asarray(standardise(whole_response(channels, space, settings)[None], k)[0])

    return own
