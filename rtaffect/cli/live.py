"""The command ``live``: a session with headsets on the network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console

from rtaffect.cli import options
from rtaffect.cli.assemble import Sound, build_engine, describe_session, load_session_model, tell_cost
from rtaffect.cli.run import run_session
from rtaffect.clock import LslClock
from rtaffect.errors import SettingsError
from rtaffect.sources.lsl import LslSource
from rtaffect.sources.lsl_streams import find_stream, find_streams
from rtaffect.sources.selection import Query, distinct_names
from rtaffect.sources.sound_card import SoundCardSource
from rtaffect.sources.sound_file import SoundFileSource
from rtaffect.sources.sound_player import SoundPlayer

#: From everything being ready to the session's zero, s: the window opens and a sound device starts in it.
_WARNING_S = 2.0


@click.command()
@options.gathered(options.Headsets)
@click.option("--audio", type=click.Path(path_type=Path), help="Sound file that rtaffect plays and listens to.")
@click.option("--speaker", help="Sound device to play --audio on: index or part of its name.")
@click.option("--silent", is_flag=True, help="Do not play --audio: it is started elsewhere at the session's zero.")
@click.option("--mic", is_flag=False, flag_value="", help="Listen to a sound device: index or part of its name.")
@click.option("--audio-stream", metavar="QUERY", help="Listen to an LSL stream of sound.")
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
    wait: float,
    analysis: options.Analysis,
    results: options.Results,
) -> None:
    """Run a session with headsets on the network and sound from a file, a sound device or an LSL stream."""
    if sum(given is not None for given in (audio, mic, audio_stream)) > 1:
        raise SettingsError("--audio, --mic and --audio-stream exclude each other; give the one that people hear")
    console, clock = Console(), LslClock()
    with console.status("looking for streams") as status:
        found = find_streams(headsets.queries, timeout=wait)
        names = distinct_names([(stream.name, stream.source_id) for stream in found])
        people = [
            LslSource(stream, name=name, channels=headsets.names, unit=headsets.unit, rate=headsets.rate)
            for stream, name in zip(found, names, strict=True)
        ]
        listen = _listener(audio, mic, audio_stream, wait)
        model = load_session_model(listen is not None, analysis, status.update)
    if model is not None:
        tell_cost(model, console)
    player = SoundPlayer.open(audio, _device(speaker)) if audio and not silent else None
    origin = clock.now() + _WARNING_S
    sound = listen(origin) if listen else None
    engine = build_engine(people, origin, sound=sound, model=model, analysis=analysis)
    about = {
        "command": "live",
        "streams": [f"{s.name} ({s.source_id} on {s.host})" for s in found],
        "sound": sound.source.info.name if sound else None,
        "origin": origin,
    }
    outputs = describe_session("rtaffect live", results, engine, model, about)
    try:
        if player:
            player.start(origin)
        run_session(engine, clock, outputs, console)
    finally:
        if player:
            player.stop()
            _tell_onset(player, origin, console)


def _listener(
    audio: Path | None, mic: str | None, audio_stream: str | None, wait: float
) -> Callable[[float], Sound] | None:
    """Return what makes the session's sound once its zero is known, or None without sound."""
    if audio is not None:
        file = SoundFileSource.open(audio)

        def at(origin: float) -> Sound:
            file.onset = origin
            return Sound(file, file.info.source_id, origin)

        return at
    if mic is not None:
        card = SoundCardSource(_device(mic))
        return lambda _: Sound(card)
    if audio_stream is not None:
        stream = LslSource(find_stream(Query.parse(audio_stream), timeout=wait), kind="audio")
        return lambda _: Sound(stream)
    return None


def _device(text: str | None) -> int | str | None:
    """Return a sound device's index or the part of its name, None for the default one."""
    return int(text) if text and text.isdigit() else text or None


def _tell_onset(player: SoundPlayer, origin: float, console: Console) -> None:
    if player.actual_onset is not None and abs(player.actual_onset - origin) > 0.01:
        console.print(
            f"note: the sound began {player.actual_onset - origin:+.3f} s from the session's zero", style="yellow"
        )
