"""The command ``live``: a session with headsets on the network, and what runs any plan of a session."""

from __future__ import annotations

import importlib
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click
from rich.console import Console

from rtaffect.cli import options
from rtaffect.common.clock import LslClock
from rtaffect.common.errors import SettingsError, StreamError
from rtaffect.outputs.programme_player import ProgrammePlayer
from rtaffect.outputs.sound_player import SoundPlayer
from rtaffect.plan.session_folder import RECORDING_FILE
from rtaffect.plan.session_plan import EegPlan, SessionPlan
from rtaffect.protocol.choice import choose_arm
from rtaffect.protocol.model import Protocol
from rtaffect.protocol.reading import check_rows, read_protocol
from rtaffect.record.recorder import Recorder
from rtaffect.run.assemble import (
    Model,
    banner_of,
    build_engine,
    describe_headset,
    describe_session,
    load_session_model,
    require_reference,
    tell_cost,
)
from rtaffect.run.hearing import LiveSound, Programme, check_sound, device_of
from rtaffect.run.run import ProtocolSetup, Run, run_session
from rtaffect.sources.boards import open_board, parse_board
from rtaffect.sources.lsl import LslSource
from rtaffect.sources.lsl_markers import LslMarkers
from rtaffect.sources.lsl_streams import Network, find_streams
from rtaffect.sources.selection import ANY_MARKERS, distinct_names, queries_of
from rtaffect.stream.source import Source

#: From everything being ready to the session's zero, s: the window opens and a sound device starts in it.
_WARNING_S = 2.0
#: Streams of markers have this long to answer, s.
_MARKERS_S = 1.0
_OWN = "rtaffect-"
_path = click.Path(path_type=Path)


@click.command()
@options.planned("live")
@click.option("--session", type=_path, help="Plan of a session (TOML); options that are given replace parts of it.")
@options.shared("headsets")
@click.option(
    "--board",
    "eeg__boards",
    multiple=True,
    metavar="TEXT",
    help="Headset without LSL, as in brainflow:muse_2, brainflow:cyton?serial_port=COM3 or fieldtrip:localhost:1972; "
    "may be given several times. LSL streams are then taken only where --eeg asks for them.",
)
@click.option("--audio", "sound__file", type=_path, help="Sound file that rtaffect plays and listens to.")
@click.option("--speaker", "sound__speaker", help="Sound device to play on: index or part of its name.")
@click.option(
    "--silent", "sound__silent", is_flag=True, help="Do not play: the sound is started elsewhere at the session's zero."
)
@click.option(
    "--mic", "sound__device", is_flag=False, flag_value="", help="Listen to a sound device: index or part of its name."
)
@click.option("--audio-stream", "sound__stream", metavar="QUERY", help="Listen to an LSL stream of sound.")
@click.option(
    "--stimulus",
    "sound__stimulus",
    type=_path,
    help="Sound file that another program plays, to compare with the bundle's reference: where in it people are is "
    "told by --onset-marker, or heard by --mic or --audio-stream.",
)
@click.option(
    "--onset-marker",
    "sound__onset_marker",
    metavar="TEXT",
    help="LSL marker sent once, when --stimulus begins.",
)
@click.option(
    "--markers", "sound__markers", metavar="QUERY", help="Stream of that marker; default: the one of type Markers."
)
@click.option(
    "--wait", "eeg__wait_s", type=float, default=5.0, show_default=True, help="How long to look for streams, s."
)
@click.option("--protocol", "protocol__file", type=_path, help="Protocol of the session (TOML).")
@click.option("--allocation", "protocol__allocation", type=_path, help="Sealed allocation of participants to arms.")
@click.option("--no-outlet", "results__outlet", flag_value=False, default=True, help="Offer no LSL streams to others.")
@options.shared("room", "analysis", "results")
def command(plan: SessionPlan) -> None:
    """Run a session with headsets on the network and sound from a file, a sound device or an LSL stream."""
    run_plan(plan, Console())


def run_plan(plan: SessionPlan, console: Console) -> None:
    """Run the session that a plan describes, whatever its mode.

    Raises
    ------
    RtaffectError
        If it cannot run; the message says why and what to do.
    """
    if plan.mode == "live":
        _live(plan, console)
    else:
        importlib.import_module(f"rtaffect.cli.{plan.mode}").run_plan(plan, console)


def _live(plan: SessionPlan, console: Console) -> None:
    check_sound(plan.sound)
    plan, clock = _with_folder(plan), LslClock()
    setup = _setup(plan)
    with ExitStack() as cleanup:
        with console.status("looking for streams") as status:
            headsets = _headsets(plan.eeg)
            ears = LiveSound(plan.sound, plan.eeg.wait_s, cleanup, setup.programme)
            model = load_session_model(ears.source is not None, plan.analysis, status.update)
            markers = _all_markers(ears.markers)
        _check_references(plan, ears, setup, model, console)
        if model is not None:
            tell_cost(model, console)
        player = _player(plan)
        recorder = Recorder(plan.results.out / RECORDING_FILE) if plan.results.out is not None else None
        _record(recorder, [*(h.source for h in headsets), ears.captured, *markers])
        _start_boards(headsets, cleanup, console)
        origin = clock.now() + _WARNING_S
        people = [h.source for h in headsets]
        engine = build_engine(people, origin, sound=ears.sound(origin), model=model, analysis=plan.analysis)
        if setup.protocol is not None:
            check_rows(setup.protocol, engine.space.rows)
        ran = describe_session("live", plan, engine, model, setup.protocol) | ears.describe()
        ran["eeg"] = [h.describe() for h in headsets]
        if player:
            cleanup.callback(_end, player, origin, console)
            player.start(origin)
        run = Run(
            engine,
            clock,
            plan,
            setup.protocol.name if setup.protocol else "rtaffect live",
            banner_of(model),
            ran,
            setup,
            recorder,
            markers,
            {ears.path: ears.file.info.source_id} if ears.path is not None and ears.file is not None else {},
        )
        run_session(run, console)


@dataclass(frozen=True, slots=True)
class _Headset:
    """A headset, and what its stream or board is called."""

    source: Source
    stream: str
    kind: str

    def describe(self) -> dict[str, object]:
        return describe_headset(self.source, self.stream, self.kind)


def _with_folder(plan: SessionPlan) -> SessionPlan:
    """Return the plan with a folder for the session: what is recorded is never thrown away."""
    if plan.results.out is not None:
        return plan
    name = "-".join(filter(None, [datetime.now().strftime("%Y%m%d-%H%M%S"), plan.participant]))
    return plan.model_copy(update={"results": plan.results.model_copy(update={"out": Path("sessions") / name})})


def _setup(plan: SessionPlan) -> ProtocolSetup:
    """Read the protocol and choose what the participant is shown."""
    chosen = plan.protocol
    if chosen.file is None:
        if chosen.allocation is not None:
            raise SettingsError("--allocation is of a protocol's arms: give the --protocol, too")
        return ProtocolSetup()
    protocol = read_protocol(chosen.file)
    arm = choose_arm(protocol, plan.participant, chosen.allocation)
    programme = _programme(protocol)
    if programme is None:
        return ProtocolSetup(protocol, arm)
    player = None if plan.sound.silent else ProgrammePlayer(device_of(plan.sound.speaker), programme.rate)
    return ProtocolSetup(protocol, arm, programme, player)


def _programme(protocol: Protocol) -> Programme | None:
    return Programme(protocol) if any(block.sound is not None for block in protocol.blocks) else None


def _headsets(eeg: EegPlan) -> list[_Headset]:
    """Find the streams and boards that are asked for; boards are not open yet."""
    addresses = [parse_board(text) for text in eeg.boards]
    wanted = bool(eeg.streams) or not addresses
    found = find_streams(queries_of(eeg), timeout=eeg.wait_s) if wanted else []
    names = distinct_names([(s.header.name, s.header.source_id) for s in found] + [(a.name, a.text) for a in addresses])
    channels = eeg.channels or None
    streams = [
        _Headset(LslSource(s, name=name, channels=channels, unit=eeg.unit, rate=eeg.rate), s.header.name, s.header.type)
        for s, name in zip(found, names, strict=False)
    ]
    boards = [
        _Headset(open_board(a, name=name, channels=channels, unit=eeg.unit, rate=eeg.rate), a.name, "EEG")
        for a, name in zip(addresses, names[len(found) :], strict=True)
    ]
    return [*streams, *boards]


def _all_markers(chosen: LslMarkers | None) -> list[LslMarkers]:
    """Return every stream of markers on the network, so that all of them are recorded: first the chosen one."""
    network, found = Network(), [chosen] if chosen is not None else []
    time.sleep(_MARKERS_S)
    known = {markers.header.uid for markers in found}
    for stream in network.streams():
        if stream.header.uid in known or stream.header.name.startswith(_OWN):
            continue
        if ANY_MARKERS.matches(stream.header):
            try:
                found.append(LslMarkers(stream))
            except StreamError:
                continue
    return found


def _record(recorder: Recorder | None, sources: Sequence[object]) -> None:
    for source in sources:
        if recorder is not None and source is not None:
            recorder.record(source)  # type: ignore[arg-type]  # every live source has a header and a tap


def _start_boards(headsets: Sequence[_Headset], cleanup: ExitStack, console: Console) -> None:
    """Open what takes seconds to open before the session's zero; starting twice does nothing."""
    if all(h.source.info.origin == "lsl" for h in headsets):
        return
    with console.status("opening boards"):
        for headset in headsets:
            cleanup.callback(headset.source.stop)
            headset.source.start()


def _check_references(
    plan: SessionPlan, ears: LiveSound, setup: ProtocolSetup, model: Model | None, console: Console
) -> None:
    """Refuse a stimulus without a reference, and tell which of a protocol's sounds have none."""
    if plan.sound.stimulus is not None and ears.file is not None:
        bundle = model.bundle if model else None
        require_reference(bundle, ears.file.info.source_id, f"--stimulus {plan.sound.stimulus}")
    if setup.programme is None or model is None or plan.analysis.against == "group":
        return
    without = [
        sound.path.name for sound in setup.programme.sounds.values() if model.bundle.reference_for(sound.sha256) is None
    ]
    if without:
        console.print(
            f"note: the bundle has no reference for {', '.join(without)}: nothing is observed while it is played, "
            "unless people are compared with each other",
            style="yellow",
            highlight=False,
        )


def _player(plan: SessionPlan) -> SoundPlayer | None:
    file = plan.sound.file
    return SoundPlayer.open(file, device_of(plan.sound.speaker)) if file and not plan.sound.silent else None


def _end(player: SoundPlayer, origin: float, console: Console) -> None:
    player.stop()
    if abs(player.actual_onset - origin) > 0.01:
        console.print(
            f"note: the sound began {player.actual_onset - origin:+.3f} s from the session's zero", style="yellow"
        )
