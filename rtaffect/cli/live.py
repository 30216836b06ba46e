"""The command ``live``: a session with headsets on the network."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click
from rich.console import Console

from rtaffect.cli import options
from rtaffect.cli.assemble import build_engine, describe_session, load_session_model, require_reference, tell_cost
from rtaffect.cli.hearing import Ears, Heard, device_of
from rtaffect.cli.run import run_session
from rtaffect.clock import LslClock
from rtaffect.sources.lsl import LslSource
from rtaffect.sources.lsl_streams import FoundStream, find_streams
from rtaffect.sources.selection import distinct_names
from rtaffect.sources.sound_player import SoundPlayer

#: From everything being ready to the session's zero, s: the window opens and a sound device starts in it.
_WARNING_S = 2.0
_path = click.Path(path_type=Path)


@click.command()
@options.gathered(options.Headsets)
@click.option("--audio", type=_path, help="Sound file that rtaffect plays and listens to.")
@click.option("--speaker", help="Sound device to play --audio on: index or part of its name.")
@click.option("--silent", is_flag=True, help="Do not play --audio: it is started elsewhere at the session's zero.")
@click.option("--mic", is_flag=False, flag_value="", help="Listen to a sound device: index or part of its name.")
@click.option("--audio-stream", metavar="QUERY", help="Listen to an LSL stream of sound.")
@click.option(
    "--stimulus",
    type=_path,
    help="Sound file that another program plays, to compare with the bundle's reference: where in it people are is "
    "told by --onset-marker, or heard by --mic or --audio-stream.",
)
@click.option("--onset-marker", metavar="TEXT", help="LSL marker that is sent once, when --stimulus begins.")
@click.option("--markers", metavar="QUERY", help="Stream of that marker; default: the one of type Markers.")
@click.option("--wait", type=float, default=5.0, show_default=True, help="How long to look for streams, s.")
@options.gathered(options.Analysis)
@options.gathered(options.Results)
def command(
    headsets: options.Headsets,
    audio: Path | None,
    speaker: str | None,
    silent: bool,
    mic: str | None,
    audio_stream: str | None,
    stimulus: Path | None,
    onset_marker: str | None,
    markers: str | None,
    wait: float,
    analysis: options.Analysis,
    results: options.Results,
) -> None:
    """Run a session with headsets on the network and sound from a file, a sound device or an LSL stream."""
    heard = Heard(audio, mic, audio_stream, stimulus, onset_marker, markers)
    console, clock = Console(), LslClock()
    with ExitStack() as cleanup:
        with console.status("looking for streams") as status:
            found = find_streams(headsets.queries, timeout=wait)
            people = _sources(found, headsets)
            ears = Ears(heard, wait, cleanup)
            model = load_session_model(ears.source is not None, analysis, status.update)
        if stimulus is not None and ears.file is not None:
            require_reference(model, ears.file.info.source_id, f"--stimulus {stimulus}")
        if model is not None:
            tell_cost(model, console)
        player = SoundPlayer.open(audio, device_of(speaker)) if audio and not silent else None
        origin = clock.now() + _WARNING_S
        engine = build_engine(people, origin, sound=ears.sound(origin), model=model, analysis=analysis)
        streams = [f"{s.name} ({s.source_id} on {s.host})" for s in found]
        about = {"command": "live", "streams": streams, **ears.describe(), "origin": origin}
        outputs = describe_session("rtaffect live", results, engine, model, about)
        if player:
            cleanup.callback(_end, player, origin, console)
            player.start(origin)
        run_session(engine, clock, outputs, console)


def _sources(found: list[FoundStream], headsets: options.Headsets) -> list[LslSource]:
    names = distinct_names([(stream.name, stream.source_id) for stream in found])
    return [
        LslSource(stream, name=name, channels=headsets.names, unit=headsets.unit, rate=headsets.rate)
        for stream, name in zip(found, names, strict=True)
    ]


def _end(player: SoundPlayer, origin: float, console: Console) -> None:
    player.stop()
    if abs(player.actual_onset - origin) > 0.01:
        console.print(
            f"note: the sound began {player.actual_onset - origin:+.3f} s from the session's zero", style="yellow"
        )
