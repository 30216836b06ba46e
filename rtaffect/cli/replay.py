"""The command ``replay``: a recorded session through the same code as a live one."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from rtaffect.cli import options
from rtaffect.common.clock import clock_of
from rtaffect.common.errors import SettingsError
from rtaffect.plan.session_plan import SessionPlan, parse_speed
from rtaffect.run.assemble import (
    banner_of,
    build_engine,
    describe_headset,
    describe_session,
    load_session_model,
    require_reference,
    tell_cost,
)
from rtaffect.run.placing import Placed, Placing, own_response
from rtaffect.run.run import ProtocolSetup, Run, run_session
from rtaffect.sources.selection import queries_of
from rtaffect.sources.xdf import XdfRecording

_path = click.Path(path_type=Path)


@click.command()
@click.argument("recording", type=_path)
@options.planned("replay")
def command(plan: SessionPlan) -> None:
    """Replay RECORDING, an XDF file or a session's folder.

    A session's folder is replayed as it ran; with several headsets in a file, people are compared with each other.
    """
    run_plan(plan, Console())


def run_plan(plan: SessionPlan, console: Console) -> None:
    """Replay the recording that a plan names; raises RtaffectError if that is impossible."""
    assert plan.recording is not None
    factor = parse_speed(plan.speed)
    if plan.recording.is_dir():
        from rtaffect.run.again import run_again

        run_again(plan, factor, console)
        return
    _replay(plan, plan.recording, factor, console)


def _replay(plan: SessionPlan, path: Path, factor: float | None, console: Console) -> None:
    if plan.protocol.file is not None:
        raise SettingsError("a protocol is replayed with its session: give the session's folder as RECORDING")
    with console.status("reading the recording") as status:
        recorded = XdfRecording.open(path)
        eeg = plan.eeg
        people = recorded.eeg_sources(queries_of(eeg), channels=eeg.channels or None, unit=eeg.unit, rate=eeg.rate)
        placed = Placing(plan.sound).place(recorded)
        model = load_session_model(placed.sound is not None, plan.analysis, status.update)
    if plan.sound.stimulus is not None and placed.sound is not None:
        require_reference(model.bundle if model else None, placed.sound.sha256, f"--stimulus {plan.sound.stimulus}")
    if model is not None:
        tell_cost(model, console)
    for warning in recorded.warnings:
        console.print(f"note: {warning}", style="yellow", highlight=False)
    own = own_response(recorded, plan.eeg, len(people), placed, model) if plan.sound.in_reference else None
    engine = build_engine(people, placed.origin, sound=placed.sound, model=model, analysis=plan.analysis, own=own)
    ran = describe_session("replay", plan, engine, model) | placed.about | {"recording_start": recorded.start}
    ran["eeg"] = [describe_headset(person) for person in people]
    clock = clock_of(placed.origin, factor)
    run = Run(
        engine,
        clock,
        plan,
        f"rtaffect replay: {path.name}",
        banner_of(model),
        ran,
        ProtocolSetup(),
        stimuli=_stimuli(placed),
    )
    if not run_session(run, console):
        console.print(f"{path} is shorter than one step: nothing to show", style="yellow", highlight=False)


def _stimuli(placed: Placed) -> dict[Path, str]:
    return {placed.path: placed.sound.sha256} if placed.path is not None and placed.sound is not None else {}
