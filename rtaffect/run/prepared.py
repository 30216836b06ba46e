"""A session that is ready to run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rtaffect.common.clock import Clock
from rtaffect.engine.engine import Engine
from rtaffect.outputs.programme_player import ProgrammePlayer
from rtaffect.plan.session_plan import SessionPlan
from rtaffect.protocol.arms import ArmSource, Real
from rtaffect.protocol.model import Protocol
from rtaffect.protocol.timeline import Key
from rtaffect.record.recorder import Recorder
from rtaffect.run.programme import Programme
from rtaffect.sources.lsl_markers import LslMarkers


@dataclass(frozen=True, slots=True)
class ProtocolSetup:
    """What a session's protocol needs.

    ``follow`` has the keys of a recorded session by step, in place of the operator's; ``player`` lets its sounds be
    heard, None where something else does, or nobody listens.
    """

    protocol: Protocol | None = None
    arm: ArmSource = field(default_factory=Real)
    programme: Programme | None = None
    player: ProgrammePlayer | None = None
    follow: Mapping[int, Sequence[Key]] | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """A session that is ready to run.

    Attributes
    ----------
    engine, clock
        Make the steps, and the time.
    plan
        What was asked for.
    title, banner
        Stand in the window.
    ran
        What ``session.toml`` says of the run.
    setup
        The protocol.
    recorder
        Records what sources receive; None for a replay, whose data are recorded already, and where nothing is kept.
    markers
        Streams of markers that are listened to; they are started with the session.
    stimuli
        Sound files of known stimuli beside the protocol's, and their hashes; they are copied into the session's folder.
    steps
        How many there are, whatever becomes of the sources; None where that is not known.
    stay_open
        Whether the window stays open at the end.
    """

    engine: Engine
    clock: Clock
    plan: SessionPlan
    title: str
    banner: str | None = None
    ran: Mapping[str, Any] = field(default_factory=dict)
    setup: ProtocolSetup = ProtocolSetup()
    recorder: Recorder | None = None
    markers: Sequence[LslMarkers] = ()
    stimuli: Mapping[Path, str] = field(default_factory=dict)
    steps: int | None = None
    stay_open: bool = True

    @property
    def protocol_file(self) -> Path | None:
        """The protocol's file."""
        return self.setup.protocol.path if self.setup.protocol is not None else None
